"""What belongs to the person and not to the API: the OAuth addresses and the page of authorized services."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from . import pages
from .messages import Call, Reply, html_reply, redirect, text_reply
from .oauth import ACCESS, PERMISSIONS, Authority, Level, Refused

OAUTH_PATH = "/services/oauth/1.0a"
SERVICES_PATH = "/settings/authorized-services"


def answer_oauth(call: Call, authority: Authority, *, nickname: str) -> Reply:
    """The three steps of the handshake."""
    step = call.path.removeprefix(OAUTH_PATH)
    if call.method not in ("GET", "POST"):
        return text_reply(405, "Method Not Allowed")
    if step == "/authorize":
        return _authorize(call, authority, nickname)
    steps = {"/getRequestToken": authority.request_token, "/getAccessToken": authority.access_token}
    if step not in steps:
        return html_reply(404, pages.not_found())
    try:
        token, secret = steps[step](call)
    except Refused as exc:
        return text_reply(401, str(exc))
    confirmed = {"oauth_callback_confirmed": "true"} if step == "/getRequestToken" else {}
    return text_reply(200, urlencode({"oauth_token": token, "oauth_token_secret": secret, **confirmed}))


def answer_services(call: Call, authority: Authority) -> Reply:
    """Where a person raises, lowers or revokes what they granted, as authorizing again does not."""
    if call.method == "POST":
        if call.values.get("answer") == "revoke":
            authority.revoke()
        elif authority.standing()[1]:
            level = Level(call.values.get("Access", ""), call.values.get("Permissions", ""))
            if not _exists(level):
                return html_reply(400, pages.wrong_level())
            authority.change(level)
        return redirect(SERVICES_PATH)
    if call.method != "GET":
        return text_reply(405, "Method Not Allowed")
    level_now, tokens = authority.standing()
    return html_reply(200, pages.services(level_now, application=authority.key, tokens=tokens))


def _authorize(call: Call, authority: Authority, nickname: str) -> Reply:
    """The page a person sees, and what happens when they press one of its buttons."""
    token = call.values.get("oauth_token", "")
    asked = Level(call.values.get("Access", "Public"), call.values.get("Permissions", "Read"))
    if not _exists(asked):
        return html_reply(400, pages.wrong_level())
    request = authority.open_request(token)
    if request is None:
        return html_reply(404, pages.no_request())
    if call.method == "GET":
        granted = authority.granted()
        page = pages.consent(request, application=authority.key, asked=asked, granted=granted, nickname=nickname)
        return html_reply(200, page)
    return _decide(token, authority, asked if call.values.get("answer") == "authorize" else None)


def _decide(token: str, authority: Authority, level: Level | None) -> Reply:
    request = authority.decide(token, level)
    if request is None:
        return html_reply(404, pages.no_request())
    if request.callback == "oob":
        return html_reply(200, pages.code(request.verifier) if level else pages.denied())
    # What SmugMug sends back after a refusal is not known; this is what OAuth's problem extension says.
    outcome = {"oauth_verifier": request.verifier} if level else {"oauth_problem": "permission_denied"}
    return redirect(_with_query(request.callback, {"oauth_token": token, **outcome}))


def _exists(level: Level) -> bool:
    return level.access in ACCESS and level.permissions in PERMISSIONS


def _with_query(url: str, values: dict[str, str]) -> str:
    """The address with `values` added to the query it may have."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query), *values.items()])))
