"""From what the systems said to one record: policies, matching, restriction, merging, status. No input or output.

The order is the point. Silent policies come first, so that nothing after them can count, match, merge or mention what
they took (rule 6). Matching comes next, so that nothing about somebody else is merged (rule 4). Restriction comes
before merging, so that conflicts cannot speak of a place (rule 7).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from mpftconnect.adapters.contract import Refusal
from mpftconnect.errors import GapReason
from mpftconnect.governance.decision import Decisions
from mpftconnect.governance.policies import Contribution, Policy, PolicySpec, Taken
from mpftconnect.governance.restriction import WORDS as RESTRICTED_WORDS
from mpftconnect.governance.restriction import restrict, restrict_patient, restricted_sections
from mpftconnect.governance.roles import NOT_FOR_ROLE
from mpftconnect.hub.conflicts import conflicts
from mpftconnect.hub.decided import decision_notices, joined_by_decision, names_another, set_apart_by_decision
from mpftconnect.hub.fan_out import Failure, SystemRead
from mpftconnect.hub.match import Match, agreeing, compare, match, match_by_number
from mpftconnect.hub.merge import SameAs, put_together
from mpftconnect.hub.person_conflicts import patient_conflicts
from mpftconnect.hub.record import Gap, Joined, Record, Sameness, SystemAnswer, Unmatched, Withheld, sections_from
from mpftconnect.hub.sameness import Opinions
from mpftconnect.model import (
    ClinicalItem,
    Demographics,
    Identifier,
    Item,
    Notice,
    Patient,
    Reference,
    SamenessSpec,
    Section,
    SectionName,
    SectionStatus,
    Source,
)

__all__ = ["Asked", "Assembled", "Person", "assemble"]


@dataclass(frozen=True, slots=True)
class Person:
    """Who the record is about, as far as it is known.

    Args:
        number: The number to read by: current by the trace, else as asked.
        numbers: That and all others of the same person.
        traced: The person by the tracing service; None if it was silent.
        tracer: Name of the tracing system; None if none is configured.
    """

    number: str
    numbers: frozenset[str]
    traced: Patient | None
    tracer: str | None

    @property
    def is_restricted(self) -> bool:
        """Restricted, or not known to be unrestricted: what no trace says to be open is treated as restricted."""
        return self.traced is None or self.traced.restriction != "U"


@dataclass(frozen=True, slots=True)
class Asked:
    """One system's part in a read.

    Args:
        keeps_demographics: Whether it says who people are (see `AdapterSpec`).
        could_hold: Sections wanted of it that it offers, so that it was asked for them.
        partly: Those of them of which it offers only a part.
        undeclared: Sections wanted that it may hold and its adapter does not read.
        refused: Sections wanted that its agreement does not cover, with the reason.
        withheld_by: Declared policies for which it was not asked at all.
        read: What it said; None if it was not asked at all.
    """

    system: str
    supplier: str
    product: str
    tried_against: str
    assumed: bool
    environment: str
    could_hold: frozenset[SectionName]
    partly: frozenset[SectionName] = frozenset()
    undeclared: frozenset[SectionName] = frozenset()
    refused: Mapping[SectionName, str] = field(default_factory=dict)
    withheld_by: tuple[PolicySpec, ...] = ()
    read: SystemRead | None = None
    keeps_demographics: bool = True


@dataclass(frozen=True, slots=True)
class Assembled:
    """The record, and what silent policies took, for the privacy-officer stream alone."""

    record: Record
    taken: tuple[tuple[str, Taken], ...]


# Worded for every policy alike, so that it says of none that it looked.
UNJUDGED = Failure(GapReason.ANSWER_REJECTED, "the answer could not be checked, so nothing of it is shown")


@dataclass
class _Part:
    """One system's contribution on its way."""

    asked: Asked
    contribution: Contribution
    failures: dict[SectionName, Failure]
    match: Match | None = None
    kept_back: set[SectionName] = field(default_factory=set)
    failure: Failure | None = None

    def keep(self, wanted: frozenset[SectionName]) -> None:
        """Drop what was read for judging alone: nothing of it is shown, counted or mentioned."""
        said = self.contribution
        self.contribution = replace(
            said,
            items={name: items for name, items in said.items.items() if name in wanted},
            notices={name: notices for name, notices in said.notices.items() if name in wanted},
            refusals={name: refusals for name, refusals in said.refusals.items() if name in wanted},
        )
        self.failures = {name: failure for name, failure in self.failures.items() if name in wanted}

    def set_aside(self) -> None:
        """Drop all that it says: a policy could not judge it, and what is not judged is not shown."""
        self.contribution = Contribution(self.asked.system)
        self.failures = {}
        self.failure = UNJUDGED


