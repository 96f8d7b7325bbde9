"""Who may do what, as one table over every address and verb of the project.

The addresses come from the URL configuration itself: one that is not in the table fails the test.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from metadata.models import AIMetadata, MetadataHistory
from smugmug import images
from smugmug.models import Account, Membership
from tests.factories import (
    AIMetadataFactory,
    AlbumFactory,
    ApiTokenFactory,
    ChangeSetFactory,
    DecisionFactory,
    ExportFactory,
    MembershipFactory,
    PhotoFactory,
    ProcessingRunFactory,
    PromptFactory,
    SampleFactory,
    SyncRunFactory,
    UserFactory,
)

WHO = ("nobody", "stranger", "viewer", "curator", "owner")
ALL, GATE, NO = 200, 302, 405  # GATE: away to the sign-in page, or back to a page after work done
# name: the answers to (GET by nobody, stranger, viewer, curator, owner), and to POST by the same.
EVERYONE = (GATE, ALL, ALL, ALL, ALL)
NOT_AT_ALL = (GATE, NO, NO, NO, NO)
MEMBERS = (GATE, 404, ALL, ALL, ALL)
CURATORS_DO = (GATE, 404, 403, GATE, GATE)
OWNERS_DO = (GATE, 404, 403, 403, GATE)
# Forms that are sent empty here: those who may send them are told what is wrong with it.
CURATORS_FORM = (GATE, 404, 403, 422, 422)
ANYBODYS_FORM = (GATE, 422, 422, 422, 422)  # it names no library before it is filled in
OWNERS_FORM = (GATE, 404, 403, 403, 422)
# Programs are told that nobody is signed in, and led to no page.
API_EVERYONE = (401, ALL, ALL, ALL, ALL)
API_NOT_AT_ALL = (401, NO, NO, NO, NO)
API_MEMBERS = (401, 404, ALL, ALL, ALL)


def api_curators(answer: int) -> tuple[int, ...]:
    return (401, 404, 403, answer, answer)


TABLE: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "dashboard": (EVERYONE, NOT_AT_ALL),
    "login": ((ALL, GATE, GATE, GATE, GATE), (422, GATE, GATE, GATE, GATE)),
    "logout": ((GATE, NO, NO, NO, NO), (GATE,) * 5),
    "first_run": ((GATE,) * 5, (GATE,) * 5),
    "theme": (NOT_AT_ALL, (GATE,) * 5),
    "password_change": (EVERYONE, (GATE, 422, 422, 422, 422)),
    "password_change_done": (EVERYONE, NOT_AT_ALL),
    "tokens": (EVERYONE, ANYBODYS_FORM),
    "revoke_token": (NOT_AT_ALL, (GATE, 404, 404, 404, GATE)),
    "smugmug:connect": (EVERYONE, (GATE,) * 5),
    "smugmug:callback": ((GATE,) * 5, NOT_AT_ALL),
    "smugmug:verify": (NOT_AT_ALL, (GATE,) * 5),
    "smugmug:sync": (NOT_AT_ALL, CURATORS_DO),
    "smugmug:sync_run": (MEMBERS, NOT_AT_ALL),
    "smugmug:cancel_sync": (NOT_AT_ALL, CURATORS_DO),
    "smugmug:continue_sync": (NOT_AT_ALL, CURATORS_DO),
    "smugmug:retry_sync": (NOT_AT_ALL, CURATORS_DO),
    "smugmug:sync_album": (NOT_AT_ALL, CURATORS_DO),
    "smugmug:never_send_album": (NOT_AT_ALL, CURATORS_FORM),
    "smugmug:never_send": (NOT_AT_ALL, OWNERS_FORM),
    "smugmug:settings": (EVERYONE, NOT_AT_ALL),
    "smugmug:add_member": (NOT_AT_ALL, OWNERS_FORM),
    "smugmug:change_role": (NOT_AT_ALL, OWNERS_FORM),
    "smugmug:remove_member": (NOT_AT_ALL, OWNERS_DO),
    "smugmug:disconnect": (NOT_AT_ALL, OWNERS_DO),
    "smugmug:image": (MEMBERS, NOT_AT_ALL),
    "metadata:albums": (EVERYONE, NOT_AT_ALL),
    "metadata:album": (MEMBERS, NOT_AT_ALL),
    "metadata:process_album": (NOT_AT_ALL, CURATORS_DO),
    "metadata:photo": (MEMBERS, NOT_AT_ALL),
    "metadata:search": (EVERYONE, NOT_AT_ALL),
    "metadata:search_facets": (EVERYONE, NOT_AT_ALL),
    "metadata:prompts": (MEMBERS, NOT_AT_ALL),
    "metadata:prompt": (MEMBERS, NOT_AT_ALL),
    "metadata:edit_prompt": (NOT_AT_ALL, CURATORS_FORM),
    "metadata:new_prompt": (NOT_AT_ALL, CURATORS_FORM),
    "metadata:activate_prompt": (NOT_AT_ALL, CURATORS_DO),
    "metadata:preview_prompt": (NOT_AT_ALL, CURATORS_FORM),
    "metadata:account_note": (NOT_AT_ALL, CURATORS_DO),
    "metadata:album_note": (NOT_AT_ALL, CURATORS_DO),
    "metadata:activity": (EVERYONE, NOT_AT_ALL),
    "metadata:trail": (EVERYONE, NOT_AT_ALL),
    "metadata:ledger": (EVERYONE, NOT_AT_ALL),
    "metadata:figures": (EVERYONE, NOT_AT_ALL),
    "metadata:samples": (EVERYONE, NOT_AT_ALL),
    "metadata:new_sample": (EVERYONE, (GATE, 422, 422, 422, 422)),
    "metadata:sample": ((GATE, 404, 403, ALL, ALL), NOT_AT_ALL),
    "metadata:judge_sample": (NOT_AT_ALL, CURATORS_FORM),
    "metadata:take_back_verdict": (NOT_AT_ALL, (GATE, 404, 403, 409, 409)),  # there is none
    "metadata:extend_sample": (NOT_AT_ALL, CURATORS_FORM),
    "metadata:accept_sample": (NOT_AT_ALL, (GATE, 404, 403, 409, 409)),  # it is not looked through
    "metadata:estimate": ((GATE, 404, 403, ALL, ALL), NOT_AT_ALL),
    "metadata:review": (EVERYONE, NOT_AT_ALL),
    "metadata:previous": ((GATE, 404, 403, GATE, GATE), NOT_AT_ALL),
    "metadata:approve": (NOT_AT_ALL, CURATORS_FORM),
    "metadata:reject": (NOT_AT_ALL, CURATORS_FORM),
    "metadata:stack": (MEMBERS, NOT_AT_ALL),
    "metadata:take_out": (NOT_AT_ALL, CURATORS_DO),
    "metadata:put_back": (NOT_AT_ALL, CURATORS_DO),
    "metadata:decisions": (EVERYONE, NOT_AT_ALL),
    "metadata:decision": (MEMBERS, NOT_AT_ALL),
    "metadata:undo_decision": (NOT_AT_ALL, CURATORS_DO),
    "metadata:cancel_decision": (NOT_AT_ALL, CURATORS_DO),
    "metadata:continue_decision": (NOT_AT_ALL, CURATORS_DO),
    "metadata:exports": (EVERYONE, NOT_AT_ALL),
    "metadata:count_export": (EVERYONE, NOT_AT_ALL),
    "metadata:make_export": (NOT_AT_ALL, ANYBODYS_FORM),
    "metadata:export": (MEMBERS, NOT_AT_ALL),
    "metadata:download_export": ((GATE, 404, 404, 404, 404), NOT_AT_ALL),  # it is not finished
    "metadata:cancel_export": (NOT_AT_ALL, CURATORS_DO),
    "metadata:delete_export": (NOT_AT_ALL, CURATORS_DO),
    "metadata:change_sets": (EVERYONE, NOT_AT_ALL),
    "metadata:new_change_set": (EVERYONE, (GATE, 422, 403, 422, 422)),
    "metadata:change_set": (MEMBERS, NOT_AT_ALL),
    "metadata:leave_out": (NOT_AT_ALL, CURATORS_FORM),
    "metadata:discard_change_set": (NOT_AT_ALL, CURATORS_DO),
    "metadata:arm_change_set": (NOT_AT_ALL, CURATORS_FORM),
    "metadata:revert_change_set": (NOT_AT_ALL, CURATORS_FORM),
    "metadata:pause_publishing": (NOT_AT_ALL, CURATORS_DO),
    "metadata:continue_publishing": (NOT_AT_ALL, CURATORS_DO),
    "metadata:cancel_publishing": (NOT_AT_ALL, CURATORS_DO),
    "metadata:check_grant": (NOT_AT_ALL, CURATORS_DO),
    "metadata:say_once": (NOT_AT_ALL, ANYBODYS_FORM),
    "metadata:say_once_offer": (ANYBODYS_FORM, NOT_AT_ALL),
    "metadata:dismiss_say_once": (NOT_AT_ALL, (GATE,) * 5),
    "metadata:take": (NOT_AT_ALL, CURATORS_FORM),
    "metadata:describe_again": (NOT_AT_ALL, CURATORS_FORM),  # its run is under way already
    "metadata:undo_last": (NOT_AT_ALL, (GATE, 422, 422, 422, 422)),
    "metadata:review_cards": (EVERYONE, NOT_AT_ALL),
    "metadata:review_counts": (EVERYONE, NOT_AT_ALL),
    "metadata:review_filters": (EVERYONE, NOT_AT_ALL),
    "metadata:review_tags": (MEMBERS, NOT_AT_ALL),
    "metadata:grid": (EVERYONE, NOT_AT_ALL),
    "metadata:grid_count": (EVERYONE, NOT_AT_ALL),
    "metadata:grid_hold": (NOT_AT_ALL, (GATE, 204, 204, 204, 204)),
    "metadata:grid_approve": (NOT_AT_ALL, ANYBODYS_FORM),
    "metadata:grid_reject": (NOT_AT_ALL, ANYBODYS_FORM),
    "metadata:grid_tag": (NOT_AT_ALL, ANYBODYS_FORM),
    "metadata:confirm_all": ((GATE, ALL, 403, ALL, ALL), NOT_AT_ALL),
    "metadata:decide_all": (NOT_AT_ALL, (GATE, 422, 403, 422, 422)),
    "metadata:process": (NOT_AT_ALL, CURATORS_DO),
    "metadata:processing_run": (MEMBERS, NOT_AT_ALL),
    "metadata:budget": ((GATE, 404, 403, ALL, ALL), CURATORS_DO),
    "metadata:pause_processing": (NOT_AT_ALL, CURATORS_DO),
    "metadata:cancel_processing": (NOT_AT_ALL, CURATORS_DO),
    "metadata:continue_processing": (NOT_AT_ALL, CURATORS_DO),
    "api:openapi-json": (API_EVERYONE, API_EVERYONE),
    "api:openapi-view": (EVERYONE, EVERYONE),
    "api:api-root": ((401, 404, 404, 404, 404),) * 2,
    "api:accounts": (API_EVERYONE, API_NOT_AT_ALL),
    "api:albums": (API_EVERYONE, API_NOT_AT_ALL),
    "api:photos": (API_MEMBERS, API_NOT_AT_ALL),
    "api:start_sync": (API_NOT_AT_ALL, api_curators(202)),
    "api:start_album_sync": (API_NOT_AT_ALL, api_curators(202)),
    "api:sync_status": (API_MEMBERS, API_NOT_AT_ALL),
    "api:cancel_sync": (API_NOT_AT_ALL, api_curators(ALL)),
    "api:retry_sync": (API_NOT_AT_ALL, api_curators(409)),  # it is under way
    "api:start_processing": (API_NOT_AT_ALL, api_curators(202)),
    "api:processing_status": (API_MEMBERS, API_NOT_AT_ALL),
    "api:estimate_processing": (api_curators(ALL), API_NOT_AT_ALL),
    "api:cancel_processing": (API_NOT_AT_ALL, api_curators(ALL)),
    "api:pause_processing": (API_NOT_AT_ALL, api_curators(ALL)),
    "api:resume_processing": (API_NOT_AT_ALL, api_curators(409)),  # it is not paused
    "api:change_budget": (API_NOT_AT_ALL, (401, 422, 422, 422, 422)),
    "api:prepare_change_set": (API_EVERYONE, (401, 404, 403, 422, 422)),  # its address also lists them
    "api:list_change_sets": (API_EVERYONE, (401, 404, 403, 422, 422)),
    "api:show_change_set": (API_MEMBERS, API_NOT_AT_ALL),
    "api:list_changes": (API_MEMBERS, API_NOT_AT_ALL),
    "api:leave_out_changes": (API_NOT_AT_ALL, (401, 422, 422, 422, 422)),
    "api:arm_change_set": (API_NOT_AT_ALL, (401, 422, 422, 422, 422)),
    "api:revert_change_set": (API_NOT_AT_ALL, (401, 422, 422, 422, 422)),
    "api:discard_change_set": (API_NOT_AT_ALL, api_curators(ALL)),
    "api:pause_publishing": (API_NOT_AT_ALL, api_curators(409)),  # nobody has armed it
    "api:resume_publishing": (API_NOT_AT_ALL, api_curators(409)),
    "api:cancel_publishing": (API_NOT_AT_ALL, api_curators(409)),
    "api:start_export": (API_EVERYONE, (401, 422, 422, 422, 422)),
    "api:list_exports": (API_EVERYONE, (401, 422, 422, 422, 422)),  # the same address
    "api:export_status": (API_MEMBERS, API_NOT_AT_ALL),
    "api:download_export": ((401, 404, 404, 404, 404), API_NOT_AT_ALL),  # it is not finished
    "api:cancel_export": (API_NOT_AT_ALL, api_curators(ALL)),
    "api:delete_export": (API_NOT_AT_ALL, API_NOT_AT_ALL),
    "api:review_queue": (API_EVERYONE, API_NOT_AT_ALL),
    "api:review_photo": (API_MEMBERS, API_NOT_AT_ALL),
    "api:approve_words": (API_NOT_AT_ALL, (401, 422, 422, 422, 422)),
    "api:reject_words": (API_NOT_AT_ALL, (401, 422, 422, 422, 422)),
    "api:edit_words": (API_NOT_AT_ALL, (401, 422, 422, 422, 422)),
    "api:preview_decision": ((401, 422, 422, 422, 422), API_NOT_AT_ALL),
    "api:list_decisions": (API_EVERYONE, (401, 422, 422, 422, 422)),
    "api:decide": (API_EVERYONE, (401, 422, 422, 422, 422)),
    "api:decision_status": (API_MEMBERS, API_NOT_AT_ALL),
    "api:undo_decision": (API_NOT_AT_ALL, api_curators(ALL)),
    "api:cancel_decision": (API_NOT_AT_ALL, api_curators(409)),  # it is over
    "api:resume_decision": (API_NOT_AT_ALL, api_curators(409)),  # it was not stopped
    "api:search_photos": (API_EVERYONE, API_NOT_AT_ALL),
    "healthz": ((ALL,) * 5, (NO,) * 5),
    "readyz": ((503,) * 5, (NO,) * 5),  # no worker is alive in the tests
}


def names() -> set[str]:
    """The name of every address but the admin's, which asks for staff by itself."""
    found = set()
    for entry in get_resolver().url_patterns:
        if isinstance(entry, URLResolver) and entry.app_name != "admin":
            found |= {f"{entry.namespace}:{pattern.name}" for pattern in entry.url_patterns}
        elif isinstance(entry, URLPattern) and entry.name:
            found.add(entry.name)
    return found


