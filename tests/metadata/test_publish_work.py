"""Change-sets written to a real stand-in over HTTP, with all that goes wrong on the way, and taken back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from metadata import change_rules, change_work, jobs, publish
from metadata.models import Change, ChangeSet
from metadata.queue import ReviewFilter
from smugmug import mirror as mirroring
from smugmug import oauth
from smugmug.client import SmugMugClient, SmugMugNonsense, SmugMugUnavailable
from smugmug.models import Account, AuditEntry, Photo
from smugmug.sandbox import Sandbox
from smugmug.sandbox.messages import Call, Reply
from targetvision.models import database_time
from tests.factories import AIMetadataFactory, AlbumFactory

ALL = {"caption": "append", "title": "empty", "keywords": "append"}


class Ledger:
    """What the stand-in did for callers, by picture: refused calls are not among it."""

    def __init__(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writes: Counter[tuple[str, str]] = Counter()
        answer = sandbox._answer_api

        def counted(call: Call) -> Reply:
            reply = answer(call)
            if call.method in ("PATCH", "POST") and reply.status == 200:
                for what in self.pictures(call):
                    self.writes[what] += 1
            return reply

        monkeypatch.setattr(sandbox, "_answer_api", counted)

    def pictures(self, call: Call) -> list[tuple[str, str]]:
        if call.method == "PATCH":
            return [("PATCH", key_of(call.path))]
        uris = json.loads(call.body)["ImageUris"]
        return [(call.path.rpartition("!")[2], key_of(uri)) for uri in uris]


def key_of(uri: str) -> str:
    return uri.rpartition("/")[2].partition("-")[0]


def words_of(sandbox: Sandbox) -> dict[str, tuple[str, str, frozenset[str]]]:
    photos = [photo for album in sandbox.library.albums for photo in album.photos]
    return {photo.key: (photo.caption, photo.title, frozenset(photo.keywords)) for photo in photos}


@pytest.fixture
def smug(own_smugmug: Sandbox, settings: Any) -> Sandbox:
    settings.SMUGMUG_REQUESTS_PER_SECOND = 1000
    return own_smugmug


@pytest.fixture
def may_change(smug: Sandbox, ada: Any) -> Account:
    return oauth.save_account(oauth.Token(*smug.grant("Full", "Modify")), owner=ada, permissions=oauth.MODIFY)


@pytest.fixture
def ledger(smug: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    return Ledger(smug, monkeypatch)


@pytest.fixture
def approved(may_change: Account, smug: Sandbox) -> Callable[..., list[Any]]:
    """Mirrors an album of the stand-in, and has words approved for all its pictures; the pictures, in its order."""

    def approved(count: int, **words: Any) -> list[Any]:
        album = smug.library.add_album("Approved")
        for _ in range(count):
            smug.library.add_photo(album.key, keywords=["Beach", "summer"], title="", caption="By the sea")
        images = oauth.connect(may_change).images_page(album.key).items
        row = AlbumFactory(account=may_change, album_key=album.key)
        mirroring.save_listing(row, images, as_of=timezone.now(), is_complete=True)
        for photo in Photo.objects.in_album(row):
            given = {"ai_tags": ["beach", "cliff; steep", "Cliff; steep"], "ai_title": "Cliffs", **words}
            AIMetadataFactory(photo=photo, approved=True, ai_description=f"A cliff, {photo.image_key}.", **given)
        return list(smug.library.album(album.key).photos)

    return approved


def prepared(account: Account, **rules: str) -> ChangeSet:
    return publish.prepare(account, by=account.owner, filter=ReviewFilter(), rules=rules or ALL)


def armed(account: Account, **rules: str) -> ChangeSet:
    change_set = prepared(account, **rules)
    publish.arm(change_set, by=account.owner, account=account.nickname, number=change_set.total or 0)
    return change_set


def work(change_set: ChangeSet, client: SmugMugClient | None = None) -> None:
    """As a worker would, from its beginning to its end or its death."""
    fresh = ChangeSet.objects.select_related("account").get(pk=change_set.pk)
    mine = client or oauth.connect_for_changes(fresh.account)
    try:
        assert change_work.carry_on(fresh, client=mine, seconds=60)
    finally:
        mine.close()
        change_set.refresh_from_db()


def reverted(change_set: ChangeSet) -> None:
    publish.arm_revert(
        change_set,
        by=change_set.account.owner,
        account=change_set.account.nickname,
        number=publish.to_revert(change_set),
    )
    work(change_set)


def by_key(change_set: ChangeSet) -> dict[str, str]:
    rows = Change.objects.filter(change_set=change_set)
    return dict(rows.values_list("photo__image_key", "state"))


def test_publish_writes_each_picture_once_and_the_mirror_knows(approved, may_change, smug, ledger):
    photos = approved(3)
    smug.library.collect_photo(photos[0].key, smug.library.albums[0].key)

    work(change_set := armed(may_change))

    assert (change_set.state, change_set.written, change_set.done) == ("succeeded", 3, 3)
    assert set(ledger.writes.values()) == {1}
    assert len(ledger.writes) == 6  # words and keywords of each
    first = photos[0]
    assert (first.caption, first.title) == (f"By the sea\n\nA cliff, {first.key}.", "Cliffs")
    assert list(first.keywords) == ["Beach", "summer", "cliff steep"]
    row = Photo.objects.get(image_key=first.key)
    assert (row.caption, row.title, row.keywords) == (first.caption, first.title, list(first.keywords))
    change = Change.objects.get(photo=row)
    assert change.before == {"caption": "By the sea", "title": "", "keywords": ["Beach", "summer"]}
    assert change.after == {"caption": first.caption, "title": "Cliffs", "keywords": list(first.keywords)}
    trail = list(AuditEntry.objects.order_by("pk").values_list("action", "who", "result"))
    assert trail == [("publish", "user:ada", "armed"), ("publish", "user:ada", "succeeded")]


def test_publish_of_what_is_written_already_has_nothing_to_change(approved, may_change):
    approved(2)
    work(armed(may_change))

    assert prepared(may_change).total == 0


class Death(BaseException):
    """The worker is gone: nothing after this line happens."""


@pytest.fixture
def deaths(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Kills the worker ten times: before it reads, before it sends, before it records. What was sent arrives."""
    killed: list[str] = []
    steps = Counter[str]()

    def mortal(name: str, every: int) -> None:
        living = getattr(change_work._Work, name)

        def dying(self: Any, *args: Any) -> Any:
            steps[name] += 1
            if steps[name] % every == 0 and len(killed) < 10:
                killed.append(name)
                self.flight._pool.shutdown(wait=True)
                raise Death(name)
            return living(self, *args)

        monkeypatch.setattr(change_work._Work, name, dying)

    for name, every in (("_is_read", 9), ("_send", 5), ("_is_sent", 3)):
        mortal(name, every)
    return killed


