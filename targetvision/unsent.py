"""A form that arrived without a session, or with the token of an older one: it is kept while its person signs in.

It travels sealed in the pages themselves, so that nothing of strangers is stored. Nothing is ever sent on by itself: a
page shows what would be sent and where, and a person presses the button.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import redirect_to_login
from django.core import signing
from django.shortcuts import render
from django.urls import Resolver404, resolve, reverse
from django.utils.http import url_has_allowed_host_and_scheme

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

NAME = "unsent"  # of the hidden field
SALT = "targetvision.unsent"
MOST = 400_000  # characters in all fields together
TOKEN = "csrfmiddlewaretoken"


@dataclass(frozen=True)
class Unsent:
    """Where a form was going, and its fields."""

    address: str
    fields: list[tuple[str, list[str]]]

    @classmethod
    def of(cls, request: HttpRequest) -> Self | None:
        """What the request brought; None where it is too much, has a password in it, or came from elsewhere."""
        fields = [(name, list(map(str, values))) for name, values in request.POST.lists() if name != TOKEN]
        length = sum(len(name) + len(value) for name, values in fields for value in values)
        has_password = any("password" in name.casefold() for name, _ in fields)
        if request.method != "POST" or length > MOST or has_password or request.FILES:
            return None
        return cls(request.get_full_path(), fields)

    @classmethod
    def opened(cls, sealed: str) -> Self | None:
        """From what `sealed` gave; None for anything else."""
        try:
            address, fields = signing.loads(sealed, salt=SALT)
            resolve(urlsplit(address).path)
        except (signing.BadSignature, Resolver404):
            return None
        return cls(address, fields)

    @property
    def sealed(self) -> str:
        """For a hidden field: nobody but this installation can make one."""
        return signing.dumps((self.address, self.fields), salt=SALT, compress=True)


def carried(request: HttpRequest) -> Unsent | None:
    """What the sign-in form carries along."""
    return Unsent.opened(request.POST.get(NAME, ""))


def sign_in_first(request: HttpRequest, kept: Unsent | None = None) -> HttpResponse:
    """The sign-in page for who sent a form without a session; it leads to what was sent, where that was anything."""
    if not set(request.POST) - {TOKEN}:
        return redirect_to_login(_page_of(request))
    unsent = kept or Unsent.of(request)
    context = {
        "form": AuthenticationForm(request),
        "next": _page_of(request),
        "unsent": unsent.sealed if unsent else "",
        "is_lost": unsent is None,
    }
    return render(request, "registration/login.html", context, status=401)


def ask(request: HttpRequest, unsent: Unsent, *, status: int = 200) -> HttpResponse:
    """The page that shows what was not sent, with the button that sends it."""
    return render(request, "unsent.html", {"unsent": unsent, "back": _page_of(request)}, status=status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The page for a form whose token is of an older session, or of none: what was typed is on it.

    Only where the browser says that the form stood on a page of ours: nobody else may fill such a page.
    """
    if not _is_from_us(request) or getattr(request, "htmx", False):
        return render(request, "403_csrf.html", status=403)
    unsent = carried(request) if request.path == reverse("login") else Unsent.of(request)
    if unsent is None:
        return render(request, "403_csrf.html", status=403)
    return ask(request, unsent, status=403) if request.user.is_authenticated else sign_in_first(request, unsent)


def _is_from_us(request: HttpRequest) -> bool:
    origin = request.headers.get("Origin", "")
    return origin == f"{request.scheme}://{request.get_host()}"


def _page_of(request: HttpRequest) -> str:
    """The page of ours that the form stood on, else the front page."""
    page = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure())
    parts = urlsplit(page)
    is_page = is_ours and parts.path not in {reverse("login"), request.path}
    return (f"{parts.path}?{parts.query}" if parts.query else parts.path) if is_page else "/"
