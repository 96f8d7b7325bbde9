"""Sign-in, slowed where somebody guesses."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.decorators import method_decorator

FREE_FAILURES = 5
HOUR = 3_600
PAUSE = 60  # seconds between attempts once the free ones are used up


@method_decorator(login_not_required, name="dispatch")
class SlowedLoginView(LoginView):
    """After five failures for a name within an hour, one attempt a minute for that name, right or wrong."""

    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST" and self._is_too_fast():
            response = render(request, "429.html", {"retry_after": PAUSE}, status=429)
            response["Retry-After"] = str(PAUSE)
            return response
        return super().dispatch(request, *args, **kwargs)

    def _is_too_fast(self) -> bool:
        """Whether the name has used up its free failures, and its attempt of this minute too."""
        if cache.get(self._key("failures"), 0) < FREE_FAILURES:
            return False
        return not cache.add(self._key("pause"), 1, PAUSE)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        key = self._key("failures")
        cache.add(key, 0, HOUR)
        cache.incr(key)
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        cache.delete(self._key("failures"))
        return super().form_valid(form)

    def _key(self, what: str) -> str:
        """By name, known or not; hashed, because people type passwords into the name field."""
        name = self.request.POST.get("username", "").strip().casefold()
        return f"sign-in:{what}:{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()}"
