"""Stands in for the synthetic community record.

It answers as HL7 FHIR R4 (4.0.1) says a server does: RESTful API (`search-type`, `read`, `capabilities`), Search
(sections 3.1.1.4 token and reference parameters, 3.1.1.8 result Bundle and paging), OperationOutcome for errors. What
FHIR leaves to a server (bearer token, page size, how a number is traced) is assumed.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlencode

from mpftconnect.adapters import Fault, FaultSwitch, TwinRequest, TwinResponse, json_response
from mpftconnect.errors import NotAnNhsNumber
from mpftconnect.fhir import write_resource
from mpftconnect.model import Identifier, Item, Patient, nhs_number
from mpftconnect.sandbox.chart import placeholder
from mpftconnect.sandbox.people import Person

__all__ = ["LOCAL_ID_SYSTEM", "MOST_MATCHES", "PAGE_SIZE", "SyntheticTwin"]

PAGE_SIZE = 2  # small, so that every longer section comes in pages
MOST_MATCHES = 5
LOCAL_ID_SYSTEM = "https://mpftconnect.example/sandbox/id/synthetic"

_BASE = "/fhir/"
_DEMOGRAPHICS = ("family", "given", "birthdate", "gender", "address-postalcode")
# By which parameter each type is searched for a person's items, and by which else (FHIR R4, each resource's table of
# search parameters). `Basic` and `RelatedPerson` have `patient` as all others do.
_ALSO_BY = {"DocumentReference": "category", "Basic": "code"}


class _Refused(Exception):
    """A request that is answered with an OperationOutcome."""

    def __init__(self, status: HTTPStatus, code: str, words: str) -> None:
        self.status, self.code, self.words = status, code, words
        super().__init__(words)


@dataclass(frozen=True, slots=True)
class _Holding:
    """One person as this system holds them: their Patient and, by resource type, what else there is."""

    person: Person
    local_id: str
    patient: dict[str, Any]
    resources: Mapping[str, tuple[dict[str, Any], ...]]


class SyntheticTwin:
    """Answers for the people that a system of that name holds; traces the numbers of all of them.

    Args:
        people: Whom it may know.
        system: Under which name of `Person.systems` its data stands.
    """

    def __init__(self, people: Sequence[Person], system: str = "synthetic") -> None:
        self.faults = FaultSwitch()
        self.token = secrets.token_urlsafe(24)
        self._people = tuple(people)
        self._system = system
        self._held = {p.systems[system].local_id: p for p in self._people if system in p.systems}
        self._written: dict[str, _Holding] = {}
        self._lock = threading.Lock()

    def handle(self, request: TwinRequest) -> TwinResponse:
        try:
            response = self._answer(request)
        except _Refused as refused:
            issue = {"severity": "error", "code": refused.code, "diagnostics": refused.words}
            response = json_response({"resourceType": "OperationOutcome", "issue": [issue]}, int(refused.status))
        mirrored = {name: request.headers[name] for name in ("X-Request-ID",) if name in request.headers}
        return replace(response, headers={**response.headers, **mirrored})

    def _answer(self, request: TwinRequest) -> TwinResponse:
        if not request.path.startswith(_BASE):
            raise _Refused(HTTPStatus.NOT_FOUND, "not-found", "nothing is served at this address")
        if request.method != "GET":
            raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "not-supported", "only GET is offered")
        self._check_token(request.headers.get("Authorization", ""))
        match [unquote(part) for part in request.path.removeprefix(_BASE).split("/")]:
            case ["metadata"]:
                return json_response(self._capabilities())
            case ["tracing", "Patient", number]:
                return json_response(self._traced(number))
            case ["Patient"]:
                return self._patients(request)
            case ["Patient", local_id]:
                return json_response(self._holding(local_id).patient)
            case [type_] if type_ in _types():
                return self._items(type_, request)
            case _:
                raise _Refused(HTTPStatus.NOT_FOUND, "not-found", "no such resource type or operation")

    def _check_token(self, authorization: str) -> None:
        scheme, _, token = authorization.partition(" ")
        # RFC 6750, section 2.1. Compared in constant time, as a real one should be.
        good = scheme.casefold() == "bearer" and secrets.compare_digest(token.strip().encode(), self.token.encode())
        if not good or Fault.STALE_TOKEN in self.faults:
            raise _Refused(HTTPStatus.UNAUTHORIZED, "login", "the access token is missing, wrong or expired")

    def _capabilities(self) -> dict[str, Any]:
        types = ["Patient", *sorted(_types())]
        return {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": "2025-09-01",
            "kind": "instance",
            "implementation": {"description": "Synthetic community record: made-up people, no product"},
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json"],
            "rest": [
                {
                    "mode": "server",
                    "resource": [{"type": type_, "interaction": [{"code": "search-type"}]} for type_ in types],
                }
            ],
        }

    # Who people are

    def _traced(self, number: str) -> dict[str, Any]:
        """The person of that number under the current one; whatever gives a place away is left out if restricted."""
        try:
            asked = nhs_number(number)
        except NotAnNhsNumber:
            raise _Refused(HTTPStatus.BAD_REQUEST, "value", "not an NHS number") from None
        person = next((p for p in self._people if asked in (p.nhs_number, *p.former_numbers)), None)
        if person is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "not-found", "no person has this number")
        if any(view.settings.get("invalidated") for view in person.systems.values()):
            raise _Refused(HTTPStatus.GONE, "deleted", "this number must not be used")
        if Fault.WRONG_PATIENT in self.faults:
            person = self._neighbour(person)
        patient = person.patient
        if patient.restriction in ("R", "V"):
            patient = patient.model_copy(update={"addresses": (), "telecom": (), "general_practitioner": ()})
        former = tuple(Identifier.nhs(old).model_copy(update={"use": "old"}) for old in person.former_numbers)
        return _write(patient.model_copy(update={"identifiers": (*patient.identifiers, *former)}))

    def _neighbour(self, person: Person) -> Person:
        held = list(self._held.values())
        others = [other for other in held if other.nhs_number != person.nhs_number] or [person]
        return others[held.index(person) % len(others)] if person in held else others[0]

    def _patients(self, request: TwinRequest) -> TwinResponse:
        asked = self._parameters(request, "identifier", *_DEMOGRAPHICS)
        if not asked:
            raise _Refused(HTTPStatus.BAD_REQUEST, "required", "identifier or demographics are needed")
        found = [p for p in self._held.values() if all(self._fits(p, name, value) for name, value in asked.items())]
        if len(found) > MOST_MATCHES:
            raise _Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "too-costly", "too many people fit")
        if Fault.WRONG_PATIENT in self.faults:
            found = [self._neighbour(person) for person in found]
        resources = [self._holding(person.systems[self._system].local_id).patient for person in found]
        return self._bundle(resources, request)

    def _fits(self, person: Person, parameter: str, value: str) -> bool:
        patient = self._as_held(person)
        if parameter == "identifier":
            system, _, wanted = value.rpartition("|")
            return any(i.system == system and i.value == wanted for i in patient.identifiers)
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

    def _as_held(self, person: Person) -> Patient:
        """The person's demographics in this system's own words: its id, its number, no knowledge of restrictions."""
        local_id = person.systems[self._system].local_id
        patient = person.patient_at(self._system)
        own = Identifier(system=LOCAL_ID_SYSTEM, value=local_id)
        return patient.model_copy(
            update={
                "source": placeholder(f"Patient/{local_id}"),
                "identifiers": (*patient.identifiers, own),
                "restriction": None,
            }
        )

    # What it holds of them

    def _holding(self, local_id: str) -> _Holding:
        if local_id not in self._held:
            raise _Refused(HTTPStatus.NOT_FOUND, "not-found", "no such person here")
        with self._lock:
            if local_id not in self._written:
                self._written[local_id] = self._write(local_id)
            return self._written[local_id]

    def _write(self, local_id: str) -> _Holding:
        person = self._held[local_id]
        resources: dict[str, list[dict[str, Any]]] = {}
        for items in person.systems[self._system].items.values():
            for item in items:
                resource = _write(item)
                resources.setdefault(resource["resourceType"], []).append(resource)
        frozen = {type_: tuple(found) for type_, found in resources.items()}
        return _Holding(person, local_id, _write(self._as_held(person)), frozen)

    def _items(self, type_: str, request: TwinRequest) -> TwinResponse:
        also = _ALSO_BY.get(type_)
        names = [] if also is None else [also, f"{also}:not"]
        asked = self._parameters(request, "patient", *names)
        if "patient" not in asked:
            raise _Refused(HTTPStatus.BAD_REQUEST, "required", "patient is needed")
        holding = self._holding(asked.pop("patient").removeprefix("Patient/"))
        if Fault.WRONG_PATIENT in self.faults:
            holding = self._holding(self._neighbour(holding.person).systems[self._system].local_id)
        found = [
            resource
            for resource in holding.resources.get(type_, ())
            if all((value in _codes(resource, also)) is not name.endswith(":not") for name, value in asked.items())
        ]
        return self._bundle(found, request)

    def _parameters(self, request: TwinRequest, *known: str) -> dict[str, str]:
        """The search's parameters, without those that only steer the answer."""
        asked = dict(request.query)
        if len(asked) < len(request.query):
            raise _Refused(HTTPStatus.BAD_REQUEST, "not-supported", "a parameter is given twice")
        unknown = set(asked) - {*known, "_offset", "_format"}
        # FHIR R4, Search 3.1.1.3.3: a strict server may refuse a parameter that it does not know; silently ignoring
        # one would widen the search.
        if unknown:
            raise _Refused(HTTPStatus.BAD_REQUEST, "not-supported", "a parameter is not known here")
        return {name: value for name, value in asked.items() if name in known}

    def _bundle(self, found: Sequence[dict[str, Any]], request: TwinRequest) -> TwinResponse:
        """One page of a searchset (FHIR R4, Bundle; links as in RFC 5988)."""
        stated = request.first("_offset") or "0"
        if not (stated.isascii() and stated.isdigit() and len(stated) < 7):
            raise _Refused(HTTPStatus.BAD_REQUEST, "value", "_offset is not a number")
        offset = int(stated)
        page = found[offset : offset + PAGE_SIZE]
        following: int | None = offset + PAGE_SIZE
        if Fault.DROPPED_PAGE in self.faults:
            # The second page is left out; where there is but one page, that one comes empty.
            page = page if len(found) > PAGE_SIZE else []
            following = following + PAGE_SIZE if offset == 0 and following is not None else following
        if following is not None and following >= len(found):
            following = None
        if Fault.REPEATED_PAGE in self.faults:
            following = 0
        links = [{"relation": "self", "url": _link(request, offset)}]
        if following is not None:
            links.append({"relation": "next", "url": _link(request, following)})
        return json_response(
            {
                "resourceType": "Bundle",
                "type": "searchset",
                "total": len(found) + (3 if Fault.LYING_TOTAL in self.faults else 0),
                "link": links,
                "entry": [
                    {
                        "fullUrl": f"{request.base_url}{_BASE}{resource['resourceType']}/{resource['id']}",
                        "resource": resource,
                        "search": {"mode": "match"},
                    }
                    for resource in page
                ],
            }
        )