_UNDECIDED = Decisions()


def assemble(
    person: Person,
    asked: Sequence[Asked],
    *,
    wanted: frozenset[SectionName],
    policies: Sequence[tuple[PolicySpec, Policy]],
    made: datetime,
    correlation_id: str,
    expect: Demographics | None = None,
    trace_failure: Failure | None = None,
    notices: Sequence[Notice] = (),
    decisions: Decisions = _UNDECIDED,
    not_for_role: frozenset[SectionName] = frozenset(),
    sameness: Sequence[SamenessSpec] = (),
) -> Assembled:
    """One record from all that was asked and answered.

    Args:
        wanted: The sections that were asked for and that the user's role may see.
        decisions: What people decided about whose records they are.
        not_for_role: The sections that were asked for and that the user's role may not see.
        sameness: Terminologies that may say that two codes mean the same.
    """
    opinions = Opinions(sameness)
    same_as: dict[str, SameAs] = {}
    parts = [_part(one, person.numbers) for one in asked]
    taken: list[tuple[str, Taken]] = []
    withheld: list[Withheld] = []
    for part in parts:
        screened, gone = _screen(part, policies)
        taken += [(policy, one) for policy, one in screened if one.section in wanted]
        withheld += [one for one in gone if one.section is None or one.section in wanted]
        part.keep(wanted)
    _match(parts, person, decisions)
    joined = [part for part in parts if part.match is None or part.match.joins]
    hidden: frozenset[SectionName] = frozenset()
    if person.is_restricted:
        hidden = restricted_sections(wanted)
        withheld += [Withheld(policy="restricted-person", text=RESTRICTED_WORDS)]
        for part in joined:
            try:
                _restrict(part)
            except Exception:  # noqa: BLE001 - what cannot be made safe is not shown, and costs no other system
                part.set_aside()
    gaps = _gaps(parts, person, trace_failure)
    sections = {name: _section(name, parts, hidden, opinions, same_as) for name in sorted(wanted)}
    disputed = conflicts({name: section.items for name, section in sections.items()}, opinions)
    withheld += [Withheld(policy="role", section=name, text=NOT_FOR_ROLE) for name in sorted(not_for_role)]
    sections |= {name: Section(name, (), SectionStatus.RESTRICTED) for name in not_for_role}
    patient = _patient(person, joined, made)
    others = {
        part.asked.system: part.contribution.patient
        for part in joined
        # A tracing service may keep records too: what it says there of the person is not what it traced.
        if part.contribution.patient is not None
        and part.contribution.patient.source.key != patient.source.key
        and part.asked.keeps_demographics
    }
    record = Record(
        patient=patient,
        held_as=tuple(others[system] for system in sorted(others)),
        restriction=person.traced.restriction if person.traced else None,
        identity_confirmed=person.traced is not None,
        made=made,
        correlation_id=correlation_id,
        conflicts=(*patient_conflicts(patient, others, person.numbers), *disputed),
        gaps=tuple(gaps),
        unmatched=tuple(
            _unmatched(part, hidden, person.numbers) for part in parts if part.match and not part.match.joins
        ),
        withheld=tuple(withheld),
        notices=(*notices, *decision_notices(_held(parts), decisions), *_failed(opinions)),
        mismatches=compare(expect, patient) if expect else (),
        systems=tuple(_answer(part, made) for part in parts),
        joined=tuple(_joined(part, person) for part in joined if part.contribution.patient is not None),
        sameness=tuple(Sameness(item=k, rule=how.rule, plugins=how.plugins) for k, how in sorted(same_as.items())),
        **sections_from(sections),
    )
    return Assembled(record, tuple(taken))


