import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """And the indexes of three keys that others serve as well, which every step of history had to pay for, go."""

    dependencies = [("metadata", "0008_require_account_and_time")]

    operations = [
        migrations.AddField(
            model_name="metadatahistory",
            name="previous_approved_by",
            field=models.CharField(blank=True, db_default="", default="", max_length=160),
        ),
        migrations.AddField(
            model_name="metadatahistory",
            name="previous_approved_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="metadatahistory",
            name="metadata",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="history",
                to="metadata.aimetadata",
            ),
        ),
        migrations.AlterField(
            model_name="metadatahistory",
            name="decision",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="steps",
                to="metadata.decision",
            ),
        ),
        migrations.AlterField(
            model_name="metadatahistory",
            name="came_from",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="The frame of a burst whose approval wrote this.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="metadata.aimetadata",
            ),
        ),
        migrations.AddIndex(
            model_name="metadatahistory",
            index=models.Index(
                condition=models.Q(("came_from__isnull", False)), fields=["came_from"], name="metadata_history_of_frame"
            ),
        ),
    ]
