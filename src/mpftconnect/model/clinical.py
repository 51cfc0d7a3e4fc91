"""Clinical and administrative items. Names and fields are FHIR R4's, in snake case.

Status and other coded fields are plain strings: an unknown code from a source is kept and shown as it came,
never mapped to a near one.
"""

from __future__ import annotations

from typing import Final, Literal

from mpftconnect.model.coded import SNOMED, Concept, Period, Quantity, Range, Ratio, Reference
from mpftconnect.model.dates import When
from mpftconnect.model.identifiers import Identifier
from mpftconnect.model.people import Actor
from mpftconnect.model.provenance import Item
from mpftconnect.model.results import NOT_ACKNOWLEDGED, is_ordered, is_result_document
from mpftconnect.model.schema import Model
from mpftconnect.model.withdrawal import withdrawal

__all__ = [
    "AllergyIntolerance",
    "Appointment",
    "Attachment",
    "CareTeam",
    "ClinicalItem",
    "Condition",
    "Consent",
    "DiagnosticReport",
    "DocumentReference",
    "Dosage",
    "Encounter",
    "Flag",
    "Immunization",
    "LegalStatus",
    "MedicationStatement",
    "NoteHeading",
    "Observation",
    "ObservationComponent",
    "Participant",
    "ProblemLink",
    "ProgressNote",
    "Reaction",
    "ReferenceRange",
    "ServiceRequest",
    "Specimen",
    "Value",
]

# Where an item may say that it no longer stands.
_STATUS_FIELDS = ("verification_status", "status", "doc_status")

Value = Quantity | Range | Ratio | Concept | Period | When | bool | int | str


def _value_words(value: Value) -> str:
    if isinstance(value, Quantity | Range | Ratio | Concept | Period | When):
        return value.words()
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


class ClinicalItem(Item):
    """An item about one person.

    Args:
        subject: Whom the source says it is about; the hub refuses an item about somebody else.
        identifiers: Business identifiers of the thing.
        encounter: The contact in which it arose.
        based_on: What asked for it or led to it, and what it is part of.
        author: Who recorded or asserted it.
        service: The service, specialty or department it comes from.
        note: Free text beside it.
    """

    subject: Reference | None = None
    identifiers: tuple[Identifier, ...] = ()
    encounter: Reference | None = None
    based_on: tuple[Reference, ...] = ()
    author: Actor | None = None
    service: Concept | None = None
    note: tuple[str, ...] = ()

    @property
    def withdrawn(self) -> str | None:
        fields = self.__dict__
        what = withdrawal(type(self).__name__, *(fields[name] for name in _STATUS_FIELDS if name in fields))
        if what is None:
            return None
        reason = "; ".join(self._withdrawal_reasons())
        return f"{what}: {reason}" if reason else what

    def _withdrawal_reasons(self) -> tuple[str, ...]:
        """Why it was withdrawn, where the source has a place for that."""
        return ()


class ProblemLink(Model):
    """How a problem hangs together with another one.

    Args:
        problem: The other problem.
        type: What the other one is to this, as the source words it: `parent`, `child` or `sibling`.
    """

    problem: Reference
    type: str | None = None

    def words(self) -> str:
        name = self.problem.display or "a problem that the source does not name here"
        return f"{self.type}: {name}" if self.type else name


class Condition(ClinicalItem):
    """A problem, diagnosis or need (FHIR `Condition`).

    Args:
        significance: Whether the problem is `major` or `minor`, as its recorder judged.
        episode: First, new, ongoing and the like, as the source words it.
        actual: The entry of the record that was made a problem.
        content: What else in the record has to do with the problem: medicines, results, contacts.
        related: Other problems that it hangs together with.
    """

    code: Concept
    clinical_status: Concept | None = None
    verification_status: Concept | None = None
    category: tuple[Concept, ...] = ()
    severity: Concept | None = None
    body_site: tuple[Concept, ...] = ()
    onset: When | Period | str | None = None
    abatement: When | Period | str | None = None
    significance: str | None = None
    episode: Concept | None = None
    actual: Reference | None = None
    content: tuple[Reference, ...] = ()
    related: tuple[ProblemLink, ...] = ()

    @property
    def clinical_date(self) -> When | None:
        if isinstance(self.onset, When):
            return self.onset
        return self.onset.start if isinstance(self.onset, Period) and self.onset.start else self.recorded

    def words(self) -> str:
        return self.code.words()


