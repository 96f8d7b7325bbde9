"""Two curators in two browsers: on the same photos at once, and each on their own."""

from __future__ import annotations

from playwright.sync_api import expect

from metadata.models import AIMetadata, MetadataHistory
from smugmug.models import Account, Photo
from tests.browser.conftest import OpenPage
from tests.browser.race import faults, race
from tests.factories import AIMetadataFactory, MembershipFactory

PHOTOS = 20
EACH = 6  # decisions, so that something is left when each is shown some ahead


def described(account: Account, count: int) -> list[AIMetadata]:
    photos = Photo.objects.filter(account=account, is_video=False).order_by("image_key")[:count]
    return [AIMetadataFactory(photo=photo, described=True) for photo in photos]


def test_press_at_the_same_moment_has_one_winner_each_and_loses_no_text(open_page: OpenPage, mirrored: Account) -> None:
    grace = MembershipFactory(user__username="grace", account=mirrored, role="curator").user
    rows = described(mirrored, PHOTOS)
    pages = {user.username: open_page(user=user, refusals=(409,)) for user in (mirrored.owner, grace)}

    outcomes = [race(pages, row, number) for number, row in enumerate(rows)]

    assert faults(rows, outcomes) == []


def test_review_beside_each_other_shows_no_photo_to_both(open_page: OpenPage, mirrored: Account) -> None:
    grace = MembershipFactory(user__username="grace", account=mirrored, role="curator").user
    described(mirrored, PHOTOS)
    pages = [open_page(user=user) for user in (mirrored.owner, grace)]
    for page in pages:
        page.goto("/review/")

    for _ in range(EACH):
        for page in pages:
            title = page.get_by_role("heading", level=1)
            name = title.inner_text()
            page.keyboard.press("a")
            expect(title).not_to_have_text(name)
    for page in pages:
        page.wait_for_load_state("networkidle")

    steps = MetadataHistory.objects.filter(source="person").values_list("changed_by", flat=True)
    assert sorted(steps) == ["user:ada"] * EACH + ["user:grace"] * EACH
    assert AIMetadata.objects.filter(review_status="approved").count() == 2 * EACH
