"""Review, one photo at a time: the next ones are ready before they are asked for.

A decision comes as a plain form and leads to the next photo; or it comes from `behind` a page that shows the next one
already, and is answered in JSON with what came of it, and with the card where the person has to look at it again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from metadata import bulk, decks, focus, library, queue, regenerate, review_claims, sides, stacks, tags, workflow
from metadata.decks import Deck
from metadata.forms import RejectForm, WordsForm
from metadata.forms_focus import MOST_AHEAD, ApproveForm, DeckForm, RegenerateForm, TagsForm, TakeForm, UndoForm
from metadata.models import AIMetadata, Decision
from metadata.queue import ReviewFilter
from metadata.views import filtering, say_once
from smugmug.models import Account
from targetvision.access import SignedInRequest, changeable, visible

LOST_RACE = 409
NOT_DESCRIBED = "This photo is not described yet. Approve it with a description of yours instead."


# --- Pages -------------------------------------------------------------------------------------------------------


@require_GET
def review(request: SignedInRequest) -> HttpResponse:
    """The photo asked for, else the first that the filter finds."""
    photo = request.GET.get("photo", "")
    return _page(request, changeable(request, _rows(), photo=_uuid(photo)) if photo else None)


@require_GET
def previous(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """On to the photo before the one with those words; nothing before it, and it is that one again."""
    words = changeable(request, _rows(), pk=pk)
    wanted, _ = ReviewFilter.read(request.GET)
    found = decks.previous_for(request.user, wanted, words)
    if not found:
        messages.info(request, "This is the first one.")
    return redirect(_address(wanted, found or words))


@require_GET
def cards(request: SignedInRequest) -> HttpResponse:
    """Cards for a page that goes on by itself, as fragments; and which of its deck others are being shown by now."""
    form = DeckForm(request.GET)
    if not form.is_valid():
        return HttpResponse("There is no such card.", status=422, content_type="text/plain; charset=utf-8")
    wanted, _ = ReviewFilter.read(request.GET)
    known = AIMetadata.objects.changeable_by(request.user).filter(pk__in=form.cleaned_data["deck"])
    before = set(known.values_list("pk", flat=True))
    deck = _asked_for(request, wanted, form.cleaned_data, before)
    context = {"cards": focus.cards(deck.rows), "taken": sorted(before - deck.held), "query": wanted.text_form()}
    return render(request, "metadata/_cards.html", context)


@require_GET
def complete_tag(request: SignedInRequest, nickname: str) -> JsonResponse:
    """Tags of the library that begin with what was typed."""
    account = visible(request, Account.objects.all(), nickname=nickname)
    form = TagsForm(request.GET)
    found = tags.complete(account, form.cleaned_data["q"]) if form.is_valid() else []
    return JsonResponse({"tags": found})


def _asked_for(request: SignedInRequest, wanted: ReviewFilter, asked: dict[str, Any], before: set[UUID]) -> Deck:
    """With what of the deck is still the person's; one photo that is asked for is shown whoever else looks at it."""
    if not (asked["of"] or asked["before"]):
        after = changeable(request, _rows(), pk=asked["beyond"]) if asked["beyond"] else None
        return decks.deck_for(request.user, wanted, after, asked["count"] or MOST_AHEAD, beside=before)
    if asked["of"]:
        found = changeable(request, _rows(), photo=asked["of"])
    else:
        found = decks.previous_for(request.user, wanted, changeable(request, _rows(), pk=asked["before"]))
    rows = [found] if found else []
    return Deck(rows, review_claims.hold(request.user, before | {row.pk for row in rows}))


# --- Decisions ---------------------------------------------------------------------------------------------------


