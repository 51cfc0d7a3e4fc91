"""ORU: each OBR as a `DiagnosticReport`, each OBX as an `Observation` of it.

HL7 v2.5.1, chapter 7: sections 7.3.1 (ORU^R01), 7.4.1 (OBR), 7.4.2 (OBX). A result replaces what stood under its
number, so that no flag or range of an earlier one stays beside a later value. One that its sender takes back is
withdrawn and stays to be seen as that.

Viewing is not acknowledging: nothing here, and nothing that reads it, tells a sender that a result was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from mpftconnect.hl7v2.changes import Key, Stated
from mpftconnect.hl7v2.mapping.attachments import inline_document
from mpftconnect.hl7v2.mapping.datatypes import (
    coded_in,
    concept,
    entity_identifier,
    moment,
    organisation,
    person,
)
from mpftconnect.hl7v2.mapping.draft import Draft, Row, Taken
from mpftconnect.hl7v2.mapping.leaves import Place, Segment
from mpftconnect.hl7v2.mapping.making import alias_to, key_to, make
from mpftconnect.hl7v2.mapping.tables import INTERPRETATION, OBSERVATION_STATUS, REPORT_STATUS
from mpftconnect.hl7v2.mapping.values import LINES, coding_words, interpretations, observed, ranges
from mpftconnect.hl7v2.mapping.ways import sliced, timed
from mpftconnect.hl7v2.mapping.work import Part, Person, Work, digest, digest_of_code, key_of
from mpftconnect.model import (
    Actor,
    Concept,
    DiagnosticReport,
    Identifier,
    Observation,
    ObservationComponent,
    Period,
    Reference,
    Specimen,
    When,
)

__all__ = ["OBSERVATION", "REPORT", "SPECIMEN", "WITHDRAWN", "read_observations", "read_results", "read_specimens"]

# OBX-11 (table 0085) that takes a result back, and why in our words.
WITHDRAWN: Final = {
    "D": "the sender deleted the result (OBX-11 D)",
    "W": "the sender marked the result as wrong, for instance for the wrong patient (OBX-11 W)",
    "X": "the sender could not obtain the result (OBX-11 X)",
}


def _interpreter(draft: Draft, segment: Segment, field: int, repetition: int, path: str) -> Actor | None:
    """NDL (2.A.46): the person stands in the sub-components of the first component."""
    take = draft.take
    parts = [segment.left.get((field, repetition, 1, sub)) for sub in (1, 2, 3)]
    if not any(parts):
        return None
    known = None
    if parts[0]:
        value = take(segment, field, repetition, 1, 1, f"{path}.identifier.value")
        known = make(Identifier, system=draft.site.system_of(draft.authority), value=value) if value else None
    whole = ""
    for sub in (3, 2):
        part = segment.left.get((field, repetition, 1, sub))
        if part and part != '""' and part.isprintable() and not part.isspace():
            whole = f"{whole} " if whole else whole
            take(segment, field, repetition, 1, sub, f"{path}.name", sliced(len(whole), len(whole) + len(part)))
            whole += part
    return make(Actor, name=whole or None, identifier=known) if whole or known else None


REPORT: Final = (
    Row(3, "identifiers", entity_identifier, many=True, removable=False),
    Row(2, "identifiers", entity_identifier, many=True, removable=False),
    Row(4, "code", concept, removable=False),
    Row(7, "effective.start", moment),
    Row(8, "effective.end", moment),
    Row(22, "issued", moment),
    Row(24, "category", concept, many=True),
    Row(25, "status", coded_in(REPORT_STATUS), removable=False),
    Row(32, "performers", _interpreter, many=True),
)
OBSERVATION: Final = (
    Row(3, "code", concept, removable=False),
    Row(11, "status", coded_in(OBSERVATION_STATUS), removable=False),
    Row(14, "effective", moment),
    Row(19, "issued", moment),
    Row(15, "performers", organisation, many=True),
    Row(16, "performers", person, many=True),
    Row(23, "performers", organisation, many=True),
    Row(17, "method", concept),
    Row(20, "body_site", concept),
)
SPECIMEN: Final = (
    Row(2, "accession", entity_identifier, removable=False),
    Row(4, "type", concept),
    Row(8, "body_site", concept),
    Row(17, "collected.start", moment),
    Row(18, "received", moment),
)


def read_results(work: Work, part: Part, someone: Person, encounter: Reference | None) -> None:
    """The reports of a part, in order, each with its results."""
    orders = _orders(part)
    if not orders:
        loose = part.all("OBX")
        if not loose:
            work.park("no-result", "a result message without OBR and OBX", "OBR")
            return
        read_observations(work, loose, part.segments, someone, encounter, "", None, work.stated)
        return
    for group in orders:
        _read_report(work, group, someone, encounter)


def _orders(part: Part) -> list[list[Segment]]:
    """The segments of each OBR group, its ORC first where it has one."""
    groups: list[list[Segment]] = []
    common: list[Segment] = []
    for segment in part.segments:
        if segment.name == "ORC":
            common = [segment]
        elif segment.name == "OBR":
            groups.append([*common, segment])
            common = []
        elif groups and not common:
            groups[-1].append(segment)
    return groups


def notes(draft: Draft, segments: Sequence[Segment]) -> None:
    """NTE-3, line by line."""
    for segment in segments:
        for repetition in range(1, segment.repetitions.get(3, 0) + 1):
            path = draft.next_path("note")
            draft.add("note", draft.take(segment, 3, repetition, 1, 1, path))


def _read_report(work: Work, group: list[Segment], someone: Person, encounter: Reference | None) -> None:
    obr = next(segment for segment in group if segment.name == "OBR")
    draft = work.draft(DiagnosticReport)
    draft.fill(obr, REPORT)
    values = draft.values
    if "code" not in values:
        values["code"] = Concept()
    for segment in group:
        if segment.name in ("ORC", "OBR"):
            work.own(draft, segment)
            if segment.name == "ORC" and not values.get("identifiers"):
                draft.fill(segment, _ORDER_NUMBERS)
    start, end = values.pop("effective.start", None), values.pop("effective.end", None)
    values["effective"] = _span(draft, start, end, "effective")
    if values["effective"] is None:
        del values["effective"]
    stated = work.at(values["issued"]) if values.get("issued") else work.stated
    identifiers: list[Identifier] = values.get("identifiers", [])
    system, code = coding_words(values["code"])
    own = digest(system, code)
    if identifiers:
        first = key_of("DiagnosticReport", identifiers[0])
        base = f"{first.value}-{own}"
        authority = first.authority
    else:
        # No order number at all: the report can be found again only by what it is of and when that was taken.
        base = f"{someone.key.value}-{digest(system, code, obr.get(7))}"
        authority = someone.key.authority
    base = work.once(base)
    key = key_to("DiagnosticReport", authority, base)
    aliases = tuple(
        Key(kind="DiagnosticReport", authority=other.authority, value=f"{other.value}-{own}")
        for other in (key_of("DiagnosticReport", known) for known in identifiers[1:])
    )
    others = tuple((alias.authority, alias.value) for alias in aliases)
    _read_notes_of_order(draft, group)
    specimens = read_specimens(work, group, someone, authority, base)
    results = read_observations(
        work,
        [segment for segment in group if segment.name == "OBX"],
        group,
        someone,
        encounter,
        base,
        draft,
        stated,
        authority=authority,
        others=others,
        obr=obr,
        specimen=specimens[0] if len(specimens) == 1 else None,
    )
    about: dict[str, Any] = {
        "subject": someone.reference,
        "encounter": encounter,
        "based_on": _order_of(obr, group, identifiers),
        "results": tuple(results),
        "specimens": tuple(specimens),
    }
    withdrawn = draft.values.get("status") == "cancelled"
    if withdrawn:
        reason = "the order was cancelled and has no result (OBR-25 X)"
        draft.add("note", reason)
        work.retract(draft, someone, key, about, aliases=aliases, code="OBR-25 X", reason=reason, stated=stated)
    else:
        work.upsert(draft, someone, key, about, aliases=aliases, stated=stated)


def _order_of(obr: Segment, group: Sequence[Segment], identifiers: Sequence[Identifier]) -> tuple[Reference, ...]:
    """The order that the placer's number (OBR-2, ORC-2) names, as `read_orders` keys it."""
    number = obr.get(2) or next((segment.get(2) for segment in group if segment.name == "ORC"), None)
    placed = next((known for known in identifiers if known.value == number), None)
    if placed is None:
        return ()
    key = key_of("ServiceRequest", placed)
    return (make(Reference, reference=key.reference, type="ServiceRequest", identifier=placed),)


_ORDER_NUMBERS: Final = (
    Row(3, "identifiers", entity_identifier, many=True, removable=False),
    Row(2, "identifiers", entity_identifier, many=True, removable=False),
)


def _span(draft: Draft, start: When | None, end: When | None, attribute: str) -> When | Period | None:
    """A moment, or a period where both ends are stated."""
    if start and end:
        return make(Period, start=start, end=end)
    inside = (f"{attribute}.start", f"{attribute}.end")
    draft.taken = [(taken[0], taken[1], attribute, taken[3]) if taken[2] in inside else taken for taken in draft.taken]
    return start or end


def _read_notes_of_order(draft: Draft, group: list[Segment]) -> None:
    lines = []
    for segment in group:
        if segment.name == "NTE":
            lines.append(segment)
        elif segment.name in ("OBX", "SPM"):
            break
    notes(draft, lines)


def read_specimens(work: Work, group: Sequence[Segment], someone: Person, authority: str, base: str) -> list[Reference]:
    """SPM (v2.5.1, section 7.4.3) as specimens, and how the report names them."""
    found = []
    for number, segment in enumerate((one for one in group if one.name == "SPM"), 1):
        draft = work.draft(Specimen)
        draft.fill(segment, SPECIMEN)
        start = draft.values.pop("collected.start", None)
        end = draft.take_time(segment, 17, 1, "collected.end", 2)
        if (collected := _span(draft, start, end, "collected")) is not None:
            draft.values["collected"] = collected
        work.own(draft, segment)
        accession: Identifier | None = draft.values.get("accession")
        key = (
            key_of("Specimen", accession)
            if accession
            else Key(kind="Specimen", authority=authority, value=f"{base}-{number}")
        )
        work.upsert(draft, someone, key, {"subject": someone.reference})
        found.append(make(Reference, reference=key.reference, type="Specimen"))
    return found


