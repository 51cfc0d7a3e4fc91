"""One structured record: who it is about, and what of it belongs in which section."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mpftconnect.adapters import Found, Reading, Refusal
from mpftconnect.adapters.fhir_subject import SubjectFault, subject_fault
from mpftconnect.errors import AnswerRejected, NotADate, WrongPerson
from mpftconnect.fhir import NotMapped
from mpftconnect.fhir.stu3 import STU3_READS_TYPES, read_stu3_resource
from mpftconnect.model import NHS_NUMBER_SYSTEM, Extra, Item, Notice, Patient, SectionName, Source, extra_from
from mpftconnect_gpconnect.structured.bundle import Entry, Held, hold, mappings
from mpftconnect_gpconnect.structured.codes import BESIDE, MISSED_IN, SECTION_OF, SUPPORTING, UNKNOWN, UNREAD
from mpftconnect_gpconnect.structured.consultations import notes
from mpftconnect_gpconnect.structured.linking import linked
from mpftconnect_gpconnect.structured.lists import list_facts, missing_lists, outcomes

__all__ = ["StructuredRecord", "read_structured_record"]


@dataclass(frozen=True, slots=True)
class StructuredRecord:
    """What one structured record says.

    Args:
        patient: The person.
        sections: Per section, what there is: items, notices of the source, refused entries.
        others: What items refer to and no section shows: professionals, organisations, places, specimens.
        kept: Everything else that came, as sent, with its place: lists, medications, unknown resources.
    """

    patient: Patient
    sections: Mapping[SectionName, tuple[Found, ...]]
    others: tuple[Item, ...] = ()
    kept: tuple[Extra, ...] = field(default=(), repr=False)


def read_structured_record(
    bundle: Mapping[str, Any], *, reading: Reading, included: frozenset[SectionName] | None = None
) -> StructuredRecord:
    """Read a GP Connect structured record.

    Args:
        bundle: JSON as `parse_json` gives it, the answer of `$gpc.getstructuredrecord`.
        reading: Says who is meant, and gives every item its source.
        included: Sections that were asked for: others are left out, and a list that is missing is said. None for all
            that came.
    Returns:
        The person and the sections. The order of the Bundle's entries changes nothing but the places of refusals.
    Raises:
        AnswerRejected: Not a collection Bundle, or it holds no patient, two, or one without an NHS number.
        WrongPerson: Its patient is somebody else.
    """
    held = hold(bundle, reading.system)
    patient = _patient(held, reading)
    reading = reading.found(patient)
    wanted = included if included is not None else frozenset((*SECTION_OF.values(), SectionName.NOTES))
    items, others, refused = _read(held, reading)
    strange = {entry.key: fault for entry in held.of("List") if (fault := _list_fault(entry, reading, held))}
    ours = held.without(strange)
    lists = tuple(ours.of("List"))
    found: dict[SectionName, list[Found]] = {name: [] for name in wanted}

    said: dict[SectionName, set[Notice]] = {name: set() for name in wanted}

    def put(names: Iterable[SectionName], what: Found) -> None:
        for name in tuple(names) or tuple(wanted):
            if name not in wanted or (isinstance(what, Notice) and what in said[name]):
                continue  # two lists of one section often carry the same warning
            found[name].append(what)
            if isinstance(what, Notice):
                said[name].add(what)

    told = linked({**items, **others}, ours)
    for key in items:
        put((SECTION_OF[held.entries[key].kind],), told[key])
    for note in notes(ours, told, reading):
        put((SectionName.NOTES,), note)
    for notice in outcomes(held.of("OperationOutcome")):
        put((), notice)
    for names, what in list_facts(lists, reading):
        put(names, what)
    for names, what in missing_lists(lists, included or frozenset()):
        put(names, what)
    for section, refusal in refused:
        put((section,) if section else (), refusal)
    for key, fault in strange.items():
        entry = held.entries[key]
        put((), Refusal(entry.place, fault.rule, wrong_person=fault.wrong_person, content=entry.resource))
    return StructuredRecord(
        patient=patient,
        sections={name: tuple(found[name]) for name in sorted(wanted)},
        others=tuple(told[key] for key in others),
        kept=tuple(_kept(bundle, held, {patient.source.id, *items, *others})),
    )


def _patient(held: Held, reading: Reading) -> Patient:
    """The Bundle's one patient, who must be the one that was asked for."""
    people = [*held.of("Patient"), *(refusal for refusal in held.refusals if _is_patient(refusal.content))]
    if not people:
        raise AnswerRejected("holds no patient", system=reading.system, place="Bundle.entry")
    first = people[0]
    if len(people) > 1 or not isinstance(first, Entry):
        raise AnswerRejected("does not hold one patient alone", system=reading.system, place="Bundle.entry")
    if not any(one.get("system") == NHS_NUMBER_SYSTEM for one in mappings(first.resource.get("identifier"))):
        raise AnswerRejected("states no NHS number", system=reading.system, place=f"{first.place}.identifier")
    # By the NHS number alone: how the system names them is what is being learnt here.
    if subject_fault(first.resource, replace(reading, patient=None)) is not None:
        raise WrongPerson("is not the patient who was asked for", system=reading.system, place=first.place)
    try:
        patient = read_stu3_resource(
            first.resource, source=_source(first, reading), zone=reading.zone, contained_or_bundle=held.resolve
        )
    except NotMapped as error:
        raise AnswerRejected(error.rule, system=reading.system, place=first.place) from None
    assert isinstance(patient, Patient)  # noqa: S101 - tells the type checker; the table is chosen by type
    return patient


