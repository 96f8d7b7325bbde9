"""Sign-in, slowed where somebody guesses."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

FREE_FAILURES = 5
HOUR = 3_600
PAUSE = 60  # seconds between attempts once the free ones are used up


class SlowedLoginView(LoginView):
    """After five failures for a name within an hour, one attempt a minute for that name, right or wrong."""

    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST" and cache.get(self._key("failures"), 0) >= FREE_FAILURES:
            if not cache.add(self._key("pause"), 1, PAUSE):
                return render(request, "429.html", {"seconds": PAUSE}, status=429, headers={"Retry-After": str(PAUSE)})
        return super().dispatch(request, *args, **kwargs)

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
