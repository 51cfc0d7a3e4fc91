"""A synthetic person as PDS writes them: the whole record, the search result and the related people.

Source: PDS FHIR API specification, components/schemas/Patient.yaml, PatientSearch.yaml, RelatedPerson.yaml and the
schemas they refer to; patient-get.yaml, "Restricted patients"; patient-search.yaml, "Patient data returned". What
PDS has no place for is left out, as PDS would: it closes its objects (`additionalProperties: false`).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any

from mpftconnect.model import (
    NHS_NUMBER_SYSTEM,
    ODS_ORGANIZATION_SYSTEM,
    Actor,
    Address,
    Concept,
    ContactPoint,
    HumanName,
    Patient,
    Period,
    RelatedPerson,
    When,
)

__all__ = ["patient_resource", "related_resources", "search_resource"]

_UK_CORE = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-"
_UK_CORE_CODES = "https://fhir.hl7.org.uk/CodeSystem/UKCore-"
_NAME_USES = ("usual", "temp", "nickname", "old", "maiden")
_ADDRESS_USES = ("home", "work", "temp", "billing")
_TELECOM_SYSTEMS = ("phone", "fax", "email", "other")
_TELECOM_USES = ("home", "work", "temp", "mobile")
_ADDRESS_TEXTS = (
    *("Second Home", "Student Accommodation", "Respite Care Address", "Temporary Residence Address"),
    *("Convalescence Home", "Mobile Home", "Holiday Home"),
)
_MOST_LINES = 5
_MOST_GIVEN = 5
# Meta.yaml has a display for these two of the levels that are ever returned, and none for V.
_SECURITY_DISPLAYS = {"U": "unrestricted", "R": "restricted"}
_LOCATING = ("address", "telecom", "contact", "generalPractitioner", "managingOrganization")
_LOCATING_EXTENSIONS = (
    f"{_UK_CORE}NominatedPharmacy",
    "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
)
_SEARCHED = ("usual", "nickname", "temp")


def patient_resource(
    number: str, patient: Patient, contacts: Sequence[RelatedPerson] = (), *, version: int = 1
) -> dict[str, Any]:
    """The Patient that `GET /Patient/{id}` answers with.

    Args:
        number: The current NHS number.
        patient: Demographics; `restriction` decides what is removed.
        contacts: Of these, the emergency contacts go into `Patient.contact`.
        version: `meta.versionId`, also the `ETag`.
    """
    level = patient.restriction or "U"
    security = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": level}
    if level in _SECURITY_DISPLAYS:
        security["display"] = _SECURITY_DISPLAYS[level]
    resource = _filled(
        {
            "resourceType": "Patient",
            "id": number,
            "identifier": [_nhs_number(number, patient.verification_status or "01")],
            "meta": {"versionId": str(version), "security": [security]},
            "name": [_name(number, index, name) for index, name in enumerate(patient.names)],
            "gender": patient.gender,
            "birthDate": patient.birth_date.text if patient.birth_date else None,
            "multipleBirthInteger": _multiple_birth(patient),
            "deceasedDateTime": _moment(patient.deceased) if isinstance(patient.deceased, When) else None,
            "address": [_address(number, index, address) for index, address in enumerate(patient.addresses)],
            "telecom": [_telecom(number, index, point) for index, point in enumerate(patient.telecom)],
            "contact": [_emergency(number, index, contact) for index, contact in enumerate(_emergencies(contacts))],
            "generalPractitioner": [_practice(number, actor) for actor in _coded(patient.general_practitioner)[:1]],
            "managingOrganization": _organization(patient.managing_organization),
            "extension": _extensions(patient),
        }
    )
    return _withheld(resource, level)


def search_resource(whole: Mapping[str, Any]) -> dict[str, Any]:
    """The shorter Patient of a search result, from the whole one."""
    short = {name: value for name, value in whole.items() if name != "managingOrganization"}
    short["name"] = [name for name in whole.get("name", ()) if name["use"] in _SEARCHED]
    short["address"] = [address for address in whole.get("address", ()) if address["use"] == "home"]
    short["extension"] = [
        extension
        for extension in whole.get("extension", ())
        if extension["url"] == f"{_UK_CORE}DeathNotificationStatus"
    ]
    return _filled(short)


def related_resources(number: str, contacts: Sequence[RelatedPerson]) -> list[dict[str, Any]]:
    """The RelatedPerson resources of `GET /Patient/{id}/RelatedPerson`.

    `patient` names the *related* person's own PDS record, where there is one (PatientReference.yaml), and not the
    patient that they are related to, as FHIR R4 would have it.
    """
    out = []
    for index, contact in enumerate(contact for contact in contacts if not contact.emergency_contact):
        key = f"{number}/{index}"
        reference = contact.reference.identifier if contact.reference else None
        own = {"system": NHS_NUMBER_SYSTEM, "value": reference.value} if reference and reference.value else None
        resource = _filled(
            {
                "resourceType": "RelatedPerson",
                "id": _object_id("related", number, index),
                "active": contact.active,
                "period": _period(contact.period),
                "name": [_name(key, at, name) for at, name in enumerate(contact.names[:1])],
                "address": [_address(key, at, address) for at, address in enumerate(contact.addresses[:1])],
                "telecom": [_telecom(key, at, point) for at, point in enumerate(contact.telecom[:5])],
                "relationship": [_concept(concept) for concept in contact.relationship[:1]],
            }
        )
        resource["patient"] = {"identifier": own} if own else {}
        out.append(resource)
    return out


def _withheld(resource: dict[str, Any], level: str) -> dict[str, Any]:
    if level not in ("R", "V"):
        return resource
    kept = {name: value for name, value in resource.items() if name not in _LOCATING}
    if level == "V":
        # Patient.yaml: the name "may not appear" for a restricted patient.
        kept.pop("name", None)
    kept["extension"] = [ext for ext in resource.get("extension", ()) if ext["url"] not in _LOCATING_EXTENSIONS]
    return _filled(kept)


def _nhs_number(number: str, status: str) -> dict[str, Any]:
    concept = {"system": f"{_UK_CORE_CODES}NHSNumberVerificationStatus", "version": "1.0.0", "code": status}
    extension = {"url": f"{_UK_CORE}NHSNumberVerificationStatus", "valueCodeableConcept": {"coding": [concept]}}
    return {"system": NHS_NUMBER_SYSTEM, "value": number, "extension": [extension]}


def _name(key: str, index: int, name: HumanName) -> dict[str, Any]:
    return _filled(
        {
            "id": _object_id("name", key, index),
            "use": name.use if name.use in _NAME_USES else "usual",
            "period": _period(name.period),
            "given": list(name.given[:_MOST_GIVEN]),
            "family": name.family or name.text or "UNKNOWN",
            "prefix": list(name.prefix),
            "suffix": list(name.suffix),
        }
    )


def _address(key: str, index: int, address: Address) -> dict[str, Any]:
    lines = [text for text in (*address.line, address.city, address.district) if text]
    return _filled(
        {
            "id": _object_id("address", key, index),
            "use": address.use if address.use in _ADDRESS_USES else "home",
            "text": address.text if address.text in _ADDRESS_TEXTS else None,
            "period": _period(address.period),
            "line": lines[:_MOST_LINES],
            "postalCode": address.postal_code,
        }
    )


def _telecom(key: str, index: int, point: ContactPoint) -> dict[str, Any]:
    return _filled(
        {
            "id": _object_id("telecom", key, index),
            "period": _period(point.period),
            "system": point.system if point.system in _TELECOM_SYSTEMS else "other",
            "value": point.value or "not stated",
            "use": point.use if point.use in _TELECOM_USES else None,
        }
    )


def _emergencies(contacts: Iterable[RelatedPerson]) -> list[RelatedPerson]:
    return [contact for contact in contacts if contact.emergency_contact and contact.telecom]


def _emergency(number: str, index: int, contact: RelatedPerson) -> dict[str, Any]:
    # Contact.yaml: a number and a period, no name; the only relationship is C, Emergency Contact.
    coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0131", "code": "C", "display": "Emergency Contact"}
    telecom = [
        {name: value for name, value in _telecom(number, at, point).items() if name in ("system", "value")}
        for at, point in enumerate(contact.telecom)
    ]
    return _filled(
        {
            "id": _object_id("contact", number, index),
            "period": _period(contact.period),
            "relationship": [{"coding": [coding]}],
            "telecom": telecom,
        }
    )


def _coded(actors: Iterable[Actor]) -> list[Actor]:
    return [actor for actor in actors if actor.organization_code]


def _practice(number: str, actor: Actor) -> dict[str, Any]:
    identifier = {"system": ODS_ORGANIZATION_SYSTEM, "value": actor.organization_code}
    return {"id": _object_id("practice", number, 0), "type": "Organization", "identifier": identifier}


def _organization(actor: Actor | None) -> dict[str, Any] | None:
    if actor is None or not actor.organization_code:
        return None
    identifier = {"system": ODS_ORGANIZATION_SYSTEM, "value": actor.organization_code}
    return {"type": "Organization", "identifier": identifier}


def _extensions(patient: Patient) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for pharmacy in _coded(patient.nominated_pharmacy)[:1]:
        identifier = {"system": ODS_ORGANIZATION_SYSTEM, "value": pharmacy.organization_code}
        out.append({"url": f"{_UK_CORE}NominatedPharmacy", "valueReference": {"identifier": identifier}})
    if patient.death_notification and patient.death_notification.coding:
        status = {
            "url": "deathNotificationStatus",
            "valueCodeableConcept": {
                "coding": [
                    {"system": f"{_UK_CORE_CODES}DeathNotificationStatus", "version": "1.0.0"}
                    | _filled({"code": patient.death_notification.coding[0].code})
                ]
            },
        }
        notified: list[dict[str, Any]] = [status]
        if isinstance(patient.deceased, When) and patient.deceased.has_time:
            notified.append({"url": "systemEffectiveDate", "valueDateTime": _moment(patient.deceased)})
        out.append({"url": f"{_UK_CORE}DeathNotificationStatus", "extension": notified})
    for need in patient.communication[:1]:
        # Language.yaml: English must not be given as the preferred language.
        if need.language and need.language.coding and need.language.coding[0].code != "en":
            coding = need.language.coding[0]
            language = {"system": f"{_UK_CORE_CODES}HumanLanguage", "version": "1.0.0"}
            language |= _filled({"code": coding.code, "display": coding.display})
            parts: list[dict[str, Any]] = [{"url": "language", "valueCodeableConcept": {"coding": [language]}}]
            if need.interpreter_required is not None:
                parts.append({"url": "interpreterRequired", "valueBoolean": need.interpreter_required})
            out.append({"url": f"{_UK_CORE}NHSCommunication", "extension": parts})
    if patient.birth_place:
        place = _filled(
            {
                "city": patient.birth_place.city,
                "district": patient.birth_place.district,
                "country": patient.birth_place.country,
            }
        )
        out.append({"url": _LOCATING_EXTENSIONS[1], "valueAddress": place})
    return out


def _multiple_birth(patient: Patient) -> int | None:
    order = patient.multiple_birth
    return order if isinstance(order, int) and not isinstance(order, bool) else None


def _moment(when: When) -> str:
    """DeceasedDateTime.yaml: a date, or a date and time in UTC written with the offset +00:00."""
    if when.instant is None:
        return when.date_text
    return when.instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _period(period: Period | None) -> dict[str, Any] | None:
    if period is None or period.start is None:
        return None
    return _filled({"start": period.start.date_text, "end": period.end.date_text if period.end else None})


def _concept(concept: Concept) -> dict[str, Any]:
    codings = [
        _filled({"system": coding.system, "code": coding.code, "display": coding.display}) for coding in concept.coding
    ]
    return {"coding": codings}


def _object_id(kind: str, key: str, index: int) -> str:
    """PDS gives each name, address and number an opaque id, the same at every retrieval."""
    return f"{zlib.crc32(f'{kind}/{key}/{index}'.encode()):08X}"


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty: FHIR forbids empty values, and PDS leaves them out."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}
