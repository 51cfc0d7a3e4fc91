"""UKC-09: a search finds what it should, on all its pages, and does not hide what went wrong.

Source: HL7 FHIR R4 (4.0.1), Search 3.1.1.3.3 (unknown parameters), 3.1.1.8 (result Bundle, paging, total, outcome).
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from mpftconnect.conformance import Evidence, Finding, Outcome, Probe
from mpftconnect.errors import MpftConnectError
from mpftconnect_conformance.checks.uk_core_r4.gathered import (
    Gathered,
    ask_person,
    gathered,
    link_of,
    objects,
    page_of,
    supplier,
)

__all__ = ["ask_searches", "judge_searches"]

_STRANGE = "search by an unknown parameter"
_PARAMETER = "mpftconnect-unknown"


def ask_searches(probe: Probe) -> None:
    ask_person(probe, "full")
    person = probe.person("full")
    first = probe.get(
        "Patient",
        {"identifier": f"https://fhir.nhs.uk/Id/nhs-number|{person.nhs_number}"},
        step="Patient of full",
        person="full",
    )
    patients = [r for r in objects(first) if r.get("resourceType") == "Patient"]
    if patients and isinstance(patients[0].get("id"), str):
        asked = {"patient": str(patients[0]["id"]), _PARAMETER: "1"}
        probe.get("Condition", asked, headers={"Prefer": "handling=strict"}, step=_STRANGE, person="full")


def judge_searches(evidence: Evidence) -> Outcome:
    evidence.answered("Patient of full")
    # Before anything else: a total that no page bears out must not pass for a person who was never entered.
    findings = _search(evidence, "Patient of full", "Patient")
    if findings:
        return _failed(findings, 1, "1 page of 1 search")
    found = gathered(evidence, "full")
    pages = 0
    for type_ in ["Patient", *found.types]:
        step = f"{type_} of full"
        exchanges = [each for each in evidence.every(step) if each.ok]
        pages += len(exchanges)
        if type_ != "Patient" and exchanges:
            findings += _search(evidence, step, type_)
    findings += _unknown_parameter(evidence)
    if found.of("Patient") and not _number_agrees(evidence, found):
        findings.append(
            Finding(
                rule="search-identifier",
                message="a search by NHS number gives a Patient who does not have it",
                exchange=evidence.one("Patient of full").id,
                place="Bundle.entry.resource.identifier",
            )
        )
    observed = f"{pages} pages of {1 + len(found.types)} searches"
    if findings:
        return _failed(findings, pages, observed)
    if pages < 2:
        return Outcome.passed(0)
    return found.whole(Outcome.passed(pages, observed))


def _failed(findings: list[Finding], pages: int, observed: str) -> Outcome:
    cause = supplier(
        "pages, totals or matches contradict each other within one search",
        "give every match once over all pages, state the true total or none, and refuse or name unknown parameters",
        "the record changed while it was read",
    )
    return Outcome.failed(findings, cause, observations=pages, observed=observed)


def _search(evidence: Evidence, step: str, type_: str) -> list[Finding]:
    findings: list[Finding] = []
    patients = {
        str(r.get("id")) for r in objects(evidence.one("Patient of full")) if r.get("resourceType") == "Patient"
    }
    seen: dict[str, str] = {}
    totals: dict[int, str] = {}
    exchanges = evidence.every(step)
    for exchange in exchanges:
        page = page_of(exchange)
        if not exchange.ok:
            return findings  # said as trouble by `gathered`
        if page is None or page.get("type") != "searchset":
            findings.append(
                _finding("searchset", "a search is not answered with a searchset", exchange.id, "Bundle.type")
            )
            continue
        total = page.get("total")
        if isinstance(total, int) and not isinstance(total, bool):
            totals[total] = exchange.id
        for index, entry in enumerate(page.get("entry") or []):
            if not isinstance(entry, Mapping) or not isinstance(entry.get("resource"), Mapping):
                findings.append(
                    _finding("entry", "an entry holds no resource", exchange.id, f"Bundle.entry[{index}].resource")
                )
                continue
            resource = entry["resource"]
            search = entry.get("search")
            mode = search.get("mode") if isinstance(search, Mapping) else None
            if resource.get("resourceType") == "OperationOutcome" or mode in ("include", "outcome"):
                continue
            if resource.get("resourceType") != type_:
                findings.append(
                    _finding("match-type", f"a match is no {type_}", exchange.id, f"Bundle.entry[{index}].resource")
                )
                continue
            if type_ != "Patient" and not _is_about(resource, patients):
                findings.append(
                    _finding(
                        "match-subject",
                        f"a {type_} that was found by patient says that it is about somebody else, or about nobody",
                        exchange.id,
                        f"Bundle.entry[{index}].resource",
                    )
                )
            key = f"{resource.get('id')}"
            if key in seen:
                findings.append(
                    _finding("match-twice", "a match stands on two pages", exchange.id, f"Bundle.entry[{index}]")
                )
            seen[key] = exchange.id
    last = exchanges[-1]
    following = link_of(last, "next")
    if following is not None:
        repeated = any(_same(following, each.url) for each in exchanges)
        message = "the next link leads to a page already seen" if repeated else "the pages do not end"
        findings.append(_finding("paging", message, last.id, "Bundle.link"))
    wrong = [id_ for total, id_ in totals.items() if total != len(seen)]
    if wrong and following is None:
        findings.append(
            _finding("total", f"{type_}: what came is not as many as Bundle.total states", wrong[0], "Bundle.total")
        )
    return findings


def _is_about(resource: Mapping[str, object], patients: set[str]) -> bool:
    """Whether the resource's subject is the person asked about, as far as it names one of the same server.

    Source: FHIR R4, the search parameter `patient` of each type: it means the elements patient or subject. Provenance
    has it by its target, and is left out, as is a subject given by identifier alone or on another server.
    """
    named = resource.get("patient", resource.get("subject"))
    if not isinstance(named, Mapping) or not isinstance(named.get("reference"), str):
        return resource.get("resourceType") in ("Provenance", "Task", "Appointment", "List") or isinstance(
            named, Mapping
        )
    type_, _, id_ = str(named["reference"]).rpartition("/")
    return "://" in type_ or id_ in patients


def _unknown_parameter(evidence: Evidence) -> list[Finding]:
    """A strict search by a parameter that nobody knows is refused, or the answer says that it was not used."""
    if _STRANGE not in evidence.steps():
        return []
    answer = evidence.one(_STRANGE)
    if answer.error is not None or answer.status in (401, 403, 429) or (answer.status or 0) >= 500:
        return []
    if not answer.ok:
        outcome = [r for r in _bodies(evidence) if r.get("resourceType") == "OperationOutcome"]
        if outcome:
            return []
        message = f"an unknown parameter is refused with status {answer.status} and no OperationOutcome"
        return [_finding("unknown-parameter", message, answer.id, "status")]
    told = any(r.get("resourceType") == "OperationOutcome" for r in objects(answer))
    own = link_of(answer, "self")
    unused = own is not None and _PARAMETER not in urlsplit(own).query
    if told or unused:
        return []
    message = "an unknown parameter is passed over in silence: neither self link nor OperationOutcome says so"
    return [_finding("unknown-parameter", message, answer.id, "Bundle.link")]


def _bodies(evidence: Evidence) -> list[Mapping[str, object]]:
    answer = evidence.one(_STRANGE)
    try:
        body = answer.json()
    except MpftConnectError:  # whatever is no JSON is no OperationOutcome
        return []
    return [body] if isinstance(body, Mapping) else []


def _number_agrees(evidence: Evidence, found: Gathered) -> bool:
    number = evidence.people["full"].nhs_number
    if not number:
        return True
    for held in found.of("Patient"):
        for identifier in held.resource.get("identifier") or []:
            if isinstance(identifier, Mapping) and identifier.get("value") == number:
                return True
    return False


def _same(link: str, url: str) -> bool:
    return urlsplit(link).query == urlsplit(url).query and urlsplit(link).path == urlsplit(url).path


def _finding(rule: str, message: str, exchange: str, place: str) -> Finding:
    return Finding(rule=rule, message=message, exchange=exchange, place=place)
