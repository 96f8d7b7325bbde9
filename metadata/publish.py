"""Change-sets as people handle them: prepared, looked through, armed, paused, stopped, taken back.

Nothing here talks to the network, and nothing on SmugMug is changed by anything here: that is change_work.py's, which
works on nothing that no person has armed. The database holds that too.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from metadata import change_plan
from metadata.forms_review import Status
from metadata.models import Change, ChangeSet
from metadata.queue import ReviewFilter
from smugmug import audit, grants
from smugmug.models import Account
from targetvision.models import RunState

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

PUBLISH, REVERT = "publish", "revert"  # as the audit trail names them
Stage = ChangeSet.Stage


class NotArmed(Exception):
    """Nothing was armed, and nothing is written; str() is the sentence for the person."""


class AlreadyArmed(NotArmed):
    """Somebody was faster; str() says who."""


class Stale(Exception):
    """It is not at rest any more, so it cannot be changed; str() is the sentence."""


@transaction.atomic
def prepare(account: Account, *, by: User | None, filter: ReviewFilter, rules: Mapping[str, str]) -> ChangeSet:
    """Work out what would be written: a row for each picture that would change. Its approved words alone.

    `rules` by field: caption, title, keywords. Nothing is written before a person arms it.
    """
    wanted = replace(filter, account=account.nickname, status=Status.APPROVED.value, order="")
    change_set = ChangeSet.objects.create(
        account=account,
        requested_by=by,
        filter=wanted.to_json(),
        state=RunState.PAUSED,
        **{f"{name}_rule": rule for name, rule in rules.items()},
    )
    change_plan.fill(change_set)
    found, total = change_plan.approved_only(change_set).count(), Change.objects.filter(change_set=change_set).count()
    ChangeSet.objects.filter(pk=change_set.pk).update(found=found, total=total)
    change_set.refresh_from_db()
    said = "change-set %s is prepared: %s of %s photos would change", change_set.pk, total, found
    transaction.on_commit(partial(logger.info, *said))  # a dry run keeps nothing
    return change_set


@transaction.atomic
def leave_out(change_set: ChangeSet, ids: Collection[int], *, leave_out: bool) -> int:
    """Take pictures out of what will be written, or in again; how many. Stale once it is armed."""
    held = ChangeSet.objects.select_for_update().get(pk=change_set.pk)
    if not held.is_prepared:
        raise Stale(f"{_who(held.armed_by)} has armed this already, so nothing more can be left out.")
    switched = change_plan.switch(held, ids, leave_out=leave_out)
    ChangeSet.objects.filter(pk=held.pk).update(total=F("total") + (-switched if leave_out else switched))
    change_set.refresh_from_db()
    return switched


@transaction.atomic
def discard(change_set: ChangeSet) -> bool:
    """Throw away what was only prepared; False where it was armed, or thrown away already."""
    prepared = ChangeSet.objects.filter(pk=change_set.pk, stage=Stage.PREPARED, state=RunState.PAUSED)
    won = bool(prepared.update(state=RunState.CANCELLED, finished_at=timezone.now()))
    if won:
        Change.objects.filter(change_set=change_set).delete()
    change_set.refresh_from_db()
    return won


# --- Arming ------------------------------------------------------------------------------------------------------


def arm(change_set: ChangeSet, *, by: User, account: str, number: int) -> None:
    """Let it be written: by a person who names the library and how many pictures that will change; the caller enqueues.

    NotArmed says what was named wrongly, or what is lacking; AlreadyArmed who was faster. Then nothing was changed.
    """
    try:
        with transaction.atomic():
            _arm(change_set, by=by, account=account, number=number)
    except IntegrityError:
        raise NotArmed(_other_one(change_set)) from None
    finally:
        change_set.refresh_from_db()


def _arm(change_set: ChangeSet, *, by: User, account: str, number: int) -> None:
    held = _held(change_set, by)
    if held.armed_by:
        raise AlreadyArmed(f"{_who(held.armed_by)} armed this on {_when(held.armed_at)}.")
    if not held.is_prepared:
        raise NotArmed("This change-set was thrown away. Prepare a new one.")
    _check(held, account, number, Change.objects.filter(change_set=held, state=Change.State.WAITING).count())
    ChangeSet.objects.filter(pk=held.pk).update(
        stage=Stage.WRITING,
        state=RunState.QUEUED,
        armed_by=audit.person(by),
        armed_at=timezone.now(),
        heartbeat_at=timezone.now(),
        total=number,
    )
    audit.record(held.account, who=audit.person(by), action=PUBLISH, run=held, result="armed", detail=_pictures(number))


def arm_revert(change_set: ChangeSet, *, by: User, account: str, number: int) -> None:
    """Let all that it wrote be put back: armed in the same way, of as many pictures as were written."""
    try:
        with transaction.atomic():
            _arm_revert(change_set, by=by, account=account, number=number)
    except IntegrityError:
        raise NotArmed(_other_one(change_set)) from None
    finally:
        change_set.refresh_from_db()


def _arm_revert(change_set: ChangeSet, *, by: User, account: str, number: int) -> None:
    held = _held(change_set, by)
    if held.is_reverting and not held.may_be_reverted:
        raise AlreadyArmed(
            f"{_who(held.revert_armed_by)} has armed taking this back, on {_when(held.revert_armed_at)}."
        )
    if not held.may_be_reverted:
        raise NotArmed("Only what is over can be taken back. Stop it first, or wait for its end.")
    _check(held, account, number, to_revert(held))
    rows = Change.objects.filter(change_set=held)
    rows.in_state(Change.State.REVERT_FAILED).update(state=Change.State.REVERTING)
    rows.touched().update(attempts=0)
    ChangeSet.objects.filter(pk=held.pk).update(
        stage=Stage.REVERTING,
        state=RunState.QUEUED,
        revert_armed_by=audit.person(by),
        revert_armed_at=timezone.now(),
        heartbeat_at=timezone.now(),
        started_at=None,
        finished_at=None,
        done=0,
        total=number,
        revert_failed=0,
        pauses=0,
        waiting_for="",
    )
    audit.record(held.account, who=audit.person(by), action=REVERT, run=held, result="armed", detail=_pictures(number))


def to_revert(change_set: ChangeSet) -> int:
    """How many pictures a revert would look at: those on which something of ours stands, or may stand."""
    rows = Change.objects.filter(change_set=change_set)
    return int((rows.touched() | rows.in_state(Change.State.REVERT_FAILED)).count())


def _held(change_set: ChangeSet, by: User) -> ChangeSet:
    """The row, locked: what is checked of it still holds when it is changed."""
    held: ChangeSet = ChangeSet.objects.select_for_update(of=("self",)).select_related("account").get(pk=change_set.pk)
    if not Account.objects.changeable_by(by).filter(pk=held.account_id).exists():
        raise PermissionDenied("You may look at this library, but not change it.")
    return held


def _check(held: ChangeSet, account: str, number: int, counted: int) -> None:
    """Whether the person has named what is meant, and SmugMug will let it be done."""
    if account != held.account.nickname:
        raise NotArmed(f"This is about the library {held.account.nickname}, not “{account[:40]}”. Nothing was armed.")
    if number != counted:
        raise NotArmed(f"{_pictures(counted)} would be changed, not {number:,}. Nothing was armed.")
    if not counted:
        raise NotArmed("There is nothing to be changed.")
    if not held.account.is_connected:
        raise NotArmed(f"{held.account} is not connected to SmugMug. Connect it again first.")
    if not grants.may_change(held.account):
        raise NotArmed(grants.HOW)


def _other_one(change_set: ChangeSet) -> str:
    other = ChangeSet.objects.active().filter(account=change_set.account_id).exclude(pk=change_set.pk).first()
    who = _who(other.revert_armed_by or other.armed_by) if other else "Somebody"
    return f"{who} has armed another change-set of this library, which is not over yet. Wait for its end, or stop it."


def _who(who: str) -> str:
    return audit.name(who) or "Somebody"


def _when(at: object) -> str:
    return f"{at:%-d %B %Y at %H:%M} UTC" if at else "another day"


def _pictures(number: int) -> str:
    return f"{number:,} picture{'s' * (number != 1)}"


# --- Under way ---------------------------------------------------------------------------------------------------


@transaction.atomic
def pause(change_set: ChangeSet, *, by: User) -> bool:
    """Stop until somebody lets it go on; the pictures under way are finished. False where it was not under way."""
    who = audit.person(by)
    return _recorded(change_set, by, won=change_set.pause(f"{_who(who)} has paused it."), result="paused")


@transaction.atomic
def resume(change_set: ChangeSet, *, by: User) -> bool:
    """Let it go on; the caller enqueues. False where it was not paused."""
    return _recorded(change_set, by, won=change_set.resume(), result="continued")


@transaction.atomic
def cancel(change_set: ChangeSet, *, by: User) -> bool:
    """Stop it for good; what was written stays, and can be taken back. False where it was over."""
    return _recorded(change_set, by, won=change_set.cancel(), result=RunState.CANCELLED.value)


def _recorded(change_set: ChangeSet, by: User, *, won: bool, result: str) -> bool:
    if won:
        action = REVERT if change_set.is_reverting else PUBLISH
        audit.record(change_set.account, who=audit.person(by), action=action, run=change_set, result=result)
    return won
