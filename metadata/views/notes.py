"""What people know about a library or an album, for the model to take for true."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from metadata import notes
from metadata.forms import NoteForm
from smugmug.models import Account, Album
from targetvision.access import SignedInRequest, changeable

LOST_RACE = 409


@require_POST
def account_note(request: SignedInRequest, nickname: str) -> HttpResponse:
    """Write the note on a library, or take it away."""
    account = changeable(request, Account.objects.all(), nickname=nickname)
    return _save(request, account, reverse("metadata:prompts", args=[nickname]))


@require_POST
def album_note(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Write the note on an album, or take it away."""
    album = changeable(request, Album.objects.select_related("account"), pk=pk)
    return _save(request, album, reverse("metadata:album", args=[pk]))


def _save(request: SignedInRequest, about: Account | Album, page: str) -> HttpResponse:
    """Back on the page where the note stands; or the form alone, with what is to be mended."""
    form = NoteForm(request.POST)
    context: dict[str, Any] = {"here": "", "about": about, "page": page, "form": form}
    if not form.is_valid():
        return render(request, "metadata/note.html", context, status=422)
    try:
        notes.save(about, form.cleaned_data["text"], by=request.user, on_page=form.cleaned_data["seen"])
    except notes.AlreadyChanged as exc:
        messages.warning(request, str(exc))
        stands = notes.of(about)
        data = request.POST.copy()
        data["seen"] = stands.text if stands else ""
        context |= {"form": NoteForm(data), "stands": stands}
        return render(request, "metadata/note.html", context, status=LOST_RACE)
    is_gone = not form.cleaned_data["text"]
    messages.success(request, "The note is gone." if is_gone else "The note is saved, and told from now on.")
    return redirect(page)
