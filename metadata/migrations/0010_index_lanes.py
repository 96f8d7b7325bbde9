from django.db import migrations, models
from django.db.models.functions import Coalesce

WAITS = models.Q(processing_status="completed", review_status="unreviewed")
SURENESS = Coalesce("confidence_score", models.Value(-1.0))


def index(*columns: object, name: str, condition: models.Q = WAITS) -> migrations.AddIndex:
    keys = [models.F(column) if isinstance(column, str) else column for column in columns]
    return migrations.AddIndex("aimetadata", models.Index(*keys, name=name, condition=condition))


class Migration(migrations.Migration):
    """Each order of each lane is read from an index as far as it is shown."""

    dependencies = [("metadata", "0009_keep_the_previous_approval")]

    operations = [
        migrations.RemoveIndex("aimetadata", "ai_metadata_review_surest"),
        index("account", SURENESS, "id", name="ai_metadata_review_surest"),
        migrations.AddIndex(
            "aimetadata",
            models.Index(fields=["account", "lane", "sort_at", "id"], name="ai_metadata_lane_in_time", condition=WAITS),
        ),
        index("account", "lane", SURENESS, "id", name="ai_metadata_lane_surest"),
        migrations.AddIndex(
            "aimetadata",
            models.Index(fields=["account"], name="ai_metadata_failed", condition=models.Q(processing_status="failed")),
        ),
    ]
