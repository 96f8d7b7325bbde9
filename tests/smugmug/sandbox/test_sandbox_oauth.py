import os
import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from requests_oauthlib import OAuth1, OAuth1Session
from requests_oauthlib.oauth1_session import TokenRequestDenied

from smugmug.sandbox import Sandbox

JSON = {"Accept": "application/json"}
CALLBACK = "http://127.0.0.1:1/done?from=here"


def start(sandbox, callback=CALLBACK, **keys):
    """An OAuth session that holds a request token."""
    session = OAuth1Session(
        keys.get("key", sandbox.api_key), keys.get("secret", sandbox.api_secret), callback_uri=callback
    )
    session.fetch_request_token(f"{sandbox.oauth_url}/getRequestToken")
    return session


def press(sandbox, session, answer, access="Full", permissions="Read"):
    """What a person does: look at the consent page and press one of its buttons."""
    address = session.authorization_url(f"{sandbox.oauth_url}/authorize", Access=access, Permissions=permissions)
    page = requests.get(address, timeout=10)
    assert page.status_code == 200
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text.partition("<button")[0]))
    return page, requests.post(
        f"{sandbox.oauth_url}/authorize",
        data={**fields, "answer": answer},
        allow_redirects=False,
        timeout=10,
    )


def exchange(sandbox, session, verifier):
    return session.fetch_access_token(f"{sandbox.oauth_url}/getAccessToken", verifier=verifier)


def call(sandbox, auth, path="/api/v2!authuser", headers=JSON):
    return requests.get(f"{sandbox.url}{path}", auth=auth, headers=headers, timeout=10)


def refusal(response):
    assert response.status_code == 401
    assert response.headers["Content-Type"] == "application/json"
    assert set(response.json()) == {"Code", "Message"}
    assert response.json()["Code"] == 401
    return response.json()["Message"]


def test_connect_with_a_callback_gives_a_token_that_works(fresh):
    session = start(fresh)
    request_token = session._client.client.resource_owner_key
    page, redirect = press(fresh, session, "authorize", permissions="Modify")
    target = urlsplit(redirect.headers["Location"])
    back = parse_qs(target.query)

    token = exchange(fresh, session, back["oauth_verifier"][0])
    answer = call(
        fresh,
        OAuth1(fresh.api_key, fresh.api_secret, token["oauth_token"], token["oauth_token_secret"]),
    )

    assert "stand-in for SmugMug on this machine" in page.text
    assert "sandbox-key" in page.text
    assert "Full" in page.text
    assert "Modify" in page.text
    assert redirect.status_code == 302
    assert f"{target.scheme}://{target.netloc}{target.path}" == "http://127.0.0.1:1/done"
    assert back["from"] == ["here"]
    assert back["oauth_token"] == [request_token]
    assert re.fullmatch(r"\d{6}", back["oauth_verifier"][0])
    assert answer.json()["Response"]["User"]["NickName"] == "demo"


def test_connect_out_of_band_shows_a_code_of_six_digits(fresh):
    session = start(fresh, callback="oob")
    _page, shown = press(fresh, session, "authorize")
    code = re.search(r'<code id="verifier">(\d{6})</code>', shown.text)

    token = exchange(fresh, session, code[1])

    assert shown.status_code == 200
    assert set(token) == {"oauth_token", "oauth_token_secret"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_request_token_by_either_method_is_given(sandbox, method):
    auth = OAuth1(sandbox.api_key, sandbox.api_secret, callback_uri="oob")

    answer = requests.request(method, f"{sandbox.oauth_url}/getRequestToken", auth=auth, timeout=10)

    assert answer.status_code == 200
    assert parse_qs(answer.text)["oauth_callback_confirmed"] == ["true"]


def test_deny_with_a_callback_goes_back_without_a_verifier(fresh):
    session = start(fresh)

    _page, redirect = press(fresh, session, "deny")

    back = parse_qs(urlsplit(redirect.headers["Location"]).query)
    assert back["oauth_problem"] == ["permission_denied"]
    assert "oauth_verifier" not in back
    with pytest.raises(TokenRequestDenied, match="permission_denied"):
        exchange(fresh, session, "000000")


def test_deny_out_of_band_shows_no_code(fresh):
    _page, shown = press(fresh, start(fresh, callback="oob"), "deny")

    assert "Access denied" in shown.text
    assert "verifier" not in shown.text


def test_exchange_with_a_wrong_code_is_refused_and_the_right_one_still_works(fresh):
    session = start(fresh, callback="oob")
    _page, shown = press(fresh, session, "authorize")
    code = re.search(r"(\d{6})</code>", shown.text)[1]
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"

    with pytest.raises(TokenRequestDenied, match="verifier_invalid"):
        exchange(fresh, session, wrong)

    assert exchange(fresh, session, code)["oauth_token"]


def test_exchange_before_consent_is_refused(fresh):
    with pytest.raises(TokenRequestDenied, match="permission_unknown"):
        exchange(fresh, start(fresh), "123456")


def test_exchange_twice_is_refused_the_second_time(fresh):
    session = start(fresh)
    token = session._client.client.resource_owner_key
    secret = session._client.client.resource_owner_secret
    _page, redirect = press(fresh, session, "authorize")
    verifier = parse_qs(urlsplit(redirect.headers["Location"]).query)["oauth_verifier"][0]
    exchange(fresh, session, verifier)
    again = OAuth1(fresh.api_key, fresh.api_secret, token, secret, verifier=verifier)

    answer = requests.post(f"{fresh.oauth_url}/getAccessToken", auth=again, timeout=10)

    assert (answer.status_code, answer.text) == (401, "oauth_problem=token_rejected")


def test_request_token_older_than_five_minutes_is_expired(fresh, monkeypatch):
    session = start(fresh)
    address = session.authorization_url(f"{fresh.oauth_url}/authorize")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 301)

    page = requests.get(address, timeout=10)

    assert page.status_code == 404
    assert "older than five minutes" in page.text
    with pytest.raises(TokenRequestDenied, match="token_expired"):
        exchange(fresh, session, "123456")


