import datetime

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from smugmug.models import Account, Album, AlbumPhoto, Membership, Photo, SyncRun
from targetvision.models import RunState
from tests.factories import (
    AccountFactory,
    AlbumFactory,
    MembershipFactory,
    PhotoFactory,
    SyncRunFactory,
    UserFactory,
)

ACTIVE = [RunState.QUEUED, RunState.RUNNING, RunState.PAUSED]
OVER = [RunState.SUCCEEDED, RunState.PARTIAL, RunState.FAILED, RunState.CANCELLED]


def refused(constraint):
    return pytest.raises(IntegrityError, match=constraint)


# --- Whose


@pytest.fixture
def grace(db):
    """In three libraries, in another role each; and not in a fourth."""
    user = UserFactory(username="grace")
    for role in Membership.Role.values:
        MembershipFactory(user=user, account__nickname=role, role=role)
    AccountFactory(nickname="foreign")
    return user


def rows_in_every_library(make):
    """One row in each account, by its nickname."""
    return {account.nickname: make(account) for account in Account.objects.all()}


def names(rows, of):
    return {nickname for nickname, row in of.items() if row in list(rows)}


@pytest.mark.parametrize(
    ("model", "make"),
    [
        (Account, lambda account: account),
        (Album, lambda account: AlbumFactory(account=account)),
        (Photo, lambda account: PhotoFactory(album__account=account)),
        (SyncRun, lambda account: SyncRunFactory(account=account)),
    ],
)
def test_ask_for_rows_of_a_person_gives_what_their_role_allows(grace, model, make):
    rows = rows_in_every_library(make)

    assert len(rows) == 4
    assert names(model.objects.visible_to(grace), rows) == {"owner", "curator", "viewer"}
    assert model.objects.visible_to(grace).count() == 3
    assert names(model.objects.changeable_by(grace), rows) == {"owner", "curator"}
    assert model.objects.changeable_by(grace).count() == 2


@pytest.mark.parametrize("nobody", [AnonymousUser(), "stranger"])
@pytest.mark.parametrize(
    ("model", "make"),
    [
        (Account, lambda account: account),
        (Album, lambda account: AlbumFactory(account=account)),
        (Photo, lambda account: PhotoFactory(album__account=account)),
        (SyncRun, lambda account: SyncRunFactory(account=account)),
    ],
)
def test_ask_for_rows_of_nobody_gives_none(grace, model, make, nobody):
    rows_in_every_library(make)
    Membership.objects.filter(account__nickname="foreign").delete()  # a library without any member
    person = UserFactory() if nobody == "stranger" else nobody

    assert not model.objects.visible_to(person).exists()
    assert not model.objects.changeable_by(person).exists()


def test_ask_for_owned_accounts_gives_those_alone(grace):
    assert [account.nickname for account in Account.objects.owned_by(grace)] == ["owner"]


def test_ask_for_memberships_gives_those_of_the_persons_libraries(grace):
    found = Membership.objects.visible_to(grace)

    assert {membership.account.nickname for membership in found} == {"owner", "curator", "viewer"}
    assert found.count() == 6  # grace, and the one who connected it, in each


def test_ask_for_connected_accounts_leaves_the_others_out(db):
    connected = [AccountFactory() for _ in range(3)]
    AccountFactory(state=Account.State.REFUSED)
    AccountFactory(state=Account.State.DISCONNECTED, oauth_token="", oauth_token_secret="")

    assert set(Account.objects.connected()) == set(connected)


# --- Runs


def test_ask_for_active_runs_leaves_the_others_out(db):
    active = [SyncRunFactory(state=state) for state in ACTIVE]
    for state in OVER:
        SyncRunFactory(state=state)

    assert set(SyncRun.objects.active()) == set(active)
    assert all(run.is_active for run in active)


def test_ask_for_stalled_runs_gives_those_silent_for_three_heartbeats(db, settings):
    settings.HEARTBEAT_SECONDS = 10
    silent, alive = (timezone.now() - datetime.timedelta(seconds=seconds) for seconds in (31, 29))
    stalled = [
        SyncRunFactory(state=RunState.QUEUED, created_at=silent),
        SyncRunFactory(state=RunState.QUEUED, created_at=silent, heartbeat_at=silent),
        SyncRunFactory(state=RunState.RUNNING, created_at=silent, heartbeat_at=silent),
    ]
    SyncRunFactory(state=RunState.QUEUED, created_at=alive)
    SyncRunFactory(state=RunState.RUNNING, created_at=silent, heartbeat_at=alive)
    SyncRunFactory(state=RunState.QUEUED, created_at=silent, heartbeat_at=alive)
    for state in (RunState.PAUSED, *OVER):
        SyncRunFactory(state=state, created_at=silent, heartbeat_at=silent)

    assert set(SyncRun.objects.stalled()) == set(stalled)