class Reaction(Model):
    """What happened on exposure (FHIR `AllergyIntolerance.reaction`)."""

    manifestation: tuple[Concept, ...] = ()
    substance: Concept | None = None
    severity: str | None = None
    onset: When | None = None
    description: str | None = None


# SNOMED CT: 716186003 No known allergy and its children 409137002 (drug), 428607008 (environmental), 429625007
# (food). They assert absence; nothing else does.
_NO_KNOWN_ALLERGY = ("716186003", "409137002", "428607008", "429625007")


class AllergyIntolerance(ClinicalItem):
    """An allergy or intolerance, or a clinician's assertion that none is known (FHIR `AllergyIntolerance`).

    Args:
        ended: When the source stopped taking it for one.
        reason_ended: Why.

    >>> from datetime import datetime, UTC
    >>> from mpftconnect.model import Source, concept
    >>> source = Source(system="gp", id="1", fetched=datetime.now(UTC))
    >>> AllergyIntolerance(source=source, code=concept("No known allergies", "716186003")).asserts_none
    True
    """

    code: Concept
    clinical_status: Concept | None = None
    verification_status: Concept | None = None
    type: str | None = None
    category: tuple[str, ...] = ()
    criticality: str | None = None
    onset: When | Period | str | None = None
    last_occurrence: When | None = None
    reactions: tuple[Reaction, ...] = ()
    ended: When | None = None
    reason_ended: str | None = None

    @property
    def asserts_none(self) -> bool:
        return self.code.has(SNOMED, *_NO_KNOWN_ALLERGY)

    @property
    def clinical_date(self) -> When | None:
        return self.onset if isinstance(self.onset, When) else self.recorded

    def words(self) -> str:
        return self.code.words()


class Dosage(Model):
    """How to take a medicine, as the source wrote it. Nothing here is ever computed (rule 2)."""

    text: str | None = None
    patient_instruction: str | None = None
    dose: Quantity | Range | None = None
    rate: Quantity | Range | Ratio | None = None
    max_dose: Ratio | None = None
    route: Concept | None = None
    site: Concept | None = None
    method: Concept | None = None
    timing: str | None = None
    as_needed: bool | Concept | None = None
    sequence: int | None = None

    def words(self) -> str:
        if self.text:
            return self.text
        needed = "as needed" if self.as_needed is True else None
        if isinstance(self.as_needed, Concept):
            needed = f"as needed for {self.as_needed.words()}"
        parts = (
            self.dose.words() if self.dose else None,
            self.route.words() if self.route else None,
            self.timing,
        )
        return ", ".join(part for part in (*parts, needed) if part) or "dosage not stated"


class MedicationStatement(ClinicalItem):
    """A medicine that the person takes, took or was prescribed.

    Args:
        kind: `statement` (FHIR `MedicationStatement`) or `request` (FHIR `MedicationRequest`).
        course: Repeat, acute and the like, as the source words it.
        effective: When it is or was taken.
        authored: When the request was written.
        status_reason: Why it was stopped or held.
        status_changed: When it was.
        quantity_text: The amount supplied in the source's words, where it gives words.
        supply: How long the amount is to last.
        validity: From when until when the request or authorisation holds.
        repeats_issued: How often it was issued under this authorisation.
        authorised_until: When the authorisation of repeats ends.
        dosage_changed: When the dosage was last changed under this authorisation.
        agency: Where it was prescribed or bought, as the source words it.
    """

    kind: Literal["statement", "request"] = "statement"
    status: str | None = None
    status_reason: tuple[Concept, ...] = ()
    intent: str | None = None
    category: tuple[Concept, ...] = ()
    medication: Concept
    course: Concept | None = None
    effective: When | Period | None = None
    authored: When | None = None
    last_issued: When | None = None
    dosage: tuple[Dosage, ...] = ()
    quantity: Quantity | None = None
    repeats_allowed: int | None = None
    reason: tuple[Concept, ...] = ()
    status_changed: When | None = None
    quantity_text: str | None = None
    supply: Quantity | None = None
    validity: Period | None = None
    repeats_issued: int | None = None
    authorised_until: When | None = None
    dosage_changed: When | None = None
    agency: Concept | None = None

    @property
    def clinical_date(self) -> When | None:
        if isinstance(self.effective, When):
            return self.effective
        if isinstance(self.effective, Period) and self.effective.start:
            return self.effective.start
        return self.authored or self.recorded

    def _withdrawal_reasons(self) -> tuple[str, ...]:
        return tuple(reason.words() for reason in self.status_reason)

    def words(self) -> str:
        dosage = "; ".join(dose.words() for dose in self.dosage)
        return f"{self.medication.words()}: {dosage}" if dosage else self.medication.words()


