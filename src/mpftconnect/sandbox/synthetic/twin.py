"""Stands in for the synthetic community record: a FHIR R4 twin that also traces numbers and finds by demographics.

The parameters by which people are found are those of HL7 FHIR R4 (4.0.1), Patient; the limit of matches and the
operation that traces a number are assumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from mpftconnect.adapters import Fault, TwinRequest, TwinResponse, json_response
from mpftconnect.errors import NotAnNhsNumber
from mpftconnect.model import Identifier, nhs_number
from mpftconnect.sandbox.fhir_twin import FhirTwin, Refused, Resource, as_sent
from mpftconnect.sandbox.people import Person

__all__ = ["MOST_MATCHES", "SyntheticTwin"]

MOST_MATCHES = 5


class SyntheticTwin(FhirTwin):
    """Answers for the people that a system of that name holds; traces the numbers of all of them.

    Args:
        people: Whom it may know.
        system: Under which name of `Person.systems` its data stands.
    """

    patient_by = ("identifier", "family", "given", "birthdate", "gender", "address-postalcode")

    def __init__(self, people: Sequence[Person], system: str = "synthetic") -> None:
        super().__init__(people, system)
        self._people = tuple(people)

    def answer(self, path: list[str], request: TwinRequest) -> TwinResponse:
        match path:
            case ["tracing", "Patient", number]:
                return json_response(self._traced(number))
        return super().answer(path, request)

    def _traced(self, number: str) -> Resource:
        """The person of that number under the current one; whatever gives a place away is left out if restricted."""
        try:
            asked = nhs_number(number)
        except NotAnNhsNumber:
            raise Refused(HTTPStatus.BAD_REQUEST, "value", "not an NHS number") from None
        person = next((p for p in self._people if asked in (p.nhs_number, *p.former_numbers)), None)
        if person is None:
            raise Refused(HTTPStatus.NOT_FOUND, "not-found", "no person has this number")
        if any(view.settings.get("invalidated") for view in person.systems.values()):
            raise Refused(HTTPStatus.GONE, "deleted", "this number must not be used")
        if Fault.WRONG_PATIENT in self.faults:
            person = self.neighbour(person)
        patient = person.patient
        if patient.restriction in ("R", "V"):
            patient = patient.model_copy(update={"addresses": (), "telecom": (), "general_practitioner": ()})
        former = tuple(Identifier.nhs(old).model_copy(update={"use": "old"}) for old in person.former_numbers)
        return as_sent(patient.model_copy(update={"identifiers": (*patient.identifiers, *former)}))

    def matching(self, asked: Mapping[str, str]) -> list[Person]:
        found = super().matching(asked)
        if len(found) > MOST_MATCHES:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "too-costly", "too many people fit")
        return found

    def fits(self, person: Person, parameter: str, value: str) -> bool:
        if parameter == "identifier":
            return super().fits(person, parameter, value)
        patient = self.as_held(person)
        held: dict[str, list[str | None]] = {
            "family": [name.family for name in patient.names],
            "given": [given for name in patient.names for given in name.given],
            "birthdate": [patient.birth_date.text if patient.birth_date else None],
            "gender": [patient.gender],
            "address-postalcode": [address.postal_code for address in patient.addresses],
        }
        # FHIR R4, Search 3.1.1.4.7: a string matches by its beginning, whatever its case.
        wanted = "".join(value.split()).casefold()
        return any("".join((text or "").split()).casefold().startswith(wanted) for text in held[parameter])
