"""Change-sets prepared, armed and stopped: by whom, of how many, and what the database itself refuses."""

from __future__ import annotations

import logging
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from metadata import change_plan, change_work, publish
from metadata.models import Change, ChangeSet
from metadata.queue import ReviewFilter
from smugmug.client import ClockOff
from smugmug.models import Account, AuditEntry
from smugmug.oauth import TokensUnreadable
from tests.conftest import together
from tests.factories import (
    AccountFactory,
    AIMetadataFactory,
    AlbumFactory,
    ChangeFactory,
    ChangeSetFactory,
    MembershipFactory,
    PhotoFactory,
    UserFactory,
)


@pytest.fixture
def account(ada: Any) -> Account:
    return AccountFactory(owner=ada, granted_permissions="Modify")


def approved(account: Account, *, tags: Any = ("cat", "grey"), album: Any = None, **photo: Any) -> Any:
    row = PhotoFactory(album=album or AlbumFactory(account=account), **photo)
    return AIMetadataFactory(photo=row, approved=True, ai_tags=list(tags))


def prepare(account: Account, filter: ReviewFilter | None = None, **rules: str) -> ChangeSet:
    return publish.prepare(account, by=account.owner, filter=filter or ReviewFilter(), rules=rules)


def only(change_set: ChangeSet) -> Change | None:
    rows = list(Change.objects.filter(change_set=change_set))
    assert len(rows) <= 1
    return rows[0] if rows else None


TEXT = "A grey cat on a wall."


@pytest.mark.parametrize(
    ("rule", "caption", "becomes"),
    [
        ("empty", "", TEXT),
        ("empty", " \n", TEXT),
        ("empty", "Tom", ""),
        ("append", "", TEXT),
        ("append", "Tom", f"Tom\n\n{TEXT}"),
        ("append", f"Tom: {TEXT.upper()}", ""),
        ("replace", "Tom", TEXT),
        ("replace", TEXT, ""),
        ("", "", ""),
    ],
)
def test_prepare_caption_by_rule(account, rule, caption, becomes):
    approved(account, caption=caption, title="A cat")

    change = only(prepare(account, caption=rule))

    assert (change.caption if change else "") == becomes
    assert change is None or change.seen["caption"] == caption
    assert change is None or (change.title, change.add, change.remove) == ("", [], [])


@pytest.mark.parametrize(
    ("rule", "keywords", "tags", "add", "remove"),
    [
        ("append", ["Beach"], ["beach", "sea"], ["sea"], []),
        ("append", ["BEACH"], ["beach"], [], []),
        ("append", [], ["sea; sand", "Sea", "SEA", '"sun"', " "], ["sea sand", "Sea", "sun"], []),
        ("empty", ["Beach"], ["sea"], [], []),
        ("empty", [], ["sea"], ["sea"], []),
        ("replace", ["Beach", "old", "a, b"], ["beach", "sea"], ["sea"], ["old"]),
        ("replace", ["Beach"], [], [], []),
        ("replace", ["Beach"], [";", " , "], [], []),
    ],
)
def test_prepare_keywords_by_rule(account, rule, keywords, tags, add, remove):
    approved(account, keywords=keywords, tags=tags)

    change = only(prepare(account, keywords=rule))

    assert ([], []) if change is None else (change.add, change.remove) == (add, remove)
    assert (change is None) == (not add and not remove)


def test_prepare_takes_approved_words_of_this_library_once_a_picture(account):
    words = approved(account)
    other = AlbumFactory(account=account)
    other.standings.create(photo=words.photo, position=1)
    AIMetadataFactory(photo=PhotoFactory(album=other), described=True)
    approved(AccountFactory())

    change_set = prepare(account, ReviewFilter(status="all"), caption="empty")

    assert only(change_set).photo == words.photo
    assert (change_set.found, change_set.total, change_set.stage) == (1, 1, "prepared")
    assert prepare(account, ReviewFilter(album=other.pk), caption="empty").total == 1
    assert prepare(account, ReviewFilter(tag="dog"), caption="empty").total == 0
    assert prepare(account, ReviewFilter(text="grey cat"), caption="empty").total == 1
    assert prepare(account, ReviewFilter(text="!? 100%"), caption="empty").total == 0


