"""One template, as a page or as its part."""

from __future__ import annotations

from django.http import HttpRequest


def template_for(request: HttpRequest, name: str, *, partial: str) -> str:
    """The page, or for an htmx request that wants only a part of it, that part; the context is the same."""
    htmx = getattr(request, "htmx", None)
    return f"{name}#{partial}" if htmx and not htmx.history_restore_request else name
