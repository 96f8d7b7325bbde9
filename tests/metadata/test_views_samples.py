"""The pages of samples."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from metadata import bulk, sampling
from metadata.models import AIMetadata, Decision, Sample
from metadata.queue import ReviewFilter
from smugmug.models import Account, Album
from tests.conftest import HTMX
from tests.factories import AIMetadataFactory, AlbumFactory, MembershipFactory, PhotoFactory, SampleFactory
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db

SAMPLES, NEW = "/review/samples/", "/review/samples/new"


@pytest.fixture
def album(library_of_ada: Account) -> Album:
    return AlbumFactory(account=library_of_ada, title="Zoo")


def wait(album: Album, count: int, **words: Any) -> list[AIMetadata]:
    """So many that wait for review."""
    return [AIMetadataFactory(photo=PhotoFactory(album=album), described=True, **words) for _ in range(count)]


@pytest.fixture
def sample(album: Album) -> Sample:
    """Three of eight, none looked at."""
    wait(album, 8, lane="glance")
    return sampling.draw(album.account, ReviewFilter(lane="glance"), by=album.account.owner, size=3)


def page_of(sample: Sample) -> str:
    return f"{SAMPLES}{sample.pk}/"


def judge(client: Client, sample: Sample, verdict: str = "right", **headers: Any) -> Any:
    """A press of the button for what is to be seen next."""
    drawn = sampling.to_see(sample, 1)[0]
    data = {"drawn": drawn.pk, "version": drawn.words.version, "verdict": verdict}
    return client.post(f"{page_of(sample)}judge", data, **headers)


def look_through(client: Client, sample: Sample, *, wrong: int = 0) -> None:
    for place in range(len(sampling.to_see(sample, 100))):
        judge(client, sample, "wrong" if place < wrong else "right")


def verdicts(sample: Sample) -> list[bool | None]:
    return list(sample.drawn.order_by("position").values_list("is_right", flat=True))


class TestList:
    def test_samples_without_any_leads_to_the_first(self, curator_client: Client):
        page = curator_client.get(SAMPLES, {"lane": "look"}).text

        assert "No sample yet" in page
        assert f'href="{NEW}?lane=look"' in page
        assert "for “Lane: Must look”" in page

    def test_samples_tell_what_each_is_of_and_how_far_it_is(self, curator_client: Client, sample: Sample):
        judge(curator_client, sample, "wrong")
        wait(sample.drawn.first().words.photo.album, 2)

        page = curator_client.get(SAMPLES).text

        assert f'href="{page_of(sample)}">Lane: Glance</a>' in page
        assert "1 of 3" in page
        assert f"{sampling.percent(sampling.bound(1, 1, 8), 8)} %" in page
        assert "Under way" in page

    def test_samples_as_a_stranger_are_not_shown(self, stranger_client: Client, sample: Sample):
        page = stranger_client.get(SAMPLES).text

        assert "No sample yet" in page
        assert page_of(sample) not in page

    def test_samples_as_a_viewer_are_shown_without_a_way_to_a_new_one(self, viewer_client: Client, sample: Sample):
        page = viewer_client.get(SAMPLES).text

        assert page_of(sample) in page
        assert NEW not in page

    def test_samples_take_as_many_queries_for_three_as_for_one(self, curator_client: Client, album: Album):
        wait(album, 5)

        def draw(account: Account) -> None:
            wanted = ReviewFilter(album=album.pk) if account == album.account else ReviewFilter()
            sampling.draw(account, wanted, by=account.owner, size=2)

        draw(album.account)
        one = count_queries(curator_client, SAMPLES)
        theirs = AIMetadataFactory(described=True).photo.account
        for account in (album.account, album.account, theirs):
            draw(account)

        assert count_queries(curator_client, SAMPLES) == one
        assert "Album: Zoo" in curator_client.get(SAMPLES).text


class TestNew:
    def test_new_says_how_many_looks_it_takes_before_one_starts(self, curator_client: Client, album: Album):
        wait(album, 30, lane="glance")
        wait(album, 2, lane="look")

        page = curator_client.get(NEW, {"lane": "glance"}).text

        assert re.search(r"30 <small>photos match", page)
        goals = [f'name="size" value="{sampling.looks_needed(30, rate)}"' for rate in (0.05, 0.02)]
        assert all(page.count(goal) == 1 for goal in goals)
        assert "At most 1 % are wrong" not in page  # of so few, it says no more than 2 %
        assert 'action="/review/samples/new?lane=glance"' in page
        assert not Sample.objects.exists()

    def test_new_draws_and_shows_the_first(self, curator_client: Client, album: Album):
        wait(album, 5, lane="glance")
        wait(album, 2, lane="look")

        response = curator_client.post(f"{NEW}?lane=glance", {"size": "4"})

        made = Sample.objects.get()
        assert response["Location"] == page_of(made)
        assert (made.population, made.drawn.count(), made.made_by.username) == (5, 4, "grace")
        assert sampling.filter_of(made).lane == "glance"

    def test_draw_the_same_again_goes_on_with_the_one_that_was_begun(self, curator_client: Client, sample: Sample):
        judge(curator_client, sample, "wrong")
        url = f"{SAMPLES}new?account={sample.account.nickname}&lane=glance"

        response = curator_client.post(url, {"size": 4}, follow=True)

        assert response.redirect_chain == [(page_of(sample), 302)]
        assert "A sample of these was begun before" in response.text
        assert verdicts(sample) == [False, None, None, None]
        assert Sample.objects.count() == 1

    @pytest.mark.parametrize(
        ("size", "sentence"),
        [
            ("", "Say how many"),
            ("0", "Draw one at least"),
            ("6", "At most 5"),
            ("many", "whole number"),
            ("9" * 30, "At most 5"),
        ],
    )
    def test_new_with_a_size_that_makes_no_sense_draws_nothing(
        self, curator_client: Client, album: Album, size: str, sentence: str
    ):
        wait(album, 5)

        response = curator_client.post(NEW, {"size": size})

        assert response.status_code == 422
        assert sentence in response.text
        assert not Sample.objects.exists()

    @pytest.mark.parametrize(
        ("query", "sentence"),
        [
            ("lane=none", "There is no lane “none”."),
            ("status=approved", "Only words that wait for review"),
            ("after=2026-02-30", "Type a day"),
        ],
    )
    def test_new_for_a_filter_that_cannot_be_sampled_draws_nothing(
        self, curator_client: Client, album: Album, query: str, sentence: str
    ):
        wait(album, 5)

        shown = curator_client.get(f"{NEW}?{query}")
        response = curator_client.post(f"{NEW}?{query}", {"size": "2"})

        assert (shown.status_code, response.status_code) == (200, 422)
        assert sentence in shown.text
        assert sentence in response.text
        assert not Sample.objects.exists()

    def test_new_where_nothing_matches_says_so(self, curator_client: Client, album: Album):
        assert "Nothing that waits matches" in curator_client.get(NEW, {"tag": "nowhere"}).text

    def test_new_with_several_libraries_asks_in_which(self, curator_client: Client, album: Album):
        wait(album, 2)
        grace = album.account.memberships.get(user__username="grace").user
        MembershipFactory(user=grace, role="curator", account__nickname="other")

        page = curator_client.get(NEW, {"lane": "glance"}).text

        assert "In which library?" in page
        assert 'href="/review/samples/new?account=other&amp;lane=glance"' in page
        assert curator_client.post(NEW, {"size": "1"}).status_code == 422
        assert not Sample.objects.exists()

    def test_new_in_a_library_of_others_is_refused(self, stranger_client: Client, viewer_client: Client, album: Album):
        wait(album, 2)
        address = f"{NEW}?account={album.account.nickname}"

        assert stranger_client.post(address, {"size": "1"}).status_code == 404
        assert viewer_client.post(address, {"size": "1"}).status_code == 403
        assert viewer_client.post(NEW, {"size": "1"}).status_code == 422
        assert not Sample.objects.exists()


class TestLooking:
    def test_sample_shows_one_photo_with_its_words_and_readies_the_next(self, curator_client: Client, sample: Sample):
        first = sampling.to_see(sample, 1)[0]

        page = curator_client.get(page_of(sample)).text

        assert first.words.photo.name in page
        assert "A grey cat on a wall." in page
        assert page.count("data-prefetch") == 2
        assert "<b>0 of 3</b>, 0 wrong" in page
        assert 'data-key="y" data-also-key="1"' in page
        assert 'data-key="n" data-also-key="2"' in page

    def test_judge_goes_on_to_the_next_and_says_how_sure_one_is(self, curator_client: Client, sample: Sample):
        second = sampling.to_see(sample, 2)[1]

        response = judge(curator_client, sample)
        page = curator_client.get(response["Location"]).text

        assert response["Location"] == page_of(sample)
        assert "<b>1 of 3</b>, 0 wrong" in page
        assert f"so far at most <b>{sampling.percent(sampling.bound(1, 0, 8), 8)}&nbsp;%</b>" in page
        assert second.words.photo.name in page
        assert verdicts(sample) == [True, None, None]

    def test_judge_by_htmx_brings_the_next_card_alone(self, curator_client: Client, sample: Sample):
        response = judge(curator_client, sample, "wrong", headers=HTMX)

        assert response.status_code == 200
        assert "<html" not in response.text
        assert "1 wrong" in response.text
        assert verdicts(sample) == [False, None, None]

    @pytest.mark.parametrize("wrong", [{"verdict": "maybe"}, {"drawn": "x"}, {"version": ""}, {"drawn": "999999"}])
    def test_judge_nonsense_is_told_and_judges_nothing(
        self, curator_client: Client, sample: Sample, wrong: dict[str, str]
    ):
        drawn = sampling.to_see(sample, 1)[0]
        data = {"drawn": drawn.pk, "version": 1, "verdict": "right"} | wrong

        response = curator_client.post(f"{page_of(sample)}judge", data)

        assert response.status_code == 422
        assert verdicts(sample) == [None, None, None]

    def test_judge_words_of_another_sample_judges_nothing(self, curator_client: Client, sample: Sample):
        other = sampling.draw(sample.account, ReviewFilter(), by=sample.account.owner, size=2)
        drawn = sampling.to_see(other, 1)[0]

        response = curator_client.post(f"{page_of(sample)}judge", {"drawn": drawn.pk, "version": 1, "verdict": "right"})

        assert response.status_code == 422
        assert verdicts(other) == [None, None]

    def test_judge_later_than_somebody_else_says_so_and_shows_the_next(
        self, curator_client: Client, owner_client: Client, sample: Sample
    ):
        drawn = sampling.to_see(sample, 1)[0]
        judge(owner_client, sample, "wrong")

        response = curator_client.post(f"{page_of(sample)}judge", {"drawn": drawn.pk, "version": 1, "verdict": "right"})

        assert response.status_code == 409
        assert "ada was faster and found the words wrong." in response.text
        assert verdicts(sample) == [False, None, None]

    def test_look_is_asked_for_anew_each_time(self, curator_client: Client, sample: Sample):
        response = curator_client.get(page_of(sample))

        assert "no-store" in response["Cache-Control"]
        assert 'data-key="z"' not in response.text

    def test_take_back_brings_the_photo_again(self, curator_client: Client, sample: Sample):
        judge(curator_client, sample)

        response = curator_client.post(f"{page_of(sample)}back")

        assert response["Location"] == page_of(sample)
        assert verdicts(sample) == [None, None, None]
        assert curator_client.post(f"{page_of(sample)}back").status_code == 409

    def test_sample_as_a_stranger_or_a_viewer_is_closed(
        self, stranger_client: Client, viewer_client: Client, sample: Sample
    ):
        for client, answer in ((stranger_client, 404), (viewer_client, 403)):
            assert client.get(page_of(sample)).status_code == answer
            assert judge(client, sample).status_code == answer
            for verb in ("back", "more", "accept"):
                assert client.post(f"{page_of(sample)}{verb}", {"size": 1}).status_code == answer
        assert verdicts(sample) == [None, None, None]

    def test_sample_takes_as_many_queries_whatever_it_holds(self, curator_client: Client, sample: Sample):
        three = count_queries(curator_client, page_of(sample))
        sampling.extend(sample, size=5)

        assert count_queries(curator_client, page_of(sample)) == three


class TestResult:
    def test_result_says_the_bound_and_names_what_was_wrong(self, curator_client: Client, sample: Sample):
        bad = sampling.to_see(sample, 1)[0]
        look_through(curator_client, sample, wrong=1)

        page = curator_client.get(page_of(sample)).text

        bound = sampling.bound(3, 1, 8)
        assert "3 looked at, 1 wrong" in page
        assert f"wrong: {bound} of 8, 95&nbsp;%&nbsp;sure" in page
        assert f"Of the 5 that nobody has looked at, at most {bound - 1} are wrong." in page
        assert "Approve the remaining 7" in page
        assert f"/review/?photo={bad.words.photo_id}" in page
        assert not AIMetadata.objects.exclude(review_status="unreviewed").exists()

    def test_result_takes_as_many_queries_for_three_wrong_as_for_one(self, curator_client: Client, album: Album):
        wait(album, 12)
        counts = []
        for wrong in (1, 3):
            sample = sampling.draw(album.account, ReviewFilter(), by=album.account.owner, size=6)
            look_through(curator_client, sample, wrong=wrong)
            counts.append(count_queries(curator_client, page_of(sample)))

        assert counts[0] == counts[1]

    def test_more_draws_more_and_goes_on(self, curator_client: Client, sample: Sample):
        look_through(curator_client, sample)
        assert "Look at the other 5" in curator_client.get(page_of(sample)).text

        response = curator_client.post(f"{page_of(sample)}more", {"size": "2"})

        assert response["Location"] == page_of(sample)
        assert verdicts(sample) == [True, True, True, None, None]

    def test_more_without_a_number_draws_nothing(self, curator_client: Client, sample: Sample):
        look_through(curator_client, sample)

        response = curator_client.post(f"{page_of(sample)}more", {"size": "-1"})

        assert response.status_code == 422
        assert "Draw one at least." in response.text
        assert len(verdicts(sample)) == 3

    def test_accept_approves_the_rest_as_one_decision(
        self, curator_client: Client, sample: Sample, enqueued: list[Any]
    ):
        bad = sampling.to_see(sample, 1)[0].words_id
        look_through(curator_client, sample, wrong=1)

        response = curator_client.post(f"{page_of(sample)}accept")
        page = curator_client.get(response["Location"]).text

        decision = Decision.objects.get()
        assert (decision.kind, decision.requested_by.username, decision.changed) == ("approve", "grace", 7)
        assert list(AIMetadata.objects.exclude(review_status="approved").values_list("pk", flat=True)) == [bad]
        assert "Accepted after a sample" in page
        assert "7 photos approved" in page
        assert f"/review/decisions/{decision.pk}/undo" in page
        assert "Approve the remaining" not in page

    def test_accept_too_early_or_twice_is_told(self, curator_client: Client, sample: Sample, enqueued: list[Any]):
        early = curator_client.post(f"{page_of(sample)}accept")
        look_through(curator_client, sample)
        curator_client.post(f"{page_of(sample)}accept")
        twice = curator_client.post(f"{page_of(sample)}accept")

        assert (early.status_code, twice.status_code) == (409, 409)
        assert "Look at all that were drawn first" in early.text
        assert "accepted already" in twice.text
        assert Decision.objects.count() == 1

    def test_accept_undone_opens_the_sample_again(self, curator_client: Client, sample: Sample, enqueued: list[Any]):
        look_through(curator_client, sample)
        curator_client.post(f"{page_of(sample)}accept")
        bulk.undo(Decision.objects.get(), by=sample.account.owner)

        page = curator_client.get(page_of(sample)).text

        assert "3 looked at, 0 wrong" in page
        assert "Approve the remaining 8" in page
        assert "Accepted, and undone" in curator_client.get(SAMPLES).text


def test_sample_of_which_everything_was_decided_by_others_has_nothing_left(curator_client: Client, sample: Sample):
    AIMetadata.objects.update(review_status="rejected")

    page = curator_client.get(page_of(sample)).text

    assert "Nothing is left to look at" in page
    assert "Approve the remaining" not in page


def test_sample_that_holds_nothing_is_shown_all_the_same(curator_client: Client, library_of_ada: Account):
    assert curator_client.get(page_of(SampleFactory(account=library_of_ada))).status_code == 200


def test_dashboard_shows_what_waits_by_lane_in_no_query_more(owner_client: Client, album: Album):
    wait(album, 1)
    with CaptureQueriesContext(connection) as without:
        page = owner_client.get("/").text
    assert 'class="lanes"' not in page
    wait(album, 3, lane="glance")
    wait(album, 1, lane="look")
    AIMetadataFactory(photo=PhotoFactory(album=album), approved=True, lane="read")

    with CaptureQueriesContext(connection) as with_lanes:
        page = owner_client.get("/").text

    nickname = album.account.nickname
    assert f'href="/review/?account={nickname}&amp;lane=glance"><b class="num">3</b> glance</a>' in page
    assert f'href="/review/samples/new?account={nickname}&amp;lane=look"' in page
    assert "</b> read</a>" not in page
    assert len(with_lanes) == len(without)
