"""The twin of a RiO behind a FHIR R4 facade: bearer token, searches by patient, small pages.

Assumed: nobody has published such a facade. It answers as HL7 FHIR R4 (4.0.1) says: RESTful API (`search-type`,
`read`, `capabilities`); Search, token and reference parameters and the modifier `:not`; Bundle, `searchset` and its
links; OperationOutcome for errors.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode

from mpftconnect.adapters import Fault, FaultSwitch, TwinRequest, TwinResponse, json_response
from mpftconnect.fhir import write_resource
from mpftconnect.model import ODS_ORGANIZATION_SYSTEM, Identifier, Item, RelatedPerson, Source
from mpftconnect_rio.settings import CLIENT_ID_SYSTEM

if TYPE_CHECKING:
    from mpftconnect.sandbox import Person, SystemView

__all__ = ["ORGANISATION", "PAGE_SIZE", "TOKEN", "RioFacadeTwin", "configure"]

ORGANISATION = "RRE"
PAGE_SIZE = 1  # so that whatever there are two of comes in pages
TOKEN = "rio-facade-sandbox"  # noqa: S105 - of the twin alone, and published with it

_BASE = "/FHIR/R4/"
_TEAMS = "https://mpftconnect.example/Id/rio-team-code"
_TYPES = (
    *("AllergyIntolerance", "Appointment", "Basic", "CarePlan", "CareTeam", "Condition", "Consent"),
    *("DiagnosticReport", "DocumentReference", "Encounter", "EpisodeOfCare", "Flag", "Immunization"),
    *("MedicationRequest", "MedicationStatement", "Observation", "RelatedPerson", "ServiceRequest"),
)
# By which other element a type can be searched.
_ALSO_BY = {"DocumentReference": "category", "Basic": "code", "EpisodeOfCare": "status"}

Resource = dict[str, Any]


class RioFacadeTwin:
    """Answers for the people who have a view named `rio`.

    Args:
        people: Whom it may know.
        page_size: How many entries a page has, whatever `_count` asks for, if that is more.
    """

    def __init__(self, people: Sequence[Person], *, page_size: int = PAGE_SIZE) -> None:
        self.faults = FaultSwitch()
        self._page_size = page_size
        self._people = {p.systems["rio"].local_id: p for p in people if "rio" in p.systems}
        self._written: dict[str, dict[str, list[Resource]]] = {}
        self._lock = threading.Lock()

    def handle(self, request: TwinRequest) -> TwinResponse:
        response = self._answer(request)
        mirrored = {name: request.headers[name] for name in ("X-Request-ID",) if name in request.headers}
        return TwinResponse(response.status, {**response.headers, **mirrored}, response.body)

    def _answer(self, request: TwinRequest) -> TwinResponse:
        if not request.path.startswith(_BASE):
            return _problem(404, "not-found")
        if request.method != "GET":
            return _problem(405, "not-supported")
        stated = request.headers.get("Authorization", "").encode()
        good = hmac.compare_digest(stated, f"Bearer {TOKEN}".encode())
        if not good or Fault.STALE_TOKEN in self.faults:
            return _problem(401, "login", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        match unquote(request.path.removeprefix(_BASE)).split("/"):
            case ["metadata"]:
                return json_response(_capabilities())
            case ["Patient"]:
                return self._patients(request)
            case ["Patient", local_id] if local_id in self._people:
                return json_response(self._resources(local_id)["Patient"][0])
            case [type_] if type_ in _TYPES:
                return self._search(type_, request)
        return _problem(404, "not-found")

    def _patients(self, request: TwinRequest) -> TwinResponse:
        asked = request.first("identifier")
        if asked is None:
            return _problem(400, "required")
        wanted = {tuple(each.rpartition("|")[::2]) for each in asked.split(",")}
        found = [
            self._resources(local_id)["Patient"][0]
            for local_id, person in self._people.items()
            if wanted & {(i.system, i.value) for i in _identifiers(person)}
        ]
        if Fault.WRONG_PATIENT in self.faults:
            found = [self._resources(self._neighbour(each["id"]))["Patient"][0] for each in found]
        return self._bundle(found, request)

    def _search(self, type_: str, request: TwinRequest) -> TwinResponse:
        local_id = (request.first("patient") or "").removeprefix("Patient/")
        if local_id not in self._people:
            return _problem(*((404, "not-found") if local_id else (400, "required")))
        if Fault.WRONG_PATIENT in self.faults:
            local_id = self._neighbour(local_id)
        found = self._resources(local_id).get(type_, [])
        also = _ALSO_BY.get(type_)
        if also is not None:
            found = [each for each in found if _fits(each, also, request)]
        return self._bundle(found, request)

    def _neighbour(self, local_id: str) -> str:
        known = list(self._people)
        return known[(known.index(local_id) + 1) % len(known)]

    def _bundle(self, found: Sequence[Resource], request: TwinRequest) -> TwinResponse:
        """One page of a searchset."""
        size, offset = _number(request.first("_count"), self._page_size), _number(request.first("_offset"), 0)
        if size is None or offset is None:
            return _problem(400, "value")
        size = max(1, min(size, self._page_size))
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

    def _resources(self, local_id: str) -> dict[str, list[Resource]]:
        with self._lock:
            if local_id not in self._written:
                self._written[local_id] = _written(self._people[local_id])
            return self._written[local_id]


def configure(twin: Any, base_url: str) -> dict[str, Any]:
    """The system's table of a configuration that reads this twin."""
    return {
        "adapter": "rio-fhir",
        "endpoint": base_url.rstrip("/") + _BASE.rstrip("/"),
        "settings": {"organisation": ORGANISATION},
        "secrets": {"token": TOKEN},
    }


