"""Connect a SmugMug account from a machine that has no browser."""

from __future__ import annotations

import contextlib
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from smugmug import grants, oauth
from smugmug.client import SmugMugError
from smugmug.models import Account, Photo
from smugmug.oauth import Token
from smugmug.wire import NOT_GRANTED
from targetvision.people import NoOwner, owner

# What SmugMug answers at the handshake does not say what it has granted.
NOT_KNOWN = (
    "Whether words may be written shows at the first change: SmugMug keeps an earlier, smaller grant. "
    "Raise it there, under Account Settings, Privacy, Authorized Services."
)


class Command(BaseCommand):
    help = "Connect a SmugMug account: prints an address to open anywhere, and asks for the 6-digit code it shows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--owner", metavar="NAME", help="the user the library will belong to")
        parser.add_argument("--modify", action="store_true", help="ask for leave to write approved words back, too")
        parser.add_argument("--token", help="an access token got elsewhere, instead of the handshake")
        parser.add_argument("--token-secret", help="the secret of that token")

    def handle(self, *, owner: str | None, token: str | None, token_secret: str | None, modify: bool, **_: Any) -> None:
        permissions = oauth.MODIFY if modify else oauth.READ
        if bool(token) != bool(token_secret):
            raise CommandError("--token and --token-secret go together.")
        try:
            access = Token(token, token_secret) if token and token_secret else self._handshake(permissions)
            account = oauth.save_account(access, owner=self._owner(owner), permissions=permissions)
        except SmugMugError as exc:
            raise CommandError(exc.advice) from exc
        except (oauth.HandshakeRefused, oauth.AccountTaken, NoOwner) as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(f"{account.nickname} is connected. Next: python manage.py sync_smugmug {account.nickname}")
        if modify:
            self.stdout.write(_about_changes(account))

    def _handshake(self, permissions: str) -> Token:
        token = oauth.request_token(oauth.OUT_OF_BAND)
        address = oauth.authorize_url(token, permissions=permissions)
        self.stdout.write(f"Open this address within five minutes, and allow the access:\n\n{address}\n")
        try:
            code = input("The 6-digit code: ").strip()
        except EOFError:
            raise CommandError("No code was typed, so nothing was connected.") from None
        return oauth.access_token(token, code)

    def _owner(self, name: str | None) -> Any:
        user, password = owner(name)
        if password:
            self.stdout.write(f"Made the first user: {user.get_username()}, password {password}")
        return user


def _about_changes(account: Account) -> str:
    """Whether SmugMug lets us write, which it tells only of a photo: of one that was mirrored before."""
    photo = Photo.objects.present().filter(account=account).first()
    if photo is None:
        return NOT_KNOWN
    try:
        with contextlib.closing(oauth.connect(account)) as client:
            may_change = grants.check(account, f"/api/v2/image/{photo.image_id}", client=client)
    except SmugMugError:
        return NOT_KNOWN
    return "SmugMug lets words be written." if may_change else f"{NOT_GRANTED} Then have it checked under Publish."
