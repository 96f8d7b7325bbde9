"""Photos by their words and by their meaning, in one list."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from metadata import search
from metadata.describe import Outage, Usage, Vectors
from metadata.models import AICall, PhotoEmbedding
from metadata.search import Asked, hits, legs, meaning
from smugmug.models import Account, AlbumPhoto, Photo
from targetvision.http import refuse_in_transaction
from tests.conftest import FakeDescriber
from tests.factories import AccountFactory, AIMetadataFactory, AlbumFactory, MembershipFactory, PhotoFactory

pytestmark = pytest.mark.django_db


class Understanding(FakeDescriber):
    """Knows three directions; the network's law holds for it too."""

    directions = {"dog": 0, "puppy": 0, "boat": 1, "ship": 1}

    def __init__(self) -> None:
        super().__init__()
        self.embedding_model = "fake-embedding"
        self.sends_to = "fake.test"

    def embed(self, texts: Sequence[str]) -> Vectors:
        refuse_in_transaction()
        self.texts += texts
        if self.failures:
            raise self.failures.pop(0)
        return Vectors([direction(self.directions.get(texts[0].split()[0], 2))], Usage(3, None, None), "fake-embedding")


def direction(*numbers: int) -> list[float]:
    return [1.0 if number in numbers else 0.0 for number in range(1_536)]


@pytest.fixture(autouse=True)
def understanding(monkeypatch: pytest.MonkeyPatch) -> Understanding:
    describer = Understanding()
    monkeypatch.setattr(meaning, "query_describer", lambda: describer)
    return describer


@pytest.fixture
def photo(library_of_ada: Account) -> Callable[..., Photo]:
    """A described photo of ada's: `photo("A dog", towards=0, tags=[…], filename=…)`."""
    album = AlbumFactory(account=library_of_ada, title="Home")

    def make(
        text: str,
        *,
        towards: int | None = None,
        words: dict[str, Any] | None = None,
        model: str = "fake-embedding",
        **kwargs: Any,
    ) -> Photo:
        made = PhotoFactory(**{"album": album, **kwargs})
        AIMetadataFactory(photo=made, **{"described": True, "ai_title": "", "ai_description": text, "ai_alt_text": "",
            "ai_tags": [], "ai_categories": [], **(words or {})})  # fmt: skip
        if towards is not None:
            PhotoEmbedding.objects.create(photo=made, model=model, embedding=direction(towards))
        return made

    return make


def ask(user: User, text: str, like: Photo | None = None) -> list[Any]:
    return [hit.photo for hit in search.find(user, Asked.read(text), like).hits()]


# --- Both legs -----------------------------------------------------------------------------------------------------


def test_find_puts_first_what_both_legs_find_and_says_by_what(library_of_ada: Account, photo: Callable[..., Photo]):
    puppy = photo("A puppy plays.", towards=0)
    both = photo("A dog with a stick.", towards=0)
    word = photo("The hot dog stand is open.")
    photo("A boat.", towards=1)

    found = search.find(library_of_ada.owner, Asked.read("dog"))

    legs_of = {hit.photo: (hit.by_words, hit.by_meaning) for hit in found.hits()}
    assert found.hits()[0].photo == both.pk
    assert legs_of == {both.pk: (True, True), word.pk: (True, False), puppy.pk: (False, True)}
    why = {match.photo.pk: match.why for match in hits.matches(library_of_ada.owner, found, found.hits())}
    assert why == {both.pk: "description and meaning", word.pk: "description", puppy.pk: "meaning"}


def test_find_shows_where_the_words_stand_and_escapes_the_rest(library_of_ada: Account, photo: Callable[..., Photo]):
    photo("A <b>grey</b> bridge.", words={"ai_tags": ["fog"]}, keywords=["Fog bank"], caption="Morning fog")

    found = search.find(library_of_ada.owner, Asked.read("fog"))
    [match] = hits.matches(library_of_ada.owner, found, found.hits())

    assert match.why == "tag “fog”, your keyword “Fog bank” and caption"
    assert "<b>" not in match.text
    [marked] = hits.matches(library_of_ada.owner, search.find(library_of_ada.owner, Asked.read("bridge")), found.hits())
    assert "<mark>bridge</mark>" in marked.text


