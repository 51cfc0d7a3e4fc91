"""The twin's authorisation server: a token for a sound assertion, and the platform's refusals for all others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from mpftconnect.adapters import TwinRequest, TwinResponse
from mpftconnect.sandbox import AuthorisationServer

BASE_URL = "http://api.example"
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Any) -> AuthorisationServer:
    return AuthorisationServer(token_lifetime_seconds=599, now=clock)


@pytest.fixture(scope="module")
def registered_key() -> RSAKey:
    # The same for every server of a process; checking a private key takes longer than the rest of a test.
    return RSAKey.import_key(AuthorisationServer(token_lifetime_seconds=1, now=lambda: 0).private_key_pem)


@pytest.fixture
def ask(server: AuthorisationServer, registered_key: RSAKey, clock: Any) -> Callable[..., TwinResponse]:
    """Asks for a token; what is given replaces parts of a sound request, None leaves a part out."""

    def send(
        *,
        header: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | None = None,
        key: RSAKey | None = None,
    ) -> TwinResponse:
        sound = {"alg": "RS512", "typ": "JWT", "kid": server.key_id}
        said = {
            "iss": server.api_key,
            "sub": server.api_key,
            "aud": f"{BASE_URL}/oauth2/token",
            "jti": "0b8b1b5e-0a6c-4a39-8a5a-8d0b5d8f4f11",
            "exp": int(clock()) + 300,
        }
        assertion = jwt.encode(
            _without_none(sound | dict(header or {})),
            _without_none(said | dict(claims or {})),
            key or registered_key,
            algorithms=["RS256", "RS512", "PS512"],
        )
        fields = {"grant_type": "client_credentials", "client_assertion_type": TYPE, "client_assertion": assertion}
        body = urlencode(_without_none(fields | dict(form or {}))).encode()
        return server.handle(TwinRequest.of("POST", "/oauth2/token", body=body, base_url=BASE_URL))

    return send


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def test_gives_a_token_that_it_knows_again_until_it_expires(
    server: AuthorisationServer, ask: Callable[..., TwinResponse], clock: Any
) -> None:
    response = ask()
    body = json.loads(response.body)
    assert (response.status, body["token_type"], body["expires_in"]) == (200, "Bearer", "599")
    assert server.knows(body["access_token"])
    assert not server.knows(body["access_token"] + "x")
    clock.seconds += 599
    assert not server.knows(body["access_token"])


def test_an_assertion_is_good_once(ask: Callable[..., TwinResponse]) -> None:
    assert ask().status == 200
    again = ask()
    assert (again.status, json.loads(again.body)["error_description"]) == (
        400,
        "Non-unique 'jti' claim in client_assertion JWT",
    )
    assert ask(claims={"jti": "another"}).status == 200


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"form": {"grant_type": None}}, 400, "grant_type is missing"),
        ({"form": {"grant_type": "password"}}, 400, "grant_type is invalid"),
        ({"form": {"client_assertion_type": "x"}}, 400, "client_assertion_type"),
        ({"form": {"client_assertion": None}}, 400, "Missing client_assertion"),
        ({"form": {"client_assertion": "a.b"}}, 400, "Malformed JWT"),
        ({"form": {"client_assertion": "é.b.c"}}, 400, "Malformed JWT"),
        ({"header": {"kid": None}}, 400, "Missing 'kid'"),
        ({"header": {"kid": "other"}}, 401, "no matching public key"),
        ({"header": {"typ": "JWS"}}, 400, "'typ'"),
        ({"header": {"alg": "RS256"}}, 400, "must be 'RS512'"),
        ({"header": {"alg": "PS512"}}, 400, "must be 'RS512'"),
        ({"claims": {"sub": "other"}}, 400, "non-matching 'iss'/'sub'"),
        ({"claims": {"iss": None}}, 400, "non-matching 'iss'/'sub'"),
        ({"claims": {"iss": "other", "sub": "other"}}, 401, "Invalid 'iss'/'sub'"),
        ({"claims": {"aud": "https://int.api.service.nhs.uk/oauth2/token"}}, 401, "'aud'"),
        ({"claims": {"aud": None}}, 401, "'aud'"),
        ({"claims": {"jti": None}}, 400, "Missing 'jti'"),
        ({"claims": {"jti": 17}}, 400, "Invalid 'jti'"),
        ({"claims": {"exp": None}}, 400, "Missing 'exp'"),
        ({"claims": {"exp": 1_699_999_999}}, 400, "expired"),
        ({"claims": {"exp": 1_700_000_301}}, 400, "more than 5 minutes"),
        ({"claims": {"exp": 1_700_000_100.5}}, 400, "must be an integer"),
    ],
)
def test_refuses(
    server: AuthorisationServer,
    ask: Callable[..., TwinResponse],
    changes: Mapping[str, Any],
    status: int,
    words: str,
) -> None:
    response = ask(**changes)
    body = json.loads(response.body)
    assert (response.status, words in body["error_description"]) == (status, True), body
    assert body["message_id"]
    assert server.tokens_given == 0


def test_refuses_another_key_than_the_registered_one(
    server: AuthorisationServer, ask: Callable[..., TwinResponse]
) -> None:
    response = ask(key=RSAKey.generate_key(2048, private=True))
    assert response.status == 401
    assert "signature" in json.loads(response.body)["error_description"]
    assert server.tokens_given == 0


def test_survives_any_body(server: AuthorisationServer) -> None:
    for body in (b"", b"\xff\xfe", b"a=1&" * 500, b"grant_type=client_credentials"):
        request = TwinRequest.of("POST", "/oauth2/token", body=body, base_url=BASE_URL)
        assert server.handle(request).status == 400
