"""What holds for every request: it is in UTF-8, a signed-in person's or their token's, and answered in JSON where a
program asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse, HttpResponseBadRequest
from django_htmx.http import HttpResponseClientRedirect

from targetvision import problems, tokens, unsent

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase


FILES = "/images/"  # whose addresses the API gives


class TokenMiddleware:
    """Below /api/, and for the pictures that it names, whoever sends a token is the token's person, session or not.

    It is looked up at each request: what is revoked opens nothing more.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        text = tokens.sent(request)
        if text is None or not _takes_tokens(request):
            return self.get_response(request)
        try:
            token = tokens.look_up(text)
        except tokens.Refused as exc:
            return problems.answer(401, str(exc), headers={"WWW-Authenticate": problems.INVALID_TOKEN})
        request.user = token.user
        request.api_token = token  # type: ignore[attr-defined]
        return self.get_response(request)


def _takes_tokens(request: HttpRequest) -> bool:
    is_file = request.method in {"GET", "HEAD"} and request.path_info.startswith(FILES)
    return is_file or problems.is_of_the_api(request)


class LoginMiddleware(LoginRequiredMiddleware):
    """Sends strangers to the sign-in page; from an htmx request the whole page goes there, and comes back to itself.

    A form that was sent gets the sign-in page as its answer, with all that was typed. Programs get 401.
    """

    def handle_no_permission(  # type: ignore[override]
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase]
    ) -> HttpResponse:
        if problems.is_of_the_api(request):
            return problems.answer(401)
        is_part = bool(getattr(request, "htmx", False))
        if request.method == "POST" and not is_part:
            return unsent.sign_in_first(request)
        response = super().handle_no_permission(request, view_func)
        if not is_part:
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


class ProblemMiddleware:
    """Below /api/ every error is a problem, whoever found it: Django's own pages are for people."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not problems.is_of_the_api(request) or not isinstance(response, HttpResponse):
            return response
        response.headers.setdefault("Cache-Control", "private, no-store")
        return problems.restate(response) if response.status_code >= 400 else response
