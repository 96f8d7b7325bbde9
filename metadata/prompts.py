"""What a model is asked: the versions of a prompt, what goes with each photo, and which words are no longer what would
be made now. Nothing here talks to the network.

A version that was used is never changed: every change of it is the next version. Words bear the fingerprint of what
they were made from, so that what is stale is found by one statement.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, F, Func, JSONField, Max, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce, Concat, Now

from metadata import facts
from metadata.describe import PROMPT
from metadata.describe.brief import Brief
from metadata.models import AIMetadata, Note, ProcessingRun, Prompt
from smugmug import audit
from smugmug.models import Account, Album, AlbumPhoto, Photo

if TYPE_CHECKING:
    from django.contrib.auth.models import User

DEFAULT_NAME = "Default"
DEFAULT_TEXT = PROMPT.strip()  # as a form would leave it
LOCAL_MODEL = "efficientnet-lite0"
# What makes a version what it is; the rest of the row says what became of it.
CONTENT = ("name", "text", "language", "tag_count", "vocabulary", "facts")
RECIPE_LENGTH = 32  # hexadecimal digits


class AlreadyChanged(Exception):
    """Somebody was faster; str() says what stands now."""


# --- Versions --------------------------------------------------------------------------------------------------


def active(account: Account) -> Prompt:
    """The account's prompt in force; the built-in text becomes one where there is none."""
    found = Prompt.objects.filter(account=account, is_active=True).first()
    if found:
        return found
    try:
        with transaction.atomic():
            version = _next_version(account, DEFAULT_NAME)
            return Prompt.objects.create(
                account=account, name=DEFAULT_NAME, version=version, text=DEFAULT_TEXT, is_active=True
            )
    except IntegrityError:  # somebody else has just made it
        return active(account)


def seen(prompt: Prompt) -> str:
    """A short mark of a version's content, for a form to carry: what was on the page."""
    return _digest([getattr(prompt, name) for name in CONTENT])


@transaction.atomic
def edit(prompt: Prompt, changes: Mapping[str, Any], *, by: User, on_page: str) -> Prompt:
    """The prompt with its new content: in place as long as the version was never used, else its next version.

    `on_page` is `seen` of what the person changed; AlreadyChanged where a version that can still change holds
    something else by now.
    """
    _lock(prompt.account_id)
    stands = Prompt.objects.select_related("account").get(pk=prompt.pk)
    if all(getattr(stands, name) == changes[name] for name in CONTENT):
        return stands
    if stands.used_at:
        return _new_version(stands, changes, by=by)
    if seen(stands) != on_page:
        raise AlreadyChanged(f"{_name_of(stands.created_by)} changed {stands} meanwhile. Your text was not saved.")
    version = stands.version if changes["name"] == stands.name else _next_version(stands.account, changes["name"])
    # Of those that change versions none is here beside us, but a run may be taking this one into use.
    won = Prompt.objects.filter(pk=stands.pk, used_at=None).update(
        **changes, version=version, created_by=audit.person(by)
    )
    if not won:
        return _new_version(stands, changes, by=by)
    stands.refresh_from_db()
    return stands


@transaction.atomic
def new_version(prompt: Prompt, changes: Mapping[str, Any], *, by: User) -> Prompt:
    """A further version with this content, whether or not `prompt` was used; it is not in force yet."""
    _lock(prompt.account_id)
    return _new_version(prompt, changes, by=by)


def _new_version(prompt: Prompt, changes: Mapping[str, Any], *, by: User) -> Prompt:
    version = _next_version(prompt.account, changes["name"])
    return Prompt.objects.create(account=prompt.account, version=version, created_by=audit.person(by), **changes)


def _next_version(account: Account, name: str) -> int:
    found = Prompt.objects.filter(account=account, name=name).aggregate(newest=Max("version"))
    return (found["newest"] or 0) + 1


def _lock(account_id: int) -> None:
    """Who changes an account's prompts does so alone, so that a number of a version is given once."""
    Account.objects.select_for_update(no_key=True).get(pk=account_id)


