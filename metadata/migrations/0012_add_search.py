import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
from django.contrib.postgres.operations import UnaccentExtension
from django.db import migrations, models

# English stems and stop words; accents make no difference in any language.
LANGUAGE = """
CREATE TEXT SEARCH CONFIGURATION targetvision (COPY = english);
ALTER TEXT SEARCH CONFIGURATION targetvision ALTER MAPPING FOR word, hword, hword_part WITH unaccent, english_stem;
ALTER TEXT SEARCH CONFIGURATION targetvision ALTER MAPPING FOR numword, numhword WITH unaccent, simple;
"""
NO_LANGUAGE = "DROP TEXT SEARCH CONFIGURATION targetvision"

# Only letters and digits are left, so that Postgres finds words in file names and in black/white as a person does.
# 20,000 characters of each text are searched: a document must not outgrow a megabyte.
PLAIN = """
CREATE FUNCTION photo_search_plain(words text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(normalize(left(coalesce(words, ''), 20000), NFC), '[^[:alnum:]]+', ' ', 'g')
$$;
CREATE FUNCTION photo_search_tag(tag text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT '#' || left(lower(unaccent(btrim(regexp_replace(normalize(tag, NFC), '[[:space:]"“”„«»]+', ' ', 'g')))), 100)
$$;
CREATE FUNCTION photo_search_term(words text, is_beginning boolean) RETURNS tsquery LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN is_beginning AND numnode(query) > 0 THEN (query::text || ':*')::tsquery ELSE query END
    FROM phraseto_tsquery('targetvision', photo_search_plain(words)) query
$$;
CREATE FUNCTION photo_search_all(words text[]) RETURNS tsquery LANGUAGE sql STABLE AS $$
    SELECT string_agg(query::text, ' & ')::tsquery
    FROM unnest(words) WITH ORDINALITY given (word, place), photo_search_term(word, place = cardinality(words)) query
    WHERE numnode(query) > 0
$$;
CREATE FUNCTION photo_search_holds(query tsquery, words text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT to_tsvector('targetvision', photo_search_plain(words)) @@ query
$$;
"""
NO_PLAIN = """
DROP FUNCTION photo_search_holds(tsquery, text);
DROP FUNCTION photo_search_all(text[]);
DROP FUNCTION photo_search_term(text, boolean);
DROP FUNCTION photo_search_tag(text);
DROP FUNCTION photo_search_plain(text);
"""

# What photo_search should hold for these photos. A tag is found as a whole too, as a lexeme that begins with "#".
MADE = """
CREATE FUNCTION photo_search_of(photos uuid[])
RETURNS TABLE (photo_id uuid, account_id bigint, is_present boolean, document tsvector) LANGUAGE sql STABLE AS $$
    SELECT photo.id, photo.account_id, photo.removed_at IS NULL,
        setweight(to_tsvector('targetvision', photo_search_plain(concat_ws(' . ', words.ai_title, photo.title,
            array_to_string(tags.all_of_them, ' . ')))), 'A')
        || setweight(to_tsvector('targetvision', photo_search_plain(
            concat_ws(' . ', words.ai_description, photo.caption))), 'B')
        || setweight(to_tsvector('targetvision', photo_search_plain(
            concat_ws(' . ', words.ai_alt_text, array_to_string(words.ai_categories, ' . ')))), 'C')
        || setweight(to_tsvector('targetvision', photo_search_plain(concat_ws(' . ', photo.filename, album.titles))), 'D')
        || array_to_tsvector(ARRAY(SELECT DISTINCT photo_search_tag(tag) FROM unnest(tags.all_of_them) tag
            WHERE btrim(tag) <> ''))
    FROM smugmug_photos photo
    LEFT JOIN ai_metadata words ON words.photo_id = photo.id
    CROSS JOIN LATERAL (SELECT (words.ai_tags[1:200] || photo.keywords[1:200])) tags (all_of_them)
    CROSS JOIN LATERAL (
        SELECT string_agg((SELECT title FROM smugmug_albums album
            WHERE album.id = stands.id AND album.removed_at IS NULL AND album.account_id = photo.account_id
        ), ' . ' ORDER BY stands.id)
        FROM (SELECT photo.album_id UNION SELECT album_id FROM smugmug_album_photos WHERE photo_id = photo.id) stands (id)
    ) album (titles)
    WHERE photo.id = ANY (photos)
$$;
-- The lock first: what is read after it was written by everybody who held it before.
CREATE FUNCTION photo_search_renew(photos uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM photo_search WHERE photo_id = ANY (photos) ORDER BY photo_id FOR UPDATE;
    UPDATE photo_search held
    SET account_id = made.account_id, is_present = made.is_present, document = made.document
    FROM photo_search_of(photos) made
    WHERE held.photo_id = made.photo_id
        AND (held.account_id, held.is_present, held.document)
            IS DISTINCT FROM (made.account_id, made.is_present, made.document);
END
$$;
"""
NO_MADE = """
DROP FUNCTION photo_search_renew(uuid[]);
DROP FUNCTION photo_search_of(uuid[]);
"""

