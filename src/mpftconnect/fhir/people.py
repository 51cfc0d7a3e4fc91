"""Patient, RelatedPerson, Practitioner, Organization and Location.

Sources: FHIR R4 (4.0.1), Administration; UK Core (STU3 sequence) extensions; PDS FHIR API, specification/components/
schemas/Patient.yaml and schemas/extensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mpftconnect.fhir import extensions as ext
from mpftconnect.fhir.codecs import DATE_TIME, FLAG, PARTIAL_DATE, TEXT, WHOLE, Codec, OneOf
from mpftconnect.fhir.datatypes import (
    ACTOR,
    ADDRESS,
    CONCEPT,
    CONTACT_POINT,
    HUMAN_NAME,
    IDENTIFIER,
    ORGANIZATION_ACTOR,
    PERIOD,
    REFERENCE,
)
from mpftconnect.fhir.fields import Choice, Ext, Extensions, ExtStruct, Field, First, Many, One, Struct
from mpftconnect.fhir.reading import Reading, Unreadable, join
from mpftconnect.fhir.resource import RECORDED, Resource
from mpftconnect.model import (
    ODS_ORGANIZATION_SYSTEM,
    CommunicationNeed,
    Concept,
    Identifier,
    Location,
    Organization,
    Patient,
    Practitioner,
    RelatedPerson,
    When,
)

__all__ = [
    "LOCATION",
    "ORGANIZATION",
    "PATIENT",
    "PATIENT_FIELDS",
    "PRACTITIONER",
    "RELATED_PERSON",
    "RELATED_PERSON_EXTENSIONS",
    "RELATED_PERSON_FIELDS",
    "DeathNotification",
    "NhsCommunication",
    "PatientResource",
    "RelatedPersonResource",
    "nhs_needs_from",
]


# --- communication needs ---------------------------------------------------------------------------------------

_COMMUNICATION: Final = Struct(
    CommunicationNeed,
    Extensions(
        Ext("interpreter_required", ext.INTERPRETER_REQUIRED, {"Boolean": FLAG}),
        Ext("note", ext.COMMUNICATION_NOTE, {"String": TEXT}),
    ),
    One("language", "language", CONCEPT, required=True),
    One("preferred", "preferred", FLAG),
)
# UK Core, Extension-UKCore-NHSCommunication: language, preferred and interpreterRequired. It is retired in the newest
# builds and is what PDS sends.
_NHS_COMMUNICATION: Final = ExtStruct(
    CommunicationNeed,
    Ext("language", "language", {"CodeableConcept": CONCEPT}),
    Ext("preferred", "preferred", {"Boolean": FLAG}),
    Ext("interpreter_required", "interpreterRequired", {"Boolean": FLAG}),
)


class _ContactPreference(Codec):
    """UK Core, Extension-UKCore-ContactPreference, as communication needs; kept as sent beside that."""

    primitive = False

    _MEANING: Final = {
        "PreferredContactMethod": "preferred contact method",
        "PreferredWrittenCommunicationFormat": "preferred written communication format",
        "PreferredContactTimes": "preferred contact times",
    }

    def read(self, raw: Any, path: str, ctx: Reading) -> tuple[CommunicationNeed, ...]:
        parts = raw.get("extension")
        if type(parts) is not list:
            raise Unreadable
        needs = []
        for part in parts:
            meaning = self._MEANING.get(str(part.get("url"))) if type(part) is dict else None
            if meaning is None:
                continue
            if type(part.get("valueString")) is str:
                needs.append(CommunicationNeed(note=f"{meaning}: {part['valueString']}"))
            elif type(part.get("valueCodeableConcept")) is dict:
                language = CONCEPT.read(part["valueCodeableConcept"], "", ctx.aside())
                needs.append(CommunicationNeed(language=language, note=meaning))
        if not needs:
            raise Unreadable
        ctx.keep(path, raw)
        return tuple(needs)


class _InterpreterRequired(Codec):
    """FHIR R4 extension patient-interpreterRequired, as a communication need; kept as sent beside that."""

    primitive = False

    def read(self, raw: Any, path: str, ctx: Reading) -> CommunicationNeed:
        required = raw.get("valueBoolean")
        if type(required) is not bool:
            raise Unreadable
        ctx.keep(path, raw)
        return CommunicationNeed(interpreter_required=required)


class NhsCommunication(Codec):
    """A need as UK Core's extension; kept as sent as well where it will not be written as one again."""

    primitive = False

    def read(self, raw: Any, path: str, ctx: Reading) -> CommunicationNeed:
        need: CommunicationNeed = _NHS_COMMUNICATION.read(raw, path, ctx)
        if not _fits_nhs_communication(need):
            ctx.keep(path, raw)
        return need

    def write(self, value: CommunicationNeed) -> dict[str, Any]:
        return _NHS_COMMUNICATION.write(value)


