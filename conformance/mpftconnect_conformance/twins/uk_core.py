"""Stands in for a system that serves UK Core over FHIR R4, with a named fault for every check of the pack uk-core-r4.

It answers as `FhirTwin` does (HL7 FHIR R4 4.0.1, RESTful API and Search) and takes an Observation by `create`, changes
it by `update` and takes it back by `delete`. Built for nobody it is an empty system: it has no capability statement
either.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from mpftconnect.adapters import Fault, TriedAgainst, TwinRequest, TwinResponse, TwinSpec, json_response
from mpftconnect.sandbox import FhirTwin, Person, Refused, SystemView
from mpftconnect_conformance.twins.uk_core_answers import ANSWERS, EVIDENCE
from mpftconnect_conformance.twins.uk_core_identity import PATIENT_FAULTS
from mpftconnect_conformance.twins.uk_core_open import OPEN_FAULTS, answer_openly, tls_of
from mpftconnect_conformance.twins.uk_core_record import LOCAL_ID, full_record, shared_resources, sparse_record

__all__ = ["FAULTS", "SPEC", "UkCoreTwin"]

Resource = dict[str, Any]

_SYSTEM = "uk-core"
PACKAGE = "mpftconnect.ukcore-rules"
_KNOWN_EXTENSIONS = ("https://fhir.hl7.org.uk/", "http://hl7.org/fhir/")


class UkCoreTwin(FhirTwin):
    """Holds the full and the sparse person.

    Args:
        people: Whom it may know.
    """

    methods = ("GET", "POST", "PUT", "DELETE")
    local_id_system = LOCAL_ID
    also_by: Mapping[str, str] = {}
    types = (
        *("AllergyIntolerance", "CarePlan", "CareTeam", "Condition", "Consent", "DiagnosticReport", "Encounter"),
        *("Flag", "Goal", "Immunization", "MedicationRequest", "MedicationStatement", "Observation", "Provenance"),
        "Specimen",
    )

    def __init__(self, people: Sequence[Person]) -> None:
        held = [
            replace(person, systems={_SYSTEM: SystemView(f"uk-core-{person.role}")})
            for person in people
            if person.role in ("full", "sparse")
        ]
        super().__init__(held, _SYSTEM)
        self._shared = {f"{r['resourceType']}/{r['id']}": r for r in shared_resources()}
        self._made: dict[str, Resource] = {}

    def handle(self, request: TwinRequest) -> TwinResponse:
        if not self.held:
            return self._recorded(request)
        return answer_openly(request, self.faults, self.token, self.types, self._recorded)

    def tls(self) -> dict[str, Any]:
        return tls_of(self.faults) if self.held else {}

    def _recorded(self, request: TwinRequest) -> TwinResponse:
        if "unknown-parameter-ignored" in self.faults and any(name in _UNKNOWN for name, _ in request.query):
            return self._as_if_used(request)
        if "impossible-number-found" in self.faults and request.first("identifier"):
            request = self._by_beginning(request)
        said = super().handle(request)
        on = [FAULTS[name] for name in self.faults if name in FAULTS]
        if not on or said.status != 200 or not said.body:
            return said
        body = json.loads(said.body)
        for spoil in on:
            body = spoil(body, request)
        return replace(said, body=json.dumps(body).encode())

    def _as_if_used(self, request: TwinRequest) -> TwinResponse:
        """Widens the search in silence, and says by its self link that the parameter was used."""
        known = replace(request, query=tuple(pair for pair in request.query if pair[0] not in _UNKNOWN))
        said = super().handle(known)
        if said.status != 200:
            return said
        body = json.loads(said.body)
        for link in body.get("link", ()):
            if link["relation"] == "self":
                link["url"] += "".join(f"&{name}={value}" for name, value in request.query if name in _UNKNOWN)
        return replace(said, body=json.dumps(body).encode())

    def _by_beginning(self, request: TwinRequest) -> TwinRequest:
        """Looks for numbers by their first digits alone, as if it had searched by the whole."""
        system, _, number = str(request.first("identifier")).partition("|")
        held = sorted(str(person.nhs_number) for person in self.held.values())
        if number not in held:
            number = next((known for known in held if known[:6] == number[:6]), number)
        return replace(
            request, query=tuple((n, f"{system}|{number}" if n == "identifier" else v) for n, v in request.query)
        )

    def answer(self, path: list[str], request: TwinRequest) -> TwinResponse:
        if not self.held:
            raise Refused(HTTPStatus.NOT_FOUND, "not-found", "nothing is set up here")
        match request.method, path:
            case "GET", ["metadata"]:
                return json_response(self._statement())
            case "GET", ["Provenance"]:
                return self._provenance(request)
            case "GET", [type_, id_]:
                return json_response(self._read(type_, id_))
            case "POST", ["Observation"]:
                return self._create(request)
            case "PUT", ["Observation", id_] if id_ in self._made:
                return self._update(id_, request)
            case "DELETE", ["Observation", id_] if id_ in self._made:
                del self._made[id_]
                return TwinResponse(204)
            case "POST" | "PUT" | "DELETE", _:
                raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "not-supported", "only an Observation is taken")
        return super().answer(path, request)

    def resources_of(self, person: Person) -> Iterator[Resource]:
        local_id = person.systems[_SYSTEM].local_id
        yield from (full_record if person.role == "full" else sparse_record)(person, local_id)

    def record_of(self, role: str) -> Iterator[Resource]:
        """All that it holds of the person of a role, and whom that points to: what a supplier's sheet says."""
        for person in self.held.values():
            if person.role == role:
                yield from self.resources_of(person)
                if role == "full":
                    yield from self._shared.values()

    def _statement(self) -> Resource:
        types = ["Patient", "Organization", "Practitioner", *self.types]
        return {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": "2025-09-01",
            "kind": "instance",
            "software": {"name": "UK Core twin", "version": "1"},
            "implementation": {"description": "A twin: made-up people, no product"},
            "implementationGuide": [f"urn:{PACKAGE}|2026.11.25"],
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json"],
            "rest": [
                {
                    "mode": "server",
                    "resource": [
                        {
                            "type": type_,
                            "interaction": [{"code": "read"}, {"code": "search-type"}],
                            "searchParam": [_search_parameter(type_)],
                        }
                        for type_ in sorted(types)
                    ],
                }
            ],
        }

    def _read(self, type_: str, id_: str) -> Resource:
        if type_ == "Observation" and id_ in self._made:
            return self._made[id_]
        if f"{type_}/{id_}" in self._shared:
            return self._shared[f"{type_}/{id_}"]
        for person in self.held.values():
            for resource in self._resources(person, type_):
                if resource["id"] == id_:
                    return resource
        raise Refused(HTTPStatus.NOT_FOUND, "not-found", "no such resource")

    def _provenance(self, request: TwinRequest) -> TwinResponse:
        """Source: FHIR R4, Provenance, search parameters `target` and `patient`."""
        target = request.first("target")
        if target is None:
            return super().answer(["Provenance"], request)
        held = [r for person in self.held.values() for r in self._resources(person, "Provenance")]
        found = [r for r in held if any(t.get("reference") == target for t in r["target"])]
        return self._bundle(found, request)

    def _observation(self, request: TwinRequest) -> Resource:
        """What is to be kept of an Observation that was sent.

        Raises:
            Refused: It is none, or has what is not known here.
        """
        try:
            body = json.loads(request.body)
        except ValueError:
            raise Refused(HTTPStatus.BAD_REQUEST, "structure", "is not JSON") from None
        if not isinstance(body, dict) or body.get("resourceType") != "Observation":
            raise Refused(HTTPStatus.BAD_REQUEST, "structure", "is not an Observation")
        modifiers = [e.get("url", "") for e in body.get("modifierExtension", ())]
        inside = [e.get("url", "") for part in body.get("component", ()) for e in part.get("modifierExtension", ())]
        if _unknown(modifiers) and "modifier-extension-accepted" not in self.faults:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "extension", "a modifier extension is not known here")
        if _unknown(inside) and "modifier-extension-inside-accepted" not in self.faults:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "extension", "a modifier extension is not known here")
        if body.get("extension") and "extension-refused" in self.faults:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "extension", "an extension is not known here")
        if "words-replaced" in self.faults and "text" in body.get("code", {}):
            body["code"]["text"] = body["code"]["coding"][0]["display"]
        return body

    def _create(self, request: TwinRequest) -> TwinResponse:
        body = self._observation(request)
        id_ = f"made-{next(_NUMBERS)}"
        self._made[id_] = {**body, "id": id_, "meta": {"versionId": "1"}}
        return json_response(
            self._made[id_], 201, {"Location": f"{request.base_url}/fhir/Observation/{id_}/_history/1"}
        )

    def _update(self, id_: str, request: TwinRequest) -> TwinResponse:
        """Source: FHIR R4, RESTful API 3.1.0.9 (update)."""
        version = int(self._made[id_]["meta"]["versionId"]) + ("version-stands-still" not in self.faults)
        self._made[id_] = {**self._observation(request), "id": id_, "meta": {"versionId": str(version)}}
        return json_response(self._made[id_], 200)


