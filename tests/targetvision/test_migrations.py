from __future__ import annotations

from io import StringIO

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.management import call_command

OURS = ("targetvision", "smugmug", "metadata")


@pytest.mark.django_db
def test_makemigrations_finds_nothing_to_do():
    said = StringIO()

    call_command("makemigrations", check_changes=True, dry_run=True, stdout=said)  # leaves with 1 where there is some

    assert said.getvalue() == "No changes detected\n"


def test_every_model_is_in_the_admin():
    models = [model for name in OURS for model in apps.get_app_config(name).get_models()]

    assert len(models) >= 11
    missing = [model.__name__ for model in models if not admin.site.is_registered(model)]
    assert missing == ["Found"]  # the rows of snapshots: the admin takes no model with a key of two columns
