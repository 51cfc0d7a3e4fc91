"""Certificates are always checked, and the rule that broke is named."""

from __future__ import annotations

import selectors
import socket
import ssl

import pytest

from mpftconnect.errors import OutcomeUnknown, TimedOut, Unreachable

from .conftest import FOR_EVER_SECONDS, Talk


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
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: real("127.0.0.1", *rest, **more))
    url = server.url.replace("localhost", "elsewhere.invalid")
    for elsewhere in (url, server.url.replace("localhost", "127.0.0.2")):
        with pytest.raises(Unreachable, match="TLS: the certificate is for another host"):
            line(elsewhere, ca_bundle=certificates.authority).get("x")
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


def tunnel(talk: Talk) -> None:
    """What a proxy does on CONNECT: passes bytes to and fro until either side closes."""
    host, _, port = talk.target.partition(":")
    with socket.create_connection((host, int(port))) as far, selectors.DefaultSelector() as either:
        talk.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        ends = {talk.socket: far, far: talk.socket}
        for end in ends:
            either.register(end, selectors.EVENT_READ)
        while True:
            for key, _ in either.select():
                data = key.fileobj.recv(65_536)  # type: ignore[union-attr]
                if not data:
                    talk.close()
                    return
                ends[key.fileobj].sendall(data)  # type: ignore[index]


def test_the_proxy_tunnels_to_a_system_without_seeing_the_request(serve, line, certificates):
    system = serve(answer, certificates.server)
    proxy = serve(tunnel)
    wire = line(system.url, ca_bundle=certificates.authority, proxy=proxy.url)
    assert wire.get("Patient/9990000018").body == b"secure"
    assert wire.post("Task", json={}).body == b"secure"
    assert [(talk.method, talk.target) for talk in proxy.talks] == [("CONNECT", system.url.removeprefix("https://"))]


def test_a_proxy_that_refuses_or_stalls_loses_no_write(serve, line, certificates):
    system = serve(answer, certificates.server)
    refusing = serve(lambda talk: talk.answer(407))
    with pytest.raises(Unreachable, match="proxy"):
        line(system.url, ca_bundle=certificates.authority, proxy=refusing.url).post("Task", json={})
    stalling = serve(lambda talk: talk.wait(FOR_EVER_SECONDS))
    with pytest.raises((TimedOut, Unreachable)) as caught:
        line(system.url, proxy=stalling.url, deadline_seconds=0.3).post("Task", json={})
    # Nothing of the request itself had left, so the outcome is known.
    assert not isinstance(caught.value, OutcomeUnknown)
    assert system.talks == []