def _part(asked: Asked, numbers: frozenset[str]) -> _Part:
    read = asked.read
    items: dict[SectionName, list[Item]] = defaultdict(list)
    notices: dict[SectionName, list[Notice]] = defaultdict(list)
    refusals: dict[SectionName, list[Refusal]] = defaultdict(list)
    failures: dict[SectionName, Failure] = {}
    for name, section in read.sections.items() if read else ():
        if section.failure and read and read.answered and read.patient is not None:
            failures[name] = section.failure
        for found in section.found:
            if isinstance(found, Notice):
                notices[name].append(replace(found, system=asked.system))
            elif isinstance(found, Refusal):
                refusals[name].append(found)
            elif read and not _about(found, read.patient, numbers):
                refusals[name].append(Refusal("an item", "is about somebody else", wrong_person=True, content=found))
            else:
                items[name].append(found)
    contribution = Contribution(
        asked.system,
        read.patient if read else None,
        {name: tuple(found) for name, found in items.items()},
        {name: tuple(found) for name, found in notices.items()},
        {name: tuple(found) for name, found in refusals.items()},
    )
    return _Part(asked, contribution, failures)


def screen(contribution: Contribution, policies: Sequence[tuple[PolicySpec, Policy]]) -> Contribution:
    """What silent policies leave of it, where nothing else is done with it; nothing if one of them fails."""
    try:
        for spec, policy in policies:
            if spec.kind == "silent":
                contribution, _ = policy.apply(contribution)
    except Exception:  # noqa: BLE001 - a stranger's code; what was not judged is not shown
        return Contribution(contribution.system)
    return contribution


def _screen(
    part: _Part, policies: Sequence[tuple[PolicySpec, Policy]]
) -> tuple[list[tuple[str, Taken]], list[Withheld]]:
    """Put one contribution through the policies, silent ones first: what they took, and what is said of it."""
    system = part.asked.system
    taken: list[tuple[str, Taken]] = []
    withheld = [Withheld(policy=spec.name, system=system, text=spec.words) for spec in part.asked.withheld_by]
    if part.asked.withheld_by:
        part.kept_back |= part.asked.could_hold
    for spec, policy in sorted(policies, key=lambda one: one[0].kind != "silent"):
        try:
            part.contribution, gone = policy.apply(part.contribution)
        except Exception:  # noqa: BLE001 - a stranger's code; what was not judged is not shown
            part.set_aside()
            break
        if spec.kind == "silent":
            taken += [(spec.name, one) for one in gone]
            continue
        part.kept_back |= {one.section for one in gone}
        named = sorted({one.section for one in gone})
        withheld += [Withheld(policy=spec.name, section=name, system=system, text=spec.words) for name in named]
    return taken, withheld


def _about(item: Item, patient: Patient | None, numbers: frozenset[str]) -> bool:
    """Whether the item's subject, as far as it names one, is the person whom the system found."""
    subject = item.subject if isinstance(item, ClinicalItem) else None
    if subject is None or patient is None:
        return True
    number = subject.identifier.value if subject.identifier and subject.identifier.is_nhs_number else None
    if number is not None and number not in numbers | {i.value for i in patient.identifiers if i.is_nhs_number}:
        return False
    pointer, own = _local(subject), patient.source.id
    return not (pointer.startswith("Patient/") and own.startswith("Patient/") and pointer != own)


def _local(reference: Reference) -> str:
    plain = (reference.reference or "").partition("/_history/")[0]
    return "/".join(plain.split("/")[-2:])


def _match(parts: Sequence[_Part], person: Person, decisions: Decisions) -> None:
    held = []
    for part in parts:
        if (patient := part.contribution.patient) is None:
            continue
        part.match = set_apart_by_decision(patient, person.numbers, decisions)
        if part.match is None and not part.asked.keeps_demographics:
            by_number = match_by_number(patient, person.numbers, traced=person.traced is not None)
            part.match = joined_by_decision(patient, person.numbers, decisions, by_number)
        if part.match is None:
            held.append(part)
    if person.traced is None:
        # Nobody can arbitrate: they join only if all agree with one another.
        patients = [part.contribution.patient for part in held if part.contribution.patient]
        agree = agreeing(patients, person.number)
        text = (
            "the systems that answered agree on NHS number, date of birth and family name; the tracing service "
            "confirmed nothing"
            if agree
            else "the systems that answered disagree on who this is, and the tracing service confirmed nothing"
        )
        for part in held:
            part.match = Match(agree, "untraced-agree" if agree else "untraced-disagree", text)
        return
    for part in held:
        found = part.contribution.patient
        if found is None:
            continue
        part.match = match(found, person.traced, person.numbers)
        # A tracing service may keep records too, and could hand out somebody else's: only what it traced is its word.
        if part.asked.system == person.tracer and (part.match.joins or found.source.key == person.traced.source.key):
            part.match = Match(True, "traced", "this is the tracing service")
        part.match = joined_by_decision(found, person.numbers, decisions, part.match)


