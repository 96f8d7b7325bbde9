"""Change-sets as pages show them: sentences, figures, and each picture's words before and after, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Q
from django.urls import reverse

from metadata import decided
from metadata.change_plan import Counts
from metadata.models import Change, ChangeSet
from metadata.queue import BadFilter, ReviewFilter
from smugmug import audit
from smugmug.models import Album
from targetvision import progress
from targetvision.models import RunState
from targetvision.progress import RunCard, count
from targetvision.words import Part, word_diff

if TYPE_CHECKING:
    from django.db.models import QuerySet

A_PAGE = 30
State = Change.State
MARKS = {
    State.WRITTEN: "good",
    State.UNCHANGED: "good",
    State.CONFLICT: "wait",
    State.FAILED: "bad",
    State.REVERTED: "good",
    State.REVERT_CONFLICT: "wait",
    State.REVERT_FAILED: "bad",
}
LABELS = {"caption": "Caption", "title": "Title", "keywords": "Keywords"}
NUMBERS = {
    "written": "Written",
    "unchanged": "Had it already",
    "conflicts": "Changed meanwhile, left alone",
    "failed": "Failed",
    "reverted": "Put back",
    "revert_conflicts": "Changed since, kept in part",
    "revert_failed": "Not put back",
}
RULES = {"empty": "only where empty", "append": "added to what is there", "replace": "replacing what is there"}


def card(change_set: ChangeSet, *, may_change: bool) -> RunCard:
    """An armed change-set on its way, or over, with its buttons where the person may press them."""
    may_press = may_change and change_set.is_active
    return RunCard(
        change_set,
        title=title(change_set),
        figures=_figures(change_set),
        poll_url=_url("change_set", change_set),
        cancel_url=_url("cancel_publishing", change_set) if may_press else "",
        pause_url=_url("pause_publishing", change_set) if may_press else "",
        continue_url=_url("continue_publishing", change_set) if may_press else "",
        queue="smugmug",
    )


def _url(name: str, change_set: ChangeSet) -> str:
    return reverse(f"metadata:{name}", args=[change_set.pk])


def title(change_set: ChangeSet) -> str:
    """`Writing to 1,204 pictures on SmugMug`, `1,201 pictures written`."""
    pictures = count(change_set.total or 0, "picture")
    if change_set.stage == ChangeSet.Stage.PREPARED:
        return "Thrown away" if change_set.is_discarded else f"{pictures} to be written"
    if change_set.is_reverting:
        return _revert_title(change_set, pictures)
    if change_set.is_active:
        return f"Writing to {pictures} on SmugMug"
    stopped = "Stopped: " if change_set.state == RunState.CANCELLED else ""
    return f"{stopped}{count(change_set.written, 'picture')} written to SmugMug"


def _revert_title(change_set: ChangeSet, pictures: str) -> str:
    if change_set.is_active:
        return f"Putting {pictures} back as they were"
    stopped = "Stopped: " if change_set.state == RunState.CANCELLED else ""
    return f"{stopped}{count(change_set.reverted, 'picture')} put back as they were"


def _figures(change_set: ChangeSet) -> str:
    if change_set.stage == ChangeSet.Stage.PREPARED:
        return "waits for somebody to arm it" if change_set.is_prepared else ""
    goes_on = change_set.is_active and change_set.state != RunState.PAUSED
    is_whole = change_set.done == change_set.total and not change_set.is_active
    return progress.figures(
        "" if is_whole else f"{change_set.done:,} of {change_set.total or 0:,}",
        f"{change_set.rate:.1f} a second" if change_set.rate and goes_on else "",
        progress.time_left(change_set) if goes_on else "",
        *(_back(change_set) if change_set.is_reverting else _there(change_set)),
    )


def _there(change_set: ChangeSet) -> list[str]:
    return [
        f"{change_set.unchanged:,} had it already" if change_set.unchanged else "",
        f"{change_set.conflicts:,} left: changed meanwhile" if change_set.conflicts else "",
        f"{change_set.failed:,} failed" if change_set.failed else "",
    ]


def _back(change_set: ChangeSet) -> list[str]:
    return [
        f"{change_set.revert_conflicts:,} kept in part: changed since" if change_set.revert_conflicts else "",
        f"{change_set.revert_failed:,} failed" if change_set.revert_failed else "",
    ]


def facts(change_set: ChangeSet) -> list[tuple[str, str]]:
    """What there is to know of it, as (what, how much)."""
    rules = ", ".join(f"{LABELS[name].lower()} {RULES[rule]}" for name, rule in change_set.rules.items())
    numbers = [(label, f"{number:,}") for name, label in NUMBERS.items() if (number := getattr(change_set, name))]
    people = [
        (label, f"{audit.name(who)}, {at:%-d %b %Y, %H:%M} UTC")
        for label, who, at in (
            ("Armed by", change_set.armed_by, change_set.armed_at),
            ("Taken back by", change_set.revert_armed_by, change_set.revert_armed_at),
        )
        if who
    ]
    return [("What", rules), ("Over", over(change_set)), *numbers, *people]


def over(change_set: ChangeSet) -> str:
    """Its filter, as a person says it: one query where that names an album."""
    try:
        wanted = ReviewFilter.from_json(change_set.filter)
    except BadFilter:
        return "A filter of another version"
    named = Album.objects.filter(account=change_set.account_id, pk=wanted.album) if wanted.album else []
    return decided.in_words(wanted, {str(album.pk): str(album) for album in named})


def sentences(change_set: ChangeSet, counts: Counts) -> list[str]:
    """What arming it would do: one sentence for each kind of change."""
    found = [
        _words_sentence(counts.captions, "caption", change_set.caption_rule),
        _words_sentence(counts.titles, "title", change_set.title_rule),
        f"{count(counts.keywords_added, 'keyword')} in all added to {count(counts.pictures_added_to, 'picture')}; "
        f"{'' if counts.keywords_removed else 'every keyword that is there stays, and '}none comes twice."
        if counts.keywords_added
        else "",
        f"{count(counts.keywords_removed, 'keyword')} in all taken from "
        f"{count(counts.pictures_removed_from, 'picture')}: those that are struck through below, and no other."
        if counts.keywords_removed
        else "",
    ]
    same = change_set.found - counts.pictures - counts.left_out
    found += [
        f"{count(same, 'approved picture')} would stay as {'it is' if same == 1 else 'they are'}: nothing to write."
        if same > 0
        else "",
        f"{count(counts.left_out, 'picture')} left out by hand." if counts.left_out else "",
    ]
    return [sentence for sentence in found if sentence]


def _words_sentence(pictures: int, field: str, rule: str) -> str:
    if not pictures:
        return ""
    how = {"empty": f"where there was no {field}", "append": f"behind the {field} that is there"}
    return (
        f"{count(pictures, 'picture')} get{'s' * (pictures == 1)} a {field}, "
        + how.get(rule, f"in place of the {field} that is there")
        + "."
    )


# --- Pictures ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """One field of a picture, as it was on SmugMug, and as it is to be, or is; what goes and what comes is marked."""

    label: str
    is_list: bool
    then: list[Part]
    now: list[Part]


@dataclass(frozen=True)
class Row:
    """One picture of a change-set."""

    change: Change
    differences: list[Difference]
    is_over: bool = False  # nothing more comes to it

    @property
    def state(self) -> str:
        """What became of it."""
        if self.is_over and self.change.state == State.WAITING:
            return "Not written: stopped before its turn"
        if self.is_over and self.change.state in (State.WRITING, State.REVERTING):
            return "Stopped in the middle: SmugMug is asked what became of it"
        return self.change.get_state_display()

    @property
    def mark(self) -> str:
        return MARKS.get(State(self.change.state), "idle")

    @property
    def is_left_out(self) -> bool:
        return self.change.state == State.LEFT_OUT


def rows(changes: Iterable[Change], *, is_over: bool) -> list[Row]:
    return [Row(change, [] if is_over and _never_came(change) else _differences(change), is_over) for change in changes]


def _never_came(change: Change) -> bool:
    """Whether nothing is known to have become of it: then what was planned is no news."""
    return change.after is None and change.state in (State.WAITING, State.LEFT_OUT, State.FAILED)


def _differences(change: Change) -> list[Difference]:
    """What is to be written, against what was seen; once its turn is over, what SmugMug had before and had then.

    Where a part of it could not be put back, what stands there after that.
    """
    was = change.before or change.seen
    becomes = change.after or _planned(change, was)
    if change.state == State.REVERT_CONFLICT:
        becomes = change.put_back or becomes
    pairs = [(name, was[name], becomes[name]) for name in LABELS if was[name] != becomes[name]]
    return [_keywords(then, now) if name == "keywords" else _text(name, then, now) for name, then, now in pairs]


def _planned(change: Change, was: dict[str, Any]) -> dict[str, Any]:
    gone = {keyword.casefold() for keyword in change.remove}
    keywords = [keyword for keyword in was["keywords"] if keyword.casefold() not in gone]
    return {
        "caption": change.caption or was["caption"],
        "title": change.title or was["title"],
        "keywords": [*keywords, *change.add],
    }


def _text(name: str, then: str, now: str) -> Difference:
    parts = word_diff(then, now)
    left, right = [part for part in parts if part.kind != "ins"], [part for part in parts if part.kind != "del"]
    return Difference(LABELS[name], is_list=False, then=left, now=right)


def _keywords(then: list[str], now: list[str]) -> Difference:
    left = [Part("same" if keyword in now else "del", keyword) for keyword in then]
    right = [Part("same" if keyword in then else "ins", keyword) for keyword in now]
    return Difference(LABELS["keywords"], is_list=True, then=left, now=right)


def page(change_sets: QuerySet[ChangeSet], before: UUID | None) -> tuple[list[ChangeSet], UUID | None]:
    """A page of change-sets, newest first, from behind that one on; and the last one's id where there are more."""
    found = change_sets.select_related("account", "requested_by").order_by("-created_at", "-pk")
    last = change_sets.filter(pk=before).first() if before else None
    if last:
        found = found.filter(Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, pk__lt=last.pk))
    shown = list(found[: A_PAGE + 1])
    return shown[:A_PAGE], shown[A_PAGE - 1].pk if len(shown) > A_PAGE else None