def test_ask_for_newest_runs_gives_the_youngest_first(library_of_ada):
    moments = [timezone.now() - datetime.timedelta(days=days) for days in (2, 0, 1)]
    runs = [SyncRunFactory(account=library_of_ada, state=RunState.FAILED, created_at=moment) for moment in moments]

    assert list(SyncRun.objects.newest_first()) == [runs[1], runs[2], runs[0]]


@pytest.mark.parametrize("first", ACTIVE)
@pytest.mark.parametrize("second", ACTIVE)
def test_keep_a_second_active_run_of_an_account_is_refused(library_of_ada, first, second):
    SyncRunFactory(account=library_of_ada, state=first)

    with refused("smugmug_one_active_sync_per_account"), transaction.atomic():
        SyncRunFactory(account=library_of_ada, state=second)

    SyncRunFactory(state=second)  # another account's
    for state in OVER:
        SyncRunFactory(account=library_of_ada, state=state)
    assert SyncRun.objects.filter(account=library_of_ada).count() == 1 + len(OVER)


@pytest.mark.parametrize("state", RunState.values)
def test_begin_alone_starts_only_what_waits(library_of_ada, state):
    run = SyncRunFactory(account=library_of_ada, state=state, heartbeat_at=timezone.now())

    assert run.begin(alone=True) is (state == RunState.QUEUED)
    assert run.state == (RunState.RUNNING if state == RunState.QUEUED else state)


def test_begin_alone_takes_over_after_three_silent_heartbeats(library_of_ada, settings):
    settings.HEARTBEAT_SECONDS = 10
    started = timezone.now() - datetime.timedelta(hours=1)
    run = SyncRunFactory(account=library_of_ada, state=RunState.RUNNING, started_at=started, waiting_for="?")
    run.heartbeat_at = timezone.now() - datetime.timedelta(seconds=29)
    run.save()

    assert run.begin(alone=True) is False

    SyncRun.objects.update(heartbeat_at=timezone.now() - datetime.timedelta(seconds=31))

    assert run.begin(alone=True) is True
    assert (run.started_at, run.waiting_for) == (started, "")
    assert timezone.now() - run.heartbeat_at < datetime.timedelta(seconds=5)


@pytest.mark.parametrize("state", RunState.values)
def test_change_a_run_from_any_state_wins_only_where_it_may(library_of_ada, state):
    allowed = {
        "beat": {RunState.RUNNING},
        "queue": {RunState.QUEUED, RunState.RUNNING},
        "resume": {RunState.PAUSED},
        "pause": {RunState.QUEUED, RunState.RUNNING},
        "cancel": set(ACTIVE),
        "finish": {RunState.RUNNING},
    }
    calls = {
        "beat": lambda run: run.beat(done=3),
        "queue": lambda run: run.queue(),
        "resume": lambda run: run.resume(),
        "pause": lambda run: run.pause("No budget."),
        "cancel": lambda run: run.cancel(),
        "finish": lambda run: run.finish(RunState.PARTIAL, "why"),
    }
    for name, call in calls.items():
        SyncRun.objects.all().delete()
        run = SyncRunFactory(account=library_of_ada, state=state)

        won = call(run)

        assert won is (state in allowed[name]), name
        kept = SyncRun.objects.get()
        if not won:
            assert (kept.state, kept.done, kept.finished_at, kept.waiting_for) == (state, 0, None, ""), name
        assert (run.state, run.finished_at) == (kept.state, kept.finished_at)


# --- Tokens


@pytest.mark.parametrize("missing", ["oauth_token", "oauth_token_secret"])
def test_keep_a_connected_account_without_tokens_is_refused(ada, missing):
    with refused("smugmug_connected_account_has_tokens"), transaction.atomic():
        AccountFactory(owner=ada, **{missing: ""})

    assert AccountFactory(owner=ada, state=Account.State.DISCONNECTED, **{missing: ""}).pk


def test_keep_two_accounts_of_one_nickname_is_refused(db):
    AccountFactory(nickname="demo")

    with refused("nickname"), transaction.atomic():
        AccountFactory(nickname="demo")


