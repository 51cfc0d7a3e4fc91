"""What the sources disagree on. Nothing is settled here: a conflict names all the items, and a person looks (rule 8).

Whether two items are about the same thing is decided by `sameness`, by any chain of shared codes and texts, and by
what a terminology plugin says in either direction: to ask a person to look, little is enough. Every kind of conflict
stands in `KINDS`, and a test holds the page docs/merging.md against it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from typing import Any

from mpftconnect.hub.merge import comparable, thing_of
from mpftconnect.hub.record import Conflict
from mpftconnect.hub.sameness import Opinions, concept_key, is_stated, linked, tokens
from mpftconnect.model import (
    AllergyIntolerance,
    CarePlan,
    ClinicalItem,
    Concept,
    Condition,
    DiagnosticReport,
    DocumentReference,
    Immunization,
    Item,
    LegalStatus,
    MedicationStatement,
    Observation,
    Quantity,
    SectionName,
)

__all__ = ["KINDS", "Kind", "conflicts"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of conflict between items.

    Args:
        section: Where it is found.
        text: What the reader is told; never a value.
    """

    section: str
    text: str


KINDS: dict[str, Kind] = {
    "several-active-plans": Kind(
        "care_plans", "{count} care plans are active at the same time. All are shown, newest first."
    ),
    "allergy-against-none-known": Kind(
        "allergies",
        "One source records that no allergies are known and another records an allergy. "
        "Treat the person as allergic until this is settled.",
    ),
    "allergy-differs": Kind(
        "allergies",
        "Systems disagree on how serious an allergy is or whether it stands. Both are shown; go by the more serious "
        "until this is settled.",
    ),
    "medicine-differs": Kind("medications", "Systems disagree on the status or the dosage of the same medicine."),
    "problem-status-differs": Kind("problems", "Systems disagree on whether the same problem is active or stands."),
    "result-differs": Kind("results", "Systems give different values for the same result at the same time."),
    "result-withdrawn-by-one-source": Kind(
        "results, reports",
        "One source has withdrawn this result and another still shows it as standing. Do not rely on it until this is "
        "settled.",
    ),
    "document-withdrawn-by-one-source": Kind(
        "documents", "One source has withdrawn this document and another still shows it as standing."
    ),
    "immunisation-differs": Kind(
        "immunisations", "Systems disagree on whether a vaccination of the same day was given."
    ),
    "legal-status-differs": Kind(
        "legal_status", "Systems hold different legal statuses as in force at the same time. Check which applies."
    ),
}


def conflicts(sections: Mapping[SectionName, Sequence[Item]], opinions: Opinions | None = None) -> tuple[Conflict, ...]:
    """What disagrees among the items of the sections, each kind in the order of `KINDS`.

    What one system says in several items is not a disagreement of systems, with two exceptions that are dangerous
    wherever they stand: several active plans, and an allergy beside "none known".
    """
    said = opinions or Opinions()
    return tuple(conflict for finder in _FINDERS for conflict in finder(sections, said))


_Sections = Mapping[SectionName, Sequence[Item]]
_Said = tuple[Hashable, Hashable]


def _conflict(kind: str, section: SectionName, items: Sequence[Item], plugins: Sequence[str] = ()) -> Conflict:
    keys = tuple(sorted(item.key for item in items))
    systems = tuple(sorted({source.system for item in items for source in item.sources}))
    text = KINDS[kind].text.format(count=len(items))
    if plugins:
        text += f" That they are about the same thing is said by: {', '.join(plugins)}."
    return Conflict(kind=kind, section=section, text=text, items=keys, systems=systems)


def _of(sections: _Sections, name: SectionName, kind: type[Any]) -> list[Any]:
    return [item for item in sections.get(name, ()) if isinstance(item, kind)]


def _about_the_same(
    items: Iterable[Any], section: SectionName, opinions: Opinions
) -> list[tuple[list[Any], tuple[str, ...]]]:
    """Groups of two or more items about the same thing, of two or more systems, with the plugins that say so."""
    stated = [(item, about) for item in items if (about := thing_of(item)) is not None and is_stated(about)]
    things = linked((pair, tokens(pair[1]) or {concept_key(pair[1])}) for pair in stated)
    groups = opinions.groups([thing[0][1] for thing in things], section, strict=False)
    found = [([item for at in places for item, _ in things[at]], plugins) for places, plugins in groups]
    return [(group, plugins) for group, plugins in found if _of_several_systems(group)]


def _of_several_systems(items: Iterable[Item]) -> bool:
    return len({source.system for item in items for source in item.sources}) > 1


def _disagree(items: Sequence[Item], said: Callable[[Any], Iterable[_Said]]) -> bool:
    """Whether two systems say different things: `said` gives each thing that an item states, named and valued."""
    by_field: dict[Hashable, dict[Hashable, set[str]]] = defaultdict(lambda: defaultdict(set))
    for item in items:
        for field, value in said(item):
            by_field[field][value] |= {source.system for source in item.sources}
    # Several values, and not all from one and the same system alone.
    return any(len(values) > 1 and len(set().union(*values.values())) > 1 for values in by_field.values())


