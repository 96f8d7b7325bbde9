"""Review, many at a glance: a page of photos is decided on at once, except for those that are marked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from metadata import bulk, decision_cards, outlook, queue, review_claims, tiles
from metadata.forms import REASONS
from metadata.forms_grid import Kind, PageForm, ReasonForm, TagForm
from metadata.forms_review import Status
from metadata.models import AIMetadata, Decision
from metadata.queue import ReviewFilter
from metadata.views import filtering
from targetvision.access import SignedInRequest
from targetvision.templates import template_for

SIZES = (24, 48, 100)
SIZE_KEPT = "grid_size"  # in the session: links to the grid from elsewhere name none
OTHER_BUTTONS = {"reason", "do", "remove"}  # what the buttons for other decisions send along
LOOK_ONLY = "You may look at this library, but not change it. Its owner can make you a curator."


@dataclass(frozen=True)
class Place:
    """Which page of the grid an address means."""

    wanted: ReviewFilter
    size: int
    cursor: str
    sentences: dict[str, str]

    @classmethod
    def of(cls, request: SignedInRequest) -> Self:
        """What makes no sense in the address is not asked for; without a size it is the person's last one."""
        wanted, sentences = ReviewFilter.read(request.GET)
        sizes = {str(size): size for size in SIZES}
        last = request.session.get(SIZE_KEPT, SIZES[0])
        size = sizes.get(request.GET.get("size", ""), last)
        if size != last:
            request.session[SIZE_KEPT] = size
        return cls(wanted, size, request.GET.get("cursor", ""), sentences)

    def url(self, name: str = "grid", **more: str) -> str:
        """The address of that view for this page."""
        size = "" if self.size == SIZES[0] else str(self.size)
        query = {**self.wanted.query(), "size": size, "cursor": self.cursor, **more}
        chosen = urlencode({key: value for key, value in query.items() if value})
        return reverse(f"metadata:{name}") + (f"?{chosen}" if chosen else "")

    def at(self, cursor: str) -> Self:
        """Another page of the same list."""
        return replace(self, cursor=cursor)


@require_GET
def grid(request: SignedInRequest) -> HttpResponse:
    """A page of photos, the surest first, or the least sure where one reads."""
    return _page(request, Place.of(request))


@require_GET
def count(request: SignedInRequest) -> HttpResponse:
    """How many match, for the button that is about all of them; loaded after the page."""
    wanted, _ = ReviewFilter.read(request.GET)
    found, is_capped = queue.count(request.user, wanted)
    said = outlook.all_that_match(found, is_capped=is_capped).capitalize()
    return HttpResponse(f"{said}…", content_type="text/plain; charset=utf-8")


@require_POST
def hold(request: SignedInRequest) -> HttpResponse:
    """The page is still open: what it shows is shown to nobody else for a while longer."""
    review_claims.renew(request.user)
    return HttpResponse(status=204)


@require_POST
def approve(request: SignedInRequest) -> HttpResponse:
    """Approve what is on the page and not marked, and go on to the next page."""
    form, place = PageForm(request.POST), Place.of(request)
    if not form.is_valid():
        return _mistake(request, place, form)
    if OTHER_BUTTONS & set(request.POST):
        return _page(request, place, form=form, trouble="That button does not approve: nothing was done.", status=422)
    if not form.unmarked:
        return _page(request, place, form=form, trouble="All of this page is marked: nothing was approved.", status=422)
    return _decide(request, form.unmarked, Kind.APPROVE, {}, then=place.at(request.GET.get("next", "")))


@require_POST
def reject(request: SignedInRequest) -> HttpResponse:
    """Reject what is marked, for a reason."""
    form, why, place = PageForm(request.POST), ReasonForm(request.POST), Place.of(request)
    if not form.is_valid():
        return _mistake(request, place, form)
    if not form.marked:
        return _page(request, place, form=form, trouble="Mark the photos to reject first.", status=422)
    if not why.is_valid():
        return _page(request, place, form=form, panel=why, status=422)
    return _decide(request, form.marked, Kind.REJECT, why.params, then=place)


@require_POST
def tag(request: SignedInRequest) -> HttpResponse:
    """Add, remove or replace a tag of what is marked, or of the whole page where nothing is."""
    form, tags, place = PageForm(request.POST), TagForm(request.POST), Place.of(request)
    if not form.is_valid():
        return _mistake(request, place, form)
    if not tags.is_valid():
        return _page(request, place, form=form, panel=tags, status=422)
    return _decide(request, form.meant, tags.kind, tags.params, then=place, form=form)


def _mistake(request: SignedInRequest, place: Place, form: PageForm) -> HttpResponse:
    sentences = (str(sentence) for errors in form.errors.values() for sentence in errors)
    return _page(request, place, trouble=next(sentences), status=422)


def _decide(
    request: SignedInRequest,
    chosen: Mapping[UUID, int],
    kind: Kind,
    params: dict[str, str],
    *,
    then: Place,
    form: PageForm | None = None,
) -> HttpResponse:
    """Carry the decision out at once and go on to `then`, with the marks of `form`; what others were faster on is
    named."""
    changed, lost, frames = _written(request, chosen, kind, params)
    if changed:
        messages.success(request, f"{decision_cards.told(decision_cards.DONE, kind, params, changed)}.")
    asked = Decision(requested_by=request.user, kind=kind, params=params)
    if left := lost - tiles.done_before(asked, {pk: chosen[pk] for pk in lost}):
        messages.warning(request, f"{tiles.who_was_faster(left, asking=request.user)} Those were left as they are.")
    if frames:
        said = (
            "1 frame of a burst was left, and waits"
            if frames == 1
            else f"{frames} frames of bursts were left, and wait"
        )
        messages.warning(request, f"{said} on: somebody has written other words there.")
    if not getattr(request, "htmx", False):
        return redirect(then.url())
    response = _page(request, then, form=form)
    response["HX-Push-Url"] = then.url()
    return response