@pytest.fixture
def addresses(library_of_ada: Account) -> dict[str, str]:
    """The address of each name, for rows of ada's library."""
    album = AlbumFactory(account=library_of_ada)
    words = AIMetadataFactory(photo=PhotoFactory(album=album), described=True)
    grace = MembershipFactory(account=library_of_ada, user__username="somebody", role="viewer")
    sync, process = SyncRunFactory(account=library_of_ada), ProcessingRunFactory(account=library_of_ada)
    prompt, sample = PromptFactory(account=library_of_ada), SampleFactory(account=library_of_ada)
    decision, export = DecisionFactory(account=library_of_ada), ExportFactory(account=library_of_ada)
    change_set = ChangeSetFactory(account=library_of_ada)
    nickname = library_of_ada.nickname
    takers: list[tuple[str, list[Any]]] = [
        ("sync add_member disconnect process estimate never_send account_note prompts review_tags", [nickname]),
        ("change_role remove_member", [nickname, grace.pk]),
        ("sync_run cancel_sync continue_sync retry_sync", [sync.pk]),
        ("sync_album photos never_send_album album_note album process_album", [album.pk]),
        ("start_album_sync", [album.album_key]),
        ("prompt edit_prompt new_prompt activate_prompt preview_prompt", [nickname, prompt.pk]),
        ("processing_run budget change_budget", [process.pk]),
        ("pause_processing resume_processing cancel_processing continue_processing", [process.pk]),
        ("sample judge_sample take_back_verdict extend_sample accept_sample", [sample.pk]),
        ("change_set leave_out discard_change_set arm_change_set revert_change_set", [change_set.pk]),
        ("pause_publishing continue_publishing resume_publishing cancel_publishing", [change_set.pk]),
        ("show_change_set list_changes leave_out_changes", [change_set.pk]),
        ("check_grant", [nickname]),
        ("photo", [words.photo.pk]),
        ("previous approve reject take describe_again stack take_out put_back", [words.pk]),
        ("decision undo_decision cancel_decision continue_decision", [decision.pk]),
        ("decision_status resume_decision", [decision.pk]),
        ("review_photo approve_words reject_words edit_words", [words.photo.pk]),
        ("revoke_token", [ApiTokenFactory(user=library_of_ada.owner).pk]),
        ("export download_export cancel_export delete_export", [export.pk]),
        ("image", [images.address(words.photo, "thumb").rpartition("/")[2]]),
    ]
    arguments = {name: values for names, values in takers for name in names.split()}
    return {name: reverse(name, args=arguments.get(name.rpartition(":")[2], [])) for name in TABLE}