def test_consent_page_for_an_answered_request_asks_nothing(fresh):
    session = start(fresh)
    press(fresh, session, "authorize")

    page = requests.get(session.authorization_url(f"{fresh.oauth_url}/authorize"), timeout=10)

    assert page.status_code == 404
    assert "<button" not in page.text


def test_consent_page_for_an_unknown_level_is_refused(fresh):
    session = start(fresh)

    page = requests.get(session.authorization_url(f"{fresh.oauth_url}/authorize", Access="All"), timeout=10)

    assert page.status_code == 400
    assert "<button" not in page.text


def test_consent_page_escapes_the_callback(fresh):
    session = start(fresh, callback="http://127.0.0.1:1/<script>alert(1)</script>")

    page = requests.get(session.authorization_url(f"{fresh.oauth_url}/authorize"), timeout=10)

    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text


def test_request_token_without_a_callback_names_what_is_absent(sandbox):
    auth = OAuth1(sandbox.api_key, sandbox.api_secret)

    answer = requests.get(f"{sandbox.oauth_url}/getRequestToken", auth=auth, timeout=10)

    assert answer.status_code == 401
    assert answer.text == "oauth_problem=parameter_absent&oauth_parameters_absent=oauth_callback"


@pytest.mark.parametrize("callback", ["javascript:alert(1)", "done"])
def test_request_token_for_a_callback_that_is_no_web_address_is_refused(sandbox, callback):
    with pytest.raises(TokenRequestDenied, match="parameter_rejected"):
        start(sandbox, callback=callback)


def test_authorize_again_keeps_the_earlier_grant(fresh):
    press(fresh, start(fresh), "authorize", access="Public", permissions="Read")
    session = start(fresh)

    page, redirect = press(fresh, session, "authorize", access="Full", permissions="Modify")
    verifier = parse_qs(urlsplit(redirect.headers["Location"]).query)["oauth_verifier"][0]
    token = exchange(fresh, session, verifier)

    auth = OAuth1(fresh.api_key, fresh.api_secret, token["oauth_token"], token["oauth_token_secret"])
    albums = call(fresh, auth, "/api/v2/user/demo!albums").json()["Response"]["Album"]
    assert "You have granted <b>Public, Read</b> before" in page.text
    assert {album["ResponseLevel"] for album in albums} == {"Public"}


def test_call_with_a_wrong_secret_is_refused(sandbox):
    token, secret = sandbox.grant()

    assert refusal(call(sandbox, OAuth1(sandbox.api_key, "wrong", token, secret))) == (
        "oauth_problem=signature_invalid"
    )
    assert refusal(call(sandbox, OAuth1(sandbox.api_key, sandbox.api_secret, token, "wrong"))) == (
        "oauth_problem=signature_invalid"
    )


def test_call_with_an_unknown_key_or_token_is_refused(sandbox):
    token, secret = sandbox.grant()

    assert refusal(call(sandbox, OAuth1("other", sandbox.api_secret, token, secret))) == (
        "oauth_problem=consumer_key_unknown"
    )
    assert refusal(call(sandbox, OAuth1(sandbox.api_key, sandbox.api_secret, "other", secret))) == (
        "oauth_problem=token_rejected"
    )


