"""What happened, in our terms, and the same as a FHIR R4 AuditEvent.

Shape: FHIR R4 (4.0.1) AuditEvent; IHE ITI Basic Audit Log Patterns (BALP) 1.1, profile PatientRead, for a successful
read (IHE RESTful ATNA, ITI-20); field map of the NHS England Patient Audit Record Service guide, "Data Mapping"
(organisation, user, role profile, patient, transaction); the least that must be recorded as in GP Connect, "Cross
Organisation Audit & Provenance", section "Audit Trail".

Of the patient it holds the NHS number and the sources' own ids of what was shown: no names, no contents, no search
terms. A user's free-text reason may name anything, so only a break-glass event keeps it, and that event goes to the
privacy officer's stream alone.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from mpftconnect.errors import UsageError
from mpftconnect.model import NHS_NUMBER_SYSTEM, ODS_ORGANIZATION_SYSTEM, AccessContext, nhs_number

__all__ = [
    "EMERGENCY",
    "Action",
    "AuditRecord",
    "Outcome",
    "Sent",
    "Shown",
    "Withholding",
    "agent_of",
    "correlation_of",
    "details_of",
    "fhir_text",
    "housekeeping_event",
    "patient_of",
    "recorded_of",
    "shown_in",
    "systems_asked_in",
    "to_audit_event",
    "user_of",
    "withheld_in",
]

# fmt: off
Action = Literal[
    "read", "find", "fetch", "write", "audit-read", "break-glass", "refused", "export",
    "identity-link", "identity-unlink", "identity-read", "identity-erase",
]
# fmt: on
Outcome = Literal["intended", "success", "partial", "failure", "refused"]

PATIENT_READ = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead"

_DCM = "http://dicom.nema.org/resources/ontology/DCM"  # DICOM PS3.16, Annex D
_REST = ("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest", "RESTful Operation")
_INTERACTION = "http://hl7.org/fhir/restful-interaction"
_LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
_ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_ROLE_CLASS = "http://terminology.hl7.org/CodeSystem/v3-RoleClass"
_ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"
_BALP_ENTITY_TYPE = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
# PARS field map: agent[userRole].who.identifier. NHS England, identifier systems of the Spine directory.
_ROLE_PROFILE = "https://fhir.nhs.uk/Id/sds-role-profile-id"

# DICOM PS3.16, Annex D: Emergency Override Started. The subtype of break-glass events, and of nothing else.
EMERGENCY = "110127"

Code = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How an action is coded: AuditEvent.type, .subtype and .action."""

    type: Code
    subtype: Code | None
    action: Literal["C", "R", "U", "D", "E"]


_KINDS: dict[str, _Kind] = {
    "read": _Kind(_REST, (_INTERACTION, "read", "read"), "R"),
    # BALP PatientQuery wants the whole query in entity.query. It would be a person's demographics, so it is left out
    # and the profile is not claimed.
    "find": _Kind(_REST, (_INTERACTION, "search", "search"), "E"),
    # A document's bytes: a read of its own, since the record holds only where they are.
    "fetch": _Kind(_REST, (_INTERACTION, "read", "read"), "R"),
    "write": _Kind(_REST, (_INTERACTION, "update", "update"), "U"),
    # DICOM PS3.15, A.5.3.2 Audit Log Used; A.5.3.5 Data Export; A.5.3.11 Security Alert.
    "audit-read": _Kind((_DCM, "110101", "Audit Log Used"), None, "R"),
    "export": _Kind((_DCM, "110106", "Export"), None, "R"),
    "break-glass": _Kind((_DCM, "110113", "Security Alert"), (_DCM, EMERGENCY, "Emergency Override Started"), "E"),
    "refused": _Kind((_DCM, "110113", "Security Alert"), (_DCM, "110132", "Use of Restricted Function"), "E"),
    # FHIR R4 ValueSet audit-event-type includes the ISO 21089 lifecycle events, of which link and unlink are two.
    "identity-link": _Kind((_LIFECYCLE, "link", "link"), None, "U"),
    "identity-unlink": _Kind((_LIFECYCLE, "unlink", "unlink"), None, "U"),
    "identity-read": _Kind((_LIFECYCLE, "access", "access"), None, "R"),
    "identity-erase": _Kind((_LIFECYCLE, "destroy", "destroy"), None, "D"),
}

