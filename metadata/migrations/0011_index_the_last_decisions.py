from django.db import migrations, models


class Migration(migrations.Migration):
    """What people decided last, for the front page."""

    dependencies = [("metadata", "0010_index_lanes")]

    operations = [
        migrations.AddIndex(
            "metadatahistory",
            models.Index(
                fields=["-created_at", "-id"],
                name="metadata_history_of_people",
                condition=models.Q(source="person"),
            ),
        ),
    ]
