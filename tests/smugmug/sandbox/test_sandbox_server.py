import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests
from django.core.management import CommandError

from smugmug.management.commands.smugmug_sandbox import Command
from smugmug.sandbox import Faults, Sandbox, library
from smugmug.sandbox.commandline import _sandbox, parser, serve

ROOT = Path(__file__).parents[3]


def test_start_takes_less_than_a_second():
    began = time.monotonic()
    with Sandbox():
        took = time.monotonic() - began

    assert took < 1


def test_stop_closes_kept_alive_connections():
    with Sandbox() as sandbox, requests.Session() as session:
        session.get(f"{sandbox.url}/photos/", timeout=10)
        sandbox.stop()
        with pytest.raises(requests.ConnectionError):
            session.get(f"{sandbox.url}/photos/", timeout=10)


def test_record_requests_keeps_api_calls_and_pictures_apart(fresh, calling):
    before = time.time()
    calling(fresh, None).read("/api/v2/user/demo")
    photo = fresh.library.albums[0].photos[0]
    requests.get(f"{fresh.url}/photos/i-{photo.key}/0/x/Ti/x-Ti.jpg", timeout=10)

    [request] = fresh.requests
    assert (request.method, request.path) == ("GET", "/api/v2/user/demo?APIKey=sandbox-key")
    assert before <= request.time <= time.time()
    assert [download.method for download in fresh.downloads] == ["GET"]


def test_serve_many_at_once_answers_all(fresh, calling):
    callers = [calling(fresh) for _number in range(8)]
    album = fresh.library.albums[0]
    found = []

    def work(caller):
        for _round in range(5):
            images = caller.read(f"/api/v2/album/{album.key}!images")
            found.append(len(images))
            requests.get(images[0]["ThumbnailUrl"], timeout=10).raise_for_status()

    threads = [threading.Thread(target=work, args=(caller,)) for caller in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [len(album.photos)] * 40
    remaining = calling(fresh).fetch("/api/v2!authuser").headers["X-RateLimit-Remaining"]
    assert remaining == str(100_000 - 41)


def test_build_library_of_a_size_is_quick_and_finds_its_photos(calling):
    began = time.monotonic()
    big = library(albums=500, photos=200)
    with Sandbox(library=big) as sandbox:
        took = time.monotonic() - began
        photo = big.albums[499].photos[-1]
        image = calling(sandbox).read(f"/api/v2/image/{photo.key}-0")
        picture = requests.get(image["ThumbnailUrl"], timeout=10)

    assert took < 1
    assert big.count_photos() == 100_000
    assert image["Title"] == photo.title
    assert image["Uris"]["ImageAlbum"]["Uri"] == f"/api/v2/album/{big.albums[499].key}"
    assert picture.status_code == 200
    assert big.home("Lzzzzzz") is None
    assert big.home("nope") is None


def test_run_command_serves_until_it_is_told_to_stop():
    process = subprocess.Popen(
        [sys.executable, "-m", "smugmug.sandbox", "--port=0", "--albums=2", "--photos=3", "--verbose"],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out = "".join(process.stdout.readline() for _line in range(8))
    url = re.search(r"http://127\.0\.0\.1:\d+", out)[0]
    page = requests.get(f"{url}/secret?token=x", timeout=10)
    process.send_signal(signal.SIGTERM)
    rest, err = process.communicate(timeout=10)

    assert "2 albums, 6 photos" in out
    assert page.status_code == 404
    assert process.returncode == 0
    for line in (
        f"SMUGMUG_API_URL={url}",
        f"SMUGMUG_OAUTH_URL={url}/services/oauth/1.0a",
        "SMUGMUG_API_KEY=sandbox-key",
        "SMUGMUG_API_SECRET=sandbox-secret",
    ):
        assert f"  export {line}\n" in out
    assert rest == "Stopped.\n"
    assert err == "GET /secret\n"
    assert "/settings/authorized-services" in out


def test_run_command_stops_serving_when_the_signal_comes(monkeypatch):
    handlers, lines = {}, []
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)

    def say(line):
        lines.append(line)
        handlers[signal.SIGINT](signal.SIGINT, None)

    serve(parser().parse_args(["--port", "0"]), say=say)

    assert set(handlers) == {signal.SIGINT, signal.SIGTERM}
    assert lines[-1] == "Stopped."
    with pytest.raises(requests.ConnectionError):
        requests.get(re.search(r"http://[\d.]+:\d+", lines[0])[0], timeout=10)


def test_run_manage_command_on_a_taken_port_is_a_command_error():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = {"port": taken.getsockname()[1], "albums": None, "photos": None, "state": None}
        options |= {"odd": False, "faults": "", "slow": False}
        with pytest.raises(CommandError, match="cannot be used"):
            Command().handle(**options, verbose=False)


def test_run_command_with_a_state_that_cannot_be_read_names_it(tmp_path):
    with pytest.raises(ValueError, match=f"{tmp_path} cannot be used .* --state"):
        serve(parser().parse_args(["--port", "0", "--state", str(tmp_path)]), say=print)


def test_post_too_much_is_refused_and_the_connection_closed(sandbox):
    answer = requests.post(f"{sandbox.url}/api/v2!authuser", headers={"Content-Length": "9999999"}, timeout=10)

    assert answer.status_code == 413
    assert answer.headers["Connection"] == "close"


def test_fetch_head_of_a_picture_sends_no_bytes(sandbox):
    photo = sandbox.library.albums[0].photos[0]

    answer = requests.head(f"{sandbox.url}/photos/i-{photo.key}/0/x/D/x-D.jpg", timeout=10)

    assert int(answer.headers["Content-Length"]) > 10_000
    assert answer.content == b""


def test_run_command_on_a_taken_port_says_so_in_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"Port {port} cannot be used .* --port"):
            serve(parser().parse_args(["--port", str(port)]), say=print)