# FHIR R4 CodeSystem audit-event-outcome: 0 completed, with warnings or not; 4 as HTTP 400; 8 as HTTP 500.
# What is intended is written before it is done; until another entry says how it ended, nobody knows.
_OUTCOMES: dict[str, str] = {"intended": "0", "success": "0", "partial": "0", "refused": "4", "failure": "8"}


@dataclass(frozen=True, slots=True)
class Shown:
    """Ids of the items of one source that were returned to the user."""

    system: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent to a system to be written there, and what it answered.

    Args:
        details: Pairs of kind and value: `verb`, `url`, `body`, `status`, `answer`, `pointer`, `request-id`. A body of
            a pointer names the person by NHS number and holds no clinical content beside the kind of document.
    """

    system: str
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Withholding:
    """Something that a silent policy kept back; for the privacy officer's stream alone.

    Args:
        system: Configured name of the source.
        item: The source's id of the item; None where a whole section or system was kept back.
        policy: Name of the policy.
        section: Section of the record.
    """

    system: str
    item: str | None
    policy: str
    section: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One thing that happened.

    Args:
        action: What was done, or asked for.
        outcome: How it went; `partial` where systems did not answer, `intended` before something is written elsewhere.
        who: Who asked, and why.
        patient: NHS number; None where no person was identified.
        verified_by: Who verified the claimed relationship; None if it was only asserted.
        purpose: Why; as `who.purpose`.
        sections: Sections of the record that were asked for.
        systems_asked: Configured names of the systems that were asked. Nothing of silent policies.
        gaps: Systems that did not contribute, each with its reason code.
        shown: What was returned to the user.
        sent: What was sent to be written, and answered.
        not_for_role: Sections that were asked for and are not for the user's role.
        decision: What was done to an identity decision, as pairs of a word and its value.
        correlation_id: The `X-Request-ID` of the work.
        reason_code: Enumerated code of a refusal or failure.
        at: When, aware.
    Raises:
        UsageError: An unknown action or outcome, a time without an offset, or not an NHS number.
    """

    action: Action
    outcome: Outcome
    who: AccessContext
    patient: str | None = None
    verified_by: str | None = None
    purpose: str = "direct-care"
    sections: tuple[str, ...] = ()
    systems_asked: tuple[str, ...] = ()
    gaps: tuple[tuple[str, str], ...] = ()
    shown: tuple[Shown, ...] = ()
    sent: tuple[Sent, ...] = ()
    not_for_role: tuple[str, ...] = ()
    decision: tuple[tuple[str, str], ...] = ()
    correlation_id: str
    reason_code: str | None = None
    at: datetime

    def __post_init__(self) -> None:
        if self.action not in get_args(Action):
            raise UsageError(f"AuditRecord.action: one of {', '.join(get_args(Action))} is expected")
        if self.outcome not in get_args(Outcome):
            raise UsageError(f"AuditRecord.outcome: one of {', '.join(get_args(Outcome))} is expected")
        if self.at.tzinfo is None:
            raise UsageError("AuditRecord.at: a time with an offset is expected")
        if self.patient is not None:
            object.__setattr__(self, "patient", nhs_number(self.patient))


