import re
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from smugmug import audit, sync
from smugmug.client import SmugMugRefused, SmugMugUnavailable
from smugmug.management.commands.sync_smugmug import summary
from smugmug.models import Account, AuditEntry, Photo, SyncRun
from smugmug.oauth import TokensUnreadable
from smugmug.sandbox.messages import html_reply
from targetvision.models import RunState
from tests.factories import AccountFactory, AlbumFactory, SyncRunFactory, UserFactory
from tests.smugmug.conftest import press, sync_all


def run(*args):
    """(what the command prints, its exit status)"""
    out = StringIO()
    try:
        call_command(*args, stdout=out)
    except SystemExit as exc:
        return out.getvalue(), exc.code
    return out.getvalue(), 0


def tokens_of(sandbox):
    token, secret = sandbox.grant()
    return f"--token={token}", f"--token-secret={secret}"  # either may begin with a dash


class Typing:
    """A person at the terminal: opens the address that was printed and types the code that SmugMug shows."""

    def __init__(self, monkeypatch, out, change=lambda code: code):
        self.out, self.change = out, change
        monkeypatch.setattr("builtins.input", self.type)

    def type(self, prompt):
        [address] = re.findall(r"^http\S+$", self.out.getvalue(), flags=re.MULTILINE)
        page = press(address).text.partition("<main>")[2]
        return self.change(re.search(r"\b\d{6}\b", page)[0])


# --- connect_smugmug


def test_connect_with_a_token_connects_for_the_only_user(smugmug, ada):
    out, status = run("connect_smugmug", *tokens_of(smugmug))

    account = Account.objects.get()
    assert (account.nickname, account.owner, account.is_connected) == ("demo", ada, True)
    assert (out, status) == ("demo is connected. Next: python manage.py sync_smugmug demo\n", 0)
    assert User.objects.count() == 1


def test_connect_prints_no_token(smugmug, ada):
    options = tokens_of(smugmug)

    out, _ = run("connect_smugmug", *options)

    for option in options:
        assert option.partition("=")[2] not in out


def test_connect_without_any_user_makes_the_first_and_prints_the_password(smugmug, db):
    out, _ = run("connect_smugmug", *tokens_of(smugmug))

    user = User.objects.get()
    password = re.search(r"Made the first user: admin, password (\S+)", out)[1]
    assert user.check_password(password)
    assert user.is_superuser
    assert Account.objects.get().owner == user


def test_connect_with_several_users_asks_whose_it_is(smugmug, db):
    UserFactory(username="ada")
    UserFactory(username="grace")

    with pytest.raises(CommandError, match="There are several users; say whose the library is with --owner NAME."):
        run("connect_smugmug", *tokens_of(smugmug))
    assert not Account.objects.exists()


def test_connect_with_an_owner_gives_it_to_them(smugmug, db):
    UserFactory(username="ada")
    grace = UserFactory(username="grace")

    run("connect_smugmug", "--owner", "grace", *tokens_of(smugmug))

    assert Account.objects.get().owner == grace


def test_connect_with_an_unknown_owner_connects_nothing(smugmug, ada):
    with pytest.raises(CommandError, match="There is no user 'nobody'"):
        run("connect_smugmug", "--owner", "nobody", *tokens_of(smugmug))
    assert not Account.objects.exists()


def test_connect_a_library_of_somebody_else_keeps_theirs(account, smugmug):
    UserFactory(username="grace")

    with pytest.raises(CommandError, match="demo is connected by ada; only ada can renew it."):
        run("connect_smugmug", "--owner", "grace", *tokens_of(smugmug))
    assert Account.objects.get().owner.username == "ada"


@pytest.mark.parametrize("half", [("--token", "t"), ("--token-secret", "s")])
def test_connect_with_half_a_token_connects_nothing(smugmug, ada, half):
    with pytest.raises(CommandError, match="--token and --token-secret go together."):
        run("connect_smugmug", *half)
    assert not Account.objects.exists()


def test_connect_with_a_refused_token_is_one_sentence(smugmug, ada):
    with pytest.raises(CommandError, match=re.escape(SmugMugRefused.advice)):
        run("connect_smugmug", "--token", "made", "--token-secret", "up")
    assert not Account.objects.exists()


def test_connect_while_smugmug_is_away_is_one_sentence(ada, slept):
    with pytest.raises(CommandError, match=re.escape(SmugMugUnavailable.advice)):
        run("connect_smugmug", "--token", "t", "--token-secret", "s")
    with pytest.raises(CommandError, match=re.escape(SmugMugUnavailable.advice)):
        run("connect_smugmug")


