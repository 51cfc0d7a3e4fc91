"""Walks one system step by step: name, connection, TLS, clock, then what its adapter can check."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from mpftconnect.adapters.contract import Step
from mpftconnect.adapters.deadline import Deadline
from mpftconnect.errors import MpftConnectError
from mpftconnect.hub.systems import OpenSystem

__all__ = ["agreement_step", "examine"]

_SECONDS = 5.0
# NHS signed JWTs live for at most five minutes, and GP Connect's for exactly that: a clock further out than half a
# minute begins to cost requests.
_CLOCK_LIMIT_SECONDS = 30.0


def examine(system: OpenSystem) -> Iterator[Step]:
    """Each step as it is done; stops after one that makes the next meaningless. Makes no patient-bearing request."""
    if system.failure is not None:
        yield Step("adapter", False, f"the adapter could not be opened: {system.failure.detail}")
        return
    if system.configured.spec.endpoint == "http":
        for step in _network(system):
            yield step
            if not step.ok:
                return
    if system.adapter is None:
        return
    wire = system.wire.bound(deadline=Deadline.after(_SECONDS * 4))
    try:
        for step in system.adapter.check_connection(wire):
            yield step if isinstance(step, Step) else Step("adapter's own check", False, "gave no Step: report it")
    except MpftConnectError as error:
        yield Step("adapter's own check", False, str(error))
    except Exception as error:  # noqa: BLE001 - a stranger's code; only the kind of error is shown
        yield Step("adapter's own check", False, f"the adapter failed with {type(error).__name__}: report it")


def agreement_step(system: OpenSystem) -> Step:
    """Whether the system's sharing agreement is in force, and for how long (rule 10)."""
    settings = system.configured.settings
    agreement, today = settings.agreement, datetime.now(ZoneInfo(settings.zone)).date()
    until = f"until {agreement.expires:%d %b %Y}"
    standing = agreement.standing(today)
    if standing == "expired":
        return Step("agreement", False, f"{agreement.name} ended, {until}: renew it; the system is not asked")
    if standing == "expiring":
        return Step("agreement", True, f"{agreement.name}, {until}, {agreement.days_left(today)} days left: renew it")
    return Step("agreement", True, f"{agreement.name}, {until}")


def _network(system: OpenSystem) -> Iterator[Step]:
    settings = system.configured.settings
    target = urlsplit(settings.proxy or settings.endpoint or "")
    what = "proxy" if settings.proxy else "system"
    secure = target.scheme == "https"
    host, port = target.hostname or "", target.port or (443 if secure else 80)
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        yield Step("DNS", False, f"the name of the {what} is not known here: check endpoint, DNS and VPN or HSCN")
        return
    yield Step("DNS", True)
    started = time.monotonic()
    try:
        connection = socket.create_connection((host, port), timeout=_SECONDS)
    except OSError:
        said = "refused or filtered" if time.monotonic() - started < _SECONDS else "no answer"
        yield Step("connection", False, f"no connection to the {what} ({said}): check port, firewall and proxy")
        return
    with connection:
        yield Step("connection", True)
        if secure:
            yield _tls(connection, host, system)
    yield _clock(system)


def _tls(connection: socket.socket, host: str, system: OpenSystem) -> Step:
    endpoint = system.wire.endpoint
    try:
        context = ssl.create_default_context(cafile=endpoint.ca_bundle)
        if endpoint.client_certificate:
            context.load_cert_chain(endpoint.client_certificate, endpoint.client_key)
    except OSError as error:
        files = "ca_bundle, client_certificate and client_key"
        return Step("TLS", False, f"the configured PEM files cannot be used ({type(error).__name__}): check {files}")
    try:
        with context.wrap_socket(connection, server_hostname=host) as secured:
            return Step("TLS", True, secured.version() or "")
    except ssl.SSLCertVerificationError as error:
        return Step("TLS", False, _distrust(error, has_bundle=endpoint.ca_bundle is not None))
    except OSError as error:
        return Step("TLS", False, f"the handshake failed ({type(error).__name__}): check TLS version and certificates")


def _distrust(error: ssl.SSLCertVerificationError, *, has_bundle: bool) -> str:
    # OpenSSL, X509_verify_cert_error_string(3): 9 not yet valid, 10 expired, 62 host name and 64 IP address mismatch.
    if error.verify_code in (62, 64):
        return "the certificate is for another name: check the host in endpoint"
    if error.verify_code in (9, 10):
        return f"{error.verify_message}: check this machine's clock, or ask the supplier to renew the certificate"
    own = "is it the right ca_bundle?" if has_bundle else "if your organisation inspects TLS, name its CA in ca_bundle"
    return f"the certificate is not trusted ({error.verify_message}); {own}"


def _clock(system: OpenSystem) -> Step:
    try:
        answer = system.wire.bound(deadline=Deadline.after(_SECONDS), auth=None).get("", label="clock")
    except MpftConnectError as error:
        return Step("clock", False, f"no HTTP answer to compare clocks by: {error}")
    stated = answer.headers.get("Date")
    try:
        theirs = parsedate_to_datetime(stated) if stated else None
    except ValueError:
        theirs = None
    if theirs is None:
        return Step("clock", True, "the system does not state its time; not compared")
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    apart = abs((datetime.now(UTC) - theirs).total_seconds())
    if apart > _CLOCK_LIMIT_SECONDS:
        return Step("clock", False, f"this machine and the system are {apart:.0f} s apart: set the clock (NTP)")
    return Step("clock", True)
