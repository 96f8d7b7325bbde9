"""Connect, sync, pictures. Pages that show words are metadata's."""

from __future__ import annotations

import logging
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db import connection
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from smugmug import images, jobs, oauth, sync
from smugmug.client import SmugMugError
from smugmug.forms import CodeForm
from smugmug.models import Account, Photo, SyncRun
from targetvision import gate, progress
from targetvision.access import SignedInRequest, changeable, visible
from targetvision.encryption import decrypt, encrypt
from targetvision.models import Run, RunState
from targetvision.progress import RunCard

logger = logging.getLogger(__name__)

HANDSHAKE = "smugmug_handshake"  # in the session: the request token and its secret, encrypted
PICTURE_SECONDS = 86_400


def connect(request: SignedInRequest) -> HttpResponse:
    """GET tells what connecting means; POST begins it and goes on to SmugMug."""
    if request.method != "POST":
        return _connect_page(request)
    by_code = "by_code" in request.POST
    callback = oauth.OUT_OF_BAND if by_code else request.build_absolute_uri(reverse("smugmug:callback"))
    try:
        token = oauth.request_token(callback)
    except (SmugMugError, oauth.HandshakeRefused) as exc:
        return _trouble(request, exc)
    request.session[HANDSHAKE] = encrypt(f"{token.token} {token.secret}")
    if by_code:
        return _connect_page(request, authorize_url=oauth.authorize_url(token), form=CodeForm())
    return redirect(oauth.authorize_url(token))


@require_GET
def callback(request: SignedInRequest) -> HttpResponse:
    """Where SmugMug sends the browser back to, with a yes or a no."""
    token = _handshake(request)
    if token is None or request.GET.get("oauth_token") != token.token:
        return _trouble(
            request,
            oauth.HandshakeRefused("This answer of SmugMug's belongs to no connection begun here. Start again."),
        )
    verifier = request.GET.get("oauth_verifier")
    if not verifier:
        del request.session[HANDSHAKE]
        return _trouble(request, oauth.HandshakeRefused("You did not allow it on SmugMug, so nothing was connected."))
    return _finish(request, token, verifier)


@require_POST
def verify(request: SignedInRequest) -> HttpResponse:
    """The typed-in code, where no callback can come back."""
    token = _handshake(request)
    if token is None:
        return _trouble(request, oauth.HandshakeRefused("No connection was begun here. Start again."))
    form = CodeForm(request.POST)
    if not form.is_valid():
        return _connect_page(request, authorize_url=oauth.authorize_url(token), form=form, status=422)
    return _finish(request, token, form.cleaned_data["code"].strip())


def _handshake(request: SignedInRequest) -> oauth.Token | None:
    token, _, secret = decrypt(request.session.get(HANDSHAKE, "")).partition(" ")
    return oauth.Token(token, secret) if secret else None


def _finish(request: SignedInRequest, token: oauth.Token, verifier: str) -> HttpResponse:
    del request.session[HANDSHAKE]  # it works once
    try:
        account = oauth.save_account(oauth.access_token(token, verifier), owner=request.user)
    except (SmugMugError, oauth.HandshakeRefused, oauth.AccountTaken) as exc:
        return _trouble(request, exc)
    logger.info("account %s connected by user %s", account.pk, request.user.pk)
    messages.success(request, f"{account.nickname} is connected. Sync it to bring the library in.")
    return redirect("dashboard")


def _trouble(request: SignedInRequest, exc: Exception) -> HttpResponse:
    """Nothing was connected: say why, on the page where one starts again."""
    logger.warning("no account connected for user %s: %s", request.user.pk, exc)
    messages.error(request, exc.advice if isinstance(exc, SmugMugError) else str(exc))
    return redirect("smugmug:connect")


def _connect_page(
    request: SignedInRequest, *, authorize_url: str = "", form: CodeForm | None = None, status: int = 200
) -> HttpResponse:
    context = {
        "configured": oauth.is_configured(),
        "accounts": Account.objects.visible_to(request.user),
        "code_wanted": bool(authorize_url),
        "authorize_url": authorize_url,
        "callback_host": request.get_host(),
        "form": form,
    }
    return render(request, "smugmug/connect.html", context, status=status)


