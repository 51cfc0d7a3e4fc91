"""MLLP over TLS and mutual TLS, both ways: what is shown of certificates, and that a wrong one is the environment's."""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.conformance import CauseKind, Status
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.reporting.document import report_of
from mpftconnect.conformance.run import Run, RunResult
from mpftconnect.conformance.supplier_file import supplier_from
from mpftconnect.sandbox import PEOPLE
from mpftconnect_conformance.twins.hl7v2_receiver import ReceiverTwin
from mpftconnect_conformance.twins.hl7v2_sender import SenderTwin

RECEIVING = ("hl7v2-uk#1", "hl7v2-uk#2", "hl7v2-uk#7", "hl7v2-uk#12")
SENDING = ("hl7v2-uk#1", "hl7v2-uk#3", "hl7v2-uk#5", "hl7v2-uk#7")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def folder(certificates: Any) -> Path:
    found: Path = certificates.authority.parent
    return found


def sha256(pem: Path) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.read_text().split("-----BEGIN PRIVATE")[0])).hexdigest()


def run(catalog: Catalog, only: tuple[str, ...], **mllp: Any) -> RunResult:
    table = {
        "version": 1,
        "product": {"name": "P", "version": "1", "supplier": "S", "ods": "ZZ999", "actors": list(mllp)},
        "target": {"environment": "test", "allow_writes": True},
        "authorised_by": {"name": "N", "organisation": "O", "date": "2025-09-01", "scope": "all"},
        "people": {"full": {"nhs_number": "9990000018", "entered": "2025-09-01"}},
        "mllp": mllp,
    }
    return Run(supplier_from(table), catalog.choose(["hl7v2-uk"], only=only), catalog.checks).go()


def statuses(result: RunResult) -> set[Status]:
    return {judged.outcome.status for judged in result.judged}


def assert_environment(result: RunResult) -> None:
    for judged in result.judged:
        assert judged.outcome.status in (Status.INCONCLUSIVE, Status.NOT_TESTED), judged
        assert judged.outcome.cause is not None
        assert judged.outcome.cause.kind is CauseKind.ENVIRONMENT, judged.outcome


def lines(result: RunResult, catalog: Catalog) -> Any:
    return report_of(result, catalog.checks)["target"]["lines"]


# The product receives


def serving(folder: Path, *, client_ca: Path | None = None, name: str = "server") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem")
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def receiver(stack: ExitStack, tls: ssl.SSLContext, **more: Any) -> dict[str, Any]:
    twin = ReceiverTwin(PEOPLE, tls)
    stack.callback(twin.close)
    return {"host": "localhost", "port": twin.line.port, "answer_seconds": 2.0, "tls": True} | {
        name: str(value) for name, value in more.items()
    }


def test_a_receiver_over_tls(catalog: Catalog, stack: ExitStack, folder: Path) -> None:
    line = receiver(stack, serving(folder), ca_bundle=folder / "authority.pem")
    result = run(catalog, RECEIVING, receiver=line)
    assert statuses(result) == {Status.PASS}
    assert lines(result, catalog) == [
        {
            "address": f"mllp://localhost:{line['port']}",
            "role": "receiver",
            "certificates": [sha256(folder / "server.pem")],
        }
    ]


def test_a_receiver_over_mutual_tls(catalog: Catalog, stack: ExitStack, folder: Path) -> None:
    tls = serving(folder, client_ca=folder / "authority.pem")
    trusted = {"ca_bundle": folder / "authority.pem", "client_certificate": folder / "client.pem"}
    assert statuses(run(catalog, RECEIVING, receiver=receiver(stack, tls, **trusted))) == {Status.PASS}


@pytest.mark.parametrize("client", [None, "stranger"])
def test_a_client_certificate_that_is_not_taken_is_the_environment(
    client: str | None, catalog: Catalog, stack: ExitStack, folder: Path
) -> None:
    shown = {"client_certificate": folder / f"{client}.pem"} if client else {}
    line = receiver(
        stack, serving(folder, client_ca=folder / "authority.pem"), ca_bundle=folder / "authority.pem", **shown
    )
    assert_environment(run(catalog, RECEIVING, receiver=line))