def read_observations(
    work: Work,
    lines: Sequence[Segment],
    group: Sequence[Segment],
    someone: Person,
    encounter: Reference | None,
    base: str,
    report: Draft | None,
    stated: Stated,
    *,
    authority: str | None = None,
    others: Sequence[tuple[str, str]] = (),
    obr: Segment | None = None,
    specimen: Reference | None = None,
) -> list[Reference]:
    """The OBX of a group as results, and how the report names them."""
    found: list[Reference] = []
    comments = _comments(group)
    # What a result does not say of its times, its order says: when the sample was taken and when it was reported.
    sampled, reported = (obr.get(7), obr.get(22)) if obr is not None else (None, None)
    zone = work.site.zone
    when = (
        timed(sampled, zone)[0] if sampled else None,
        timed(reported, zone)[0] if reported else None,
    )
    index = 0
    while index < len(lines):
        segment = lines[index]
        index += 1
        kind = (segment.get(2) or "").strip()
        if report is not None and kind in ("ED", "RP"):
            _attach(work, segment, report, comments.get(id(segment), ()))
            continue
        more: list[Segment] = []
        while (
            kind in LINES
            and index < len(lines)
            and not comments.get(id((more or [segment])[-1]))
            and _continues(segment, lines[index])
        ):
            more.append(lines[index])
            index += 1
        reference = _read_observation(
            work,
            segment,
            more,
            [note for line in (segment, *more) for note in comments.get(id(line), ())],
            someone,
            encounter,
            base or someone.key.value,
            stated,
            authority or someone.key.authority,
            when,
            specimen,
            others,
        )
        if reference is not None:
            found.append(reference)
    return found


def _comments(group: Sequence[Segment]) -> dict[int, list[Segment]]:
    """The NTE that follow each OBX."""
    found: dict[int, list[Segment]] = {}
    last: Segment | None = None
    for segment in group:
        if segment.name == "OBX":
            last = segment
        elif segment.name == "NTE":
            if last is not None:
                found.setdefault(id(last), []).append(segment)
        else:
            last = None
    return found


def _continues(first: Segment, following: Segment) -> bool:
    """Whether an OBX is a further line of the text that another began.

    Senders write a report of many lines as many OBX of one OBX-3 (HL7 v2.5.1, section 7.4.2.5, on TX). A line with a
    unit, range, flag or other status is a result of its own.
    """
    if first.get(2) not in LINES or following.get(2) != first.get(2):
        return False
    if any(field in segment.repetitions for segment in (first, following) for field in (6, 7, 8)):
        return False
    if any(first.get(3, part) != following.get(3, part) for part in (1, 2, 3)) or first.get(3) is None:
        return False
    if first.get(11) != following.get(11) or first.get(14) != following.get(14):
        return False
    # A sub-id keeps results of one code apart (section 7.4.2.4); of TX and FT it counts the lines.
    return first.get(2) != "ST" or first.get(4) == following.get(4)


