"""Connect, sync, pictures. Pages that show words are metadata's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.contrib import messages
from django.db import connection, transaction
from django.forms import Form
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from smugmug import audit, cards, images, jobs, oauth, privacy, sync
from smugmug.client import SmugMugError
from smugmug.forms import CodeForm, NeverSendForm, SyncForm
from smugmug.models import Account, Album, Photo, SyncRun
from targetvision import gate, progress
from targetvision.access import SignedInRequest, changeable, visible
from targetvision.back import back
from targetvision.encryption import decrypt, encrypt
from targetvision.models import Run

logger = logging.getLogger(__name__)

HANDSHAKE = "smugmug_handshake"  # in the session: the request token and its secret, encrypted
PERMISSIONS = "smugmug_permissions"  # in the session: what that handshake asks for beyond reading
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
    permissions = oauth.MODIFY if "modify" in request.POST else oauth.READ
    request.session[HANDSHAKE] = encrypt(f"{token.token} {token.secret}")
    request.session.pop(PERMISSIONS, None)
    if permissions != oauth.READ:
        request.session[PERMISSIONS] = permissions
    authorize_url = oauth.authorize_url(token, permissions=permissions)
    return _connect_page(request, authorize_url=authorize_url, form=CodeForm()) if by_code else redirect(authorize_url)


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
        authorize_url = oauth.authorize_url(token, permissions=request.session.get(PERMISSIONS, oauth.READ))
        return _connect_page(request, authorize_url=authorize_url, form=form, status=422)
    return _finish(request, token, form.cleaned_data["code"].strip())


def _handshake(request: SignedInRequest) -> oauth.Token | None:
    token, _, secret = decrypt(request.session.get(HANDSHAKE, "")).partition(" ")
    return oauth.Token(token, secret) if secret else None


def _finish(request: SignedInRequest, token: oauth.Token, verifier: str) -> HttpResponse:
    del request.session[HANDSHAKE]  # it works once
    permissions = request.session.pop(PERMISSIONS, oauth.READ)
    try:
        access = oauth.access_token(token, verifier)
        account = oauth.save_account(access, owner=request.user, permissions=permissions)
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
    """Begin a sync, or say that one is under way."""
    account = changeable(request, Account.objects.all(), nickname=nickname)
    form = SyncForm(request.POST)
    if not form.is_valid():
        return _not_understood(request, form)
    kind = SyncRun.Kind(form.cleaned_data["kind"] or usual_kind(account))
    return _start(request, account, lambda: sync.start(account, by=request.user, kind=kind))


@require_POST
def sync_album(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Begin a sync of one album."""
    album = changeable(request, Album.objects.select_related("account"), pk=pk)
    start = partial(sync.start, kind=SyncRun.Kind.ALBUMS, album_keys=(album.album_key,))
    return _start(request, album.account, lambda: start(album.account, by=request.user))


@require_POST
def retry_sync(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Begin a sync of just the albums that a sync could not read; of the same again, where it was not an album."""
    run = changeable(request, SyncRun.objects.select_related("account"), pk=pk)
    if run.state not in cards.RETRIED:
        messages.info(request, "That sync has left nothing over, so nothing was started.")
        return back(request)
    return _start(request, run.account, lambda: sync.retry(run, by=request.user))


def _start(request: SignedInRequest, account: Account, start: Callable[[], tuple[SyncRun, bool]]) -> HttpResponse:
    """Start, enqueue, and show the page again; 429 where the person has started too often."""
    if not account.is_connected:
        messages.error(request, f"{account} is not connected. Connect it again first.")
        return redirect("smugmug:connect")
    try:
        run, is_new = start()
    except sync.TooManyStarts as exc:
        response = render(request, "429.html", {"happened": str(exc)}, status=429)
        response["Retry-After"] = str(exc.retry_after)
        return response
    if is_new:
        jobs.sync_account.delay(str(run.pk))
    else:
        who = audit.name(audit.starter(run))
        messages.info(request, f"A sync of this library is already under way, begun by {who}.")
    return back(request)


def _not_understood(request: SignedInRequest, form: Form) -> HttpResponse:
    """What only a form that is not ours can bring: the sentence, on a page of its own."""
    sentence = next(iter(form.errors.values()))[0]
    return render(request, "422.html", {"sentence": sentence}, status=422)


def usual_kind(account: Account) -> SyncRun.Kind:
    """What changed, where the library has been read before; else all of it."""
    has_been_read = Album.objects.present().filter(account=account).exclude(synced_at=None).exists()
    return SyncRun.Kind.INCREMENTAL if has_been_read else SyncRun.Kind.FULL


@require_GET
def sync_run(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """How far a sync is, as a fragment that asks again until it is over."""
    run = visible(request, SyncRun.objects.select_related("account"), pk=pk)
    return progress.fragment(request, cards.card(run, may_change=may_change(request, run)))


@require_POST
def cancel_sync(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Stop a sync; what it has brought in stays."""
    run = changeable(request, SyncRun.objects.select_related("account"), pk=pk)
    if sync.cancel(run, by=request.user):
        messages.info(request, "The sync was cancelled. What it had brought in stays.")
    return back(request)


@require_POST
def continue_sync(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Go on at once with a paused sync."""
    run = changeable(request, SyncRun.objects.select_related("account"), pk=pk)
    with transaction.atomic():
        if run.resume():
            audit.record(run.account, who=audit.person(request.user), action="continue", run=run, result=run.state)
            jobs.sync_account.delay(str(run.pk))  # enqueued on commit
    return back(request)


@require_POST
def never_send_album(request: SignedInRequest, pk: UUID) -> HttpResponse:
    """Keep an album from every AI server, or allow it again."""
    album = changeable(request, Album.objects.select_related("account"), pk=pk)
    form = NeverSendForm(request.POST)
    if not form.is_valid():
        return _not_understood(request, form)
    wish: bool = form.cleaned_data["never_send"]
    if privacy.switch(album, never_send=wish, by=request.user):
        messages.success(request, privacy.sentence(f"“{album}”", never_send=wish))
    return back(request)


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
