"""One person's merged record: what was found, what was not, and how far each part can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from pydantic import AwareDatetime

from mpftconnect.errors import GapReason, UsageError
from mpftconnect.hub.plan_view import CarePlanView
from mpftconnect.model import (
    AllergyIntolerance,
    Appointment,
    CarePlan,
    CareTeam,
    Condition,
    Consent,
    DiagnosticReport,
    DocumentReference,
    Encounter,
    Flag,
    Immunization,
    Item,
    LegalStatus,
    MedicationStatement,
    Model,
    Notice,
    Observation,
    Patient,
    ProgressNote,
    RelatedPerson,
    Restriction,
    Section,
    SectionName,
    ServiceRequest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "NEVER_SHOWN",
    "NOT_FOR",
    "Conflict",
    "Explanation",
    "Gap",
    "Joined",
    "Record",
    "Sameness",
    "SystemAnswer",
    "Unmatched",
    "Withheld",
]

# Rule 6: the same sentence on every record, whether or not anything was withheld from it.
NEVER_SHOWN = (
    "Some kinds of record, such as those of sexual-health services, are never shown here. "
    "That nothing of them is shown says nothing about whether there are any."
)
NOT_FOR = (
    "Not for prescribing, not for acknowledging results, and never the only source in an emergency. "
    "Viewing a result here does not acknowledge it."
)

_REASON_WORDS = {
    GapReason.UNREACHABLE: "could not be reached",
    GapReason.TIMED_OUT: "did not answer in time",
    GapReason.RATE_LIMITED: "takes no more requests just now",
    GapReason.SYSTEM_FAILED: "answered that it has failed",
    GapReason.NOT_PERMITTED: "refused our credentials or permission",
    GapReason.ANSWER_REJECTED: "gave an answer that cannot be trusted",
    GapReason.NOT_SHOWN: "does not show this person; it may still hold something",
    GapReason.WRONG_PERSON: "answered with somebody else's data, which was set aside",
    GapReason.NO_AGREEMENT: "was not asked: no sharing agreement covers it",
    GapReason.NOT_DECLARED: "may hold this, but does not offer it to us, or its adapter does not read it",
    GapReason.ADAPTER_FAULT: "could not be read because its adapter failed",
    GapReason.IDENTITY_UNCONFIRMED: "could not confirm who this is",
    GapReason.OUTCOME_UNKNOWN: "took a request whose outcome is unknown: check there",
    GapReason.FEED_OVERDUE: "has sent us nothing for longer than it should, so this may be out of date",
}


class Gap(Model):
    """Something that a system could have told and did not.

    Args:
        system: Which system.
        section: Which section; None where it concerns all that was asked of the system.
        reason: Permanent code.
        detail: Which rule or place, never a value.
    """

    system: str
    section: SectionName | None = None
    reason: GapReason
    detail: str = ""

    def words(self) -> str:
        """In one sentence.

        >>> Gap(system="rio", section="allergies", reason="timed-out").words()
        'rio did not answer in time (allergies).'
        """
        about = f" ({self.section.replace('_', ' ')})" if self.section else ""
        # Since when a feed is silent is what a reader has to know of it.
        since = f"; {self.detail}" if self.reason == GapReason.FEED_OVERDUE and self.detail else ""
        return f"{self.system} {_REASON_WORDS[self.reason]}{since}{about}."


class Conflict(Model):
    """Sources that disagree. Nothing is chosen: all of them are shown.

    Args:
        kind: Permanent code: `several-active-plans`, `allergy-against-none-known`, `family-name-differs`, ...; all of
            them stand in docs/merging.md.
        section: The section concerned; None for demographics.
        text: What disagrees, without the values: those stand in the items.
        items: Keys of the items concerned.
        systems: Systems concerned.
    """

    kind: str
    section: SectionName | None = None
    text: str
    items: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()


class Unmatched(Model):
    """A contribution set apart, because it may be about somebody else.

    Args:
        system: Where it comes from.
        reason: Permanent code of the rule that failed: `birth-date-differs`, `family-name-differs`, ...
        text: The reason in words, without values.
        kinds: The sections of which it holds something; its contents are not shown.
        record: The system's own id of its record, by which people can decide whose it is (`Hub.identities`); left out
            where it holds another person's NHS number.
    """

    system: str
    reason: str
    text: str
    kinds: tuple[SectionName, ...] = ()
    record: str | None = None


class Withheld(Model):
    """What a *declared* policy keeps back. Silent policies leave no trace here (rule 6).

    Args:
        policy: Name of the policy.
        section: Section concerned; None for all.
        system: System concerned; None for all.
        text: What is kept back and why, in words.
    """

    policy: str
    section: SectionName | None = None
    system: str | None = None
    text: str


class SystemAnswer(Model):
    """How one system took part in the record.

    Args:
        outcome: `answered`, `holds-nothing`, `partly`, `silent`, `set-apart` or `not-asked`.
        tried_against: What its adapter was tried against (rule 18).
    """

    system: str
    supplier: str
    product: str
    outcome: str
    tried_against: str
    assumed: bool = False
    environment: str = "live"
    answered: AwareDatetime | None = None


class Joined(Model):
    """Why a system's contribution was taken to be this person's."""

    system: str
    rule: str
    text: str


class Sameness(Model):
    """By what an item that several systems hold is one fact, where they do not word or code it equally.

    Args:
        item: Its key.
        rule: `code` (they share a code), `text` (the same text but for case, spaces and marks) or `plugin`.
        plugins: The terminology plugins that say that the codes mean the same.
    """

    item: str
    rule: str
    plugins: tuple[str, ...] = ()

    def words(self) -> str:
        """In words.

        >>> Sameness(item="gp:1", rule="plugin", plugins=("dmd",)).words()
        'that its codes mean the same is said by terminology plugin dmd'
        """
        return {
            "code": "what it is about has the same code in each",
            "text": "what it is about has the same text in each, apart from case, spaces and punctuation",
        }.get(self.rule, f"that its codes mean the same is said by terminology plugin {', '.join(self.plugins)}")


class Explanation(Model):
    """Why an item stands in the record.

    Args:
        item: Its key.
        joined: By which rule each of its sources was taken to be about this person, overrides included.
        merged: Why it is shown once, or who alone says it.
        sameness: By what it is one fact, where its sources do not word or code it equally.
    """

    item: str
    joined: tuple[Joined, ...]
    merged: str
    sameness: Sameness | None = None

    def words(self) -> str:
        return " ".join([*(f"{why.system}: {why.text}" for why in self.joined), self.merged])


class Record(Model):
    """One person's record from every system that answered and may be shown.

    Sections are sequences with a `status`; ask `.complete` or `.require_complete()` before relying on what is
    *not* in one. `gaps` names what is silent, `conflicts` what disagrees, `unmatched` what was set apart, `withheld`
    what declared policies keep back. `patient` is the person by the tracing service and is never mixed with what
    others say; `held_as` is the person as each other system that was joined holds them.
    """

    patient: Patient
    held_as: tuple[Patient, ...] = ()
    restriction: Restriction | None = None
    identity_confirmed: bool
    made: AwareDatetime
    correlation_id: str

    care_plans: Section[CarePlan]
    problems: Section[Condition]
    medications: Section[MedicationStatement]
    allergies: Section[AllergyIntolerance]
    results: Section[Observation]
    reports: Section[DiagnosticReport]
    documents: Section[DocumentReference]
    encounters: Section[Encounter]
    notes: Section[ProgressNote]
    appointments: Section[Appointment]
    referrals: Section[ServiceRequest]
    alerts: Section[Flag]
    care_team: Section[CareTeam]
    contacts: Section[RelatedPerson]
    legal_status: Section[LegalStatus]
    consents: Section[Consent]
    immunisations: Section[Immunization]

    conflicts: tuple[Conflict, ...] = ()
    gaps: tuple[Gap, ...] = ()
    unmatched: tuple[Unmatched, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    notices: tuple[Notice, ...] = ()
    mismatches: tuple[str, ...] = ()
    systems: tuple[SystemAnswer, ...] = ()
    joined: tuple[Joined, ...] = ()
    sameness: tuple[Sameness, ...] = ()
    never_shown: str = NEVER_SHOWN
    not_for: str = NOT_FOR

    def section(self, name: SectionName | str) -> Section[Item]:
        """A section by its name."""
        return cast("Section[Item]", getattr(self, SectionName(name)))

    @property
    def sections(self) -> dict[SectionName, Section[Item]]:
        """All sections, in their fixed order."""
        return {name: self.section(name) for name in SectionName}

    def items(self) -> Iterator[Item]:
        """Every item of every section."""
        for section in self.sections.values():
            yield from section

    @property
    def is_restricted(self) -> bool:
        """Whether the person is shown as restricted: they are, or nothing says that they are not."""
        return self.restriction != "U"

    @property
    def care_plan(self) -> CarePlanView:
        """The single care plan: all active plans in one view, each line with its plan, author and date."""
        return CarePlanView.of(self.care_plans)

    def explain(self, item: Item) -> Explanation:
        """Why the item stands in this record: by which rule each of its sources was joined.

        Raises:
            UsageError: The item is not of this record.
        """
        if not any(item is known or item == known for known in (self.patient, *self.held_as, *self.items())):
            raise UsageError("the item is not part of this record")
        named = {source.system for source in item.sources}
        systems = ", ".join(sorted(named))
        by = next((same for same in self.sameness if same.item == item.key), None) if item.also else None
        if item.also:
            merged = f"Shown once because {systems} say the same in every clinical field"
            merged += f"; {by.words()}." if by else "."
        elif item is self.patient and not any(why.system in named for why in self.joined):
            merged = "No system says this: it is what the record was asked for by."
        else:
            merged = f"Only {systems} says this."
        why = tuple(joined for joined in self.joined if joined.system in named)
        return Explanation(item=item.key, joined=why, merged=merged, sameness=by)

    def to_fhir(self) -> dict[str, Any]:
        """The record as a FHIR R4 Bundle: plain JSON objects, with decimals as `Decimal`.

        `mpftconnect.fhir.dump_json` writes it as text with the decimals' digits unchanged.
        """
        from mpftconnect.hub.bundle import record_bundle

        return record_bundle(self)

    def to_fhir_resources(self) -> list[Any]:
        """The record as typed `fhir.resources` objects (R4B). Needs the extra `fhir`.

        R4B is not R4, and those types normalise some decimals and offsets: for exact data use `to_fhir()`.
        """
        from mpftconnect.fhir import to_fhir_resources

        bundle = self.to_fhir()
        return to_fhir_resources(entry["resource"] for entry in bundle["entry"])

    def to_json(self) -> str:
        """The record as JSON; `from_json` gives an equal record back.

        Each result has a member more than its fields, `caution`, for whoever shows it from the JSON alone.
        """
        from mpftconnect.hub.record_json import record_json

        return record_json(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> Record:
        """A record from `to_json`.

        Raises:
            UsageError: The text is not such a record; the message names the place, never a value.
        """
        from pydantic import ValidationError

        from mpftconnect.hub.record_json import without_cautions

        try:
            return cls.model_validate_json(without_cautions(text))
        except ValidationError as error:
            places = sorted({".".join(str(part) for part in e["loc"]) or "the text" for e in error.errors()})
            raise UsageError(f"not a record of this version of mpftconnect: see {', '.join(places[:5])}") from None


def sections_from(sections: Mapping[SectionName, Section[Any]]) -> dict[str, Section[Any]]:
    """All sections as the fields of a `Record`; what was not asked for says so."""
    return {str(name): sections.get(name, Section(name)) for name in SectionName}