def test_find_narrows_by_everything_there_is(library_of_ada: Account, photo: Callable[..., Photo]):
    other = AlbumFactory(account=library_of_ada, title="Picos de Europa")
    fitting = photo(
        "A dog in golden hour light.", towards=0, words={"ai_tags": ["Schnee"]}, keywords=["Mine, all mine"],
        album=other, date_taken="2018-06-01T12:00", exif={"camera": "Canon EOS R5"},
    )  # fmt: skip
    approved = photo(
        "A dog.", towards=0, words={"approved": True}, date_taken="2020-06-01", exif={"camera": "100% Nikon"}
    )
    undescribed = PhotoFactory(album=fitting.album, caption="A dog", uploaded_at="2020-01-01T00:00Z")
    collected = photo("A cat and a dog.", words={"review_status": "rejected", "rejection_reason": "No"}, towards=2)
    AlbumPhoto.objects.create(album=other, photo=collected, position=9, origin="Collected")
    user = library_of_ada.owner

    expected = {
        "dog tag:schnee": {fitting},
        'dog tag:"mine, ALL mine"': {fitting},
        "-tag:schnee dog": {approved, undescribed, collected},
        "dog album:picos": {fitting, undescribed, collected},
        "dog -album:picos": {approved},
        "dog status:waiting": {fitting},
        "dog status:approved": {approved},
        "dog status:rejected": {collected},
        "dog status:undescribed": {undescribed},
        "dog -status:waiting": {approved, undescribed, collected},
        "dog before:2020": {fitting},
        "dog after:2018-06-02": {approved, undescribed},
        "dog after:2018-06-01 before:2018-06-02": {fitting},
        "dog camera:eos": {fitting},
        "camera:%": {approved},
        'dog "golden hour"': {fitting},
        "dog -cat": {fitting, approved, undescribed},
        "-dog": set(),
        "dog tag:schnee tag:other": set(),
        f"dog library:{library_of_ada}": {fitting, approved, undescribed, collected},
        "dog library:nobodys": set(),
        "album:nothing": set(),
    }
    for text, photos in expected.items():
        assert set(ask(user, text)) == {one.pk for one in photos}, text
    assert search.find(user, Asked.read("album:nothing")).sentences == ("No album has “nothing” in its name.",)
    assert ask(user, "album:picos")[0] in {fitting.pk, undescribed.pk, collected.pk}
    assert ask(user, "camera:o")[0] == approved.pk  # the newest first where nothing else tells


def test_find_like_a_photo_finds_the_nearest_but_itself(library_of_ada: Account, photo: Callable[..., Photo]):
    dog, puppy = photo("A dog.", towards=0), photo("A puppy.", towards=0)
    photo("A boat.", towards=1)
    photo("A dog of another model.", towards=0, model="other")
    unembedded = photo("A dog without a vector.")
    user = library_of_ada.owner

    assert ask(user, "", like=dog) == [puppy.pk]
    assert ask(user, "kitten", like=dog) == []
    for one, sentence in (
        (unembedded, search.BEING_EMBEDDED),
        (PhotoFactory(album=dog.album), search.NOT_EMBEDDED),
    ):
        nothing = search.find(user, Asked.read(""), like=one)
        assert (nothing.photos, nothing.sentence) == ((), sentence)


# --- Whose photos -----------------------------------------------------------------------------------------------------


def test_find_keeps_to_what_the_person_may_see_and_what_is_there(library_of_ada: Account, photo: Callable[..., Photo]):
    theirs = photo("A dog of another's.", towards=0, album=AlbumFactory(account=AccountFactory()))
    gone = photo("A dog that was removed.", towards=0)
    mine = photo("A dog.", towards=0)
    Photo.objects.filter(pk=gone.pk).update(removed_at=timezone.now())
    user = library_of_ada.owner

    assert ask(user, "dog") == [mine.pk]
    assert ask(user, "", like=mine) == []
    assert ask(theirs.account.owner, "dog") == [theirs.pk]

    found = search.find(user, Asked.read("dog"))
    user.memberships.all().delete()
    assert hits.matches(user, found, found.hits()) == []
    assert ask(user, "dog") == []