def _stated(**fields: Concept | str | None) -> Iterable[_Said]:
    return ((name, comparable(value)) for name, value in fields.items() if value)


def _plans(sections: _Sections, opinions: Opinions) -> Iterable[Conflict]:
    active = [plan for plan in _of(sections, SectionName.CARE_PLANS, CarePlan) if plan.is_active]
    if len(active) > 1:
        yield _conflict("several-active-plans", SectionName.CARE_PLANS, active)


def _none_known(sections: _Sections, opinions: Opinions) -> Iterable[Conflict]:
    standing = [item for item in _of(sections, SectionName.ALLERGIES, AllergyIntolerance) if item.withdrawn is None]
    none = [item for item in standing if item.asserts_none]
    some = [item for item in standing if not item.asserts_none]
    if none and some:
        yield _conflict("allergy-against-none-known", SectionName.ALLERGIES, [*none, *some])


def _allergies(sections: _Sections, opinions: Opinions) -> Iterable[Conflict]:
    def said(item: AllergyIntolerance) -> Iterable[_Said]:
        yield from _stated(criticality=item.criticality, clinical=item.clinical_status)
        yield from _stated(verification=item.verification_status)
        yield ("withdrawn", item.withdrawn is not None)
        yield ("ended", item.ended is not None)

    some = [item for item in _of(sections, SectionName.ALLERGIES, AllergyIntolerance) if not item.asserts_none]
    for same, plugins in _about_the_same(some, SectionName.ALLERGIES, opinions):
        if _disagree(same, said):
            yield _conflict("allergy-differs", SectionName.ALLERGIES, same, plugins)


def _medications(sections: _Sections, opinions: Opinions) -> Iterable[Conflict]:
    def said(item: MedicationStatement) -> Iterable[_Said]:
        # Here a dose that is not stated is a difference: whoever acts on the other must know of it.
        yield ("how", (item.status, comparable(item.dosage)))

    medicines = _of(sections, SectionName.MEDICATIONS, MedicationStatement)
    for same, plugins in _about_the_same(medicines, SectionName.MEDICATIONS, opinions):
        if _disagree(same, said):
            yield _conflict("medicine-differs", SectionName.MEDICATIONS, same, plugins)


def _problems(sections: _Sections, opinions: Opinions) -> Iterable[Conflict]:
    def said(item: Condition) -> Iterable[_Said]:
        yield from _stated(clinical=item.clinical_status)
        yield ("withdrawn", item.withdrawn is not None)

    for same, plugins in _about_the_same(
        _of(sections, SectionName.PROBLEMS, Condition), SectionName.PROBLEMS, opinions
    ):
        if _disagree(same, said):
            yield _conflict("problem-status-differs", SectionName.PROBLEMS, same, plugins)


def _at_the_same_time(items: Iterable[Any]) -> Iterable[list[Any]]:
    """Items by their clinical date, of those that state at least the day."""
    by_time: dict[str, list[Any]] = defaultdict(list)
    for item in items:
        if item.clinical_date is not None and item.clinical_date.precision not in ("year", "month"):
            by_time[item.clinical_date.sort_key].append(item)
    return by_time.values()


def _results(sections: _Sections, opinions: Opinions) -> Iterable[Conflict]:
    def said(item: Observation) -> Iterable[_Said]:
        if item.value is not None:
            yield ("value", _amount(item.value))
        for part in item.components:
            if part.value is not None:
                yield (("component", concept_key(part.code)), _amount(part.value))

    results = [item for item in _of(sections, SectionName.RESULTS, Observation) if item.withdrawn is None]
    for same, plugins in _about_the_same(results, SectionName.RESULTS, opinions):
        for group in _at_the_same_time(same):
            if _disagree(group, said):
                yield _conflict("result-differs", SectionName.RESULTS, group, plugins)


def _amount(value: Any) -> Hashable:
    """A value for the question whether two disagree: 4.10 mmol/L and 4.1 mmol/L do not."""
    if isinstance(value, Quantity):
        number = (
            value.value.normalize() if isinstance(value.value, Decimal) and value.value.is_finite() else value.value
        )
        return (str(number), value.comparator, value.unit or value.code)
    return comparable(value)


def _withdrawn_results(sections: _Sections, opinions: Opinions) -> Iterable[Conflict]:
    for name, kind in ((SectionName.RESULTS, Observation), (SectionName.REPORTS, DiagnosticReport)):
        items = _of(sections, name, kind)
        if any(item.withdrawn for item in items):
            for same, plugins in _about_the_same(items, name, opinions):
                for group in linked((item, _when_or_which(item)) for item in same):
                    if _withdrawn_by_one(group):
                        yield _conflict("result-withdrawn-by-one-source", name, group, plugins)


