"""Words → vectors: which have none yet, what their text is, and where vectors go. Nothing here talks to the network."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from uuid import UUID

from django.db import connection, models, transaction

from metadata import prompts
from metadata.describe import Vectors
from metadata.models import AIMetadata, PhotoEmbedding, ProcessingRun
from smugmug.models import Account, Photo

# (photo, version of its words, text)
Text = tuple[UUID, int, str]
LOCKS = 0x7456  # our class of Postgres's advisory locks


def missing(account: Account, *, sends: bool) -> list[UUID]:
    """The photos of the account that have words and no vector: a worker died, or the queue lost an edit.

    `sends` says that texts leave this machine: those that must not are not among them.
    """
    rows = AIMetadata.objects.filter(photo__in=_photos(account, sends=sends)).without_vector().order_by("pk")
    return list(rows.values_list("photo_id", flat=True))


def texts_of(account: Account, photos: Sequence[UUID], *, sends: bool) -> list[Text]:
    """What is to be embedded of those photos that have words, and may be sent where texts leave this machine."""
    rows = AIMetadata.objects.filter(
        photo__in=_photos(account, sends=sends).filter(pk__in=photos),
        processing_status=AIMetadata.Processing.COMPLETED,
    )
    texts = [(row.photo_id, row.version, row.text_to_embed) for row in rows.order_by("pk")]
    return [text for text in texts if text[2].strip()]


def _photos(account: Account, *, sends: bool) -> models.QuerySet[Photo]:
    photos = Photo.objects.filter(account=account)
    return photos.filter(prompts.sendable(account)) if sends else photos


@transaction.atomic
def save(texts: Sequence[Text], answer: Vectors) -> None:
    """One vector for each text, unless its words have changed since they were read."""
    versions = dict(
        AIMetadata.objects.select_for_update()
        .filter(photo__in=[photo for photo, _, _ in texts])
        .order_by("pk")
        .values_list("photo", "version")
    )
    PhotoEmbedding.objects.bulk_create(
        [
            PhotoEmbedding(photo_id=photo, model=answer.model, embedding=vector)
            for (photo, version, _), vector in zip(texts, answer.vectors, strict=True)
            if versions.get(photo) == version
        ],
        update_conflicts=True,
        unique_fields=["photo"],
        update_fields=["model", "embedding"],
    )


@contextlib.contextmanager
def alone(run: ProcessingRun) -> Iterator[bool]:
    """Whether we are the one who embeds what is left of the run and closes it.

    A lock of the database session, not of a transaction: the network is used under it, and it ends with its process.
    """
    key = [LOCKS, run.pk.int & 0x7FFFFFFF]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        is_ours = bool(cursor.fetchone()[0])
    try:
        yield is_ours
    finally:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)
