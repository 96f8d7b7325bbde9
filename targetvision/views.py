"""Getting in: the first visit, sign-in slowed where somebody guesses; and the theme."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Any

from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, UserCreationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.core.cache import cache
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from targetvision import unsent
from targetvision.access import SignedInRequest
from targetvision.forms import ThemeForm
from targetvision.models import Preference

FREE_FAILURES = 5
HOUR = 3_600
PAUSE = 60  # seconds between attempts once the free ones are used up


@method_decorator(login_not_required, name="dispatch")
class SlowedLoginView(LoginView):
    """After five failures for a name within an hour, one attempt a minute for that name, right or wrong."""

    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not User.objects.exists():
            return redirect("first_run")
        if request.user.is_authenticated and (kept := unsent.carried(request)):
            return unsent.ask(request, kept)
        if request.method == "POST" and self._is_too_fast():
            response = self._slowed()
            response["Retry-After"] = str(PAUSE)
            return response
        return super().dispatch(request, *args, **kwargs)

    def _slowed(self) -> HttpResponse:
        """A page that says so; the sign-in page itself where it carries along what would be lost on another."""
        if not unsent.carried(self.request):
            return render(self.request, "429.html", {"retry_after": PAUSE}, status=429)
        context = self.get_context_data(form=self.get_form_class()(self.request), retry_after=PAUSE)
        return self.render_to_response(context, status=429)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kept = unsent.carried(self.request)
        return {"unsent": kept.sealed if kept else "", **super().get_context_data(**kwargs)}

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
        response = super().form_valid(form)
        kept = unsent.carried(self.request)
        return unsent.ask(self.request, kept) if kept else response

    def _key(self, what: str) -> str:
        """By name, known or not; hashed, because people type passwords into the name field."""
        name = self.request.POST.get("username", "").strip().casefold()
        return f"sign-in:{what}:{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()}"


class PasswordView(PasswordChangeView):
    """Django's, with 422 for a form that is not good."""

    def form_invalid(self, form: PasswordChangeForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


@login_not_required
def first_run(request: HttpRequest) -> HttpResponse:
    """Make the first user, who may do everything; only once, and only from this machine."""
    if User.objects.exists():
        return redirect("login")
    if not _is_this_machine(request):
        return render(request, "first_run.html", {"elsewhere": True}, status=403)
    form: UserCreationForm[User] = UserCreationForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return render(request, "first_run.html", {"form": form}, status=422 if request.method == "POST" else 200)
    user = _make_first_user(form)
    if user is None:
        return redirect("login")
    login(request, user)
    return redirect("dashboard")


def _is_this_machine(request: HttpRequest) -> bool:
    """Whether browser and server are on one machine. A proxy on this machine would vouch for everybody: it is not."""
    if any(
        name in request.headers for name in ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via")
    ):
        return False
    host = request.get_host().rpartition(":")[0] or request.get_host()
    try:
        is_near = ipaddress.ip_address(request.META["REMOTE_ADDR"]).is_loopback
    except ValueError:
        return False
    return is_near and host in {"localhost", "127.0.0.1", "[::1]"}


@transaction.atomic
def _make_first_user(form: UserCreationForm[User]) -> User | None:
    """The first user; None where somebody else was made meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('targetvision.first_user'))")
    if User.objects.exists():
        return None
    user: User = form.save(commit=False)
    user.is_staff = user.is_superuser = True
    user.save()
    return user


@require_POST
def set_theme(request: SignedInRequest) -> HttpResponse:
    """Keep the person's theme, and show the page again."""
    form = ThemeForm(request.POST)
    if not form.is_valid():
        return redirect("dashboard")
    Preference.objects.update_or_create(user=request.user, defaults={"theme": form.cleaned_data["theme"]})
    back = form.cleaned_data["next"]
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(back) if back and is_ours else redirect("dashboard")
