"""The ordinary user as whom Postgres runs where root starts the program: it refuses to run as root."""

from __future__ import annotations

import logging
import os
import pwd
import stat
import subprocess
from pathlib import Path

from targetvision.embedded.places import EmbeddedError
from targetvision.embedded.processes import Account

USER = "embedded_postgres"

logger = logging.getLogger(__name__)


def for_postgres(data: Path) -> Account:
    """The owner of the data, where that is an ordinary user, who so keeps them; else a user made for this."""
    owner = data.stat().st_uid if data.exists() else 0
    try:
        user = pwd.getpwuid(owner) if owner else pwd.getpwnam(USER)
    except KeyError:
        if owner:
            return Account(owner, owner)  # a number without a name, as on a mounted volume
        user = _make_user()
    return Account(user.pw_uid, user.pw_gid)


def _make_user() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER]
    try:
        subprocess.run(command, check=True)
        return pwd.getpwnam(USER)
    except (OSError, subprocess.CalledProcessError, KeyError) as exc:
        raise EmbeddedError(
            f"Postgres does not run as root, and the user {USER} could not be made: "
            "start the program as an ordinary user, or set DATABASE_URL."
        ) from exc


def open_way(user: Account, *paths: Path) -> None:
    """Let the user pass through the folders above each path, and through the path itself where it is one.

    Only the right to pass is added (o+x), never the right to read, and only where it is missing.
    """
    for path in paths:
        for folder in [*reversed(path.parents), *([path] if path.is_dir() else [])]:
            found = folder.stat()
            if not _may_pass(user, found):
                folder.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXOTH)
                logger.warning("all users may now pass through %s, because root started this", folder)
        _check_way(user, path)


def _may_pass(user: Account, folder: os.stat_result) -> bool:
    if folder.st_uid == user.uid:
        return bool(folder.st_mode & stat.S_IXUSR)
    if folder.st_gid == user.gid:
        return bool(folder.st_mode & stat.S_IXGRP)
    return bool(folder.st_mode & stat.S_IXOTH)


def _check_way(user: Account, path: Path) -> None:
    """Ask the kernel as that user: mounts and access lists have a say too."""
    test = ["test", "-x", str(path)]
    reached = subprocess.run(test, cwd="/", user=user.uid, group=user.gid, extra_groups=[], check=False)
    if reached.returncode != 0:
        raise EmbeddedError(
            f"Postgres does not run as root, and the user as whom it runs cannot reach {path}: "
            "start the program as an ordinary user, or set DATABASE_URL."
        )
