import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("smugmug", "0002_add_changes_kinds_and_audit"), ("metadata", "0007_copy_account_and_time")]

    operations = [
        migrations.AlterField(
            model_name="aimetadata",
            name="account",
            field=models.ForeignKey(
                editable=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="smugmug.account"
            ),
        ),
        migrations.AlterField(
            model_name="aimetadata",
            name="sort_at",
            field=models.DateTimeField(editable=False, help_text="When the photo was taken, else uploaded."),
        ),
    ]
