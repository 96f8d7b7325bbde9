"""How long a newcomer waits: from `make demo` on a fresh clone to the first page with described photos, by step.

Baseline: `pip install` of the same requirements into a bare environment, without which nothing can be faster. Both
with an empty package cache, in one run. Prints the ratio of the two, and what a second start takes.
"""

from __future__ import annotations

import http.cookiejar
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "a folder" / "TargetVision"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        base = timed("pip install alone", lambda: install_alone(Path(folder), clone))
        first = timed("make demo ONCE=1, the first time", lambda: once(Path(folder), clone))
        timed("make demo ONCE=1, again", lambda: once(Path(folder), clone))
        timed("make demo, to the first page with described photos", lambda: first_page(Path(folder), clone))
        print(f"first start ÷ pip install alone: {first / base:.2f}")


def timed(name: str, step: object) -> float:
    started = time.monotonic()
    step()  # type: ignore[operator]
    seconds = time.monotonic() - started
    print(f"{seconds:7.1f} s  {name}", flush=True)
    return seconds


def environment(folder: Path, cache: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"} or "PIP" in name}
    return {**kept, "PIP_CACHE_DIR": str(folder / cache), "PORT": str(free_port())}


def install_alone(folder: Path, clone: Path) -> None:
    bare = folder / "bare"
    subprocess.run([sys.executable, "-m", "venv", str(bare)], check=True)
    command = [str(bare / "bin" / "pip"), "install", "--quiet", "-r", str(clone / "requirements.txt")]
    subprocess.run(command, check=True, env=environment(folder, "cache-bare"), stderr=subprocess.DEVNULL)


def once(folder: Path, clone: Path) -> None:
    done = subprocess.run(
        ["make", "demo", "ONCE=1", f"PYTHON={sys.executable}"],
        cwd=clone,
        env=environment(folder, "cache"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    for line in re.findall(r"^(?:Albums|Photos|Described|Skipped|Failed|Seconds) .*$", done.stdout, flags=re.MULTILINE):
        print(f"           {line}")


def first_page(folder: Path, clone: Path) -> None:
    """Sign in and open the review page, as soon as the demo says where to look."""
    demo = subprocess.Popen(
        ["make", "demo"], cwd=clone, env=environment(folder, "cache"), stdout=subprocess.PIPE, text=True
    )
    try:
        assert demo.stdout is not None
        where = next(
            match for line in demo.stdout if (match := re.search(r"(http://\S+)  as  (\S+)  with  (\S+)", line))
        )
        page = review_page(*where.groups())
        assert "confidence" in page, "the review page shows no described photo"
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.wait(timeout=30)


def review_page(site: str, name: str, password: str) -> str:
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    form = browser.open(f"{site}/sign-in/").read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    assert token is not None
    fields = {"csrfmiddlewaretoken": token[1], "username": name, "password": password}
    browser.open(f"{site}/sign-in/", urllib.parse.urlencode(fields).encode()).read()
    text: str = browser.open(f"{site}/review/").read().decode()
    return text


def free_port() -> int:
    """A port with a free one above it: the stand-in takes that."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


if __name__ == "__main__":
    main()
