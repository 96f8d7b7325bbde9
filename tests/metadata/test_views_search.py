"""The page of search, its fragments, and the same for programs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from metadata import search
from metadata.describe import Outage
from metadata.models import PhotoEmbedding
from metadata.search import meaning
from metadata.views import search as views
from smugmug.models import Account, Album, AlbumPhoto, Photo
from tests.conftest import HTMX, FakeDescriber
from tests.factories import AIMetadataFactory, AlbumFactory, PhotoFactory
from tests.metadata.conftest import count_queries

pytestmark = pytest.mark.django_db

SEARCH, FACETS = "/search/", "/search/facets"


@pytest.fixture(autouse=True)
def describer(monkeypatch: pytest.MonkeyPatch) -> FakeDescriber:
    describer = FakeDescriber()
    monkeypatch.setattr(meaning, "query_describer", lambda: describer)
    return describer


def dogs(account: Account, count: int = 1, **kwargs: Any) -> list[Photo]:
    album = AlbumFactory(account=account, title="Zoo & park")
    photos = [PhotoFactory(album=album, caption="Found <here>", exif={"camera": "Canon R5"}) for _ in range(count)]
    for photo in photos:
        AIMetadataFactory(photo=photo, **{"described": True, "ai_title": "Rex", "ai_description": "A dog.", **kwargs})
    return photos


def shown(response: Any) -> list[str]:
    return re.findall(r'<a class="hit" href="/photos/([0-9a-f-]+)/"', response.text)


def test_search_shows_what_is_found_with_why_and_how_far_it_is_reviewed(owner_client: Client, library_of_ada: Account):
    [photo] = dogs(library_of_ada)
    PhotoFactory(album=photo.album, filename="other.jpg")

    response = owner_client.get(SEARCH, {"q": "dogs"})

    assert shown(response) == [str(photo.pk)]
    assert "A <mark>dog</mark>." in response.text
    assert re.search(r'description&nbsp;· <span class="is-waiting">waits for review', response.text)
    assert 'value="dogs"' in response.text
    assert "1 photo in" in response.text


def test_search_without_a_question_shows_how_to_ask_and_no_photo(owner_client: Client, library_of_ada: Account):
    dogs(library_of_ada)

    for question in ("", "   ", "!!", '"'):
        response = owner_client.get(SEARCH, {"q": question})
        assert shown(response) == []
        assert "tag:snow before:2019" in response.text
        assert "Nothing found" not in response.text


def test_search_that_finds_nothing_says_what_to_do(owner_client: Client, library_of_ada: Account):
    dogs(library_of_ada)

    plain = owner_client.get(SEARCH, {"q": "zebra"}).text
    narrowed = owner_client.get(SEARCH, {"q": "dog camera:nikon"}).text

    assert "Nothing found" in plain
    assert "Try fewer words" in plain
    assert 'href="/search/?q=dog"' in narrowed
    assert "Search without the filters" in narrowed


def test_search_tells_beside_the_box_what_makes_no_sense_and_does_the_rest(
    owner_client: Client, library_of_ada: Account
):
    [photo] = dogs(library_of_ada)

    broken = owner_client.get(SEARCH, {"q": 'dog status:<lost> "a'})
    long = owner_client.get(SEARCH, {"q": "dog " * 2_500})

    assert shown(broken) == shown(long) == [str(photo.pk)]
    assert "“status:&lt;lost&gt;” was left out: a status is approved, waiting" in broken.text
    assert "A quotation mark has no other half" in broken.text
    assert "This is 9,999 characters long" in long.text
    assert (broken.status_code, long.status_code) == (200, 200)


def test_search_where_the_server_is_down_says_that_words_alone_are_searched(
    owner_client: Client, library_of_ada: Account, describer: FakeDescriber, monkeypatch: pytest.MonkeyPatch
):
    [photo] = dogs(library_of_ada)
    PhotoEmbedding.objects.create(photo=photo, model=describer.embedding_model, embedding=[1.0] * 1_536)

    def fail(texts: Any) -> Any:
        raise Outage("down")

    monkeypatch.setattr(describer, "embed", fail)

    response = owner_client.get(SEARCH, {"q": "dog"})

    assert shown(response) == [str(photo.pk)]
    assert meaning.NO_ANSWER in response.text


def test_search_goes_on_where_the_page_ended_and_shows_nothing_twice(
    owner_client: Client, library_of_ada: Account, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(views, "PAGE", 2)
    photos = dogs(library_of_ada, 5)

    pages = [owner_client.get(SEARCH, {"q": "dog"})]
    Photo.objects.filter(pk=shown(pages[0])[0]).update(caption="dog dog dog")
    while url := re.search(r'hx-get="(/search/\?[^"]*from=\d+)"', pages[-1].text):
        pages.append(owner_client.get(url[1].replace("&amp;", "&"), headers=HTMX))

    found = [pk for page in pages for pk in shown(page)]
    assert len(pages) == 3
    assert sorted(found) == sorted(str(photo.pk) for photo in photos)
    assert "<html" not in pages[1].text
    assert 'href="/search/?q=dog&amp;from=2"' in pages[0].text  # for those without JavaScript


def test_facets_count_what_was_found_and_lead_to_it_narrowed_or_widened(owner_client: Client, library_of_ada: Account):
    dogs(library_of_ada, 2)
    dogs(library_of_ada, 1, approved=True)
    PhotoFactory(album=AlbumFactory(account=library_of_ada, title="Elsewhere"))

    text = " ".join(owner_client.get(FACETS, {"q": "dog tag:grey"}, headers=HTMX).text.split())

    assert (
        '<a href="/search/?q=dog+tag%3Agrey+status%3Awaiting"><span>Waiting for review</span> <small class="num">2<'
        in text
    )
    assert '<a href="/search/?q=dog+tag%3Agrey+album%3A%22Zoo+%26+park%22"><span>Zoo &amp; park</span>' in text
    assert (
        '<a href="/search/?q=dog" aria-current="true" title="Take this away"><span>grey</span> <small class="num">3<'
        in text
    )
    assert '<span>Canon R5</span> <small class="num">3<' in text
    assert '<a href="/search/?q=dog+tag%3Agrey" aria-current="true"><span>Any</span> <small class="num">3<' in text
    one = owner_client.get(FACETS, {"q": "dog status:waiting"}, headers=HTMX).text
    assert '<a href="/search/?q=dog"><span>Any</span></a>' in one
    assert "Elsewhere" not in text
    assert "Library" not in text
    assert "75 % of the library is described" in text


def test_photo_leads_to_those_like_it_and_these_are_shown(owner_client: Client, library_of_ada: Account):
    first, second = dogs(library_of_ada, 2)
    for photo in (first, second):
        PhotoEmbedding.objects.create(photo=photo, model="m", embedding=[1.0] * 1_536)

    page = owner_client.get(f"/photos/{first.pk}/").text
    response = owner_client.get(SEARCH, {"like": first.pk})

    assert f'href="/search/?like={first.pk}"' in page
    assert shown(response) == [str(second.pk)]
    assert "Photos like" in response.text
    assert owner_client.get(SEARCH, {"like": "nonsense"}).status_code == 404


def test_search_as_a_stranger_shows_nothing(stranger_client: Client, owner_client: Client, library_of_ada: Account):
    [photo] = dogs(library_of_ada)
    owner_client.get(SEARCH, {"q": "dog"})

    assert shown(stranger_client.get(SEARCH, {"q": "dog"})) == []
    assert shown(stranger_client.get(SEARCH, {"q": "dog", "from": 0}, headers=HTMX)) == []
    assert "Rex" not in stranger_client.get(FACETS, {"q": "dog"}).text
    assert stranger_client.get(SEARCH, {"like": photo.pk}).status_code == 404
    assert stranger_client.get("/api/search", {"like": photo.pk}).status_code == 404
    assert stranger_client.get("/api/search", {"q": "dog"}).json()["total"] == 0


def test_search_takes_as_many_queries_for_three_photos_as_for_one(owner_client: Client, library_of_ada: Account):
    dogs(library_of_ada)
    count_queries(owner_client, f"{SEARCH}?q=dog")
    of_one = [count_queries(owner_client, url) for url in (f"{SEARCH}?q=dog", f"{FACETS}?q=dog", "/api/search?q=dog")]
    dogs(library_of_ada, 2)
    count_queries(owner_client, f"{SEARCH}?q=dog")

    of_three = [count_queries(owner_client, url) for url in (f"{SEARCH}?q=dog", f"{FACETS}?q=dog", "/api/search?q=dog")]
    assert of_three == of_one


def test_api_gives_the_same_list_in_pages(owner_client: Client, library_of_ada: Account):
    photos = dogs(library_of_ada, 3)

    first = owner_client.get("/api/search", {"q": "dog status:waiting colour:red", "page_size": 2}).json()
    found = owner_client.get("/api/search", {"q": "dog status:waiting", "page_size": 2}).json()
    second = owner_client.get(found["next"]).json()

    assert first["total"] == 0
    assert first["sentences"][0].startswith("There is no filter “colour”")
    assert (found["total"], found["pages"], found["is_capped"]) == (3, 2, False)
    assert {item["id"] for item in found["items"] + second["items"]} == {str(photo.pk) for photo in photos}
    assert {(item["why"], item["status"], item["by_words"]) for item in found["items"]} == {
        ("description", "waiting", True)
    }
    assert second["next"] is None
    assert owner_client.get("/api/search", {"q": "dog", "page": 9}).status_code == 404
    long = owner_client.get("/api/search", {"q": "x" * 501})
    assert (long.status_code, long.json()["errors"][0]["field"]) == (422, "q")


def test_facets_name_and_count_nothing_that_was_taken_from_the_person_or_is_somebody_elses(
    viewer_client: Client, library_of_ada: Account
):
    kept, gone = dogs(library_of_ada, 2)
    foreign = AlbumFactory(title="Secret of another")
    AlbumPhoto.objects.create(album=foreign, photo=kept, position=1, origin="Collected")
    assert len(shown(viewer_client.get(SEARCH, {"q": "dog"}))) == 2
    Photo.objects.filter(pk=gone.pk).update(removed_at=timezone.now())

    facets = viewer_client.get(FACETS, {"q": "dog"}, headers=HTMX).text
    library_of_ada.memberships.filter(role="viewer").delete()
    shut_out = viewer_client.get(FACETS, {"q": "dog"}, headers=HTMX).text

    assert '<span>Zoo &amp; park</span> <small class="num">1<' in facets
    assert "Secret" not in facets
    assert ("Zoo" in shut_out, "grey" in shut_out) == (False, False)
    assert shown(viewer_client.get(SEARCH, {"q": "secret"})) == []


@pytest.mark.parametrize("name", ['12" vinyl “best”', "two  blanks", "«Café»"])
def test_facet_leads_to_what_it_counts_whatever_it_is_called(owner_client: Client, library_of_ada: Account, name: str):
    [photo] = dogs(library_of_ada, ai_tags=[name])
    Album.objects.filter(pk=photo.album_id).update(title=name)

    facets = owner_client.get(FACETS, {"q": "dog"}, headers=HTMX).text
    urls = [url.replace("&amp;", "&") for url in re.findall(r'href="([^"]+(?:tag|album)%3A[^"]+)"', facets)]

    assert len(urls) == 2
    for url in urls:
        assert shown(owner_client.get(url)) == [str(photo.pk)], url
        assert 'aria-current="true"' in owner_client.get(url.replace("/?", "/facets?"), headers=HTMX).text, url


def test_kept_list_is_one_persons_own(owner_client: Client, viewer_client: Client, library_of_ada: Account):
    dogs(library_of_ada)
    asked = search.Asked.read("dog")
    viewer = library_of_ada.memberships.exclude(user=library_of_ada.owner).get().user
    found = search.find(library_of_ada.owner, asked)
    library_of_ada.memberships.filter(user=viewer).delete()

    assert len(found) == 1
    assert len(search.again(viewer, asked)) == 0
    assert len(search.again(library_of_ada.owner, asked)) == 1
