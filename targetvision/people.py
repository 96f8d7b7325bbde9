"""Who owns what a command on this machine connects."""

from __future__ import annotations

import secrets

from django.contrib.auth.models import User

FIRST_USER = "admin"


class NoOwner(Exception):
    """It is not clear whose it shall be; str() is the sentence for the person."""


def owner(name: str | None) -> tuple[User, str | None]:
    """The user of that name; without a name the only user there is, or a new `admin` and their password.

    NoOwner where there is no such user, or where there are several to choose from.
    """
    if name:
        user = User.objects.filter(username=name).first()
        if user is None:
            raise NoOwner(f"There is no user {name!r}. Make one with: python manage.py createsuperuser")
        return user, None
    users = list(User.objects.order_by("pk")[:2])
    if len(users) > 1:
        raise NoOwner("There are several users; say whose the library is with --owner NAME.")
    if users:
        return users[0], None
    password = secrets.token_urlsafe(9)
    return User.objects.create_superuser(FIRST_USER, password=password), password
