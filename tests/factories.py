"""Rows for tests: minimal and unsurprising; states are traits."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import factory
from django.contrib.auth.models import User
from django.utils import timezone
from factory.django import DjangoModelFactory

from metadata.models import (
    AICall,
    AIMetadata,
    Change,
    ChangeSet,
    Decision,
    Export,
    MetadataHistory,
    ModelPrice,
    Note,
    ProcessingRun,
    Prompt,
    Sample,
)
from smugmug.models import Account, Album, AlbumPhoto, AuditEntry, Membership, Photo, SyncRun
from targetvision.models import ApiToken


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence("user{}".format)
    password = factory.django.Password("a long password")


class AccountFactory(DjangoModelFactory):
    """Connected, and its owner is a member."""

    class Meta:
        model = Account
        skip_postgeneration_save = True

    owner = factory.SubFactory(UserFactory)
    nickname = factory.Sequence("library{}".format)
    oauth_token = "token"
    oauth_token_secret = "secret"

    @factory.post_generation
    def membership(self, create: bool, extracted: Any, **_: Any) -> None:
        Membership.objects.create(user=self.owner, account=self, role=Membership.Role.OWNER)


class MembershipFactory(DjangoModelFactory):
    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    account = factory.SubFactory(AccountFactory)
    role = Membership.Role.VIEWER


class AlbumFactory(DjangoModelFactory):
    class Meta:
        model = Album

    account = factory.SubFactory(AccountFactory)
    user_id = factory.SelfAttribute("account.nickname")
    album_key = factory.Sequence("AK{:04}".format)
    title = factory.Sequence("Album {}".format)


class PhotoFactory(DjangoModelFactory):
    """Stands in its home album."""

    class Meta:
        model = Photo
        skip_postgeneration_save = True

    album = factory.SubFactory(AlbumFactory)
    account = factory.SelfAttribute("album.account")
    image_key = factory.Sequence("IK{:05}".format)
    image_id = factory.LazyAttribute(lambda photo: f"{photo.image_key}-0")
    filename = factory.Sequence("IMG_{:04}.JPG".format)
    width, height = 1200, 800
    synced_at = factory.LazyFunction(timezone.now)

    @factory.post_generation
    def standing(self, create: bool, extracted: Any, **_: Any) -> None:
        position = AlbumPhoto.objects.filter(album=self.album).count() + 1
        AlbumPhoto.objects.create(album=self.album, photo=self, position=position, origin="Album")


class AIMetadataFactory(DjangoModelFactory):
    """Not described yet; `described`, `approved`, `failed` are further on."""

    class Meta:
        model = AIMetadata
        skip_postgeneration_save = True

    photo = factory.SubFactory(PhotoFactory)

    class Params:
        described = factory.Trait(
            ai_title="A cat",
            ai_description="A grey cat on a wall.",
            ai_alt_text="Grey cat",
            ai_tags=["cat", "grey"],
            ai_categories=["Animals"],
            confidence_score=0.8,
            processing_status="completed",
            describer="fake",
            model="fake-1",
            version=1,
        )
        approved = factory.Trait(
            described=True,
            review_status="approved",
            approved_by="user:grace",
            approved_at=datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC),
            version=2,
        )
        failed = factory.Trait(processing_status="failed", attempts=3, error="No usable answer.")

    @factory.post_generation
    def first_answer(self, create: bool, extracted: Any, **_: Any) -> None:
        if self.version:
            MetadataHistory.objects.create(
                metadata=self,
                version=1,
                source="ai",
                changed_by="ai:fake-1",
                new_title=self.ai_title,
                new_description=self.ai_description,
                new_alt_text=self.ai_alt_text,
                new_tags=self.ai_tags,
                new_categories=self.ai_categories,
                new_review_status="unreviewed",
            )


class SyncRunFactory(DjangoModelFactory):
    class Meta:
        model = SyncRun

    account = factory.SubFactory(AccountFactory)


class ProcessingRunFactory(DjangoModelFactory):
    class Meta:
        model = ProcessingRun

    account = factory.SubFactory(AccountFactory)
    describer = "fake"
    model = "fake-1"


class AICallFactory(DjangoModelFactory):
    """A picture described by `fake.test`, answered and paid for; `unknown` is of unknown cost."""

    class Meta:
        model = AICall

    account = factory.SubFactory(AccountFactory)
    kind = "describe"
    prompt = "Default 1"
    model = "paid-1"
    outcome = "ok"
    tokens_in, tokens_cached, tokens_out = 1_000, 0, 200
    cost = Decimal("0.01")
    ms = 900
    sent_to = "fake.test"
    bytes_sent = 100_000

    class Params:
        unknown = factory.Trait(cost=None)


class ModelPriceFactory(DjangoModelFactory):
    """$1 a million tokens in, $10 out."""

    class Meta:
        model = ModelPrice

    model = "paid-1"
    as_of = datetime.date(2026, 1, 1)
    usd_in, usd_out = Decimal(1), Decimal(10)


class AuditEntryFactory(DjangoModelFactory):
    class Meta:
        model = AuditEntry

    account = factory.SubFactory(AccountFactory)
    nickname = factory.SelfAttribute("account.nickname")
    who = "command"
    action = "full"
    result = "started"


class PromptFactory(DjangoModelFactory):
    """Neither in force nor used."""

    class Meta:
        model = Prompt

    account = factory.SubFactory(AccountFactory)
    name = "Weddings"
    version = factory.Sequence(lambda number: number + 1)
    text = "Describe in {language} with {tag_count} tags."


class NoteFactory(DjangoModelFactory):
    """About a library, or about the album."""

    class Meta:
        model = Note

    account = factory.SubFactory(AccountFactory)
    text = "The bride is Zoë."
    updated_by = "user:ada"


class SampleFactory(DjangoModelFactory):
    """Of all that waits, nothing drawn yet."""

    class Meta:
        model = Sample

    account = factory.SubFactory(AccountFactory)
    filter = factory.LazyAttribute(lambda sample: {"account": sample.account.nickname})
    population = 1
    made_by = factory.SelfAttribute("account.owner")


class ExportFactory(DjangoModelFactory):
    """Of all that is approved in the library, as CSV, and not begun."""

    class Meta:
        model = Export

    account = factory.SubFactory(AccountFactory)
    format = "csv"
    filter = factory.LazyAttribute(lambda export: {"account": export.account.nickname, "status": "approved"})
    total = 1


class DecisionFactory(DjangoModelFactory):
    """Over all that waits in the library, and carried out."""

    class Meta:
        model = Decision

    account = factory.SubFactory(AccountFactory)
    kind = "approve"
    state = "succeeded"
    filter = {"status": "waiting"}


class ApiTokenFactory(DjangoModelFactory):
    """A row to look at; what opens anything is made by tokens.make."""

    class Meta:
        model = ApiToken
        skip_postgeneration_save = True

    user = factory.SubFactory(UserFactory)
    name = factory.Sequence("Program {}".format)
    hash = factory.Sequence("{:064x}".format)


class ChangeSetFactory(DjangoModelFactory):
    """Prepared, without pictures; `armed` by ada, and queued."""

    class Meta:
        model = ChangeSet

    account = factory.SubFactory(AccountFactory)
    caption_rule = "empty"
    state = "paused"
    filter = {"status": "approved"}

    class Params:
        armed = factory.Trait(
            stage="writing",
            state="queued",
            armed_by="user:ada",
            armed_at=datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC),
        )


class ChangeFactory(DjangoModelFactory):
    """A picture that is to get a caption."""

    class Meta:
        model = Change

    change_set = factory.SubFactory(ChangeSetFactory)
    photo = factory.LazyAttribute(lambda change: PhotoFactory(album__account=change.change_set.account))
    words_version = 2
    seen = {"caption": "", "title": "", "keywords": []}
    caption = "A grey cat on a wall."
