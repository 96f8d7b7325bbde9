"""The audit trail: who had which operation done to a library, when, and what came of it. Rows are only added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smugmug.models import Account, AuditEntry

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from targetvision.models import Run

COMMAND = "command"
SCHEDULE = "schedule"


def person(user: User) -> str:
    """How the trail names somebody: `user:ada`."""
    return f"user:{user.get_username()}"


def record(  # noqa: PLR0913 - one keyword for each thing that is recorded
    account: Account, *, who: str, action: str, run: Run | None = None, result: str = "", detail: str = ""
) -> None:
    """One entry, in the caller's transaction, so that what is recorded has happened."""
    AuditEntry.objects.create(
        account=account,
        nickname=account.nickname,
        who=who,
        action=action,
        run=run.pk if run else None,
        result=result,
        detail=detail,
    )


def name(who: str) -> str:
    """Who that is, in a sentence: `ada`, `a command`, `the schedule`."""
    return {COMMAND: "a command", SCHEDULE: "the schedule"}.get(who, who.removeprefix("user:"))


def starter(run: Run) -> str:
    """Who had the run started, as the trail names them."""
    first = AuditEntry.objects.filter(run=run.pk).order_by("created_at", "pk").first()
    if first:
        return first.who
    return person(run.requested_by) if run.requested_by else COMMAND