def until_over(change_set: ChangeSet, deaths: list[str]) -> None:
    """One worker after the other; what the reconciler does in between is done by hand."""
    for _ in range(40):
        try:
            work(change_set)
        except Death:
            ChangeSet.objects.filter(pk=change_set.pk).update(state="queued")
        if change_set.state == "paused":
            change_set.resume()
        if not change_set.is_active:
            return
    raise AssertionError(f"never over: {change_set.state} {change_set.waiting_for} {deaths}")


def test_publish_with_faults_kills_and_edits_writes_each_picture_once_and_revert_gives_all_back(
    approved, may_change, smug, ledger, deaths, monkeypatch
):
    photos = approved(24)
    change_set = armed(may_change)
    smug.library.edit_photo(photos[4].key, caption="Somebody was here")
    smug.library.edit_photo(photos[9].key, keywords=["Beach", "summer", "mine"])
    smug.library.edit_photo(photos[14].key, title="Mine")
    conflicts = {photos[number].key for number in (4, 9, 14)}
    before = words_of(smug)
    monkeypatch.setattr(oauth._pacer(1000), "hold", lambda seconds: None)
    smug.faults.timeout_but_applied, smug.faults.too_many, smug.faults.retry_after = 5, 7, 0

    until_over(change_set, deaths)

    assert len(deaths) == 10
    assert len(set(deaths)) == 3
    assert smug.faults.given["timeout_but_applied"] >= 5
    assert smug.faults.given["too_many"] >= 5
    assert set(ledger.writes.values()) == {1}
    assert len(ledger.writes) == 2 * 21
    assert (change_set.state, change_set.written, change_set.conflicts, change_set.done) == ("partial", 21, 3, 24)
    states = by_key(change_set)
    assert {key for key, state in states.items() if state == "conflict"} == conflicts
    for photo in photos:
        keywords = [keyword.casefold() for keyword in photo.keywords]
        assert "Beach" in photo.keywords
        assert keywords.count("beach") == 1
        assert ("cliff steep" in keywords) == (photo.key not in conflicts)
    assert {key: words for key, words in words_of(smug).items() if key in conflicts} == {
        key: words for key, words in before.items() if key in conflicts
    }

    ledger.writes.clear()
    deaths[:] = deaths[:5]
    publish.arm_revert(change_set, by=may_change.owner, account=may_change.nickname, number=21)
    until_over(change_set, deaths)

    assert len(deaths) == 10
    assert (change_set.state, change_set.reverted) == ("succeeded", 21)
    assert words_of(smug) == before
    assert set(ledger.writes.values()) == {1}
    assert {row.image_key: row.caption for row in Photo.objects.all()}[photos[0].key] == "By the sea"