class ReferenceRange(Model):
    """What the laboratory calls usual, as it sent it. A flag is never worked out from it."""

    low: Quantity | None = None
    high: Quantity | None = None
    type: Concept | None = None
    text: str | None = None

    def words(self) -> str:
        return self.text or Range(low=self.low, high=self.high).words()


class ObservationComponent(Model):
    """One part of a result, such as systolic pressure (FHIR `Observation.component`)."""

    code: Concept
    value: Value | None = None
    data_absent_reason: Concept | None = None
    interpretation: tuple[Concept, ...] = ()
    reference_ranges: tuple[ReferenceRange, ...] = ()

    def words(self) -> str:
        return f"{self.code.words()} {_value_words(self.value) if self.value is not None else 'value not stated'}"


class Observation(ClinicalItem):
    """A result, measurement or finding (FHIR `Observation`)."""

    code: Concept
    status: str | None = None
    category: tuple[Concept, ...] = ()
    effective: When | Period | None = None
    issued: When | None = None
    value: Value | None = None
    data_absent_reason: Concept | None = None
    interpretation: tuple[Concept, ...] = ()
    reference_ranges: tuple[ReferenceRange, ...] = ()
    components: tuple[ObservationComponent, ...] = ()
    body_site: Concept | None = None
    method: Concept | None = None
    specimen: Reference | None = None
    performers: tuple[Actor, ...] = ()
    members: tuple[Reference, ...] = ()

    @property
    def clinical_date(self) -> When | None:
        if isinstance(self.effective, When):
            return self.effective
        start = self.effective.start if isinstance(self.effective, Period) else None
        return start or self.issued or self.recorded

    def _withdrawal_reasons(self) -> tuple[str, ...]:
        # FHIR R4 has no element for it: laboratories say why in the reason for the missing value or in a note.
        absent = (self.data_absent_reason.words(),) if self.data_absent_reason else ()
        return (*absent, *self.note)

    @property
    def caution(self) -> str | None:
        return NOT_ACKNOWLEDGED if is_ordered(self.category) else None

    def words(self) -> str:
        if self.components:
            return f"{self.code.words()}: {'; '.join(part.words() for part in self.components)}"
        if self.value is not None:
            return f"{self.code.words()}: {_value_words(self.value)}"
        reason = self.data_absent_reason.words() if self.data_absent_reason else None
        if reason is None and self.note:
            # GP systems record most findings as a code with a comment and no value.
            return f"{self.code.words()}: {'; '.join(self.note)}"
        return f"{self.code.words()}: value not stated" + (f" ({reason})" if reason else "")


class Specimen(ClinicalItem):
    """What was examined (FHIR `Specimen`)."""

    status: str | None = None
    type: Concept | None = None
    accession: Identifier | None = None
    received: When | None = None
    collected: When | Period | None = None
    quantity: Quantity | None = None
    body_site: Concept | None = None

    @property
    def clinical_date(self) -> When | None:
        if isinstance(self.collected, When):
            return self.collected
        return (self.collected.start if self.collected else None) or self.received or self.recorded

    def words(self) -> str:
        collected = f", collected {self.collected.words()}" if self.collected else ""
        return f"{self.type.words() if self.type else 'specimen, type not stated'}{collected}"


class Attachment(Model):
    """A document's content or where to fetch it (FHIR `Attachment`)."""

    content_type: str | None = None
    url: str | None = None
    data_base64: str | None = None
    title: str | None = None
    size: int | None = None
    hash: str | None = None
    created: When | None = None
    language: str | None = None


class DiagnosticReport(ClinicalItem):
    """A report of investigations (FHIR `DiagnosticReport`)."""

    code: Concept
    status: str | None = None
    category: tuple[Concept, ...] = ()
    effective: When | Period | None = None
    issued: When | None = None
    conclusion: str | None = None
    conclusion_codes: tuple[Concept, ...] = ()
    results: tuple[Reference, ...] = ()
    specimens: tuple[Reference, ...] = ()
    performers: tuple[Actor, ...] = ()
    attachments: tuple[Attachment, ...] = ()

    @property
    def clinical_date(self) -> When | None:
        return self.effective if isinstance(self.effective, When) else self.issued or self.recorded

    def _withdrawal_reasons(self) -> tuple[str, ...]:
        return self.note

    @property
    def caution(self) -> str | None:
        return NOT_ACKNOWLEDGED

    def words(self) -> str:
        return f"{self.code.words()}: {self.conclusion}" if self.conclusion else self.code.words()