def test_keep_two_memberships_of_one_person_is_refused(library_of_ada, ada):
    with refused("smugmug_one_membership_each"), transaction.atomic():
        MembershipFactory(user=ada, account=library_of_ada, role="viewer")


# --- Albums and photos


def test_keep_a_photo_twice_in_an_album_is_refused(db):
    photo = PhotoFactory()

    with refused("smugmug_photo_once_in_album"), transaction.atomic():
        AlbumPhoto.objects.create(album=photo.album, photo=photo)
    AlbumPhoto.objects.create(album=AlbumFactory(account=photo.account), photo=photo)
    assert photo.standings.count() == 2


def test_keep_two_rows_of_one_key_is_refused(db):
    photo = PhotoFactory()

    with refused("image_key"), transaction.atomic():
        PhotoFactory(image_key=photo.image_key)
    with refused("album_key"), transaction.atomic():
        AlbumFactory(album_key=photo.album.album_key)


def test_ask_for_photos_of_an_album_gives_them_in_its_order(library_of_ada):
    album, other = AlbumFactory(account=library_of_ada), AlbumFactory(account=library_of_ada)
    last, first, middle = (PhotoFactory(album=album) for _ in range(3))
    PhotoFactory(album=other)
    for photo, position in ((first, 1), (middle, 2), (last, 9)):
        photo.standings.update(position=position)
    AlbumPhoto.objects.create(album=other, photo=first, position=77)

    found = list(Photo.objects.in_album(album))

    assert [(photo, photo.position) for photo in found] == [(first, 1), (middle, 2), (last, 9)]


def test_ask_for_present_rows_leaves_removed_ones_out(library_of_ada):
    album = AlbumFactory(account=library_of_ada)
    photos = [PhotoFactory(album=album) for _ in range(3)]
    gone = AlbumFactory(account=library_of_ada, removed_at=timezone.now())
    PhotoFactory(album=album, removed_at=timezone.now())

    assert set(Photo.objects.present()) == set(photos)
    assert set(Album.objects.present()) == {album}
    assert gone not in Album.objects.present()


def test_ask_for_albums_by_name_and_age(library_of_ada):
    def make(title, day, key):
        moment = day and datetime.datetime(2026, 1, day, tzinfo=datetime.UTC)
        return AlbumFactory(account=library_of_ada, title=title, images_last_updated=moment, album_key=key)

    never, old, new, twin = make("Sea", None, "a"), make("SEASIDE", 1, "b"), make("Dunes", 3, "d"), make("100%", 3, "c")

    assert list(Album.objects.newest_first()) == [twin, new, old, never]
    assert set(Album.objects.named_like("sea")) == {never, old}
    assert set(Album.objects.named_like("%")) == {twin}
    assert Album.objects.named_like("").count() == 4


def test_name_a_photo_by_the_best_there_is():
    assert Photo(title="Cat", filename="IMG.JPG", image_key="K").name == "Cat"
    assert Photo(filename="IMG.JPG", image_key="K").name == "IMG.JPG"
    assert Photo(image_key="K").name == "K"
    assert str(Album(title="", album_key="A")) == "A"


# --- The camera's clock


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_keep_a_wall_clock_gives_it_back_without_a_zone(db, zone):
    clock = datetime.datetime(2023, 3, 26, 2, 30)  # an hour that does not exist in Berlin
    photo = PhotoFactory(date_taken=clock)

    with timezone.override(zone):
        assert Photo.objects.get().date_taken == clock
        assert Photo.objects.filter(date_taken=clock).exists()
        assert Photo.objects.filter(date_taken__lt=clock + datetime.timedelta(seconds=1)).get() == photo
    with connection.cursor() as cursor:
        cursor.execute("SELECT date_taken::text, pg_typeof(date_taken)::text FROM smugmug_photos")
        assert cursor.fetchone() == ("2023-03-26 02:30:00", "timestamp without time zone")


def test_keep_a_wall_clock_with_a_zone_drops_the_zone_and_keeps_the_hour(db):
    PhotoFactory(date_taken=datetime.datetime(2023, 8, 1, 12, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=9))))

    assert Photo.objects.get().date_taken == datetime.datetime(2023, 8, 1, 12, 0)


def test_keep_a_wall_clock_given_as_text_reads_it(db):
    PhotoFactory(date_taken="2023-08-01T12:00:00")

    assert Photo.objects.get().date_taken == datetime.datetime(2023, 8, 1, 12, 0)


def test_keep_no_wall_clock_gives_none(db):
    PhotoFactory(date_taken=None)

    assert Photo.objects.get().date_taken is None
