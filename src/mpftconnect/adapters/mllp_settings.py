"""Where MLLP listens or sends, its limits, and its TLS: the same settings as for HTTP (rule 19)."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mpftconnect.adapters.mllp_frames import DEFAULT_MAX_BYTES
from mpftconnect.errors import ConfigurationError, UsageError

__all__ = ["ListenSettings", "SendSettings", "is_loopback"]


def is_loopback(host: str) -> bool:
    """Whether what is said there stays on this machine.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenSettings:
    """Where and how patiently an MLLP server listens. Nothing of it is taken from the environment.

    Args:
        host: Address to listen at.
        port: 0 for one that the system chooses.
        environment: `test` or `live`; live unless declared test (rule 14).
        certificate: PEM file of the server's certificate; without it the line is in clear.
        key: PEM file of its key, where that is not in the same file.
        client_ca: PEM file of the authorities whose clients may connect: mutual TLS.
        max_bytes: Longest message.
        max_connections: How many at once; more are closed at once.
        max_waiting_bytes: How much all connections together may hold of messages that are not whole yet. A connection
            that needs more is not read until there is room.
        idle_seconds: A connection that says nothing for so long is closed.
        message_seconds: Longest that one message may take to come in, however it drips; also for TLS to be agreed.
        send_seconds: Longest that the other side may take to take an acknowledgement.
    Raises:
        UsageError: A setting is out of range; the message names it and repeats no value.
    """

    host: str = "127.0.0.1"
    port: int = 0
    environment: Literal["test", "live"] = "live"
    certificate: str | Path | None = None
    key: str | Path | None = None
    client_ca: str | Path | None = None
    max_bytes: int = DEFAULT_MAX_BYTES
    max_connections: int = 100
    max_waiting_bytes: int = 256_000_000
    idle_seconds: float = 3600.0
    message_seconds: float = 30.0
    send_seconds: float = 30.0

    def __post_init__(self) -> None:
        _check(self, "max_bytes", "max_connections", "idle_seconds", "message_seconds", "send_seconds")
        if not 0 <= self.port <= 65_535:
            raise UsageError("port must be between 0 and 65535")
        if self.max_waiting_bytes < self.max_bytes:
            raise UsageError("max_waiting_bytes must be at least max_bytes")
        if (self.key or self.client_ca) and not self.certificate:
            raise UsageError("key and client_ca need certificate beside them")

    def context(self) -> ssl.SSLContext | None:
        """The TLS context; None where the line is in clear.

        Raises:
            ConfigurationError: A file is missing or is no certificate, or a live line to other machines is in clear.
        """
        problems = _missing(self, "certificate", "key", "client_ca")
        if self.certificate is None and self.environment == "live" and not is_loopback(self.host):
            problems.append("listen.certificate: a live line to other machines needs TLS")
        if problems:
            raise ConfigurationError(problems)
        if self.certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _load(context, "listen", self.certificate, self.key)
        if self.client_ca:
            _trust(context, "listen.client_ca", self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSettings:
    """Where an MLLP client sends to, and how patiently.

    Args:
        host: Name or address.
        port: Its port.
        environment: `test` or `live`; live unless declared test (rule 14).
        tls: Whether to speak TLS; the certificate is always checked, by the built-in authorities or `ca_bundle`.
        ca_bundle: PEM file of the authorities to trust in place of the built-in ones.
        client_certificate: PEM file, for mutual TLS.
        client_key: PEM file of its key, where that is not in the same file.
        connect_timeout: Seconds for TCP and TLS.
        answer_seconds: How long to wait for each acknowledgement.
        max_bytes: Longest acknowledgement.
        attempts: How often one message is sent in all, until its result is known.
        pause_seconds: Pause before the second attempt; doubled for each further one, up to 30.
    Raises:
        UsageError: A setting is out of range; the message names it and repeats no value.
    """

    host: str
    port: int
    environment: Literal["test", "live"] = "live"
    tls: bool = False
    ca_bundle: str | Path | None = None
    client_certificate: str | Path | None = None
    client_key: str | Path | None = None
    connect_timeout: float = 3.05
    answer_seconds: float = 30.0
    max_bytes: int = 1_000_000
    attempts: int = 5
    pause_seconds: float = 0.5

    def __post_init__(self) -> None:
        _check(self, "connect_timeout", "answer_seconds", "max_bytes", "attempts")
        if not 1 <= self.port <= 65_535:
            raise UsageError("port must be between 1 and 65535")
        if self.pause_seconds < 0:
            raise UsageError("pause_seconds must not be less than 0")
        if (self.ca_bundle or self.client_certificate) and not self.tls:
            raise UsageError("ca_bundle and client_certificate need tls")
        if self.client_key and not self.client_certificate:
            raise UsageError("client_key needs client_certificate beside it")

    def context(self) -> ssl.SSLContext | None:
        """The TLS context; None where the line is in clear. Raises as `ListenSettings.context`."""
        problems = _missing(self, "ca_bundle", "client_certificate", "client_key")
        if not self.tls and self.environment == "live" and not is_loopback(self.host):
            problems.append("send.tls: a live line to another machine needs TLS")
        if problems:
            raise ConfigurationError(problems)
        if not self.tls:
            return None
        context = ssl.create_default_context()
        if self.ca_bundle:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            _trust(context, "send.ca_bundle", self.ca_bundle)
        if self.client_certificate:
            _load(context, "send", self.client_certificate, self.client_key)
        return context


def _check(settings: object, *names: str) -> None:
    for name in names:
        if not getattr(settings, name) > 0:
            raise UsageError(f"{name} must be more than 0")


def _missing(settings: object, *names: str) -> list[str]:
    given = ((name, getattr(settings, name)) for name in names)
    return [f"{name}: no such file" for name, path in given if path and not Path(path).is_file()]


def _load(context: ssl.SSLContext, what: str, certificate: str | Path, key: str | Path | None) -> None:
    try:
        # With no pass phrase at all OpenSSL would ask for one at the terminal, and wait.
        context.load_cert_chain(certificate, key, password=b"")
    except (ssl.SSLError, OSError) as error:
        raise ConfigurationError(
            [f"{what}: no certificate with its key, or the key has a pass phrase ({type(error).__name__})"]
        ) from None


def _trust(context: ssl.SSLContext, what: str, authorities: str | Path) -> None:
    try:
        context.load_verify_locations(authorities)
    except (ssl.SSLError, OSError) as error:
        raise ConfigurationError([f"{what}: no authority in it ({type(error).__name__})"]) from None