@require_POST
def start_sync(request: SignedInRequest, nickname: str) -> HttpResponse:
    """Begin a full sync, or say that one is under way."""
    account = changeable(request, Account.objects.all(), nickname=nickname)
    if not account.is_connected:
        messages.error(request, f"{account} is not connected. Connect it again first.")
        return redirect("smugmug:connect")
    run, is_new = sync.start(account, by=request.user)
    if is_new:
        jobs.sync_account.delay(str(run.pk))
    else:
        messages.info(request, "A sync of this library is already under way.")
    return redirect("dashboard")


@require_GET
def sync_run(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """How far a sync is, as a fragment that asks again until it is over."""
    run = visible(request, SyncRun.objects.select_related("account"), pk=pk)
    return progress.fragment(request, card(run, may_change=may_change(request, run)))


@require_POST
def cancel_sync(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Stop a sync; what it has brought in stays."""
    run = changeable(request, SyncRun.objects.all(), pk=pk)
    if run.cancel():
        messages.info(request, "The sync was cancelled. What it had brought in stays.")
    return redirect("dashboard")


@require_GET
def image(request: SignedInRequest, token: str) -> HttpResponse:
    """A picture, for those who may see its library; a drawing that says why where there is none."""
    try:
        photo_id, size = images.read_address(token)
    except images.BadAddress:
        raise Http404 from None
    photo = visible(request, Photo.objects.only("image_id", "is_video"), pk=photo_id)
    try:
        data = images.on_disk(photo, size) or _fetched(photo, size)
    except (SmugMugError, oauth.NotConfigured) as exc:
        logger.warning("photo %s: no %s picture: %s", photo.pk, size, exc)
        return _drawing("Video" if photo.is_video else "Not available from SmugMug")
    headers = {"Cache-Control": f"private, max-age={PICTURE_SECONDS}, immutable"}
    return HttpResponse(data, content_type="image/jpeg", headers=headers)


def _fetched(photo: Photo, size: str) -> bytes:
    """From SmugMug, which may take its time: meanwhile the connection is in the pool, for other pages."""
    photo = Photo.objects.select_related("account").get(pk=photo.pk)
    if not connection.in_atomic_block:
        connection.close()
    with gate.outside():
        return images.fetch(photo, size, client=oauth.connect_for_page(photo.account))


def _drawing(text: str) -> HttpResponse:
    drawing = render_to_string("smugmug/no_picture.svg", {"text": text})
    return HttpResponse(drawing, content_type="image/svg+xml", headers={"Cache-Control": "no-store"})


def may_change(request: SignedInRequest, run: Run) -> bool:
    """Whether the person may stop the run or let it go on."""
    return type(run).objects.changeable_by(request.user).filter(pk=run.pk).exists()  # type: ignore[no-any-return]


def card(run: SyncRun, *, may_change: bool) -> RunCard:
    """The sync as a page shows it, with its buttons where the person may press them."""
    titles = {
        RunState.SUCCEEDED: "Sync finished",
        RunState.PARTIAL: f"Sync finished, {run.error_count} album{'s' * (run.error_count != 1)} could not be read",
        RunState.FAILED: "Sync failed",
        RunState.CANCELLED: "Sync cancelled",
    }
    figures = _figures_so_far(run) if run.is_active else _figures_in_the_end(run)
    return RunCard(
        run,
        title=titles.get(RunState(run.state), f"Syncing {run.account}"),
        figures=figures if run.started_at else "",
        detail=f"SmugMug allows {settings.SMUGMUG_REQUESTS_PER_SECOND:g} requests a second." if run.is_active else "",
        poll_url=reverse("smugmug:sync_run", args=[run.pk]),
        cancel_url=reverse("smugmug:cancel_sync", args=[run.pk]) if run.is_active and may_change else "",
        queue="smugmug",
        errors=run.errors,
    )


def _figures_so_far(run: SyncRun) -> str:
    seconds = run.seconds or 0
    return progress.figures(
        f"album {run.done:,} of {run.total:,}" if run.total is not None else "reading the list of albums",
        f"{run.photos_seen:,} photos seen",
        f"{run.requests_made / seconds:.1f} requests a second" if seconds >= 1 else "",
        progress.time_left(run),
        f"{run.albums_locked:,} locked" if run.albums_locked else "",
    )


def _figures_in_the_end(run: SyncRun) -> str:
    return progress.figures(
        f"{run.photos_seen:,} photos in {run.done:,} albums",
        f"{run.photos_new:,} new",
        f"{run.photos_removed:,} removed" if run.photos_removed else "",
        f"{run.albums_locked:,} locked" if run.albums_locked else "",
    )
