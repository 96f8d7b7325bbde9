"""What the model is told about a library: its prompts and their versions, and a try on one photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from metadata import jobs, lanes, money, notes, preview, process, prompts
from metadata.forms import ActivateForm, NoteForm, PreviewForm, PromptForm
from metadata.models import AIMetadata, ProcessingRun, Prompt
from metadata.preview import Preview
from smugmug import oauth
from smugmug.models import Account
from targetvision.access import SignedInRequest, changeable, visible

LOST_RACE = 409


@dataclass(frozen=True)
class Stale:
    """How many words are no longer what would be made now, and what making them anew comes to."""

    count: int
    estimate: money.Estimate | None = None

    @property
    def about(self) -> str:
        """`about $1.10`, or what there is to say instead."""
        if self.estimate is None or self.estimate.likely is None:
            return "at an unknown price"
        return f"about {money.dollars(self.estimate.likely)}" if self.estimate.likely else "free of charge"


@require_GET
def prompts_page(request: SignedInRequest, nickname: str) -> HttpResponse:
    """The note on a library, the versions of its prompts, and what is stale."""
    account = visible(request, Account.objects.all(), nickname=nickname)
    active = prompts.active(account)
    described = _described(account)
    rows = Prompt.objects.filter(account=account).order_by("name", "-version")
    context = {
        "here": "settings",
        "account": account,
        "active": active,
        "note_form": NoteForm.of(notes.of(account)),
        "note_url": reverse("metadata:account_note", args=[nickname]),
        "versions": [(prompt, described.get(str(prompt), 0)) for prompt in rows],
        "stale": _stale(account, active),
        "is_describing": ProcessingRun.objects.active().filter(account=account).exists(),
        "may_change": _may_change(request, account),
    }
    return render(request, "metadata/prompts.html", context)


def _described(account: Account) -> dict[str, int]:
    """How many photos stand as each version described them, by its name and number."""
    rows = AIMetadata.objects.filter(photo__account=account, photo__removed_at=None).exclude(prompt="").order_by()
    return dict(rows.values_list("prompt").annotate(count=Count("pk")))


def _stale(account: Account, active: Prompt) -> Stale:
    model = prompts.model_in_use()
    count = prompts.stale_counts([account], model).get(account.pk, 0)
    if not count:
        return Stale(0)
    estimate = money.estimate(
        account,
        photos=count,
        prompt=active,
        model=model,
        embedding_model=settings.OPENAI_EMBEDDING_MODEL,
        pixels=settings.AI_IMAGE_PIXELS,
    )
    return Stale(count, estimate)


@require_GET
def prompt(request: SignedInRequest, nickname: str, pk: int) -> HttpResponse:
    """One version, to read, to change, to try."""
    return _page(request, visible(request, _prompts(nickname), pk=pk))


@require_POST
def edit_prompt(request: SignedInRequest, nickname: str, pk: int) -> HttpResponse:
    """Change a version, or make its next one where it was used."""
    found = changeable(request, _prompts(nickname), pk=pk)
    form = PromptForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form=form, status=422)
    allowed = lanes.vocabulary_of(found.account_id)
    try:
        saved = prompts.edit(found, form.changes, by=request.user, on_page=form.cleaned_data["seen"])
    except prompts.AlreadyChanged as exc:
        return _lost_race(request, found, exc)
    _judge_if_changed(found.account_id, allowed)
    if saved.pk == found.pk:
        messages.success(request, f"{saved} is saved.")
    else:
        messages.success(request, f"{found} has described photos and stays as it is. {saved} is new, not in force yet.")
    return redirect("metadata:prompt", nickname, saved.pk)


@require_POST
def new_prompt(request: SignedInRequest, nickname: str, pk: int) -> HttpResponse:
    """Keep what is on the page as a version of its own, beside the one it began as."""
    found = changeable(request, _prompts(nickname), pk=pk)
    form = PromptForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form=form, status=422)
    saved = prompts.new_version(found, form.changes, by=request.user)
    messages.success(request, f"{saved} is new, not in force yet.")
    return redirect("metadata:prompt", nickname, saved.pk)


@require_POST
def activate_prompt(request: SignedInRequest, nickname: str, pk: int) -> HttpResponse:
    """Have this version asked from now on."""
    found = changeable(request, _prompts(nickname), pk=pk)
    form = ActivateForm(request.POST)
    instead_of = form.cleaned_data["instead_of"] if form.is_valid() else None
    allowed = lanes.vocabulary_of(found.account_id)
    try:
        prompts.activate(found, by=request.user, instead_of=instead_of)
    except prompts.AlreadyChanged as exc:
        messages.warning(request, str(exc))
    else:
        _judge_if_changed(found.account_id, allowed)
        messages.success(request, f"{found} is in force. What is described from now on is asked by it.")
    return redirect("metadata:prompts", nickname)


def _judge_if_changed(account_id: int, allowed: list[str]) -> None:
    """Where other tags are allowed now than before, words may stand in other lanes."""
    if lanes.vocabulary_of(account_id) != allowed:
        jobs.judge_anew.delay(str(account_id))


@require_POST
def preview_prompt(request: SignedInRequest, nickname: str, pk: int) -> HttpResponse:
    """Try a version on one photo: one call, and nothing of it is kept but its row in the ledger."""
    found = changeable(request, _prompts(nickname), pk=pk)
    form = PreviewForm(request.POST)
    if not form.is_valid():
        return _page(request, found, preview_form=form, status=422)
    describer = process.configured_describer()
    try:
        photo = preview.photo_of(found.account, UUID(form.cleaned_data["photo"]), describer=describer)
        if not found.account.is_connected:
            raise preview.NotPossible(f"{nickname} is not connected, so its pictures cannot be fetched.")
        client = oauth.connect_for_page(found.account)
        shown = preview.preview(found, photo, describer=describer, client=client)
    except preview.NotPossible as exc:
        form.add_error("photo", str(exc))
        return _page(request, found, preview_form=form, status=422)
    return _page(request, found, shown=shown)


def _prompts(nickname: str) -> Any:
    return Prompt.objects.select_related("account").filter(account__nickname=nickname)


def _may_change(request: SignedInRequest, account: Account) -> bool:
    return bool(Account.objects.changeable_by(request.user).filter(pk=account.pk).exists())


def _cost(shown: Preview | None) -> str:
    cost = shown.call.cost if shown and shown.call else None
    return "cost unknown" if cost is None else money.dollars(cost) if cost else "free"


def _lost_race(request: SignedInRequest, found: Prompt, exc: prompts.AlreadyChanged) -> HttpResponse:
    """Tell who was faster, beside what the person had typed; a second press would overrule it knowingly."""
    messages.warning(request, str(exc))
    found.refresh_from_db()
    data = request.POST.copy()
    data["seen"] = prompts.seen(found)
    return _page(request, found, form=PromptForm(data), status=LOST_RACE)


def _page(  # noqa: PLR0913 - one keyword for each form of the page
    request: SignedInRequest,
    found: Prompt,
    *,
    form: PromptForm | None = None,
    preview_form: PreviewForm | None = None,
    shown: Preview | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "here": "settings",
        "account": found.account,
        "prompt": found,
        "form": form or PromptForm.of(found, seen=prompts.seen(found)),
        "active": prompts.active(found.account),
        "preview_form": preview_form or PreviewForm(),
        "candidates": preview.candidates(found.account, sends=not money.is_local()),
        "shown": shown,
        "cost": _cost(shown),
        "is_local": money.is_local(),
        "may_change": _may_change(request, found.account),
    }
    return render(request, "metadata/prompt.html", context, status=status)
