"""Publish to SmugMug: what would be written, looked through, armed, followed, and taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from metadata import change_cards, change_plan, jobs, publish, queue
from metadata.forms_publish import ArmForm, LeaveOutForm, RulesForm
from metadata.forms_review import Status
from metadata.models import Change, ChangeSet
from metadata.queue import ReviewFilter
from metadata.views import filtering
from smugmug import grants, oauth
from smugmug.client import SmugMugError
from smugmug.models import Account, Album, Photo
from targetvision.access import SignedInRequest, changeable, visible

PICTURES_A_PAGE = 24
LOST_RACE = 409
LOOK_ONLY = "You may look at this library, but not write to it. Its owner can make you a curator."
FIRST_FIELDS = ("account", "album", "tag", "after", "before", "text")
SHOWS = {
    "": "All",
    "written": "Written",
    "conflict": "Changed on SmugMug",
    "failed": "Failed",
    "reverted": "Put back",
    "revert_conflict": "Kept",
    "revert_failed": "Not put back",
    "left_out": "Left out",
}


@require_GET
def change_sets(request: SignedInRequest) -> HttpResponse:
    """The change-sets of the person's libraries, newest first."""
    found, last = change_cards.page(ChangeSet.objects.visible_to(request.user), _uuid(request.GET.get("before", "")))
    context = {
        "here": "publish",
        "cards": [change_cards.card(each, may_change=False) for each in found],
        "may_change": Account.objects.changeable_by(request.user).exists(),
        "next_url": f"?{urlencode({'before': last})}" if last else "",
        "many_libraries": Account.objects.visible_to(request.user).count() > 1,
    }
    return render(request, "metadata/change_sets.html", context)


def new_change_set(request: SignedInRequest) -> HttpResponse:
    """GET asks what is to be written, by which rules; POST works it out, and shows it."""
    data = request.POST if request.method == "POST" else request.GET
    wanted, sentences = ReviewFilter.read({**data.dict(), "status": Status.APPROVED.value, "order": "", "lane": ""})
    form = RulesForm(request.POST if request.method == "POST" else None)
    if request.method != "POST":
        return _new_page(request, wanted, form, sentences=sentences)
    accounts = _accounts(request, wanted)
    if not form.is_valid() or sentences:
        trouble = form.trouble or "Nothing was prepared. See below why."
        return _new_page(request, wanted, form, trouble, sentences=sentences, status=422)
    if len(accounts) != 1:
        return _new_page(request, wanted, form, "Choose the library. One is written to at a time.", status=422)
    made = publish.prepare(accounts[0], by=request.user, filter=wanted, rules=form.rules)
    return redirect("metadata:change_set", made.pk)


def _accounts(request: SignedInRequest, wanted: ReviewFilter) -> list[Account]:
    """The libraries that may be meant: by name, by the album, or by what the person may change."""
    if wanted.album:
        album = changeable(request, Album.objects.select_related("account"), pk=wanted.album)
        wanted = replace(wanted, account=wanted.account or album.account.nickname)
    found = queue.accounts_of(request.user, wanted)
    if not found and queue.accounts_of(request.user, wanted, to_change=False):
        raise PermissionDenied(LOOK_ONLY)
    if not found and wanted.account:
        raise Http404
    return list(Account.objects.filter(pk__in=found).order_by("nickname"))


