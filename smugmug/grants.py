"""Whether SmugMug lets us change a library, as far as is known: what was asked for, and what its answers showed."""

from __future__ import annotations

from smugmug.client import SmugMugClient, SmugMugNotGranted
from smugmug.models import Account
from smugmug.oauth import MODIFY, READ

# SmugMug does not raise a grant when one connects again.
HOW = (
    "SmugMug lets us look at this library, not change it. Raise the permission to Modify on SmugMug, under Account "
    "Settings, Privacy, Authorized Services; then have it checked here."
)


def may_change(account: Account) -> bool:
    return account.granted_permissions == MODIFY


def keep(account: Account, *, may_change: bool) -> None:
    """Remember what an answer of SmugMug's has shown."""
    account.granted_permissions = MODIFY if may_change else READ
    Account.objects.filter(pk=account.pk).update(granted_permissions=account.granted_permissions)


def check(account: Account, image_uri: str, *, client: SmugMugClient) -> bool:
    """Ask SmugMug, and remember its answer. Nothing is changed there; SmugMugError where it does not tell."""
    try:
        client.check_changes_are_granted(image_uri)
    except SmugMugNotGranted:
        keep(account, may_change=False)
        return False
    keep(account, may_change=True)
    return True