def test_connect_without_a_key_is_one_sentence(ada, settings):
    settings.SMUGMUG_API_KEY = ""

    with pytest.raises(CommandError, match="SMUGMUG_API_KEY and SMUGMUG_API_SECRET are not set"):
        run("connect_smugmug")


def test_connect_with_a_typed_code_connects(smugmug, ada, monkeypatch):
    out = StringIO()
    Typing(monkeypatch, out, change=lambda code: f" {code}\t")

    call_command("connect_smugmug", stdout=out)

    assert Account.objects.get().owner == ada
    assert "demo is connected." in out.getvalue()


def test_connect_to_write_before_a_photo_is_here_says_that_it_is_not_known(smugmug, ada):
    out, _ = run("connect_smugmug", "--modify", *tokens_of(smugmug))

    assert "demo is connected." in out
    assert "Whether words may be written shows at the first change" in out
    assert "SmugMug lets words be written." not in out


@pytest.mark.parametrize(
    ("granted", "said"),
    [("Read", "Raise the permission to Modify there"), ("Modify", "SmugMug lets words be written.")],
)
def test_connect_to_write_again_says_what_smugmug_granted_and_remembers_it(own_account, own_smugmug, granted, said):
    sync_all(own_account)
    token, secret = own_smugmug.grant("Full", granted)

    out, _ = run("connect_smugmug", "--modify", f"--token={token}", f"--token-secret={secret}")

    assert said in out
    assert Account.objects.get().granted_permissions == granted


def test_connect_without_leave_to_write_says_nothing_of_it(smugmug, ada):
    out, _ = run("connect_smugmug", *tokens_of(smugmug))

    assert out == "demo is connected. Next: python manage.py sync_smugmug demo\n"


def test_connect_with_a_wrong_code_connects_nothing(smugmug, ada, monkeypatch):
    out = StringIO()
    Typing(monkeypatch, out, change=lambda code: f"{(int(code) + 1) % 1_000_000:06d}")

    with pytest.raises(CommandError, match="SmugMug did not accept the code"):
        call_command("connect_smugmug", stdout=out)
    assert not Account.objects.exists()


def test_connect_without_anybody_at_the_terminal_connects_nothing(smugmug, ada, monkeypatch):
    monkeypatch.setattr("sys.stdin", StringIO(""))

    with pytest.raises(CommandError, match="No code was typed, so nothing was connected."):
        run("connect_smugmug")
    assert not Account.objects.exists()


# --- sync_smugmug


def test_sync_a_library_ends_with_0_and_a_summary(account, smugmug):
    out, status = run("sync_smugmug", "demo")

    photos, albums = smugmug.library.count_photos(), len(smugmug.library.albums)
    assert status == 0
    assert f"Full sync of demo succeeded: {photos} photos in {albums} albums, {photos} new, 0 changed, 0 removed" in out
    assert SyncRun.objects.get().state == RunState.SUCCEEDED
    assert Photo.objects.count() == photos


def test_sync_summary_of_one_of_each_is_in_the_singular(library_of_ada):
    row = SyncRunFactory(account=library_of_ada, photos_seen=1, done=1, albums_locked=1, requests_made=1)

    assert re.search(r": 1 photo in 1 album, .+, 1 album locked, 1 request in ", summary(row))


def test_sync_where_nobody_looks_on_draws_no_bar(account, smugmug, capfd):
    run("sync_smugmug", "demo")

    assert capfd.readouterr().err == ""


def test_sync_a_library_with_an_album_that_fails_ends_with_3_and_names_it(own_account, own_smugmug, faults):
    album = own_smugmug.library.albums[0]
    faults.reply(f"/album/{album.key}!images", html_reply(200, "?"))

    out, status = run("sync_smugmug", "demo")

    assert status == 3
    assert f"  {album.name}: SmugMug answered with something unreadable." in out
    assert SyncRun.objects.get().state == RunState.PARTIAL


def test_sync_a_library_that_is_refused_ends_with_1_and_says_why(own_account, own_smugmug):
    own_smugmug.revoke()

    out, status = run("sync_smugmug", "demo")

    assert status == 1
    assert "Full sync of demo failed" in out
    assert SmugMugRefused.advice in out
    assert SyncRun.objects.get().state == RunState.FAILED