def _fits_nhs_communication(need: CommunicationNeed) -> bool:
    return need.language is not None and need.interpreter_required is not None and need.note is None


def nhs_needs_from(needs: tuple[CommunicationNeed, ...]) -> int:
    """From which need on UK Core's extension is used: it is read after `Patient.communication`."""
    index = len(needs)
    while index and _fits_nhs_communication(needs[index - 1]):
        index -= 1
    return index


# --- death -----------------------------------------------------------------------------------------------------


class DeathNotification(Codec):
    """The status of Extension-UKCore-DeathNotificationStatus; its date is kept as left over."""

    primitive = False
    _URL: Final = "deathNotificationStatus"

    def read(self, raw: Any, path: str, ctx: Reading) -> Concept:
        parts = raw.get("extension")
        if type(parts) is not list:
            raise Unreadable
        status: Concept | None = None
        for index, part in enumerate(parts):
            place = f"{path}.extension[{index}]"
            if (
                status is None
                and type(part) is dict
                and part.get("url") == self._URL
                and type(part.get("valueCodeableConcept")) is dict
            ):
                status = CONCEPT.read(part["valueCodeableConcept"], f"{place}.valueCodeableConcept", ctx)
                for key, value in part.items():
                    if key not in ("url", "valueCodeableConcept"):
                        ctx.keep(join(place, key), value)
            else:
                ctx.keep(place, part)
        if status is None:
            raise Unreadable
        for key, value in raw.items():
            if key not in ("url", "extension"):
                ctx.keep(join(path, key), value)
        return status

    def write(self, value: Concept) -> dict[str, Any]:
        return {"extension": [{"url": self._URL, "valueCodeableConcept": CONCEPT.write(value)}]}


class _ReplacedBy(Field):
    """`Patient.link` of type replaced-by; other links are kept."""

    keys = ("link",)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw = obj["link"]
        if type(raw) is not list:
            ctx.keep("link", raw)
            return
        found = []
        for index, link in enumerate(raw):
            place = f"link[{index}]"
            if type(link) is dict and link.get("type") == "replaced-by" and type(link.get("other")) is dict:
                found.append(REFERENCE.read(link["other"], f"{place}.other", ctx))
                for key, value in link.items():
                    if key not in ("type", "other"):
                        ctx.keep(join(place, key), value)
            else:
                ctx.keep(place, link)
        if found:
            into["replaced_by"] = tuple(found)

    def write(self, model: Patient, out: dict[str, Any]) -> None:
        if model.replaced_by:
            out["link"] = [{"other": REFERENCE.write(other), "type": "replaced-by"} for other in model.replaced_by]


class PatientResource(Resource):
    def finish(self, into: dict[str, Any], raw: Mapping[str, Any], path: str, ctx: Reading) -> None:
        preferences = [need for needs in into.pop("contact_preferences", ()) for need in needs]
        nhs = into.pop("communication_nhs", ())
        # In the order in which they will be written: those that fit UK Core's extension last.
        needs = (
            *into.pop("communication_native", ()),
            *into.pop("interpreter_needs", ()),
            *preferences,
            *(need for need in nhs if not _fits_nhs_communication(need)),
            *(need for need in nhs if _fits_nhs_communication(need)),
        )
        if needs:
            into["communication"] = needs


