"""Bursts: the frames of one, and what a person takes out of it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from metadata import library, stacks
from metadata.models import AIMetadata
from targetvision.access import SignedInRequest, changeable, visible
from targetvision.templates import template_for


@require_GET
def stack(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """The frames of the burst that the words stand in, each with its own state, and those that were taken out."""
    words: AIMetadata = visible(request, AIMetadata.objects.with_photo(), pk=pk)
    burst = stacks.burst(words)
    frames = burst.frames if burst else []
    taken_out = stacks.taken_out_near(words, frames)
    for frame in [*frames, *taken_out]:
        library.dress_photo(frame.photo)
    context = {
        "here": "review",
        "words": words,
        "burst": burst,
        "frames": frames,
        "taken_out": taken_out,
        "may_change": AIMetadata.objects.changeable_by(request.user).filter(pk=pk).exists(),
    }
    return render(request, template_for(request, "metadata/stack.html", partial="burst"), context)


@require_POST
def take_out(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Let a frame stand alone: it is decided on by itself from now on."""
    words: AIMetadata = changeable(request, AIMetadata.objects.with_photo(), pk=pk)
    others = stacks.members(words).exclude(pk=pk)
    rest = others.first()
    if stacks.take_out(words, by=request.user):
        messages.success(request, f"“{words.photo.name}” stands alone now. Its words are decided on by themselves.")
    else:
        messages.info(request, f"“{words.photo.name}” was in no burst any more.")
    return redirect("metadata:stack", rest.pk if rest else pk)


@require_POST
def put_back(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Let a frame that was taken out stand in its burst again."""
    words: AIMetadata = changeable(request, AIMetadata.objects.with_photo(), pk=pk)
    if not stacks.put_back(words, by=request.user):
        messages.info(request, f"“{words.photo.name}” had not been taken out.")
    elif words.stack:
        messages.success(request, f"“{words.photo.name}” is back in its burst.")
    else:
        messages.info(request, f"“{words.photo.name}” may be stacked again, but no frame beside it looks like it.")
    return redirect("metadata:stack", pk)