def client_of(who: str, account: Account) -> Client:
    client = Client()
    if who == "nobody":
        return client
    user = account.owner if who == "owner" else UserFactory(username=who)
    if who in {"viewer", "curator"}:
        MembershipFactory(user=user, account=account, role=Membership.Role(who))
    client.force_login(user)
    return client


def test_table_holds_every_address() -> None:
    assert names() == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_access_to_every_address_is_as_the_table_says(
    name: str, addresses: dict[str, str], library_of_ada: Account, enqueued: list[Any]
) -> None:
    kind = {"content_type": "application/json"} if name.startswith("api:") else {}
    answers = []
    for who in WHO:
        before = transaction.savepoint()  # no atomic block, within which nobody may use the network
        client = client_of(who, library_of_ada)
        answers.append((client.get(addresses[name]).status_code, client.post(addresses[name], **kind).status_code))
        assert enqueued == [] or who in {"curator", "owner"}
        assert AIMetadata.objects.get().review_status == "unreviewed"
        assert not MetadataHistory.objects.filter(source="person").exists()
        transaction.savepoint_rollback(before)  # what one of them did
        enqueued.clear()

    assert tuple(zip(*answers, strict=True)) == TABLE[name]


@pytest.mark.parametrize("who", WHO)
@pytest.mark.django_db
def test_admin_is_for_staff_alone(who: str, library_of_ada: Account) -> None:
    response = client_of(who, library_of_ada).get("/admin/", follow=False)

    assert response.status_code == 302
    assert "sign-in" in response.url or "login" in response.url


def test_no_page_shows_a_token(addresses: dict[str, str], library_of_ada: Account) -> None:
    Account.objects.filter(pk=library_of_ada.pk).update(
        oauth_token="a-token-to-look-for", oauth_token_secret="a-secret-to-look-for"
    )
    library_of_ada.owner.is_staff = library_of_ada.owner.is_superuser = True
    library_of_ada.owner.save()
    client = client_of("owner", library_of_ada)
    admin = ["/admin/", "/admin/smugmug/account/", f"/admin/smugmug/account/{library_of_ada.pk}/change/"]

    for address in [*(addresses[name] for name in TABLE if name != "logout"), *admin]:
        text = client.get(address).content.decode(errors="replace")
        assert "to-look-for" not in text, address
