from django.db import migrations

TRIGGER = """
CREATE FUNCTION ai_metadata_of_photo() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT photo.account_id, coalesce(photo.date_taken AT TIME ZONE 'UTC', photo.uploaded_at, now())
    INTO NEW.account_id, NEW.sort_at
    FROM smugmug_photos photo WHERE photo.id = NEW.photo_id;
    RETURN NEW;
END
$$;
CREATE TRIGGER ai_metadata_of_photo BEFORE INSERT OR UPDATE ON ai_metadata
    FOR EACH ROW WHEN (NEW.account_id IS NULL OR NEW.sort_at IS NULL) EXECUTE FUNCTION ai_metadata_of_photo();
"""
NO_TRIGGER = """
DROP TRIGGER ai_metadata_of_photo ON ai_metadata;
DROP FUNCTION ai_metadata_of_photo();
"""
FILL = """
UPDATE ai_metadata SET account_id = photo.account_id,
    sort_at = coalesce(photo.date_taken AT TIME ZONE 'UTC', photo.uploaded_at, ai_metadata.created_at)
FROM smugmug_photos photo WHERE photo.id = ai_metadata.photo_id AND ai_metadata.account_id IS NULL
"""


class Migration(migrations.Migration):
    """Each row's account and time come from its photo, whoever makes the row: other programs too."""

    dependencies = [("metadata", "0006_add_decisions")]

    operations = [
        migrations.RunSQL(TRIGGER, NO_TRIGGER),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
