import threading
import time
from email.utils import parsedate_to_datetime

import pytest
import requests

PATH = "/api/v2/user/demo"


def statuses(caller, number, path=PATH):
    return [caller.fetch(path).status_code for _call in range(number)]


def test_switch_nothing_on_spoils_nothing(fresh, calling):
    assert statuses(calling(fresh), 20) == [200] * 20
    assert not fresh.faults.given


def test_switch_too_many_on_spoils_every_nth_call(fresh, calling):
    fresh.faults.too_many = 3
    caller = calling(fresh)

    assert statuses(caller, 5) == [200, 200, 429, 200, 200]
    spoiled = caller.fetch(PATH)
    assert (spoiled.headers["Retry-After"], spoiled.headers["X-RateLimit-Remaining"]) == ("1", "0")
    assert spoiled.json()["Code"] == 429
    assert fresh.faults.given == {"too_many": 2}


def test_switch_empty_error_on_answers_without_a_body(fresh, calling):
    fresh.faults.empty_error = 2
    caller = calling(fresh)

    assert caller.fetch(PATH).status_code == 200
    spoiled = caller.fetch(PATH)

    assert (spoiled.status_code, spoiled.content) == (500, b"")
    assert spoiled.headers["Content-Type"].startswith("text/html")


def test_switch_drop_on_closes_the_connection_without_an_answer(fresh, calling):
    fresh.faults.drop = 2
    caller = calling(fresh)

    assert caller.fetch(PATH).status_code == 200
    with pytest.raises(requests.ConnectionError):
        caller.fetch(PATH)
    assert caller.fetch(PATH).status_code == 200
    assert fresh.faults.given == {"drop": 1}


def test_switch_page_not_found_on_spoils_what_matches(fresh, calling):
    fresh.faults.page_not_found = r"/album/\w+!images.*start=2"
    caller = calling(fresh)
    path = f"/api/v2/album/{fresh.library.albums[0].key}!images"

    spoiled = caller.fetch(f"{path}?start=2")

    assert spoiled.status_code == 404
    assert "<html" in spoiled.text
    assert caller.fetch(f"{path}?start=3").status_code == 200


def test_switch_several_on_spoils_each_in_its_turn(fresh, calling):
    fresh.faults.too_many, fresh.faults.empty_error = 2, 3

    assert statuses(calling(fresh), 8) == [200, 429, 500, 429, 200, 429, 200, 429]
    assert fresh.faults.given == {"too_many": 4, "empty_error": 1}


def test_switch_timeout_on_applies_the_write_all_the_same(fresh, editor):
    photo = fresh.library.albums[0].photos[0]
    path = f"/api/v2/image/{photo.key}-0"
    fresh.faults.timeout_but_applied = 2

    first = editor.send("PATCH", path, json={"Title": "one"})
    reads = statuses(editor, 3)
    second = editor.send("PATCH", path, json={"Title": "two"})

    assert (first.status_code, reads, second.status_code) == (200, [200] * 3, 504)
    assert second.headers["Content-Type"].startswith("text/html")
    assert photo.title == "two"


def test_switch_timeout_on_lets_a_write_that_is_refused_say_so(fresh, editor):
    fresh.faults.timeout_but_applied = 1

    refused = editor.send("PATCH", f"/api/v2/image/{fresh.library.albums[0].photos[0].key}-0", json={"title": "x"})

    assert refused.status_code == 400
    assert not fresh.faults.given


@pytest.mark.parametrize("fault", ["too_many", "empty_error"])
def test_spoil_a_write_changes_nothing(fresh, editor, fault):
    photo = fresh.library.albums[0].photos[0]
    setattr(fresh.faults, fault, 1)

    editor.send("PATCH", f"/api/v2/image/{photo.key}-0", json={"Title": "x"})

    assert photo.title != "x"


def test_switch_slow_on_takes_longer_for_more_objects(fresh, calling):
    caller = calling(fresh)
    path = f"/api/v2/album/{fresh.library.albums[0].key}!images"
    caller.fetch(path)
    fresh.faults.is_slow = True

    began = time.monotonic()
    caller.fetch(path, count=1)
    one = time.monotonic() - began
    began = time.monotonic()
    caller.fetch(path, count=8)
    eight = time.monotonic() - began

    assert 0.23 <= one < 0.4
    assert 0.44 <= eight < 0.64


def test_switch_faults_on_leaves_pictures_and_handshake_alone_unless_told(fresh):
    photo = fresh.library.albums[0].photos[0]
    url = f"{fresh.url}/photos/i-{photo.key}/0/x/Ti/x-Ti.jpg"
    fresh.faults.empty_error = 1

    alone = requests.get(url, timeout=10).status_code
    fresh.faults.on_pictures = True

    assert alone == 200
    assert requests.get(url, timeout=10).status_code == 500
    fresh.faults.too_many, fresh.faults.empty_error = 1, 0
    assert requests.get(url, timeout=10).status_code == 200
    assert requests.get(fresh.services_url, timeout=10).status_code == 200


def test_clear_switches_off_and_counts_anew(fresh, calling):
    caller = calling(fresh)
    fresh.faults.too_many = 2
    caller.fetch(PATH)
    given = fresh.faults.given

    fresh.faults.clear()

    assert statuses(caller, 3) == [200] * 3
    fresh.faults.too_many = 5
    assert statuses(caller, 2) == [200, 429]
    assert given is not fresh.faults.given


def test_spoil_calls_of_many_threads_spoils_the_right_number(fresh, calling):
    fresh.faults.too_many = 4
    found = []

    def work(caller):
        found.extend(statuses(caller, 10))

    threads = [threading.Thread(target=work, args=(calling(fresh),)) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (found.count(200), found.count(429)) == (60, 20)
    assert fresh.faults.given == {"too_many": 20}


def test_switch_largest_page_on_takes_longer_lists_for_used_nonces(fresh, calling):
    fresh.faults.largest_page = 3
    caller, path = calling(fresh), f"/api/v2/album/{fresh.library.albums[0].key}!images"

    spoiled = caller.fetch(path, count=4)

    assert (spoiled.status_code, spoiled.json()["Message"]) == (401, "oauth_problem=nonce_used")
    assert caller.fetch(path, count=3).status_code == 200
    assert fresh.faults.given == {"largest_page": 1}


def test_set_the_clock_ahead_moves_its_dates_and_refuses_our_timestamps(fresh, calling):
    caller = calling(fresh)
    honest = caller.fetch(PATH)
    fresh.faults.clock_ahead = 600

    refused = caller.fetch(PATH)

    assert (refused.status_code, refused.json()["Message"]) == (401, "oauth_problem=timestamp_refused")
    date, later = (parsedate_to_datetime(answer.headers["Date"]) for answer in (honest, refused))
    assert 600 <= (later - date).total_seconds() <= 610
    reset, after = (int(answer.headers["X-RateLimit-Reset"]) for answer in (honest, refused))
    assert reset == after
    fresh.faults.clock_ahead = 0
    assert caller.fetch(PATH).status_code == 200


def test_set_the_clock_a_little_ahead_takes_our_timestamps(fresh, calling):
    fresh.faults.clock_ahead = -250

    assert statuses(calling(fresh), 2) == [200, 200]