@transaction.atomic
def activate(prompt: Prompt, *, by: User, instead_of: int | None) -> None:
    """Put the version in force instead of the one the person saw in force; AlreadyChanged where it no longer was."""
    others = Prompt.objects.filter(account=prompt.account_id, is_active=True).exclude(pk=prompt.pk)
    others.filter(pk__in=[instead_of]).update(is_active=False)
    if faster := others.first():
        raise AlreadyChanged(f"{faster} was put in force meanwhile. Look again, then decide.")
    try:
        with transaction.atomic():
            is_new = Prompt.objects.filter(pk=prompt.pk, is_active=False).update(is_active=True)
    except IntegrityError:
        raise AlreadyChanged("Another prompt was put in force meanwhile. Look again, then decide.") from None
    if is_new:
        audit.record(prompt.account, who=audit.person(by), action="prompt in force", result="done", detail=str(prompt))
    prompt.refresh_from_db()


def mark_used(prompt: Prompt) -> None:
    """From now on this version stays as it is; `prompt` then holds what it is."""
    Prompt.objects.filter(pk=prompt.pk, used_at=None).update(used_at=Now())
    prompt.refresh_from_db()


def _name_of(who: str) -> str:
    return who.partition(":")[2] or "Somebody"


# --- What goes with a photo ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Briefing:
    """All that is told to a model beside pictures, read once; the rest is done without a database, in any thread."""

    prompt: Prompt
    model: str
    pixels: int
    account_note: str = ""
    album_notes: Mapping[UUID, str] = field(default_factory=dict)
    album_id: UUID | None = None  # of the run
    run_note: str = ""

    def brief(self, photo: Photo, album: Album) -> Brief:
        """What is told beside the picture of this photo, whose home album that is."""
        notes = [("Of the whole library", self.account_note), ("Of this album", self.album_notes.get(album.pk, ""))]
        if self.album_id and self.album_id != album.pk:
            notes.append(("Of the album it is shown in", self.album_notes.get(self.album_id, "")))
        notes.append(("For this time", self.run_note))
        return Brief(
            instructions=facts.instructions(self.prompt, notes),
            facts=facts.facts_of(photo, album, self.prompt.facts),
            vocabulary=tuple(self.prompt.vocabulary),
            tag_count=self.prompt.tag_count,
        )

    def recipe(self, album_id: UUID) -> str:
        """The recipe for photos at home in that album."""
        notes = (self.account_note, self.album_notes.get(album_id, ""))
        return recipe(self.prompt, notes=notes, model=self.model, pixels=self.pixels)

    def fingerprint(self, photo: Photo) -> str:
        """What the photo's words are to bear; the same as `fingerprints` says in SQL."""
        return f"{self.recipe(photo.album_id)}:{photo.image_id}"


def briefing(run: ProcessingRun) -> Briefing:
    """For a run: its prompt, which is used from now on, and the notes as they stand."""
    prompt = run.prompt or active(run.account)
    mark_used(prompt)
    return briefing_for(prompt, model=run.model, album_id=run.album_id, run_note=run.note)


def briefing_for(prompt: Prompt, *, model: str, album_id: UUID | None = None, run_note: str = "") -> Briefing:
    """The same for a prompt that is only tried."""
    notes: dict[UUID | None, str] = {album: text for _, album, text in _notes([prompt.account_id])}
    return Briefing(
        prompt=prompt,
        model=model,
        pixels=settings.AI_IMAGE_PIXELS,
        account_note=notes.get(None, ""),
        album_notes={album: text for album, text in notes.items() if album},
        album_id=album_id,
        run_note=run_note,
    )


def recipe(prompt: Prompt, *, notes: tuple[str, str], model: str, pixels: int) -> str:
    """32 hexadecimal digits for all that words are made from, but for the picture; `notes`: the account's, the album's.

    The facts themselves (a caption, an album's title) have no part in it, only which of them are told: else every
    edited caption, and every publication of our own words to SmugMug, would make words stale and cost a call. Nor has
    a note for one run: its words would be stale as soon as they are written.
    """
    asked = [prompt.text, prompt.language, prompt.tag_count, prompt.vocabulary, sorted(prompt.facts)]
    return _digest([*asked, *notes, model, pixels])


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:RECIPE_LENGTH]


# --- What is stale, and what may be sent -----------------------------------------------------------------------


def model_in_use() -> str:
    """The model that describes, by the settings alone: a page that asks must not have to load it."""
    return LOCAL_MODEL if settings.AI_DESCRIBER == "local" else str(settings.OPENAI_MODEL)


