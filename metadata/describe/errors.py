"""What can go wrong while a photo is described, sorted by what the caller should do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them; None where it did not say."""

    tokens_in: int | None = None
    tokens_cached: int | None = None
    tokens_out: int | None = None

    def __add__(self, other: Usage) -> Usage:
        """Both together; what only one of them knows is what that one says."""
        return Usage(
            tokens_in=_sum(self.tokens_in, other.tokens_in),
            tokens_cached=_sum(self.tokens_cached, other.tokens_cached),
            tokens_out=_sum(self.tokens_out, other.tokens_out),
        )


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one + (other or 0)


class DescribeError(Exception):
    """str(exc) is for the log: never image bytes, keys or bodies. `advice` is the sentence for a person."""

    advice = "This photo could not be described. Try again, or describe it by hand."

    def __init__(self, message: str, *, advice: str = "", usage: Usage | None = None) -> None:
        super().__init__(message)
        self.advice = advice or type(self).advice
        self.usage = usage or Usage()


class Outage(DescribeError):
    """Server down, too slow or rate-limited: it will pass, and costs no photo an attempt."""

    advice = "The AI server does not answer. Work goes on by itself as soon as it does."

    def __init__(
        self, message: str, *, advice: str = "", usage: Usage | None = None, retry_after: float | None = None
    ) -> None:
        """`retry_after` is what the server asked for, in seconds."""
        super().__init__(message, advice=advice, usage=usage)
        self.retry_after = retry_after


class Rejected(DescribeError):
    """The server refuses us whatever the photo: a person must mend the settings. Costs no attempt."""

    advice = "The AI server refuses our requests. Check the AI settings, then continue."


class BadAnswer(DescribeError):
    """Nonsense, an empty answer, or one that was cut off: this photo's attempt."""

    advice = "The AI gave no usable answer for this photo. Try again, or describe it by hand."


class CutOff(BadAnswer):
    """The answer ends before its end: the model used up its tokens, or the server broke off."""

    advice = (
        "The AI's answer was cut off before its end. Try again; a model that thinks at length may need "
        "OPENAI_REASONING_EFFORT=none."
    )


class Refused(DescribeError):
    """The model declined this picture, and would again."""

    advice = "The AI declined to describe this photo. Describe it by hand."


class UnusablePicture(DescribeError):
    """The bytes are no picture that can be decoded."""

    advice = "The picture is damaged or in a format that cannot be read. Check the file in SmugMug."
