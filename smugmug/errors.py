"""What can go wrong between us and SmugMug, told apart by what the caller can do about it."""

from __future__ import annotations


class SmugMugError(Exception):
    """str(exc) is for the log; `advice` is the sentence shown to a person."""

    advice = "SmugMug did not accept this. Please tell the maintainers."

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        if advice:
            self.advice = advice


class SmugMugUnavailable(SmugMugError):
    """Timeout, connection, 429, 5xx: may work later; `retry_after` in seconds where it is known when."""

    advice = "SmugMug did not answer. Try again in a few minutes."

    def __init__(self, message: str, retry_after: float | None = None, *, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.retry_after = retry_after


class SmugMugRefused(SmugMugError):
    """Our key or the account's token is not accepted."""

    advice = "SmugMug refuses our access. Connect the account again, and check SMUGMUG_API_KEY and SMUGMUG_API_SECRET."


class RefusedHere(SmugMugRefused):
    """What is wrong is on this machine; the account's access may well be good."""


class ClockOff(RefusedHere):
    """Our signatures carry a time that SmugMug does not believe; key and token may well be good."""


class SmugMugLocked(SmugMugError):
    """We may come in, but not see or change this."""

    advice = "SmugMug does not let us see this. Check its privacy there, then sync again."


class SmugMugNotGranted(SmugMugLocked):
    """The owner of the library has let us look, and not change."""


class SmugMugGone(SmugMugError):
    """There is no such thing, or not for us."""

    advice = "SmugMug does not know this any more."


class SmugMugNonsense(SmugMugError):
    """An answer that cannot be understood, or a question that could not be."""

    advice = "SmugMug answered with something unreadable. Try again in a few minutes."


class SmugMugUnchanged(SmugMugNonsense):
    """SmugMug said yes to a change, and what it has afterwards is something else; `names` did not take."""

    def __init__(self, message: str, names: tuple[str, ...]) -> None:
        listed = ", ".join(names)
        super().__init__(message, advice=f"SmugMug took the change, but did not keep {listed}. Look at it there.")
        self.names = names
