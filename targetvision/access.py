"""Rows as the signed-in person may have them: 404 for what they may not see, 403 for what they may only see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class SignedInRequest(HttpRequest):
    """What a view gets: LoginMiddleware lets nobody else through."""

    user: User


def visible(request: HttpRequest, rows: Any, **key: Any) -> Any:
    """The row of a queryset that has `visible_to`; Http404 where there is none for this person."""
    row = rows.visible_to(request.user).filter(**key).first()
    if row is None:
        raise Http404
    return row


def changeable(request: HttpRequest, rows: Any, **key: Any) -> Any:
    """The same for what the person may change; PermissionDenied where they may only look."""
    row = visible(request, rows, **key)
    if not rows.changeable_by(request.user).filter(pk=row.pk).exists():
        raise PermissionDenied("You may look at this library, but not change it. Its owner can make you a curator.")
    return row
