"""Where the embedded services keep their data and their sockets, and who may enter there.

Data lie in DATA_DIR. Sockets lie in a folder of their own, because the path of a socket may have 103 bytes
on macOS and 107 on Linux, and DATA_DIR may be anywhere. That folder follows from the user and DATA_DIR
alone, so that every process finds it whatever its environment. It is not in XDG_RUNTIME_DIR, which cron
does not have, and which is removed when its user logs out, also from under a server that stays.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

NAME = "targetvision"  # of the database and of its superuser
PORT = 5432  # only a part of the socket's name: nothing listens on TCP
SOCKETS = Path("/tmp")  # what is made there is refused unless it belongs to the right user
FULL_BYTES = 1_000_000
READY = "ready"  # what the guardian says to a holder; anything else is why it cannot be


class EmbeddedError(Exception):
    """The embedded services cannot be had; str() is one sentence for the person who starts the program."""


@dataclass(frozen=True)
class Places:
    """The paths that belong to one DATA_DIR (resolved, so that one folder never has two guardians)."""

    data_dir: Path

    @property
    def lock(self) -> Path:
        """Locked for as long as a guardian of this DATA_DIR lives."""
        return self.data_dir / "embedded.lock"

    @property
    def log(self) -> Path:
        """What the guardian and both services say."""
        return self.data_dir / "embedded.log"

    @property
    def postgres_data(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def valkey_data(self) -> Path:
        return self.data_dir / "valkey"

    @property
    def is_disk_full(self) -> bool:
        """Whether the disk of the data has no room even to say so in a log."""
        return shutil.disk_usage(self.data_dir).free < FULL_BYTES

    @property
    def run_dir(self) -> Path:
        """Private to the user who starts the program."""
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:8]
        return SOCKETS / f"tv-{os.geteuid()}-{digest}"

    @property
    def postgres_run_dir(self) -> Path:
        """The same folder; for root a second one, private to the ordinary user as which Postgres then runs.

        Below root's own it would need a way for others through that. Root may enter either.
        """
        return self.run_dir if os.geteuid() else self.run_dir.with_name(f"{self.run_dir.name}-pg")

    @property
    def guardian_socket(self) -> Path:
        return self.run_dir / "guardian.sock"

    @property
    def valkey_socket(self) -> Path:
        return self.run_dir / "valkey.sock"

    @property
    def database_url(self) -> str:
        """As django-environ spells a HOST that is a folder; libpq spells it differently."""
        return f"postgres://{NAME}@:{PORT}/{self.postgres_run_dir}/{NAME}"

    @property
    def redis_url(self) -> str:
        return f"unix://{self.valkey_socket}?db=0"


def make_private(folder: Path, *, owner: int | None = None) -> None:
    """Make the folder unless it is there, for `owner` (a uid, by default the caller's) alone.

    EmbeddedError where something else is in its place, or somebody else's: /tmp belongs to all.
    """
    me = os.geteuid()
    owner = me if owner is None else owner
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError:
        raise EmbeddedError(f"{folder} is in the way: it should be a folder; please remove it.") from None
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {me, owner}:
        raise EmbeddedError(f"{folder} belongs to another user, or is a link; please remove it.")
    if found.st_uid != owner:
        os.chown(folder, owner, -1)
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)
