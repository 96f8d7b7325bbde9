"""A stand-in SmugMug on loopback, for the demo and the tests. Built from what is known about the real one;
it imports nothing from the client, nor the client from it."""

from .demo import library
from .faults import Faults
from .holdings import Library
from .odd import odd_library
from .server import Sandbox

__all__ = ["Faults", "Library", "Sandbox", "library", "odd_library"]