_UNKNOWN = ("mpftconnect-unknown",)


def _unknown(urls: Sequence[str]) -> bool:
    return any(not url.startswith(_KNOWN_EXTENSIONS) for url in urls)


def _search_parameter(type_: str) -> Resource:
    if type_ in ("Patient", "Organization", "Practitioner"):
        return {"name": "identifier", "type": "token"}
    return {"name": "patient", "type": "reference"}


# The faults: each takes what was to be said, and the request, and gives what is said instead.

Spoil = Callable[[Resource, TwinRequest], Resource]


def _each(change: Callable[[Resource], None], *types: str) -> Spoil:
    """A fault of single resources, wherever they stand."""

    def spoil(body: Resource, _: TwinRequest) -> Resource:
        spoilt = copy.deepcopy(body)
        entries = [entry["resource"] for entry in spoilt.get("entry", ())]
        for resource in entries or [spoilt]:
            if not types or resource["resourceType"] in types:
                change(resource)
        return spoilt

    return spoil


def _statement_of_stu3(body: Resource) -> None:
    body["fhirVersion"] = "3.0.2"


def _without_guide(body: Resource) -> None:
    body.pop("implementationGuide", None)


def _invalid(body: Resource) -> None:
    body["clinicalStatus"] = {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "gone"}]
    }


