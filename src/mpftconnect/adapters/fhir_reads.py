"""Finds a person on any FHIR R4 server and reads their sections: what adapters of such servers have in common.

An adapter of a server of its own ways is a subclass. `FhirR4Reads` finds people and reads a section by name;
`FhirR4Sections` has the read methods of every section as well, for servers that offer them all.

Source: HL7 FHIR R4 (4.0.1), Patient (`identifier`, `active`, `link`); each resource's search parameter `patient`;
Search 3.1.1.4.10 (several values), DocumentReference (`category`), Basic (`code`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from mpftconnect.adapters.auth import Auth
from mpftconnect.adapters.contract import Found, Reading, Step
from mpftconnect.adapters.fhir_r4 import capability_steps, items, search
from mpftconnect.adapters.wire import Wire
from mpftconnect.errors import AnswerRejected, NotAnNhsNumber, UsageError, WrongPerson
from mpftconnect.fhir import read_resource
from mpftconnect.model import (
    NHS_NUMBER_SYSTEM,
    Identifier,
    NhsNumber,
    Patient,
    SectionName,
    nhs_number,
)

__all__ = ["SEARCHES", "FhirR4Reads", "FhirR4Sections"]

# US Core and this SDK call a professional's note a DocumentReference of this category.
_NOTE = "clinical-note"
_NAMED = "Patient.identifier"

# By which searches, beside the patient, each section is read. R4 has no resource for a legal status.
SEARCHES: Mapping[SectionName, tuple[tuple[str, Mapping[str, str]], ...]] = {
    SectionName.CARE_PLANS: (("CarePlan", {}),),
    SectionName.PROBLEMS: (("Condition", {}),),
    SectionName.MEDICATIONS: (("MedicationStatement", {}), ("MedicationRequest", {})),
    SectionName.ALLERGIES: (("AllergyIntolerance", {}),),
    SectionName.RESULTS: (("Observation", {}),),
    SectionName.REPORTS: (("DiagnosticReport", {}),),
    SectionName.DOCUMENTS: (("DocumentReference", {"category:not": _NOTE}),),
    SectionName.NOTES: (("DocumentReference", {"category": _NOTE}),),
    SectionName.ENCOUNTERS: (("Encounter", {}),),
    SectionName.APPOINTMENTS: (("Appointment", {}),),
    SectionName.REFERRALS: (("ServiceRequest", {}),),
    SectionName.ALERTS: (("Flag", {}),),
    SectionName.CARE_TEAM: (("CareTeam", {}),),
    SectionName.CONTACTS: (("RelatedPerson", {}),),
    SectionName.LEGAL_STATUS: (("Basic", {"code": "legal-status"}),),
    SectionName.CONSENTS: (("Consent", {}),),
    SectionName.IMMUNISATIONS: (("Immunization", {}),),
}


class FhirR4Reads:
    """One open FHIR R4 server. Safe between threads: it holds its credentials and nothing else.

    Args:
        auth: Credentials of every request; None for none.
        page_size: `_count` of every search for a section; the server's own choice if None.
    """

    def __init__(self, auth: Auth | None, page_size: int | None = None) -> None:
        self._auth, self._page_size = auth, page_size

    # Who it is

    def find_patient(self, reading: Reading) -> Patient | None:
        """The person by current or superseded NHS number; None if the server holds no such number.

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

    def _patients(self, reading: Reading, identifier: str) -> list[Patient]:
        found = search(self._signed(reading), "Patient", {"identifier": identifier})
        return [self._as_patient(reading, resource) for resource in found if isinstance(resource, dict)]

    def _as_patient(self, reading: Reading, resource: Any) -> Patient:
        id_ = resource.get("id") if isinstance(resource, Mapping) else None
        if not isinstance(id_, str) or not id_:
            raise AnswerRejected("the patient has no id", place="Patient.id")
        item = read_resource(dict(resource), source=reading.source(f"Patient/{id_}"), zone=reading.zone)
        if not isinstance(item, Patient):
            raise AnswerRejected("a Patient is expected", place="resourceType")
        return item

    def _one(self, patients: list[Patient]) -> Patient | None:
        """The one that is in use. A patient that was merged into another says so by `active` or a link."""
        current = [patient for patient in patients if patient.active is not False and not patient.replaced_by]
        if len(current) > 1:
            raise AnswerRejected("several active patients have the identifier", place=_NAMED)
        return current[0] if current else None

    # What is known of them

    def _section(self, reading: Reading, name: SectionName) -> Iterator[Found]:
        """All that the server has of the section."""
        for type_, params in SEARCHES[name]:
            yield from self._items(reading, type_, params)

    def _items(self, reading: Reading, type_: str, params: Mapping[str, str]) -> Iterator[Found]:
        if reading.patient is None:
            raise UsageError("find_patient comes before any read")
        return items(self._signed(reading), type_, self._of(reading.patient) | dict(params))

    def _of(self, patient: Patient) -> dict[str, str]:
        size = self._page_size
        return {"patient": patient.source.id} | ({"_count": str(size)} if size else {})

    def _signed(self, reading: Reading) -> Reading:
        return replace(reading, wire=reading.wire.bound(auth=self._auth)) if self._auth else reading

    # Whether it works

    def check_connection(self, wire: Wire) -> Iterable[Step]:
        """The token, and the capability statement, which names nobody."""
        return capability_steps(wire.bound(auth=self._auth) if self._auth else wire)


class FhirR4Sections(FhirR4Reads):
    """A server that offers every section."""

    def read_care_plans(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.CARE_PLANS)

    def read_problems(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.PROBLEMS)

    def read_medications(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.MEDICATIONS)

    def read_allergies(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.ALLERGIES)

    def read_results(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.RESULTS)

    def read_reports(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.REPORTS)

    def read_documents(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.DOCUMENTS)

    def read_notes(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.NOTES)

    def read_encounters(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.ENCOUNTERS)

    def read_appointments(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.APPOINTMENTS)

    def read_referrals(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.REFERRALS)

    def read_alerts(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.ALERTS)

    def read_care_team(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.CARE_TEAM)

    def read_contacts(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.CONTACTS)

    def read_legal_status(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.LEGAL_STATUS)

    def read_consents(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.CONSENTS)

    def read_immunisations(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.IMMUNISATIONS)
