"""Exports: make one of what a filter finds, follow it, fetch its file, delete it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from metadata import downloads, export_cards, jobs, queue
from metadata import export as exporting
from metadata.forms_export import FormatForm
from metadata.forms_review import Status
from metadata.models import Export
from metadata.queue import ReviewFilter
from metadata.views import filtering
from metadata.views.grid import LOOK_ONLY
from smugmug.models import Account, Album
from targetvision.access import SignedInRequest, changeable, visible

FIRST_FIELDS = ("album", "status", "account")  # the others unfold
ABOUT = {
    Export.Format.CSV: "For Excel and other spreadsheets: a row for each photo.",
    Export.Format.JSON_LINES: "For programs: with who approved what, and what the AI said.",
    Export.Format.XMP: "For darktable, digiKam and other photo programs: a small file beside each photo, in a zip.",
}


@require_GET
def exports(request: SignedInRequest) -> HttpResponse:
    """The form to make one, filled with what the address asks for, and those there are."""
    wanted, sentences = ReviewFilter.read(approved_unless_said(request.GET))
    _refuse_strange_album(request, wanted)
    trouble = "Not all of the address makes sense. The form shows the rest." if sentences else ""
    return _page(request, wanted, FormatForm(), trouble=trouble, sentences=sentences)


@require_GET
def count(request: SignedInRequest) -> HttpResponse:
    """How many photos an export would be about, as a fragment for beside the button."""
    wanted, sentences = ReviewFilter.read(approved_unless_said(request.GET))
    found, is_capped = (0, False) if sentences else queue.count(request.user, wanted)
    context = {"sentences": list(sentences.values()), "found": found, "is_capped": is_capped}
    return render(request, "metadata/exports.html#count", context)


@require_POST
def make(request: SignedInRequest) -> HttpResponse:
    """Export what the filter finds, as a file for each library."""
    wanted, sentences = ReviewFilter.read(approved_unless_said(request.POST))
    form = FormatForm(request.POST)
    _refuse_strange_album(request, wanted)
    if sentences or not form.is_valid():
        return _page(request, wanted, form, trouble="Nothing was exported.", sentences=sentences, status=422)
    try:
        made = [_made(request, account, wanted, form) for account in _accounts(request, wanted)]
    except exporting.NotPossible as exc:
        return _page(request, wanted, form, trouble=str(exc), status=422)
    return redirect("metadata:export", made[0].pk) if len(made) == 1 else redirect("metadata:exports")


def _made(request: SignedInRequest, account: Account, wanted: ReviewFilter, form: FormatForm) -> Export:
    export, is_new = exporting.start(account, by=request.user, format=form.cleaned_data["format"], filter=wanted)
    if is_new:
        jobs.begin_export(export)
    else:
        messages.info(request, "The same is being exported already.")
    return export


@require_GET
def export(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """One export: how far it is, and its file; its card alone for htmx."""
    found: Export = visible(request, Export.objects.select_related("account", "requested_by"), pk=pk)
    [card] = export_cards.cards([found], user=request.user)
    if not getattr(request, "htmx", False):
        return render(request, "metadata/export.html", {"here": "exports", "export": card, "run": found})
    response = render(request, "metadata/_export.html", {"export": card})
    shown_on: str = request.htmx.current_url_abs_path or ""  # type: ignore[attr-defined]
    if not card.is_active and shown_on != reverse("metadata:make_export"):  # which cannot be loaded again
        response["HX-Refresh"] = "true"
    return response


@require_GET
def download(request: SignedInRequest, pk: UUID) -> HttpResponse | FileResponse:
    """The file, to those who may see the library now; 404 where it is not there, or not any more."""
    found: Export = visible(request, Export.objects.select_related("account"), pk=pk)
    return downloads.answer(found)


@require_POST
def cancel(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Stop an export; nothing of it stays."""
    if not exporting.cancel(_export(request, pk), by=request.user):
        messages.info(request, "It was over already.")
    return redirect("metadata:exports")


@require_POST
def delete(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Delete the file of an export."""
    if exporting.delete(_export(request, pk), by=request.user):
        messages.success(request, "Deleted.")
    else:
        messages.info(request, "There is no file to delete.")
    return redirect("metadata:exports")


def _export(request: SignedInRequest, pk: UUID) -> Export:
    found: Export = changeable(request, Export.objects.select_related("account"), pk=pk)
    return found


def approved_unless_said(data: Mapping[str, Any]) -> dict[str, Any]:
    """The filter of an address; what is asked for without a state is what is approved."""
    return {**{name: data[name] for name in data}, "status": data.get("status") or Status.APPROVED.value}


def _refuse_strange_album(request: SignedInRequest, wanted: ReviewFilter) -> None:
    if wanted.album:
        visible(request, Album.objects.all(), pk=wanted.album)


def _accounts(request: SignedInRequest, wanted: ReviewFilter) -> list[Account]:
    """The libraries that it is about, where anything is found; 404 and 403 as everywhere."""
    pks = queue.accounts_of(request.user, wanted)
    if not pks and queue.accounts_of(request.user, wanted, to_change=False):
        raise PermissionDenied(LOOK_ONLY)
    if not pks:
        raise Http404
    found = list(Account.objects.filter(pk__in=pks).order_by("nickname"))
    fitting = [account for account in found if queue.matching([account.pk], wanted).exists()]
    return fitting or found[:1]


def _page(
    request: SignedInRequest,
    wanted: ReviewFilter,
    form: FormatForm,
    *,
    trouble: str = "",
    sentences: Mapping[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    """`sentences` say what is wrong with parts of the filter, by name; `trouble` what came of it."""
    wrong = sentences or {}
    fields = filtering.form_of(request, replace(wanted, order=""))
    del fields.fields["order"]
    may_make = bool(queue.accounts_of(request.user, ReviewFilter()))
    listed = export_cards.cards(export_cards.shown_to(request.user), user=request.user)
    context = {
        "here": "exports",
        "exports": listed,
        "may_make": may_make,
        "formats": [(radio, ABOUT[Export.Format(radio.data["value"])]) for radio in form["format"]],
        "format_errors": form.errors.get("format", []),
        "first": [(fields[name], wrong.get(name, "")) for name in FIRST_FIELDS if name in fields.fields],
        "more": [(field, wrong.get(field.name, "")) for field in fields if field.name not in FIRST_FIELDS],
        "has_more": _asks_for_more(wanted, wrong),
        "trouble": trouble,
    }
    return render(request, "metadata/exports.html", context, status=status)


def _asks_for_more(wanted: ReviewFilter, wrong: Collection[str]) -> bool:
    """Whether one of the fields that unfold is filled, or filled wrongly."""
    names = set(wanted.to_json()) - {*FIRST_FIELDS, "order"}
    return any(getattr(wanted, name) or name in wrong for name in names)
