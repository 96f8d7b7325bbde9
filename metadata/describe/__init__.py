"""Image bytes → words, and words → vectors, whoever does it.

Nothing here knows Django or the database. `make_describer` is told everything in plain values.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from metadata.describe.answer import EMBEDDING_LENGTH, Answer, Description, Vectors, clean
from metadata.describe.brief import Brief
from metadata.describe.errors import (
    BadAnswer,
    CutOff,
    DescribeError,
    Outage,
    Refused,
    Rejected,
    UnusablePicture,
    Usage,
)
from metadata.describe.prompt import CATEGORIES, PROMPT, SCHEMA

if TYPE_CHECKING:
    import httpx2

__all__ = [
    "CATEGORIES",
    "EMBEDDING_LENGTH",
    "PROMPT",
    "SCHEMA",
    "Answer",
    "BadAnswer",
    "Brief",
    "CutOff",
    "DescribeError",
    "Describer",
    "Description",
    "Outage",
    "Refused",
    "Rejected",
    "UnusablePicture",
    "Usage",
    "Vectors",
    "clean",
    "make_describer",
]

TIMEOUT = 60.0  # seconds for one answer; a large picture on a slow model needs about 30


class Describer(Protocol):
    """Describes pictures and embeds texts; safe to share between threads."""

    @property
    def name(self) -> str:
        """`local` or `openai`."""

    @property
    def model(self) -> str: ...

    @property
    def embedding_model(self) -> str: ...

    @property
    def sends_to(self) -> str:
        """The host that pictures and texts are sent to; "" where they stay on this machine."""

    def describe(self, jpeg: bytes, brief: Brief) -> Answer:
        """The words for a picture as `picture.prepare` made it; DescribeError when there are none."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One vector for each text, padded with zeros to EMBEDDING_LENGTH; DescribeError when there are none.

        ValueError for an empty text, which has no vector. At most 2,048 texts, OpenAI's limit.
        """

    def warm_up(self) -> None:
        """Load now what would otherwise be loaded at first use; in a worker, before it forks."""


def make_describer(  # noqa: PLR0913 - one keyword for each setting
    kind: str,
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    model: str = "",
    embedding_model: str = "",
    reasoning_effort: str | None = None,
    timeout: float = TIMEOUT,
    http_client: "httpx2.Client | None" = None,
) -> Describer:
    """The describer named `kind`: `local`, to which the other values say nothing, or `openai`.

    `base_url` is that of any OpenAI-compatible server, or None for OpenAI's own; `timeout` is in seconds.
    """
    if kind == "local":
        from metadata.describe.local import LocalDescriber  # noqa: PLC0415 - loads numpy and the sentence encoder

        return LocalDescriber()
    if kind == "openai":
        from metadata.describe.openai import OpenAIDescriber  # noqa: PLC0415 - the SDK takes half a second

        return OpenAIDescriber(
            api_key=api_key,
            base_url=base_url,
            model=model,
            embedding_model=embedding_model,
            reasoning_effort=reasoning_effort,
            timeout=timeout,
            http_client=http_client,
        )
    raise ValueError(f"there is no describer named {kind!r}")
