"""Pictures come in crowds of fifty, and a page that is asked for meanwhile must not stand in their queue.

So only AT_ONCE of them are worked on at a time in each process, and ON_THE_WAY from the network; the others wait
without costing anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.http import HttpRequest
from django.http.response import HttpResponseBase

PICTURES = "/images/"
AT_ONCE = 1
ON_THE_WAY = 8  # a browser asks for six at a time

_gate = threading.BoundedSemaphore(AT_ONCE)
_network = threading.BoundedSemaphore(ON_THE_WAY)
_thread = threading.local()


class PictureGate:
    """Middleware, the outermost: lets AT_ONCE requests for pictures through."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(PICTURES):
            return self.get_response(request)
        with _gate:
            _thread.is_inside = True
            try:
                return self.get_response(request)
            finally:
                _thread.is_inside = False


@contextmanager
def outside() -> Iterator[None]:
    """Stand aside while the network is waited for, and come in again after it."""
    if not getattr(_thread, "is_inside", False):
        yield
        return
    _gate.release()
    try:
        with _network:
            yield
    finally:
        _gate.acquire()