def to_audit_event(record: AuditRecord, withheld: Sequence[Withholding] | None = None) -> dict[str, Any]:
    """The record as a FHIR R4 AuditEvent, plain JSON.

    Args:
        record: What happened.
        withheld: What silent policies kept back; only for the privacy officer's stream.
    Returns:
        A resource without `id`; the trail gives it one.

    >>> who = AccessContext(user="u1", name="Jane Doe", role="nurse", organisation="RRE", purpose="direct-care",
    ...                     relationship="caseload")
    >>> event = to_audit_event(AuditRecord(action="read", outcome="success", who=who, patient="999 000 0018",
    ...     correlation_id="c1", at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)))
    >>> event["action"], event["outcome"], event["recorded"], patient_of(event)
    ('R', '0', '2026-01-02T03:04:05.000000+00:00', '9990000018')
    """
    kind = _KINDS[record.action]
    if withheld is not None:
        kind = replace(kind, subtype=None)
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "type": _coding(kind.type),
        "action": kind.action,
        "recorded": _instant(record.at),
        "outcome": _OUTCOMES[record.outcome],
        "outcomeDesc": fhir_text(f"{record.outcome}: {record.reason_code}" if record.reason_code else record.outcome),
        "purposeOfEvent": [_purpose(record)],
        "agent": _agents(record),
        "source": _source(),
        "entity": _entities(record) + [_withheld_entity(thing) for thing in withheld or ()],
    }
    if kind.subtype:
        event["subtype"] = [_coding(kind.subtype)]
    # BALP: "failures are recorded differently", and its patient slice is mandatory; so only this case claims it.
    if record.action == "read" and withheld is None and record.patient and event["outcome"] == "0":
        event["meta"] = {"profile": [PATIENT_READ]}
    return event


def housekeeping_event(what: Literal["purge", "loss"], words: str, at: datetime) -> dict[str, Any]:
    """An event of the trail's own upkeep, which no user asked for through an access context."""
    code, action = ("destroy", "D") if what == "purge" else ("verify", "E")
    host = _host()
    return {
        "resourceType": "AuditEvent",
        # FHIR R4 ValueSet audit-event-type includes the ISO 21089 lifecycle events.
        "type": _coding((_LIFECYCLE, code, code)),
        "action": action,
        "recorded": _instant(at),
        "outcome": "0",
        "outcomeDesc": words,
        "agent": [{"type": _concept((_DCM, "110150", "Application")), "who": {"display": host}, "requestor": True}],
        "source": _source(),
        "entity": [
            {
                "what": {"display": "audit trail"},
                "type": _coding((_ENTITY_TYPE, "2", "System Object")),
                "role": _coding((_OBJECT_ROLE, "13", "Security Resource")),
            }
        ],
    }


def patient_of(event: Mapping[str, Any]) -> str | None:
    """The NHS number of an event that `to_audit_event` made; None if it names nobody."""
    for entity in _dicts(event.get("entity")):
        identifier = _dict(_dict(entity.get("what")).get("identifier"))
        if identifier.get("system") == NHS_NUMBER_SYSTEM:
            return _str(identifier.get("value"))
    return None


def user_of(event: Mapping[str, Any]) -> str | None:
    """The id of the user who asked; None for the trail's own upkeep."""
    return agent_of(event).get("user")


def agent_of(event: Mapping[str, Any]) -> dict[str, str]:
    """Who asked: `user`, `name`, `role` and `organisation`, as far as the event says."""
    said: dict[str, str | None] = {}
    for agent in _dicts(event.get("agent")):
        value = _str(_dict(_dict(agent.get("who")).get("identifier")).get("value"))
        codes = {c.get("code") for c in _dicts(_dict(agent.get("type")).get("coding"))}
        if "IRCP" in codes:
            roles = [_str(role.get("text")) for role in _dicts(agent.get("role"))]
            said |= {"user": value, "name": _str(agent.get("name")), "role": roles[0] if roles else None}
        elif "PROV" in codes:
            said["organisation"] = value
    return {key: value for key, value in said.items() if value is not None}