def _ods_misspelt(body: Resource) -> None:
    for identifier in body.get("identifier", ()):
        if "ods-organization-code" in identifier.get("system", ""):
            identifier["system"] = "https://fhir.nhs.uk/Id/ods-organisation-code"


def _ods_of_bad_shape(body: Resource) -> None:
    for identifier in body.get("identifier", ()):
        if "ods-organization-code" in identifier.get("system", ""):
            identifier["value"] = "zz 101!"


def _without_severity(body: Resource) -> None:
    body.pop("severity", None)


def _filler(body: Resource) -> None:
    body.setdefault("telecom", [{"system": "phone", "value": "Not known"}])


def _display_of_another(body: Resource) -> None:
    for coding in body.get("code", {}).get("coding", ()):
        if coding.get("code") == "44054006":
            coding["display"] = "Asthma"


def _without_display(body: Resource) -> None:
    for coding in body.get("code", {}).get("coding", ()):
        coding.pop("display", None)
    body.get("code", {}).pop("text", None)


def _pounds(body: Resource) -> None:
    if body.get("id") == "weight":
        body["valueQuantity"] |= {"unit": "pound", "code": "[lb_av]"}


def _without_loinc(body: Resource) -> None:
    codings = body.get("code", {}).get("coding", [])
    body["code"]["coding"] = [c for c in codings if c.get("system") != "http://loinc.org"] or codings


def _laboratory_unsaid(body: Resource) -> None:
    if body.get("id") == "hba1c":
        body.pop("category", None)


def _no_reason(body: Resource) -> None:
    if body.get("status") == "not-done":
        body.pop("statusReason", None)


def _no_goal(body: Resource) -> None:
    body.pop("goal", None)


def _dangling(body: Resource) -> None:
    body["recorder"] = {"reference": "Practitioner/nobody"}


def _dangling_member(body: Resource) -> None:
    body["participant"][0]["member"] = {"reference": "Practitioner/nobody"}


def _contained_missing(body: Resource) -> None:
    body["asserter"] = {"reference": "#nobody"}


def _without_id(body: Resource) -> None:
    body.pop("id", None)


def _described(body: Resource) -> None:
    """The id of a description (partition 01) in place of the concept's: well formed, and the wrong kind of thing."""
    for coding in body.get("code", {}).get("coding", ()):
        if coding.get("code") == "44054006":
            coding["code"] = "1235012"


def _of_another(body: Resource) -> None:
    body["subject"] = {"reference": "Patient/uk-core-somebody-else"}


def _draft_broken(body: Resource) -> None:
    body["status"] = "ongoing"


_NUMBERS = iter(range(10**9))


def _unstable(body: Resource, request: TwinRequest) -> Resource:
    if "entry" in body or body.get("resourceType") == "CapabilityStatement":
        return body
    return {**body, "id": f"{body['id']}-{next(_NUMBERS)}"}