def test_publish_keywords_that_replace_take_away_only_what_was_seen_and_come_back(approved, may_change, smug):
    photos = approved(2, ai_tags=["BEACH", "rock"])
    change_set = armed(may_change, keywords="replace")
    smug.library.edit_photo(photos[1].key, keywords=["Beach", "summer", "foreign"])
    before = words_of(smug)

    work(change_set)

    assert sorted(photos[0].keywords) == ["Beach", "rock"]
    assert sorted(photos[1].keywords) == ["Beach", "foreign", "summer"]
    assert sorted(by_key(change_set).values()) == ["conflict", "written"]
    reverted(change_set)
    assert words_of(smug) == before


def test_revert_where_somebody_has_changed_words_since_keeps_theirs_and_says_which(approved, may_change, smug):
    photos = approved(3)
    work(change_set := armed(may_change))
    smug.library.edit_photo(photos[0].key, caption="Mine now")
    smug.library.edit_photo(photos[1].key, keywords=["Beach", "summer", "Cliff Steep", "more"])
    smug.library.edit_photo(photos[2].key, keywords=["Beach", "cliff steep", "more"])

    reverted(change_set)

    assert (change_set.state, change_set.reverted, change_set.revert_conflicts) == ("partial", 1, 2)
    assert (photos[0].caption, photos[0].title, list(photos[0].keywords)) == ("Mine now", "", ["Beach", "summer"])
    assert (photos[1].caption, list(photos[1].keywords)) == ("By the sea", ["Beach", "summer", "Cliff Steep", "more"])
    assert (photos[2].caption, list(photos[2].keywords)) == ("By the sea", ["Beach", "more"])
    kept = Change.objects.filter(state="revert_conflict").order_by("pk").values_list("sentence", flat=True)
    assert [sentence.partition(" on ")[0] for sentence in kept] == [
        "Somebody has changed its caption",
        "Somebody has changed its keywords",
    ]


def test_publish_without_the_permission_waits_for_a_person_and_changes_nothing(approved, may_change, smug):
    approved(1)
    change_set = armed(may_change)
    token, secret = smug.grant("Full", "Read")
    Account.objects.filter(pk=may_change.pk).update(oauth_token=token, oauth_token_secret=secret)
    before = words_of(smug)

    work(change_set)

    assert change_set.state == "paused"
    assert change_set.resume_at is None
    assert "Authorized Services" in change_set.waiting_for
    assert words_of(smug) == before
    may_change.refresh_from_db()
    assert may_change.granted_permissions == "Read"