def test_sync_a_library_whose_tokens_cannot_be_read_ends_with_1_and_says_what_to_do(account, lose_keys):
    lose_keys()

    out, status = run("sync_smugmug", "--all", "--incremental")

    assert status == 1
    assert TokensUnreadable.advice in out
    assert not Photo.objects.exists()


def test_sync_a_library_while_smugmug_is_away_pauses_ends_with_1_and_says_until_when(library_of_ada, slept):
    out, status = run("sync_smugmug", library_of_ada.nickname)

    assert status == 1
    assert "SmugMug does not answer. The sync goes on by itself at" in out
    assert "Traceback" not in out
    assert SyncRun.objects.get().state == RunState.PAUSED


def test_sync_a_library_without_a_key_ends_with_1_and_says_why(library_of_ada, settings):
    settings.SMUGMUG_API_SECRET = ""

    out, status = run("sync_smugmug", library_of_ada.nickname)

    assert status == 1
    assert "SMUGMUG_API_KEY and SMUGMUG_API_SECRET are not set" in out
    assert SyncRun.objects.get().state == RunState.FAILED


def test_sync_an_unknown_library_says_how_to_connect(library_of_ada):
    with pytest.raises(CommandError, match="There is no account 'nobody'. Connect it with: python manage.py"):
        run("sync_smugmug", "nobody")
    assert not SyncRun.objects.exists()


def test_sync_a_library_without_access_says_how_to_connect(db):
    AccountFactory(nickname="dunes", state=Account.State.REFUSED)

    with pytest.raises(CommandError, match="dunes is not connected. Connect it again"):
        run("sync_smugmug", "dunes")
    assert not SyncRun.objects.exists()


def test_sync_later_leaves_the_work_to_the_workers(account, smugmug, enqueued):
    before = len(smugmug.requests)

    out, status = run("sync_smugmug", "demo", "--enqueue")

    run_row = SyncRun.objects.get()
    assert (out, status) == (f"Enqueued: run {run_row.pk}.\n", 0)
    assert enqueued == [("sync_account", (str(run_row.pk),))]
    assert run_row.state == RunState.QUEUED
    assert len(smugmug.requests) == before


@pytest.mark.parametrize("options", [[], ["--enqueue"]])
def test_sync_while_one_is_under_way_says_so(library_of_ada, ada, enqueued, options):
    SyncRunFactory(account=library_of_ada, requested_by=ada)

    out, status = run("sync_smugmug", library_of_ada.nickname, *options)

    assert (out, status) == (f"A sync of {library_of_ada} is already under way, begun by ada.\n", 0)
    assert SyncRun.objects.count() == 1
    assert enqueued == []


def test_sync_in_several_slices_goes_on_to_the_end(account, smugmug, monkeypatch):
    carry_on, slices = sync.carry_on, []

    def short_first(run, **options):
        slices.append(run.state)
        return carry_on(run, **{**options, "seconds": 60 if len(slices) > 1 else 0})

    monkeypatch.setattr(sync, "carry_on", short_first)

    _, status = run("sync_smugmug", "demo")

    assert (status, slices) == (0, [RunState.QUEUED, RunState.QUEUED])
    assert SyncRun.objects.get().state == RunState.SUCCEEDED


def press_ctrl_c(*_, **__):
    """What Python makes of the signal; tests that run in the background of a shell do not get it."""
    raise KeyboardInterrupt


def test_sync_interrupted_at_the_keyboard_is_cancelled(account, monkeypatch):
    monkeypatch.setattr(sync.Reading, "work", press_ctrl_c)

    with pytest.raises(CommandError, match="Cancelled. What the sync had brought in stays."):
        run("sync_smugmug", "demo")
    assert SyncRun.objects.get().state == RunState.CANCELLED


def test_sync_interrupted_at_the_keyboard_writes_down_that_a_command_cancelled_it(account, monkeypatch):
    monkeypatch.setattr(sync, "carry_on", press_ctrl_c)

    with pytest.raises(CommandError):
        run("sync_smugmug", "demo")

    trail = AuditEntry.objects.order_by("pk").values_list("who", "action", "result")
    assert list(trail) == [("command", "full", "started"), ("command", "full", "cancelled")]


@pytest.mark.parametrize("kind", ["full", "incremental", "verify"])
def test_sync_of_a_kind_starts_that_kind_by_a_command(library_of_ada, enqueued, kind):
    run("sync_smugmug", library_of_ada.nickname, f"--{kind}", "--enqueue")

    [row] = SyncRun.objects.all()
    assert (row.kind, row.album_keys, row.requested_by) == (kind, [], None)
    assert AuditEntry.objects.get().who == "command"


