"""Puts a pointer of ours into the locator's own form, and refuses what the locator would refuse.

Only what is written here is sent: the locator rejects fields that it does not know.

Source: NRL producer specification (nrl-producer-api at ec0303b, producer.yaml), `POST /DocumentReference` ("Create new
pointers, or Supersede existing ones") and its schemas; "Spine Secure Proxy (SSP)", note (no proxy prefix, not
percent-encoded, no patient-identifiable data in the URL).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mpftconnect.adapters import Draft, NewPointer, Reading
from mpftconnect.errors import UsageError
from mpftconnect.fhir import dump_json
from mpftconnect.model import NHS_NUMBER_SYSTEM, ODS_ORGANIZATION_SYSTEM, SNOMED, Coding, When
from mpftconnect_nrl.following import ASID_SYSTEM
from mpftconnect_nrl.line import MEDIA_TYPE, ODS_CODE, POINTER_ID, PRODUCER
from mpftconnect_nrl.pointer_types import category_of, coding_of
from mpftconnect_nrl.settings import PublishSettings

__all__ = ["URI_SYSTEM", "draft_of_pointer", "draft_of_removal", "urn"]

# FHIR R4, identifier systems: the value is itself a URI (RFC 3986).
URI_SYSTEM = "urn:ietf:rfc:3986"
_ENGLAND = "https://fhir.nhs.uk/England"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?", re.ASCII)


def urn(uuid: str) -> str:
    """A UUID as a URI (RFC 4122, section 3).

    >>> urn("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
    'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6'
    """
    return f"urn:uuid:{uuid}"


def draft_of_pointer(
    reading: Reading,
    pointer: NewPointer,
    replaces: Sequence[str],
    *,
    settings: PublishSettings,
    organisation: str,
    headers: dict[str, str],
) -> Draft:
    """The request that makes a pointer.

    Args:
        organisation: ODS code of the caller, who is the custodian.
    Raises:
        UsageError: The pointer would not be what the specification asks for; says which field.
    """
    if reading.nhs_number is None:
        raise UsageError("a pointer is about a person with an NHS number")
    return Draft("POST", _address(reading), headers | {"Content-Type": MEDIA_TYPE}, dump_json(
        _resource(reading, pointer, replaces, settings, organisation)
    ))  # fmt: skip


def draft_of_removal(reading: Reading, pointer_id: str, *, organisation: str, headers: dict[str, str]) -> Draft:
    """The request that removes a pointer.

    Raises:
        UsageError: It is no pointer of the caller's.
    """
    return Draft("DELETE", f"{_address(reading)}/{_own(pointer_id, organisation)}", headers)


def _address(reading: Reading) -> str:
    return f"{reading.wire.endpoint.base_url.rstrip('/')}/{PRODUCER}"


def _own(pointer_id: str, organisation: str) -> str:
    if not POINTER_ID.fullmatch(pointer_id) or not pointer_id.startswith(f"{organisation}-"):
        raise UsageError("a pointer that is to go must be one of the caller's own organisation")
    return pointer_id


def _resource(
    reading: Reading, pointer: NewPointer, replaces: Sequence[str], settings: PublishSettings, organisation: str
) -> dict[str, Any]:
    code = pointer.kind.code or ""
    kind, category = coding_of(code), category_of(code)
    if kind is None or category is None or pointer.kind.system != SNOMED:
        raise UsageError("type: expected the SNOMED CT code of a type that the locator points at")
    if not ODS_CODE.fullmatch(pointer.author):
        raise UsageError("author: expected the ODS code of the organisation that wrote the plan")
    for name in ("reference", "version"):
        if not _UUID.fullmatch(getattr(pointer, name)):
            raise UsageError(f"{name}: expected a UUID")
    setting = pointer.practice_setting or (settings.practice_setting.coding() if settings.practice_setting else None)
    if setting is None or setting.system != SNOMED or not setting.code or not setting.display:
        raise UsageError(
            "practice setting: the plan names no service by SNOMED CT; give one in settings, publish.practice_setting"
        )
    url = settings.document_url.replace("{reference}", pointer.reference)
    _check_url(url, reading)
    attachment = {"contentType": settings.content_type, "url": url, "title": kind.display}
    if pointer.created is not None and (made := _date(pointer.created)):
        attachment["creation"] = made
    related = {"related": [{"identifier": {"system": ASID_SYSTEM, "value": settings.asid}}]}
    body: dict[str, Any] = {
        "resourceType": "DocumentReference",
        "masterIdentifier": {"system": URI_SYSTEM, "value": urn(pointer.version)},
        "identifier": [{"system": URI_SYSTEM, "value": urn(pointer.reference)}],
        "status": "current",
        "docStatus": "final",
        "type": _concept(kind),
        "category": [_concept(category)],
        "subject": {"identifier": {"system": NHS_NUMBER_SYSTEM, "value": str(reading.nhs_number)}},
        "author": [_organisation(pointer.author)],
        "custodian": _organisation(organisation),
        "content": [
            {
                "attachment": attachment,
                "format": _format(settings.content_type),
                "extension": [_stability(settings.stability), _mechanism(url)],
            }
        ],
        "context": {"practiceSetting": _concept(setting), **(related if url.startswith("ssp://") else {})},
    }
    if replaces:
        body["relatesTo"] = [
            {
                "code": "replaces",
                "target": {"type": "DocumentReference", "identifier": {"value": _own(old, organisation)}},
            }
            for old in replaces
        ]
    return body


def _check_url(url: str, reading: Reading) -> None:
    numbers = [str(number) for number in (reading.nhs_number, *reading.former_numbers) if number]
    shown = {form for n in numbers for form in (n, f"{n[:3]}-{n[3:6]}-{n[6:]}", f"{n[:3]}_{n[3:6]}_{n[6:]}")}
    if any(form in url for form in shown):
        raise UsageError("url: it may hold nothing that names the person")


def _date(when: When) -> str | None:
    """The date alone, which is true whatever the offset: a time without one is not allowed there."""
    text = when.text[:10]
    return text if _DATE.fullmatch(text) else None


def _coding(coding: Coding) -> dict[str, Any]:
    return {"system": coding.system, "code": coding.code, "display": coding.display}


def _concept(coding: Coding) -> dict[str, Any]:
    return {"coding": [_coding(coding)]}


def _organisation(code: str) -> dict[str, Any]:
    return {"identifier": {"system": ODS_ORGANIZATION_SYSTEM, "value": code}}


def _format(content_type: str) -> dict[str, str]:
    system = f"{_ENGLAND}/CodeSystem/England-NRLFormatCode"
    if content_type == "text/html":
        # "text/html for contact details": where no document can be had, whom to ask for it.
        return {
            "system": system,
            "code": "urn:nhs-ic:record-contact",
            "display": "Contact details (HTTP Unsecured)",
        }
    return {"system": system, "code": "urn:nhs-ic:unstructured", "display": "Unstructured Document"}


def _stability(code: str) -> dict[str, Any]:
    system = f"{_ENGLAND}/CodeSystem/England-NRLContentStability"
    return _extension("ContentStability", system, code, code.capitalize())


def _mechanism(url: str) -> dict[str, Any]:
    code, display = ("SSP", "Spine Secure Proxy") if url.startswith("ssp://") else ("Direct", "Direct")
    return _extension("NRLRetrievalMechanism", f"{_ENGLAND}/CodeSystem/England-NRLRetrievalMechanism", code, display)


def _extension(name: str, system: str, code: str, display: str) -> dict[str, Any]:
    return {
        "url": f"{_ENGLAND}/StructureDefinition/Extension-England-{name}",
        "valueCodeableConcept": {"coding": [{"system": system, "code": code, "display": display}]},
    }
