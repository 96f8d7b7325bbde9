"""OAuth 1.0a as SmugMug speaks it: who may call, with what access, and the tokens' lives.

Signatures are checked with oauthlib; only HMAC-SHA1 is taken, because PLAINTEXT needs HTTPS.
"""

import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from oauthlib.oauth1.rfc5849.signature import collect_parameters, verify_hmac_sha1

from .messages import Call

# Seconds a timestamp may be off. That SmugMug looks at it, how closely and what it then says are guesses: these are
# OAuth's own word and the time that other providers allow.
CLOCK_SKEW = 300
REQUEST_TOKEN_LIFE = 300  # seconds
SIGNED = (
    "oauth_consumer_key",
    "oauth_signature_method",
    "oauth_signature",
    "oauth_timestamp",
    "oauth_nonce",
)
ACCESS = ("Public", "Full")
PERMISSIONS = ("Read", "Add", "Modify")


class Refused(Exception):
    """The call is not let in; str(exc) is SmugMug's oauth_problem=… text."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"oauth_problem={problem}")


@dataclass(frozen=True)
class Level:
    """How far a grant reaches."""

    access: str = "Public"
    permissions: str = "Read"


@dataclass
class RequestToken:
    token: str
    secret: str
    callback: str
    expires_at: float
    level: Level | None = None  # set when the person has agreed
    verifier: str = ""
    is_decided: bool = False

    @property
    def is_expired(self) -> bool:
        return time.time() > self.expires_at


@dataclass(frozen=True)
class AccessToken:
    secret: str
    level: Level


class Authority:
    """Keeps tokens and nonces, and decides about calls. Safe to use from many threads."""

    def __init__(
        self, *, key: str, secret: str, state: Path | None = None, clock: Callable[[], float] = lambda: time.time()
    ) -> None:
        self._clock = clock  # that of SmugMug, in seconds since 1970
        self.key = key
        self.secret = secret
        self._state = state
        self._lock = threading.RLock()
        self._nonces: dict[tuple[str, str, str], float] = {}  # (token, timestamp, nonce) → when it dies
        self._request_tokens: dict[str, RequestToken] = {}
        self._access_tokens: dict[str, AccessToken] = {}
        self._granted: Level | None = None  # what the person has agreed to, for as long as it is not revoked
        if state:
            state.parent.mkdir(parents=True, exist_ok=True)
        if state and state.exists():
            self._load(state)

    # Calls to the API

    def level_of(self, call: Call) -> Level | None:
        """What this call may see: its token's level, or None for a public one. Raises Refused."""
        if not _is_signed(call):
            self._check_key(call)
            return None
        token = self._verify(call, self._access_secret).get("oauth_token")
        found = self._access_tokens.get(token) if token else None
        return found.level if found else None

    def _check_key(self, call: Call) -> None:
        """Public data needs only the key. What SmugMug says to a wrong one is not known; this is a guess."""
        if "APIKey" not in call.values:
            raise Refused("parameter_absent&oauth_parameters_absent=oauth_consumer_key")
        if call.values["APIKey"] != self.key:
            raise Refused("consumer_key_unknown")

    # The handshake

    def request_token(self, call: Call) -> tuple[str, str]:
        """A new request token and its secret, for a signed call that names its callback. Raises Refused."""
        parameters = self._verify(call, lambda token: None)
        callback = parameters.get("oauth_callback", "")
        if not callback:
            raise Refused("parameter_absent&oauth_parameters_absent=oauth_callback")
        if callback != "oob" and not callback.startswith(("http://", "https://")):
            raise Refused("parameter_rejected&oauth_parameters_rejected=oauth_callback")
        token, secret = secrets.token_urlsafe(18), secrets.token_urlsafe(30)
        now = time.time()
        with self._lock:
            self._request_tokens = {
                name: request
                for name, request in self._request_tokens.items()
                if request.expires_at + REQUEST_TOKEN_LIFE > now
            }
            self._request_tokens[token] = RequestToken(token, secret, callback, now + REQUEST_TOKEN_LIFE)
        return token, secret

    def open_request(self, token: str) -> RequestToken | None:
        """The request a person may still decide about; None if unknown, too old or used."""
        request = self._request_tokens.get(token)
        return None if request is None or request.is_decided or request.is_expired else request

    def granted(self) -> Level | None:
        """What the person granted earlier. Agreeing again does not change it."""
        return self._granted

    def decide(self, token: str, level: Level | None) -> RequestToken | None:
        """Record the person's answer: a level, or None for no. Returns None if there is nothing to decide."""
        with self._lock:
            request = self.open_request(token)
            if request is None:
                return None
            request.is_decided = True
            if level is not None:
                self._granted = self._granted or level
                request.level = self._granted
                request.verifier = f"{secrets.randbelow(1_000_000):06d}"
            return request

    def access_token(self, call: Call) -> tuple[str, str]:
        """Exchange an agreed request token, once. Raises Refused."""
        parameters = self._verify(call, self._request_secret)
        token = parameters.get("oauth_token", "")
        with self._lock:
            request = self._request_tokens.get(token)
            if request is None:
                raise Refused("token_rejected")
            if request.level is None:
                raise Refused("permission_denied" if request.is_decided else "permission_unknown")
            if parameters.get("oauth_verifier") != request.verifier:
                raise Refused("verifier_invalid")
            del self._request_tokens[token]
            return self.grant(request.level)

    # Grants

    def grant(self, level: Level) -> tuple[str, str]:
        """A new access token and its secret."""
        token, secret = secrets.token_urlsafe(18), secrets.token_urlsafe(30)
        with self._lock:
            self._access_tokens[token] = AccessToken(secret, level)
            self._save()
        return token, secret

    def revoke(self) -> None:
        """What the person does under Account Settings → Privacy → Authorized Services."""
        with self._lock:
            self._access_tokens.clear()
            self._granted = None
            self._save()

    def change(self, level: Level) -> None:
        """Set how far the grant and every token given under it reach, which authorizing again does not."""
        with self._lock:
            self._granted = level
            self._access_tokens = {
                token: AccessToken(entry.secret, level) for token, entry in self._access_tokens.items()
            }
            self._save()

    def standing(self) -> tuple[Level | None, int]:
        """What is in force now, and for how many tokens. Tokens may differ; then it is the newest's level."""
        with self._lock:
            newest = next(reversed(self._access_tokens.values()), None)
            return self._granted or (newest.level if newest else None), len(self._access_tokens)

    # Signatures

    def _verify(self, call: Call, secret_of: Callable[[str], str | None]) -> dict[str, str]:
        """The OAuth parameters of a call that is rightly signed. Raises Refused.

        A used nonce is noticed before a wrong signature, as by SmugMug: a redirect followed with the same
        header is told nonce_used. Only a rightly signed call uses its nonce up.
        """
        everything = _parameters(call)
        oauth = {name: value for name, value in everything if name.startswith("oauth_")}
        self._check_protocol(oauth)
        token = oauth.get("oauth_token", "")
        token_secret = secret_of(token) if token else ""
        if token_secret is None:
            raise Refused("token_rejected")
        nonce = (token, oauth["oauth_timestamp"], oauth["oauth_nonce"])
        if nonce in self._nonces:
            raise Refused("nonce_used")
        request: Any = SimpleNamespace(
            uri=call.uri,
            http_method=call.method,
            params=[(name, value) for name, value in everything if name != "oauth_signature"],
            signature=oauth["oauth_signature"],
        )
        if not verify_hmac_sha1(request, self.secret, token_secret):
            raise Refused("signature_invalid")
        self._use_up(nonce)
        return oauth

    def _check_protocol(self, oauth: dict[str, str]) -> None:
        absent = [name for name in SIGNED if not oauth.get(name)]
        if absent:
            raise Refused(f"parameter_absent&oauth_parameters_absent={quote('&'.join(absent))}")
        if oauth.get("oauth_version", "1.0") != "1.0":
            raise Refused("version_rejected")
        if oauth["oauth_signature_method"] != "HMAC-SHA1":
            raise Refused("signature_method_rejected")
        if oauth["oauth_consumer_key"] != self.key:
            raise Refused("consumer_key_unknown")
        timestamp = oauth["oauth_timestamp"]
        if not timestamp.isdecimal() or abs(self._clock() - int(timestamp)) > CLOCK_SKEW:
            raise Refused("timestamp_refused")

    def _use_up(self, nonce: tuple[str, str, str]) -> None:
        """Remember the nonce for as long as its timestamp can be taken."""
        now = time.time()
        with self._lock:
            if nonce in self._nonces:
                raise Refused("nonce_used")
            self._nonces[nonce] = now + 2 * CLOCK_SKEW
            # Oldest first, so the dead ones are at the front.
            while self._nonces and next(iter(self._nonces.values())) < now:
                del self._nonces[next(iter(self._nonces))]

    def _access_secret(self, token: str) -> str | None:
        found = self._access_tokens.get(token)
        return found.secret if found else None

    def _request_secret(self, token: str) -> str | None:
        found = self._request_tokens.get(token)
        if found and found.is_expired:
            raise Refused("token_expired")
        return found.secret if found else None

    # State

    def _load(self, state: Path) -> None:
        stored = json.loads(state.read_text("utf-8"))
        self._granted = Level(**stored["granted"]) if stored["granted"] else None
        self._access_tokens = {
            token: AccessToken(entry["secret"], Level(**entry["level"])) for token, entry in stored["tokens"].items()
        }

    def _save(self) -> None:
        """Write the grants where a restarted stand-in finds them, readable by the owner only."""
        if self._state is None:
            return
        stored = {
            "granted": self._granted and asdict(self._granted),
            "tokens": {token: asdict(entry) for token, entry in self._access_tokens.items()},
        }
        fresh = self._state.with_name(f".{self._state.name}.{secrets.token_hex(4)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(stored, file, indent=1)
        fresh.replace(self._state)


def _is_signed(call: Call) -> bool:
    header = call.headers.get("authorization", "")
    return header.lower().startswith("oauth ") or "oauth_consumer_key" in call.values


def _parameters(call: Call) -> list[tuple[str, str]]:
    """Everything the signature covers, and the signature. Raises Refused where it cannot be read."""
    header = call.headers.get("authorization")
    try:
        return collect_parameters(
            uri_query=call.query,
            body=call.form_text,
            headers={"Authorization": header} if header else {},
            exclude_oauth_signature=False,
        )
    except ValueError as exc:
        raise Refused("parameter_rejected") from exc
