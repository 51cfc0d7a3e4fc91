"""The pointers of the synthetic people, in the locator's own form.

Source: as `mpftconnect_nrl.twin.rules`; fields that the locator sets itself (`id`, `date`, `meta.lastUpdated`) as NRLF,
api/producer/createDocumentReference, sets them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpftconnect.model import (
    NHS_NUMBER_SYSTEM,
    ODS_ORGANIZATION_SYSTEM,
    Actor,
    Concept,
    DocumentReference,
    NhsNumber,
    SectionName,
)
from mpftconnect.sandbox import Person
from mpftconnect_nrl.following import ASID_SYSTEM
from mpftconnect_nrl.twin.documents import DIRECT_PATH, HOST, PROVIDER_ASID, Document

__all__ = ["Held", "documents_of", "held_pointers"]

_ENGLAND = "https://fhir.nhs.uk/England"
_STRUCTURE, _SYSTEM = f"{_ENGLAND}/StructureDefinition", f"{_ENGLAND}/CodeSystem"


@dataclass(frozen=True, slots=True)
class Held:
    """One pointer that the locator holds. Its address is completed when it is given out: `{base}` is the twin's own."""

    number: NhsNumber
    organisation: str
    kind: str
    category: str
    resource: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.resource["id"])


def held_pointers(people: Sequence[Person], system: str) -> Iterator[Held]:
    """All pointers that producers made before the twin was started."""
    for person in people:
        view = person.systems.get(system)
        for item in view.items.get(SectionName.DOCUMENTS, ()) if view else ():
            if isinstance(item, DocumentReference) and view is not None:
                by_proxy = view.settings["documents"][item.source.id].get("by_proxy", False)
                yield held(person.nhs_number, _resource(person.nhs_number, item, by_proxy=by_proxy))


def documents_of(people: Sequence[Person], system: str) -> dict[str, Document]:
    """What those pointers lead to, by the last part of the address."""
    found = {}
    for person in people:
        view = person.systems.get(system)
        for item in view.items.get(SectionName.DOCUMENTS, ()) if view else ():
            if isinstance(item, DocumentReference) and view is not None:
                said = view.settings["documents"][item.source.id]
                name = (item.attachments[0].url or "").rpartition("/")[2]
                found[name] = Document(
                    item.attachments[0].content_type or "", said["data"], said.get("by_proxy", False)
                )
    return found


def held(number: NhsNumber, resource: Mapping[str, Any]) -> Held:
    return Held(
        number,
        resource["custodian"]["identifier"]["value"],
        resource["type"]["coding"][0]["code"],
        resource["category"][0]["coding"][0]["code"],
        resource,
    )


def _resource(number: NhsNumber, item: DocumentReference, *, by_proxy: bool) -> dict[str, Any]:
    attachment = item.attachments[0]
    name = (attachment.url or "").rpartition("/")[2]
    address = f"ssp://{HOST}{DIRECT_PATH}/{name}" if by_proxy else f"{{base}}{DIRECT_PATH}/{name}"
    contact = (attachment.content_type or "").startswith("text/html")
    form = (
        ("urn:nhs-ic:record-contact", "Contact details (HTTP Unsecured)")
        if contact
        else ("urn:nhs-ic:unstructured", "Unstructured Document")
    )
    way = ("SSP", "Spine Secure Proxy") if by_proxy else ("Direct", "Direct")
    made = item.date.text if item.date else None
    resource: dict[str, Any] = {
        "resourceType": "DocumentReference",
        "id": item.source.id.rpartition("/")[2],
        "status": item.status or "current",
        "docStatus": item.doc_status or "final",
        "type": _concept(item.type),
        "category": [_concept(category) for category in item.category],
        "subject": {"identifier": {"system": NHS_NUMBER_SYSTEM, "value": str(number)}},
        **({"date": made, "meta": {"lastUpdated": made}} if made else {}),
        "author": [_organisation(item.author)],
        "custodian": _organisation(item.custodian),
        **({"description": item.description} if item.description else {}),
        "content": [
            {
                "attachment": {
                    "contentType": attachment.content_type,
                    "url": address,
                    **({"title": attachment.title} if attachment.title else {}),
                },
                "format": _coding("England-NRLFormatCode", *form),
                "extension": [
                    _extension("ContentStability", "NRLContentStability", "static", "Static"),
                    _extension("NRLRetrievalMechanism", "NRLRetrievalMechanism", *way),
                ],
            }
        ],
        "context": {
            "practiceSetting": _concept(item.practice_setting),
            **({"related": [{"identifier": {"system": ASID_SYSTEM, "value": PROVIDER_ASID}}]} if by_proxy else {}),
        },
    }
    return resource


def _concept(concept: Concept | None) -> dict[str, Any]:
    said = concept or Concept()
    codings = [{"system": c.system, "code": c.code, "display": c.display} for c in said.coding]
    return {"coding": codings, **({"text": said.text} if said.text else {})}


def _organisation(actor: Actor | None) -> dict[str, Any]:
    code = actor.organization_code if actor else None
    return {
        "identifier": {"system": ODS_ORGANIZATION_SYSTEM, "value": code},
        **({"display": actor.organization} if actor and actor.organization else {}),
    }


def _coding(system: str, code: str, display: str) -> dict[str, str]:
    return {"system": f"{_SYSTEM}/{system}", "code": code, "display": display}


def _extension(name: str, system: str, code: str, display: str) -> dict[str, Any]:
    return {
        "url": f"{_STRUCTURE}/Extension-England-{name}",
        "valueCodeableConcept": {"coding": [_coding(f"England-{system}", code, display)]},
    }
