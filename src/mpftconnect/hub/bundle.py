"""A record as a FHIR R4 Bundle, and the items back out of one.

What the record knows beside its items goes with them: a `List` per section that says in words how far it can be
trusted, and an `OperationOutcome` with an issue for whatever is missing, disputed, set apart or kept back. Each item
carries its own sources in `meta` (see `mpftconnect.fhir`), which is all that `Provenance` resources could add.

Source: HL7 FHIR R4 (4.0.1), Bundle (type collection; invariants bdl-1 to bdl-11), List (invariant lst-1),
OperationOutcome, and the code systems named below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from mpftconnect.errors import GapReason
from mpftconnect.fhir import NotMapped, read_resource, write_resource
from mpftconnect.fhir.extensions import (
    BASE,
    CODE_SYSTEM_BASE,
    DATA_ABSENT,
    PARTICIPANT_KIND,
    data_absent,
)
from mpftconnect.hub.record import Record
from mpftconnect.model import Appointment, Item, Patient, Section, SectionName, SectionStatus

__all__ = ["bundle_items", "record_bundle"]

# Ids are made from keys alone, so the same item has the same address in every Bundle that holds it.
_NAMES = uuid5(NAMESPACE_URL, BASE + "item")

# On List: status, asked and missing of a section, as codes and names.
SECTION = BASE + "section"
# On an issue: the system and section concerned, and items that it is about.
ISSUE_SYSTEM = BASE + "issue-system"
ISSUE_SECTION = BASE + "issue-section"
ISSUE_ITEM = BASE + "issue-item"
# On a reference to the Patient entry: the reference as the source sent it.
SUBJECT_AS_SENT = BASE + "subject-as-sent"
# What an issue is about: gap reasons, conflict kinds, policies and so on, each under its permanent code.
ISSUE_KIND = CODE_SYSTEM_BASE + "record-issue"

# FHIR R4, code system list-empty-reason. `nilknown` is a positive statement of a clinician, so only an asserted
# absence may carry it. For "nothing recorded" and "partial" none of its codes is true: `unavailable` would deny that
# systems answered, and `notstarted` and `closed` speak of the list's own making. Those two say it in text alone,
# which the binding (preferred) allows.
_EMPTY_REASON = {
    SectionStatus.ASSERTED_NONE: ("nilknown", "Nil Known"),
    SectionStatus.NOT_ASKED: ("notasked", "Not Asked"),
    SectionStatus.UNAVAILABLE: ("unavailable", "Unavailable"),
    SectionStatus.RESTRICTED: ("withheld", "Information Withheld"),
}
_EMPTY_REASON_SYSTEM = "http://terminology.hl7.org/CodeSystem/list-empty-reason"

# FHIR R4, code system list-example-use-codes (example binding): only where a section is what the code says.
_LIST_CODES = {
    SectionName.ALERTS: ("alerts", "Alerts"),
    SectionName.ALLERGIES: ("allergies", "Allergies"),
    SectionName.CARE_PLANS: ("plans", "Care Plans"),
    SectionName.MEDICATIONS: ("medications", "Medication List"),
    SectionName.PROBLEMS: ("problems", "Problem List"),
}
_LIST_CODE_SYSTEM = "http://terminology.hl7.org/CodeSystem/list-example-use-codes"

# FHIR R4, code system issue-type (required binding).
_GAP_ISSUES = {
    GapReason.UNREACHABLE: "transient",
    GapReason.TIMED_OUT: "timeout",
    GapReason.RATE_LIMITED: "throttled",
    GapReason.SYSTEM_FAILED: "exception",
    GapReason.NOT_PERMITTED: "forbidden",
    GapReason.ANSWER_REJECTED: "invalid",
    GapReason.NOT_SHOWN: "suppressed",
    GapReason.WRONG_PERSON: "processing",
    GapReason.NO_AGREEMENT: "suppressed",
    GapReason.NOT_DECLARED: "not-supported",
    GapReason.ADAPTER_FAULT: "exception",
    GapReason.IDENTITY_UNCONFIRMED: "incomplete",
    GapReason.OUTCOME_UNKNOWN: "incomplete",
    GapReason.FEED_OVERDUE: "timeout",
}

# HL7 v3 Confidentiality, and REDACTED as the PDS FHIR API (patient-get) uses it beside them.
_CONFIDENTIALITY_SYSTEM = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
_CONFIDENTIALITY = {"R": "restricted", "V": "very restricted", "REDACTED": "redacted"}
# HL7 v3 ActReason, in the FHIR R4 security labels: data made for tests.
_TEST_DATA = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HTEST",
    "display": "test health data",
}

# FHIR R4: which element of a resource says whom it is about.
_PATIENT_ELEMENT = {"AllergyIntolerance", "Immunization", "Consent", "RelatedPerson"}


def record_bundle(record: Record) -> dict[str, Any]:
    """The record as a Bundle of type collection.

    Args:
        record: A record, after governance: what silent policies took is not in it and leaves no trace here.
    Returns:
        Plain R4 JSON with decimals as `Decimal`. First the Patient, then the person as other systems hold
        them, then every item section by section, a List per section, and last an OperationOutcome. Each `fullUrl`
        is `urn:uuid:` of an id made from the item's key.
    """
    ids = _ids(record)
    patient = ids[id(record.patient)]
    entries = [_entry(patient, write_resource(record.patient))]
    placed = {patient}
    for item in (*record.held_as, *record.items()):
        uuid = ids[id(item)]
        if uuid not in placed:
            placed.add(uuid)
            written = write_resource(item)
            about = written if isinstance(item, Patient) else _pointed_at(item, written, _urn(patient))
            entries.append(_entry(uuid, about))
    for name, section in record.sections.items():
        uuid = _uuid(f"{record.correlation_id} list {name}")
        entries.append(_entry(uuid, _list(section, [(ids[id(i)], i) for i in section], patient, record.made)))
    entries.append(_entry(_uuid(f"{record.correlation_id} outcome"), _outcome(record, ids)))
    bundle: dict[str, Any] = {"resourceType": "Bundle", "id": str(_uuid(f"{record.correlation_id} bundle"))}
    if security := _security(record):
        bundle["meta"] = {"security": security}
    return bundle | {"type": "collection", "timestamp": _instant(record.made), "entry": entries}


def bundle_items(bundle: Mapping[str, Any]) -> Iterator[Item]:
    """The items of a Bundle from `record_bundle`, each as it was in the record.

    The patient comes first, then the person as other systems hold them.

    Raises:
        NotMapped: An entry is not one of ours. Never with a value.
    """
    entries = bundle.get("entry", ())
    for index, entry in enumerate(entries if isinstance(entries, list | tuple) else ()):
        try:
            resource = deepcopy(entry["resource"])
            if resource["resourceType"] in ("List", "OperationOutcome"):
                continue
            resource.pop("id", None)
            resource = _as_sent(resource)
        except (AttributeError, KeyError, TypeError, RecursionError):
            raise NotMapped("is not an entry of a record", place=f"entry[{index}]") from None
        yield read_resource(resource)


def _uuid(name: str) -> UUID:
    return uuid5(_NAMES, name)


def _urn(uuid: UUID) -> str:
    return uuid.urn


def _ids(record: Record) -> dict[int, UUID]:
    """An id for each item by its key. Different items of the same key are kept apart; equal ones are one entry."""
    by_key: dict[str, list[Item]] = {}
    for item in (record.patient, *record.held_as, *record.items()):
        by_key.setdefault(item.key, []).append(item)
    ids: dict[int, UUID] = {}
    for key, items in by_key.items():
        contents: dict[str, int] = {}
        for item in items:
            # As text, because equal decimals may have different digits.
            content = item.model_dump_json() if len(items) > 1 else ""
            place = contents.setdefault(content, len(contents))
            ids[id(item)] = _uuid(f"{key}#{place}" if place else key)
    return ids


def _entry(uuid: UUID, resource: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in resource.items() if key not in ("resourceType", "id")}
    return {"fullUrl": _urn(uuid), "resource": {"resourceType": resource["resourceType"], "id": str(uuid), **rest}}


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _security(record: Record) -> list[dict[str, str]]:
    labels = []
    if record.restriction in _CONFIDENTIALITY:
        display = _CONFIDENTIALITY[record.restriction]
        labels.append({"system": _CONFIDENTIALITY_SYSTEM, "code": str(record.restriction), "display": display})
    if any(answer.environment != "live" for answer in record.systems):
        labels.append(dict(_TEST_DATA))
    return labels


# Whom a resource is about


def _pointed_at(item: Item, resource: dict[str, Any], patient: str) -> dict[str, Any]:
    """The resource with every statement of whom it is about pointing to the Patient entry."""
    if isinstance(item, Appointment):
        _mark_booked_person(item, resource)
    for holder, key in _subject_holders(resource):
        sent = holder.get(key, {})
        kept = [extension for extension in _extensions(sent) if extension.get("url") != DATA_ABSENT]
        if "reference" in sent:
            kept.append({"url": SUBJECT_AS_SENT, "valueString": sent["reference"]})
        rest = {name: value for name, value in sent.items() if name not in ("extension", "reference")}
        holder[key] = ({"extension": kept} if kept else {}) | {"reference": patient} | rest
    return resource


def _mark_booked_person(item: Appointment, resource: dict[str, Any]) -> None:
    """R4 has the patient of an Appointment among the participants: say which one, and add one where none is stated.

    `write_resource` writes the patient first.
    """
    participants = resource.setdefault("participant", [])
    if not (item.subject or item.participants or item.location):
        participants.clear()  # what stands there stands for nobody
    if item.subject is None:
        participants.insert(0, {"_status": data_absent()})
    mark = {"url": PARTICIPANT_KIND, "valueCode": "subject"}
    others = [extension for extension in _extensions(participants[0]) if extension != mark]
    participants[0] = {**participants[0], "extension": [mark, *others]}


def _subject_holders(resource: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Where a resource, and each resource contained in it, says whom it is about."""
    kind = resource["resourceType"]
    if kind == "Appointment":
        for participant in resource.get("participant", ()):
            kinds = [e.get("valueCode") for e in _extensions(participant) if e.get("url") == PARTICIPANT_KIND]
            if "subject" in kinds:
                yield participant, "actor"
    else:
        yield resource, "patient" if kind in _PATIENT_ELEMENT else "subject"
    for contained in resource.get("contained", ()):
        yield from (holder for holder in _subject_holders(contained) if holder[1] in holder[0])