def details_of(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the event says of the request itself: action, relationship, sections and so on, as pairs."""
    for entity in _dicts(event.get("entity")):
        if _dict(entity.get("role")).get("code") in ("4", "13"):
            pairs = [(_str(d.get("type")), _str(d.get("valueString"))) for d in _dicts(entity.get("detail"))]
            return [(kind, value) for kind, value in pairs if kind is not None and value is not None]
    return []


def correlation_of(event: Mapping[str, Any]) -> str | None:
    """The `X-Request-ID` of the work."""
    for entity in _dicts(event.get("entity")):
        if _dict(entity.get("type")).get("code") == "XrequestId":
            return _str(_dict(_dict(entity.get("what")).get("identifier")).get("value"))
    return None


def recorded_of(event: Mapping[str, Any]) -> str | None:
    """When it happened, as the event writes it."""
    return _str(event.get("recorded"))


def shown_in(event: Mapping[str, Any]) -> Iterator[Shown]:
    """What the event says was shown, source by source."""
    for system, detail in _system_details(event):
        items = tuple(value for kind, value in detail if kind == "shown")
        if items:
            yield Shown(system, items)


def systems_asked_in(event: Mapping[str, Any]) -> tuple[str, ...]:
    """The systems that the event says were asked."""
    return tuple(system for system, detail in _system_details(event) if ("asked", "yes") in detail)


def withheld_in(event: Mapping[str, Any]) -> Iterator[Withholding]:
    """What an event of the privacy officer's stream says was kept back."""
    for system, detail in _system_details(event):
        said = dict(detail)
        if "policy" in said:
            yield Withholding(system, said.get("withheld"), said["policy"], said.get("section"))


def _system_details(event: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for entity in _dicts(event.get("entity")):
        system = _str(_dict(_dict(entity.get("what")).get("identifier")).get("value"))
        if _dict(entity.get("role")).get("code") == "17" and system:
            pairs = [(_str(d.get("type")), _str(d.get("valueString"))) for d in _dicts(entity.get("detail"))]
            yield system, [(kind, value) for kind, value in pairs if kind is not None and value is not None]


def _agents(record: AuditRecord) -> list[dict[str, Any]]:
    who, host = record.who, _host()
    user: dict[str, Any] = {
        "type": _concept((_PARTICIPATION, "IRCP", "information recipient")),
        "who": {"identifier": {"value": fhir_text(who.user)}, "display": fhir_text(who.name)},
        "name": fhir_text(who.name),
        "role": [{"text": fhir_text(who.role)}],
        "requestor": True,
    }
    if who.practitioner_id:
        user["altId"] = fhir_text(who.practitioner_id)
    agents = [
        user,
        {  # BALP, SAML and OAuth patterns, slice userorg
            "type": _concept((_ROLE_CLASS, "PROV", "healthcare provider")),
            "who": {
                "identifier": {"system": ODS_ORGANIZATION_SYSTEM, "value": fhir_text(who.organisation)},
                "display": fhir_text(who.organisation),
            },
            "requestor": False,
        },
        {  # BALP Read, slice client: the application, and the device the user sits at where it is known
            "type": _concept((_DCM, "110152", "Destination Role ID")),
            "who": {"display": fhir_text(who.device or host)},
            "network": {"address": host, "type": "1"},
            "requestor": False,
        },
        {  # BALP Read, slice server: this SDK, which answers the application inside its own process
            "type": _concept((_DCM, "110153", "Source Role ID")),
            "who": {"display": "mpftconnect"},
            "network": {"address": host, "type": "1"},
            "requestor": False,
        },
    ]
    if who.role_profile_id:
        agents.append(
            {
                "type": {"text": "role profile"},
                "who": {"identifier": {"system": _ROLE_PROFILE, "value": fhir_text(who.role_profile_id)}},
                "requestor": False,
            }
        )
    return agents


def _entities(record: AuditRecord) -> list[dict[str, Any]]:
    entities: list[dict[str, Any]] = []
    if record.patient:
        entities.append(
            {
                "what": {"type": "Patient", "identifier": {"system": NHS_NUMBER_SYSTEM, "value": record.patient}},
                "type": _coding((_ENTITY_TYPE, "1", "Person")),
                "role": _coding((_OBJECT_ROLE, "1", "Patient")),
            }
        )
    entities.append(_data_entity(record))
    entities.append(
        {  # BALP Read, slice transaction
            "what": {"identifier": {"value": fhir_text(record.correlation_id)}},
            "type": _coding((_BALP_ENTITY_TYPE, "XrequestId", "X-Request-Id")),
        }
    )
    gaps = {system: [reason for name, reason in record.gaps if name == system] for system, _ in record.gaps}
    shown: dict[str, list[str]] = {}
    for seen in record.shown:
        shown.setdefault(seen.system, []).extend(seen.items)
    sent: dict[str, list[tuple[str, str]]] = {}
    for one in record.sent:
        sent.setdefault(one.system, []).extend((f"sent-{kind}", value) for kind, value in one.details)
    for system in dict.fromkeys((*record.systems_asked, *gaps, *shown, *sent)):
        details = [("gap", reason) for reason in gaps.get(system, ())] + [("shown", i) for i in shown.get(system, ())]
        details += sent.get(system, ())
        if system in record.systems_asked:
            details.insert(0, ("asked", "yes"))
        entities.append(_system_entity(system, details))
    return entities


def _data_entity(record: AuditRecord) -> dict[str, Any]:
    who = record.who
    audit, identity = record.action == "audit-read", record.action.startswith("identity-")
    details = [
        ("action", record.action),
        ("relationship", who.relationship),
        ("relationship-status", f"verified by {record.verified_by}" if record.verified_by else "asserted"),
        *(("section", section) for section in record.sections),
        *(("not-for-role", section) for section in record.not_for_role),
        *record.decision,
    ]
    if who.role_code:
        details.append(("role-code", who.role_code))
    if record.action == "break-glass" and who.reason:
        details.append(("reason", who.reason))
    if who.session:
        details.append(("session", who.session))
    return {
        "what": {"display": "audit trail" if audit else "identity decision" if identity else "merged record"},
        "type": _coding((_ENTITY_TYPE, "2", "System Object")),
        "role": _coding(
            (_OBJECT_ROLE, "13", "Security Resource") if audit or identity else (_OBJECT_ROLE, "4", "Domain Resource"),
        ),
        "detail": _details(details),
    }


def _system_entity(system: str, details: list[tuple[str, str]]) -> dict[str, Any]:
    # BALP allows one entity of type "System Object" and one "Person"; other kinds are open, so sources are "Other".
    entity: dict[str, Any] = {
        "what": {"identifier": {"value": fhir_text(system)}},
        "type": _coding((_ENTITY_TYPE, "4", "Other")),
        "role": _coding((_OBJECT_ROLE, "17", "Data Repository")),
    }
    if details:
        entity["detail"] = _details(details)
    return entity


def _withheld_entity(thing: Withholding) -> dict[str, Any]:
    details = [("policy", thing.policy)]
    details += [("withheld", thing.item)] if thing.item else []
    details += [("section", thing.section)] if thing.section else []
    return _system_entity(thing.system, details)


def _details(pairs: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"type": kind, "valueString": fhir_text(value)} for kind, value in pairs]


def _purpose(record: AuditRecord) -> dict[str, Any]:
    concept: dict[str, Any] = {"text": fhir_text(record.purpose)}
    if record.action == "break-glass":
        concept["coding"] = [_coding((_ACT_REASON, "BTG", "break the glass"))]
    elif record.purpose == "direct-care":
        concept["coding"] = [_coding((_ACT_REASON, "TREAT", "treatment"))]
    return concept


def _source() -> dict[str, Any]:
    return {
        "site": _host(),
        "observer": {"display": "mpftconnect"},
        "type": [_coding((_SOURCE_TYPE, "4", "Application Server"))],
    }


def _host() -> str:
    return fhir_text(socket.gethostname())


def _instant(at: datetime) -> str:
    # One width and one offset, so that the store can compare times as text.
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _coding(code: Code) -> dict[str, str]:
    system, value, display = code
    return {"system": system, "code": value, "display": display}


def _concept(code: Code) -> dict[str, Any]:
    return {"coding": [_coding(code)]}


# FHIR R4, data type string: not empty, no control characters but tab, line feed and carriage return. Lone surrogates
# are no characters at all. Whoever sends such a thing shall neither lose nor spoil the entry.
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def fhir_text(value: str) -> str:
    """The value as a FHIR string may hold it; every lookup by a value goes through here too.

    >>> fhir_text("a\\x00b") == "a\\ufffdb", fhir_text(" ")
    (True, 'not stated')
    """
    return _NOT_TEXT.sub("\ufffd", value) if value.strip() else "not stated"


def _str(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []
