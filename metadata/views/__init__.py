"""Pages about photos and their words."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from metadata.models import AIMetadata

COUNT_TO = 10_000  # beyond that the bar shows "10,000+"


def navigation(request: HttpRequest) -> dict[str, Any]:
    """What the bar on top shows to a signed-in person: how many photos wait for them."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    waiting = AIMetadata.objects.changeable_by(user).for_review()
    return {"nav": {"waiting": SimpleLazyObject(lambda: waiting[: COUNT_TO + 1].count())}}
