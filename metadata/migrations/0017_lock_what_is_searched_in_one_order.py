from django.db import migrations

# Each statement takes the rows of photo_search that it makes untrue all at once, in the order of their ids, as
# photo_search_renew() does: a trigger for each row takes them in the order in which the rows happen to be written, and
# two that hold some and want others then wait for each other for ever. EXCEPT rather than a join, whose plan would be
# kept from a statement over one row for one over thousands.
WORDS = """
CREATE FUNCTION photo_search_changed_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM photo_search_renew(photos) FROM (
        SELECT array_agg(DISTINCT photo_id) FROM (
            SELECT photo_id FROM (
                SELECT photo_id, ai_title, ai_description, ai_alt_text, ai_tags, ai_categories FROM fresh
                EXCEPT
                SELECT photo_id, ai_title, ai_description, ai_alt_text, ai_tags, ai_categories FROM stale
            ) reworded
            UNION ALL (SELECT photo_id FROM stale EXCEPT SELECT photo_id FROM fresh)
        ) changed
    ) told (photos) WHERE photos IS NOT NULL;
    RETURN NULL;
END
$$;
CREATE FUNCTION photo_search_deleted_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM photo_search_renew(photos) FROM (SELECT array_agg(photo_id) FROM stale) told (photos)
        WHERE photos IS NOT NULL;
    RETURN NULL;
END
$$;
DROP TRIGGER photo_search_updated ON ai_metadata;
DROP TRIGGER photo_search_deleted ON ai_metadata;
CREATE TRIGGER photo_search_updated AFTER UPDATE ON ai_metadata
    REFERENCING OLD TABLE AS stale NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION photo_search_changed_words();
CREATE TRIGGER photo_search_deleted AFTER DELETE ON ai_metadata
    REFERENCING OLD TABLE AS stale FOR EACH STATEMENT EXECUTE FUNCTION photo_search_deleted_words();
DROP FUNCTION photo_search_of_words();
"""
NO_WORDS = """
DROP FUNCTION photo_search_changed_words() CASCADE;
DROP FUNCTION photo_search_deleted_words() CASCADE;
CREATE FUNCTION photo_search_of_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM photo_search_renew(CASE TG_OP WHEN 'DELETE' THEN ARRAY[OLD.photo_id]
        ELSE ARRAY[OLD.photo_id, NEW.photo_id] END);
    RETURN NULL;
END
$$;
CREATE TRIGGER photo_search_updated AFTER UPDATE OF photo_id, ai_title, ai_description, ai_alt_text, ai_tags, ai_categories
    ON ai_metadata FOR EACH ROW
    WHEN ((OLD.photo_id, OLD.ai_title, OLD.ai_description, OLD.ai_alt_text, OLD.ai_tags, OLD.ai_categories)
        IS DISTINCT FROM
        (NEW.photo_id, NEW.ai_title, NEW.ai_description, NEW.ai_alt_text, NEW.ai_tags, NEW.ai_categories))
    EXECUTE FUNCTION photo_search_of_words();
CREATE TRIGGER photo_search_deleted AFTER DELETE ON ai_metadata
    FOR EACH ROW EXECUTE FUNCTION photo_search_of_words();
"""
PHOTOS = """
CREATE FUNCTION photo_search_changed_photos() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM photo_search_renew(photos) FROM (
        SELECT array_agg(id) FROM (
            SELECT id, title, caption, keywords, filename, album_id, account_id, removed_at IS NULL FROM fresh
            EXCEPT
            SELECT id, title, caption, keywords, filename, album_id, account_id, removed_at IS NULL FROM stale
        ) changed
    ) told (photos) WHERE photos IS NOT NULL;
    RETURN NULL;
END
$$;
DROP TRIGGER photo_search_updated ON smugmug_photos;
CREATE TRIGGER photo_search_updated AFTER UPDATE ON smugmug_photos
    REFERENCING OLD TABLE AS stale NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION photo_search_changed_photos();
DROP FUNCTION photo_search_of_photo();
"""
NO_PHOTOS = """
DROP FUNCTION photo_search_changed_photos() CASCADE;
CREATE FUNCTION photo_search_of_photo() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM photo_search_renew(ARRAY[NEW.id]);
    RETURN NULL;
END
$$;
CREATE TRIGGER photo_search_updated AFTER UPDATE OF title, caption, keywords, filename, album_id, account_id, removed_at
    ON smugmug_photos FOR EACH ROW
    WHEN ((OLD.title, OLD.caption, OLD.keywords, OLD.filename, OLD.album_id, OLD.account_id, OLD.removed_at IS NULL)
        IS DISTINCT FROM
        (NEW.title, NEW.caption, NEW.keywords, NEW.filename, NEW.album_id, NEW.account_id, NEW.removed_at IS NULL))
    EXECUTE FUNCTION photo_search_of_photo();
"""
ALBUMS = """
CREATE FUNCTION photo_search_changed_albums() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    albums uuid[] := ARRAY(SELECT id FROM (
        SELECT id, title, account_id, removed_at IS NULL FROM fresh
        EXCEPT
        SELECT id, title, account_id, removed_at IS NULL FROM stale
    ) changed);
BEGIN
    IF cardinality(albums) > 0 THEN
        PERFORM photo_search_renew(ARRAY(SELECT id FROM smugmug_photos WHERE album_id = ANY (albums)
            UNION SELECT photo_id FROM smugmug_album_photos WHERE album_id = ANY (albums)));
    END IF;
    RETURN NULL;
END
$$;
DROP TRIGGER photo_search_updated ON smugmug_albums;
CREATE TRIGGER photo_search_updated AFTER UPDATE ON smugmug_albums
    REFERENCING OLD TABLE AS stale NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION photo_search_changed_albums();
DROP FUNCTION photo_search_of_album();
"""
NO_ALBUMS = """
DROP FUNCTION photo_search_changed_albums() CASCADE;
CREATE FUNCTION photo_search_of_album() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM photo_search_renew(ARRAY(SELECT id FROM smugmug_photos WHERE album_id = NEW.id
        UNION SELECT photo_id FROM smugmug_album_photos WHERE album_id = NEW.id));
    RETURN NULL;
END
$$;
CREATE TRIGGER photo_search_updated AFTER UPDATE OF title, account_id, removed_at ON smugmug_albums FOR EACH ROW
    WHEN ((OLD.title, OLD.account_id, OLD.removed_at IS NULL)
        IS DISTINCT FROM (NEW.title, NEW.account_id, NEW.removed_at IS NULL))
    EXECUTE FUNCTION photo_search_of_album();
"""

# As where photos come in: with the figures of a table that was small a moment ago, each row would be looked for in all.
NO_SCANS = "ALTER FUNCTION photo_search_renew(uuid[]) SET enable_seqscan = off"
SCANS = "ALTER FUNCTION photo_search_renew(uuid[]) RESET enable_seqscan"


class Migration(migrations.Migration):
    """Nobody who rewrites many words waits in a ring with who renames an album of theirs."""

    dependencies = [
        ("metadata", "0016_drop_marked_ids"),
        ("smugmug", "0002_add_changes_kinds_and_audit"),
    ]

    operations = [
        migrations.RunSQL(WORDS, NO_WORDS),
        migrations.RunSQL(PHOTOS, NO_PHOTOS),
        migrations.RunSQL(ALBUMS, NO_ALBUMS),
        migrations.RunSQL(NO_SCANS, SCANS),
    ]
