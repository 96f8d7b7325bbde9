"""The few web pages of the stand-in: the consent page, what follows it, and "nothing here"."""

from html import escape

from .oauth import ACCESS, PERMISSIONS, Level, RequestToken

STYLE = """
  body { font: 16px/1.5 system-ui, sans-serif; margin: 0; background: #f3f4f2; color: #1c2321; }
  main { max-width: 34rem; margin: 8vh auto; padding: 2rem; background: #fff; border-radius: 12px; }
  h1 { font-size: 1.4rem; margin-top: 0; }
  .note { background: #fff6d8; border-radius: 8px; padding: .75rem 1rem; }
  dt { font-weight: 600; } dd { margin: 0 0 .75rem; overflow-wrap: anywhere; }
  form { display: flex; gap: .75rem; flex-wrap: wrap; }
  button { font: inherit; padding: .6rem 1.4rem; border-radius: 8px; border: 1px solid #6b7a75;
           background: #fff; color: inherit; cursor: pointer; }
  button[value=authorize] { background: #1d5c48; border-color: #1d5c48; color: #fff; }
  code { font-size: 2rem; letter-spacing: .2em; }
"""
NOTE = "This is a stand-in for SmugMug on this machine. It is not smugmug.com and knows no real account."
REACH = {"Full": "everything, private albums and originals included", "Public": "only what everybody can see"}
DEEDS = {"Read": "look, change nothing", "Add": "look and add", "Modify": "look, add and change"}


def _page(title: str, content: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · stand-in SmugMug</title><style>{STYLE}</style></head>
<body><main><p class="note">{NOTE}</p><h1>{escape(title)}</h1>{content}</main></body>
</html>
"""


def consent(request: RequestToken, *, application: str, asked: Level, granted: Level | None, nickname: str) -> str:
    """Ask the person whether the application may have what it asks for."""
    back = "It will show you a code to type in." if request.callback == "oob" else escape(request.callback)
    earlier = (
        f"<p>You have granted <b>{granted.access}, {granted.permissions}</b> before. That stays in force; "
        "agreeing again does not change it.</p>"
        if granted and granted != asked
        else ""
    )
    fields = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in (
            ("oauth_token", request.token),
            ("Access", asked.access),
            ("Permissions", asked.permissions),
        )
    )
    return _page(
        "An application asks for access",
        f"""
<dl>
<dt>Application</dt><dd>the one with the API key {escape(application)}</dd>
<dt>Account</dt><dd>{escape(nickname)}</dd>
<dt>Access</dt><dd>{asked.access}: {REACH[asked.access]}</dd>
<dt>Permissions</dt><dd>{asked.permissions}: {DEEDS[asked.permissions]}</dd>
<dt>Afterwards</dt><dd>{back}</dd>
</dl>{earlier}
<form method="post">{fields}
<button name="answer" value="authorize">Authorize</button>
<button name="answer" value="deny">Deny</button>
</form>""",
    )


def code(verifier: str) -> str:
    """Show the six digits to a person whose application cannot be called back."""
    return _page(
        "Access granted",
        f'<p>Type this code into the application:</p><p><code id="verifier">{verifier}</code></p>',
    )


def denied() -> str:
    return _page("Access denied", "<p>The application was given nothing. You can close this page.</p>")


def no_request() -> str:
    return _page(
        "This request cannot be answered",
        "<p>It is unknown, older than five minutes, or has been answered already. "
        "Go back to the application and connect again.</p>",
    )


def wrong_level() -> str:
    return _page(
        "This request asks for something that does not exist",
        "<p>Access is Full or Public; Permissions is Read, Add or Modify.</p>",
    )


def forbidden(path: str) -> str:
    """What SmugMug's web server says in front of the API, to an address that is too long for it."""
    return (
        '<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n<html><head>\n<title>403 Forbidden</title>\n</head>'
        f"<body>\n<h1>Forbidden</h1>\n<p>You don't have permission to access {escape(path)} on this server.</p>\n"
        "</body></html>\n"
    )


def services(level: Level | None, *, application: str, tokens: int) -> str:
    """Account Settings → Privacy → Authorized Services: what the application was granted, to change or revoke."""
    if level is None and not tokens:
        return _page("Authorized services", "<p>No application has access to this account.</p>")
    shown = level or Level()
    choices = "".join(
        f'<p><label for="{name}"><b>{name}</b></label> <select id="{name}" name="{name}">'
        + "".join(f"<option{' selected' if value == chosen else ''}>{value}</option>" for value in values)
        + "</select></p>"
        for name, values, chosen in (
            ("Access", ACCESS, shown.access),
            ("Permissions", PERMISSIONS, shown.permissions),
        )
    )
    return _page(
        "Authorized services",
        f"""
<p>The application with the API key {escape(application)}, which holds {tokens} token(s).</p>
<form method="post">{choices}
<button name="answer" value="authorize">Save</button>
<button name="answer" value="revoke">Revoke access</button>
</form>""",
    )


def not_found() -> str:
    return _page("Nothing here", "<p>The stand-in has an API and pictures, but no web pages of its own.</p>")


def api_browser(path: str) -> str:
    """What SmugMug shows to who does not ask for JSON: a page instead of data."""
    return _page(
        "API browser",
        f"<p>{escape(path)}</p><p>For data, send the header <b>Accept: application/json</b>.</p>",
    )
