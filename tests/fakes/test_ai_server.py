"""The stand-in is only worth what its counts are worth."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.fakes.ai_server import MIXED, PAID, UNPAID, AIServer, key_of, vector_for, words_for


def post(server, path="/chat/completions", **body):
    with httpx2.Client() as client:
        return client.post(server.url + path, json={"model": "any"} | body, timeout=5)


def test_answers_name_the_picture_and_are_counted_by_it():
    url = "data:image/jpeg;base64," + base64.b64encode(b"picture").decode()
    picture = {"type": "image_url", "image_url": {"url": url}}
    form = {"type": "json_object"}
    with AIServer() as server:
        answers = [
            post(server, messages=[{"role": "user", "content": [picture]}], response_format=form) for _ in range(2)
        ]

    assert [json.loads(each.json()["choices"][0]["message"]["content"]) for each in answers] == [
        words_for(key_of(b"picture"))
    ] * 2
    assert server.described == {key_of(b"picture"): 2}
    assert server.paid == 2


@pytest.mark.parametrize("fault", [*UNPAID, *PAID])
def test_fault_comes_at_its_number_and_only_there(fault):
    with AIServer(faults={fault: 3}) as server:
        for _ in range(6):
            if fault == "drop" and len(server.calls) % 3 == 2:
                with pytest.raises(httpx2.RemoteProtocolError):
                    post(server)
            else:
                post(server)

    assert [call.outcome for call in server.calls] == ["ok", "ok", fault] * 2
    assert server.paid == (6 if fault in PAID else 4)


def test_mix_holds_every_fault():
    assert set(MIXED) == {*UNPAID, *PAID}


def test_latency_is_kept_and_calls_in_flight_are_counted():
    started = time.monotonic()
    with AIServer(latency=0.2, spread=0.2) as server, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: post(server), range(16)))

    lasted = [call.ended - call.started for call in server.calls]
    assert 0.15 < min(lasted) < max(lasted) < 0.35
    assert server.most_in_flight == 8
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [("quota", 429, "insufficient_quota"), ("key", 401, "invalid_api_key"), ("model", 404, "model_not_found")],
)
def test_trouble_answers_every_call_until_it_is_over(trouble, status, code):
    with AIServer(trouble=trouble) as server:
        refused = post(server)
        server.trouble = ""
        answered = post(server)

    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert answered.status_code == 200
    assert server.paid == 1


def test_key_and_models_are_checked_where_they_are_given():
    with AIServer(key="secret", models=("gpt",)) as server:
        assert post(server).status_code == 401
        server.key = None
        assert post(server).status_code == 404
        assert post(server, model="gpt").status_code == 200
        assert post(server, "/elsewhere").status_code == 404

    assert server.paid == 1


def test_embeddings_are_the_same_for_the_same_text():
    with AIServer(dimensions=8) as server:
        data = post(server, "/embeddings", input=["boat", "sea"]).json()["data"]

    assert [each["embedding"] for each in data] == [vector_for("boat", 8), vector_for("sea", 8)]
    assert vector_for("boat", 8) != vector_for("sea", 8)
    assert (server.embeddings, server.paid) == (1, 0)


def test_stop_and_start_is_an_outage_on_one_port():
    with AIServer() as server, httpx2.Client() as client:
        assert client.post(f"{server.url}/embeddings", json={"model": "any", "input": []}).status_code == 200
        server.stop()
        with pytest.raises(httpx2.TransportError):
            client.post(f"{server.url}/embeddings", json={"model": "any", "input": []})
        server.start()

        assert client.post(f"{server.url}/embeddings", json={"model": "any", "input": []}).status_code == 200
