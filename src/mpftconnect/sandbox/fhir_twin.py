"""A twin that speaks FHIR R4: a bearer token, searches by patient, small pages, and the faults that only it can know.

It answers as HL7 FHIR R4 (4.0.1) says a server does: RESTful API (`search-type`, `read`, `capabilities`); Search
(section 3.1.1.3 parameters and errors, section 3.1.1.4 token and reference parameters, the modifier `:not`, `_count`,
section 3.1.1.8 result Bundle and paging); OperationOutcome for errors. What FHIR leaves to a server (bearer token,
page size) is assumed.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlencode

from mpftconnect.adapters import Fault, FaultSwitch, TwinRequest, TwinResponse, json_response
from mpftconnect.fhir import write_resource
from mpftconnect.model import Identifier, Item, Patient
from mpftconnect.sandbox.chart import placeholder
from mpftconnect.sandbox.people import Person

__all__ = ["FhirTwin", "Refused", "Resource", "as_sent"]

Resource = dict[str, Any]

_TYPES = (
    *("AllergyIntolerance", "Appointment", "Basic", "CarePlan", "CareTeam", "Condition", "Consent"),
    *("DiagnosticReport", "DocumentReference", "Encounter", "Flag", "Immunization", "MedicationRequest"),
    *("MedicationStatement", "Observation", "RelatedPerson", "ServiceRequest"),
)


class Refused(Exception):
    """A request that is answered with an OperationOutcome."""

    def __init__(self, status: HTTPStatus, code: str, words: str) -> None:
        self.status, self.code, self.words = status, code, words
        super().__init__(words)


class FhirTwin:
    """Answers for the people of whom a system holds something, with what it holds of them.

    A server of its own ways is a subclass: it states them in the attributes below, serves more in `answer`, knows more
    of people in `fits` and holds more than their items in `resources_of`.

    Args:
        people: Whom it may know.
        system: Under which name of `Person.systems` its data stands.

    >>> from mpftconnect.sandbox import PEOPLE
    >>> twin = FhirTwin(PEOPLE, "synthetic")
    >>> twin.handle(TwinRequest.of("GET", "/fhir/metadata", {"Authorization": f"Bearer {twin.token}"})).status
    200
    """

    base_path = "/fhir/"
    methods: tuple[str, ...] = ("GET",)  # one that offers more answers them in `answer`
    page_size = 2  # however many more `_count` asks for: small, so that every longer section comes in pages
    local_id_system = "https://mpftconnect.example/sandbox/id/synthetic"
    patient_by: tuple[str, ...] = ("identifier",)
    # By which parameter, besides `patient`, each type is searched (FHIR R4, each resource's table of search
    # parameters). `Basic` and `RelatedPerson` have `patient` as all others do.
    also_by: Mapping[str, str] = {"DocumentReference": "category", "Basic": "code"}
    # What it has of people and lets be searched; its capability statement says so.
    types: tuple[str, ...] = _TYPES

    def __init__(self, people: Sequence[Person], system: str) -> None:
        self.faults = FaultSwitch()
        self.token = secrets.token_urlsafe(24)
        self.held = {p.systems[system].local_id: p for p in people if system in p.systems}
        self._system = system
        self._written: dict[str, dict[str, list[Resource]]] = {}
        self._lock = threading.Lock()

    def handle(self, request: TwinRequest) -> TwinResponse:
        try:
            response = self._admit(request)
        except Refused as refused:
            issue = {"severity": "error", "code": refused.code, "diagnostics": refused.words}
            outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
            # RFC 6750, section 3: whoever is refused for the token is told so in this header too.
            told = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            headers = told if refused.status is HTTPStatus.UNAUTHORIZED else None
            response = json_response(outcome, int(refused.status), headers)
        mirrored = {name: request.headers[name] for name in ("X-Request-ID",) if name in request.headers}
        return replace(response, headers={**response.headers, **mirrored})

    def _admit(self, request: TwinRequest) -> TwinResponse:
        if not request.path.startswith(self.base_path):
            raise Refused(HTTPStatus.NOT_FOUND, "not-found", "nothing is served at this address")
        if request.method not in self.methods:
            raise Refused(
                HTTPStatus.METHOD_NOT_ALLOWED, "not-supported", f"only {' and '.join(self.methods)} is offered"
            )
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        # RFC 6750, section 2.1. Compared in constant time, as a real one should be.
        good = scheme.casefold() == "bearer" and secrets.compare_digest(token.strip().encode(), self.token.encode())
        if not good or Fault.STALE_TOKEN in self.faults:
            raise Refused(HTTPStatus.UNAUTHORIZED, "login", "the access token is missing, wrong or expired")
        return self.answer([unquote(part) for part in request.path.removeprefix(self.base_path).split("/")], request)

    def answer(self, path: list[str], request: TwinRequest) -> TwinResponse:
        """The answer to a request that was let in.

        Args:
            path: What follows the base path, in its parts.
        Raises:
            Refused: There is none, and why.
        """
        match path:
            case ["metadata"]:
                return json_response(self._capabilities())
            case ["Patient"]:
                return self._patients(request)
            case ["Patient", local_id]:
                return json_response(self._patient(self._known(local_id)))
            case [type_] if type_ in self._searched:
                return self._items(type_, request)
        raise Refused(HTTPStatus.NOT_FOUND, "not-found", "no such resource type or operation")

    @property
    def _searched(self) -> set[str]:
        return {*self.types, *self.also_by}

    def _capabilities(self) -> Resource:
        types = ["Patient", *sorted(self._searched)]
        searched = [{"type": type_, "interaction": [{"code": "search-type"}]} for type_ in types]
        return {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": "2025-09-01",
            "kind": "instance",
            "implementation": {"description": f"Twin of the system {self._system}: made-up people, no product"},
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json"],
            "rest": [{"mode": "server", "resource": searched}],
        }

    # Who people are

    def _patients(self, request: TwinRequest) -> TwinResponse:
        asked = _parameters(request, *self.patient_by)
        if not asked:
            raise Refused(HTTPStatus.BAD_REQUEST, "required", f"one of {', '.join(self.patient_by)} is needed")
        found = self.matching(asked)
        if Fault.WRONG_PATIENT in self.faults:
            found = [self.neighbour(person) for person in found]
        return self._bundle([self._patient(person) for person in found], request)

    def matching(self, asked: Mapping[str, str]) -> list[Person]:
        """Whom a search by these parameters, which are among `patient_by`, finds."""
        return [p for p in self.held.values() if all(self.fits(p, name, value) for name, value in asked.items())]

    def fits(self, person: Person, parameter: str, value: str) -> bool:
        """Whether the person is one whom this parameter, one of `patient_by`, finds; here always `identifier`."""
        wanted = {tuple(each.rpartition("|")[::2]) for each in value.split(",")}
        return any((i.system, i.value) in wanted for i in self.as_held(person).identifiers)

    def as_held(self, person: Person) -> Patient:
        """The person's demographics in this system's own words: its id, its number, no knowledge of restrictions,
        which only a tracing service has.
        """
        local_id = person.systems[self._system].local_id
        patient = person.patient_at(self._system)
        own = Identifier(system=self.local_id_system, value=local_id, use="secondary")
        return patient.model_copy(
            update={
                "source": placeholder(f"Patient/{local_id}"),
                "identifiers": (*patient.identifiers, own),
                "restriction": None,
            }
        )

    def neighbour(self, person: Person) -> Person:
        """Somebody else, always the same; the person themselves where nobody else is held."""
        held = list(self.held.values())
        others = [other for other in held if other.nhs_number != person.nhs_number] or [person]
        return others[held.index(person) % len(others)] if person in held else others[0]

    # What it holds of them

    def resources_of(self, person: Person) -> Iterator[Resource]:
        """All that it holds of the person: Patient and the rest, asked for once."""
        yield as_sent(self.as_held(person))
        for items in person.systems[self._system].items.values():
            yield from map(as_sent, items)

    def _known(self, local_id: str) -> Person:
        if local_id not in self.held:
            raise Refused(HTTPStatus.NOT_FOUND, "not-found", "no such person here")
        return self.held[local_id]

    def _patient(self, person: Person) -> Resource:
        return self._resources(person, "Patient")[0]

    def _resources(self, person: Person, type_: str) -> list[Resource]:
        local_id = person.systems[self._system].local_id
        with self._lock:
            if local_id not in self._written:
                written: dict[str, list[Resource]] = {}
                for resource in self.resources_of(person):
                    written.setdefault(resource["resourceType"], []).append(resource)
                self._written[local_id] = written
            return self._written[local_id].get(type_, [])

    def _items(self, type_: str, request: TwinRequest) -> TwinResponse:
        also = self.also_by.get(type_)
        asked = _parameters(request, "patient", *(() if also is None else (also, f"{also}:not")))
        if "patient" not in asked:
            raise Refused(HTTPStatus.BAD_REQUEST, "required", "patient is needed")
        person = self._known(asked.pop("patient").removeprefix("Patient/"))
        if Fault.WRONG_PATIENT in self.faults:
            person = self.neighbour(person)
        found = [
            resource
            for resource in self._resources(person, type_)
            if all((value in _codes(resource, also)) is not name.endswith(":not") for name, value in asked.items())
        ]
        return self._bundle(found, request)

    def _bundle(self, found: Sequence[Resource], request: TwinRequest) -> TwinResponse:
        """One page of a searchset (FHIR R4, Bundle; links as in RFC 5988)."""
        size = max(1, min(_number(request, "_count", self.page_size), self.page_size))
        offset = _number(request, "_offset", 0)
        page, following = found[offset : offset + size], offset + size
        if Fault.DROPPED_PAGE in self.faults:
            # The second page is left out; where there is but one page, that one comes empty.
            page = page if len(found) > size else []
            following += size if offset == 0 else 0
        if Fault.REPEATED_PAGE in self.faults:
            following = 0
        links = [{"relation": "self", "url": _link(request, offset)}]
        if following < len(found) or Fault.REPEATED_PAGE in self.faults:
            links.append({"relation": "next", "url": _link(request, following)})
        base_url = f"{request.base_url}{self.base_path}"
        return json_response(
            {
                "resourceType": "Bundle",
                "type": "searchset",
                "total": len(found) + (3 if Fault.LYING_TOTAL in self.faults else 0),
                "link": links,
                "entry": [
                    {
                        "fullUrl": f"{base_url}{resource['resourceType']}/{resource['id']}",
                        "resource": resource,
                        "search": {"mode": "match"},
                    }
                    for resource in page
                ],
            }
        )


def as_sent(item: Item) -> Resource:
    """The resource as a system of its own would send it: without the SDK's account of where it was read."""
    resource = write_resource(item)
    meta = {name: value for name, value in resource.pop("meta", {}).items() if name != "extension"}
    return {
        "resourceType": resource.pop("resourceType"),
        "id": item.source.id.rpartition("/")[2],
        **({"meta": meta} if meta else {}),
        **{name: value for name, value in resource.items() if name != "id"},
    }