def _types() -> frozenset[str]:
    return frozenset(
        {
            *("AllergyIntolerance", "Appointment", "Basic", "CarePlan", "CareTeam", "Condition", "Consent"),
            *("DiagnosticReport", "DocumentReference", "Encounter", "Flag", "Immunization", "MedicationRequest"),
            *("MedicationStatement", "Observation", "RelatedPerson", "ServiceRequest"),
        }
    )


def _write(item: Item) -> dict[str, Any]:
    """The resource as a system of its own would send it: without the SDK's account of where it was read."""
    resource = write_resource(item)
    meta = {name: value for name, value in resource.pop("meta", {}).items() if name != "extension"}
    return {
        "resourceType": resource.pop("resourceType"),
        "id": item.source.id.rpartition("/")[2],
        **({"meta": meta} if meta else {}),
        **{name: value for name, value in resource.items() if name != "id"},
    }


def _codes(resource: Mapping[str, Any], element: str | None) -> set[str]:
    concepts = resource.get(element or "", [])
    concepts = concepts if isinstance(concepts, list) else [concepts]
    return {coding["code"] for concept in concepts for coding in concept.get("coding", []) if "code" in coding}


def _link(request: TwinRequest, offset: int) -> str:
    query = [(name, value) for name, value in request.query if name != "_offset"]
    return f"{request.base_url}{request.path}?{urlencode([*query, ('_offset', str(offset))])}"
