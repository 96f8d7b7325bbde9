"""Where a pressed button leads: to the page it stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

if TYPE_CHECKING:
    from django.http import HttpRequest


def back(request: HttpRequest, default: str = "dashboard", *args: Any) -> HttpResponseRedirect:
    """A redirect to the page of ours that the request came from, else to the address named `default`.

    Browsers say where a form stood (SECURE_REFERRER_POLICY lets them, to ourselves alone).
    """
    page = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure()):
        return HttpResponseRedirect(resolve_url(default, *args))
    return HttpResponseRedirect(page)
