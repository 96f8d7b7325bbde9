"""Whose library each call was made for, for those made before a call knew it."""

from django.db import migrations
from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

ROWS_A_STATEMENT = 5_000


def fill(apps, schema_editor):
    call = apps.get_model("metadata", "AICall")
    run, photo = apps.get_model("metadata", "ProcessingRun"), apps.get_model("smugmug", "Photo")
    account = Coalesce(
        Subquery(run.objects.filter(pk=OuterRef("run_id")).values("account_id")),
        Subquery(photo.objects.filter(pk=OuterRef("photo_id")).values("account_id")),
    )
    without = call.objects.filter(Q(run__isnull=False) | Q(photo__isnull=False), account=None)
    while some := list(without.values_list("pk", flat=True)[:ROWS_A_STATEMENT]):
        call.objects.filter(pk__in=some).update(account_id=account)


class Migration(migrations.Migration):
    dependencies = [("metadata", "0004_seed_model_prices")]

    # Backwards there is nothing to do: the column itself goes with an earlier migration.
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
