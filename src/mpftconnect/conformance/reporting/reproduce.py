"""Lines to try by hand: a request as curl, with placeholders where credentials were."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from mpftconnect.adapters.recorder import STRUCK_OUT
from mpftconnect.conformance.evidence import Recorded

__all__ = ["curl_line"]

_UNSAID = frozenset({"accept-encoding", "user-agent", "x-correlation-id", "content-length", "connection", "host"})


def curl_line(each: Recorded) -> str:
    """The exchange's request as one line for a shell.

    Every part is quoted; credentials stand as `$NAME`, to be set in the environment by whoever tries it.

    >>> curl_line(Recorded(id="x001", step="metadata", method="GET", url="https://fhir.example/metadata",
    ...                    request_headers=(("Authorization", "(not recorded)"), ("Accept", "application/json"))))
    'curl -sS -i -H "Authorization: $AUTHORIZATION" -H \\'Accept: application/json\\' https://fhir.example/metadata'
    """
    parts = ["curl", "-sS", "-i"]
    if each.method != "GET":
        parts += ["-X", shlex.quote(each.method)]
    for name, value in _headers(each.request_headers):
        if value == STRUCK_OUT:
            variable = "".join(c if c.isascii() and c.isalnum() else "_" for c in name.upper())
            parts += ["-H", f'"{_plain(name)}: ${variable}"']
        else:
            parts += ["-H", shlex.quote(f"{name}: {value}")]
    if each.request_body:
        parts += ["--data-binary", f"@{each.id}-request-body"]
    parts.append(shlex.quote(each.url))
    return " ".join(parts)


def _headers(headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in _UNSAID]


def _plain(name: str) -> str:
    return "".join(c for c in name if c.isascii() and (c.isalnum() or c in "-_"))
