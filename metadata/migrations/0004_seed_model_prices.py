"""What OpenAI asked for its models in November 2026; the admin changes it from here on."""

from datetime import date

from django.db import migrations

AS_OF = date(2026, 11, 1)
# Model: USD per million tokens in, cached in (None: as others), out. Batch and flex, at half of it, are not used.
PRICES = {
    "gpt-6-luna": ("0.10", "0.01", "0.50"),
    "gpt-6-sol": ("2", None, "10"),
    "gpt-5.6-luna": ("0.20", None, "1.20"),
    "gpt-5.6-terra": ("2", None, "12"),
    "gpt-5.6-sol": ("4", None, "20"),
    "gpt-5.4-nano": ("0.20", None, "1.25"),
    "gpt-5.4-mini": ("0.75", None, "4.50"),
    "text-embedding-3-small": ("0.02", None, "0"),
    "text-embedding-3-large": ("0.13", None, "0"),
}


def seed(apps, schema_editor):
    model = apps.get_model("metadata", "ModelPrice")
    model.objects.bulk_create(
        [
            model(model=name, as_of=AS_OF, usd_in=usd_in, usd_cached=usd_cached, usd_out=usd_out)
            for name, (usd_in, usd_cached, usd_out) in PRICES.items()
        ],
        ignore_conflicts=True,
    )


def unseed(apps, schema_editor):
    """Take out what was seeded and nobody has changed since."""
    model = apps.get_model("metadata", "ModelPrice")
    for name, (usd_in, usd_cached, usd_out) in PRICES.items():
        model.objects.filter(model=name, as_of=AS_OF, usd_in=usd_in, usd_cached=usd_cached, usd_out=usd_out).delete()


class Migration(migrations.Migration):
    dependencies = [("metadata", "0003_add_prompts_notes_and_prices")]

    operations = [migrations.RunPython(seed, unseed)]