# --- The question on its way --------------------------------------------------------------------------------------


def test_find_asks_for_a_vector_once_outside_of_transactions_and_tells_the_ledger(
    library_of_ada: Account, photo: Callable[..., Photo], understanding: Understanding
):
    photo("A dog.", towards=0)

    for _ in range(2):
        ask(library_of_ada.owner, "puppy -cat tag:dog status:waiting before:2100")

    assert understanding.texts == ["puppy"]
    [call] = AICall.objects.all()
    assert (call.kind, call.sent_to, call.account, call.outcome) == ("embed", "fake.test", library_of_ada, "ok")


@pytest.mark.parametrize("is_of_two", [False, True])
def test_find_in_a_library_that_is_never_sent_sends_nothing_and_says_so(
    library_of_ada: Account, photo: Callable[..., Photo], understanding: Understanding, is_of_two: bool
):
    dog = photo("A dog.", towards=0)
    user, kept_back = library_of_ada.owner, library_of_ada
    if is_of_two:
        kept_back = MembershipFactory(user=user).account
    Account.objects.filter(pk=kept_back.pk).update(never_send=True)

    found = search.find(user, Asked.read("dog"))

    assert [(hit.photo, hit.by_meaning) for hit in found.hits()] == [(dog.pk, False)]
    assert found.sentence == meaning.KEPT_BACK.format(kept_back)
    assert understanding.texts == []
    if is_of_two:
        assert search.find(user, Asked.read(f"dog library:{library_of_ada}")).hits()[0].by_meaning
        assert understanding.texts == ["dog"]
    understanding.sends_to = ""
    assert search.find(user, Asked.read("dog")).hits()[0].by_meaning


def test_find_when_the_server_is_down_searches_the_words_says_so_and_asks_no_more_for_a_while(
    library_of_ada: Account, photo: Callable[..., Photo], understanding: Understanding
):
    dog = photo("A dog.", towards=0)
    understanding.failures = [Outage("down")]

    found = search.find(library_of_ada.owner, Asked.read("dog"))
    again = search.find(library_of_ada.owner, Asked.read("dogs"))

    assert [hit.photo for hit in found.hits()] == [hit.photo for hit in again.hits()] == [dog.pk]
    assert found.sentence == again.sentence == meaning.NO_ANSWER
    assert understanding.texts == ["dog"]


def test_find_where_photos_were_embedded_by_another_model_searches_the_words_and_says_so(
    library_of_ada: Account, photo: Callable[..., Photo], understanding: Understanding
):
    dog = photo("A dog.", towards=0, model="older")

    found = search.find(library_of_ada.owner, Asked.read("dog"))

    assert [(hit.photo, hit.by_meaning) for hit in found.hits()] == [(dog.pk, False)]
    assert found.sentence == meaning.OTHER_MODEL
    assert understanding.texts == []


# --- How Postgres does it ---------------------------------------------------------------------------------------