def _extensions(element: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = element.get("extension", [])
    return found if isinstance(found, list) else []


def _as_sent(resource: dict[str, Any]) -> dict[str, Any]:
    """Undoes `_pointed_at`."""
    for holder, key in _subject_holders(resource):
        pointer = holder.get(key)
        if pointer is None:
            continue
        pointer.pop("reference", None)
        extensions = _extensions(pointer)
        for extension in [e for e in extensions if e.get("url") == SUBJECT_AS_SENT]:
            extensions.remove(extension)
            pointer["reference"] = extension["valueString"]
        if not extensions:
            pointer.pop("extension", None)
        if not pointer:
            del holder[key]
    if resource["resourceType"] == "Appointment":
        _drop_added_person(resource)
    return resource


def _drop_added_person(appointment: dict[str, Any]) -> None:
    added = [participant for participant, key in _subject_holders(appointment) if key not in participant]
    kept = [participant for participant in appointment.get("participant", ()) if participant not in added]
    if kept:
        appointment["participant"] = kept
    else:
        appointment.pop("participant", None)


# Sections


def _list(section: Section[Item], items: list[tuple[UUID, Item]], patient: UUID, made: datetime) -> dict[str, Any]:
    title = str(section.name).replace("_", " ").capitalize()
    code: dict[str, Any] = {"text": title}
    if section.name in _LIST_CODES:
        known, display = _LIST_CODES[section.name]
        code = {"coding": [{"system": _LIST_CODE_SYSTEM, "code": known, "display": display}], **code}
    cautions = [section.caution] if section.caution else []
    said = [section.words(), *cautions, *(f"{n.system}: {n.text}" if n.system else n.text for n in section.warnings)]
    resource: dict[str, Any] = {
        "resourceType": "List",
        "extension": [{"url": SECTION, "extension": _state(section)}],
        "status": "current",
        "mode": "snapshot",
        "title": title,
        "code": code,
        "subject": {"reference": _urn(patient)},
        "date": _instant(made),
        "note": [{"text": text} for text in said],
    }
    if items:
        # `List.entry.deleted` is for lists of changes only (lst-2), so what was withdrawn is flagged in words.
        resource["entry"] = [
            {
                **({"flag": {"text": f"Withdrawn: {i.withdrawn}"}} if i.withdrawn else {}),
                "item": {"reference": _urn(uuid)},
            }
            for uuid, i in items
        ]
    else:
        resource["emptyReason"] = _empty_reason(section)
    return resource


def _state(section: Section[Item]) -> list[dict[str, Any]]:
    return [
        {"url": "name", "valueCode": str(section.name)},
        {"url": "status", "valueCode": str(section.status)},
        {"url": "complete", "valueBoolean": section.complete},
        *({"url": "asked", "valueString": system} for system in section.asked),
        *({"url": "missing", "valueString": system} for system in section.missing),
        *({"url": "warning", "valueCode": notice.code} for notice in section.warnings),
    ]


def _empty_reason(section: Section[Item]) -> dict[str, Any]:
    reason: dict[str, Any] = {"text": section.words()}
    if section.status in _EMPTY_REASON:
        code, display = _EMPTY_REASON[section.status]
        reason = {"coding": [{"system": _EMPTY_REASON_SYSTEM, "code": code, "display": display}], **reason}
    return reason


# What the record says of itself


def _issue(
    severity: str,
    kind: str,
    code: str,
    text: str,
    *,
    system: str | None = None,
    section: str | None = None,
    items: tuple[str, ...] = (),
    diagnostics: str = "",
) -> dict[str, Any]:
    about = [
        *([{"url": ISSUE_SYSTEM, "valueString": system}] if system else []),
        *([{"url": ISSUE_SECTION, "valueCode": section}] if section else []),
        *({"url": ISSUE_ITEM, "valueUri": item} for item in items),
    ]
    issue: dict[str, Any] = {"extension": about} if about else {}
    issue |= {"severity": severity, "code": kind}
    issue["details"] = {"coding": [{"system": ISSUE_KIND, "code": code}], "text": text}
    return issue | ({"diagnostics": diagnostics} if diagnostics else {})


def _outcome(record: Record, ids: Mapping[int, UUID]) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [*_troubles(record, ids), *_statements(record)]}


