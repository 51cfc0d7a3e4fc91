"""Credentials: what the token request says, and that sixteen threads ask for one token."""

from __future__ import annotations

import json
import threading
import uuid
from typing import Any
from urllib.parse import parse_qs

import pytest

from mpftconnect.adapters import ApiKeyHeader, BasicAuth, BearerToken, Deadline, SignedJwtAuth
from mpftconnect.errors import (
    AdapterError,
    AnswerRejected,
    ConfigurationError,
    NotPermitted,
    RateLimited,
    SystemFailed,
    TimedOut,
    Unreachable,
    UsageError,
)

from .conftest import FOR_EVER_SECONDS, Talk

joserfc_jwt = pytest.importorskip("joserfc.jwt", reason="needs the extra `jwt`")


@pytest.fixture(scope="session")
def key() -> Any:
    from joserfc.jwk import RSAKey

    return RSAKey.generate_key(2048)


@pytest.fixture(scope="session")
def pem(key) -> str:
    return key.as_pem(private=True).decode()


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class TokenServer:
    """A token endpoint and an API that honours only the newest token."""

    def __init__(self, said: dict[str, Any] | None = None) -> None:
        self.tokens = 0
        self.forms: list[dict[str, list[str]]] = []
        self.said = said or {"expires_in": "599", "token_type": "Bearer"}

    def __call__(self, talk: Talk) -> None:
        if talk.target == "/token":
            self.tokens += 1
            self.forms.append(parse_qs(talk.body.decode()))
            talk.wait(0.05)  # long enough for the other threads to come too
            talk.answer(body=json.dumps({"access_token": f"token-{self.tokens}", **self.said}).encode())
        else:
            talk.answer(200 if talk.headers.get("authorization") == f"Bearer token-{self.tokens}" else 401)


@pytest.fixture
def signed(serve, line, pem):
    def make(script, clock=None, **settings):
        server = serve(script)
        wire = line(server.url + "/api", **settings)
        auth = SignedJwtAuth(
            token_url=server.url + "/token",
            api_key="the-api-key",
            kid="test-1",
            private_key_pem=pem,
            wire=wire,
            clock=clock or Clock(),
        )
        return auth, wire.bound(auth=auth), server

    return make