def test_count_tells_each_kind_apart(account):
    approved(account, keywords=["cat", "old"])
    approved(account, caption="Tom")
    out = approved(account)
    change_set = prepare(account, caption="empty", keywords="replace")
    row = Change.objects.get(photo=out.photo)

    assert publish.leave_out(change_set, [row.pk], leave_out=True) == 1

    counts = change_plan.count(change_set)
    assert (counts.pictures, counts.left_out, counts.captions, counts.titles) == (2, 1, 1, 0)
    assert (counts.pictures_added_to, counts.keywords_added) == (2, 3)
    assert (counts.pictures_removed_from, counts.keywords_removed) == (1, 1)
    assert change_set.total == 2


# --- Arming


def arm(change_set: ChangeSet, by: Any, **named: Any) -> None:
    publish.arm(change_set, by=by, **{"account": change_set.account.nickname, "number": 1} | named)


def untouched(change_set: ChangeSet) -> bool:
    change_set.refresh_from_db()
    return (change_set.stage, change_set.state, change_set.armed_by) == ("prepared", "paused", "")


@pytest.mark.parametrize("named", [{"number": 2}, {"number": 0}, {"account": "other"}])
def test_arm_that_names_something_else_arms_nothing(account, named):
    approved(account)
    change_set = prepare(account, caption="empty")

    with pytest.raises(publish.NotArmed, match="Nothing was armed"):
        arm(change_set, account.owner, **named)

    assert untouched(change_set)
    assert not AuditEntry.objects.exists()


def test_arm_without_the_permission_says_how_to_grant_it(account):
    approved(account)
    change_set = prepare(account, caption="empty")
    Account.objects.update(granted_permissions="Read")

    with pytest.raises(publish.NotArmed, match="Account Settings, Privacy, Authorized Services"):
        arm(change_set, account.owner)
    assert untouched(change_set)


@pytest.mark.parametrize("role", ["viewer", ""])
def test_arm_by_who_may_not_change_the_library_is_refused(account, role):
    approved(account)
    change_set = prepare(account, caption="empty")
    by = MembershipFactory(account=account, role=role).user if role else UserFactory()

    with pytest.raises(PermissionDenied):
        arm(change_set, by)
    assert untouched(change_set)


def test_arm_twice_tells_the_second_who_did_it(account, ada):
    approved(account)
    grace = MembershipFactory(account=account, user__username="grace", role="curator").user
    change_set = prepare(account, caption="empty")

    arm(change_set, ada)
    with pytest.raises(publish.AlreadyArmed, match="^ada armed this on "):
        arm(change_set, grace)

    assert (change_set.armed_by, change_set.state) == ("user:ada", "queued")
    assert AuditEntry.objects.get().detail == "1 picture"


@pytest.mark.django_db(transaction=True)
def test_arm_by_two_at_once_is_armed_by_one(account, ada):
    approved(account)
    grace = MembershipFactory(account=account, user__username="grace", role="curator").user
    change_set = prepare(account, caption="empty")
    lost: list[str] = []

    def press(by: Any) -> None:
        try:
            arm(ChangeSet.objects.get(pk=change_set.pk), by)
        except publish.AlreadyArmed as exc:
            lost.append(str(exc))

    together(lambda: press(ada), lambda: press(grace))

    change_set.refresh_from_db()
    assert len(lost) == 1
    assert lost[0].startswith(f"{change_set.armed_by.removeprefix('user:')} armed this")
    assert AuditEntry.objects.count() == 1


def test_arm_while_another_of_the_library_is_under_way_is_refused(account, ada):
    approved(account)
    ChangeSetFactory(account=account, armed=True, armed_by="user:grace")
    change_set = prepare(account, caption="empty")

    with pytest.raises(publish.NotArmed, match="grace has armed another change-set"):
        arm(change_set, ada)
    assert untouched(change_set)


def test_leave_out_after_arming_is_too_late(account, ada):
    approved(account)
    change_set = prepare(account, caption="empty")
    arm(change_set, ada)

    with pytest.raises(publish.Stale, match="ada has armed this already"):
        publish.leave_out(change_set, [only(change_set).pk], leave_out=True)

    assert only(change_set).state == "waiting"
    assert not publish.discard(change_set)


def test_discard_deletes_what_was_planned(account):
    approved(account)
    change_set = prepare(account, caption="empty")

    assert publish.discard(change_set)

    assert only(change_set) is None
    with pytest.raises(publish.NotArmed, match="thrown away"):
        arm(change_set, account.owner)


