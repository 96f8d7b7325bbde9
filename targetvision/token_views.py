"""Settings: the person's tokens. Each is on a page once, in the answer to the press that made it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from targetvision import tokens
from targetvision.access import SignedInRequest, visible
from targetvision.forms import TokenForm
from targetvision.models import ApiToken

PAST_SHOWN = 20


@require_http_methods(["GET", "HEAD", "POST"])
def token_list(request: SignedInRequest) -> HttpResponse:
    """The person's tokens; a form that is sent makes one, and shows it this once."""
    if request.method != "POST":
        return _page(request, TokenForm())
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        token, text = tokens.make(request.user, **form.cleaned_data)
    except tokens.NotPossible as exc:
        form.add_error("name", str(exc))
        return _page(request, form, status=422)
    return _page(request, TokenForm(), made=(token, text))


@require_POST
def revoke_token(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Let a token open nothing from now on."""
    token: ApiToken = visible(request, ApiToken.objects.all(), pk=pk)
    if tokens.revoke(token):
        messages.success(request, f"“{token}” is revoked, and refused at its next request.")
    else:
        messages.info(request, f"“{token}” was revoked before.")
    return redirect("tokens")


def _page(
    request: SignedInRequest, form: TokenForm, *, made: tuple[ApiToken, str] | None = None, status: int = 200
) -> HttpResponse:
    """The page, which no browser and no proxy keeps."""
    mine = ApiToken.objects.visible_to(request.user).newest_first()
    context = {
        "here": "settings",
        "form": form,
        "made": made,
        "tokens": mine.kept(),
        "past": mine.filter(revoked_at__isnull=False)[:PAST_SHOWN],
    }
    response = render(request, "tokens.html", context, status=status)
    response["Cache-Control"] = "private, no-store"
    return response
