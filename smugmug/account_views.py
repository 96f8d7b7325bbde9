"""Settings: who is in a library, and our access to it. Only its owners get here."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from smugmug import members, privacy
from smugmug.forms import MemberForm, NeverSendForm, RoleForm
from smugmug.models import Account, Membership
from targetvision.access import SignedInRequest, visible


@require_GET
def settings(request: SignedInRequest) -> HttpResponse:
    """The person's libraries and, where they own them, who is in them."""
    return _page(request)


@require_POST
def add_member(request: SignedInRequest, nickname: str) -> HttpResponse:
    """Let a person in; a user who had to be made gets a password that is shown once."""
    account = _owned(request, nickname)
    form = MemberForm(request.POST)
    if not form.is_valid():
        return _page(request, account=account, form=form, status=422)
    name = form.cleaned_data["username"]
    try:
        password = members.add(account, username=name, role=form.cleaned_data["role"], by=request.user)
    except members.NotPossible as exc:
        form.add_error("username", str(exc))
        return _page(request, account=account, form=form, status=422)
    if password:
        messages.success(request, f"{name} is new here. Their password, shown this once: {password}")
    else:
        messages.success(request, f"{name} is in.")
    return redirect("smugmug:settings")


@require_POST
def change_role(request: SignedInRequest, nickname: str, pk: int) -> HttpResponse:
    """Give a member another role."""
    membership = _membership(request, nickname, pk)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "That is no role. Nothing was changed.")
        return _page(request, status=422)
    try:
        members.change_role(membership, role=form.cleaned_data["role"], by=request.user)
    except members.NotPossible as exc:
        messages.error(request, str(exc))
    return redirect("smugmug:settings")


@require_POST
def remove_member(request: SignedInRequest, nickname: str, pk: int) -> HttpResponse:
    """Take a member out."""
    membership = _membership(request, nickname, pk)
    try:
        members.remove(membership, by=request.user)
    except members.NotPossible as exc:
        messages.error(request, str(exc))
    else:
        messages.success(request, f"{membership.user} is out. What they decided stays.")
    return redirect("smugmug:settings")


@require_POST
def never_send(request: SignedInRequest, nickname: str) -> HttpResponse:
    """Keep a library from every AI server, or allow it again."""
    account = _owned(request, nickname)
    form = NeverSendForm(request.POST)
    if not form.is_valid():
        return _page(request, account=account, switch=form, status=422)
    wish: bool = form.cleaned_data["never_send"]
    if privacy.switch(account, never_send=wish, by=request.user):
        messages.success(request, privacy.sentence(str(account), never_send=wish))
    return redirect("smugmug:settings")


@require_POST
def disconnect(request: SignedInRequest, nickname: str) -> HttpResponse:
    """Forget our access to the library."""
    account = _owned(request, nickname)
    if members.disconnect(account, by=request.user):
        messages.success(
            request, f"{account} is disconnected: its tokens are forgotten, its photos and words are kept."
        )
    return redirect("smugmug:settings")


def _page(
    request: SignedInRequest,
    *,
    account: Account | None = None,
    form: MemberForm | None = None,
    switch: NeverSendForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page; `form` and `switch` are what did not go through of `account`."""
    accounts = Account.objects.visible_to(request.user).with_members().order_by("nickname")
    owned = set(Account.objects.owned_by(request.user).values_list("pk", flat=True))
    context = {
        "here": "settings",
        "libraries": [
            (each, each.pk in owned, (form if each == account else None) or MemberForm(), each == account and switch)
            for each in accounts
        ],
        "roles": Membership.Role.choices,
    }
    return render(request, "smugmug/settings.html", context, status=status)


def _owned(request: SignedInRequest, nickname: str) -> Account:
    account: Account = visible(request, Account.objects.all(), nickname=nickname)
    if not Account.objects.owned_by(request.user).filter(pk=account.pk).exists():
        raise PermissionDenied("Only an owner of this library can do that.")
    return account


def _membership(request: SignedInRequest, nickname: str, pk: int) -> Membership:
    account = _owned(request, nickname)
    membership: Membership = visible(
        request, Membership.objects.select_related("user", "account"), account=account, pk=pk
    )
    return membership
