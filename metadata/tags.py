"""Tags to complete a beginning from: those that the prompt allows, then those that the library has."""

from __future__ import annotations

from django.core.cache import cache
from django.db import connection

from metadata import lanes
from smugmug.models import Account

MOST = 20
KEPT_SECONDS = 600
KEPT = 20_000  # different tags of a library, the most frequent ones
LOOKED_AT = 20_000  # photos, the newest: a page waits for no count over all of a large library

# The AI's and people's words, and SmugMug's keywords; one spelling of each, the most frequent.
OWN = """
WITH newest AS MATERIALIZED (
    SELECT w.ai_tags || p.keywords AS tags
    FROM ai_metadata w JOIN smugmug_photos p ON p.id = w.photo_id
    WHERE w.account_id = %s ORDER BY w.sort_at DESC, w.id DESC LIMIT %s
), spelt AS (
    SELECT lower(tag) AS name, tag, count(*) AS times FROM newest, unnest(tags) AS tag GROUP BY tag
)
SELECT (array_agg(tag ORDER BY times DESC, tag))[1] FROM spelt
GROUP BY name ORDER BY sum(times) DESC, name LIMIT %s
"""


def complete(account: Account, beginning: str) -> list[str]:
    """At most MOST tags that begin so, those that the prompt in force allows first; the library's may be minutes old.

    Behind them those in which a later word begins so.
    """
    sought = " ".join(beginning.split()).casefold()
    found: dict[str, str] = {}
    for tag in (*lanes.vocabulary_of(account.pk), *own(account)):
        found.setdefault(tag.casefold(), tag)
    first = [tag for name, tag in found.items() if name.startswith(sought)]
    later = [tag for name, tag in found.items() if f" {sought}" in name] if sought else []
    return list(dict.fromkeys([*first, *later]))[:MOST]


def own(account: Account) -> list[str]:
    """The tags and keywords of the library's newest photos, the most frequent first; kept for some minutes."""
    found = cache.get_or_set(f"library-tags:{account.pk}", lambda: _own(account), KEPT_SECONDS)
    return list(found or [])


def _own(account: Account) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(OWN, [account.pk, LOOKED_AT, KEPT])
        return [tag for (tag,) in cursor.fetchall()]