def _parameters(request: TwinRequest, *known: str) -> dict[str, str]:
    """The search's parameters, without those that only steer the answer."""
    asked = dict(request.query)
    if len(asked) < len(request.query):
        raise Refused(HTTPStatus.BAD_REQUEST, "not-supported", "a parameter is given twice")
    # FHIR R4, Search 3.1.1.3.3: a strict server may refuse a parameter that it does not know; silently ignoring one
    # would widen the search.
    if set(asked) - {*known, "_count", "_offset", "_format"}:
        raise Refused(HTTPStatus.BAD_REQUEST, "not-supported", "a parameter is not known here")
    return {name: value for name, value in asked.items() if name in known}


def _number(request: TwinRequest, parameter: str, default: int) -> int:
    text = request.first(parameter)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise Refused(HTTPStatus.BAD_REQUEST, "value", f"{parameter} is not a number")
    return int(text)


def _codes(resource: Resource, element: str | None) -> set[str]:
    """What a token search compares: the codes of concepts, or a code that stands by itself."""
    held = resource.get(element or "", [])
    if isinstance(held, str):
        return {held}
    concepts = held if isinstance(held, list) else [held]
    return {coding["code"] for concept in concepts for coding in concept.get("coding", []) if "code" in coding}


def _link(request: TwinRequest, offset: int) -> str:
    query = [(name, value) for name, value in request.query if name != "_offset"]
    return f"{request.base_url}{request.path}?{urlencode([*query, ('_offset', str(offset))])}"