def test_publish_while_smugmug_is_down_pauses_and_goes_on_by_itself(
    approved, may_change, smug, ledger, enqueued, monkeypatch
):
    approved(2)
    change_set = armed(may_change)
    monkeypatch.setattr("smugmug.wire._back_off", lambda failures: 0.001)
    smug.faults.empty_error = 1

    work(change_set)

    assert (change_set.state, change_set.done) == ("paused", 0)
    assert "goes on by itself" in change_set.waiting_for
    smug.faults.empty_error = 0
    ChangeSet.objects.update(resume_at=timezone.now())
    jobs.resume_stalled_change_sets()
    assert enqueued == [("publish_changes", (str(change_set.pk),))]
    jobs.publish_changes(str(change_set.pk))
    change_set.refresh_from_db()
    assert (change_set.state, change_set.written) == ("succeeded", 2)
    assert set(ledger.writes.values()) == {1}


def test_publish_of_words_taken_back_since_the_preview_writes_nothing(approved, may_change, smug):
    approved(1)
    change_set = armed(may_change)
    before = words_of(smug)
    Photo.objects.get(image_key=next(iter(by_key(change_set)))).ai_metadata.__class__.objects.update(
        review_status="unreviewed", approved_by="", approved_at=None
    )

    work(change_set)

    assert (change_set.state, change_set.conflicts) == ("partial", 1)
    assert words_of(smug) == before


def test_publish_of_a_picture_that_is_gone_fails_for_it_alone(approved, may_change, smug):
    photos = approved(2)
    change_set = armed(may_change)
    smug.library.remove_photo(photos[0].key)

    work(change_set)

    assert (change_set.written, change_set.failed) == (1, 1)
    assert by_key(change_set)[photos[0].key] == "failed"


def test_publish_paused_by_a_person_begins_nothing_more(approved, may_change, smug, ledger, monkeypatch):
    approved(6)
    change_set = armed(may_change)
    read = change_work._Work._is_read

    def pause_then_read(self: Any, *args: Any) -> None:
        publish.pause(ChangeSet.objects.select_related("account").get(pk=change_set.pk), by=may_change.owner)
        read(self, *args)

    monkeypatch.setattr(change_work._Work, "_is_read", pause_then_read)
    work(change_set)

    assert (change_set.state, change_set.done) == ("paused", 0)
    assert change_set.waiting_for == "ada has paused it."
    assert not ledger.writes
    assert set(by_key(change_set).values()) == {"waiting"}


def test_publish_what_is_only_prepared_is_worked_on_by_nobody(approved, may_change, smug, ledger):
    approved(1)
    change_set = prepared(may_change)

    jobs.publish_changes(str(change_set.pk))
    jobs.resume_stalled_change_sets()

    change_set.refresh_from_db()
    assert (change_set.stage, change_set.state) == ("prepared", "paused")
    assert not change_set.resume()
    assert not ledger.writes


def test_publish_stopped_and_armed_to_be_taken_back_while_a_picture_is_under_way_takes_it_back(
    approved, may_change, smug, monkeypatch
):
    approved(1)
    change_set = armed(may_change)
    before = words_of(smug)
    record = change_work._Work._is_sent

    def stop_and_arm_then_record(self: Any, *args: Any) -> None:
        fresh = ChangeSet.objects.select_related("account").get(pk=change_set.pk)
        if fresh.stage == "writing":
            assert publish.cancel(fresh, by=may_change.owner)
            publish.arm_revert(fresh, by=may_change.owner, account=may_change.nickname, number=1)
            self.beaten_at = 0.0
            self._beat()
        record(self, *args)

    monkeypatch.setattr(change_work._Work, "_is_sent", stop_and_arm_then_record)
    work(change_set)

    assert words_of(smug) != before
    assert set(by_key(change_set).values()) == {"written"}
    assert (change_set.stage, change_set.written, change_set.done, change_set.reverted) == ("reverting", 1, 0, 0)
    work(change_set)
    assert words_of(smug) == before
    assert (change_set.state, change_set.done, change_set.reverted) == ("succeeded", 1, 1)


