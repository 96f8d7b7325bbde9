"""Chromium for the browser tests: finds one, or installs one, and says which.

Playwright's own where it is or can be had, else the system's, else Debian's package. Looking comes first, because
Playwright's download host may be out of reach. Debian has the headless shell apart, which is what Playwright itself
runs its tests in: it starts sooner, and is less to load.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

SYSTEM_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
START_SECONDS = 20
DOWNLOAD_SECONDS = 120
PACKAGE_SECONDS = 600
PLAYWRIGHT = (sys.executable, "-m", "playwright", "install", "chromium")
PACKAGES = ("chromium-headless-shell", "chromium")
FONT = "fonts-dejavu-core"


def chromium_path() -> str | None:
    """The Chromium that the tests use; None where there is none that starts. Not for use while Playwright runs."""
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    found = [own if Path(own).exists() else None, *map(shutil.which, SYSTEM_NAMES)]
    return next((path for path in found if path and _starts(path)), None)


def install() -> str:
    """What was done, as a sentence; SystemExit with one where nothing worked."""
    path = chromium_path()
    if path:
        return f"Browser tests use {path}."
    if _run(PLAYWRIGHT, seconds=DOWNLOAD_SECONDS) and (path := chromium_path()):
        return f"Browser tests use {path}, which Playwright has just installed."
    if _install_package() and (path := chromium_path()):
        return f"Browser tests use {path}, which apt-get has just installed."
    raise SystemExit(
        "There is no Chromium for the browser tests: Playwright could not download its own, and apt-get could not "
        "install one. Install Chromium or Chrome so that it is found on PATH."
    )


def _starts(path: str) -> bool:
    """Whether it runs here at all: a stub of a package manager or one without its libraries does not."""
    return _run((path, "--version"), seconds=START_SECONDS)


def _install_package() -> bool:
    if not shutil.which("apt-get"):
        return False
    as_root = () if os.geteuid() == 0 else ("sudo", "-n")
    get = (*as_root, "apt-get")
    _run((*get, "update"), seconds=PACKAGE_SECONDS)  # an old list may still do
    install = (*get, "install", "-y", "--no-install-recommends", FONT)
    return any(_run((*install, package), seconds=PACKAGE_SECONDS) for package in PACKAGES)


def _run(command: tuple[str, ...], *, seconds: float) -> bool:
    """Whether the command ended well within the time; its children end with it."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    try:
        return process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False


if __name__ == "__main__":
    sys.stdout.write(f"{install()}\n")
