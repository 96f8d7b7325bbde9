"""What people decided, as pages tell it: who, what, over which photos. Reads only; the number of queries never grows
with the number of rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.dateparse import parse_datetime

from metadata import bulk, decision_cards, history
from metadata.decision_cards import DecisionCard
from metadata.forms_review import Status
from metadata.history import Step
from metadata.models import AIMetadata, Decision, MetadataHistory
from metadata.queue import BadFilter, ReviewFilter
from smugmug import audit
from smugmug.models import Account, Album, Photo

if TYPE_CHECKING:
    from django.contrib.auth.models import User

DECISIONS_A_PAGE = 40
STEPS = 50
RELATED = ("account", "requested_by", "photo__photo__album")
FIELDS = {**{name: label.lower() for name, label in history.LABELS.items()}, "review": "review"}
# What of a filter is told by its value alone.
NARROWED = {
    "tag": "with the tag",
    "category": "in the category",
    "model": "described by",
    "prompt": "described with the prompt",
}
# What the list can be narrowed to: name → label.
SHOWS = {"": "Everybody’s", "mine": "Mine", "many": "Over many photos"}


@dataclass(frozen=True)
class Told:
    """One decision, ready to read."""

    decision: Decision
    card: DecisionCard
    title: str
    who: str
    over: str
    url: str  # of the photo, where it is about one

    @property
    def state(self) -> str:
        return self.decision.get_undo_display() if self.decision.undo else self.decision.get_state_display()

    @property
    def undone_by(self) -> str:
        return audit.name(self.decision.undone_by)


def page(user: User, show: str, before: str) -> tuple[list[Decision], str]:
    """A page of the decisions in the person's libraries, newest first, and where the next begins ("" at the end)."""
    accounts = list(Account.objects.visible_to(user).order_by("pk").values_list("pk", flat=True))
    if not accounts:
        return [], ""
    # Each library's are read from its own index, as far as they are shown.
    branches = [_newest(narrowed(Decision.objects.filter(account=pk), user, show), before) for pk in accounts]
    first, *others = (rows.values("pk")[: DECISIONS_A_PAGE + 1] for rows in branches)
    rows = Decision.objects.filter(pk__in=first.union(*others, all=True) if others else first)
    found = list(rows.select_related(*RELATED).order_by("-created_at", "-pk")[: DECISIONS_A_PAGE + 1])
    shown = found[:DECISIONS_A_PAGE]
    return shown, f"{shown[-1].created_at.isoformat()}_{shown[-1].pk}" if len(found) > len(shown) else ""


def narrowed(rows: QuerySet[Decision], user: User, show: str) -> QuerySet[Decision]:
    """Those of SHOWS."""
    if show == "mine":
        return rows.filter(requested_by=user)
    return rows.filter(photo=None) if show == "many" else rows


def _newest(rows: QuerySet[Decision], before: str) -> QuerySet[Decision]:
    """Newest first, from a place on; a text that says no place is the newest."""
    at, _, pk = before.partition("_")
    try:
        moment, key = parse_datetime(at), UUID(pk)
    except ValueError:
        moment = None
    if moment and moment.tzinfo:
        rows = rows.filter(Q(created_at__lt=moment) | Q(created_at=moment, pk__lt=key))
    return rows.order_by("-created_at", "-pk")


def told(decisions: Iterable[Decision], *, user: User) -> list[Told]:
    """The decisions with all that a line tells, and their buttons where the person may press them."""
    rows = list(decisions)
    changeable = set(Account.objects.changeable_by(user).values_list("pk", flat=True))
    albums = _album_titles(rows, user)
    return [_told(row, albums, may_change=row.account_id in changeable) for row in rows]


def _told(row: Decision, albums: dict[str, str], *, may_change: bool) -> Told:
    card = decision_cards.card(row, may_change=may_change)
    who = row.requested_by.get_username() if row.requested_by else "somebody who has left"
    if row.photo is None:
        return Told(row, card, card.title, who, _over(row, albums), url="")
    photo = row.photo.photo
    url = reverse("metadata:photo", args=[photo.pk])
    return Told(row, card, _title_of_one(row, row.photo), who, str(photo.album), url)


