"""What is seen of an address's encryption, on a server of real sockets and certificates made for the test."""

from __future__ import annotations

import datetime
import hashlib
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest

from mpftconnect.adapters import Deadline, Endpoint
from mpftconnect.conformance.tls import look_at

x509 = pytest.importorskip("cryptography.x509", reason="certificates are made with the extra sign")


@dataclass
class Made:
    file: Path
    sha256: str


def certificate(folder: Path, *, days: int, name: str = "localhost") -> Made:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(end - datetime.timedelta(days=90))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return Made(file, hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest())


@contextmanager
def serving(made: Made | None, *, least: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> Iterator[int]:
    context = None
    if made is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = least
        if least is ssl.TLSVersion.TLSv1:
            context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(made.file)

    class Hand(BaseRequestHandler):
        def handle(self) -> None:
            if context is None:
                return
            self.request.settimeout(5)
            try:
                with context.wrap_socket(self.request, server_side=True) as wrapped:
                    wrapped.recv(1)
            except OSError:
                return

    with ThreadingTCPServer(("127.0.0.1", 0), Hand) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def endpoint(port: int, ca: Path | None = None) -> Endpoint:
    bundle = str(ca) if ca else None
    return Endpoint(base_url=f"https://localhost:{port}/fhir", environment="test", ca_bundle=bundle)


def test_a_good_address(tmp_path: Path) -> None:
    made = certificate(tmp_path, days=30)
    with serving(made) as port:
        facts = look_at(endpoint(port, made.file), Deadline.after(20))
    assert facts["chain"] == "valid"
    assert facts["certificate_sha256"] == made.sha256
    assert facts["versions"]["TLSv1.2"] == facts["versions"]["TLSv1.3"] == "accepted"
    assert facts["versions"]["TLSv1"] == facts["versions"]["TLSv1.1"] == "refused"
    assert facts["not_after"] > datetime.datetime.now(datetime.UTC).date().isoformat()


def test_an_old_version_is_seen(tmp_path: Path) -> None:
    made = certificate(tmp_path, days=30)
    with serving(made, least=ssl.TLSVersion.TLSv1) as port:
        facts = look_at(endpoint(port, made.file), Deadline.after(20))
    if facts["versions"]["TLSv1"] == "unknown":
        pytest.skip("this machine's TLS library offers no TLS 1.0 to try it with")
    assert facts["versions"]["TLSv1"] == facts["versions"]["TLSv1.1"] == "accepted"


def test_a_certificate_that_ran_out_is_seen(tmp_path: Path) -> None:
    made = certificate(tmp_path, days=-1)
    with serving(made) as port:
        facts = look_at(endpoint(port, made.file), Deadline.after(20))
    assert "expired" in facts["chain"]
    assert facts["certificate_sha256"] == made.sha256


def test_a_chain_of_nobody_known_is_said(tmp_path: Path) -> None:
    made = certificate(tmp_path, days=30)
    with serving(made) as port:
        facts = look_at(endpoint(port), Deadline.after(20))
    assert "self" in facts["chain"]
    assert "not_after" not in facts


def test_what_is_no_tls_raises_nothing(tmp_path: Path) -> None:
    with serving(None) as port:
        facts = look_at(endpoint(port), Deadline.after(20))
    assert facts["unreachable"]
    gone = look_at(endpoint(port), Deadline.after(20))
    assert gone["unreachable"]
    assert "accepted" not in gone["versions"].values()
    assert look_at(Endpoint(base_url="http://127.0.0.1:1/x", environment="test"), Deadline.after(1))["cleartext"]