def _held(parts: Iterable[_Part]) -> list[tuple[Patient, Match | None]]:
    return [(part.contribution.patient, part.match) for part in parts if part.contribution.patient is not None]


def _restrict(part: _Part) -> None:
    contribution = part.contribution
    shown = {
        name: tuple(safe for item in items if (safe := restrict(item)) is not None)
        for name, items in contribution.items.items()
    }
    patient = contribution.patient
    # What a source says in words of its own may name a place: that it says something is kept, its words are not.
    notices = {
        name: tuple(replace(n, text="The source says something about this section that is not shown.") for n in said)
        for name, said in contribution.notices.items()
    }
    refusals = {
        name: tuple(replace(refusal, place="an entry", rule="not shown") for refusal in refused)
        for name, refused in contribution.refusals.items()
    }
    safe_patient = restrict_patient(patient) if patient else None
    part.contribution = replace(contribution, items=shown, notices=notices, refusals=refusals, patient=safe_patient)


def _gaps(parts: Sequence[_Part], person: Person, trace_failure: Failure | None) -> list[Gap]:
    gaps = []
    if trace_failure is not None and person.tracer:
        gaps.append(Gap(system=person.tracer, reason=trace_failure.reason, detail=trace_failure.detail))
    if person.traced is None:
        detail = "the person is treated as restricted"
        system = person.tracer or "no tracing system"
        gaps.append(Gap(system=system, reason=GapReason.IDENTITY_UNCONFIRMED, detail=detail))
    for part in parts:
        asked, read = part.asked, part.asked.read
        gaps += [
            Gap(system=asked.system, section=name, reason=GapReason.NO_AGREEMENT, detail=why)
            for name, why in sorted(asked.refused.items())
        ]
        gaps += [
            Gap(system=asked.system, section=name, reason=GapReason.NOT_DECLARED) for name in sorted(asked.undeclared)
        ]
        if part.failure is not None:
            gaps.append(Gap(system=asked.system, reason=part.failure.reason, detail=part.failure.detail))
        if read is not None and read.failure is not None and asked.system != (person.tracer if trace_failure else None):
            gaps.append(Gap(system=asked.system, reason=read.failure.reason, detail=read.failure.detail))
        gaps += [
            Gap(system=asked.system, section=name, reason=failure.reason, detail=failure.detail)
            for name, failure in sorted(part.failures.items())
        ]
        gaps += [
            Gap(system=asked.system, section=name, reason=GapReason.WRONG_PERSON, detail=f"{count} set aside")
            for name, refused in sorted(part.contribution.refusals.items())
            if (count := sum(refusal.wrong_person for refusal in refused))
        ]
    return gaps


def _section(
    name: SectionName,
    parts: Sequence[_Part],
    hidden: frozenset[SectionName],
    opinions: Opinions,
    same_as: dict[str, SameAs],
) -> Section[Any]:
    asked: list[str] = []
    missing: list[str] = []
    warnings: list[Notice] = []
    items: list[Item] = []
    answered = False
    kept_back = False
    for part in parts:
        one, read = part.asked, part.asked.read
        kept_back = kept_back or name in part.kept_back
        if name in one.undeclared or name in one.refused:
            missing.append(one.system)
        if name not in one.could_hold or one.withheld_by:
            continue
        asked.append(one.system)
        set_apart = part.match is not None and not part.match.joins
        said = read is not None and read.answered and not set_apart and part.failure is None
        refused = part.contribution.refusals.get(name, ())
        if not said or name in part.failures or refused:
            missing.append(one.system)
        if not said:
            continue
        failed_outright = name in part.failures and not part.contribution.items.get(name)
        answered = answered or not failed_outright
        if name in one.partly:
            # It may hold more than it offers, so the section cannot be all (rule 1).
            missing.append(one.system)
            warnings.append(Notice("partly-offered", "This system offers only a part of this section.", one.system))
        noticed = part.contribution.notices.get(name, ())
        if any(notice.incomplete for notice in noticed):
            # Items held back, in transit or not yet filed: what came is not all, and none of it is not none (rule 1).
            missing.append(one.system)
        warnings += noticed
        unread = [refusal for refusal in refused if not refusal.wrong_person]
        if unread:
            places = ", ".join(f"{refusal.place}: {refusal.rule}" for refusal in unread[:3])
            more = f" and {len(unread) - 3} more" if len(unread) > 3 else ""
            text = f"{len(unread)} entries could not be read ({places}{more})."
            warnings.append(Notice("entries-refused", text, one.system))
        held = part.contribution.items.get(name, ())
        if changed := sum(_is_modified(item) for item in held):
            text = f"{changed} entries carry something that may change what they mean and is not understood here."
            warnings.append(Notice("modifier-not-understood", text, one.system))
        items += held
    if name in hidden:
        return Section(name, (), SectionStatus.RESTRICTED, tuple(asked))
    together = put_together(items, opinions)
    merged = together.items
    same_as |= together.same_as
    status = _status(merged, asked=asked, missing=missing, answered=answered)
    if kept_back:
        # A declared policy took something: what is left must not read as all there is, nor an empty rest as none.
        status = SectionStatus.PARTIAL if merged or missing else SectionStatus.RESTRICTED
    return Section(name, merged, status, tuple(asked), tuple(dict.fromkeys(missing)), tuple(warnings))