def test_words_in_more_than_a_tenth_of_the_texts_filter_and_do_not_rank(
    library_of_ada: Account, photo: Callable[..., Photo], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(legs, "_shares", lambda: {"street": 0.4, "dogma": 0.2})
    common = legs.words_of(Asked.read("streets"))
    mixed = legs.words_of(Asked.read("streets fog"))
    begun = legs.words_of(Asked.read("dog"))

    assert (common.must, common.telling) == ("('street':*)", "")
    assert (mixed.must, mixed.telling) == ("", "('fog':*)")
    assert mixed.all_of_them == "('street') & ('fog':*)"
    assert begun.telling == ""

    street = photo("A street with a boat.", towards=1)
    photo("A boat.", towards=1)
    assert ask(library_of_ada.owner, "street") == [street.pk]


@pytest.mark.parametrize(
    ("text", "looks"),
    [("fog -cat", 0), ("street -cat", 0), ("-tag:cat fog", 0), ("street boat", 1), ('"fog bank"', 1), ("tag:cat", 1)],
)
def test_all_that_match_are_looked_for_only_where_they_may_be_few(
    text: str, looks: int, library_of_ada: Account, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(legs, "_shares", lambda: {"street": 0.4, "boat": 0.4})
    asked = Asked.read(text)
    words, found = legs.words_of(asked), legs.conditions([library_of_ada.pk], asked, [])

    with CaptureQueriesContext(connection) as queries:
        legs.by_vector(found, words, meaning.written(direction(0)), "fake-embedding")

    assert sum(" few" in query["sql"] for query in queries) == looks


COPIES = """
INSERT INTO smugmug_photos SELECT (jsonb_populate_record(photo, jsonb_build_object(
    'id', gen_random_uuid(), 'image_key', 'K' || n))).*
FROM smugmug_photos photo, generate_series(1, %s) n WHERE photo.id = %s
"""


def plan(work: Callable[[], Any], marker: str) -> str:
    """The plan of the one query with that marker, with indexes wherever they can be used at all."""
    asked: list[tuple[str, Any]] = []

    def keep(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.extend([(sql, params)] if marker in sql else [])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(keep):
        work()
    [(sql, params)] = asked
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('enable_seqscan', 'off', true)")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        [found] = cursor.fetchone()
    return json.dumps(found) if not isinstance(found, str) else found


def test_both_legs_read_their_indexes_and_the_vectors_order_is_not_sorted_again(
    library_of_ada: Account, photo: Callable[..., Photo], monkeypatch: pytest.MonkeyPatch
):
    dog = photo("A dog.", towards=0, exif={"camera": "Canon"})
    with connection.cursor() as cursor:
        cursor.execute(COPIES, [2_000, dog.pk])
        cursor.execute("SELECT gin_clean_pending_list('photo_search_document')")
        cursor.execute("ANALYZE photo_search")
    monkeypatch.setattr(legs, "COMPARED", -1)  # nothing is so little
    asked = Asked.read("dog camera:canon -cat status:waiting album:home tag:x before:2100")
    words = legs.words_of(asked)
    found = legs.conditions([library_of_ada.pk], asked, [[]])
    vector = meaning.written(direction(0))

    everything = legs.conditions([library_of_ada.pk], Asked(), [])

    by_words = plan(lambda: legs.by_words(everything, words, is_newest_first=False), "ts_rank")
    by_vector = plan(lambda: legs.by_vector(found, words, vector, "fake-embedding"), "halfvec")

    assert "photo_search_document" in by_words
    assert "photo_embedding_hnsw" in by_vector
    assert '"Sort"' not in by_vector

    monkeypatch.setattr(legs, "BY_INDEX", legs.BY_INDEX.replace("LIMIT", ", e.photo_id LIMIT"))
    tied = plan(lambda: legs.by_vector(found, words, vector, "fake-embedding"), "halfvec")
    assert "Sort" in tied  # what the order standing alone is for


def test_index_walked_under_a_narrow_condition_goes_on_until_enough_are_found(
    library_of_ada: Account, photo: Callable[..., Photo], monkeypatch: pytest.MonkeyPatch
):
    for number in range(30):
        photo("A dog.", towards=number)
    rare = photo("A cat.", towards=40, exif={"camera": "Leica"})
    monkeypatch.setattr(legs, "COMPARED", -1)
    monkeypatch.setattr(legs, "EXPLORED", 2)
    asked = Asked.read("camera:leica")
    found = legs.conditions([library_of_ada.pk], asked, [])

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("REINDEX INDEX photo_embedding_hnsw")  # of what other tests left in it
        cursor.execute("SET LOCAL enable_seqscan = off")
        near = legs.by_vector(found, legs.words_of(asked), meaning.written(direction(3)), "fake-embedding")

    assert [pk for pk, _ in near] == [str(rare.pk)]
