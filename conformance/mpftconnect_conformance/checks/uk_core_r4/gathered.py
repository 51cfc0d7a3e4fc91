"""Asks for all that a system holds of a test person, and reads it back out of evidence.

Source: HL7 FHIR R4 (4.0.1), RESTful API 3.1.0 (read, search, paging), Bundle, References 2.3.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mpftconnect.conformance import (
    Cause,
    CauseKind,
    Evidence,
    NotInEvidence,
    Outcome,
    Probe,
    Recorded,
    Undecided,
    json_of,
)
from mpftconnect.errors import MpftConnectError
from mpftconnect.model import NHS_NUMBER_SYSTEM

__all__ = [
    "MAY_HOLD",
    "Gathered",
    "Held",
    "Resource",
    "ask_person",
    "gathered",
    "is_json",
    "link_of",
    "objects",
    "offered",
    "page_of",
    "references",
    "supplier",
]

Resource = Mapping[str, Any]

# What a record may hold of a person, by the search parameter `patient` of FHIR R4.
MAY_HOLD = (
    *("AllergyIntolerance", "Appointment", "CarePlan", "CareTeam", "Communication", "Condition", "Consent"),
    *("DiagnosticReport", "DocumentReference", "Encounter", "EpisodeOfCare", "FamilyMemberHistory", "Flag", "Goal"),
    *("ImagingStudy", "Immunization", "List", "MedicationAdministration", "MedicationDispense", "MedicationRequest"),
    *("MedicationStatement", "Observation", "Procedure", "Provenance", "QuestionnaireResponse", "RelatedPerson"),
    *("ServiceRequest", "Specimen", "Task"),
)
_SHARED = ("Organization", "Practitioner", "PractitionerRole", "Location")
_MOST_PAGES = 25
_MOST_READS = 25
_RELATIVE = re.compile(r"(?:.*/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9.\-]{1,64})(?:/_history/[A-Za-z0-9.\-]+)?")


# Asking


def ask_person(probe: Probe, role: str) -> list[Recorded]:
    """Ask for the capability statement, the person, everything that the system says it holds of people, and for the
    organisations and practitioners that it points to. Gives the answers about the person and about those.
    """
    probe.get("metadata", step="metadata")
    person = probe.person(role)
    if person.nhs_number:
        by = {"identifier": f"{NHS_NUMBER_SYSTEM}|{person.nhs_number}"}
        first = probe.get("Patient", by, step=f"Patient of {role}", person=role)
    else:
        first = probe.get(f"Patient/{person.local_id}", step=f"Patient of {role}", person=role)
    patients = [r for r in objects(first) if r.get("resourceType") == "Patient"]
    id_ = patients[0].get("id") if patients else None
    told = [first]
    if not isinstance(id_, str):
        return told
    wanted: dict[str, None] = {}
    for type_ in offered(probe.get("metadata", step="metadata")):
        if type_ not in MAY_HOLD:
            continue
        step = f"{type_} of {role}"
        page = probe.get(type_, {"patient": id_}, step=step, person=role)
        seen: set[str] = set()
        for _ in range(_MOST_PAGES):
            told.append(page)
            for resource in objects(page):
                wanted.update((r, None) for r in references(resource))
            link = link_of(page, "next")
            if link is None or link in seen:
                break
            seen.add(link)
            page = probe.get(link, step=step, person=role)
    for resource in patients:
        wanted.update((r, None) for r in references(resource))
    shared = [r for r in wanted if r.partition("/")[0] in _SHARED][:_MOST_READS]
    told.extend(probe.get(each, step=f"read {each.partition('/')[0]}", person=role) for each in shared)
    return told


# Reading evidence


@dataclass(frozen=True, slots=True)
class Held:
    """A resource, the exchange in which it came, and where in it."""

    exchange: Recorded
    place: str
    resource: Resource

    @property
    def type(self) -> str:
        return str(self.resource.get("resourceType", ""))[:40]

    @property
    def key(self) -> str:
        return f"{self.type}/{self.resource.get('id')}"


@dataclass(slots=True)
class Gathered:
    """What was gathered of one person.

    Args:
        troubles: Outcomes of the searches that came to nothing: what they would have held is not known.
        shared: Organisations, practitioners and the like.
    """

    held: list[Held] = field(default_factory=list)
    shared: list[Held] = field(default_factory=list)
    troubles: list[Outcome] = field(default_factory=list)
    types: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[Held]:
        return [*self.held, *self.shared]

    def of(self, *types: str) -> list[Held]:
        return [each for each in self.all if each.type in types]

    def whole(self, outcome: Outcome) -> Outcome:
        """The outcome, if nothing was amiss with what it stands on: a pass over half of a record is none."""
        if self.troubles and outcome.status == "pass":
            return self.troubles[0]
        return outcome


def gathered(evidence: Evidence, role: str) -> Gathered:
    """What came of the person of that role.

    Raises:
        Undecided: The person was not found, or nothing could be asked.
        NotInEvidence: Nobody asked.
    """
    found = Gathered()
    first = evidence.answered(f"Patient of {role}")
    json_of(first)
    patients = [h for h in _held(first) if h.type == "Patient"]
    if not patients:
        raise Undecided(
            Outcome.inconclusive(
                f"the system holds nobody of the number given for the role {role}",
                Cause(
                    kind=CauseKind.TEST_DATA,
                    because="the search by NHS number came whole and empty",
                    otherwise="the product does not find people by NHS number",
                    mend=f"enter the sheet of the role {role} (conform patients --format sheet) and try the search",
                ),
            )
        )
    found.held.extend(patients)
    for step in evidence.steps():
        type_, _, of = step.partition(" of ")
        if of == role and type_ != "Patient":
            found.types.append(type_)
            for exchange in evidence.every(step):
                trouble = _trouble(exchange)
                if trouble is not None:
                    found.troubles.append(trouble)
                found.held.extend(h for h in _held(exchange) if h.type == type_)
        elif step.startswith("read "):
            for exchange in evidence.every(step):
                found.shared.extend(_held(exchange))
    return found


def _trouble(exchange: Recorded) -> Outcome | None:
    trouble = exchange.trouble()
    if trouble is not None:
        return trouble
    try:
        json_of(exchange)
    except Undecided as undecided:
        return undecided.outcome
    except NotInEvidence as missing:
        return Outcome.not_tested(str(missing))
    return None


def _held(exchange: Recorded) -> Iterator[Held]:
    body = _body(exchange)
    if body is None:
        return
    if body.get("resourceType") != "Bundle":
        if exchange.ok and isinstance(body.get("resourceType"), str):
            yield Held(exchange, str(body["resourceType"])[:40], body)
        return
    entries = body.get("entry")
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        resource = entry.get("resource") if isinstance(entry, Mapping) else None
        if isinstance(resource, Mapping) and isinstance(resource.get("resourceType"), str):
            yield Held(exchange, f"Bundle.entry[{index}].resource", resource)


def objects(exchange: Recorded) -> list[Resource]:
    """The resources of an answer, of a Bundle or alone; none where it is no such answer."""
    return [held.resource for held in _held(exchange)] if exchange.ok else []


def page_of(exchange: Recorded) -> Resource | None:
    """The Bundle of an answer, if it is one."""
    body = _body(exchange)
    return body if body is not None and body.get("resourceType") == "Bundle" else None


def _body(exchange: Recorded) -> Resource | None:
    try:
        body = exchange.json()
    except MpftConnectError:
        return None
    return body if isinstance(body, Mapping) else None


def is_json(exchange: Recorded) -> bool:
    try:
        exchange.json()
    except MpftConnectError:
        return False
    return True


def link_of(exchange: Recorded, relation: str) -> str | None:
    page = page_of(exchange) or {}
    links = page.get("link")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, Mapping) and link.get("relation") == relation and isinstance(link.get("url"), str):
            return str(link["url"])
    return None


def offered(statement: Recorded) -> list[str]:
    """The types that a capability statement lists, in its order."""
    body = _body(statement) or {}
    found: dict[str, None] = {}
    for rest in _objects(body.get("rest")):
        for resource in _objects(rest.get("resource")):
            if isinstance(resource.get("type"), str):
                found[resource["type"]] = None
    return list(found)


def references(resource: Any) -> Iterator[str]:
    """Literal references to other resources of the same server, as `Type/id`; contained ones are left out."""
    waiting = [resource]
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, Mapping):
            literal = value.get("reference")
            if isinstance(literal, str) and not literal.startswith(("#", "urn:")):
                matched = _RELATIVE.fullmatch(literal)
                if matched and "://" not in literal:
                    yield f"{matched['type']}/{matched['id']}"
            waiting.extend(part for key, part in value.items() if key != "contained")
        elif isinstance(value, list):
            waiting.extend(value)


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def supplier(because: str, mend: str, otherwise: str = "") -> Cause:
    """The product as likely cause: what rules the others out is that the answers came whole."""
    return Cause(
        kind=CauseKind.SUPPLIER,
        because=because,
        ruled_out="the answers came whole, with status 200, as FHIR JSON, to requests whose credentials were accepted",
        otherwise=otherwise,
        mend=mend,
    )