def _title_of_one(row: Decision, words: AIMetadata) -> str:
    """`IMG_0401.JPG approved, and 4 more of its burst`; what was rejected, with the reason."""
    name = f"“{words.photo.name}”"
    done = {
        Decision.Kind.APPROVE: f"{name} approved",
        Decision.Kind.REJECT: f"{name} rejected",
        Decision.Kind.EDIT: f"{name} edited",
    }.get(Decision.Kind(row.kind), f"{row.get_kind_display()}: {name}")
    reason = row.params.get("reason", "") if row.kind == Decision.Kind.REJECT else ""
    done += f": {reason}" if reason else ""
    done += f", and {row.changed - 1} more of its burst" if row.changed > 1 else ""
    return f"Undone: {done}" if row.undo == Decision.Undo.DONE else done


def steps(decision: Decision) -> list[Step]:
    """The first STEPS rows of history that the decision wrote, with their photos."""
    rows = MetadataHistory.objects.filter(decision=decision).exclude(source=MetadataHistory.Source.UNDO)
    return [history.step(row) for row in rows.select_related("metadata__photo").order_by("metadata")[:STEPS]]


@dataclass(frozen=True)
class Kept:
    """A photo of which the undo left something: the fields, and who had written what stood in them."""

    photo: Photo
    fields: str
    who: str


def kept(decision: Decision) -> list[Kept]:
    """The first STEPS photos that an undo could not put back wholly, and why."""
    found = bulk.explain(bulk.kept(decision)[:STEPS])
    return [
        Kept(each.step.metadata.photo, _fields(each.fields), who)
        for each, who in zip(found, _since(found), strict=True)
    ]


def _fields(names: Iterable[str]) -> str:
    return ", ".join(FIELDS[name] for name in names)


def _since(found: list[bulk.Kept]) -> list[str]:
    """Who changed each photo's words first after the decision had: one query."""
    rows = MetadataHistory.objects.filter(metadata__in=[each.step.metadata_id for each in found])
    later: dict[UUID, list[MetadataHistory]] = {}
    for row in rows.order_by("version").only("metadata", "version", "changed_by"):
        later.setdefault(row.metadata_id, []).append(row)
    return [
        next((row.author for row in later[each.step.metadata_id] if row.version > each.step.version), "somebody")
        for each in found
    ]


def _album_titles(rows: Iterable[Decision], user: User) -> dict[str, str]:
    """The titles of the albums that filters name, by id as the filter has it, as far as the person may see them."""
    wanted = {row.filter.get("album") for row in rows} - {None, ""}
    return {str(album.pk): str(album) for album in Album.objects.visible_to(user).filter(pk__in=wanted)}


def _over(row: Decision, albums: dict[str, str]) -> str:
    """The filter in words: `All that wait in “Zoo”, lane Glance`."""
    reason = f"{row.params['reason']} · " if row.params.get("reason") else ""
    if not row.filter:
        return f"{reason}Chosen by hand"
    try:
        wanted = ReviewFilter.from_json(row.filter)
    except BadFilter:
        return f"{reason}A filter of another version"
    return reason + in_words(wanted, albums)


def in_words(wanted: ReviewFilter, albums: dict[str, str]) -> str:
    """A filter as a person says it; `albums` are the titles by id."""
    which = {
        Status.WAITING: "All that wait",
        Status.APPROVED: "All approved",
        Status.REJECTED: "All rejected",
        Status.ALL: "All described",
    }[Status(wanted.status)]
    parts = [
        f"in “{albums.get(str(wanted.album), 'an album that is gone')}”" if wanted.album else "",
        f"taken from {wanted.after:%-d %b %Y}" if wanted.after else "",
        f"taken until {wanted.before:%-d %b %Y}" if wanted.before else "",
        f"in the lane “{AIMetadata.Lane(wanted.lane).label}”" if wanted.lane else "",
        *(f"{words} “{value}”" for name, words in NARROWED.items() if (value := getattr(wanted, name))),
        f"with “{wanted.text}” in the words" if wanted.text else "",
    ]
    said = ", ".join(filter(None, parts))
    return f"{which} {said}" if said else which