def test_publish_paused_at_the_end_of_a_slice_stays_paused(approved, may_change, ledger, monkeypatch):
    approved(1)
    change_set = armed(may_change)

    def pause_meanwhile(self: Any, deadline: float) -> bool:
        publish.pause(ChangeSet.objects.select_related("account").get(pk=change_set.pk), by=may_change.owner)
        return False

    monkeypatch.setattr(change_work._Work, "until", pause_meanwhile)
    work(change_set)

    assert (change_set.state, change_set.waiting_for) == ("paused", "ada has paused it.")


def test_publish_of_a_picture_that_smugmug_never_shows_fails_for_it_alone(approved, may_change, smug, monkeypatch):
    photos = approved(5)
    change_set = armed(may_change)
    ask = SmugMugClient.image

    def image(self: Any, image_id: str) -> Any:
        if image_id.startswith(photos[0].key):
            raise SmugMugUnavailable("500")
        return ask(self, image_id)

    monkeypatch.setattr(SmugMugClient, "image", image)
    for _ in range(10):
        work(change_set)
        change_set.resume()

    assert (change_set.state, change_set.written, change_set.failed) == ("partial", 4, 1)
    assert by_key(change_set)[photos[0].key] == "failed"
    assert "given up" in Change.objects.get(state="failed").sentence


def test_publish_while_smugmug_is_down_for_long_gives_no_picture_up(approved, may_change, monkeypatch):
    approved(5)
    change_set = armed(may_change)

    def image(self: Any, image_id: str) -> Any:
        raise SmugMugUnavailable("500")

    monkeypatch.setattr(SmugMugClient, "image", image)
    for _ in range(12):
        work(change_set)
        assert change_set.state == "paused"
        change_set.resume()

    assert set(by_key(change_set).values()) == {"waiting"}


def test_revert_that_failed_for_a_picture_is_armed_again_and_gives_it_back(approved, may_change, smug, monkeypatch):
    photos = approved(2)
    change_set = armed(may_change)
    before = words_of(smug)
    work(change_set)
    Change.objects.update(attempts=change_work.ATTEMPTS)  # SmugMug was ill then
    ask = SmugMugClient.image

    def image(self: Any, image_id: str) -> Any:
        if image_id.startswith(photos[0].key):
            raise SmugMugNonsense("none")
        return ask(self, image_id)

    with monkeypatch.context() as ill:
        ill.setattr(SmugMugClient, "image", image)
        reverted(change_set)

    assert (change_set.state, change_set.reverted, change_set.revert_failed) == ("partial", 1, 1)
    assert (change_set.may_be_reverted, publish.to_revert(change_set)) == (True, 1)
    reverted(change_set)
    assert words_of(smug) == before
    assert (change_set.state, change_set.reverted, change_set.revert_failed) == ("succeeded", 2, 0)
    assert not change_set.may_be_reverted


