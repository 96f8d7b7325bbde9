"""Servers that take less than OpenAI does: described all the same, and asked in vain but once."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from metadata.describe import BadAnswer, Brief, Outage, Rejected, Usage, make_describer
from metadata.describe.openai_dialect import request
from tests.fakes.ai_server import AIServer, Style, key_of

BRIEF = Brief("Describe the picture.", facts="Album: Regatta")
PICTURES = [b"one", b"two", b"three"]
ALL_FIRST = ("json_schema", "detail", "reasoning_effort", "max_completion_tokens")
NEXT_BEST = {("json_schema",): ("json_object",), ("max_completion_tokens",): ("max_tokens",)}


@pytest.fixture(scope="module")
def client():
    with httpx2.Client() as client:
        yield client


@pytest.fixture
def describer_at(client):
    def make(server, **options):
        values = {"model": "llava", "embedding_model": "nomic", "reasoning_effort": "none", "http_client": client}
        return make_describer("openai", base_url=server.url, **(values | options))

    return make


def titles(describer):
    return [describer.describe(picture, BRIEF).description.title for picture in PICTURES]


def titles_of(pictures):
    return [f"Photo {key_of(picture)}" for picture in pictures]


@pytest.mark.parametrize(
    ("style", "in_vain"),
    [
        ("openai", []),
        ("ollama", ["ignored: json_schema"]),
        ("llama.cpp", ["refused: detail"]),
        (
            "old",
            [
                "refused: json_schema",
                "refused: json_object",
                "refused: detail",
                "refused: reasoning_effort",
                "refused: max_completion_tokens",
            ],
        ),
    ],
)
def test_describe_at_servers_of_other_kinds_asks_in_vain_only_for_the_first_photo(describer_at, style, in_vain):
    with AIServer(style=style) as server:
        describer = describer_at(server)

        found = titles(describer)

    outcomes = [call.outcome for call in server.calls]
    assert found == titles_of(PICTURES)
    assert sorted(outcomes[: len(in_vain)]) == sorted(in_vain)
    assert outcomes[len(in_vain) :] == ["ok", "ok", "ok"]
    assert set(server.described.values()) == {1}


def test_describe_at_a_server_that_writes_tags_as_objects_and_no_usage(describer_at):
    with AIServer(style=Style(tags_are_objects=True, usage="none")) as server:
        answer = describer_at(server).describe(b"one", BRIEF)

    assert answer.description.tags[:3] == ("boat", "harbour", "morning")
    assert answer.usage == Usage()


def test_describe_ignored_form_was_paid_for_and_counts(describer_at):
    with AIServer(style="ollama", usage=(900, 0, 60)) as server:
        describer = describer_at(server)

        first, second = (describer.describe(picture, BRIEF).usage for picture in PICTURES[:2])

    assert (first.tokens_in, first.tokens_out) == (1800, 120)
    assert (second.tokens_in, second.tokens_out) == (900, 60)


def test_describe_outage_after_an_ignored_form_still_says_what_was_paid(describer_at):
    with AIServer(style="ollama", faults={"error": 2}) as server, pytest.raises(Outage) as caught:
        describer_at(server).describe(b"one", BRIEF)

    assert caught.value.usage.tokens_in == 900


@pytest.mark.parametrize(
    "refuses",
    [
        ("json_schema",),
        ("json_schema", "json_object"),
        ("detail",),
        ("reasoning_effort",),
        ("max_completion_tokens",),
        ("max_completion_tokens", "max_tokens"),
    ],
    ids="+".join,
)
def test_describe_server_that_refuses_one_option_gets_all_others(describer_at, refuses):
    with AIServer(style=Style(refuses=refuses)) as server:
        assert titles(describer_at(server)) == titles_of(PICTURES)

    assert [call.outcome for call in server.calls] == [f"refused: {option}" for option in refuses] + ["ok"] * 3
    assert server.calls[-1].options == {*ALL_FIRST, *NEXT_BEST.get(refuses, ())} - set(refuses)


def test_describe_by_many_threads_at_once_only_the_first_is_refused(describer_at):
    pictures = [b"%d" % number for number in range(8)]
    with AIServer(style="old", latency=0.1) as server, ThreadPoolExecutor(8) as threads:
        describer = describer_at(server)

        answers = list(threads.map(lambda picture: describer.describe(picture, BRIEF), pictures))

    assert [answer.description.title for answer in answers] == titles_of(pictures)
    assert sum(call.outcome.startswith("refused") for call in server.calls) == 5


def test_describe_by_many_threads_waits_no_longer_than_a_refusal_takes(describer_at):
    with AIServer(latency=1.0) as server, ThreadPoolExecutor(8) as threads:
        describer = describer_at(server)

        list(threads.map(lambda picture: describer.describe(picture, BRIEF), PICTURES))

    first, *others = sorted(call.started for call in server.calls)
    assert max(others) - first < 0.9
    assert min(others) - first > 0.3


def test_describe_by_many_threads_an_ignored_form_costs_no_photo_its_answer(describer_at):
    pictures = [b"%d" % number for number in range(8)]
    with AIServer(style="ollama", latency=0.7) as server, ThreadPoolExecutor(8) as threads:
        describer = describer_at(server)

        answers = list(threads.map(lambda picture: describer.describe(picture, BRIEF), pictures))
        describer.describe(b"later", BRIEF)

    assert [answer.description.title for answer in answers] == titles_of(pictures)
    assert server.calls[-1].outcome == "ok"


def test_describe_nonsense_in_every_form_is_a_bad_answer_and_the_form_is_kept(describer_at):
    with AIServer(faults={"not_json": 1}) as server:
        describer = describer_at(server)
        with pytest.raises(BadAnswer) as caught:
            describer.describe(b"one", BRIEF)
        server.faults = {}
        describer.describe(b"two", BRIEF)

    assert caught.value.usage.tokens_in == 2700
    assert [call.outcome for call in server.calls] == ["not_json"] * 3 + ["ok"]
    assert len({call.size for call in server.calls[:3]}) == 3
    assert server.calls[3].size == server.calls[0].size  # the schema again


def test_describe_hopeless_model_is_not_asked_thrice_for_every_photo(describer_at, monkeypatch):
    monkeypatch.setattr("metadata.describe.openai_dialect.DOUBTS", 4)
    with AIServer(faults={"not_json": 1}) as server:
        describer = describer_at(server)
        for _ in range(6):
            with pytest.raises(BadAnswer):
                describer.describe(b"one", BRIEF)

    assert len(server.calls) < 6 * 2


def test_describe_nonsense_once_a_good_answer_came_is_not_blamed_on_the_form(describer_at):
    with AIServer(faults={"not_json": 2}) as server:
        describer = describer_at(server)
        describer.describe(b"one", BRIEF)
        with pytest.raises(BadAnswer):
            describer.describe(b"two", BRIEF)

    assert [call.outcome for call in server.calls] == ["ok", "not_json"]


@pytest.mark.parametrize(
    ("trouble", "kind", "setting"),
    [("quota", Rejected, "credit"), ("key", Rejected, "OPENAI_API_KEY"), ("html", Rejected, "OPENAI_BASE_URL")],
)
def test_describe_trouble_is_told_and_over_once_it_is_mended(describer_at, trouble, kind, setting):
    with AIServer(trouble=trouble) as server:
        describer = describer_at(server)
        with pytest.raises(kind) as caught:
            describer.describe(b"one", BRIEF)
        server.trouble = ""

        assert describer.describe(b"one", BRIEF).description.title == titles_of([b"one"])[0]

    assert setting in caught.value.advice


class TestRefusals:
    """The ways in which servers say what they do not take, word for word."""

    @pytest.fixture
    def describer_told(self, describer_at):
        """A describer whose server answers so to every request that has what it does not take."""

        def make(status, body, *, when):
            asked = []

            def answer(request):
                asked.append(json.loads(request.content))
                if when(asked[-1]):
                    return httpx2.Response(status, json=body)
                content = json.dumps({"description": "A boat."})
                message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
                return httpx2.Response(200, json={"choices": [message]})

            http_client = httpx2.Client(transport=httpx2.MockTransport(answer))
            server = AIServer(port=1)
            return describer_at(server, http_client=http_client), asked

        return make

    @pytest.mark.parametrize(
        ("status", "body", "form"),
        [
            (
                400,
                {"error": {"message": "Invalid parameter: 'response_format' of type 'json_schema' is not supported."}},
                "json_schema",
            ),
            (
                500,
                {
                    "error": {
                        "message": 'response_format type must be one of "text" or "json_object", but got: json_schema'
                    }
                },
                "json_schema",
            ),
            (422, {"detail": [{"loc": ["body", "response_format", "type"], "msg": "unexpected value"}]}, "json_schema"),
            (501, {"error": "structured output is not implemented"}, "json_schema"),
            (400, {"error": "'response_format.type' must be 'json_schema' or 'text'"}, "json_object"),
        ],
    )
    def test_refused_form_is_named(self, describer_told, status, body, form):
        def when(asked):
            return asked.get("response_format", {}).get("type") in {form, "json_schema"}

        describer, asked = describer_told(status, body, when=when)

        assert describer.describe(b"one", BRIEF).description.description == "A boat."
        assert [each.get("response_format", {}).get("type") for each in asked][0] == "json_schema"
        assert asked[-1].get("response_format", {}).get("type") != form
        assert "Answer with one JSON object" in asked[-1]["messages"][0]["content"]

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (400, {"error": {"message": '"llava" does not support thinking', "type": "invalid_request_error"}}),
            (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "reasoning_effort"], "input": "none"}]}),
            (400, {"error": {"message": "Unsupported parameter.", "param": "reasoning_effort"}}),
        ],
    )
    def test_refused_effort_is_left_out(self, describer_told, status, body):
        describer, asked = describer_told(status, body, when=lambda asked: "reasoning_effort" in asked)

        describer.describe(b"one", BRIEF)

        assert len(asked) == 2
        assert asked[1]["response_format"]["type"] == "json_schema"

    @pytest.mark.parametrize(
        "error",
        [
            {"message": "Unsupported value: 'none' is not supported with this model.", "param": "reasoning_effort"},
            {"message": 'invalid reasoning value: "none" (must be "high", "medium" or "low")'},
        ],
    )
    def test_wrong_effort_is_for_a_person_since_leaving_it_out_would_be_dear(self, describer_told, error):
        describer, asked = describer_told(400, {"error": error}, when=lambda asked: "reasoning_effort" in asked)

        with pytest.raises(Rejected) as caught:
            describer.describe(b"one", BRIEF)

        assert "OPENAI_REASONING_EFFORT" in caught.value.advice
        assert len(asked) == 1

    def test_refused_detail_is_told_from_the_detail_of_an_error(self, describer_told):
        loc = ["body", "messages", 1, "content", 0, "image_url", "detail"]
        has_detail = describer_told(
            422,
            {"detail": [{"loc": loc, "msg": "extra fields not permitted"}]},
            when=lambda asked: "detail" in asked["messages"][1]["content"][-1]["image_url"],
        )
        always = describer_told(422, {"detail": "The picture is broken."}, when=lambda asked: True)

        has_detail[0].describe(b"one", BRIEF)
        with pytest.raises(BadAnswer):
            always[0].describe(b"one", BRIEF)

        assert len(has_detail[1]) == 2
        assert len(always[1]) == 1


def test_request_has_the_unchanging_part_first_whatever_the_facts():
    one, two = (request(b"jpeg", Brief("Same.", facts=facts), None, frozenset()) for facts in ("", "Album: Regatta"))

    assert one["messages"][0] == two["messages"][0] == {"role": "system", "content": "Same."}
    assert list(one)[0] == "messages"
    assert "reasoning_effort" not in one


def test_describe_server_that_is_down_is_asked_once(describer_at):
    with AIServer(style=Style(refuses=("json_schema",)), trouble="down") as server, pytest.raises(Outage):
        describer_at(server).describe(b"one", BRIEF)

    assert len(server.calls) == 1
