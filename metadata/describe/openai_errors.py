"""The SDK's exceptions → ours: what passes by itself, what a person must mend, what is this photo's fault."""

import re
import time
from email.utils import mktime_tz, parsedate_tz

import httpx2
import openai

from metadata.describe.errors import BadAnswer, DescribeError, Outage, Refused, Rejected

WRONG_ADDRESS = "No AI server answers at the base address. Check OPENAI_BASE_URL; it usually ends in /v1."
NO_VERSION = "OPENAI_BASE_URL lacks /v1: the AI server does not know the address. Add /v1 at its end, then continue."
TOO_LARGE = "The AI server finds the picture too large. Set AI_IMAGE_PIXELS to less, then try again."
NOT_TAKEN = "The AI server does not take the request for this photo. Try again, or describe it by hand."

_WRONG_SETTING = (
    "The AI server does not accept the model or a setting. Check OPENAI_REASONING_EFFORT and OPENAI_MODEL, "
    "which must be able to read images."
)

_NO_CREDIT = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_DECLINED = {"content_policy_violation", "content_filter", "moderation_blocked"}
_SETTINGS = {"model", "reasoning_effort", "response_format", "dimensions", "max_completion_tokens"}
_UNKNOWN = {400, 404, 422}
_UNKNOWN_MODEL = re.compile(
    r"model_not_found|invalid model|unknown model|\bmodel\b.{1,150}(not found|not exist|not loaded)"
)
_NO_IMAGES = re.compile(r"image input is not supported|mmproj|not support (image|vision)")
_PASSING = {408, 409, 425, 429}
_OF_THE_REQUEST = {400, 413, 422}
# Servers at home name no parameter, but write what they cannot do.
_CANNOT = re.compile(r"reasoning|response_format|json_schema|max_completion_tokens|vision|not support|unsupported")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}

_ADVICE = {
    401: "The AI server refuses the key. Check OPENAI_API_KEY.",
    402: "The AI account has no credit left. Top it up, then continue.",
    403: "The key may not use this model. Check the rights of the key and OPENAI_MODEL.",
}
ERROR_LENGTH = 2_000  # characters of an error that are read; some servers send back the whole picture


def translated(exc: openai.OpenAIError | ValueError, *, setting: str, has_version: bool) -> DescribeError:
    """Our exception for one of the SDK's; its message holds neither body nor key.

    `setting` is the name of the one that names the model; `has_version` says whether the base address has a /v1.
    """
    if isinstance(exc, openai.APIStatusError) and exc.status_code in _UNKNOWN:
        if _UNKNOWN_MODEL.search(text_of(exc)):
            return Rejected(_message(exc), advice=f"The AI server does not know the model. Check {setting}.")
        if exc.status_code == 404:
            return Rejected(_message(exc), advice=WRONG_ADDRESS if has_version else NO_VERSION)
    if isinstance(exc, openai.APIStatusError):
        return _of_status(exc)
    if isinstance(exc, openai.APIConnectionError):
        return _of_connection(exc)
    if isinstance(exc, UnicodeEncodeError):
        return Rejected("key or text cannot be sent", advice="OPENAI_API_KEY holds a character that no key has.")
    return BadAnswer(f"the answer cannot be read: {type(exc).__name__}")


def text_of(exc: openai.APIStatusError) -> str:
    """What the server wrote about the error, in lower case. The SDK's message has it of well-formed errors only."""
    return f"{exc.param or ''} {exc.response.text[:ERROR_LENGTH]}".lower()


def _of_connection(exc: openai.APIConnectionError) -> DescribeError:
    cause = exc.__cause__
    if isinstance(cause, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return Rejected(f"no request can be made: {type(cause).__name__}", advice=WRONG_ADDRESS)
    return Outage(f"no answer: {type(cause or exc).__name__}")


def _of_status(exc: openai.APIStatusError) -> DescribeError:
    message = _message(exc)
    if _NO_CREDIT & {exc.code, exc.type}:
        return Rejected(message, advice=_ADVICE[402])
    if exc.status_code == 501 or (exc.status_code == 500 and _NO_IMAGES.search(text_of(exc))):
        return Rejected(message, advice=_WRONG_SETTING)
    if exc.status_code in _PASSING or exc.status_code >= 500:
        return Outage(message, retry_after=_retry_after(exc.response.headers))
    if exc.status_code in _OF_THE_REQUEST:
        return _of_request(exc, message)
    return Rejected(message, advice=_ADVICE.get(exc.status_code, WRONG_ADDRESS))


def _of_request(exc: openai.APIStatusError, message: str) -> DescribeError:
    """The picture was declined or not understood, or no picture would be: then a setting is wrong."""
    if exc.code in _DECLINED:
        return Refused(message)
    is_about_image = "image" in (exc.code or "") and "url" not in (exc.code or "")
    is_setting = str(exc.param) in _SETTINGS or _CANNOT.search(text_of(exc))
    if is_setting and not is_about_image:
        return Rejected(message, advice=_WRONG_SETTING)
    return BadAnswer(message, advice=TOO_LARGE if exc.status_code == 413 else NOT_TAKEN)


def _message(exc: openai.APIStatusError) -> str:
    return f"HTTP {exc.status_code} {_code(exc)}".strip()


def _code(exc: openai.APIStatusError) -> str:
    """The server's code for the error, if it looks like one."""
    code = exc.code or exc.type or ""
    return code if re.fullmatch(r"\w{1,40}", str(code)) else ""


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds until the server wants to be asked again; None when it does not say."""
    if span := _number(headers.get("retry-after-ms")):
        return span / 1000
    asked = headers.get("retry-after")
    if asked and (date := parsedate_tz(asked)):
        return max(0.0, mktime_tz(date) - time.time())
    return _number(asked) if asked else _until_reset(headers)


def _until_reset(headers: httpx2.Headers) -> float | None:
    """The longest `x-ratelimit-reset-…` (such as 6m0.5s) of those limits of which nothing remains."""
    used_up = (kind for kind in ("requests", "tokens") if headers.get(f"x-ratelimit-remaining-{kind}") == "0")
    spans = (_SPAN.findall(headers.get(f"x-ratelimit-reset-{kind}", "")) for kind in used_up)
    return max((sum(float(number) * _SECONDS[unit] for number, unit in span) for span in spans), default=None)


def _number(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"\d{1,9}(\.\d+)?", text.strip()) else None