# Inserts come in bulk, and are taken together; an update counts only where words change, which a decision does not.
# No scans: a sync keeps the plans that were made when its tables were empty.
TRIGGERS = """
CREATE FUNCTION photo_search_new_photos() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO photo_search SELECT * FROM photo_search_of(ARRAY(SELECT id FROM fresh)) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE FUNCTION photo_search_new_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM photo_search_renew(photos) FROM (SELECT array_agg(photo_id) FROM fresh
        WHERE (ai_title, ai_description, ai_alt_text) <> ('', '', '') OR ai_tags <> '{}' OR ai_categories <> '{}'
    ) told (photos) WHERE photos IS NOT NULL;
    RETURN NULL;
END
$$;
-- A photo's own album is known from the photo: here are those that it was collected into.
CREATE FUNCTION photo_search_standings() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    PERFORM photo_search_renew(photos) FROM (SELECT array_agg(DISTINCT photo.id) FROM moved
        JOIN smugmug_photos photo ON photo.id = moved.photo_id AND photo.album_id <> moved.album_id
    ) told (photos) WHERE photos IS NOT NULL;
    RETURN NULL;
END
$$;
CREATE FUNCTION photo_search_of_photo() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM photo_search_renew(ARRAY[NEW.id]);
    RETURN NULL;
END
$$;
CREATE FUNCTION photo_search_of_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM photo_search_renew(CASE TG_OP WHEN 'DELETE' THEN ARRAY[OLD.photo_id]
        ELSE ARRAY[OLD.photo_id, NEW.photo_id] END);
    RETURN NULL;
END
$$;
CREATE FUNCTION photo_search_of_album() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM photo_search_renew(ARRAY(SELECT id FROM smugmug_photos WHERE album_id = NEW.id
        UNION SELECT photo_id FROM smugmug_album_photos WHERE album_id = NEW.id));
    RETURN NULL;
END
$$;
CREATE TRIGGER photo_search_inserted AFTER INSERT ON smugmug_photos
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION photo_search_new_photos();
CREATE TRIGGER photo_search_updated AFTER UPDATE OF title, caption, keywords, filename, album_id, account_id, removed_at
    ON smugmug_photos FOR EACH ROW
    WHEN ((OLD.title, OLD.caption, OLD.keywords, OLD.filename, OLD.album_id, OLD.account_id, OLD.removed_at IS NULL)
        IS DISTINCT FROM
        (NEW.title, NEW.caption, NEW.keywords, NEW.filename, NEW.album_id, NEW.account_id, NEW.removed_at IS NULL))
    EXECUTE FUNCTION photo_search_of_photo();
CREATE TRIGGER photo_search_inserted AFTER INSERT ON ai_metadata
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION photo_search_new_words();
CREATE TRIGGER photo_search_updated AFTER UPDATE OF photo_id, ai_title, ai_description, ai_alt_text, ai_tags, ai_categories
    ON ai_metadata FOR EACH ROW
    WHEN ((OLD.photo_id, OLD.ai_title, OLD.ai_description, OLD.ai_alt_text, OLD.ai_tags, OLD.ai_categories)
        IS DISTINCT FROM
        (NEW.photo_id, NEW.ai_title, NEW.ai_description, NEW.ai_alt_text, NEW.ai_tags, NEW.ai_categories))
    EXECUTE FUNCTION photo_search_of_words();
CREATE TRIGGER photo_search_deleted AFTER DELETE ON ai_metadata
    FOR EACH ROW EXECUTE FUNCTION photo_search_of_words();
CREATE TRIGGER photo_search_inserted AFTER INSERT ON smugmug_album_photos
    REFERENCING NEW TABLE AS moved FOR EACH STATEMENT EXECUTE FUNCTION photo_search_standings();
CREATE TRIGGER photo_search_deleted AFTER DELETE ON smugmug_album_photos
    REFERENCING OLD TABLE AS moved FOR EACH STATEMENT EXECUTE FUNCTION photo_search_standings();
CREATE TRIGGER photo_search_updated AFTER UPDATE OF title, account_id, removed_at ON smugmug_albums FOR EACH ROW
    WHEN ((OLD.title, OLD.account_id, OLD.removed_at IS NULL)
        IS DISTINCT FROM (NEW.title, NEW.account_id, NEW.removed_at IS NULL))
    EXECUTE FUNCTION photo_search_of_album();
"""
NO_TRIGGERS = """
DROP FUNCTION photo_search_new_photos() CASCADE;
DROP FUNCTION photo_search_new_words() CASCADE;
DROP FUNCTION photo_search_standings() CASCADE;
DROP FUNCTION photo_search_of_photo() CASCADE;
DROP FUNCTION photo_search_of_words() CASCADE;
DROP FUNCTION photo_search_of_album() CASCADE;
"""
FILL = """
INSERT INTO photo_search SELECT * FROM photo_search_of(ARRAY(SELECT id FROM smugmug_photos));
SET CONSTRAINTS ALL IMMEDIATE; -- no index can be made while keys wait to be checked
"""


class Migration(migrations.Migration):
    """The words of each photo for text search, kept true by the database, whoever writes them."""

    dependencies = [
        ("metadata", "0011_index_the_last_decisions"),
        ("smugmug", "0002_add_changes_kinds_and_audit"),
    ]

    operations = [
        UnaccentExtension(),
        migrations.RunSQL(LANGUAGE, NO_LANGUAGE),
        migrations.CreateModel(
            name="PhotoSearch",
            fields=[
                (
                    "photo",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="photo_search",
                        serialize=False,
                        to="smugmug.photo",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="smugmug.account",
                    ),
                ),
                ("is_present", models.BooleanField(help_text="The photo is on SmugMug as far as is known.")),
                ("document", django.contrib.postgres.search.SearchVectorField()),
            ],
            options={"db_table": "photo_search", "verbose_name_plural": "photo search"},
        ),
        migrations.RunSQL(PLAIN, NO_PLAIN),
        migrations.RunSQL(MADE, NO_MADE),
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="photosearch",
            index=django.contrib.postgres.indexes.GinIndex(
                fields=["document"], gin_pending_list_limit=512, name="photo_search_document"
            ),
        ),
    ]