@transaction.atomic
def _written(
    request: SignedInRequest, chosen: Mapping[UUID, int], kind: Kind, params: dict[str, str]
) -> tuple[int, set[UUID], int]:
    """Decide in all the libraries of the page, or in none: how many were changed, those that others had changed, and
    how many frames beside them were left for what people wrote there."""
    changed, lost, frames = 0, set[UUID](), 0
    for rows in _by_library(request, chosen):
        versions = {row.pk: chosen[row.pk] for row in rows}
        account = rows[0].account
        decision, missed = bulk.decide_page(account, by=request.user, kind=kind, versions=versions, params=params)
        changed, lost, frames = (
            changed + decision.changed,
            lost | missed,
            frames + decision.passed_over - len(missed),
        )
    return changed, lost, frames


def _by_library(request: SignedInRequest, ids: Mapping[UUID, int]) -> list[list[AIMetadata]]:
    """The rows, each library's apart: Http404 where one is not the person's to see, refused where not to change."""
    rows = AIMetadata.objects.filter(pk__in=ids)
    if rows.visible_to(request.user).count() < len(ids):
        raise Http404
    found: dict[int, list[AIMetadata]] = {}
    for row in rows.changeable_by(request.user).select_related("account").order_by("account_id"):
        found.setdefault(row.account_id, []).append(row)
    if sum(map(len, found.values())) < len(ids):
        raise PermissionDenied(LOOK_ONLY)
    return list(found.values())


def _page(
    request: SignedInRequest,
    place: Place,
    *,
    form: PageForm | None = None,
    panel: TagForm | ReasonForm | None = None,
    trouble: str = "",
    status: int = 200,
) -> HttpResponse:
    """The page; after a mistake with its sentence, the marks as they were, and what was typed."""
    accounts = queue.accounts_of(request.user, place.wanted)
    is_waiting = place.wanted.status == Status.WAITING
    readable = accounts or queue.accounts_of(request.user, place.wanted, to_change=False)
    page = _read(request, place, readable, is_shared=bool(accounts) and is_waiting)
    context = {
        "here": "review",
        "filters": filtering.bar(request, place.wanted, place.sentences, page="grid"),
        "tiles": tiles.tiles(page.rows, marked=form.marked if form else (), query=place.wanted.text_form()),
        "tally": tiles.tally(page.rows),
        "complete_url": _completion(page.rows, readable),
        "may_change": bool(accounts),
        "is_waiting": is_waiting,
        "is_held": is_waiting and not page.rows and queue.matching(accounts, place.wanted).exists(),
        "trouble": trouble or (panel.trouble if panel else ""),
        "tag_form": panel if isinstance(panel, TagForm) else TagForm(),
        "reject_form": panel if isinstance(panel, ReasonForm) else ReasonForm(),
        "panel": type(panel).__name__,
        "reasons": REASONS,
        "decisions": decision_cards.current(request.user, accounts),
        "last": decision_cards.last_of(request.user, accounts),
        **_addresses(place, page),
    }
    return render(request, template_for(request, "metadata/grid.html", partial="grid"), context, status=status)


def _read(request: SignedInRequest, place: Place, accounts: Collection[int], *, is_shared: bool) -> queue.Page:
    """The page; of what several decide on, only what nobody else is being shown, and held for this person."""
    reading = queue.Reading(tiles.dressed)
    if is_shared:
        reading = reading._replace(narrowed=review_claims.free_for(request.user))
    page = queue.page(accounts, place.wanted, place.cursor, place.size, reading=reading)
    if not is_shared:
        return page
    held = review_claims.hold(request.user, [row.pk for row in page.rows])
    return replace(page, rows=[row for row in page.rows if row.pk in held])


def _completion(rows: list[Any], nicknames: Mapping[int, str]) -> str:
    """Where tags are completed, from those of the first photo's library."""
    return reverse("metadata:review_tags", args=[nicknames[rows[0].account_id]]) if rows else ""


def _addresses(place: Place, page: queue.Page) -> dict[str, Any]:
    """Where the links and the buttons of the page lead to."""
    first = replace(place, cursor="", size=SIZES[0])
    return {
        "size": place.size,
        "sizes": [(size, first.url(size=str(size)), size == place.size) for size in SIZES],
        "here_url": place.url(),
        "next_url": place.at(page.next_cursor).url() if page.next_cursor else "",
        "previous_url": place.at(page.previous_cursor).url() if page.previous_cursor else "",
        "hold_url": reverse("metadata:grid_hold"),
        "approve_url": place.url("grid_approve", next=page.next_cursor),
        "reject_url": place.url("grid_reject"),
        "tag_url": place.url("grid_tag"),
        "count_url": first.url("grid_count"),
        "approve_all_url": first.url("confirm_all", do="approve"),
        "tag_all_url": first.url("confirm_all", do="tags"),
    }
