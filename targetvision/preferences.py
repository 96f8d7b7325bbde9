"""What a person has chosen for themselves."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from targetvision.models import Preference


def theme(request: HttpRequest) -> dict[str, Any]:
    """The person's theme for every page: dark, light, or "" for what the system wishes."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"theme": ""}
    chosen = Preference.objects.filter(user=user).values_list("theme", flat=True).first()
    return {"theme": chosen or "", "themes": Preference.Theme.choices}
