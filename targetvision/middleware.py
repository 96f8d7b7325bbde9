"""What holds for every request: it is in UTF-8, and a signed-in person's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponseBadRequest
from django_htmx.http import HttpResponseClientRedirect

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase


class LoginMiddleware(LoginRequiredMiddleware):
    """Sends strangers to the sign-in page; from an htmx request the whole page goes there, and comes back to itself."""

    def handle_no_permission(  # type: ignore[override]
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase]
    ) -> HttpResponse:
        response = super().handle_no_permission(request, view_func)
        if not getattr(request, "htmx", False):
            return response
        page = request.htmx.current_url_abs_path or "/"  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(redirect_to_login(page, self.get_login_url(view_func))["Location"])


class Utf8Middleware:
    """Refuses forms in any other encoding: through one, text arrives that no database can keep."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        charset = (request.content_params or {}).get("charset", "utf-8")
        if charset.casefold() not in {"utf-8", "utf8"}:
            return HttpResponseBadRequest("Send this in UTF-8.", content_type="text/plain; charset=utf-8")
        return self.get_response(request)
