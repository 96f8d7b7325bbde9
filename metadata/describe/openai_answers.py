"""What is in a response: words, vectors and tokens; or which of the ways not to answer it is."""

from __future__ import annotations

import json
import re

from openai.types.chat import ChatCompletion
from openai.types.create_embedding_response import CreateEmbeddingResponse

from metadata.describe.errors import BadAnswer, CutOff, DescribeError, Outage, Refused, Rejected, Usage
from metadata.describe.openai_errors import WRONG_ADDRESS

EMPTY = "The AI's answer was empty. Try again, or describe this photo by hand."
NO_FIELDS = (
    "The AI answered with something else than the fields asked for. Try again; if many photos end so, choose another "
    "model in OPENAI_MODEL."
)
NO_VECTORS = "The AI server gave no usable embeddings. Check OPENAI_EMBEDDING_MODEL."

_THOUGHTS = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_FENCED = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL | re.IGNORECASE)


def content_of(completion: ChatCompletion) -> str:
    """The text of the answer; DescribeError when there is none, or not all of it."""
    if not completion.choices:
        raise _no_choice(completion)
    choice = completion.choices[0]
    if choice.finish_reason == "content_filter" or (choice.message and choice.message.refusal):
        raise Refused("the model declined")
    if choice.finish_reason == "length":
        raise CutOff("the answer was cut off")
    content = choice.message.content if choice.message else None
    if not isinstance(content, str) or not content.strip():
        raise BadAnswer("the answer is empty", advice=EMPTY)
    return content


def _no_choice(completion: ChatCompletion) -> DescribeError:
    """Some servers answer 200 with an error: LM Studio to a wrong address, OpenRouter for the model behind it."""
    error = (completion.model_extra or {}).get("error")
    if isinstance(error, str):
        return Rejected("the answer is an error", advice=WRONG_ADDRESS)
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) and (code == 429 or code >= 500):
        return Outage(f"the answer is an error: {code}")
    return BadAnswer("the answer is empty", advice=EMPTY)


def fields_of(content: str) -> dict[str, object]:
    """The JSON object in `content`: alone, in a fence, or among other words; CutOff where it has no end."""
    text = _THOUGHTS.sub("", content).strip()
    fenced = _FENCED.search(text)
    text = fenced[1] if fenced else text[max(0, text.find("{")) :]
    try:
        fields, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError) as exc:
        if text.startswith("{") and not text.endswith("}") and isinstance(exc, ValueError):
            raise CutOff("the answer has no end") from None
        raise BadAnswer("the answer is no JSON", advice=NO_FIELDS) from None
    if not isinstance(fields, dict):
        raise BadAnswer("the answer is no JSON object", advice=NO_FIELDS)
    return fields


def vectors_of(response: CreateEmbeddingResponse, count: int) -> list[list[float]]:
    """`count` vectors of one length in the order of the texts, whatever the order of the answer; else BadAnswer."""
    found: dict[object, object] = {item.index: item.embedding for item in response.data or ()}
    if set(found) != set(range(count)):
        raise BadAnswer(f"{count} texts were sent and {len(found)} vectors came back", advice=NO_VECTORS)
    vectors = [_numbers(found[index]) for index in range(count)]
    if len(set(map(len, vectors))) > 1:
        raise BadAnswer("the vectors of one answer differ in length", advice=NO_VECTORS)
    return vectors


def _numbers(embedding: object) -> list[float]:
    if isinstance(embedding, list) and all(type(number) in (int, float) for number in embedding):
        return embedding
    raise BadAnswer("the embedding is no list of numbers", advice=NO_VECTORS)


def usage_of(response: ChatCompletion | CreateEmbeddingResponse) -> Usage:
    """The tokens as far as the server counted them; the SDK checks none of it."""
    usage = response.usage
    details = getattr(usage, "prompt_tokens_details", None)
    return Usage(
        tokens_in=_count(usage, "prompt_tokens"),
        tokens_cached=_count(details, "cached_tokens"),
        tokens_out=_count(usage, "completion_tokens"),
    )


def _count(holder: object, name: str) -> int | None:
    value = getattr(holder, name, None)
    return value if type(value) is int and value >= 0 else None
