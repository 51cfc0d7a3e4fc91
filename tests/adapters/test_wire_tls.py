"""Certificates are always checked, and the rule that broke is named."""

from __future__ import annotations

import ssl

import pytest

from mpftconnect.errors import Unreachable

from .conftest import Talk


def answer(talk: Talk) -> None:
    talk.answer(body=b"secure")


def test_a_trusted_certificate_lets_the_request_through(serve, line, certificates):
    server = serve(answer, certificates.server)
    assert line(server.url, ca_bundle=certificates.authority).get("x").body == b"secure"


def test_an_untrusted_certificate_is_named_and_nothing_is_sent(serve, line, certificates):
    server = serve(answer, certificates.server)
    with pytest.raises(Unreachable, match="TLS: the certificate's authority is not known here"):
        line(server.url, retries=3).get("Patient/9990000018")
    assert server.talks == []
    assert len(line.recorder.exchanges) == 1  # a refused certificate is not tried again
    stranger = serve(answer, certificates.stranger)
    with pytest.raises(Unreachable, match="TLS: the certificate is self-signed"):
        line(stranger.url, ca_bundle=certificates.authority).get("x")


def test_a_certificate_for_another_host_is_refused(serve, line, certificates, monkeypatch):
    server = serve(answer, certificates.server)
    import socket

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: real("127.0.0.1", *rest, **more))
    url = server.url.replace("localhost", "elsewhere.invalid")
    with pytest.raises(Unreachable, match="TLS: the certificate is for another host"):
        line(url, ca_bundle=certificates.authority).get("x")
    assert server.talks == []


def test_plain_http_behind_https_is_named(serve, line, certificates):
    server = serve(answer)
    with pytest.raises(Unreachable, match="TLS: "):
        line(server.url.replace("http:", "https:"), ca_bundle=certificates.authority).get("x")


def test_a_client_certificate_is_shown(serve, line, certificates):
    context = certificates.server
    context.load_verify_locations(certificates.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        server = serve(answer, context)
        trusted = {"ca_bundle": certificates.authority, "client_certificate": certificates.client}
        assert line(server.url, **trusted).get("x").ok
        assert line(server.url, **trusted, client_key=certificates.client).get("x").ok
        with pytest.raises(Unreachable):
            line(server.url, ca_bundle=certificates.authority).get("x")
        assert len(server.talks) == 2
    finally:
        context.verify_mode = ssl.CERT_NONE