def fingerprints(account: Account, prompt: Prompt, model: str, *, of: str = "") -> Any:
    """The fingerprint that each photo's words would bear if they were made now, as an expression over photos.

    `of` is the way to the photo from another table: `photo__`.
    """
    return _fingerprints({account.pk: prompt}, _notes([account.pk]), model, of)


def stale(account: Account, prompt: Prompt, model: str, *, also_decided: bool = False) -> QuerySet[AIMetadata]:
    """Words of photos still there that were made from something else than would be sent now, or nobody knows from what.

    What a person decided on or has written is among them only where asked for.
    """
    rows = _stale(fingerprints(account, prompt, model, of="photo__")).filter(photo__account=account)
    return rows if also_decided else rows.filter(_UNTOUCHED)


def stale_counts(accounts: Iterable[Account], model: str) -> dict[int, int]:
    """How many photos of each account a run over what is stale would describe again; by its id, without zeros.

    Three statements, whatever the number of accounts.
    """
    known = {account.pk: account for account in accounts}
    prompts = {each.account_id: each for each in Prompt.objects.filter(account__in=known, is_active=True)}
    for pk, account in known.items():
        prompts.setdefault(pk, Prompt(account=account, name=DEFAULT_NAME, text=DEFAULT_TEXT))
    rows = _stale(_fingerprints(prompts, _notes(known), model, "photo__"))
    rows = rows.filter(_UNTOUCHED, photo__account__in=known)
    if settings.AI_DESCRIBER != "local":
        rows = rows.filter(_sendable("photo__"))
    return dict(rows.order_by().values_list("photo__account").annotate(count=Count("pk")))


def sendable(account: Account) -> Q:
    """Photos of the account that may go to an AI server: “never send” is on neither it nor any album they stand in."""
    return Q(account=account) & _sendable("")


def _sendable(of: str) -> Q:
    kept_back = AlbumPhoto.objects.filter(photo=OuterRef(f"{of}pk"), album__never_send=True)
    return Q(**{f"{of}account__never_send": False, f"{of}album__never_send": False}) & ~Q(Exists(kept_back))


# Nobody decided on the words, and nobody wrote any since the AI's newest answer.
_UNTOUCHED = Q(review_status=AIMetadata.Review.UNREVIEWED) & (Q(ai_answer=None) | Q(ai_answer__version=F("version")))


def _stale(expected: Any) -> QuerySet[AIMetadata]:
    described = AIMetadata.objects.filter(processing_status=AIMetadata.Processing.COMPLETED, photo__removed_at=None)
    return described.exclude(fingerprint=expected)


def _notes(accounts: Iterable[int]) -> list[tuple[int, UUID | None, str]]:
    """(account, album or None, text) of all notes."""
    notes = Note.objects.filter(account__in=list(accounts))
    return [(note.account_id, note.album_id, note.text) for note in notes]


def _fingerprints(
    prompts: Mapping[int, Prompt], notes: Iterable[tuple[int, UUID | None, str]], model: str, of: str
) -> Any:
    """As an expression: the recipe of the photo's album where that has a note, else its account's; and its Serial."""
    pixels = settings.AI_IMAGE_PIXELS
    of_account = {account: text for account, album, text in notes if album is None}
    by_account = {
        str(pk): recipe(prompt, notes=(of_account.get(pk, ""), ""), model=model, pixels=pixels)
        for pk, prompt in prompts.items()
    }
    by_album = {
        str(album): recipe(prompts[pk], notes=(of_account.get(pk, ""), text), model=model, pixels=pixels)
        for pk, album, text in notes
        if album is not None
    }
    found = Coalesce(_looked_up(by_album, f"{of}album_id"), _looked_up(by_account, f"{of}account_id"))
    return Concat(found, Value(":"), F(f"{of}image_id"), output_field=TextField())


def _looked_up(table: Mapping[str, str], column: str) -> Func:
    """What the table holds for the column's value. One look-up a row, however long the table; CASE would try each."""
    return Func(
        Value(dict(table), JSONField()),
        Cast(column, TextField()),
        template="(%(expressions)s)",
        arg_joiner=" ->> ",
        output_field=TextField(),
    )