def test_call_with_a_used_nonce_is_refused(sandbox):
    token, secret = sandbox.grant()
    signed = requests.Request(
        "GET",
        f"{sandbox.url}/api/v2!authuser",
        headers=JSON,
        auth=OAuth1(sandbox.api_key, sandbox.api_secret, token, secret),
    ).prepare()
    with requests.Session() as session:
        first = session.send(signed, timeout=10)
        second = session.send(signed, timeout=10)

    assert first.status_code == 200
    assert refusal(second) == "oauth_problem=nonce_used"


def test_call_with_a_changed_parameter_is_refused_and_leaves_the_nonce_unused(sandbox):
    token, secret = sandbox.grant()
    signed = requests.Request(
        "GET",
        f"{sandbox.url}/api/v2/user/demo!albums?count=1",
        headers=JSON,
        auth=OAuth1(sandbox.api_key, sandbox.api_secret, token, secret),
    ).prepare()
    right = signed.url
    with requests.Session() as session:
        signed.url = right.replace("count=1", "count=2")
        changed = session.send(signed, timeout=10)
        signed.url = right
        unchanged = session.send(signed, timeout=10)

    assert refusal(changed) == "oauth_problem=signature_invalid"
    assert len(unchanged.json()["Response"]["Album"]) == 1


@pytest.mark.parametrize("seconds", [-310, 310])
def test_call_with_a_clock_more_than_five_minutes_off_is_refused(sandbox, seconds):
    token, secret = sandbox.grant()
    auth = OAuth1(sandbox.api_key, sandbox.api_secret, token, secret, timestamp=str(int(time.time()) + seconds))

    assert refusal(call(sandbox, auth)) == "oauth_problem=timestamp_refused"


def test_call_signed_in_plain_text_is_refused(sandbox):
    token, secret = sandbox.grant()
    auth = OAuth1(sandbox.api_key, sandbox.api_secret, token, secret, signature_method="PLAINTEXT")

    assert refusal(call(sandbox, auth)) == "oauth_problem=signature_method_rejected"


def test_call_signed_in_the_query_is_let_in(sandbox):
    token, secret = sandbox.grant()
    auth = OAuth1(sandbox.api_key, sandbox.api_secret, token, secret, signature_type="query")

    assert call(sandbox, auth).json()["Response"]["User"]["NickName"] == "demo"


def test_call_signed_without_a_token_sees_the_public_view(sandbox):
    answer = call(sandbox, OAuth1(sandbox.api_key, sandbox.api_secret), "/api/v2/user/demo")

    assert answer.json()["Response"]["User"]["ResponseLevel"] == "Public"


def test_call_that_leaves_signature_and_nonce_out_names_them(sandbox):
    answer = call(
        sandbox,
        None,
        f"/api/v2!authuser?oauth_consumer_key={sandbox.api_key}&oauth_timestamp=1&oauth_signature_method=HMAC-SHA1",
    )

    assert refusal(answer) == ("oauth_problem=parameter_absent&oauth_parameters_absent=oauth_signature%26oauth_nonce")


def test_call_after_the_nonces_life_may_use_it_again_with_a_new_timestamp(fresh, monkeypatch):
    token, secret = fresh.grant()
    now = time.time()
    auth = {"nonce": "once", "client_key": fresh.api_key, "client_secret": fresh.api_secret}

    first = call(fresh, OAuth1(**auth, resource_owner_key=token, resource_owner_secret=secret))
    monkeypatch.setattr(time, "time", lambda: now + 700)
    second = call(fresh, OAuth1(**auth, resource_owner_key=token, resource_owner_secret=secret))

    assert (first.status_code, second.status_code) == (200, 200)
    assert len(fresh.authority._nonces) == 1


@pytest.mark.parametrize("version", ["1.0a", "2.0"])
def test_call_for_another_version_is_refused(sandbox, version):
    answer = call(
        sandbox,
        None,
        "/api/v2!authuser?oauth_consumer_key=a&oauth_timestamp=1&oauth_nonce=1&"
        f"oauth_signature_method=HMAC-SHA1&oauth_signature=x&oauth_version={version}",
    )

    assert refusal(answer) == "oauth_problem=version_rejected"


def test_press_a_button_of_an_unknown_request_is_404(sandbox):
    answer = requests.post(
        f"{sandbox.oauth_url}/authorize", data={"oauth_token": "x", "answer": "authorize"}, timeout=10
    )

    assert answer.status_code == 404


