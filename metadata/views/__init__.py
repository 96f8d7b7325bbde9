"""Pages about photos and their words."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from metadata import queue


def navigation(request: HttpRequest) -> dict[str, Any]:
    """What the bar on top shows to a signed-in person: how many photos wait for them."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    return {"nav": {"waiting": SimpleLazyObject(lambda: queue.count_waiting(user))}}
