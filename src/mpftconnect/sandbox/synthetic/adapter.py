"""Reads the synthetic community record: a line for each section, since it speaks FHIR R4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from http import HTTPStatus

from mpftconnect.adapters import AdapterContext, Answer, BearerToken, Found, Reading, Refusal, Step, Trace, Wire
from mpftconnect.adapters.fhir_r4 import capability_steps, items, search
from mpftconnect.errors import AnswerRejected, TooManyMatches, UsageError
from mpftconnect.fhir import read_resource
from mpftconnect.model import NHS_NUMBER_SYSTEM, Demographics, Identifier, Item, NhsNumber, Patient, nhs_number

__all__ = ["SyntheticAdapter"]

_NOTE = "clinical-note"


class SyntheticAdapter:
    """One open synthetic system. Safe between threads: it holds its token and nothing else."""

    def __init__(self, context: AdapterContext) -> None:
        self._auth = BearerToken(context.secret("token"))

    # Who people are

    def find_patient(self, reading: Reading) -> Patient | None:
        for number in (reading.nhs_number, *reading.former_numbers):
            for found in list(self._search(reading, "Patient", {"identifier": f"{NHS_NUMBER_SYSTEM}|{number}"})):
                if isinstance(found, Refusal):
                    raise AnswerRejected(found.rule, place=found.place)
                if isinstance(found, Patient):
                    return found
        return None

    def trace_person(self, reading: Reading) -> Trace:
        answer = self._signed(reading).wire.get(f"tracing/Patient/{reading.nhs_number}", label="trace")
        if answer.status == HTTPStatus.NOT_FOUND and _says(answer, "not-found"):
            return Trace("not-found")
        if answer.status == HTTPStatus.GONE and _says(answer, "deleted"):
            return Trace("invalidated")
        patient = _patient(reading, answer.require_ok().json())
        # The answer to a superseded number names it among the former ones; whoever is not named is somebody else.
        if reading.nhs_number not in {i.value for i in patient.identifiers if i.is_nhs_number}:
            raise AnswerRejected("the person traced does not have the number that was asked for", place="identifier")
        return Trace("found", patient)

    def search_people(self, reading: Reading, demographics: Demographics) -> Iterable[Patient]:
        asked = {
            "family": demographics.family,
            "given": demographics.given[0] if demographics.given else None,
            "birthdate": demographics.birth_date.text if demographics.birth_date else None,
            "gender": demographics.gender,
            "address-postalcode": demographics.postal_code,
        }
        params = {name: value for name, value in asked.items() if value}
        if not params:
            raise UsageError("a search needs a family name, a birth date or a postcode")
        try:
            found = list(search(self._signed(reading), "Patient", params))
        except AnswerRejected as error:
            if error.rule == f"status {HTTPStatus.UNPROCESSABLE_ENTITY}":
                raise TooManyMatches("more people fit than may be shown: give more demographics") from None
            raise
        return [_patient(reading, each) for each in found if isinstance(each, dict)]

    def resolve_identifier(self, reading: Reading, identifier: Identifier) -> NhsNumber | None:
        asked = {"identifier": f"{identifier.system or ''}|{identifier.value or ''}"}
        found = [each for each in search(self._signed(reading), "Patient", asked) if isinstance(each, dict)]
        numbers = {_patient(reading, each).nhs_number for each in found}
        if len(numbers) > 1:
            raise AnswerRejected("the identifier belongs to several people", place="identifier")
        number = next(iter(numbers), None)
        return nhs_number(number) if number else None

    # What is known of them

    def read_care_plans(self, reading: Reading) -> Iterable[Found]:
        return self._of_patient(reading, "CarePlan")

    def read_problems(self, reading: Reading) -> Iterable[Found]:
        return self._of_patient(reading, "Condition")

    def read_medications(self, reading: Reading) -> Iterator[Found]:
        yield from self._of_patient(reading, "MedicationStatement")
        yield from self._of_patient(reading, "MedicationRequest")

    def read_allergies(self, reading: Reading) -> Iterable[Found]:
        return self._of_patient(reading, "AllergyIntolerance")

    def read_results(self, reading: Reading) -> Iterable[Found]:
        return self._of_patient(reading, "Observation")

    def read_reports(self, reading: Reading) -> Iterable[Found]:
        return self._of_patient(reading, "DiagnosticReport")

    def read_documents(self, reading: Reading) -> Iterable[Found]:
        return self._of_patient(reading, "DocumentReference", {"category:not": _NOTE})

    def read_encounters(self, reading: Reading) -> Iterable[Found]:
        return self._of_patient(reading, "Encounter")

    def read_notes(self, reading: Reading) -> Iterable[Found]:
        return self._of_patient(reading, "DocumentReference", {"category": _NOTE})

    def read_appointments(self, reading: Reading) -> Iterable[Found]:
        return self._of_patient(reading, "Appointment")

    def read_referrals(self, reading: Reading) -> Iterable[Found]:
        return self._of_patient(reading, "ServiceRequest")

    def read_alerts(self, reading: Reading) -> Iterable[Found]:
        return self._of_patient(reading, "Flag")

    def read_care_team(self, reading: Reading) -> Iterable[Found]:
        return self._of_patient(reading, "CareTeam")

    def read_contacts(self, reading: Reading) -> Iterable[Found]:
        return self._of_patient(reading, "RelatedPerson")

    def read_legal_status(self, reading: Reading) -> Iterable[Found]:
        return self._of_patient(reading, "Basic", {"code": "legal-status"})

    def read_consents(self, reading: Reading) -> Iterable[Found]:
        return self._of_patient(reading, "Consent")

    def read_immunisations(self, reading: Reading) -> Iterable[Found]:
        return self._of_patient(reading, "Immunization")

    # How it is asked

    def check_connection(self, wire: Wire) -> Iterator[Step]:
        return capability_steps(wire.bound(auth=self._auth))

    def _of_patient(self, reading: Reading, type_: str, params: dict[str, str] | None = None) -> Iterator[Found]:
        if reading.patient is None:
            raise UsageError("find_patient comes before any read")
        return self._search(reading, type_, {"patient": reading.patient.source.id, **(params or {})})

    def _search(self, reading: Reading, type_: str, params: dict[str, str]) -> Iterator[Found]:
        return items(self._signed(reading), type_, params)

    def _signed(self, reading: Reading) -> Reading:
        return replace(reading, wire=reading.wire.bound(auth=self._auth))


def _patient(reading: Reading, resource: dict[str, object]) -> Patient:
    item: Item = read_resource(resource, source=reading.source(f"Patient/{resource.get('id')}"), zone=reading.zone)
    if not isinstance(item, Patient):
        raise AnswerRejected("a Patient is expected", place="resourceType")
    return item


def _says(answer: Answer, code: str) -> bool:
    """Whether the answer is an OperationOutcome of that code: a status alone could be any proxy's."""
    body = answer.json()
    issues = body.get("issue") if isinstance(body, dict) and body.get("resourceType") == "OperationOutcome" else None
    return isinstance(issues, list) and any(isinstance(i, dict) and i.get("code") == code for i in issues)
