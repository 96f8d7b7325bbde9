"""Describes through OpenAI, or any server that speaks its chat completions and embeddings.

Every answer is checked before it leaves here, and every exception of the SDK becomes one of ours. The SDK
repeats nothing (`max_retries=0`): whoever calls knows better when to try again, and counts what is paid for.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import urlsplit

import httpx2
import openai
from openai.types.chat import ChatCompletion
from openai.types.create_embedding_response import CreateEmbeddingResponse

from metadata.describe.answer import EMBEDDING_LENGTH, Answer, Vectors, clean, pad
from metadata.describe.brief import Brief
from metadata.describe.errors import BadAnswer, DescribeError, Rejected, Usage
from metadata.describe.openai_answers import content_of, fields_of, usage_of, vectors_of
from metadata.describe.openai_dialect import Dialect, Without, refused_option, request
from metadata.describe.openai_errors import WRONG_ADDRESS, translated

ADDRESS = "https://api.openai.com/v1"
CONNECT_TIMEOUT = 10.0  # seconds
LONGEST_EMBEDDINGS = {"text-embedding-3-large": EMBEDDING_LENGTH}  # models that give more unless asked for less

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
        self._reasoning_effort = reasoning_effort
        self._dialect = Dialect()
        self._length = 0  # of the embeddings, once it is known
        try:
            address = urlsplit(base_url or ADDRESS)
            self.sends_to = address.hostname or ""
            self._has_version = re.search(r"/v\d", address.path) is not None
            self._client = openai.OpenAI(
                api_key=api_key or "none",
                base_url=base_url or ADDRESS,
                timeout=httpx2.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
                max_retries=0,
                http_client=http_client,
            )
        except (httpx2.InvalidURL, ValueError):
            raise Rejected("the base address is no address", advice=WRONG_ADDRESS) from None

    def describe(self, jpeg: bytes, brief: Brief) -> Answer:
        """One request, as a rule; more until it is known what the server takes. Their usage is counted together."""
        usage = Usage()
        with self._dialect.first_alone():
            without = self._dialect.without
            try:
                while True:
                    completion, without = self._complete(jpeg, brief, without)
                    usage += usage_of(completion)
                    try:
                        words = clean(fields_of(content_of(completion)), brief)
                    except BadAnswer as exc:
                        without |= self._dialect.after_nonsense(exc, without)
                    else:
                        self._dialect.understood(without)
                        return Answer(words, usage, self.model)
            except DescribeError as exc:
                exc.usage = usage
                raise

    def _complete(self, jpeg: bytes, brief: Brief, without: Without) -> tuple[ChatCompletion, Without]:
        """The response to a request without these options, and what it was without in the end: what was refused too."""
        while True:
            asked = request(jpeg, brief, self._reasoning_effort, without)
            try:
                completion = self._client.chat.completions.create(model=self.model, **asked)
            except (openai.OpenAIError, ValueError) as exc:
                option = refused_option(exc, asked, without)
                if not option:
                    raise self._translated(exc) from None
                without |= self._dialect.learn(option)
            else:
                return _checked(ChatCompletion, completion), without

    def embed(self, texts: Sequence[str]) -> Vectors:
        if not all(text.strip() for text in texts):
            raise ValueError("an empty text has no vector")
        if not texts:
            return Vectors([], Usage(), self.embedding_model)
        response = self._embeddings(texts)
        usage = usage_of(response)
        try:
            vectors = vectors_of(response, len(texts))
            self._check_length(len(vectors[0]))
            return Vectors([pad(vector) for vector in vectors], usage, self.embedding_model)
        except DescribeError as exc:
            exc.usage = usage
            raise

    def _embeddings(self, texts: Sequence[str]) -> CreateEmbeddingResponse:
        try:
            response = self._client.embeddings.create(
                model=self.embedding_model,
                input=list(texts),
                encoding_format="float",
                dimensions=LONGEST_EMBEDDINGS.get(self.embedding_model, openai.omit),
            )
        except (openai.OpenAIError, ValueError) as exc:
            raise self._translated(exc, "OPENAI_EMBEDDING_MODEL") from None
        return _checked(CreateEmbeddingResponse, response)

    def _check_length(self, length: int) -> None:
        """Rejected where the model's vectors have become longer or shorter: they cannot be compared with the others."""
        self._length = self._length or length
        if length != self._length:
            raise Rejected(
                f"the embedding has {length} numbers instead of {self._length}",
                advice=f"The embedding model has changed: it gives {length:,} numbers instead of {self._length:,}. "
                "Check OPENAI_EMBEDDING_MODEL and the AI server.",
            )

    def _translated(self, exc: openai.OpenAIError | ValueError, setting: str = "OPENAI_MODEL") -> DescribeError:
        return translated(exc, setting=setting, has_version=self._has_version)

    def warm_up(self) -> None:
        """Nothing to load."""


def _checked(kind: type[Response], response: object) -> Response:
    if not isinstance(response, kind):  # a web page, say: the SDK hands it on as text
        raise Rejected("the answer is no JSON", advice=WRONG_ADDRESS)
    return response