def _read_observation(
    work: Work,
    segment: Segment,
    more: Sequence[Segment],
    comments: Sequence[Segment],
    someone: Person,
    encounter: Reference | None,
    base: str,
    stated: Stated,
    authority: str,
    when: tuple[When | None, When | None],
    specimen: Reference | None,
    others: Sequence[tuple[str, str]],
) -> Reference | None:
    draft = work.draft(Observation)
    draft.fill(segment, OBSERVATION)
    values = draft.values
    if "code" not in values and 5 not in segment.repetitions:
        work.undo(draft)
        return None
    if "code" not in values:
        values["code"] = Concept()
    _value(draft, segment, more)
    ranges(draft, segment)
    interpretations(draft, segment, INTERPRETATION)
    notes(draft, comments)
    work.own(draft, segment, *more, *comments)
    if when[0] is not None and "effective" not in values:
        values["effective"] = when[0]
    if when[1] is not None and "issued" not in values:
        values["issued"] = when[1]
    system, code = coding_words(values["code"])
    sub_id = segment.get(4)
    own = digest_of_code(system, code, sub_id if sub_id is None or segment.get(2) not in ("TX", "FT") else None)
    named = f"{base}-{own}"
    value = work.once(named)
    key = key_to("Observation", authority, value)
    # An earlier message may have known the order by another of its numbers only.
    again = value[len(named) :]
    aliases = tuple([alias_to("Observation", by, f"{order}-{own}{again}") for by, order in others])
    about: dict[str, Any] = {"subject": someone.reference, "encounter": encounter, "specimen": specimen}
    letter = segment.get(11)
    if letter in WITHDRAWN:
        draft.add("note", WITHDRAWN[letter])
        work.retract(
            draft,
            someone,
            key,
            about,
            aliases=aliases,
            code=f"OBX-11 {letter}",
            reason=WITHDRAWN[letter],
            stated=stated,
        )
    else:
        work.replace(draft, someone, key, about, aliases=aliases, stated=stated)
    return make(Reference, reference=key.reference, type="Observation")


def _value(draft: Draft, segment: Segment, more: Sequence[Segment]) -> None:
    kind = (segment.get(2) or "ST").strip()
    count = segment.repetitions.get(5, 0)
    if more or (kind in LINES and count > 1):
        _joined_lines(draft, (segment, *more))
    elif count == 1:
        value = observed(draft, segment, kind, 1, "value")
        if value is not None:
            draft.values["value"] = value
    elif count > 1:
        # FHIR has one value of an observation: each repetition is a component of the same code.
        code = draft.values["code"]
        for repetition in range(1, count + 1):
            value = observed(draft, segment, kind, repetition, f"{draft.next_path('components')}.value")
            if value is not None:
                draft.add("components", make(ObservationComponent, code=code, value=value))


def _joined_lines(draft: Draft, lines: Sequence[Segment]) -> None:
    # Joining piece by piece would take the square of the length.
    pieces: list[str] = []
    length = 0
    known = {taken[1]: taken for taken in draft.taken if taken[0] is lines[0] and taken[1][0] in (3, 11, 14)}
    first = True
    for segment in lines:
        # A line without text is an empty line of the whole.
        for repetition in range(1, max(1, segment.repetitions.get(5, 0)) + 1):
            if not first:
                pieces.append("\n")
                length += 1
            first = False
            sent = segment.left.get((5, repetition, 1, 1))
            if sent is None or sent == '""' or sent.isspace():
                continue
            taken = draft.take(segment, 5, repetition, 1, 1, "value", sliced(length, length + len(sent)))
            if taken is not None:
                pieces.append(taken)
                length += len(taken)
        if segment is not lines[0]:
            _same_as_first(draft, segment, lines[0], known)
    whole = "".join(pieces)
    if whole.strip():
        draft.values["value"] = whole


def _same_as_first(draft: Draft, segment: Segment, first: Segment, known: dict[Place, Taken]) -> None:
    """A further line repeats code and status of the first: they are the item's, and written back from it."""
    for place in tuple(segment.left):
        if place in known and segment.left[place] == first.sent.get(place):
            del segment.left[place]
            draft.taken.append((segment, *known[place][1:]))


def _attach(work: Work, segment: Segment, report: Draft, comments: Sequence[Segment]) -> None:
    """An OBX that holds a document belongs to the report itself."""
    letter = segment.get(11)
    work.own(report, segment, *comments)
    if letter in WITHDRAWN:
        report.add("note", f"A document of this report was withdrawn: {WITHDRAWN[letter]}")
        return
    attachment = inline_document(work, report, segment, report.next_path("attachments"))
    if attachment is not None:
        report.add("attachments", attachment)
