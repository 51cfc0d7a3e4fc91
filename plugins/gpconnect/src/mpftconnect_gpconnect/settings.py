"""What a site states to use GP Connect: who it is to the Spine, and by which way its requests go."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from mpftconnect.adapters import origin
from mpftconnect.model import Model

__all__ = ["ConnectionCheck", "ConsumingOrganisation", "GpConnectSettings"]

_NO_BLANK = re.compile(r"[\x21-\x7e]+")


def _web_address(text: str) -> str:
    try:
        split = urlsplit(text)
        scheme, host, _ = origin(split)
    except ValueError:
        scheme, host, split = "", "", urlsplit("")
    if scheme not in ("https", "http") or not host or split.username is not None or split.query or split.fragment:
        raise ValueError("expected a web address, https://..., without user name, query or fragment")
    if not _NO_BLANK.fullmatch(text):
        raise ValueError("expected a web address without blanks")
    return text


WebAddress = Annotated[str, AfterValidator(_web_address)]
# An accredited system identifier has twelve digits (GP Connect API 1.5, Overview and querying SDS, worked example).
Asid = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
OdsCode = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,12}$")]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class ConsumingOrganisation(Model):
    """An organisation whose users ask.

    Args:
        name: As a practice's audit trail shall show it.
        asid: The accredited system identifier of *this* organisation's deployment, not of whoever hosts the portal
            (GP Connect API 1.5, Spine Secure Proxy, HTTP headers).
    """

    name: Words
    asid: Asid


class ConnectionCheck(Model):
    """Of which practice a check of the connection asks for the capability statement, and in whose name.

    Args:
        practice: ODS code of a practice that agreed to it.
        organisation: ODS code of the organisation that asks; one of `GpConnectSettings.organisations`.
        user: User id of the person who answers for the check: GP Connect forbids generic users.
        name: That person's name.
    """

    practice: OdsCode
    organisation: OdsCode
    user: Words
    name: Words


class GpConnectSettings(Model):
    """Settings of GP Connect. The system's `endpoint` is the Spine Directory Service's FHIR API.

    Args:
        issuer: Address of the consuming system, the `iss` of every token; identifier systems of its own begin so.
        organisations: By ODS code, every organisation whose users may ask. Nobody else's users can.
        spine_secure_proxy: Address of the Spine Secure Proxy; None where practices are spoken to directly.
        direct_origins: Origins (`https://host`, `https://host:port`) of practices' systems that may be spoken to
            directly although the directory alone named them. A test environment needs no such list.
        device: What the practice's audit trail shows as the device, unless the user's own is known.
        prescription_issues: Whether each issue of a prescription is asked for, beside the medicine itself.
        medications_active_within_days: If set, medicines that ended earlier are not asked for where GP Connect
            allows that, and the section says that it is partial.
        most_document_bytes: Largest document that is taken.
        check: What `check_connection` needs for its last step.
    """

    issuer: WebAddress
    organisations: dict[OdsCode, ConsumingOrganisation] = Field(min_length=1)
    spine_secure_proxy: WebAddress | None = None
    direct_origins: tuple[WebAddress, ...] = ()
    device: Words = "mpftconnect"
    prescription_issues: bool = False
    medications_active_within_days: int | None = Field(default=None, ge=0, le=36_525)
    most_document_bytes: int = Field(default=10_000_000, ge=1024)
    check: ConnectionCheck | None = None
