"""Every exception of the layers below has an error of ours, and none of its words."""

from __future__ import annotations

import builtins
import http.client
import inspect
import logging
import socket
import ssl

import pytest
import requests.exceptions
import urllib3.exceptions

from mpftconnect.adapters.failures import adapter_error
from mpftconnect.errors import AdapterError, AnswerRejected, MpftConnectError, TimedOut, Unreachable

from .conftest import Talk
from .conftest import http as said

VALUE = "9990000018"


def exceptions_of(module) -> list[type[BaseException]]:
    return [
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, Exception) and not issubclass(kind, Warning)
    ]


EVERY = sorted(
    {
        *exceptions_of(requests.exceptions),
        *exceptions_of(urllib3.exceptions),
        *exceptions_of(http.client),
        *exceptions_of(socket),
        *exceptions_of(ssl),
        *(kind for kind in exceptions_of(builtins) if issubclass(kind, OSError | UnicodeError)),
    }
    # Modules also hold names that they merely import, and private signals that never leave them.
    - {kind for kind in exceptions_of(urllib3.exceptions) if kind.__module__ == "email.errors"}
    - {kind for kind in exceptions_of(requests.exceptions) if kind.__module__ == "json.decoder"}
    - {kind for kind in exceptions_of(socket) if kind.__name__.startswith("_")},
    key=lambda kind: (kind.__module__, kind.__qualname__),
)


def made(kind: type[BaseException]) -> BaseException:
    """One of that kind, whatever its constructor wants."""
    error = kind.__new__(kind, f"http://host/Patient/{VALUE}")
    error.args = (f"http://host/Patient/{VALUE}",)
    return error


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: f"{kind.__module__}.{kind.__qualname__}")
def test_every_lower_exception_is_mapped_without_its_words(kind):
    ours = adapter_error(made(kind), system="acme")
    assert isinstance(ours, AdapterError)
    assert VALUE not in f"{ours} {ours!r} {ours.args}"
    assert ours.__cause__ is None
    assert ours.__context__ is None


def test_the_list_is_not_empty_and_holds_the_known_ones():
    assert len(EVERY) > 60
    assert {requests.exceptions.ReadTimeout, urllib3.exceptions.MaxRetryError, ssl.SSLEOFError} <= set(EVERY)


@pytest.mark.parametrize(
    ("error", "ours", "rule"),
    [
        (socket.gaierror(), Unreachable, "DNS"),
        (ConnectionRefusedError(), Unreachable, "refused"),
        (ConnectionResetError(), Unreachable, "lost"),
        (http.client.RemoteDisconnected(), Unreachable, "lost"),
        (TimeoutError(), TimedOut, "in time"),
        (requests.exceptions.ReadTimeout(), TimedOut, "in time"),
        (requests.exceptions.ConnectTimeout(), Unreachable, "connect timeout"),
        (requests.exceptions.ProxyError(), Unreachable, "proxy"),
        (requests.exceptions.ConnectionError(urllib3.exceptions.MaxRetryError(None, "", socket.gaierror())),  # type: ignore[arg-type]
         Unreachable, "DNS"),
        (requests.exceptions.ConnectionError(urllib3.exceptions.ProtocolError("", ConnectionResetError())),
         Unreachable, "lost"),
        (requests.exceptions.ChunkedEncodingError(urllib3.exceptions.IncompleteRead(1, 2)),
         AnswerRejected, "truncated"),
        (ssl.SSLCertVerificationError(1, "Zzyzx"), Unreachable, "not trusted"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] Zzyzx"), Unreachable, "TLS"),
    ],
)  # fmt: skip
def test_what_is_wrapped_decides(error, ours, rule):
    found = adapter_error(error)
    assert type(found) is ours
    assert rule in str(found)
    assert "Zzyzx" not in str(found)


@pytest.mark.parametrize("error", [ValueError(VALUE), KeyError(VALUE), MpftConnectError(VALUE), RuntimeError()])
def test_what_no_layer_raises_is_not_mapped(error):
    assert adapter_error(error) is None


def test_no_request_or_failure_puts_a_value_into_a_log_or_an_error(serve, line, caplog):
    caplog.set_level(logging.DEBUG)

    def script(talk: Talk) -> None:
        if "bad-header" in talk.target:
            talk.send(b"HTTP/1.1 200 OK\r\nbroken 9990000018\r\nContent-Length: 2\r\n\r\n{}")
        elif "hang-up" not in talk.target:
            talk.send(said(503, VALUE.encode(), X_Name=VALUE))
        talk.close()

    server = serve(script)
    texts = []
    wires = [(line(server.url, retries=1), 2), (line("http://127.0.0.1:9"), 1), (line("http://patient.invalid"), 1)]
    for wire, _ in wires:
        for path in ("bad-header", "hang-up", "x"):
            try:
                wire.get_json(f"Patient/{VALUE}/{path}", {"identifier": VALUE}, headers={"X-Number": VALUE})
            except AdapterError as error:
                texts += [str(error), repr(error), repr(error.args), repr(error.__cause__), repr(error.__context__)]
    assert len(texts) >= 40
    assert VALUE not in "\n".join(texts)
    assert VALUE not in caplog.text
    assert VALUE not in repr(line.events)


def test_others_may_still_log_what_they_do_with_urllib3(caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").debug("a line of theirs")
    assert "a line of theirs" in caplog.text
