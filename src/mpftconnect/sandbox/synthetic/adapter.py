"""Reads the synthetic community record: FHIR R4 as it is, and tracing and searching in ways of its own."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from mpftconnect.adapters import AdapterContext, Answer, BearerToken, Reading, Trace
from mpftconnect.adapters.fhir_r4 import search
from mpftconnect.adapters.fhir_reads import FhirR4Sections
from mpftconnect.errors import AnswerRejected, TooManyMatches, UsageError
from mpftconnect.model import Demographics, Patient

__all__ = ["SyntheticAdapter"]


class SyntheticAdapter(FhirR4Sections):
    """One open synthetic system."""

    def __init__(self, context: AdapterContext) -> None:
        super().__init__(BearerToken(context.secret("token")))

    # Who people are

    def trace_person(self, reading: Reading) -> Trace:
        answer = self._signed(reading).wire.get(f"tracing/Patient/{reading.nhs_number}", label="trace")
        if answer.status == HTTPStatus.NOT_FOUND and _says(answer, "not-found"):
            return Trace("not-found")
        if answer.status == HTTPStatus.GONE and _says(answer, "deleted"):
            return Trace("invalidated")
        patient = self._as_patient(reading, answer.require_ok().json())
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
        return [self._as_patient(reading, each) for each in found if isinstance(each, dict)]


def _says(answer: Answer, code: str) -> bool:
    """Whether the answer is an OperationOutcome of that code: a status alone could be any proxy's."""
    body = answer.json()
    issues = body.get("issue") if isinstance(body, dict) and body.get("resourceType") == "OperationOutcome" else None
    return isinstance(issues, list) and any(isinstance(i, dict) and i.get("code") == code for i in issues)
