"""Texts and vectors for a library as `many_photos` makes it: texts whose words are as frequent as in real ones, and
vectors that lie in clusters of few dimensions, as embeddings do."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from many_photos import ALBUM, ALBUMS, BIG_ALBUM, PHOTOS, STANDINGS
from numpy.typing import NDArray

MODEL = "text-embedding-3-small"
LENGTH = 1_536
# Words that stand in so much of the texts, five for each share.
SHARES = {
    0.001: "lighthouse falconry trombone glacier origami",
    0.01: "harbour wedding bicycle orchard carnival",
    0.1: "mountain river window flower market",
    0.5: "light people green summer view",
}
SYLLABLES = [
    "ba",
    "co",
    "di",
    "fu",
    "ge",
    "ha",
    "li",
    "mo",
    "na",
    "or",
    "pe",
    "qui",
    "ra",
    "so",
    "ta",
    "ul",
    "ve",
    "wi",
    "yo",
    "zan",
]
VOCABULARY = 12_000
WORDS_A_TEXT = 38
CLUSTERS, LATENT = 400, 48  # dimensions in which the clusters lie, and their members around them
SPREAD, NOISE = 0.55, 0.25  # of the members around their cluster, and in all other dimensions
BATCH = 5_000

WORDS = """
INSERT INTO ai_metadata (photo_id, account_id, sort_at, ai_title, ai_description, ai_alt_text, ai_tags, ai_categories,
    confidence_score, lane, doubts, processing_status, review_status, rejection_reason, approved_by, approved_at,
    version, describer, model, prompt, attempts, error, processed_at)
SELECT photo.id, photo.account_id, photo.date_taken AT TIME ZONE 'UTC', split_part(text, ' ', 1) || ' ' ||
    split_part(text, ' ', 2), text, '', ARRAY['tag' || n %% 20, 'one of ' || n %% 100], ARRAY['People'], 0.8,
    'glance', '{}', 'completed', CASE WHEN n %% 3 = 0 THEN 'approved' ELSE 'unreviewed' END, '',
    CASE WHEN n %% 3 = 0 THEN 'user:bench' ELSE '' END, CASE WHEN n %% 3 = 0 THEN now() END, 1, 'openai', 'paid-1',
    'Default 1', 0, '', now()
FROM smugmug_photos photo JOIN (SELECT * FROM bench_texts) given ON given.n = photo.perceptual_hash
WHERE account_id = %(account)s
"""


def fill(owner: Any, nickname: str, photos: int) -> Any:
    """A new account with that many photos and texts; no vectors, no ANALYZE."""
    from django.db import connection, transaction

    from smugmug.models import Account, Membership

    account = Account.objects.create(owner=owner, nickname=nickname, oauth_token="token", oauth_token_secret="secret")
    Membership.objects.create(user=owner, account=account, role=Membership.Role.OWNER)
    values = {"account": account.pk, "nickname": nickname, "photos": photos, "album": ALBUM, "big": BIG_ALBUM}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE bench_texts (n bigint, text text) ON COMMIT DROP")
        with cursor.copy("COPY bench_texts FROM STDIN") as copy:
            for row in enumerate(texts(photos)):
                copy.write_row(row)
        for statement in (ALBUMS, PHOTOS, STANDINGS, WORDS):
            cursor.execute(statement, values)
    return account


def texts(count: int) -> Iterator[str]:
    """Each a few sentences of made-up words, the n-th as frequent as 1/n (Zipf), and of those in SHARES."""
    rng = random.Random(1)
    vocabulary = ["".join(rng.choices(SYLLABLES, k=rng.randint(2, 4))) for _ in range(VOCABULARY)]
    weights = np.cumsum([1 / (rank + 30) for rank in range(VOCABULARY)]).tolist()
    named = [(word, share) for share, words in SHARES.items() for word in words.split()]
    for _ in range(count):
        words = rng.choices(vocabulary, cum_weights=weights, k=WORDS_A_TEXT)
        words += [word for word, share in named if rng.random() < share]
        rng.shuffle(words)
        yield f"{' '.join(words)}."


def vectors(count: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """Batches of unit vectors; other seeds give others of the same clusters."""
    fixed = np.random.default_rng(3)
    basis = fixed.standard_normal((LATENT, LENGTH)).astype(np.float32) / np.sqrt(LENGTH)
    centres = fixed.standard_normal((CLUSTERS, LATENT)).astype(np.float32)
    sizes = 1 / np.arange(1, CLUSTERS + 1) ** 0.7
    rng = np.random.default_rng(seed)
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        of = rng.choice(CLUSTERS, size=size, p=sizes / sizes.sum())
        latent = centres[of] + SPREAD * rng.standard_normal((size, LATENT)).astype(np.float32)
        noise = rng.standard_normal((size, LENGTH)).astype(np.float32) / np.sqrt(LENGTH)
        found = latent @ basis + NOISE * np.sqrt(LATENT) * noise
        yield found / np.linalg.norm(found, axis=1, keepdims=True)


def embed(account: Any) -> None:
    """Give each photo of the account its vector."""
    from django.db import connection

    from smugmug.models import Photo

    photos = list(Photo.objects.filter(account=account).order_by("perceptual_hash").values_list("pk", flat=True))
    model = MODEL.encode()
    head = struct.pack("!h", 3)
    with connection.cursor() as cursor, cursor.copy("COPY photo_embedding FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0))
        ids = iter(photos)
        for batch in vectors(len(photos), seed=4):
            for vector, pk in zip(batch, ids, strict=False):
                numbers = struct.pack("!hh", LENGTH, 0) + vector.astype(">f4").tobytes()
                parts = [struct.pack("!i", len(part)) + part for part in (pk.bytes, model, numbers)]
                copy.write(head + b"".join(parts))
        copy.write(struct.pack("!h", -1))