def test_use_oauth_address_wrongly_is_told_so(sandbox):
    assert requests.put(f"{sandbox.oauth_url}/authorize", timeout=10).status_code == 405
    assert requests.get(f"{sandbox.oauth_url}/nothing", timeout=10).status_code == 404


def test_call_with_a_broken_header_is_refused(sandbox):
    answer = call(sandbox, None, headers={**JSON, "Authorization": "OAuth nothing"})

    assert refusal(answer) == "oauth_problem=parameter_rejected"


def test_call_without_any_key_or_with_a_wrong_one_is_refused(sandbox):
    path = "/api/v2/user/demo"

    assert refusal(call(sandbox, None, path)).startswith("oauth_problem=parameter_absent")
    assert refusal(call(sandbox, None, f"{path}?APIKey=x")) == "oauth_problem=consumer_key_unknown"


def test_follow_a_redirect_with_the_same_header_is_told_nonce_used(sandbox):
    token, secret = sandbox.grant()
    photo = sandbox.library.albums[0].photos[0]

    answer = call(
        sandbox,
        OAuth1(sandbox.api_key, sandbox.api_secret, token, secret),
        f"/api/v2/image/{photo.key}",
    )

    assert answer.history[0].status_code == 301
    assert refusal(answer) == "oauth_problem=nonce_used"


def test_restart_with_a_state_file_keeps_tokens(tmp_path):
    state = tmp_path / "deep" / "tokens.json"
    with Sandbox(state=state) as first:
        token, secret = first.grant()
    with Sandbox(state=state) as second:
        kept = call(second, OAuth1(second.api_key, second.api_secret, token, secret))
    with Sandbox() as other:
        unknown = call(other, OAuth1(other.api_key, other.api_secret, token, secret))

    assert kept.status_code == 200
    assert refusal(unknown) == "oauth_problem=token_rejected"
    assert os.stat(state).st_mode & 0o777 == 0o600
    assert [path.name for path in state.parent.iterdir()] == ["tokens.json"]


def test_revoke_makes_tokens_worthless_and_forgets_the_grant(fresh):
    press(fresh, start(fresh), "authorize", access="Public")
    token, secret = fresh.grant()

    fresh.revoke()

    page, _redirect = press(fresh, start(fresh), "authorize")
    assert refusal(call(fresh, OAuth1(fresh.api_key, fresh.api_secret, token, secret))) == (
        "oauth_problem=token_rejected"
    )
    assert "granted" not in page.text.partition("</style>")[2]


def test_services_page_raises_the_grant_of_tokens_there_are(fresh, calling):
    caller = calling(fresh, "Public", "Read")
    path = f"/api/v2/image/{fresh.library.albums[0].photos[0].key}-0"
    before = caller.send("PATCH", path, json={"Title": "x"})

    page = requests.get(fresh.services_url, timeout=10)
    saved = requests.post(
        fresh.services_url, data={"Access": "Full", "Permissions": "Modify", "answer": "authorize"}, timeout=10
    )

    assert before.status_code == 403
    assert "<option selected>Public</option>" in page.text
    assert "<option selected>Modify</option>" in saved.text
    assert caller.send("PATCH", path, json={"Title": "x"}).status_code == 200
    assert len(caller.read("/api/v2/user/demo!albums")) == 6
    page, _redirect = press(fresh, start(fresh), "authorize", permissions="Read")
    assert "You have granted <b>Full, Modify</b> before" in page.text


def test_services_page_lowers_the_grant(fresh, calling):
    caller = calling(fresh, "Full", "Modify")

    requests.post(fresh.services_url, data={"Access": "Public", "Permissions": "Read"}, timeout=10)

    assert len(caller.read("/api/v2/user/demo!albums")) == 5


def test_services_page_revokes(fresh, calling):
    caller = calling(fresh)

    page = requests.post(fresh.services_url, data={"answer": "revoke"}, timeout=10)

    assert "No application has access" in page.text
    assert refusal(caller.fetch("/api/v2!authuser")) == "oauth_problem=token_rejected"


@pytest.mark.parametrize("level", [{}, {"Access": "All", "Permissions": "Read"}])
def test_services_page_for_an_unknown_level_changes_nothing(fresh, calling, level):
    caller = calling(fresh)

    answer = requests.post(fresh.services_url, data=level, timeout=10)

    assert answer.status_code == 400
    assert len(caller.read("/api/v2/user/demo!albums")) == 6


def test_services_page_without_any_token_grants_nothing(fresh):
    requests.post(fresh.services_url, data={"Access": "Full", "Permissions": "Modify"}, timeout=10)

    assert fresh.authority.standing() == (None, 0)
    assert requests.put(fresh.services_url, timeout=10).status_code == 405
