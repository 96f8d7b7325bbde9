"""The settings as the type checker sees them: nothing is connected to."""

import os

os.environ.setdefault("DATABASE_URL", "postgres:///none")
os.environ.setdefault("REDIS_URL", "unix:///none")
os.environ.setdefault("SECRET_KEY", "types")
os.environ.setdefault("FIELD_ENCRYPTION_KEYS", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")

from targetvision.settings import *  # noqa: E402, F403