def _identifiers(person: Person) -> tuple[Identifier, ...]:
    own = Identifier(system=CLIENT_ID_SYSTEM, value=person.systems["rio"].local_id, use="secondary")
    return (*person.patient_at("rio").identifiers, own)


def _written(person: Person) -> dict[str, list[Resource]]:
    view = person.systems["rio"]
    patient = person.patient_at("rio")
    source = patient.source.model_copy(update={"id": f"Patient/{view.local_id}"})
    known = patient.model_copy(
        # RiO does not know who is restricted: the tracing service says so.
        update={"identifiers": _identifiers(person), "source": source, "restriction": None}
    )
    found = {"Patient": [_write(known)]}
    for held in view.items.values():
        for item in held:
            resource = _write(item)
            if isinstance(item, RelatedPerson):
                resource["patient"] = {"reference": f"Patient/{view.local_id}"}
            found.setdefault(resource["resourceType"], []).append(resource)
    entries = view.settings.get("caseload", ())
    found["EpisodeOfCare"] = [_episode(entry, number, view) for number, entry in enumerate(entries)]
    return found


def _write(item: Item) -> Resource:
    """The resource as another system would send it: without this SDK's own account of where it was read."""
    resource = write_resource(item)
    source: Source = item.source
    meta = {name: value for name, value in resource.get("meta", {}).items() if name != "extension"}
    rest = {name: value for name, value in resource.items() if name not in ("resourceType", "id", "meta")}
    return {
        "resourceType": resource["resourceType"],
        "id": source.id.rpartition("/")[2],
        **({"meta": meta} if meta else {}),
        **rest,
    }


def _episode(entry: Mapping[str, Any], number: int, view: SystemView) -> Resource:
    """An entry of the caseload as FHIR's EpisodeOfCare."""
    period = {"start": entry["opened"]} | ({"end": entry["closed"]} if entry.get("closed") else {})
    coding = {"system": _TEAMS, "code": entry["team_code"], "display": entry["team"]}
    return {
        "resourceType": "EpisodeOfCare",
        "id": f"{view.local_id}-{number}",
        "status": "finished" if entry.get("closed") else "active",
        "type": [{"coding": [coding], "text": entry["team"]}],
        "patient": {"reference": f"Patient/{view.local_id}"},
        "managingOrganization": {"identifier": {"system": ODS_ORGANIZATION_SYSTEM, "value": ORGANISATION}},
        "period": period,
        **({"careManager": {"display": entry["practitioner"]}} if entry.get("practitioner") else {}),
    }


def _fits(resource: Resource, element: str, request: TwinRequest) -> bool:
    """Token search by one element, with the modifier `:not`."""
    held = resource.get(element, [])
    concepts = [each for each in (held if isinstance(held, list) else [held]) if isinstance(each, dict)]
    codes = {coding.get("code") for concept in concepts for coding in concept.get("coding", ())}
    codes |= {held} if isinstance(held, str) else set()
    wanted, unwanted = request.first(element), request.first(f"{element}:not")
    return (wanted is None or wanted in codes) and (unwanted is None or unwanted not in codes)


def _capabilities() -> Resource:
    search = {"code": "search-type"}
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2025-09-01",
        "kind": "instance",
        "implementation": {"description": "A RiO that there is not: the twin of an assumed FHIR facade"},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "resource": [{"type": type_, "interaction": [search]} for type_ in ("Patient", *_TYPES)],
            }
        ],
    }


def _problem(status: int, code: str, headers: Mapping[str, str] | None = None) -> TwinResponse:
    issue = {"severity": "error", "code": code}
    return json_response({"resourceType": "OperationOutcome", "issue": [issue]}, status, headers)


def _number(text: str | None, default: int) -> int | None:
    """A parameter that is a whole number; None if it is something else."""
    if text is None:
        return default
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def _link(request: TwinRequest, offset: int) -> str:
    query = [(name, value) for name, value in request.query if name != "_offset"]
    return f"{request.base_url}{request.path}?{urlencode([*query, ('_offset', str(offset))])}"