class DocumentReference(ClinicalItem):
    """A letter or other document, or a pointer to one (FHIR `DocumentReference`)."""

    status: str | None = None
    doc_status: str | None = None
    type: Concept | None = None
    category: tuple[Concept, ...] = ()
    date: When | None = None
    description: str | None = None
    custodian: Actor | None = None
    attachments: tuple[Attachment, ...] = ()
    practice_setting: Concept | None = None
    period: Period | None = None

    @property
    def clinical_date(self) -> When | None:
        return self.date or self.recorded

    @property
    def caution(self) -> str | None:
        titles = (attachment.title for attachment in self.attachments)
        said = (self.type, *self.category, self.practice_setting, self.service, self.description, *titles)
        return NOT_ACKNOWLEDGED if is_result_document(said) else None

    def words(self) -> str:
        title = next((a.title for a in self.attachments if a.title), None)
        return self.description or title or (self.type.words() if self.type else "document, type not stated")


class NoteHeading(Model):
    """One heading of a note and which entries of the record stand under it.

    Args:
        title: The heading, such as `History`; None where entries stand under the topic itself.
        topic: The topic that it belongs to: what this part of the contact was about.
        problems: The problems that the topic is about.
        items: The entries, in the source's order. One that it names but did not send has only a display.
    """

    title: str | None = None
    topic: str | None = None
    problems: tuple[Reference, ...] = ()
    items: tuple[Reference, ...] = ()

    def words(self) -> str:
        return " - ".join(part for part in (self.topic, self.title) if part) or "no heading"


class ProgressNote(ClinicalItem):
    """What a professional wrote of a contact. In FHIR: a `DocumentReference` of category clinical note.

    Args:
        text: All of it, headings included.
        headings: Its parts, where the source keeps them apart.
    """

    text: str
    type: Concept | None = None
    date: When | None = None
    status: str | None = None
    headings: tuple[NoteHeading, ...] = ()

    @property
    def clinical_date(self) -> When | None:
        return self.date or self.recorded

    def words(self) -> str:
        return self.text


class Participant(Model):
    """Someone who takes part, in what role and whether they said yes."""

    actor: Actor
    role: Concept | None = None
    period: Period | None = None
    status: str | None = None

    def words(self) -> str:
        return f"{self.actor.words()} ({self.role.words()})" if self.role else self.actor.words()


# HL7 v3 ActEncounterCode (v3-ActCode), in plain words: what a contact is called that has no words of its own.
_SORTS: Final = {
    "IMP": "inpatient stay",
    "ACUTE": "inpatient stay",
    "EMER": "emergency attendance",
    "AMB": "outpatient contact",
    "HH": "contact at home",
    "PRENC": "planned stay",
    "SS": "short stay",
    "VR": "remote contact",
}


class Encounter(ClinicalItem):
    """A contact between the person and a service (FHIR `Encounter`)."""

    status: str | None = None
    encounter_class: str | None = None
    type: tuple[Concept, ...] = ()
    reason: tuple[Concept, ...] = ()
    period: Period | None = None
    participants: tuple[Participant, ...] = ()
    location: tuple[Actor, ...] = ()
    provider: Actor | None = None

    @property
    def clinical_date(self) -> When | None:
        return self.period.start if self.period and self.period.start else self.recorded

    def words(self) -> str:
        named = list(self.type) or ([self.service] if self.service else [])
        if not any(each.text or any(coding.display for coding in each.coding) for each in named):
            # A bare code tells a reader less than what sort of contact it was.
            sort = _SORTS.get(self.encounter_class or "")
            if sort is not None:
                return sort
        return ", ".join(each.words() for each in named) or "contact"


class Appointment(ClinicalItem):
    """A booking (FHIR `Appointment`)."""

    status: str | None = None
    type: Concept | None = None
    reason: tuple[Concept, ...] = ()
    description: str | None = None
    start: When | None = None
    end: When | None = None
    minutes: int | None = None
    created: When | None = None
    participants: tuple[Participant, ...] = ()
    location: tuple[Actor, ...] = ()
    patient_instruction: str | None = None
    cancellation_reason: Concept | None = None

    @property
    def clinical_date(self) -> When | None:
        return self.start or self.recorded

    def _withdrawal_reasons(self) -> tuple[str, ...]:
        return (self.cancellation_reason.words(),) if self.cancellation_reason else ()

    def words(self) -> str:
        named = self.type or self.service or next(iter(self.reason), None) or Concept(text="appointment")
        return self.description or named.words()


