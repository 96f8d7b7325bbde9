"""The gate before pictures: how many are inside, and who is never kept waiting."""

from __future__ import annotations

import threading

import pytest
from django.http import HttpRequest, HttpResponse

from targetvision import gate
from targetvision.gate import AT_ONCE, ON_THE_WAY, PictureGate, outside

SOON = 0.2  # seconds in which whoever may come in has come in


class Crowd:
    """Requests that stay inside until they are let go, and how many there are."""

    def __init__(self, path: str, number: int, *, on_the_way: bool = False) -> None:
        self.inside, self.most, self.go = 0, threading.Semaphore(0), threading.Event()
        self.on_the_way = on_the_way
        self.request = HttpRequest()
        self.request.path_info = path
        self.threads = [threading.Thread(target=PictureGate(self.answer), args=(self.request,)) for _ in range(number)]

    def answer(self, request: HttpRequest) -> HttpResponse:
        if self.on_the_way:
            with outside():
                return self.stay()
        return self.stay()

    def stay(self) -> HttpResponse:
        self.most.release()
        self.go.wait(10)
        return HttpResponse()

    def came_in(self) -> int:
        """How many came in while nobody was let go."""
        for thread in self.threads:
            thread.start()
        number = 0
        while self.most.acquire(timeout=SOON):
            number += 1
        return number

    def leave(self) -> None:
        self.go.set()
        for thread in self.threads:
            thread.join(10)


@pytest.mark.parametrize(
    ("path", "on_the_way", "expected"),
    [("/images/x", False, AT_ONCE), ("/images/x", True, ON_THE_WAY), ("/albums/", False, 20)],
)
def test_gate_lets_in_as_many_as_it_says(path: str, on_the_way: bool, expected: int) -> None:
    crowd = Crowd(path, 20, on_the_way=on_the_way)

    number = crowd.came_in()
    crowd.leave()

    assert number == expected
    assert not any(thread.is_alive() for thread in crowd.threads)


def test_gate_after_an_error_is_open_again() -> None:
    def fail(request: HttpRequest) -> HttpResponse:
        with outside():
            raise LookupError

    request = HttpRequest()
    request.path_info = "/images/x"
    for _ in range(2 * ON_THE_WAY):
        with pytest.raises(LookupError):
            PictureGate(fail)(request)

    assert gate._gate._value == AT_ONCE
    assert gate._network._value == ON_THE_WAY
