"""Tokens by client id and secret, and several credentials in one request."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest

from mpftconnect.adapters import ApiKeyHeader, ClientCredentialsAuth, Together
from mpftconnect.errors import NotPermitted

from .conftest import Talk


class TokenServer:
    """A token endpoint and an API that honours only the newest token, beside a key."""

    def __init__(self) -> None:
        self.forms: list[dict[str, list[str]]] = []
        self.stale = False

    def __call__(self, talk: Talk) -> None:
        if talk.target == "/token":
            self.forms.append(parse_qs(talk.body.decode()))
            talk.answer(body=json.dumps({"access_token": f"token-{len(self.forms)}", "refresh_token": None}).encode())
            return
        good = talk.headers.get("authorization") == f"Bearer token-{len(self.forms)}"
        keyed = talk.headers.get("subscription") == "the-key"
        talk.answer(200 if good and keyed and not self.stale else 401)


@pytest.fixture
def granted(serve, line):
    api = TokenServer()
    server = serve(api)
    wire = line(server.url + "/api")
    auth = ClientCredentialsAuth(
        token_url=server.url + "/token", client_id="the-client", client_secret="the-secret", wire=wire
    )
    return api, wire.bound(auth=Together(ApiKeyHeader("the-key", "Subscription"), auth)), server


def test_the_clients_id_and_secret_stand_in_the_form(granted):
    api, wire, server = granted
    assert wire.get("Patient").ok
    assert wire.get("Patient").ok
    assert api.forms == [
        {"grant_type": ["client_credentials"], "client_id": ["the-client"], "client_secret": ["the-secret"]}
    ]
    token = server.talks[0]
    assert "authorization" not in token.headers
    assert "subscription" not in token.headers


def test_a_refused_token_is_renewed_once_whatever_stands_beside_it(granted):
    api, wire, _ = granted
    assert wire.get("Patient").ok
    api.stale = True
    with pytest.raises(NotPermitted, match="status 401"):
        wire.get_json("Patient")
    assert len(api.forms) == 2


def test_neither_key_nor_secret_is_kept_as_evidence(granted, line):
    _, wire, _ = granted
    wire.get("Patient")
    text = " ".join(str(getattr(e, name)) for e in line.recorder.exchanges for name in e.__slots__)
    assert "the-key" not in text
    assert "the-secret" not in text
    assert "token-1" not in text


def test_nothing_is_renewed_where_nothing_can_be():
    assert not Together(ApiKeyHeader("k"), ApiKeyHeader("l", "Other")).renew({})