class ServiceRequest(ClinicalItem):
    """A referral or another request that something be done (FHIR `ServiceRequest`).

    Args:
        description: The request in the source's words, beside its codes.
    """

    status: str | None = None
    intent: str | None = None
    category: tuple[Concept, ...] = ()
    priority: str | None = None
    code: Concept | None = None
    reason: tuple[Concept, ...] = ()
    authored: When | None = None
    occurrence: When | Period | None = None
    performers: tuple[Actor, ...] = ()
    description: str | None = None

    @property
    def clinical_date(self) -> When | None:
        return self.authored or self.recorded

    def words(self) -> str:
        first = self.code or self.service or Concept(text=self.description)
        return first.words() if first != Concept() else (*self.reason, Concept(text="referral"))[0].words()


class Flag(ClinicalItem):
    """An alert or a risk, safeguarding included (FHIR `Flag`)."""

    status: str | None = None
    category: tuple[Concept, ...] = ()
    code: Concept
    period: Period | None = None

    @property
    def clinical_date(self) -> When | None:
        return self.period.start if self.period and self.period.start else self.recorded

    def words(self) -> str:
        return self.code.words()


class LegalStatus(ClinicalItem):
    """A legal status: Mental Health Act section, DoLS, lasting power of attorney, and so on."""

    code: Concept
    status: str | None = None
    period: Period | None = None
    review: When | None = None
    authority: Actor | None = None
    conditions: str | None = None

    @property
    def clinical_date(self) -> When | None:
        return self.period.start if self.period and self.period.start else self.recorded

    def words(self) -> str:
        return self.code.words()


class Consent(ClinicalItem):
    """A consent, refusal or advance statement (FHIR `Consent`)."""

    status: str | None = None
    scope: Concept | None = None
    category: tuple[Concept, ...] = ()
    decision: str | None = None
    given: When | None = None
    period: Period | None = None
    policy: str | None = None
    attachments: tuple[Attachment, ...] = ()

    @property
    def clinical_date(self) -> When | None:
        return self.given or self.recorded

    def words(self) -> str:
        name = (self.scope or (self.category[0] if self.category else Concept(text="consent"))).words()
        return f"{name}: {self.decision}" if self.decision else name


# HL7 v3 NullFlavor: what stands in `vaccineCode`, which is required, where only the procedure was coded.
_NULL_FLAVORS = ("http://hl7.org/fhir/v3/NullFlavor", "http://terminology.hl7.org/CodeSystem/v3-NullFlavor")


class Immunization(ClinicalItem):
    """A vaccination given or not given (FHIR `Immunization`).

    Args:
        procedure: The act of vaccinating as the source coded it; some sources code this and no product.
        reason: Why it was given.
        parent_present: Whether a parent was there.
    """

    status: str | None = None
    status_reason: Concept | None = None
    vaccine: Concept
    occurrence: When | str | None = None
    primary_source: bool | None = None
    lot_number: str | None = None
    manufacturer: Actor | None = None
    expiration: When | None = None
    site: Concept | None = None
    route: Concept | None = None
    dose: Quantity | None = None
    dose_number: str | None = None
    target_disease: tuple[Concept, ...] = ()
    performers: tuple[Actor, ...] = ()
    location: Actor | None = None
    procedure: Concept | None = None
    reason: tuple[Concept, ...] = ()
    parent_present: bool | None = None

    @property
    def clinical_date(self) -> When | None:
        return self.occurrence if isinstance(self.occurrence, When) else self.recorded

    def _withdrawal_reasons(self) -> tuple[str, ...]:
        return (self.status_reason.words(),) if self.status_reason else ()

    def words(self) -> str:
        unknown = self.vaccine == Concept() or any(coding.system in _NULL_FLAVORS for coding in self.vaccine.coding)
        name = (self.procedure if unknown and self.procedure else self.vaccine).words()
        return f"{name} ({self.status})" if self.status != "completed" else name


class CareTeam(ClinicalItem):
    """A team around the person and who is in it (FHIR `CareTeam`)."""

    name: str | None = None
    status: str | None = None
    category: tuple[Concept, ...] = ()
    period: Period | None = None
    participants: tuple[Participant, ...] = ()
    organization: tuple[Actor, ...] = ()

    def words(self) -> str:
        members = "; ".join(member.words() for member in self.participants)
        return ": ".join(part for part in (self.name, members) if part) or "care team, members not stated"