def _failed(opinions: Opinions) -> tuple[Notice, ...]:
    """That a terminology plugin failed: what it would have said is missing, and nothing else is."""
    text = "A terminology plugin failed, so what it could have said of the sameness of codes is not used."
    return tuple(Notice("sameness-failed", f"{text} It is {name}.", "mpftconnect") for name in sorted(opinions.failed))


def _is_modified(item: Item) -> bool:
    """Whether the source added a modifier that no table knows.

    FHIR R4 (4.0.1), Extensibility, modifier extensions: one that is not understood must not be ignored.
    """
    return any("modifierExtension" in part.path for part in item.extra)


def _status(items: Sequence[Item], *, asked: Sequence[str], missing: Sequence[str], answered: bool) -> SectionStatus:
    if not asked:
        return SectionStatus.UNAVAILABLE
    if missing:
        return SectionStatus.PARTIAL if answered or items else SectionStatus.UNAVAILABLE
    if not items:
        return SectionStatus.NOTHING_RECORDED
    return SectionStatus.ASSERTED_NONE if all(item.asserts_none for item in items) else SectionStatus.ITEMS


def _patient(person: Person, joined: Iterable[_Part], made: datetime) -> Patient:
    if person.traced is not None:
        return restrict_patient(person.traced) if person.is_restricted else person.traced
    known = [part.contribution.patient for part in joined if part.contribution.patient is not None]
    if known:
        return min(known, key=lambda patient: patient.source.key)
    source = Source(system="caller", id="as-asked", fetched=made)
    return Patient(source=source, identifiers=(Identifier.nhs(person.number),))


def _unmatched(part: _Part, hidden: frozenset[SectionName], numbers: frozenset[str]) -> Unmatched:
    why = part.match or Match(False, "", "")
    kinds = tuple(sorted(name for name, items in part.contribution.items.items() if items and name not in hidden))
    patient = part.contribution.patient
    record = None if patient is None or names_another(patient.source.id, numbers) else patient.source.id
    return Unmatched(system=part.asked.system, reason=why.rule, text=why.text, kinds=kinds, record=record)


def _joined(part: _Part, person: Person) -> Joined:
    why = part.match or Match(True, "not-compared", "")
    return Joined(system=part.asked.system, rule=why.rule, text=why.text)


def _answer(part: _Part, made: datetime) -> SystemAnswer:
    asked, read = part.asked, part.asked.read
    if read is None:
        outcome = "not-asked"
    elif not read.answered or part.failure is not None:
        outcome = "silent"
    elif part.match is not None and not part.match.joins:
        outcome = "set-apart"
    elif read.patient is None:
        outcome = "holds-nothing"
    else:
        partly = part.failures or any(part.contribution.refusals.values())
        outcome = "partly" if partly else "answered"
    return SystemAnswer(
        system=asked.system,
        supplier=asked.supplier,
        product=asked.product,
        outcome=outcome,
        tried_against=asked.tried_against,
        assumed=asked.assumed,
        environment=asked.environment,
        answered=made if read is not None and read.answered else None,
    )
