"""Where a system is and how patiently it is spoken to: the transport part of a configuration."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from mpftconnect.errors import UsageError

__all__ = ["Endpoint", "is_cleartext", "origin"]

_PORTS = {"http": 80, "https": 443}


def origin(split: SplitResult) -> tuple[str, str, int | None]:
    """Scheme, host and port, comparable (RFC 6454, section 4).

    Raises:
        ValueError: The port is not a number.

    >>> origin(urlsplit("HTTPS://Example.org/x")) == origin(urlsplit("https://example.org:443"))
    True
    """
    scheme = split.scheme.lower()
    return scheme, (split.hostname or "").lower(), split.port or _PORTS.get(scheme)


def is_cleartext(url: str) -> bool:
    """Whether what is sent there could be read on the way: plain HTTP to another machine.

    >>> is_cleartext("http://127.0.0.1:8080/"), is_cleartext("http://rio.example/")
    (False, True)
    """
    split = urlsplit(url)
    if split.scheme.lower() != "http":
        return False
    host = split.hostname or ""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() != "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One system's address, limits and transport settings.

    There is no switch that turns certificate checks off, and nothing is taken from the environment or `~/.netrc`:
    what is not configured here is not used, so that a run on one machine means the same on the next.

    Args:
        base_url: `https://host/base`, without query; empty for systems that are read from files.
        environment: `test` or `live`; live unless declared test (rule 14).
        connect_timeout: Seconds for TCP, and again for TLS. A little over a multiple of 3, the retransmission time.
        deadline_seconds: Longest that one request may take in all, its retries included.
        max_bytes: Largest answer, after decompression.
        retries: How often a safe request may be sent again.
        rate_per_second: The budget of requests a second; None for no limit.
        proxy: URL of an HTTP proxy.
        ca_bundle: PEM file of the authorities to trust in place of the built-in ones.
        client_certificate: PEM file, for mutual TLS.
        client_key: PEM file of its key, where that is not in the same file.
        headers: Sent with every request.
    Raises:
        UsageError: A setting is out of range; the message names it and repeats no value.
    """

    base_url: str = ""
    environment: Literal["test", "live"] = "live"
    connect_timeout: float = 3.05
    deadline_seconds: float = 10.0
    max_bytes: int = 20_000_000
    retries: int = 2
    rate_per_second: float | None = None
    proxy: str | None = field(default=None, repr=False)
    ca_bundle: str | Path | None = None
    client_certificate: str | Path | None = None
    client_key: str | Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.environment not in ("test", "live"):
            raise UsageError("environment must be test or live")
        for name in ("connect_timeout", "deadline_seconds", "max_bytes"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} must be more than 0")
        if not 0 <= self.retries <= 10:
            raise UsageError("retries must be between 0 and 10")
        if self.rate_per_second is not None and not self.rate_per_second > 0:
            raise UsageError("rate_per_second must be more than 0")
        if self.client_key and not self.client_certificate:
            raise UsageError("client_key needs client_certificate beside it")
        self._check_address()

    def _check_address(self) -> None:
        try:
            split = urlsplit(self.base_url)
            where = origin(split)
        except ValueError:
            raise UsageError("base_url is not a URL") from None
        if not self.base_url or split.scheme == "file":
            return
        if where[0] not in _PORTS or not where[1]:
            raise UsageError("base_url must begin with https:// (or http://) and name a host")
        if split.username is not None or split.password is not None:
            raise UsageError("base_url must not hold a user name or password: configure them as secrets")
        if split.query or split.fragment:
            raise UsageError("base_url must not hold a query or a fragment")
