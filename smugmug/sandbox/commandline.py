"""The command line of the stand-in, with and without Django."""

import argparse
import logging
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from .demo import library
from .faults import Faults
from .odd import odd_library
from .server import Sandbox

PORT = 8790
LOGGER = logging.getLogger(__package__)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="smugmug.sandbox", description="Run a stand-in SmugMug on this machine.")
    add_arguments(made)
    return made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=PORT, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--albums", type=_count, metavar="N", help="a made-up library of N albums instead")
    parser.add_argument("--photos", type=_count, metavar="M", help="with M photos in each (default: 100)")
    parser.add_argument("--odd", action="store_true", help="the demo library and everything clients trip over")
    parser.add_argument("--faults", default="", metavar="LIST", help="what goes wrong, like 429=7,500=11,drop=13")
    parser.add_argument("--slow", action="store_true", help="answer as slowly as SmugMug")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keep the tokens here between two runs")
    parser.add_argument("--verbose", action="store_true", help="one line for every request")


def serve(options: argparse.Namespace, *, say: Callable[[str], object]) -> None:
    """Serve until SIGTERM or SIGINT. Raises ValueError with a sentence if it cannot start."""
    sandbox = _sandbox(options)
    if options.verbose:
        _log_requests()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    with sandbox:
        for line in _introduction(sandbox):
            say(line)
        stop.wait()
    say("Stopped.")


def _sandbox(options: argparse.Namespace) -> Sandbox:
    faults = Faults.parse(options.faults, is_slow=options.slow)
    held = odd_library() if options.odd else library(options.albums, options.photos)
    try:
        return Sandbox(port=options.port, library=held, state=options.state, faults=faults)
    except OverflowError as exc:
        raise ValueError(f"There is no port {options.port}. Choose one from 1 to 65535 with --port.") from exc
    except OSError as exc:
        what, how = (exc.filename, "--state") if exc.filename else (f"Port {options.port}", "--port")
        raise ValueError(f"{what} cannot be used ({exc.strerror}). Choose another with {how}.") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise ValueError(f"{options.state} holds no tokens of a stand-in. Name another file.") from exc


def _introduction(sandbox: Sandbox) -> list[str]:
    library = sandbox.library
    return [
        f"A stand-in SmugMug answers at {sandbox.url}: {library.nickname}, "
        f"{len(library.albums)} albums, {library.count_photos()} photos.",
        "To use it instead of the real one:",
        f"  export SMUGMUG_API_URL={sandbox.url}",
        f"  export SMUGMUG_OAUTH_URL={sandbox.oauth_url}",
        f"  export SMUGMUG_API_KEY={sandbox.api_key}",
        f"  export SMUGMUG_API_SECRET={sandbox.api_secret}",
        f"What was granted is changed or revoked at {sandbox.services_url}",
        "Ctrl-C stops it.",
    ]


def _log_requests() -> None:
    LOGGER.setLevel(logging.DEBUG)
    LOGGER.addHandler(logging.StreamHandler())
    LOGGER.propagate = False


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
