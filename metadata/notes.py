"""What people of a library know and a model must take for true. Never the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from metadata.models import Note
from smugmug import audit
from smugmug.models import Account, Album

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class AlreadyChanged(Exception):
    """Somebody was faster; str() says who."""


def of(about: Account | Album) -> Note | None:
    """The note about a library, or about an album."""
    return _notes(about).first()


@transaction.atomic
def save(about: Account | Album, text: str, *, by: User, on_page: str) -> None:
    """Write the note, or take it away with an empty text; AlreadyChanged where `on_page` is no longer what stands."""
    who = audit.person(by)
    if not on_page:
        won = _made(about, text, who) if text else not _notes(about).exists()
    elif text:
        won = bool(_notes(about).filter(text=on_page).update(text=text, updated_by=who, updated_at=timezone.now()))
    else:
        won = bool(_notes(about).filter(text=on_page).delete()[0])
    if not won:
        faster = of(about)
        name = faster.updated_by.partition(":")[2] if faster else "Somebody"
        raise AlreadyChanged(f"{name} changed this note meanwhile. Yours was not saved; what stands now is above it.")


def _made(about: Account | Album, text: str, who: str) -> bool:
    """A first note; False where there is one already."""
    account, album = (about.account, about) if isinstance(about, Album) else (about, None)
    try:
        with transaction.atomic():
            Note.objects.create(account=account, album=album, text=text, updated_by=who)
    except IntegrityError:
        return False
    return True


def _notes(about: Account | Album) -> QuerySet[Note]:
    if isinstance(about, Album):
        return Note.objects.filter(album=about)
    return Note.objects.filter(account=about, album=None)
