"""Looks at how an address is encrypted: which versions it speaks, and whether its certificate is good.

Source: RFC 8446 (TLS 1.3), RFC 5246 (TLS 1.2), RFC 8996 (TLS 1.0 and 1.1 are deprecated), RFC 5280, section 6 (path
validation), RFC 9525 (names).
"""

from __future__ import annotations

import hashlib
import ipaddress
import socket
import ssl
import warnings
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from mpftconnect.adapters import Deadline, Endpoint

__all__ = ["look_at"]

_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
_LONGEST = 5.0


def look_at(endpoint: Endpoint, deadline: Deadline) -> Mapping[str, Any]:
    """Facts of the encryption at an endpoint's address. Nothing is sent but handshakes; nothing is raised.

    Returns:
        `cleartext`: the address is not https; `loopback`: it is this machine's own. `proxied`: a proxy stands between,
        and nothing was tried. `versions`: version to `accepted`, `refused` or `unknown`. `chain`: `valid`, or what is
        wrong with it, in words of the TLS library; `certificate_sha256`: of the certificate as it was sent, in hex;
        `not_after`: when it runs out, ISO date, where the chain is valid. `unreachable`: no connection came about.
    """
    split = urlsplit(endpoint.base_url)
    host = split.hostname or ""
    facts: dict[str, Any] = {"loopback": _is_loopback(host)}
    if split.scheme != "https":
        return {**facts, "cleartext": True}
    if endpoint.proxy:
        return {**facts, "proxied": True}
    port = split.port or 443
    facts["versions"] = {name: _speaks(host, port, name, endpoint, deadline) for name in _VERSIONS}
    return {**facts, **_certificate(host, port, endpoint, deadline)}


def _context(endpoint: Endpoint, *, checked: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=endpoint.ca_bundle if checked else None)
    if not checked:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if endpoint.client_certificate:
        context.load_cert_chain(endpoint.client_certificate, endpoint.client_key)
    return context


def _seconds(deadline: Deadline) -> float:
    return max(0.01, min(_LONGEST, deadline.remaining()))


def _speaks(host: str, port: int, name: str, endpoint: Endpoint, deadline: Deadline) -> str:
    """`refused` only where the other side says so: what this machine cannot offer is `unknown`."""
    context = _context(endpoint, checked=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that they are deprecated is why they are tried
            context.minimum_version = context.maximum_version = _VERSIONS[name]
        if name in ("TLSv1", "TLSv1.1"):
            context.set_ciphers("ALL:@SECLEVEL=0")  # else this side would refuse
    except (ValueError, ssl.SSLError):
        return "unknown"
    try:
        with (
            socket.create_connection((host, port), timeout=_seconds(deadline)) as plain,
            context.wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            return "accepted" if wrapped.version() == name else "unknown"
    except ssl.SSLError as error:
        return "refused" if "ALERT" in str(error.reason) or "EOF" in str(error.reason) else "unknown"
    except ConnectionResetError:
        return "refused"
    except OSError:
        return "unknown"


def _certificate(host: str, port: int, endpoint: Endpoint, deadline: Deadline) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    try:
        with (
            socket.create_connection((host, port), timeout=_seconds(deadline)) as plain,
            _context(endpoint, checked=False).wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            sent = wrapped.getpeercert(binary_form=True)
            facts["certificate_sha256"] = hashlib.sha256(sent or b"").hexdigest() if sent else ""
    except OSError as error:
        return {"unreachable": type(error).__name__}
    try:
        with (
            socket.create_connection((host, port), timeout=_seconds(deadline)) as plain,
            _context(endpoint, checked=True).wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            told = wrapped.getpeercert() or {}
            seconds = ssl.cert_time_to_seconds(str(told["notAfter"]))
            facts |= {"chain": "valid", "not_after": _day(seconds)}
    except ssl.SSLCertVerificationError as error:
        facts["chain"] = str(error.verify_message)[:200]
    except (OSError, KeyError, ValueError) as error:
        facts["chain"] = f"not seen ({type(error).__name__})"
    return facts


def _day(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