def _is_patient(content: Any) -> bool:
    return type(content) is dict and content.get("resourceType") == "Patient"


def _source(entry: Entry, reading: Reading) -> Source:
    meta = entry.resource.get("meta")
    members = meta if type(meta) is dict else {}
    version, updated = members.get("versionId"), members.get("lastUpdated")
    try:
        when = reading.when(updated) if type(updated) is str else None
    except NotADate:
        when = None  # provenance only: the item itself is still good
    return reading.source(entry.key, version=version if type(version) is str else None, updated=when)


def _read(
    held: Held, reading: Reading
) -> tuple[dict[str, Item], dict[str, Item], list[tuple[SectionName | None, Refusal]]]:
    """What becomes an item of a section, what items refer to, and what is refused, with the section it is missed in."""
    items: dict[str, Item] = {}
    others: dict[str, Item] = {}
    refused: list[tuple[SectionName | None, Refusal]] = [(_missed_in(r.content), r) for r in held.refusals]
    for entry in held.entries.values():
        kind, resource = entry.kind, entry.resource
        section = _section(resource)
        if kind in BESIDE and kind not in SUPPORTING:
            continue
        if section is None and kind not in BESIDE:
            # Its name came from the sender, and could itself be a patient's value.
            refused.append((UNKNOWN, Refusal(entry.place, "is of a kind that is not known here", content=resource)))
            continue
        if section is not None or kind == "Specimen":
            fault = subject_fault(resource, reading, full_url=entry.full_url, resolve=held.resolve)
            if fault is not None:
                refusal = Refusal(entry.place, fault.rule, wrong_person=fault.wrong_person, content=resource)
                refused.append((section or SectionName.RESULTS, refusal))
                continue
        if kind not in STU3_READS_TYPES:
            refused.append((section, Refusal(entry.place, f"is a {kind}, which is not read here", content=resource)))
            continue
        try:
            item = read_stu3_resource(
                resource, source=_source(entry, reading), zone=reading.zone, contained_or_bundle=held.resolve
            )
        except NotMapped as error:
            place = f"{entry.place}.{error.place}" if error.place else entry.place
            refused.append((section or SectionName.RESULTS, Refusal(place, error.rule, content=resource)))
            continue
        (items if kind in SECTION_OF else others)[entry.key] = item
    return items, others, refused


def _section(resource: Any) -> SectionName | None:
    """Where a reader would miss the resource; None where that is not known."""
    kind = resource.get("resourceType") if type(resource) is dict else None
    return SECTION_OF.get(kind) or UNREAD.get(kind) if type(kind) is str else None


def _missed_in(content: Any) -> SectionName | None:
    kind = content.get("resourceType") if type(content) is dict else None
    return _section(content) or MISSED_IN.get(kind) if type(kind) is str else None


def _list_fault(entry: Entry, reading: Reading, held: Held) -> SubjectFault | None:
    """Whether a list is about somebody else. Whom a list does not name, it says nothing of."""
    if "subject" not in entry.resource:
        return None
    return subject_fault(entry.resource, reading, full_url=entry.full_url, resolve=held.resolve)


def _kept(bundle: Mapping[str, Any], held: Held, read: Container[str]) -> Iterator[Extra]:
    """What became no item, as sent: by key, so that the order of entries does not matter."""
    for name in sorted(name for name in bundle if name not in ("resourceType", "type", "entry")):
        yield from _extra(f"Bundle.{name}", bundle[name])
    for key, entry in held.entries.items():
        if key not in read and not entry.list_key:
            yield from _extra(key, entry.resource)
    for refusal in held.refusals:
        yield from _extra("entry", refusal.content)


def _extra(path: str, value: Any) -> Iterator[Extra]:
    try:
        yield extra_from(path, value)
    except (TypeError, ValueError, RecursionError):
        return  # not JSON: refused where it stood