def test_the_token_request_is_what_the_platform_asks_for(signed, key, line):
    api = TokenServer()
    clock = Clock()
    _, wire, server = signed(api, clock)
    assert wire.get("Patient").ok
    (form,) = api.forms
    assert form["grant_type"] == ["client_credentials"]
    assert form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    assert set(form) == {"grant_type", "client_assertion_type", "client_assertion"}
    token = joserfc_jwt.decode(form["client_assertion"][0], key, algorithms=["RS512"])
    assert token.header == {"alg": "RS512", "typ": "JWT", "kid": "test-1"}
    claims = token.claims
    assert claims["iss"] == claims["sub"] == "the-api-key"
    assert claims["aud"] == server.url + "/token"
    assert clock.now < claims["exp"] <= clock.now + 300
    uuid.UUID(claims["jti"])
    assert server.talks[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in server.talks[0].headers
    assert line.codes() == ["exchange-finished", "token-fetched", "exchange-finished"]


def in_threads(count: int, work) -> list[Any]:
    results: list[Any] = []
    start = threading.Barrier(count)

    def run() -> None:
        start.wait(FOR_EVER_SECONDS)
        try:
            results.append(work())
        except AdapterError as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_sixteen_threads_ask_for_one_token(signed):
    api = TokenServer()
    _, wire, _ = signed(api)
    results = in_threads(16, lambda: wire.bound(deadline=Deadline.after(5)).get("Patient").status)
    assert results == [200] * 16
    assert api.tokens == 1


def test_sixteen_threads_renew_a_refused_token_once(signed):
    api = TokenServer()
    _, wire, server = signed(api)
    assert wire.get("Patient").ok
    stale = f"Bearer token-{api.tokens}"

    def only_new(talk: Talk) -> None:
        if talk.headers.get("authorization") == stale:
            talk.answer(401)
        else:
            api(talk)

    server.script = only_new
    assert in_threads(16, lambda: wire.get("Patient").status) == [200] * 16
    assert api.tokens == 2


def test_a_401_to_an_older_token_does_not_drop_the_newer(signed):
    api = TokenServer()
    auth, _, _ = signed(api)
    older = auth.apply({})
    assert auth.renew(older)
    newer = auth.apply({})
    assert newer != older
    assert auth.renew(older)
    assert auth.apply({}) == newer
    assert api.tokens == 2


def test_a_token_is_kept_until_shortly_before_it_expires(signed):
    api, clock = TokenServer(), Clock()
    _, wire, _ = signed(api, clock)
    wire.get("a")
    clock.now += 560
    wire.get("b")
    assert api.tokens == 1
    clock.now += 20
    assert wire.get("c").ok
    assert api.tokens == 2


@pytest.mark.parametrize(
    "life", [{}, {"expires_in": "soon"}, {"expires_in": -5}, {"expires_in": None}, {"expires_in": 1e99}]
)
def test_a_token_without_a_sensible_life_is_used_briefly(signed, life):
    api, clock = TokenServer({"token_type": "Bearer", **life}), Clock()
    _, wire, _ = signed(api, clock)
    wire.get("a")
    wire.get("b")
    assert api.tokens == 1
    clock.now += 60
    wire.get("c")
    assert api.tokens == 2


def test_a_token_that_stays_refused_is_not_permitted(signed):
    api = TokenServer()

    def stale(talk: Talk) -> None:
        if talk.target == "/token":
            api(talk)
        else:
            talk.answer(401)

    _, wire, server = signed(stale, retries=3)
    with pytest.raises(NotPermitted, match="acme: status 401"):
        wire.get_json("Patient")
    assert api.tokens == 2
    assert len(server.talks) == 4


def test_each_token_request_has_its_own_jwt_id(signed, key):
    api = TokenServer()
    auth, _, _ = signed(api)
    for _ in range(3):
        auth.renew(auth.apply({}))
    ids = {joserfc_jwt.decode(f["client_assertion"][0], key, algorithms=["RS512"]).claims["jti"] for f in api.forms}
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("status", "body", "error", "rule"),
    [
        (400, b'{"error": "invalid_request", "error_description": "Zzyzx"}', NotPermitted, "invalid_request"),
        (401, b'{"error": "invalid_client"}', NotPermitted, "invalid_client"),
        (403, b'{"error": "public_key error"}', NotPermitted, "public_key error"),
        (400, b'{"error": "Zzyzx"}', NotPermitted, "status 400"),
        (401, b"<html>Zzyzx", NotPermitted, "status 401"),
        (403, b"[]", NotPermitted, "status 403"),
        (429, b"{}", RateLimited, "status 429"),
        (503, b"{}", SystemFailed, "status 503"),
        (404, b"{}", AnswerRejected, "status 404"),
        (200, b"{}", AnswerRejected, "holds no token"),
        (200, b"[]", AnswerRejected, "holds no token"),
        (200, b'{"access_token": ""}', AnswerRejected, "holds no token"),
        (200, b'{"access_token": "Zzyzx\\r\\nX-Evil: 1"}', AnswerRejected, "holds no token"),
        (200, b'{"access_token": 7}', AnswerRejected, "holds no token"),
        (200, b"Zzyzx", AnswerRejected, "JSON"),
        (302, b"", AnswerRejected, "redirects"),
    ],
)  # fmt: skip
def test_a_refused_token_names_its_reason_and_repeats_nothing(signed, status, body, error, rule):
    _, wire, server = signed(lambda talk: talk.answer(status, body))
    with pytest.raises(error, match=rule) as caught:
        wire.get("Patient")
    assert "Zzyzx" not in repr(caught.value)
    assert all(talk.target == "/token" for talk in server.talks)