PATIENT_FIELDS: Final = (
    One("active", "active", FLAG),
    Many("names", "name", HUMAN_NAME),
    Many("telecom", "telecom", CONTACT_POINT),
    One("gender", "gender", TEXT),
    One("birth_date", "birthDate", PARTIAL_DATE),
    Choice("deceased", "deceased", {bool: ("Boolean", FLAG), When: ("DateTime", DATE_TIME)}),
    Many("addresses", "address", ADDRESS),
    One("marital_status", "maritalStatus", CONCEPT),
    Choice("multiple_birth", "multipleBirth", {bool: ("Boolean", FLAG), int: ("Integer", WHOLE)}),
    Many(
        "communication_native",
        "communication",
        _COMMUNICATION,
        get=lambda patient: patient.communication[: nhs_needs_from(patient.communication)],
    ),
    Many("general_practitioner", "generalPractitioner", ORGANIZATION_ACTOR),
    One("managing_organization", "managingOrganization", ORGANIZATION_ACTOR),
    _ReplacedBy(),
)
PATIENT: Final = PatientResource(
    "Patient",
    Patient,
    [Many("identifiers", "identifier", IDENTIFIER), *PATIENT_FIELDS],
    extensions=[
        Ext("ethnic_category", ext.ETHNIC_CATEGORY, {"CodeableConcept": CONCEPT}),
        Ext("death_notification", ext.DEATH_NOTIFICATION_STATUS, DeathNotification()),
        Ext("nominated_pharmacy", ext.NOMINATED_PHARMACY, {"Reference": ORGANIZATION_ACTOR}, many=True),
        Ext("birth_place", ext.BIRTH_PLACE, {"Address": ADDRESS}),
        Ext(
            "communication_nhs",
            ext.NHS_COMMUNICATION,
            NhsCommunication(),
            many=True,
            get=lambda patient: patient.communication[nhs_needs_from(patient.communication) :],
        ),
        Ext("contact_preferences", ext.CONTACT_PREFERENCE, _ContactPreference(), many=True, get=lambda _: ()),
        Ext("interpreter_needs", ext.PATIENT_INTERPRETER_REQUIRED, _InterpreterRequired(), many=True, get=lambda _: ()),
        Ext("reasonable_adjustments", ext.REASONABLE_ADJUSTMENT, {"CodeableConcept": CONCEPT}, many=True),
        RECORDED,
    ],
    confidential=True,
)


# --- related people --------------------------------------------------------------------------------------------

# HL7 v2 table 0131, Contact Role: C is Emergency Contact. PDS and UK Core use it as a relationship. The second name is
# the one of FHIR STU3.
_CONTACT_ROLES = ("http://terminology.hl7.org/CodeSystem/v2-0131", "http://hl7.org/fhir/v2/0131")


def _calls_in_emergency(relationship: tuple[Concept, ...]) -> bool | None:
    return True if any(kind.has(system, "C") for kind in relationship for system in _CONTACT_ROLES) else None


class RelatedPersonResource(Resource):
    def finish(self, into: dict[str, Any], raw: Mapping[str, Any], path: str, ctx: Reading) -> None:
        stated = into.pop("emergency_none_stated", None)
        derived = _calls_in_emergency(into.get("relationship", ()))
        if stated is not None and (derived is None or "emergency_contact" in into):
            ctx.keep("extension", [{"url": ext.NONE_STATED, "valueCode": stated}])  # says nothing here
        elif stated is None and derived is not None:
            into.setdefault("emergency_contact", derived)


def _differing_emergency_contact(person: RelatedPerson) -> bool | None:
    derived = _calls_in_emergency(person.relationship)
    return person.emergency_contact if person.emergency_contact != derived else None


RELATED_PERSON_FIELDS: Final = (
    One("active", "active", FLAG),
    One("reference", "patient", REFERENCE, required=True),
    Many("names", "name", HUMAN_NAME),
    Many("telecom", "telecom", CONTACT_POINT),
    One("gender", "gender", TEXT),
    One("birth_date", "birthDate", PARTIAL_DATE),
    Many("addresses", "address", ADDRESS),
    One("period", "period", PERIOD),
)
RELATED_PERSON_EXTENSIONS: Final = (
    Ext("emergency_contact", ext.EMERGENCY_CONTACT, {"Boolean": FLAG}, get=_differing_emergency_contact),
    Ext(
        "emergency_none_stated",
        ext.NONE_STATED,
        {"Code": OneOf(("emergency-contact",))},
        get=lambda person: (
            "emergency-contact"
            if person.emergency_contact is None and _calls_in_emergency(person.relationship)
            else None
        ),
    ),
    RECORDED,
)
RELATED_PERSON: Final = RelatedPersonResource(
    "RelatedPerson",
    RelatedPerson,
    [*RELATED_PERSON_FIELDS, Many("relationship", "relationship", CONCEPT)],
    extensions=RELATED_PERSON_EXTENSIONS,
)