def _moves_by_itself(body: Resource, request: TwinRequest) -> Resource:
    if "entry" in body or body.get("resourceType") == "CapabilityStatement":
        return body
    return {**body, "meta": {**body.get("meta", {}), "versionId": str(next(_NUMBERS))}}


def _changed_by_itself(body: Resource, request: TwinRequest) -> Resource:
    if "entry" in body or body.get("resourceType") == "CapabilityStatement":
        return body
    moved = f"2025-09-01T09:00:00.{next(_NUMBERS) % 1000:03d}+01:00"
    return {**body, "meta": {**body.get("meta", {}), "lastUpdated": moved}}


def _addressed_otherwise(body: Resource, request: TwinRequest) -> Resource:
    entries = [{**entry, "fullUrl": f"{entry['fullUrl']}-old"} for entry in body.get("entry", ())]
    return {**body, "entry": entries} if entries else body


FAULTS: dict[str, Spoil] = {
    "wrong-fhir-version": _each(_statement_of_stu3, "CapabilityStatement"),
    "guide-unsaid": _each(_without_guide, "CapabilityStatement"),
    "invalid-resource": _each(_invalid, "Condition"),
    "ods-system-misspelt": _each(_ods_misspelt, "Organization"),
    "ods-code-misshapen": _each(_ods_of_bad_shape, "Organization"),
    "must-support-dropped": _each(_without_severity, "Condition"),
    "filler": _each(_filler, "Patient"),
    "wrong-display": _each(_display_of_another, "Condition"),
    "display-dropped": _each(_without_display, "Condition"),
    "vital-sign-unit": _each(_pounds, "Observation"),
    "vital-sign-without-loinc": _each(_without_loinc, "Observation"),
    "laboratory-unsaid": _each(_laboratory_unsaid, "Observation"),
    "not-done-without-reason": _each(_no_reason, "Immunization"),
    "plan-without-goal": _each(_no_goal, "CarePlan"),
    "dangling-reference": _each(_dangling, "Condition"),
    "dangling-team-member": _each(_dangling_member, "CareTeam"),
    "contained-missing": _each(_contained_missing, "Condition"),
    "id-left-out": _each(_without_id, "Condition"),
    "full-url-disagrees": _addressed_otherwise,
    "last-updated-moves-by-itself": _changed_by_itself,
    "description-for-concept": _each(_described, "Condition"),
    "another-subject": _each(_of_another, "Condition"),
    "draft-profile-broken": _each(_draft_broken, "CarePlan"),
    "unstable-id": _unstable,
    "version-moves-by-itself": _moves_by_itself,
    **{name: _each(change, "Patient") for name, change in PATIENT_FAULTS.items()},
}
# What changes how a request is taken, and stands in the twin itself.
_IN_THE_TWIN = (
    *("modifier-extension-accepted", "modifier-extension-inside-accepted", "extension-refused"),
    *("unknown-parameter-ignored", "impossible-number-found", "version-stands-still", "words-replaced"),
)


def _configure(twin: Any, base_url: str) -> dict[str, Any]:
    return {"adapter": "fhir-r4", "endpoint": f"{base_url}/fhir", "secrets": {"token": twin.token}}


SPEC = TwinSpec(
    name=_SYSTEM,
    adapter="fhir-r4",
    written_from="HL7 FHIR R4 (4.0.1), RESTful API and Search; UK Core (STU3 sequence, June 2025), profiles",
    tried_against=TriedAgainst("nothing", "built for this SDK"),
    build=UkCoreTwin,
    configure=_configure,
    faults=frozenset(
        {
            *FAULTS,
            *_IN_THE_TWIN,
            *OPEN_FAULTS,
            Fault.DROPPED_PAGE,
            Fault.LYING_TOTAL,
            Fault.REPEATED_PAGE,
            Fault.WRONG_PATIENT,
        }
    ),
    supplier={
        "product": {"actors": ["server"], "offers": ["fhir-server", "api"]},
        "target": {
            "package": PACKAGE,
            "allow_writes": True,
            "auth": {"kind": "bearer"},
            "settings": {"openapi": "openapi.json"},
        },
        "answers": {
            "OAPI-13": {"functions": [{"name": "problems", "operations": ["searchCondition"]}]},
            "dtac": ANSWERS,
        },
        "evidence": EVIDENCE,
        "people": {"full": {"entered": "2025-09-01"}, "sparse": {"entered": "2025-09-01"}},
    },
    default=False,
)