def test_a_passing_failure_of_the_token_endpoint_is_asked_again_with_a_new_jwt(signed, key):
    api = TokenServer()

    def script(talk: Talk) -> None:
        if talk.number == 1:
            api.forms.append(parse_qs(talk.body.decode()))
            talk.answer(503)
        else:
            api(talk)

    _, wire, _ = signed(script)
    assert wire.get("Patient").ok
    assert api.forms[0]["client_assertion"] != api.forms[1]["client_assertion"]


def test_waiting_for_a_token_ends_by_each_waiters_own_deadline(signed):
    release = threading.Event()

    def script(talk: Talk) -> None:
        if talk.target == "/token":
            release.wait(FOR_EVER_SECONDS)
        talk.answer(body=b'{"access_token": "abc"}')

    auth, wire, server = signed(script)
    first = threading.Thread(target=lambda: wire.get("a"))
    first.start()
    while not server.talks:
        first.join(0.01)
    with pytest.raises(TimedOut, match="no access token"):
        wire.bound(deadline=Deadline.after(0.2)).get("b")
    release.set()
    first.join()
    assert len([talk for talk in server.talks if talk.target == "/token"]) == 1
    assert auth.apply({})["Authorization"] == "Bearer abc"


def test_an_unreachable_token_endpoint_is_named(line, pem):
    wire = line("http://127.0.0.1:9")
    auth = SignedJwtAuth(token_url="http://127.0.0.1:9/t", api_key="a", kid="k", private_key_pem=pem, wire=wire)
    with pytest.raises(Unreachable):
        wire.bound(auth=auth).get("x")
    assert [each.label for each in line.recorder.exchanges] == ["token", "token"]


@pytest.mark.parametrize("url", ["ftp://x/t", "x", "", "https://user@x/t", "http://[bad"])
def test_a_token_url_must_be_one(line, url):
    with pytest.raises(UsageError):
        line("http://127.0.0.1:9").fetch_token(url, {}, deadline=Deadline.after(1))


def test_a_live_token_goes_by_https(line):
    with pytest.raises(UsageError, match="https"):
        line("https://x.example", environment="live").fetch_token("http://x.example/t", {}, deadline=Deadline.after(1))


@pytest.mark.parametrize("broken", ["", "s3cret", "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----"])
def test_a_key_that_is_none_is_a_mistake_of_configuration(line, broken):
    with pytest.raises(ConfigurationError, match="not an RSA private key") as caught:
        SignedJwtAuth(token_url="https://x/t", api_key="a", kid="k", private_key_pem=broken, wire=line(""))
    assert "s3cret" not in str(caught.value)


def test_a_public_key_cannot_sign(line, key):
    with pytest.raises(ConfigurationError):
        SignedJwtAuth(
            token_url="https://x/t", api_key="a", kid="k", private_key_pem=key.as_pem(private=False).decode(),
            wire=line(""),
        )  # fmt: skip


def test_without_the_extra_the_error_says_what_to_install(line, pem, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "joserfc.jwk", None)
    with pytest.raises(UsageError, match=r"mpftconnect\[jwt\]"):
        SignedJwtAuth(token_url="https://x/t", api_key="a", kid="k", private_key_pem=pem, wire=line(""))


@pytest.mark.parametrize(
    "make",
    [
        lambda: ApiKeyHeader(""),
        lambda: ApiKeyHeader("s3cret\r\nX-Evil: 1"),
        lambda: BearerToken(""),
        lambda: BearerToken("s3cret\n"),
        lambda: BasicAuth("a:b", "s3cret"),
    ],
)
def test_a_secret_that_cannot_be_a_header_is_refused_unseen(make):
    with pytest.raises(UsageError) as caught:
        make()
    assert "s3cret" not in str(caught.value)


def test_fixed_credentials_are_not_renewed():
    assert not BearerToken("abc").renew({})
    assert ApiKeyHeader("k").apply({"A": "1"}) == {"A": "1", "apikey": "k"}
