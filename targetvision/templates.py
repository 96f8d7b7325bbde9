"""One template, as a page or as its part; and the engine of the parts that a page draws a hundred times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined
from lucide.jinja import lucide

if TYPE_CHECKING:
    from django.http import HttpRequest


def template_for(request: HttpRequest, name: str, *, partial: str) -> str:
    """The page, or for an htmx request that wants only a part of it, that part; the context is the same."""
    htmx = getattr(request, "htmx", None)
    return f"{name}#{partial}" if htmx and not htmx.history_restore_request else name


def environment(**options: Any) -> Environment:
    """Jinja2 as *.jinja files have it: escapes everything, knows the icons, and refuses a name that nobody gave it."""
    own = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    made = Environment(**(options | own))
    made.globals["lucide"] = lucide
    return made