def test_sync_of_an_album_starts_with_that_album(library_of_ada, enqueued):
    AlbumFactory(account=library_of_ada, album_key="AK1")

    run("sync_smugmug", library_of_ada.nickname, "--album", "AK1", "--enqueue")

    row = SyncRun.objects.get()
    assert (row.kind, row.album_keys) == ("albums", ["AK1"])


@pytest.mark.parametrize("key", ["AK1", "unknown", "\udcff", "\x00"])
def test_sync_of_an_album_that_is_not_there_starts_nothing(library_of_ada, enqueued, key):
    AlbumFactory(album_key="AK1")  # of somebody else's

    with pytest.raises(CommandError, match="has no album"):
        run("sync_smugmug", library_of_ada.nickname, "--album", key, "--enqueue")
    assert (SyncRun.objects.count(), enqueued) == (0, [])


def test_sync_all_does_every_connected_library_and_ends_with_the_worst_status(db, monkeypatch):
    ends = {"arches": "succeeded", "bridges": "failed", "canyons": "partial"}
    for nickname in ends:
        AccountFactory(nickname=nickname)
    AccountFactory(nickname="dunes", state=Account.State.DISCONNECTED)
    done = []

    def carry_on(row, **_):
        done.append(row.account.nickname)
        SyncRun.objects.filter(pk=row.pk).update(state=ends[row.account.nickname])
        row.refresh_from_db()
        return True

    monkeypatch.setattr(sync, "carry_on", carry_on)

    out, status = run("sync_smugmug", "--all", "--incremental")
    ends["bridges"] = "succeeded"
    _, better = run("sync_smugmug", "--all")
    ends["canyons"] = "succeeded"
    _, best = run("sync_smugmug", "--all")

    assert (status, better, best) == (1, 3, 0)
    assert done == ["arches", "bridges", "canyons"] * 3
    assert [line.split(":")[0] for line in out.splitlines()] == [
        "Sync of what changed of arches succeeded",
        "Sync of what changed of bridges failed",
        "Sync of what changed of canyons partly done",
    ]


def test_sync_all_while_one_is_under_way_says_whose_and_does_the_others(ada, enqueued):
    busy, free = AccountFactory(nickname="arches", owner=ada), AccountFactory(nickname="bridges")
    sync.start(busy, by=None, who=audit.SCHEDULE)

    out, status = run("sync_smugmug", "--all", "--enqueue")

    assert status == 0
    assert "A sync of arches is already under way, begun by the schedule." in out
    assert SyncRun.objects.filter(account=busy).count() == 1
    assert enqueued == [("sync_account", (str(SyncRun.objects.get(account=free).pk),))]


def test_sync_all_names_libraries_that_are_refused_and_ends_with_1(db, enqueued):
    AccountFactory(nickname="arches", state=Account.State.REFUSED)
    bridges = AccountFactory(nickname="bridges")
    err = StringIO()

    with pytest.raises(SystemExit) as end:
        call_command("sync_smugmug", "--all", "--enqueue", stdout=StringIO(), stderr=err)

    assert end.value.code == 1
    assert "arches is refused by SmugMug. Connect it again" in err.getvalue()
    assert [row.account for row in SyncRun.objects.all()] == [bridges]


def test_sync_all_without_any_library_says_how_to_connect(db):
    with pytest.raises(CommandError, match="There is no connected account. Connect one with"):
        run("sync_smugmug", "--all")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "Say which library: its nickname, or --all."),
        ([""], "Say which library: its nickname, or --all."),
        (["demo", "--all"], "Say which library: its nickname, or --all."),
        (["--all", "--album", "AK1"], "--album is about one library"),
        (["demo", "--full", "--verify"], "not allowed with argument"),
        (["demo", "--album", "AK1", "--incremental"], "not allowed with argument"),
        (["ada@example.org"], "'ada@example.org' is an e-mail address. The nickname is the first part of your address"),
        (["no\x00body"], "There is no account"),
        (["no\udcffbody"], "There is no account"),
    ],
)
def test_sync_of_nonsense_is_one_sentence_and_starts_nothing(library_of_ada, enqueued, options, sentence):
    with pytest.raises(CommandError, match=sentence) as refusal:
        run("sync_smugmug", *options, "--enqueue")

    assert refusal.value.returncode == 1
    assert "\n" not in str(refusal.value)
    assert (SyncRun.objects.count(), enqueued) == (0, [])