def _withdrawn_documents(sections: _Sections, opinions: Opinions) -> Iterable[Conflict]:
    documents = _of(sections, SectionName.DOCUMENTS, DocumentReference)
    if any(item.withdrawn for item in documents):
        for group in linked((item, _identified(item)) for item in documents):
            if _withdrawn_by_one(group):
                yield _conflict("document-withdrawn-by-one-source", SectionName.DOCUMENTS, group)


def _when_or_which(item: ClinicalItem) -> Iterable[Hashable]:
    """The moment, or where none is stated the identifiers: a series of tests shares those of its order."""
    date = item.clinical_date
    if date is not None and date.precision not in ("year", "month"):
        return [date.sort_key]
    return _identified(item)


def _identified(item: ClinicalItem) -> Iterable[Hashable]:
    return [(i.system, i.value) for i in item.identifiers if i.system and i.value]


def _withdrawn_by_one(items: Sequence[Item]) -> bool:
    """Whether a system still shows what another has withdrawn, and does not hold what that one put in its place."""
    gone = {source.system for item in items if item.withdrawn for source in item.sources}
    standing = [(item, {source.system for source in item.sources}) for item in items if item.withdrawn is None]
    in_its_place = {_finding(item) for item, systems in standing if systems & gone}
    return bool(gone) and any(_finding(item) not in in_its_place for item, _ in standing)


def _finding(item: Item) -> Hashable:
    if isinstance(item, Observation):
        parts = tuple((concept_key(part.code), _amount(part.value)) for part in item.components)
        return (_amount(item.value), parts)
    if isinstance(item, DiagnosticReport):
        return (item.conclusion, comparable(item.conclusion_codes), comparable(item.attachments))
    return comparable(item.attachments) if isinstance(item, DocumentReference) else item.words()


def _immunisations(sections: _Sections, opinions: Opinions) -> Iterable[Conflict]:
    given = _of(sections, SectionName.IMMUNISATIONS, Immunization)
    for same, plugins in _about_the_same(given, SectionName.IMMUNISATIONS, opinions):
        for group in _at_the_same_time(same):
            if _disagree(group, lambda item: _stated(status=item.status)):
                yield _conflict("immunisation-differs", SectionName.IMMUNISATIONS, group, plugins)


# Words of sources for a legal status that is over; FHIR has no value set for it.
_OVER = frozenset(
    {"inactive", "ended", "completed", "expired", "discharged", "rescinded", "revoked", "cancelled", "lapsed"}
)
# More different ones than this in force at once are a mistake in themselves.
_MOST_IN_FORCE = 50


def _legal_statuses(sections: _Sections, opinions: Opinions) -> Iterable[Conflict]:
    """Where each of two systems holds one as in force that the other does not have, at the same time.

    A system that holds fewer than another is silent and contradicts nothing.
    """
    in_force = [
        item
        for item in _of(sections, SectionName.LEGAL_STATUS, LegalStatus)
        if item.withdrawn is None and (item.status or "").strip().casefold() not in _OVER and is_stated(item.code)
    ]
    if not _of_several_systems(in_force):
        return
    things = linked((item, tokens(item.code) or {concept_key(item.code)}) for item in in_force)
    groups = opinions.groups([thing[0].code for thing in things], SectionName.LEGAL_STATUS, strict=False)
    held = [[item for at in places for item in things[at]] for places, _ in groups]
    if len(held) > _MOST_IN_FORCE:
        yield _conflict("legal-status-differs", SectionName.LEGAL_STATUS, in_force)
        return
    disputed: dict[str, LegalStatus] = {}
    for one, other in combinations(held, 2):
        here = {source.system for item in one for source in item.sources}
        there = {source.system for item in other for source in item.sources}
        if here - there and there - here and _overlap(one, other):
            disputed |= {item.key: item for item in (*one, *other)}
    if disputed:
        yield _conflict("legal-status-differs", SectionName.LEGAL_STATUS, list(disputed.values()))


def _overlap(one: Sequence[LegalStatus], other: Sequence[LegalStatus]) -> bool:
    """Whether both may have been in force on one day; where a start or an end is not stated it is open."""
    (start, end), (starts, ends) = _span(one), _span(other)
    return start <= ends and starts <= end


def _span(items: Sequence[LegalStatus]) -> tuple[str, str]:
    periods = [item.period for item in items]
    starts = [period.start.date_text if period and period.start else "" for period in periods]
    # A year or a month lasts until its end: "~" comes after every digit and hyphen.
    ends = [period.end.date_text + "~" if period and period.end else "~" for period in periods]
    return min(starts), max(ends)


_FINDERS: tuple[Callable[[_Sections, Opinions], Iterable[Conflict]], ...] = (
    _plans,
    _none_known,
    _allergies,
    _medications,
    _problems,
    _results,
    _withdrawn_results,
    _withdrawn_documents,
    _immunisations,
    _legal_statuses,
)
