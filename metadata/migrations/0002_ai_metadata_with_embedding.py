from django.db import migrations

MAKE = """
CREATE VIEW ai_metadata_with_embedding AS
SELECT ai_metadata.*, photo_embedding.embedding, photo_embedding.model AS embedding_model
FROM ai_metadata LEFT JOIN photo_embedding USING (photo_id)
"""


class Migration(migrations.Migration):
    """The planned shape, one row with words and vector, for other tools that read."""

    dependencies = [("metadata", "0001_initial")]
    operations = [migrations.RunSQL(MAKE, "DROP VIEW ai_metadata_with_embedding")]