@pytest.mark.parametrize(
    ("arrived", "edited", "state", "written"),
    [
        ((), {}, "waiting", 0),
        (("Caption", "Title", "Keywords"), {}, "written", 1),
        (("Caption",), {}, "failed", 0),
        ((), {"title": "Mine"}, "conflict", 0),
    ],
)
def test_look_again_at_a_picture_that_was_under_way_when_its_worker_died_tells_what_became_of_it(
    approved, may_change, smug, ledger, enqueued, monkeypatch, arrived, edited, state, written
):
    [photo] = approved(1)
    change_set = armed(may_change)

    def die(self: Any, *args: Any) -> None:
        raise Death

    with monkeypatch.context() as dying:
        dying.setattr(change_work._Work, "_send", die)
        with pytest.raises(Death):
            work(change_set)
    publish.cancel(change_set, by=may_change.owner)
    row = Change.objects.get()
    assert row.state == "writing"
    sent = {"caption": row.caption, "title": row.title, "keywords": [*photo.keywords, *row.add]}
    smug.library.edit_photo(photo.key, **{name.lower(): sent[name.lower()] for name in arrived}, **edited)
    before = words_of(smug)

    jobs.resume_stalled_change_sets()
    assert enqueued == []  # somebody may still be at it
    ChangeSet.objects.update(finished_at=timezone.now() - timedelta(hours=1))
    jobs.resume_stalled_change_sets()
    assert enqueued == [("look_at_stopped_changes", (str(change_set.pk),))]
    jobs.look_at_stopped_changes(str(change_set.pk))

    change_set.refresh_from_db()
    row.refresh_from_db()
    assert (row.state, row.before is None) == (state, state == "waiting")
    assert (change_set.state, change_set.written) == ("cancelled", written)
    assert words_of(smug) == before
    assert not ledger.writes
    assert not ChangeSet.objects.left_halfway().exists()


def test_look_again_at_a_picture_that_was_being_put_back_leaves_it_to_the_next_revert(approved, may_change, smug):
    approved(1)
    change_set = armed(may_change)
    before = words_of(smug)
    work(change_set)
    publish.arm_revert(change_set, by=may_change.owner, account=may_change.nickname, number=1)
    publish.cancel(change_set, by=may_change.owner)
    Change.objects.update(state="reverting")
    ChangeSet.objects.update(finished_at=timezone.now() - timedelta(hours=1))

    jobs.look_at_stopped_changes(str(change_set.pk))

    assert set(by_key(change_set).values()) == {"written"}
    change_set.refresh_from_db()
    reverted(change_set)
    assert words_of(smug) == before


def test_to_write_takes_away_no_keyword_that_is_ours_in_another_spelling():
    change = Change(add=["straße"], remove=["Strasse"], seen={"caption": "", "title": "", "keywords": ["Strasse"]})

    verdict = change_rules.to_write(change, change.seen)

    assert not verdict.has_something_to_send


def test_sync_that_listed_a_picture_before_it_was_written_keeps_the_new_words(approved, may_change, smug):
    [photo] = approved(1)
    change_set = armed(may_change)
    album = Photo.objects.get().album
    old, as_of = oauth.connect(may_change).images_page(album.album_key).items, timezone.now() - timedelta(hours=1)
    Photo.objects.update(synced_at=as_of - timedelta(hours=1))
    work(change_set)

    mirroring.save_listing(album, old, as_of=as_of, is_complete=True)

    row = Photo.objects.get()
    assert (row.title, row.caption, row.keywords) == ("Cliffs", photo.caption, list(photo.keywords))
    new = oauth.connect(may_change).images_page(album.album_key).items
    smug.library.edit_photo(photo.key, title="Later")
    newer = oauth.connect(may_change).images_page(album.album_key).items
    mirroring.save_listing(album, newer, as_of=(later := database_time()), is_complete=True)
    mirroring.save_listing(album, new, as_of=as_of, is_complete=True)
    row.refresh_from_db()
    assert (row.title, row.synced_at) == ("Later", later)


@pytest.mark.django_db(transaction=True)
def test_publish_by_two_at_once_is_one_at_a_time(may_change, approved, ledger, monkeypatch):
    from tests.conftest import together

    monkeypatch.setattr(change_work, "LOCK_SECONDS", 0)
    approved(4)
    change_set = armed(may_change)

    together(lambda: work(change_set), lambda: work(change_set))

    change_set.refresh_from_db()
    assert (change_set.state, change_set.written) == ("succeeded", 4)
    assert set(ledger.writes.values()) == {1}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert cursor.fetchone() == (0,)