def test_revert_of_what_is_under_way_is_refused(account, ada):
    approved(account)
    change_set = prepare(account, caption="empty")
    arm(change_set, ada)

    with pytest.raises(publish.NotArmed, match="Stop it first"):
        publish.arm_revert(change_set, by=ada, account=account.nickname, number=1)
    assert change_set.stage == "writing"


def test_revert_after_a_stop_looks_also_at_what_was_being_written(account, ada):
    change_set = ChangeSetFactory(account=account, armed=True, state="cancelled")
    ChangeFactory(change_set=change_set, state="writing", before={"caption": "", "title": "", "keywords": []})
    ChangeFactory(change_set=change_set)

    publish.arm_revert(change_set, by=ada, account=account.nickname, number=1)

    assert (change_set.stage, change_set.state, change_set.revert_armed_by) == ("reverting", "queued", "user:ada")
    with pytest.raises(publish.AlreadyArmed, match="ada has armed taking this back"):
        publish.arm_revert(change_set, by=ada, account=account.nickname, number=1)


@pytest.mark.parametrize(
    "values",
    [
        {"state": "queued"},
        {"state": "running"},
        {"stage": "writing", "state": "queued"},
        {"stage": "writing", "state": "queued", "armed_by": "command"},
        {"stage": "reverting", "armed_by": "user:ada"},
    ],
)
def test_database_lets_nothing_run_that_no_person_has_armed(account, values):
    change_set = ChangeSetFactory(account=account)

    with pytest.raises(IntegrityError), transaction.atomic():
        ChangeSet.objects.filter(pk=change_set.pk).update(**values)

    assert not change_set.begin(alone=True)
    assert not change_set.resume()
    assert untouched(change_set)


@pytest.mark.parametrize("error", [ClockOff("our clock is off"), TokensUnreadable()])
def test_heed_a_refusal_that_is_ours_leaves_the_library_connected(account, error):
    change_work.heed(prepare(account, caption="empty"), error)

    account.refresh_from_db()
    assert account.is_connected


# --- The command


def command(*args: str) -> str:
    out = StringIO()
    call_command("publish_metadata", *args, stdout=out)
    return out.getvalue()


def test_command_dry_run_shows_what_would_be_written_and_keeps_nothing(account, caplog):
    caplog.set_level(logging.INFO)
    words = approved(account, keywords=["Cat"])

    told = command(account.nickname, "--caption", "empty", "--keywords", "append", "--dry-run")

    assert "1 of 1 approved pictures would change." in told
    assert f"{words.photo.image_key} " in told
    assert "keywords: +grey\n" in told
    assert f"caption: '{TEXT}', was ''" in told
    assert "nothing was written" in told
    assert not ChangeSet.objects.exists()
    assert "is prepared" not in caplog.text


def test_command_without_dry_run_prepares_and_arms_nothing(account):
    approved(account)

    told = command(account.nickname, "--caption", "empty", "--filter", "tag=cat")

    change_set = ChangeSet.objects.get()
    assert untouched(change_set)
    assert f"{settings.SITE_URL}/publish/{change_set.pk}/" in told


def test_command_that_finds_nothing_to_write_keeps_no_change_set_and_says_so(account):
    approved(account)

    told = command(account.nickname, "--caption", "empty", "--filter", "tag=dog")

    assert "There is nothing to write, so nothing was prepared." in told
    assert "arm it" not in told
    assert not ChangeSet.objects.exists()


def test_prepare_that_is_kept_is_logged(account, caplog, django_capture_on_commit_callbacks):
    caplog.set_level(logging.INFO)
    approved(account)

    with django_capture_on_commit_callbacks(execute=True):
        change_set = prepare(account, caption="empty")

    assert f"change-set {change_set.pk} is prepared: 1 of 1 photos would change" in caplog.text


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ([], "Say what is to be written"),
        (["--caption", "empty", "--filter", "colour=red"], "There is no filter by “colour”."),
        (["--run", "nonsense"], "There is no change-set 'nonsense'"),
    ],
)
def test_command_that_makes_no_sense_says_so(account, args, sentence):
    with pytest.raises(CommandError, match=sentence):
        command(account.nickname, *args)
    assert not ChangeSet.objects.exists()


def test_command_run_of_what_nobody_has_armed_is_refused(account):
    approved(account)
    change_set = prepare(account, caption="empty")

    address = f"{settings.SITE_URL}/publish/{change_set.pk}/"
    with pytest.raises(CommandError, match=f"Nobody has armed this change-set.+ {address}$"):
        command(account.nickname, "--run", str(change_set.pk))
    assert untouched(change_set)
