"""Follows a pointer to its document. Whatever a pointer says is hostile input: anybody onboarded can write one.

A request goes only to a host that settings allow, without the locator's credentials, and follows no redirect. Through
the Spine Secure Proxy it carries the headers and the audit token that the proxy wants.

Source: NRL consumer specification (nrl-consumer-api at 25d6f5b, consumer.yaml), "Spine Secure Proxy (SSP)": the
pointer's URL is percent-encoded and prefixed with the proxy's; NRL producer specification, `content[].attachment.url`
(`ssp://`) and `context.related` (one ASID of 12 digits). Headers and interaction id: NHSConnect FHIR-NRLS-API,
"Retrieval Read Interaction"; claims of the token: developer.nhs.uk, NRL, "JSON Web Token Guidance".
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from mpftconnect.adapters import DocumentContent, Reading
from mpftconnect.errors import AnswerRejected, NotPermitted, UsageError
from mpftconnect.model import ODS_ORGANIZATION_SYSTEM, Attachment, DocumentReference
from mpftconnect_nrl.settings import NrlSettings, SspSettings

__all__ = ["ASID_SYSTEM", "INTERACTION_ID", "Follower", "provider_asid"]

ASID_SYSTEM = "https://fhir.nhs.uk/Id/nhsSpineASID"
INTERACTION_ID = "urn:nhs:names:services:nrl:DocumentReference.content.read"

_ASID = re.compile(r"[0-9]{12}", re.ASCII)
_PORTS = {"https": 443, "http": 80, "ssp": 443}
# RFC 3986, appendix A: the characters of a URL; no spaces, controls or backslashes, which are read differently by
# different readers.
_URL = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]{1,2048}", re.ASCII)
_TOKEN_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Follower:
    """Fetches the documents of one configured locator."""

    settings: NrlSettings
    environment: str

    def fetch(self, reading: Reading, document: DocumentReference, attachment: Attachment) -> DocumentContent:
        """The document's bytes, as its holder gives them.

        Raises:
            UsageError: The attachment is not one of the document's.
            NotPermitted: Settings do not allow the place to which the pointer leads, or the place refuses us.
            AnswerRejected: The pointer cannot be followed as it stands, or the answer cannot be trusted.
            AdapterError: As `Wire.get` does.
        """
        if attachment not in document.attachments:
            raise UsageError("the attachment is not one of the document's")
        if attachment.url is None:
            return self._inline(attachment)
        split = _split(attachment.url, reading.system)
        if split.scheme == "ssp":
            return self._by_proxy(reading, document, attachment, split)
        if split.scheme == "http" and self.environment == "live":
            raise NotPermitted("the pointer leads to a place without encryption", system=reading.system)
        if not _is_allowed(split, self.settings.document_hosts):
            raise NotPermitted(
                "the pointer leads to a host that settings do not allow: see document_hosts", system=reading.system
            )
        wire = reading.wire.bound(deadline=reading.deadline).elsewhere(
            f"{split.scheme}://{split.netloc}", max_bytes=self.settings.max_document_bytes
        )
        return _content(wire.get(attachment.url, headers=_accept(attachment), label="document"))

    def _inline(self, attachment: Attachment) -> DocumentContent:
        if attachment.data_base64 is None:
            raise AnswerRejected("the pointer leads nowhere: no URL and no data", place="content.attachment")
        if len(attachment.data_base64) > self.settings.max_document_bytes * 3 // 2:
            raise AnswerRejected("the document is larger than settings allow", place="content.attachment.data")
        try:
            data = base64.b64decode("".join(attachment.data_base64.split()), validate=True)
        except (binascii.Error, ValueError):
            raise AnswerRejected("is not base64", place="content.attachment.data") from None
        if len(data) > self.settings.max_document_bytes:
            raise AnswerRejected("the document is larger than settings allow", place="content.attachment.data")
        return DocumentContent(attachment.content_type, data)

    def _by_proxy(
        self, reading: Reading, document: DocumentReference, attachment: Attachment, split: SplitResult
    ) -> DocumentContent:
        ssp = self.settings.ssp
        if ssp is None:
            raise NotPermitted(
                "the document is behind the Spine Secure Proxy: see settings, ssp", system=reading.system
            )
        if not _is_allowed(split, ssp.hosts):
            raise NotPermitted(
                "the pointer leads to a host that settings do not allow: see ssp.hosts", system=reading.system
            )
        asid = provider_asid(document, reading.system)
        # The proxy is spoken to by https on both legs; `ssp://` only says that it must be used.
        target = urlunsplit(split._replace(scheme="https", fragment=""))
        wire = reading.wire.bound(deadline=reading.deadline).elsewhere(
            ssp.url, client_certificate=True, max_bytes=self.settings.max_document_bytes
        )
        headers = {
            **_accept(attachment),
            "Ssp-TraceID": str(uuid.uuid4()),
            "Ssp-From": ssp.asid,
            "Ssp-To": asid,
            "Ssp-InteractionID": INTERACTION_ID,
            "Authorization": f"Bearer {self._token(reading, ssp, target)}",
        }
        return _content(wire.get(quote(target, safe=""), headers=headers, label="document by proxy"))

    def _token(self, reading: Reading, ssp: SspSettings, audience: str) -> str:
        """The audit token of the Spine: unsigned, made anew for each request."""
        profile = reading.who.role_profile_id
        if not profile:
            raise NotPermitted(
                "the Spine wants to know the user's role profile, which the access context does not say",
                system=reading.system,
            )
        user = f"https://fhir.nhs.uk/Id/sds-role-profile-id|{profile}"
        organisation = self.settings.end_user_organisation or reading.who.organisation
        now = int(reading.now().timestamp())
        claims = {
            "iss": ssp.issuer,
            "sub": user,
            "aud": audience,
            "iat": now,
            "exp": now + _TOKEN_SECONDS,
            "reason_for_request": "directcare",
            "scope": "patient/*.read",
            "requesting_system": f"https://fhir.nhs.uk/Id/accredited-system|{ssp.asid}",
            "requesting_organization": f"{ODS_ORGANIZATION_SYSTEM}|{organisation}",
            "requesting_user": user,
        }
        return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}."


def provider_asid(document: DocumentReference, system: str | None = None) -> str:
    """The ASID of whoever gives the document.

    Raises:
        AnswerRejected: The pointer names none, several, or one that is not 12 digits.
    """
    related = next((part.value for part in document.extra if part.path == "context.related"), None)
    named = [
        identifier.get("value")
        for each in (related if isinstance(related, list) else ())
        if isinstance(each, dict) and isinstance(identifier := each.get("identifier"), dict)
        if identifier.get("system") == ASID_SYSTEM
    ]
    if len(named) != 1 or not isinstance(named[0], str) or not _ASID.fullmatch(named[0]):
        raise AnswerRejected("exactly one ASID of 12 digits is expected", system=system, place="context.related")
    return named[0]


def _split(url: str, system: str) -> SplitResult:
    """The parts of a URL that every reader reads alike."""
    place = "content.attachment.url"
    try:
        split = urlsplit(url) if _URL.fullmatch(url) else None
        port = split.port if split else None
    except ValueError:
        split = port = None
    if split is None or not split.hostname or "@" in split.netloc or port == 0:
        raise AnswerRejected("is not a URL that can be followed", system=system, place=place)
    if split.scheme not in _PORTS:
        raise AnswerRejected("is neither https:// nor ssp://", system=system, place=place)
    if any(part.lower().replace("%2e", ".") in (".", "..") for part in split.path.split("/")):
        raise AnswerRejected("holds dot segments", system=system, place=place)
    return split


def _is_allowed(split: SplitResult, hosts: tuple[str, ...]) -> bool:
    host, usual = (split.hostname or "").lower(), _PORTS[split.scheme]
    port = split.port or usual
    names = {f"{host}:{port}"} | ({host} if port == usual else set())
    # A suffix is for host names under the usual port; an address of numbers is under no suffix.
    under = (s for s in hosts if s.startswith(".") and port == usual and not host.rpartition(".")[2].isdigit())
    return bool(names & set(hosts)) or any(host.endswith(suffix) for suffix in under)


def _accept(attachment: Attachment) -> dict[str, str]:
    promised = (attachment.content_type or "").partition(";")[0].strip()
    is_type = re.fullmatch(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}", promised, re.ASCII)
    return {"Accept": f"{promised}, */*;q=0.1" if is_type else "*/*"}


def _content(answer: Any) -> DocumentContent:
    answer.require_ok()
    if answer.status != 200:
        raise AnswerRejected(f"status {answer.status} in place of a document", system=answer.system)
    return DocumentContent(answer.content_type or None, answer.body)


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()
