"""Review, one photo at a time: the next comes by itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from metadata import history, library, workflow
from metadata.forms import RejectForm, WordsForm
from metadata.models import AIMetadata
from smugmug.models import Account
from targetvision.access import SignedInRequest, changeable
from targetvision.templates import template_for

UPCOMING = 6
LOST_RACE = 409


@require_GET
def review(request: SignedInRequest) -> HttpResponse:
    """The photo asked for, else the first that waits."""
    wanted = request.GET.get("photo", "")
    if wanted:
        words = changeable(request, AIMetadata.objects.with_photo(), photo=_uuid(wanted))
    else:
        words = _queue(request).first()
    return _page(request, words)


@require_POST
def approve(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Approve the words as the curator leaves them, and go on."""
    words = changeable(request, AIMetadata.objects.with_photo(), pk=pk)
    form = WordsForm(request.POST)
    if not form.is_valid():
        return _page(request, words, form=form, status=422)
    try:
        workflow.approve(words, by=request.user, version=form.cleaned_data["version"], changes=form.changes)
    except workflow.AlreadyDecided as exc:
        return _lost_race(request, words, exc)
    return _go_on(request, words, f"“{words.photo.name}” is approved.")


@require_POST
def reject(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Reject the words with a reason, and go on."""
    words = changeable(request, AIMetadata.objects.with_photo(), pk=pk)
    form = RejectForm(request.POST)
    if not form.is_valid():
        return _page(request, words, reject_form=form, status=422)
    try:
        workflow.reject(words, by=request.user, version=form.cleaned_data["version"], reason=form.sentence)
    except workflow.AlreadyDecided as exc:
        return _lost_race(request, words, exc)
    return _go_on(request, words, f"“{words.photo.name}” is rejected: {form.sentence}.")


def _lost_race(request: SignedInRequest, words: AIMetadata, exc: workflow.AlreadyDecided) -> HttpResponse:
    """Tell who was faster, beside what the person had typed; a second press would overrule it knowingly."""
    messages.warning(request, str(exc))
    data = request.POST.copy()
    data["version"] = str(words.version)
    form = WordsForm(data) if "description" in data else None
    reject_form = RejectForm(data) if "reason" in data else None
    return _page(request, words, form=form, reject_form=reject_form, status=LOST_RACE)


def _go_on(request: SignedInRequest, words: AIMetadata, sentence: str) -> HttpResponse:
    messages.success(request, sentence)
    following = _following(request, words).first() or _queue(request).first()
    url = f"{reverse('metadata:review')}?photo={following.photo_id}" if following else reverse("metadata:review")
    if not getattr(request, "htmx", False):
        return redirect(url)
    response = _page(request, following)
    response["HX-Push-Url"] = url
    return response


def _page(
    request: SignedInRequest,
    words: AIMetadata | None,
    *,
    form: WordsForm | None = None,
    reject_form: RejectForm | None = None,
    status: int = 200,
) -> HttpResponse:
    template = template_for(request, "metadata/review.html", partial="card")
    if words is None:
        return render(request, template, {"here": "review", "photo": None, **_progress(request)}, status=status)
    upcoming = [row.photo for row in _following(request, words)[:UPCOMING]]
    library.dress_photo(words.photo)
    context: dict[str, Any] = {
        "here": "review",
        "words": words,
        "photo": words.photo,
        "form": form or WordsForm.of(words),
        "reject_form": reject_form or RejectForm(initial={"version": words.version}),
        "history": history.steps(words),
        "waiting": _queue(request).count(),
        "upcoming": upcoming,
        "skip_url": f"{reverse('metadata:review')}?photo={upcoming[0].pk}" if upcoming else reverse("metadata:review"),
    }
    return render(request, template, context, status=status)


def _progress(request: SignedInRequest) -> dict[str, int]:
    figures = library.figures(Account.objects.visible_to(request.user)).values()
    return {
        "described": sum(each.described for each in figures),
        "undescribed": sum(each.undescribed for each in figures),
    }


def _queue(request: SignedInRequest) -> Any:
    return AIMetadata.objects.changeable_by(request.user).for_review().in_review_order().with_photo()


def _following(request: SignedInRequest, words: AIMetadata) -> Any:
    return _queue(request).following(words)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
