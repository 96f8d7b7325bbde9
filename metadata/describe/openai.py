"""Describes through OpenAI, or any server that speaks its chat completions and embeddings.

Every answer is checked before it leaves here, and every exception of the SDK becomes one of ours. The SDK
repeats nothing (`max_retries=0`): whoever calls knows better when to try again, and counts what is paid for.
"""

import base64
import json
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import httpx2
import openai
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam
from openai.types.create_embedding_response import CreateEmbeddingResponse

from metadata.describe.answer import EMBEDDING_LENGTH, Answer, Vectors, clean, pad
from metadata.describe.errors import BadAnswer, DescribeError, Refused, Rejected, Usage
from metadata.describe.openai_errors import WRONG_ADDRESS, translated
from metadata.describe.prompt import PROMPT, SCHEMA

ADDRESS = "https://api.openai.com/v1"
CONNECT_TIMEOUT = 10.0  # seconds
ANSWER_TOKENS = 4_000  # an answer takes about 200, and a thinking model some more; beyond, it rambles
LONGEST_EMBEDDINGS = {"text-embedding-3-large": EMBEDDING_LENGTH}  # models that give more unless asked for less

_FENCED = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)
_FORM: Any = {"type": "json_schema", "json_schema": {"name": "photo", "strict": True, "schema": SCHEMA}}

Response = TypeVar("Response", ChatCompletion, CreateEmbeddingResponse)

# At DEBUG the SDK would log whole requests, the picture included.
logging.getLogger("openai").setLevel(logging.INFO)


class OpenAIDescriber:
    """A Describer that asks a server. Nothing of a picture or key is ever logged."""

    name = "openai"

    def __init__(  # noqa: PLR0913 - one keyword for each setting
        self,
        *,
        api_key: str | None,
        base_url: str | None,
        model: str,
        embedding_model: str,
        reasoning_effort: str | None,
        timeout: float,
        http_client: httpx2.Client | None,
    ) -> None:
        """`timeout` in seconds; servers at home often need no key. Rejected when `base_url` is no address."""
        self.model = model
        self.embedding_model = embedding_model
        self._reasoning_effort: Any = reasoning_effort or openai.omit
        self._dimensions = LONGEST_EMBEDDINGS.get(embedding_model, openai.omit)
        try:
            self._client = openai.OpenAI(
                api_key=api_key or "none",
                base_url=base_url or ADDRESS,
                timeout=httpx2.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
                max_retries=0,
                http_client=http_client,
            )
        except httpx2.InvalidURL:
            raise Rejected("the base address is no address", advice=WRONG_ADDRESS) from None

    def describe(self, jpeg: bytes) -> Answer:
        completion = _ask(
            ChatCompletion,
            lambda: self._client.chat.completions.create(
                model=self.model,
                messages=_messages(jpeg),
                response_format=_FORM,
                reasoning_effort=self._reasoning_effort,
                max_completion_tokens=ANSWER_TOKENS,
            ),
        )
        usage = _usage_of(completion)
        try:
            return Answer(clean(_fields(_content(completion))), usage, self.model)
        except DescribeError as exc:
            exc.usage = usage
            raise

    def embed(self, texts: Sequence[str]) -> Vectors:
        if not all(text.strip() for text in texts):
            raise ValueError("an empty text has no vector")
        if not texts:
            return Vectors([], Usage(), self.embedding_model)
        response = _ask(
            CreateEmbeddingResponse,
            lambda: self._client.embeddings.create(
                model=self.embedding_model,
                input=list(texts),
                encoding_format="float",
                dimensions=self._dimensions,
            ),
        )
        usage = _usage_of(response)
        try:
            return Vectors(_vectors(response, len(texts)), usage, self.embedding_model)
        except DescribeError as exc:
            exc.usage = usage
            raise

    def warm_up(self) -> None:
        """Nothing to load."""


def _ask(kind: type[Response], request: Callable[[], Response]) -> Response:
    """The response, or an exception of ours without the SDK's, whose text holds the server's body."""
    try:
        response = request()
    except (openai.OpenAIError, ValueError) as exc:
        raise translated(exc) from None
    if not isinstance(response, kind):  # a web page, say: the SDK hands it on as text
        raise Rejected("the answer is no JSON", advice=WRONG_ADDRESS)
    return response


def _messages(jpeg: bytes) -> list[ChatCompletionMessageParam]:
    url = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
    return [
        {"role": "system", "content": PROMPT},
        # Without `detail`, some models bill a picture by its full size.
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url, "detail": "high"}}]},
    ]


def _content(completion: ChatCompletion) -> str:
    """The text of the answer; Refused or BadAnswer when there is none, or not all of it."""
    if not completion.choices:
        raise BadAnswer("the answer is empty")
    choice = completion.choices[0]
    if choice.finish_reason == "content_filter" or (choice.message and choice.message.refusal):
        raise Refused("the model declined")
    if choice.finish_reason == "length":
        raise BadAnswer("the answer was cut off")
    if not choice.message or not isinstance(choice.message.content, str):
        raise BadAnswer("the answer has no text")
    return choice.message.content


def _fields(content: str) -> dict[str, object]:
    """The JSON object in `content`, with or without a fence around it."""
    fenced = _FENCED.search(content)
    try:
        fields = json.loads(fenced[1] if fenced else content)
    except (ValueError, RecursionError):
        raise BadAnswer("the answer is no JSON") from None
    if not isinstance(fields, dict):
        raise BadAnswer("the answer is no JSON object")
    return fields


def _vectors(response: CreateEmbeddingResponse, count: int) -> list[list[float]]:
    """`count` padded vectors in the order of the texts, whatever the order of the answer."""
    found: dict[object, object] = {item.index: item.embedding for item in response.data or ()}
    if set(found) != set(range(count)):
        raise BadAnswer(f"{count} texts were sent and {len(found)} vectors came back")
    return [pad(_numbers(found[index])) for index in range(count)]


def _numbers(embedding: object) -> list[float]:
    if isinstance(embedding, list) and all(type(number) in (int, float) for number in embedding):
        return embedding
    raise BadAnswer("the embedding is no list of numbers")


def _usage_of(response: ChatCompletion | CreateEmbeddingResponse) -> Usage:
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