def _new_page(
    request: SignedInRequest,
    wanted: ReviewFilter,
    form: RulesForm,
    trouble: str = "",
    *,
    sentences: Mapping[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    """`sentences` say what is wrong with parts of the filter, by name; `trouble` what came of it."""
    wrong = sentences or {}
    fields = filtering.form_of(request, wanted)
    for name in ("status", "order", "lane"):
        fields.fields.pop(name, None)
    elsewhere = [sentence for name, sentence in wrong.items() if name not in fields.fields]
    accounts = Account.objects.changeable_by(request.user).order_by("nickname")
    context = {
        "here": "publish",
        "form": form,
        "rules": [form[name] for name in form.fields],
        "first": [(fields[name], wrong.get(name, "")) for name in FIRST_FIELDS if name in fields.fields],
        "more": [(field, wrong.get(field.name, "")) for field in fields if field.name not in FIRST_FIELDS],
        "has_more_wrong": any(name not in FIRST_FIELDS for name in wrong),
        "may_change": accounts.exists(),
        "not_granted": [account for account in accounts if not grants.may_change(account)],
        "how_to_grant": grants.HOW,
        "trouble": " ".join([*([trouble] if trouble else []), *elsewhere]),
    }
    return render(request, "metadata/new_change_set.html", context, status=status)


@require_GET
def change_set(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """One change-set: what it would write, how far it is, what came of it; its card alone for htmx."""
    found: ChangeSet = visible(request, ChangeSet.objects.select_related("account"), pk=pk)
    if not getattr(request, "htmx", False):
        return _page(request, found)
    card = change_cards.card(found, may_change=_may_change(request, found))
    response = render(request, "_run.html", {"run": card})
    if not card.is_active:
        response["HX-Refresh"] = "true"
    return response


@require_POST
def leave_out(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Leave a picture out of a prepared change-set, or take it in again."""
    found = _change_set(request, pk)
    form = LeaveOutForm(request.POST)
    if not form.is_valid():
        return _page(request, found, trouble="Which picture is meant? Nothing was left out.", status=422)
    row, is_out = form.choice
    try:
        publish.leave_out(found, [row], leave_out=is_out)
    except publish.Stale as exc:
        return _page(request, found, trouble=str(exc), status=LOST_RACE)
    place = urlencode({name: request.POST[name] for name in ("after", "show") if request.POST.get(name)})
    return redirect(f"{reverse('metadata:change_set', args=[pk])}?{place}#change-{row}")


@require_POST
def arm(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Let a change-set be written, by a person who names the library and the number."""
    return _arm(request, pk, publish.arm)


@require_POST
def revert(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Let all that a change-set has written be put back, armed in the same way."""
    return _arm(request, pk, publish.arm_revert)


def _arm(request: SignedInRequest, pk: UUID, let: Any) -> HttpResponse:
    found = _change_set(request, pk)
    form = ArmForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form=form, status=422)
    try:
        let(found, by=request.user, **form.answer)
    except publish.AlreadyArmed as exc:
        return _page(request, found, trouble=str(exc), status=LOST_RACE)
    except publish.NotArmed as exc:
        return _page(request, found, form=form, trouble=str(exc), status=422)
    jobs.publish_changes.delay(str(found.pk))
    return redirect("metadata:change_set", pk)


@require_POST
def discard(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Throw a prepared change-set away; nothing was written."""
    if publish.discard(_change_set(request, pk)):
        messages.info(request, "Thrown away. Nothing was written.")
        return redirect("metadata:change_sets")
    messages.info(request, "It is armed already. Stop it instead.")
    return redirect("metadata:change_set", pk)


@require_POST
def pause(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Stop until somebody lets it go on."""
    publish.pause(_change_set(request, pk), by=request.user)
    return redirect("metadata:change_set", pk)


@require_POST
def go_on(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Go on with a paused change-set."""
    found = _change_set(request, pk)
    if publish.resume(found, by=request.user):
        jobs.publish_changes.delay(str(found.pk))
    return redirect("metadata:change_set", pk)


@require_POST
def cancel(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Stop a change-set for good; what it has written stays, and can be taken back."""
    if publish.cancel(_change_set(request, pk), by=request.user):
        messages.info(request, "Stopped. What was written stays, and can be taken back.")
    return redirect("metadata:change_set", pk)


@require_POST
def check_grant(request: SignedInRequest, nickname: str) -> HttpResponse:
    """Ask SmugMug whether it lets us change this library by now. Nothing is changed there."""
    account: Account = changeable(request, Account.objects.all(), nickname=nickname)
    photo = Photo.objects.present().filter(account=account).first()
    if photo is None:
        messages.info(request, "Sync the library first: SmugMug is asked about one of its photos.")
        return redirect("metadata:new_change_set")
    try:
        client = oauth.connect_for_page(account)
        may_change = grants.check(account, f"/api/v2/image/{photo.image_id}", client=client)
    except (SmugMugError, oauth.NotConfigured) as exc:
        messages.error(request, exc.advice)
    else:
        tell = messages.success if may_change else messages.warning
        tell(request, "SmugMug lets words be written now." if may_change else f"Not yet. {grants.HOW}")
    return redirect(f"{reverse('metadata:new_change_set')}?{urlencode({'account': nickname})}")


# --- The page ------------------------------------------------------------------------------------------------------


def _change_set(request: SignedInRequest, pk: UUID) -> ChangeSet:
    found: ChangeSet = changeable(request, ChangeSet.objects.select_related("account"), pk=pk)
    return found


def _may_change(request: SignedInRequest, found: ChangeSet) -> bool:
    return bool(ChangeSet.objects.changeable_by(request.user).filter(pk=found.pk).exists())


def _page(
    request: SignedInRequest, found: ChangeSet, *, form: ArmForm | None = None, trouble: str = "", status: int = 200
) -> HttpResponse:
    may_change = _may_change(request, found)
    counts = change_plan.count(found) if found.is_prepared else None
    states = change_plan.states(found)
    number = counts.pictures if counts else publish.to_revert(found) if found.may_be_reverted else 0
    context = {
        "here": "publish",
        "change_set": found,
        "card": change_cards.card(found, may_change=may_change),
        "over": change_cards.over(found),
        "facts": change_cards.facts(found),
        "sentences": change_cards.sentences(found, counts) if counts else [],
        "number": number,
        "form": form or ArmForm(initial={"account": found.account.nickname}, auto_id="arm-%s"),
        "may_change": may_change,
        "is_granted": grants.may_change(found.account),
        "how_to_grant": grants.HOW,
        "trouble": trouble,
        **_pictures(request, found, states),
    }
    return render(request, "metadata/change_set.html", context, status=status)


def _pictures(request: HttpRequest, found: ChangeSet, states: dict[str, int]) -> dict[str, Any]:
    """A page of its pictures, from behind the one that the address names."""
    show = request.GET.get("show", "")
    show = show if show in SHOWS else ""
    after = request.GET.get("after", "")
    place = int(after) if after.isascii() and after.isdecimal() and len(after) < 19 else 0
    rows = Change.objects.filter(change_set=found).beyond(place).select_related("photo")
    if show:
        rows = rows.filter(state=show)
    shown = list(rows[: PICTURES_A_PAGE + 1])
    more = len(shown) > PICTURES_A_PAGE
    shown = shown[:PICTURES_A_PAGE]
    return {
        "rows": change_cards.rows(shown, is_over=not found.is_active),
        "show": show,
        "after": place or "",
        "shows": [
            (label, _address(show=name), name == show, states.get(name, 0))
            for name, label in SHOWS.items()
            if not name or name == show or states.get(name)
        ],
        "pictures": states.get(show, 0) if show else sum(states.values()),
        "first_url": _address(show=show) if place else "",
        "next_url": _address(show=show, after=str(shown[-1].pk)) if more else "",
    }


def _address(**query: str) -> str:
    return f"?{urlencode({name: value for name, value in query.items() if value})}"


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