def test_run_command_on_an_impossible_port_says_so_in_a_sentence():
    with pytest.raises(ValueError, match="There is no port 99999"):
        serve(parser().parse_args(["--port", "99999"]), say=print)


def test_run_command_with_a_broken_state_names_the_file(tmp_path):
    state = tmp_path / "notes.txt"
    state.write_text("hello")

    with pytest.raises(ValueError, match=r"notes\.txt holds no tokens"):
        serve(parser().parse_args(["--port", "0", "--state", str(state)]), say=print)

    assert state.read_text() == "hello"


@pytest.mark.parametrize("number", ["0", "-3", "x"])
def test_parse_command_with_an_impossible_count_is_refused(number, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["--albums", number])

    assert "--albums" in capsys.readouterr().err


def test_serve_a_caller_that_goes_away_says_nothing_and_goes_on(fresh, capfd):
    served = threading.active_count()
    for _ in range(3):
        caller = socket.create_connection(("127.0.0.1", int(fresh.url.rpartition(":")[2])))
        caller.sendall(b"GET /api/v2!authuser HTTP/1.1\r\nHost: x\r\n")
        # Closed with this, a connection is reset, as that of a killed process is.
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        caller.close()

    assert requests.get(f"{fresh.url}/api/v2!authuser", timeout=5).status_code == 401  # not signed
    while threading.active_count() > served:
        time.sleep(0.01)
    assert "Traceback" not in capfd.readouterr().err


def test_run_command_with_odd_and_faults_serves_both(monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda _number, _handler: None)
    options = parser().parse_args(["--port=0", "--odd", "--faults", "429=7,500=11,drop=13,504=3,404=/a.b", "--slow"])

    sandbox = _sandbox(options)
    sandbox.stop()

    assert len(sandbox.library.albums) == 11
    assert sandbox.faults == Faults(
        page_not_found=r"/a\.b", drop=13, too_many=7, empty_error=11, timeout_but_applied=3, is_slow=True
    )


def test_run_command_without_faults_has_none():
    sandbox = _sandbox(parser().parse_args(["--port=0"]))
    sandbox.stop()

    assert sandbox.faults == Faults()
    assert len(sandbox.library.albums) == 6


@pytest.mark.parametrize("text", ["429", "429=x", "429=0", "418=3", "drop=", "404="])
def test_run_command_with_an_unknown_fault_names_it(text):
    with pytest.raises(ValueError, match=f"{text} is no fault"):
        serve(parser().parse_args(["--port=0", "--faults", text]), say=print)
