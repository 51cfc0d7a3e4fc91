"""The parts of the UK Core twin that the pack open-api looks at: its document, its encryption, and how it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mpftconnect.adapters import FaultSwitch, TwinRequest, TwinResponse, json_response
from mpftconnect_conformance.twins.uk_core_oas import DISCOVERY, OAS_FAULTS, oas

__all__ = ["OPEN_FAULTS", "answer_openly", "tls_of"]

OPEN_FAULTS = (
    *("oas-behind-login", "open-to-all", "refusal-without-challenge", "old-tls", "certificate-expired", "hsts-missing"),
    *("errors-as-pages", "discovery-missing", "request-id-dropped", "answers-unlike-oas", *OAS_FAULTS),
)
_PAGE = b"<html><body><h1>Error</h1><pre>at Store.read(Store.java:42)</pre></body></html>"


def answer_openly(
    request: TwinRequest,
    faults: FaultSwitch,
    token: str,
    types: tuple[str, ...],
    inner: Callable[[TwinRequest], TwinResponse],
) -> TwinResponse:
    """The answer to a request: what is open to everybody here, the rest by `inner`."""
    stranger = "Authorization" not in request.headers
    match request.method, request.path:
        case "GET", "/fhir/openapi.json" if not (stranger and "oas-behind-login" in faults):
            root = oas(list(types))
            for name, spoil in OAS_FAULTS.items():
                if name in faults:
                    spoil(root)
            said = json_response(root, 200, {"Content-Type": "application/json"})
        case "GET", "/fhir/.well-known/smart-configuration" if "discovery-missing" not in faults:
            said = json_response(DISCOVERY, 200, {"Content-Type": "application/json"})
        case _:
            if "open-to-all" in faults:
                request = replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})
            said = inner(request)
    return _spoilt(said, request, faults)


def _spoilt(said: TwinResponse, request: TwinRequest, faults: FaultSwitch) -> TwinResponse:
    headers = {"Strict-Transport-Security": "max-age=31536000", **said.headers}
    if "X-Request-ID" in request.headers:
        headers["X-Request-ID"] = request.headers["X-Request-ID"]
    body = said.body
    if "hsts-missing" in faults:
        headers.pop("Strict-Transport-Security")
    if "request-id-dropped" in faults:
        headers.pop("X-Request-ID", None)
    if "refusal-without-challenge" in faults:
        headers.pop("WWW-Authenticate", None)
    if "errors-as-pages" in faults and 400 <= said.status < 500:
        body = _PAGE
        headers["Content-Type"] = "text/html"
    if "answers-unlike-oas" in faults and said.status == 200 and b'"Bundle"' in body[:200]:
        body = json.dumps({**json.loads(body), "total": "many"}).encode()
    return replace(said, headers=headers, body=body)


def tls_of(faults: FaultSwitch) -> dict[str, Any]:
    """What would be seen of the twin's encryption (`mpftconnect.conformance.tls.look_at`), which has no sockets."""
    old = "accepted" if "old-tls" in faults else "refused"
    expired = "certificate-expired" in faults
    return {
        "loopback": False,
        "versions": {"TLSv1": old, "TLSv1.1": old, "TLSv1.2": "accepted", "TLSv1.3": "accepted"},
        "certificate_sha256": "00" * 32,
        "chain": "certificate has expired" if expired else "valid",
        **({} if expired else {"not_after": "2099-01-01"}),
    }