def test_that_a_client_certificate_is_not_taken_is_said(catalog: Catalog, stack: ExitStack, folder: Path) -> None:
    """The refusal is read where it comes before the line is closed: a copy of the socket holds that open."""
    tls, over = serving(folder, client_ca=folder / "authority.pem"), threading.Event()
    listening = stack.enter_context(socket.create_server(("localhost", 0)))
    stack.callback(over.set)

    def refuse() -> None:
        while not over.is_set():
            with suppress(OSError):
                plain, _ = listening.accept()
                with plain.dup() as held:
                    with suppress(ssl.SSLError):
                        tls.wrap_socket(plain, server_side=True)
                    held.recv(65_536)

    threading.Thread(target=refuse, daemon=True).start()
    port = listening.getsockname()[1]
    given = {"host": "localhost", "port": port, "answer_seconds": 1.0, "tls": True}
    result = run(catalog, RECEIVING[:1], receiver=given | {"ca_bundle": str(folder / "authority.pem")})
    assert_environment(result)
    assert {each.error for each in result.exchanges} == {"unreachable"}
    assert all(each.error_rule.startswith("TLS: ") for each in result.exchanges)


def test_a_receiver_of_another_authority_is_the_environment(catalog: Catalog, stack: ExitStack, folder: Path) -> None:
    line = receiver(stack, serving(folder, name="stranger"), ca_bundle=folder / "authority.pem")
    result = run(catalog, RECEIVING, receiver=line)
    assert_environment(result)
    assert {each.error for each in result.exchanges} == {"unreachable"}
    assert all(each.error_rule.startswith("TLS: ") for each in result.exchanges)


# The product sends


def connecting(folder: Path, *, client: str | None = None, authority: str = "authority") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(folder / f"{authority}.pem")
    if client:
        context.load_cert_chain(folder / f"{client}.pem")
    return context


def sender(stack: ExitStack, folder: Path, tls: ssl.SSLContext | None, *, mutual: bool) -> dict[str, Any]:
    twin = SenderTwin(PEOPLE, tls)
    stack.callback(twin.close)
    given = {"port": twin.port, "seconds": 1.5, "quiet_seconds": 0.3, "certificate": str(folder / "server.pem")}
    return given | ({"client_ca": str(folder / "authority.pem")} if mutual else {})


def test_a_sender_over_tls(catalog: Catalog, stack: ExitStack, folder: Path) -> None:
    result = run(catalog, SENDING, sender=sender(stack, folder, connecting(folder), mutual=False))
    assert statuses(result) == {Status.PASS}
    assert lines(result, catalog)[0]["certificates"] == []


def test_a_sender_over_mutual_tls_is_named_by_its_certificate(catalog: Catalog, stack: ExitStack, folder: Path) -> None:
    line = sender(stack, folder, connecting(folder, client="client"), mutual=True)
    result = run(catalog, SENDING, sender=line)
    assert statuses(result) == {Status.PASS}
    (shown,) = lines(result, catalog)
    assert shown["role"] == "sender"
    assert shown["certificates"] == [sha256(folder / "client.pem")]


@pytest.mark.parametrize(
    ("client", "authority", "mutual"),
    [("stranger", "authority", True), (None, "authority", True), (None, "stranger", False)],
    ids=["another-authority", "no-client-certificate", "does-not-trust-us"],
)
def test_a_sender_with_a_wrong_certificate_is_the_environment(
    client: str | None, authority: str, mutual: bool, catalog: Catalog, stack: ExitStack, folder: Path
) -> None:
    line = sender(stack, folder, connecting(folder, client=client, authority=authority), mutual=mutual)
    result = run(catalog, SENDING, sender=line)
    assert_environment(result)
    assert "TLS was not agreed" in str(result.judged[0].outcome.cause)


def test_a_sender_that_speaks_in_clear_to_a_line_with_tls(catalog: Catalog, stack: ExitStack, folder: Path) -> None:
    assert_environment(run(catalog, SENDING, sender=sender(stack, folder, None, mutual=False)))
