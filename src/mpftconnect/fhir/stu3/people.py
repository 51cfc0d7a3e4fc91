"""Patient, RelatedPerson and PractitionerRole of FHIR STU3; Practitioner, Organization and Location are as in R4.

Element names and cardinalities: HL7 FHIR STU3 (3.0.2), the page of each resource. Extensions: Care Connect and GP
Connect 1.x, CareConnect-GPC-Patient-1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mpftconnect.fhir.codecs import FLAG, TEXT
from mpftconnect.fhir.datatypes import (
    ADDRESS,
    CONCEPT,
    CONTACT_POINT,
    HUMAN_NAME,
    IDENTIFIER,
    ORGANIZATION_ACTOR,
    WORDS,
    VerificationStatus,
)
from mpftconnect.fhir.fields import Extensions, Field, First, Head, Many, One, Struct
from mpftconnect.fhir.people import (
    PATIENT_FIELDS,
    RELATED_PERSON_EXTENSIONS,
    RELATED_PERSON_FIELDS,
    NhsCommunication,
    PatientResource,
    RelatedPersonResource,
    nhs_needs_from,
)
from mpftconnect.fhir.reading import Reading
from mpftconnect.fhir.resource import RECORDED, Resource
from mpftconnect.fhir.stu3 import urls
from mpftconnect.fhir.stu3.elements import under
from mpftconnect.model import CommunicationNeed, HumanName, Identifier, Patient, Practitioner, RelatedPerson

__all__ = ["PATIENT", "PRACTITIONER_ROLE", "RELATED_PERSON"]

# Care Connect, CodeSystem CareConnect-NHSNumberVerificationStatus-1: 01 to 08, as the English list of UK Core.
_VERIFICATION: Final = "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-NHSNumberVerificationStatus-1"
_VERIFICATION_SYSTEMS: Final = (
    _VERIFICATION,
    "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-NHSNumberVerificationStatus-1",
    "https://fhir.hl7.org.uk/CareConnect-NHSNumberVerificationStatus-1",
)
_IDENTIFIER: Final = Struct(
    Identifier,
    Extensions(
        *under(
            urls.NHS_NUMBER_VERIFICATION_STATUS,
            "verification_status",
            {"CodeableConcept": VerificationStatus(_VERIFICATION_SYSTEMS, _VERIFICATION)},
        )
    ),
    One("use", "use", TEXT),
    One("type", "type", WORDS),
    One("system", "system", TEXT),
    One("value", "value", TEXT),
)


def _nhs_needs(patient: Patient) -> tuple[CommunicationNeed, ...]:
    return patient.communication[nhs_needs_from(patient.communication) :]


PATIENT: Final = PatientResource(
    "Patient",
    Patient,
    [Many("identifiers", "identifier", _IDENTIFIER), *PATIENT_FIELDS],
    extensions=[
        *under(urls.ETHNIC_CATEGORY, "ethnic_category", {"CodeableConcept": CONCEPT}),
        *under(urls.DEATH_NOTIFICATION_STATUS, "death_notification", {"CodeableConcept": CONCEPT}),
        *under(urls.NOMINATED_PHARMACY, "nominated_pharmacy", {"Reference": ORGANIZATION_ACTOR}, many=True),
        *under(urls.BIRTH_PLACE, "birth_place", {"Address": ADDRESS}),
        *under(urls.NHS_COMMUNICATION, "communication_nhs", NhsCommunication(), many=True, get=_nhs_needs),
        RECORDED,
    ],
    confidential=True,
)

RELATED_PERSON: Final = RelatedPersonResource(
    "RelatedPerson",
    RelatedPerson,
    [*RELATED_PERSON_FIELDS, Head("relationship", "relationship", CONCEPT)],
    extensions=RELATED_PERSON_EXTENSIONS,
)


class _Person(Field):
    """`practitioner`: the person in the role, whose name is looked up; kept as sent."""

    keys = ("practitioner",)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw = obj["practitioner"]
        ctx.keep("practitioner", raw)
        if type(raw) is not dict:
            return
        reference = raw.get("reference")
        found = ctx.resolve(reference) if type(reference) is str else None
        names = found.get("name") if found else None
        read = [HUMAN_NAME.read(name, "", ctx.aside()) for name in names or () if type(name) is dict]
        if not read and type(raw.get("display")) is str:
            read = [HumanName(text=raw["display"])]
        if read:
            into["names"] = tuple(read)

    def write(self, model: Practitioner, out: dict[str, Any]) -> None:
        pass


PRACTITIONER_ROLE: Final = Resource(
    "PractitionerRole",
    Practitioner,
    [
        Many("identifiers", "identifier", IDENTIFIER),
        One("active", "active", FLAG),
        _Person(),
        One("organization", "organization", ORGANIZATION_ACTOR),
        First("role", "code", CONCEPT),
        Many("telecom", "telecom", CONTACT_POINT),
    ],
    extensions=[RECORDED],
)
