"""A library of as many described photos as a bench wants, made by the database itself in a few statements.

Albums of 500 and one of 5,000; nine of ten photos wait for review; every seventh begins a burst of three.
"""

from __future__ import annotations

from typing import Any

ALBUM = 500  # photos
BIG_ALBUM = 5_000
WAITING = 9  # of ten

ALBUMS = """
INSERT INTO smugmug_albums (account_id, user_id, album_key, album_id, title, description, image_count, url_path,
    web_url, privacy, security_type, is_locked, never_send, images_last_updated, synced_at)
SELECT %(account)s, %(nickname)s, %(nickname)s || 'A' || n, '', 'Album ' || n, '',
    CASE WHEN n = 0 THEN %(big)s ELSE %(album)s END, '', '', '', '', false, false,
    now() - n * interval '1 day', now()
FROM generate_series(0, greatest(%(photos)s - %(big)s, 0) / %(album)s) n
"""
# Photo n stands in album 0 as long as that is not full, then in albums of 500.
PHOTOS = """
INSERT INTO smugmug_photos (account_id, album_id, image_key, image_id, filename, title, caption, keywords, date_taken,
    image_url, thumbnail_url, large_url, original_url, width, height, size_bytes, format, is_video, is_hidden,
    archived_md5, exif, is_fresh, uploaded_at, synced_at, perceptual_hash)
SELECT %(account)s, album.id, %(nickname)s || n, %(nickname)s || n || '-0', 'IMG_' || n || '.JPG', '',
    CASE WHEN n %% 8 = 0 THEN 'The caption that somebody gave picture ' || n ELSE '' END, ARRAY['one', 'two'],
    timestamp '2016-01-01' + (n / 3) * interval '40 minutes' + (n %% 3) * interval '2 seconds',
    'https://photos.example/' || n, 'https://photos.example/t/' || n, 'https://photos.example/l/' || n, '',
    6000, 4000, 12345678, 'JPG', false, false, md5(n::text),
    '{"camera": "Canon EOS R5", "lens": "RF 24-105 mm F4", "exposure": "1/250", "iso": 400, "city": "Lisbon"}', false,
    now(), now(), n
FROM generate_series(0, %(photos)s - 1) n
JOIN smugmug_albums album ON album.album_key =
    %(nickname)s || 'A' || CASE WHEN n < %(big)s THEN 0 ELSE 1 + (n - %(big)s) / %(album)s END
"""
STANDINGS = """
INSERT INTO smugmug_album_photos (album_id, photo_id, position, origin)
SELECT album_id, id, row_number() OVER (PARTITION BY album_id ORDER BY date_taken, image_key), 'Album'
FROM smugmug_photos WHERE account_id = %(account)s
"""
# Confidence and lane go together, as they do; models say 0.9 rather than 0.8971.
WORDS = """
INSERT INTO ai_metadata (photo_id, account_id, sort_at, ai_title, ai_description, ai_alt_text, ai_tags, ai_categories,
    confidence_score, lane, doubts, processing_status, review_status, rejection_reason, approved_by, approved_at,
    version, describer, model, prompt, attempts, error, processed_at)
SELECT photo.id, photo.account_id, photo.date_taken AT TIME ZONE 'UTC', 'Title of ' || filename,
    'Picture ' || filename || ' shows ' || repeat('a quiet street in warm light, with people who walk by. ', 6),
    'A street in warm light', ARRAY['street', 'tag' || n %% 50, 'tag' || n %% 700, 'warm light', 'people'],
    ARRAY['People', 'Buildings & places'], sure,
    CASE WHEN sure < 0.5 THEN 'look' WHEN sure < 0.75 THEN 'read' ELSE 'glance' END, '{}', 'completed',
    CASE WHEN decided AND n %% 5 > 0 THEN 'approved' WHEN decided THEN 'rejected' ELSE 'unreviewed' END,
    CASE WHEN decided AND n %% 5 = 0 THEN 'Other' ELSE '' END,
    CASE WHEN decided AND n %% 5 > 0 THEN 'user:bench' ELSE '' END,
    CASE WHEN decided AND n %% 5 > 0 THEN now() END, 1, 'openai', 'paid-1', 'Default 1', 0, '', now()
FROM (
    SELECT photo.*, perceptual_hash AS n, hashint8(perceptual_hash) %% 10 = 0 AS decided,
        round((1 - power(random(), 3) * 0.8)::numeric * 20) / 20 AS sure
    FROM smugmug_photos photo WHERE account_id = %(account)s
) photo
"""
# Of 21 photos in a row three are a burst.
STACKS = """
UPDATE ai_metadata frame SET stack = first.id
FROM smugmug_photos photo, smugmug_photos first_photo, ai_metadata first
WHERE photo.id = frame.photo_id AND photo.account_id = %(account)s AND photo.perceptual_hash %% 21 < 3
    AND first_photo.image_key = %(nickname)s || (photo.perceptual_hash - photo.perceptual_hash %% 21)
    AND first.photo_id = first_photo.id
"""
STEPS = """
INSERT INTO metadata_history (metadata_id, version, source, previous_title, new_title, previous_description,
    new_description, previous_alt_text, new_alt_text, previous_tags, new_tags, previous_categories, new_categories,
    previous_review_status, new_review_status, changed_by, change_reason)
SELECT id, 1, 'ai', '', ai_title, '', ai_description, '', ai_alt_text, '{}', ai_tags, '{}', ai_categories, '',
    'unreviewed', 'ai:paid-1', ''
FROM ai_metadata WHERE account_id = %(account)s
"""


def fill(owner: Any, nickname: str, photos: int) -> Any:
    """A new account of the person with that many photos; ANALYZE included."""
    from django.db import connection, transaction

    from smugmug.models import Account, Membership

    account = Account.objects.create(owner=owner, nickname=nickname, oauth_token="token", oauth_token_secret="secret")
    Membership.objects.create(user=owner, account=account, role=Membership.Role.OWNER)
    values = {"account": account.pk, "nickname": nickname, "photos": photos, "album": ALBUM, "big": BIG_ALBUM}
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in (ALBUMS, PHOTOS, STANDINGS, WORDS, STACKS, STEPS):
            cursor.execute(statement, values)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return account
