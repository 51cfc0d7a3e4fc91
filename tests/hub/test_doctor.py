"""Each step that can fail is named as itself, with advice that fits."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mpftconnect.adapters.contract import Step
from mpftconnect.adapters.endpoint import Endpoint
from mpftconnect.adapters.recorder import MemoryRecorder
from mpftconnect.adapters.wire import Wire
from mpftconnect.errors import GapReason, NotPermitted
from mpftconnect.events import EventStream
from mpftconnect.hub.doctor import examine
from mpftconnect.hub.fan_out import Failure

Examine = Callable[..., list[Step]]


def certificate(folder: Path, *, host: str = "localhost", days: int = 30) -> Path:
    """A certificate that vouches for itself, valid for so many days from yesterday, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    begin = datetime.now(UTC) - timedelta(days=40)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=40 + days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{host}-{days}.pem"
    path.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """Serves answers whose `Date` is so far off; gives the port."""
    with ExitStack() as stack:

        def start(date: str | None = None, pem: Path | None = None) -> int:
            class Handler(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    self.send_response_only(200)
                    self.send_header("Date", format_datetime(datetime.now(UTC), usegmt=True) if date is None else date)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"{}")

                def log_message(self, *_: Any) -> None:
                    pass

            class Server(ThreadingHTTPServer):
                def handle_error(self, *_: Any) -> None:
                    pass  # a handshake that the other side breaks off is what these tests are about

            server = Server(("127.0.0.1", 0), Handler)
            if pem:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(pem)
                server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(server.server_close)
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return int(server.server_address[1])

        yield start


def checking(*steps: Any, error: BaseException | None = None) -> Any:
    def check_connection(wire: Any) -> Iterator[Any]:
        yield from steps
        if error:
            raise error

    return SimpleNamespace(check_connection=check_connection)


@pytest.fixture
def walk() -> Iterator[Examine]:
    with ExitStack() as stack:

        def walk_(url: str, adapter: Any = None, failure: Failure | None = None, **settings: Any) -> list[Step]:
            endpoint = Endpoint(base_url=url, environment="test", retries=0, **settings)
            wire = Wire("acme", endpoint, events=EventStream(), recorder=MemoryRecorder(limit=10))
            stack.callback(wire.close)
            own = SimpleNamespace(proxy=None, endpoint=url, ca_bundle=endpoint.ca_bundle)
            spec = SimpleNamespace(endpoint="http")
            system = SimpleNamespace(
                configured=SimpleNamespace(settings=own, spec=spec), wire=wire, adapter=adapter or checking(),
                failure=failure,
            )  # fmt: skip
            return list(examine(system))  # type: ignore[arg-type]

        yield walk_


def last(steps: list[Step]) -> tuple[list[str], str]:
    """Names of the steps before the last, all of which went well, and the last, which failed, with its advice."""
    assert all(step.ok for step in steps[:-1])
    assert not steps[-1].ok
    return [step.name for step in steps[:-1]], f"{steps[-1].name}: {steps[-1].advice}"


def test_all_well(serve: Callable[..., int], walk: Examine, tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    steps = walk(f"https://localhost:{serve(pem=pem)}/", checking(Step("token", True)), ca_bundle=str(pem))
    assert [(step.name, step.ok) for step in steps] == [
        ("DNS", True), ("connection", True), ("TLS", True), ("clock", True), ("token", True),
    ]  # fmt: skip


def test_dns_and_a_closed_port(walk: Examine) -> None:
    assert last(walk("https://no-such-host.invalid/")) == (
        [], "DNS: the name of the system is not known here: check endpoint, DNS and VPN or HSCN",
    )  # fmt: skip
    before, said = last(walk("http://127.0.0.1:9/"))
    assert before == ["DNS"]
    assert said.startswith("connection: no connection to the system (refused or filtered)")


@pytest.mark.parametrize(
    ("made", "trusted", "said"),
    [
        ({}, False, "is not trusted"),
        ({}, False, "name its CA in ca_bundle"),
        ({"host": "other.example"}, True, "is for another name: check the host in endpoint"),
        ({"days": -5}, True, "check this machine's clock"),
    ],
)
def test_what_is_wrong_with_a_certificate(
    serve: Callable[..., int], walk: Examine, tmp_path: Path, made: dict[str, Any], trusted: bool, said: str
) -> None:
    pem = certificate(tmp_path, **made)
    settings = {"ca_bundle": str(pem)} if trusted else {}
    before, told = last(walk(f"https://localhost:{serve(pem=pem)}/", **settings))
    assert before == ["DNS", "connection"]
    assert told.startswith("TLS: ")
    assert said in told


def test_pem_files_that_cannot_be_used_are_not_called_a_refused_connection(
    serve: Callable[..., int], walk: Examine, tmp_path: Path
) -> None:
    pem, junk = certificate(tmp_path), tmp_path / "junk.pem"
    junk.write_text("junk")
    port = serve(pem=pem)
    for settings in ({"ca_bundle": str(junk)}, {"ca_bundle": str(pem), "client_certificate": str(junk)}):
        before, told = last(walk(f"https://localhost:{port}/", **settings))
        assert before == ["DNS", "connection"]
        assert "the configured PEM files cannot be used" in told


def test_plain_http_where_tls_is_expected(serve: Callable[..., int], walk: Examine) -> None:
    before, told = last(walk(f"https://localhost:{serve()}/"))
    assert before == ["DNS", "connection"]
    assert "the handshake failed" in told


@pytest.mark.parametrize(("minutes", "ok"), [(10, False), (-10, False), (0, True)])
def test_the_clock(serve: Callable[..., int], walk: Examine, minutes: int, ok: bool) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
    steps = walk(f"http://127.0.0.1:{serve(date)}/")
    assert (steps[-1].name, steps[-1].ok) == ("clock", ok)
    assert ok or "set the clock (NTP)" in steps[-1].advice


def test_a_time_that_is_none_is_not_compared(serve: Callable[..., int], walk: Examine) -> None:
    assert walk(f"http://127.0.0.1:{serve('soon')}/")[-1].advice == "the system does not state its time; not compared"


def test_what_the_adapter_itself_finds(serve: Callable[..., int], walk: Examine) -> None:
    url = f"http://127.0.0.1:{serve()}/"
    refused = checking(Step("token", True), Step("permission", False, "status 403"))
    assert last(walk(url, refused))[1] == "permission: status 403"
    assert "token" in last(walk(url, checking(error=NotPermitted("token refused"))))[1]
    assert last(walk(url, checking(error=RuntimeError("Wolfenstein"))))[1].endswith("RuntimeError: report it")
    assert last(walk(url, checking("no step")))[1].endswith("gave no Step: report it")
    gone = walk(url, failure=Failure(GapReason.ADAPTER_FAULT, "KeyError"))
    assert last(gone) == ([], "adapter: the adapter could not be opened: KeyError")