@require_POST
def approve(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Approve the words as the person leaves them, and go on."""
    words = _decided_on(request, pk)
    form = ApproveForm.of(words, data=request.POST, auto_id=f"{pk.hex}_%s")
    if not form.is_valid():
        return _not_saved(request, words, _sentence(form), form=form)
    version, members, before = form.cleaned_data["version"], not form.cleaned_data["alone"], words.words
    try:
        decision = workflow.approve(words, by=request.user, version=version, changes=form.changes, members=members)
    except workflow.AlreadyDecided as exc:
        approved = AIMetadata.Review.APPROVED
        if earlier := _sent_twice(request, words, version, review_status=approved, **form.changes):
            return _go_on(request, words, stacks.approved(words, earlier), earlier)
        return _lost_race(request, words, exc)
    say_once.remember(request, words, before)
    return _go_on(request, words, stacks.approved(words, decision), decision)


@require_POST
def reject(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Reject the words with a reason, and go on."""
    words = _decided_on(request, pk)
    form = RejectForm(request.POST, auto_id=f"{pk.hex}_reject_%s")
    if not form.is_valid():
        return _not_saved(request, words, _sentence(form), reject_form=form)
    said = f"“{words.photo.name}” is rejected: {form.sentence}."
    version = form.cleaned_data["version"]
    try:
        decision = workflow.reject(words, by=request.user, version=version, reason=form.sentence)
    except workflow.AlreadyDecided as exc:
        rejected = AIMetadata.Review.REJECTED
        if earlier := _sent_twice(request, words, version, review_status=rejected, rejection_reason=form.sentence):
            return _go_on(request, words, said, earlier)
        return _lost_race(request, words, exc)
    return _go_on(request, words, said, decision)


@require_POST
def take(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Let what SmugMug or the AI has stand in a field; what was typed in the others is kept with it, as an edit."""
    words = changeable(request, _rows(), pk=pk)
    if not words.is_described:  # an answer to come would be written over it
        form = _as_sent(request, words)
        form.add_error(None, NOT_DESCRIBED)
        return _not_saved(request, words, NOT_DESCRIBED, form=form)
    choice = TakeForm(request.POST)
    value = sides.value_of(words, focus.answer_of(words), choice.field, choice.side) if choice.is_valid() else None
    if not value:
        said = _sentence(choice) if choice.errors else f"{sides.NAMES[choice.side]} has nothing to take."
        return _not_saved(request, words, said, form=_as_sent(request, words))
    data = request.POST.copy()
    data.setlist(choice.field, value if choice.field == "categories" else [_joined(value)])
    form = ApproveForm.of(words, data=data, auto_id=f"{pk.hex}_%s")
    if not form.is_valid():
        return _not_saved(request, words, _sentence(form), form=form)
    before = words.words
    try:
        workflow.edit(words, by=request.user, version=form.cleaned_data["version"], changes=form.changes)
    except workflow.AlreadyDecided as exc:
        return _lost_race(request, words, exc)
    say_once.remember(request, words, before)
    messages.success(request, f"{sides.NAMES[choice.side]}’s {sides.FIELDS[choice.field][0]} stands now.")
    wanted, _ = ReviewFilter.read(request.GET)
    return redirect(_address(wanted, words))


@require_POST
def describe_again(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Have the photo described once more, with what the person notes, and go on; the words come back for review."""
    words = _decided_on(request, pk)
    form = RegenerateForm(request.POST, auto_id=f"{pk.hex}_again_%s")
    if form.is_valid():
        try:
            regenerate.start(words.photo, by=request.user, note=form.cleaned_data["note"])
        except regenerate.NotPossible as exc:
            form.add_error(None, str(exc))
    if form.errors:
        return _not_saved(request, words, _sentence(form), again_form=form)
    return _go_on(request, words, f"“{words.photo.name}” is being described again, and comes back for review.")


@require_POST
def undo(request: SignedInRequest) -> HttpResponse:
    """Take back the person's decision about one photo, and show that photo."""
    form = UndoForm(request.POST)
    if not form.is_valid():
        return _not_saved(request, None, _sentence(form))
    own = Decision.objects.filter(requested_by=request.user, photo__isnull=False)
    decision = changeable(request, own, pk=form.cleaned_data["decision"])
    words = changeable(request, _rows(), pk=decision.photo_id)
    try:
        bulk.undo(decision, by=request.user)
    except bulk.AlreadyUndone as exc:
        return _not_saved(request, words, str(exc), status=LOST_RACE)
    words.refresh_from_db()
    decision.refresh_from_db()
    said = f"Undone: “{words.photo.name}” is as it was."
    if decision.undo_kept:
        said = f"Undone where nobody has changed “{words.photo.name}” since."
    if "behind" in request.POST:
        return JsonResponse({**_came_of(request, words, said), "card": _card(request, words)})
    messages.success(request, said)
    wanted, _ = ReviewFilter.read(request.GET)
    return redirect(_address(wanted, words))


# --- Answers -----------------------------------------------------------------------------------------------------


def _go_on(request: SignedInRequest, words: AIMetadata, said: str, decision: Decision | None = None) -> HttpResponse:
    """It is saved: on to what comes next, from the beginning again where nothing does."""
    if "behind" in request.POST:
        return JsonResponse(_came_of(request, words, said, decision))
    messages.success(request, said)
    wanted, _ = ReviewFilter.read(request.GET)
    following = decks.next_for(request.user, wanted, words) or decks.next_for(request.user, wanted)
    return redirect(_address(wanted, following))


def _not_saved(
    request: SignedInRequest, words: AIMetadata | None, said: str, *, status: int = 422, **sent: Any
) -> HttpResponse:
    """The page or the card again, with the forms as they were `sent`, by their names on the card."""
    notice = "" if any(form.errors for form in sent.values()) else said  # else it stands beside its field
    if "behind" in request.POST:
        card = _card(request, words, notice=notice, **sent) if words else ""
        return JsonResponse({"said": said, "card": card}, status=status)
    if words is None:
        messages.warning(request, said)
    return _page(request, words, status=status, notice=notice, **sent)


def _lost_race(request: SignedInRequest, words: AIMetadata, exc: workflow.AlreadyDecided) -> HttpResponse:
    """Tell who was faster, beside what the person had typed; a second press would overrule it knowingly."""
    data = request.POST.copy()
    data["version"] = str(words.version)
    sent: dict[str, forms.Form] = {}
    if "description" in data:
        sent["form"] = ApproveForm(data, auto_id=f"{words.pk.hex}_%s")
    if "reason" in data:
        sent["reject_form"] = RejectForm(data, auto_id=f"{words.pk.hex}_reject_%s")
    return _not_saved(request, words, str(exc), status=LOST_RACE, **sent)


def _sent_twice(request: SignedInRequest, words: AIMetadata, version: int, **stands: Any) -> Decision | None:
    """The person's own decision about this photo that has done what this one asks for: a form sent twice, or again
    after no answer."""
    if words.version != version + 1 or any(getattr(words, name) != value for name, value in stands.items()):
        return None
    own = Decision.objects.filter(requested_by=request.user, photo=words)
    found: Decision | None = own.filter(steps__metadata=words, steps__version=words.version).first()
    return found


def _came_of(
    request: SignedInRequest, words: AIMetadata, said: str, decision: Decision | None = None
) -> dict[str, str]:
    """What a page that went on already is told: a sentence, what `U` would undo where, and how many wait now."""
    last = focus.Undoable(decision.pk, words.photo.name) if decision else focus.last_decision(request.user)
    return {
        "said": said,
        "note": said if decision and (decision.total or 0) > 1 else "",  # it wrote more than the page shows
        "undo": str(last.pk) if last else "",
        "undoes": last.name if last else "",
        "waiting": render_to_string("_waiting.html", request=request),
        "offer": render_to_string("metadata/_say_once.html", request=request),
    }


def _decided_on(request: SignedInRequest, pk: UUID) -> AIMetadata:
    """The words that a decision is about; refused where a page made it for somebody who was signed in before."""
    if request.POST.get("by", str(request.user.pk)) != str(request.user.pk):
        raise PermissionDenied
    words: AIMetadata = changeable(request, _rows(), pk=pk)
    return words


def _as_sent(request: SignedInRequest, words: AIMetadata) -> WordsForm:
    return ApproveForm(request.POST, auto_id=f"{words.pk.hex}_%s")


def _card(request: SignedInRequest, words: AIMetadata, *, notice: str = "", **sent: Any) -> str:
    wanted, _ = ReviewFilter.read(request.GET)
    context = {"card": replace(focus.card(words), **sent), "query": wanted.text_form(), "notice": notice}
    return render_to_string("metadata/_focus_card.html", context, request=request)


def _page(
    request: SignedInRequest, words: AIMetadata | None, *, status: int = 200, notice: str = "", **sent: Any
) -> HttpResponse:
    wanted, sentences = ReviewFilter.read(request.GET)
    context: dict[str, Any] = {
        "here": "review",
        "query": wanted.text_form(),
        "filters": filtering.bar(request, wanted, sentences, page="focus"),
        "last_decision": focus.last_decision(request.user),
    }
    deck = _deck(request, wanted, words)
    if not deck:
        return render(request, "metadata/review.html", {**context, **_nothing(request, wanted)}, status=status)
    first, upcoming = deck[0], deck[1:]
    query = f"?{context['query']}" if context["query"] else ""
    context |= {
        "card": replace(focus.card(first), **sent),
        "photo": first.photo,
        "words": first,
        "notice": notice if words else "",
        "upcoming": [row.photo for row in upcoming],
        "next_url": _address(wanted, upcoming[0] if upcoming else None),
        "previous_url": f"{reverse('metadata:previous', args=[first.pk])}{query}" if words else "",
    }
    return render(request, "metadata/review.html", context, status=status)


def _deck(request: SignedInRequest, wanted: ReviewFilter, words: AIMetadata | None) -> list[AIMetadata]:
    """The words asked for, or the first that the filter finds, and what comes after them; all held for the person."""
    if words is None:
        return decks.deck_for(request.user, wanted, None, 1 + MOST_AHEAD).rows
    return [words, *decks.deck_for(request.user, wanted, words, MOST_AHEAD, beside=[words.pk]).rows]


def _nothing(request: SignedInRequest, wanted: ReviewFilter) -> dict[str, Any]:
    """Why there is nothing to show."""
    figures = library.figures(Account.objects.visible_to(request.user)).values()
    return {
        "photo": None,
        "is_held": queue.words(request.user, wanted).exists(),
        "described": sum(each.described for each in figures),
        "undescribed": sum(each.undescribed for each in figures),
    }


def _address(wanted: ReviewFilter, words: AIMetadata | None) -> str:
    """The page with that photo, or with the first one, and with the filter as it is."""
    parts = [f"photo={words.photo_id}" if words else "", wanted.text_form()]
    query = "&".join(filter(None, parts))
    return f"{reverse('metadata:review')}?{query}" if query else reverse("metadata:review")


def _rows() -> Any:
    return AIMetadata.objects.with_photo()


def _sentence(form: forms.Form) -> str:
    """All that is wrong with a form."""
    return " ".join(str(error) for errors in form.errors.values() for error in errors)


def _joined(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
