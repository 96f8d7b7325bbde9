"""What must not reach an AI server, as its people decide. Never the network."""

from __future__ import annotations

import logging

from django.contrib.auth.models import User
from django.db import transaction

from smugmug import audit
from smugmug.models import Account, Album

logger = logging.getLogger(__name__)


@transaction.atomic
def switch(what: Account | Album, *, never_send: bool, by: User) -> bool:
    """Keep a library or an album from every AI server, or allow it again; False where it stood so already."""
    rows = type(what).objects.filter(pk=what.pk, never_send=not never_send)
    if not rows.update(never_send=never_send):
        return False
    account = what if isinstance(what, Account) else what.account
    audit.record(
        account,
        who=audit.person(by),
        action="never send" if never_send else "may send",
        result="done",
        detail=f"The album “{what}”" if isinstance(what, Album) else "The whole library",
    )
    logger.info("account %s: user %s set never_send of %s to %s", account.pk, by.pk, what.pk, never_send)
    return True


def sentence(what: str, *, never_send: bool) -> str:
    """What the switch has done, for the person who pressed it."""
    if never_send:
        return f"From now on nothing of {what} is sent to an AI server. The words that are here stay."
    return f"{what} may be sent to an AI server again."
