"""Tokens, with which programs act as a person: made, shown once, revoked, and looked up at every request.

What is kept is a hash. The token is 256 random bits, so that a plain SHA-256 cannot be turned back, and its place in an
index tells nobody anything.
"""

from __future__ import annotations

import datetime
import hashlib
import logging
import re
import secrets
from typing import TYPE_CHECKING

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from targetvision.models import ApiToken

if TYPE_CHECKING:
    from django.http import HttpRequest

logger = logging.getLogger(__name__)

PREFIX = "tv_"  # for those who look for secrets where none should be
TOKEN = re.compile(rf"{PREFIX}[0-9a-f]{{64}}")
MOST = 20  # a person
USE_IS_NOTED_EVERY = datetime.timedelta(minutes=1)
MAKE_ANOTHER = "Make another under Settings, API tokens."


class NotPossible(Exception):
    """The person has such a token, or too many; str() is the sentence for them."""


class Refused(Exception):
    """A token that lets nobody in; str() is the sentence for whoever sent it."""


@transaction.atomic
def make(user: User, *, name: str, days: int | None = None) -> tuple[ApiToken, str]:
    """A new token of that person, for so many days, and what the program is to send: it can be had only now."""
    User.objects.select_for_update().get(pk=user.pk)  # so that two at once do not pass the limit
    if ApiToken.objects.visible_to(user).kept().count() >= MOST:
        raise NotPossible(f"You have {MOST} tokens, and more is not possible. Revoke one first.")
    text = PREFIX + secrets.token_hex(32)
    expires_at = timezone.now() + datetime.timedelta(days=days) if days else None
    try:
        with transaction.atomic():
            token = ApiToken.objects.create(user=user, name=name, hash=hash_of(text), expires_at=expires_at)
    except IntegrityError:
        raise NotPossible("You have a token of that name. Take another name, or revoke that one first.") from None
    token.refresh_from_db()
    logger.info("user %s made token %s", user.pk, token.pk)
    return token, text


def revoke(token: ApiToken) -> bool:
    """Let the token open nothing from now on; False where it was revoked before, and that stands."""
    won = bool(ApiToken.objects.kept().filter(pk=token.pk).update(revoked_at=timezone.now()))
    if won:
        logger.info("token %s of user %s was revoked", token.pk, token.user_id)
    return won


def sent(request: HttpRequest) -> str | None:
    """The token that came with the request, as Authorization: Bearer; None where none did."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if scheme.casefold() == "bearer" else None


def look_up(text: str) -> ApiToken:
    """The token of that text, with its person, and a note that it was used; Refused where it lets nobody in."""
    token = None
    if TOKEN.fullmatch(text):
        token = ApiToken.objects.select_related("user").filter(hash=hash_of(text)).first()
    if token is None:
        raise Refused(f"There is no such token. {MAKE_ANOTHER}")
    if token.revoked_at:
        raise Refused(f"This token was revoked. {MAKE_ANOTHER}")
    if token.has_expired:
        raise Refused(f"This token is past its time. {MAKE_ANOTHER}")
    if not token.user.is_active:
        raise Refused("Whose token this is may not sign in any more.")
    _note_use(token)
    return token


def hash_of(text: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


def _note_use(token: ApiToken) -> None:
    now = timezone.now()
    if token.last_used_at and token.last_used_at > now - USE_IS_NOTED_EVERY:
        return
    before = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_IS_NOTED_EVERY)
    ApiToken.objects.filter(before, pk=token.pk).update(last_used_at=now)
