"""The sections of a record. Empty never means none (rule 1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar, overload

from mpftconnect.errors import IncompleteRecord
from mpftconnect.model.care_plan import CarePlan
from mpftconnect.model.clinical import (
    AllergyIntolerance,
    Appointment,
    CareTeam,
    Condition,
    Consent,
    DiagnosticReport,
    DocumentReference,
    Encounter,
    Flag,
    Immunization,
    LegalStatus,
    MedicationStatement,
    Observation,
    ProgressNote,
    ServiceRequest,
)
from mpftconnect.model.people import RelatedPerson
from mpftconnect.model.provenance import Item
from mpftconnect.model.results import NOT_ACKNOWLEDGED

__all__ = ["SECTION_TYPES", "Notice", "Section", "SectionName", "SectionStatus"]

T = TypeVar("T", bound=Item)


class SectionName(StrEnum):
    """The sections, named as the attributes of `Record`."""

    CARE_PLANS = "care_plans"
    PROBLEMS = "problems"
    MEDICATIONS = "medications"
    ALLERGIES = "allergies"
    RESULTS = "results"
    REPORTS = "reports"
    DOCUMENTS = "documents"
    ENCOUNTERS = "encounters"
    NOTES = "notes"
    APPOINTMENTS = "appointments"
    REFERRALS = "referrals"
    ALERTS = "alerts"
    CARE_TEAM = "care_team"
    CONTACTS = "contacts"
    LEGAL_STATUS = "legal_status"
    CONSENTS = "consents"
    IMMUNISATIONS = "immunisations"


SECTION_TYPES: dict[SectionName, type[Item]] = {
    SectionName.CARE_PLANS: CarePlan,
    SectionName.PROBLEMS: Condition,
    SectionName.MEDICATIONS: MedicationStatement,
    SectionName.ALLERGIES: AllergyIntolerance,
    SectionName.RESULTS: Observation,
    SectionName.REPORTS: DiagnosticReport,
    SectionName.DOCUMENTS: DocumentReference,
    SectionName.ENCOUNTERS: Encounter,
    SectionName.NOTES: ProgressNote,
    SectionName.APPOINTMENTS: Appointment,
    SectionName.REFERRALS: ServiceRequest,
    SectionName.ALERTS: Flag,
    SectionName.CARE_TEAM: CareTeam,
    SectionName.CONTACTS: RelatedPerson,
    SectionName.LEGAL_STATUS: LegalStatus,
    SectionName.CONSENTS: Consent,
    SectionName.IMMUNISATIONS: Immunization,
}


class SectionStatus(StrEnum):
    """What a section's items do and do not say. There is no status that reads as a bare "none"."""

    ITEMS = "items"
    ASSERTED_NONE = "asserted-none"
    NOTHING_RECORDED = "nothing-recorded"
    PARTIAL = "partial"
    NOT_ASKED = "not-asked"
    UNAVAILABLE = "unavailable"
    RESTRICTED = "restricted"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a source says about a section, which a reader must see.

    Args:
        system: Who says so; the hub fills it in where an adapter leaves it empty.
        code: Permanent code: `confidential-items`, `data-in-transit`, `entries-refused`, ...
        text: What it means, in our words; never a patient value.
        incomplete: The source says by it that it may hold more than it gave, so the section cannot be all.
    """

    code: str
    text: str
    system: str = ""
    incomplete: bool = False


@dataclass(frozen=True, slots=True)
class Section(Sequence[T], Generic[T]):
    """An immutable sequence of items that also says how far it can be trusted to be all.

    Args:
        name: Which section.
        items: What there is to show.
        status: What the items do and do not say.
        asked: Systems that were asked for it.
        missing: Systems that could hold it and did not (fully) answer.
        warnings: What the sources say about it.

    >>> empty = Section(SectionName.ALLERGIES, (), SectionStatus.PARTIAL, asked=("gp",), missing=("gp",))
    >>> len(empty), empty.complete
    (0, False)
    >>> empty.require_complete()
    Traceback (most recent call last):
    mpftconnect.errors.IncompleteRecord: allergies: partial; no full answer from gp
    """

    name: SectionName
    items: tuple[T, ...] = ()
    status: SectionStatus = SectionStatus.NOT_ASKED
    asked: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    warnings: tuple[Notice, ...] = ()

    @property
    def complete(self) -> bool:
        """True only if every system that could hold the section answered in full."""
        answered = (SectionStatus.ITEMS, SectionStatus.ASSERTED_NONE, SectionStatus.NOTHING_RECORDED)
        return self.status in answered and not self.missing

    def require_complete(self) -> Section[T]:
        """This section, if it is complete.

        Raises:
            IncompleteRecord: It is not; the message names the status and the systems that are missing.
        """
        if not self.complete:
            silent = f"; no full answer from {', '.join(self.missing)}" if self.missing else ""
            raise IncompleteRecord(f"{self.name}: {self.status}{silent}")
        return self

    @property
    def caution(self) -> str | None:
        """What a reader of the section must know whatever is in it; None where there is nothing."""
        of_results = issubclass(SECTION_TYPES[self.name], (Observation, DiagnosticReport))
        return NOT_ACKNOWLEDGED if of_results or any(item.caution for item in self.items) else None

    def words(self) -> str:
        """The status in plain English; never a bare "none"."""
        silent = f" No full answer from: {', '.join(self.missing)}." if self.missing else ""
        return {
            SectionStatus.ITEMS: "Every connected system that could hold this answered.",
            SectionStatus.ASSERTED_NONE: "A clinician recorded that there are none; see who and when below.",
            SectionStatus.NOTHING_RECORDED: "Nothing recorded in the systems that answered. This does not mean none.",
            SectionStatus.PARTIAL: "Not complete: there may be more than is shown here.",
            SectionStatus.NOT_ASKED: "Not asked for: nothing is known of this here.",
            SectionStatus.UNAVAILABLE: "Not available: no system that could hold this answered.",
            SectionStatus.RESTRICTED: "Not shown: access to this is restricted.",
        }[self.status] + silent

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self.items[index]

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __bool__(self) -> bool:
        raise TypeError("a section has no truth value: ask .status, .complete or len(), since empty never means none")
