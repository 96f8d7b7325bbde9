"""Who may do what in a library, as its owner decides; and taking our access back. Never the network."""

from __future__ import annotations

import logging
import secrets

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from smugmug import audit, sync
from smugmug.models import Account, Membership, SyncRun

logger = logging.getLogger(__name__)


class NotPossible(Exception):
    """The library would be left without an owner, or the person is in it already; str() is the sentence."""


@transaction.atomic
def add(account: Account, *, username: str, role: str, by: User) -> str | None:
    """Let a person in. Returns the password of a user who had to be made for it, else None."""
    user = User.objects.filter(username=username).first()
    password = None
    if user is None:
        password = secrets.token_urlsafe(9)
        user = User.objects.create_user(username, password=password)
    try:
        with transaction.atomic():
            Membership.objects.create(user=user, account=account, role=role)
    except IntegrityError:
        raise NotPossible(f"{username} is in this library already.") from None
    logger.info("account %s: user %s let user %s in as %s", account.pk, by.pk, user.pk, role)
    return password


@transaction.atomic
def change_role(membership: Membership, *, role: str, by: User) -> None:
    """Give a member another role; NotPossible for the person who connected the library."""
    _refuse_founder(membership)
    Membership.objects.filter(pk=membership.pk).update(role=role)
    logger.info("account %s: user %s made user %s %s", membership.account_id, by.pk, membership.user_id, role)


@transaction.atomic
def remove(membership: Membership, *, by: User) -> None:
    """Take a person out; what they decided stays. NotPossible for the person who connected the library."""
    _refuse_founder(membership)
    Membership.objects.filter(pk=membership.pk).delete()
    logger.info("account %s: user %s took user %s out", membership.account_id, by.pk, membership.user_id)


def _refuse_founder(membership: Membership) -> None:
    if membership.user_id == membership.account.owner_id:
        raise NotPossible(f"{membership.user} connected this library and stays its owner.")


@transaction.atomic
def disconnect(account: Account, *, by: User) -> bool:
    """Forget the tokens; mirror and words stay. False where it was not connected."""
    gone = (
        Account.objects.filter(pk=account.pk)
        .exclude(state=Account.State.DISCONNECTED)
        .update(oauth_token="", oauth_token_secret="", state=Account.State.DISCONNECTED)
    )
    for run in SyncRun.objects.active().filter(account=account):
        sync.cancel(run, by=by)
    if gone:
        audit.record(account, who=audit.person(by), action="disconnect", result="done")
    logger.info("account %s: disconnected by user %s", account.pk, by.pk)
    return bool(gone)
