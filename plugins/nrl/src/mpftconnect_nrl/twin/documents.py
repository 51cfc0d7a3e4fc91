"""Whoever gives the documents: at an address of their own, and behind a stand-in for the Spine Secure Proxy.

Source: NRL consumer specification, "Spine Secure Proxy (SSP)"; NHSConnect FHIR-NRLS-API, "Retrieval Read Interaction"
(headers, interaction id, token); developer.nhs.uk, NRL, "JSON Web Token Guidance" (claims).
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from mpftconnect.adapters import TwinRequest, TwinResponse
from mpftconnect_nrl.following import INTERACTION_ID

__all__ = ["CONSUMER_ASID", "DIRECT_PATH", "HOST", "PROVIDER_ASID", "PROXY_PATH", "Document", "Library"]

DIRECT_PATH, PROXY_PATH = "/documents", "/ssp"
HOST = "documents.sandbox.invalid"
CONSUMER_ASID, PROVIDER_ASID = "990000000001", "990000000002"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_SYSTEM, _ORGANISATION, _USER = (
    "https://fhir.nhs.uk/Id/accredited-system|",
    "https://fhir.nhs.uk/Id/ods-organization-code|",
    "https://fhir.nhs.uk/Id/sds-role-profile-id|",
)


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its media type, its bytes, and whether it is to be had by the proxy alone."""

    content_type: str
    data: bytes
    by_proxy: bool = False


class Library:
    """All documents, by the last part of their address.

    Args:
        now: Time of day, seconds since 1970.
    """

    def __init__(self, documents: Mapping[str, Document], now: Callable[[], float] = time.time) -> None:
        self._documents, self._now = dict(documents), now

    def serves(self, path: str) -> bool:
        return path.startswith((f"{DIRECT_PATH}/", f"{PROXY_PATH}/"))

    def handle(self, request: TwinRequest, *, wrong: bool) -> TwinResponse:
        """A document, or why there is none.

        Args:
            wrong: Give another type of document than the one that is there.
        """
        if request.method != "GET":
            return _refused(405, "only GET is offered")
        if request.path.startswith(f"{PROXY_PATH}/"):
            fault = self._fault_of_proxy_request(request)
            if fault is not None:
                return fault
            name, by_proxy = urlsplit(unquote(request.path.removeprefix(f"{PROXY_PATH}/"))).path, True
        else:
            if request.headers.get("Authorization"):
                return _refused(400, "credentials of somebody else's were sent here")
            name, by_proxy = request.path, False
        document = self._documents.get(name.rpartition("/")[2])
        if document is None or document.by_proxy is not by_proxy or not name.startswith(f"{DIRECT_PATH}/"):
            return _refused(404, "no such document")
        if wrong:
            return TwinResponse(200, {"Content-Type": "text/plain; charset=utf-8"}, b"Not the document you asked for.")
        return TwinResponse(200, {"Content-Type": document.content_type}, document.data)

    def _fault_of_proxy_request(self, request: TwinRequest) -> TwinResponse | None:
        """What the proxy refuses, in the order in which it looks."""
        sent = request.headers
        if not _UUID.fullmatch(sent.get("Ssp-TraceID", "")):
            return _refused(400, "Ssp-TraceID is missing or no UUID")
        if sent.get("Ssp-From") != CONSUMER_ASID:
            return _refused(403, "Ssp-From is not an ASID that may ask")
        if sent.get("Ssp-InteractionID") != INTERACTION_ID:
            return _refused(403, "Ssp-InteractionID is missing or not one that may be asked for")
        target = urlsplit(unquote(request.path.removeprefix(f"{PROXY_PATH}/")))
        if "/" in request.path.removeprefix(f"{PROXY_PATH}/") or target.scheme != "https":
            return _refused(400, "the provider's address is not percent-encoded, or not https")
        if target.netloc != HOST or sent.get("Ssp-To") != PROVIDER_ASID:
            return _refused(502, "no such provider under that ASID")
        claims = _claims(sent.get("Authorization", ""))
        if claims is None or not self._is_good(claims):
            return _refused(401, "the access token is missing or its claims are not as they must be")
        return None

    def _is_good(self, claims: Mapping[str, Any]) -> bool:
        issued, expires = claims.get("iat"), claims.get("exp")
        return (
            isinstance(issued, int)
            and isinstance(expires, int)
            and 0 < expires - issued <= 300
            and expires > self._now()
            and claims.get("reason_for_request") == "directcare"
            and claims.get("scope") == "patient/*.read"
            and claims.get("requesting_system") == f"{_SYSTEM}{CONSUMER_ASID}"
            and str(claims.get("requesting_organization")).startswith(_ORGANISATION)
            and str(claims.get("requesting_user")).startswith(_USER)
            and claims.get("sub") == claims.get("requesting_user")
            and bool(claims.get("iss"))
            and bool(claims.get("aud"))
        )


def _claims(authorization: str) -> Mapping[str, Any] | None:
    scheme, _, token = authorization.partition(" ")
    parts = token.split(".")
    if scheme != "Bearer" or len(parts) != 3 or parts[2]:
        return None
    try:
        header, claims = (json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2])
    except ValueError:
        return None
    return claims if isinstance(claims, dict) and header == {"alg": "none", "typ": "JWT"} else None


def _refused(status: int, words: str) -> TwinResponse:
    return TwinResponse(status, {"Content-Type": "text/plain; charset=utf-8"}, words.encode())
