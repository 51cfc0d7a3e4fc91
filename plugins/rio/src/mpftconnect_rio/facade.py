"""`rio-fhir`: RiO by a FHIR R4 facade. A *target*: what a trust would ask its supplier for, not what RiO is known to
offer. Any server that answers the searches below will do.

The caseload is FHIR's `EpisodeOfCare`: an association between a person and an organisation that takes some
responsibility for them while it lasts, which is just what an open referral to a team is. `Encounter` would be a
single contact, and `CareTeam` names who works together without saying that the service is responsible now.

Source: HL7 FHIR R4 (4.0.1), EpisodeOfCare (definition; search parameters `patient`, `status`); Search; Patient
(`identifier`, `link`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from mpftconnect.adapters import (
    AdapterContext,
    Auth,
    BearerToken,
    Found,
    Reading,
    SignedJwtAuth,
    Step,
    Verified,
    Wire,
)
from mpftconnect.adapters.fhir_r4 import capability_steps, items, search
from mpftconnect.errors import AnswerRejected, NotAnNhsNumber, UsageError, WrongPerson
from mpftconnect.fhir import read_resource
from mpftconnect.model import (
    NHS_NUMBER_SYSTEM,
    ODS_ORGANIZATION_SYSTEM,
    Identifier,
    NhsNumber,
    Patient,
    nhs_number,
)
from mpftconnect_rio.settings import RioFhirSettings

__all__ = ["RioFhirAdapter"]

# US Core and this SDK call a professional's note a DocumentReference of this category.
_NOTE = "clinical-note"
_NAMED = "Patient.identifier"


class RioFhirAdapter:
    """Reads one person from the facade."""

    def __init__(self, context: AdapterContext) -> None:
        self._settings: RioFhirSettings = context.settings
        self._auth = _auth(self._settings, context)

    # Who it is

    def find_patient(self, reading: Reading) -> Patient | None:
        """The person by current or superseded NHS number; None if RiO holds no such number.

        Raises:
            WrongPerson: The server gives somebody else.
            AnswerRejected: It gives several active patients of that number.
        """
        numbers = [number for number in (reading.nhs_number, *reading.former_numbers) if number]
        if not numbers:
            return None
        found = self._patients(reading, ",".join(f"{NHS_NUMBER_SYSTEM}|{number}" for number in numbers))
        for patient in found:
            if patient.nhs_number not in numbers:
                raise WrongPerson("the patient that came is not the one who was asked for", place=_NAMED)
        return self._one(found)

    def resolve_identifier(self, reading: Reading, identifier: Identifier) -> NhsNumber | None:
        """The NHS number of a local identifier; None if the server knows no such identifier, or no number to it."""
        if not (identifier.system and identifier.value) or "," in identifier.value:
            return None
        patient = self._one(self._patients(reading, f"{identifier.system}|{identifier.value}"))
        if patient is None:
            return None
        if not any((i.system, i.value) == (identifier.system, identifier.value) for i in patient.identifiers):
            raise WrongPerson("the patient that came is not the one who was asked for", place=_NAMED)
        try:
            return nhs_number(patient.nhs_number) if patient.nhs_number else None
        except NotAnNhsNumber as error:
            raise AnswerRejected(str(error), place=_NAMED) from None

    def verify_relationship(self, reading: Reading) -> Verified | None:
        """Whether an active episode of care joins the person to the user's organisation, or to the user."""
        who = reading.who
        if who.relationship not in ("caseload", "referral"):
            return None
        patient = reading.patient or self.find_patient(reading)
        if patient is None:
            return None
        found = search(self._signed(reading), "EpisodeOfCare", self._of(patient) | {"status": "active"})
        episodes = [each for each in found if isinstance(each, dict) and self._counts(each, patient)]
        if self._settings.caseload_by == "staff":
            if who.practitioner_id and any(_values(each, "careManager") & {who.practitioner_id} for each in episodes):
                return Verified("an active episode of care in RiO under this practitioner")
            return None
        if who.organisation == self._settings.organisation and any(
            who.organisation in _values(each, "managingOrganization", ODS_ORGANIZATION_SYSTEM) for each in episodes
        ):
            return Verified(f"an active episode of care in RiO under organisation {who.organisation}")
        return None

    def _counts(self, episode: Mapping[str, Any], patient: Patient) -> bool:
        types = episode.get("type")
        codes = {
            coding.get("code")
            for concept in (types if isinstance(types, list) else ())
            if isinstance(concept, Mapping)
            for coding in concept.get("coding") or ()
            if isinstance(coding, Mapping)
        }
        subject = episode.get("patient")
        pointer = subject.get("reference") if isinstance(subject, Mapping) else None
        return (
            episode.get("status") == "active"
            and isinstance(pointer, str)
            and "/".join(pointer.split("/")[-2:]) == patient.source.id
            and not codes & set(self._settings.teams_not_counted)
        )

    def _patients(self, reading: Reading, identifier: str) -> list[Patient]:
        found = []
        for resource in search(self._signed(reading), "Patient", {"identifier": identifier}):
            if not isinstance(resource, dict):
                continue
            id_ = resource.get("id")
            if not isinstance(id_, str) or not id_:
                raise AnswerRejected("the patient has no id", place="Patient.id")
            item = read_resource(resource, source=reading.source(f"Patient/{id_}"), zone=reading.zone)
            if not isinstance(item, Patient):
                raise AnswerRejected("a Patient is expected", place="resourceType")
            found.append(item)
        return found

    def _one(self, patients: list[Patient]) -> Patient | None:
        """The one that is in use. A patient that was merged into another says so by `active` or a link."""
        current = [patient for patient in patients if patient.active is not False and not patient.replaced_by]
        if len(current) > 1:
            raise AnswerRejected("several active patients have the identifier", place=_NAMED)
        return current[0] if current else None

    # What is known of them

    def read_care_plans(self, reading: Reading) -> Iterable[Found]:
        return self._items(reading, "CarePlan")

    def read_problems(self, reading: Reading) -> Iterable[Found]:
        return self._items(reading, "Condition")

    def read_medications(self, reading: Reading) -> Iterator[Found]:
        yield from self._items(reading, "MedicationStatement")
        yield from self._items(reading, "MedicationRequest")

    def read_allergies(self, reading: Reading) -> Iterable[Found]:
        return self._items(reading, "AllergyIntolerance")

    def read_results(self, reading: Reading) -> Iterable[Found]:
        return self._items(reading, "Observation")

    def read_reports(self, reading: Reading) -> Iterable[Found]:
        return self._items(reading, "DiagnosticReport")

    def read_documents(self, reading: Reading) -> Iterable[Found]:
        return self._items(reading, "DocumentReference", {"category:not": _NOTE})

    def read_notes(self, reading: Reading) -> Iterable[Found]:
        return self._items(reading, "DocumentReference", {"category": _NOTE})

    def read_encounters(self, reading: Reading) -> Iterable[Found]:
        return self._items(reading, "Encounter")

    def read_appointments(self, reading: Reading) -> Iterable[Found]:
        return self._items(reading, "Appointment")

    def read_referrals(self, reading: Reading) -> Iterable[Found]:
        return self._items(reading, "ServiceRequest")

    def read_alerts(self, reading: Reading) -> Iterable[Found]:
        return self._items(reading, "Flag")

    def read_care_team(self, reading: Reading) -> Iterable[Found]:
        return self._items(reading, "CareTeam")

    def read_contacts(self, reading: Reading) -> Iterable[Found]:
        return self._items(reading, "RelatedPerson")

    def read_legal_status(self, reading: Reading) -> Iterable[Found]:
        return self._items(reading, "Basic", {"code": "legal-status"})

    def read_consents(self, reading: Reading) -> Iterable[Found]:
        return self._items(reading, "Consent")

    def read_immunisations(self, reading: Reading) -> Iterable[Found]:
        return self._items(reading, "Immunization")

    def _items(self, reading: Reading, type_: str, params: Mapping[str, str] | None = None) -> Iterator[Found]:
        if reading.patient is None:
            raise UsageError("find_patient comes before any read")
        return items(self._signed(reading), type_, self._of(reading.patient) | dict(params or {}))

    def _of(self, patient: Patient) -> dict[str, str]:
        size = self._settings.page_size
        return {"patient": patient.source.id} | ({"_count": str(size)} if size else {})

    def _signed(self, reading: Reading) -> Reading:
        return replace(reading, wire=reading.wire.bound(auth=self._auth)) if self._auth else reading

    # Whether it works

    def check_connection(self, wire: Wire) -> Iterable[Step]:
        """The token, and the capability statement, which names nobody."""
        return capability_steps(wire.bound(auth=self._auth) if self._auth else wire)


def _auth(settings: RioFhirSettings, context: AdapterContext) -> Auth | None:
    if settings.auth == "bearer":
        return BearerToken(context.secret("token"))
    if settings.auth == "signed-jwt":
        return SignedJwtAuth(
            token_url=settings.token_url or "",
            api_key=context.secret("api_key"),
            kid=settings.key_id or "",
            private_key_pem=context.secret("private_key"),
            wire=context.wire,
        )
    return None


def _values(resource: Mapping[str, Any], element: str, system: str | None = None) -> set[str]:
    """The identifier of a reference, as a set of one or none."""
    reference = resource.get(element)
    identifier = reference.get("identifier") if isinstance(reference, Mapping) else None
    if not isinstance(identifier, Mapping) or (system is not None and identifier.get("system") != system):
        return set()
    value = identifier.get("value")
    return {value} if isinstance(value, str) and value else set()