def _troubles(record: Record, ids: Mapping[int, UUID]) -> Iterator[dict[str, Any]]:
    """What a reader must know before relying on the record."""
    urns = {item.key: _urn(ids[id(item)]) for item in (record.patient, *record.items())}
    if not record.identity_confirmed:
        text = "The tracing service did not confirm who this is."
        yield _issue("warning", "incomplete", "identity-not-confirmed", text)
    if record.is_restricted:
        known = _CONFIDENTIALITY.get(record.restriction or "", "treated as restricted, since no system says otherwise")
        text = f"The person is {known}: what could tell where they are is left out."
        yield _issue("warning", "suppressed", "person-restricted", text)
    for mismatch in record.mismatches:
        yield _issue("warning", "conflict", "not-as-expected", mismatch)
    for gap in record.gaps:
        yield _issue(
            "warning",
            _GAP_ISSUES[gap.reason],
            gap.reason,
            gap.words(),
            system=gap.system,
            section=gap.section,
            diagnostics=gap.detail,
        )
    for apart in record.unmatched:
        kinds = ", ".join(kind.replace("_", " ") for kind in apart.kinds)
        held = f" It holds something under: {kinds}." if kinds else ""
        text = f"Set apart, because it may be about somebody else: {apart.text}{held}"
        yield _issue("warning", "business-rule", apart.reason, text, system=apart.system)
    for conflict in record.conflicts:
        concerned = f" Systems: {', '.join(conflict.systems)}." if conflict.systems else ""
        items = tuple(urns[key] for key in conflict.items if key in urns)
        text = conflict.text + concerned
        yield _issue("warning", "conflict", conflict.kind, text, section=conflict.section, items=items)
    for notice in record.notices:
        yield _issue("warning", "informational", notice.code, notice.text, system=notice.system or None)
    for kept in record.withheld:
        yield _issue("information", "suppressed", kept.policy, kept.text, system=kept.system, section=kept.section)


def _statements(record: Record) -> Iterator[dict[str, Any]]:
    """What every record says, whoever it is about; and how each system took part."""
    yield _issue("information", "informational", "never-shown", record.never_shown)
    yield _issue("information", "informational", "not-for", record.not_for)
    for answer in record.systems:
        when = f" at {_instant(answer.answered)}" if answer.answered else ""
        assumed = "; its interface is assumed" if answer.assumed and "assumed" not in answer.tried_against else ""
        text = (
            f"{answer.system} ({answer.supplier}, {answer.product}; {answer.environment}): {answer.outcome}{when}. "
            f"Its adapter was tried against: {answer.tried_against}{assumed}."
        )
        yield _issue("information", "informational", "system", text, system=answer.system)
    for why in record.joined:
        yield _issue("information", "informational", "joined", why.text, system=why.system, diagnostics=why.rule)
