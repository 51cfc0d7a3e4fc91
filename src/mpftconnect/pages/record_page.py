"""One person's record as one HTML file that needs nothing else: no script, no font, no network.

Laid out to WCAG 2.2 level AA (W3C Recommendation, 5 October 2023): landmarks (1.3.1), one heading of level one and
no level left out, a skip link (2.4.1), text contrast (1.4.3), nothing said by colour alone (1.4.1), visible focus
(2.4.7) and reflow at 320 CSS pixels (1.4.10). Long lists fold with `<details>`, which print opens again.

Everything that a source sent is text, and nothing of it can run: see `rendering`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Environment

from mpftconnect.hub.gap_lines import gap_lines
from mpftconnect.hub.plan_view import CarePlanView, FromPlan, newest_first
from mpftconnect.hub.record import Conflict, Record
from mpftconnect.model import (
    Agreement,
    CarePlan,
    ContingencyPlan,
    HumanName,
    Identifier,
    Item,
    Patient,
    Section,
    SectionName,
    SectionStatus,
    Source,
    When,
    format_nhs_number,
)
from mpftconnect.pages.facts import facts_of, moment_words, technical_facts, value_words
from mpftconnect.pages.standing import plain_status, standing_of
from mpftconnect.pages.timeline import timeline
from mpftconnect.pages.words import OUTCOMES, TITLES
from mpftconnect.rendering import clock_words, style_sheet, templates

__all__ = ["record_page"]

# A reader must never have to open something to see these.
_NEVER_FOLDED = frozenset(
    {SectionName.ALERTS, SectionName.ALLERGIES, SectionName.LEGAL_STATUS, SectionName.MEDICATIONS}
)
_LED_BY_STANDING = _NEVER_FOLDED | {SectionName.PROBLEMS}
_SHOWN_UNFOLDED = 10
_LONG_TEXT = 600  # characters; longer free text shows its beginning and unfolds

# What the macros of a whole plan show; the other fields of a plan are facts like those of any item.
_PLAN_PARTS = (
    *("about_me", "strengths", "needs", "goals", "actions", "formulation", "contingency"),
    *("additional_plans", "agreement", "review", "team", "coordinator"),
)
_MODE_WORDS = {
    "live": "",
    "extract": "from a report cut earlier",
    "feed": "pushed to us by the source",
    "cache": "from our own store",
}
_RESTRICTION_WORDS = {
    "R": "This is a restricted person. Whatever could tell where they are is left out of this page.",
    "V": "This is a very restricted person. Whatever could tell where they are is left out, and even a name may be.",
    "REDACTED": "The record of this person exists and almost nothing of it may be shown.",
}
_RESTRICTION_UNKNOWN = (
    "No system says whether this person is restricted, so they are treated as restricted: whatever could tell where "
    "they are is left out of this page."
)
# NHS Data Dictionary, NHS NUMBER STATUS INDICATOR CODE; UK Core CodeSystem
# UKCore-NHSNumberVerificationStatusEngland has the same codes.
_VERIFICATION_WORDS = {
    "01": "present and verified",
    "02": "present, not traced",
    "03": "a trace is needed",
    "04": "a trace found nobody, or several people",
    "05": "a trace found a conflict that is not settled",
    "06": "a trace is under way",
    "07": "not present, and no trace is needed",
    "08": "a trace is postponed: a baby under six weeks old",
}


def _source_words(source: Source) -> str:
    mode = _MODE_WORDS[source.mode]
    as_of = f"current at {clock_words(source.as_of)}" if source.as_of else ""
    return ", ".join(part for part in (f"{source.system}, fetched {clock_words(source.fetched)}", mode, as_of) if part)


def _caution_parts(caution: str) -> tuple[str, str]:
    """What of a caution is seen beside each item, and the rest, which is read out and copied with it."""
    mark, colon, rest = caution.partition(":")
    return mark, colon + rest


def _clinical_words(item: Item) -> str:
    return moment_words(item.clinical_date) if item.clinical_date else "not stated"


def _state_words(section: Section[Item]) -> str:
    """The status in a few words for the list of contents. Never a bare nothing."""
    shown = f"{len(section)} shown" if len(section) else ""
    state = {
        SectionStatus.ITEMS: "",
        SectionStatus.ASSERTED_NONE: "a clinician recorded that there are none",
        SectionStatus.NOTHING_RECORDED: "nothing recorded where we could look",
        SectionStatus.PARTIAL: "not complete",
        SectionStatus.NOT_ASKED: "not asked for",
        SectionStatus.UNAVAILABLE: "not available",
        SectionStatus.RESTRICTED: "not shown: restricted",
    }[section.status]
    silent = "not complete" if section.missing and section.status is not SectionStatus.PARTIAL else ""
    return ", ".join(part for part in (shown, state, silent) if part) or "not complete"


@dataclass(frozen=True, slots=True)
class _SectionView:
    name: SectionName
    title: str
    section: Section[Item]
    shown: tuple[Item, ...]
    folded: tuple[Item, ...]
    state: str

    @property
    def trusted(self) -> bool:
        return self.section.complete


def _newest_first(items: Iterable[Item]) -> tuple[Item, ...]:
    """By clinical date, undated ones last, in an order that is always the same."""
    by_key = sorted(items, key=lambda item: item.key)
    dated = sorted((i for i in by_key if i.clinical_date), key=lambda i: _sort_key(i.clinical_date), reverse=True)
    return (*dated, *(item for item in by_key if not item.clinical_date))


def _sort_key(moment: When | None) -> str:
    return moment.sort_key if moment else ""


def _rank(item: Item) -> int:
    standing = standing_of(item)
    if standing.void:
        return 3
    # "No known allergies" is never read before an allergy that another source records.
    return 2 if item.asserts_none else 1 if standing.ended else 0


def _reading_order(name: SectionName, items: Iterable[Item]) -> tuple[Item, ...]:
    """Newest first; where what holds now matters most, that comes before what ended or never stood."""
    ordered = _newest_first(items)
    return tuple(sorted(ordered, key=_rank)) if name in _LED_BY_STANDING else ordered


def _section_views(record: Record) -> tuple[_SectionView, ...]:
    views = []
    for name, title in TITLES.items():
        section = record.section(name)
        ordered = _reading_order(name, section)
        # One more is not worth a fold.
        fold = len(ordered) if name in _NEVER_FOLDED or len(ordered) <= _SHOWN_UNFOLDED + 1 else _SHOWN_UNFOLDED
        views.append(_SectionView(name, title, section, ordered[:fold], ordered[fold:], _state_words(section)))
    return tuple(views)


@dataclass(frozen=True, slots=True)
class _ConflictView:
    conflict: Conflict
    items: tuple[Item, ...]


def _conflict_views(record: Record) -> tuple[_ConflictView, ...]:
    known: dict[str, Item] = {item.key: item for item in record.items()}
    for patient in (record.patient, *record.held_as):
        known.setdefault(patient.key, patient)
    return tuple(
        _ConflictView(conflict, tuple(known[key] for key in conflict.items if key in known))
        for conflict in record.conflicts
    )


def _inactive_contingency(record: Record) -> tuple[FromPlan[ContingencyPlan], ...]:
    """Crisis plans of plans that their source does not call active: they are shown too, and called what they are."""
    plans = newest_first(plan for plan in record.care_plans if not plan.is_active)
    return tuple(FromPlan(part, plan) for plan in plans for part in plan.contingency)


def _plan_alone(plan: CarePlan, section: Section[CarePlan]) -> CarePlanView:
    return CarePlanView((plan,), section.status, section.missing, section.complete)


def _restriction_words(record: Record) -> str:
    return _RESTRICTION_WORDS.get(record.restriction or "", _RESTRICTION_UNKNOWN if record.is_restricted else "")


def _number_words(patient: Patient) -> str:
    number = patient.nhs_number
    if number is None:
        return "not stated"
    code = patient.verification_status
    verified = _VERIFICATION_WORDS.get(code or "", f"verification status {code}") if code else "verification not stated"
    return f"{format_nhs_number(number)} ({verified})"


def _other_identifiers(patient: Patient) -> tuple[Identifier, ...]:
    current = next((i for i in patient.identifiers if i.is_nhs_number and i.use != "old"), None)
    return tuple(identifier for identifier in patient.identifiers if identifier is not current)


def _other_names(patient: Patient) -> tuple[HumanName, ...]:
    return tuple(name for name in patient.names if name is not patient.name)


def _needs(patient: Patient, others: Sequence[Patient], field: str) -> dict[str, list[str]]:
    """What every system says of a need, once each, with the systems that say it."""
    found: dict[str, list[str]] = {}
    for each in (patient, *others):
        for need in getattr(each, field):
            said = found.setdefault(value_words(need), [])
            if each.source.system not in said:
                said.append(each.source.system)
    return found


def _death_words(patient: Patient) -> str:
    if not patient.deceased and patient.death_notification is None:
        return ""
    when = f" {moment_words(patient.deceased)}" if isinstance(patient.deceased, When) else ""
    notified = f" ({patient.death_notification.words()})" if patient.death_notification else ""
    return f"This person has died{when}{notified}." if patient.deceased else f"A death was notified{notified}."


def _left_over(record: Record) -> tuple[tuple[str, int], ...]:
    counts = Counter[str]()
    for item in (record.patient, *record.held_as, *record.items()):
        counts[item.source.system] += len(item.extra)
    return tuple(sorted((system, count) for system, count in counts.items() if count))


@lru_cache(maxsize=1)
def _templates() -> Environment:
    environment = templates(
        "mpftconnect.pages",
        caution_parts=_caution_parts,
        clinical_words=_clinical_words,
        facts_of=facts_of,
        long_text=_LONG_TEXT,
        moment_words=moment_words,
        no_agreement=Agreement(),
        number_words=_number_words,
        other_identifiers=_other_identifiers,
        needs=_needs,
        other_names=_other_names,
        outcome_words=OUTCOMES,
        plain_status=plain_status,
        plan_alone=_plan_alone,
        plan_parts=_PLAN_PARTS,
        source_words=_source_words,
        standing_of=standing_of,
        technical_facts=technical_facts,
        value_words=value_words,
    )
    environment.tests["care_plan"] = lambda item: isinstance(item, CarePlan)
    return environment


def record_page(record: Record, *, title: str | None = None, demonstration: bool = False) -> str:
    """The record as one self-contained HTML page in plain English, to read or to print.

    Args:
        record: What to show. All of it is shown; a section that is empty or partial says why.
        title: Heading of the page; the person's name where it is left out.
        demonstration: True where the systems are stand-ins: the page then says so first.
    Returns:
        HTML 5 text without lone surrogates, to be written as UTF-8.
    """
    style = style_sheet()
    return (
        _templates()
        .get_template("record.html")
        .render(
            record=record,
            patient=record.patient,
            held_as=record.held_as,
            title=title or f"Record of {record.patient.words()}",
            demonstration=demonstration,
            style=style.text,
            policy=style.policy,
            restriction=_restriction_words(record),
            death=_death_words(record.patient),
            plan=record.care_plan,
            inactive_contingency=_inactive_contingency(record),
            conflicts=_conflict_views(record),
            disputed=frozenset(key for conflict in record.conflicts for key in conflict.items),
            sections=_section_views(record),
            left_over=_left_over(record),
            gaps=gap_lines(record.gaps),
            timeline=timeline(record, TITLES),
            test_systems=tuple(answer.system for answer in record.systems if answer.environment != "live"),
        )
    )