# --- professionals and organisations ---------------------------------------------------------------------------

PRACTITIONER: Final = Resource(
    "Practitioner",
    Practitioner,
    [
        Many("identifiers", "identifier", IDENTIFIER),
        One("active", "active", FLAG),
        Many("names", "name", HUMAN_NAME),
        Many("telecom", "telecom", CONTACT_POINT),
    ],
    extensions=[
        Ext("role", ext.PRACTITIONER_ROLE, {"CodeableConcept": CONCEPT}),
        Ext("organization", ext.PRACTITIONER_ORGANIZATION, {"Reference": ACTOR}),
        RECORDED,
    ],
)


def _is_ods(identifier: Any) -> bool:
    return (
        type(identifier) is dict
        and identifier.get("system") == ODS_ORGANIZATION_SYSTEM
        and type(identifier.get("value")) is str
    )


class _OrganizationIdentifiers(Field):
    """`Organization.identifier`: the first ODS code becomes `ods_code`, the others stay identifiers."""

    keys = ("identifier",)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw = obj["identifier"]
        if type(raw) is not list:
            ctx.keep("identifier", raw)
            return
        identifiers: list[Identifier] = []
        for index, part in enumerate(raw):
            place = f"identifier[{index}]"
            if _is_ods(part) and "ods_code" not in into and not into.get("no_ods_code"):
                into["ods_code"] = part["value"]
                for key, value in part.items():
                    if key not in ("system", "value"):
                        ctx.keep(join(place, key), value)
            elif type(part) is dict:
                identifiers.append(IDENTIFIER.read(part, place, ctx))
            else:
                ctx.keep(place, part)
        if identifiers:
            into["identifiers"] = tuple(identifiers)

    def write(self, model: Organization, out: dict[str, Any]) -> None:
        identifiers = [IDENTIFIER.write(identifier) for identifier in model.identifiers]
        if model.ods_code is not None:
            identifiers.insert(0, {"system": ODS_ORGANIZATION_SYSTEM, "value": model.ods_code})
        if identifiers:
            out["identifier"] = identifiers


def _has_unread_ods(organization: Organization) -> bool | None:
    """Whether an identifier would be read as the ODS code although the item states none."""
    unread = any(i.system == ODS_ORGANIZATION_SYSTEM and i.value is not None for i in organization.identifiers)
    return True if organization.ods_code is None and unread else None


class _OrganizationResource(Resource):
    def read_fields(self, raw: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        # Extensions first: whether there is no ODS code must be known before the identifiers are read.
        ordered = {key: raw[key] for key in ("extension",) if key in raw} | dict(raw)
        super().read_fields(ordered, path, ctx, into)

    def finish(self, into: dict[str, Any], raw: Mapping[str, Any], path: str, ctx: Reading) -> None:
        into.pop("no_ods_code", None)


ORGANIZATION: Final = _OrganizationResource(
    "Organization",
    Organization,
    [
        _OrganizationIdentifiers(),
        One("active", "active", FLAG),
        First("type", "type", CONCEPT),
        One("name", "name", TEXT),
        Many("telecom", "telecom", CONTACT_POINT),
        Many("address", "address", ADDRESS),
    ],
    extensions=[Ext("no_ods_code", ext.NO_ODS_CODE, {"Boolean": FLAG}, get=_has_unread_ods), RECORDED],
)
LOCATION: Final = Resource(
    "Location",
    Location,
    [
        Many("identifiers", "identifier", IDENTIFIER),
        One("status", "status", TEXT),
        One("name", "name", TEXT),
        One("description", "description", TEXT),
        First("type", "type", CONCEPT),
        Many("telecom", "telecom", CONTACT_POINT),
        One("address", "address", ADDRESS),
        One("organization", "managingOrganization", ORGANIZATION_ACTOR),
    ],
    extensions=[RECORDED],
)
