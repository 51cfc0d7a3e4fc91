"""OBX-5 by OBX-2 as a value of the model: HL7 v2.5.1, section 7.4.2 and table 0125.

No unit, range or flag is worked out. What is not the type that OBX-2 says stays the text that was sent.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from mpftconnect.hl7v2.mapping.datatypes import concept, joined
from mpftconnect.hl7v2.mapping.draft import Draft
from mpftconnect.hl7v2.mapping.leaves import Segment
from mpftconnect.hl7v2.mapping.making import coding_of, concept_of, concept_of_one, make
from mpftconnect.hl7v2.mapping.ways import TEXT, read_number
from mpftconnect.model import Coding, Concept, Quantity, Range, Ratio, ReferenceRange, Value

__all__ = ["CODED", "LINES", "interpretations", "observed", "ranges"]

CODED: Final = frozenset(("CE", "CWE", "CNE", "CF", "IS", "ID"))
LINES: Final = frozenset(("TX", "FT", "ST"))
_TIMES: Final = frozenset(("DT", "TS", "DTM"))
_UCUM: Final = "http://unitsofmeasure.org"
_COMPARATORS: Final = frozenset(("<", "<=", ">", ">="))


def observed(draft: Draft, segment: Segment, kind: str, repetition: int, path: str) -> Value | None:
    """One repetition of OBX-5 as a value; its units (OBX-6) belong to it."""
    if kind == "NM":
        return _number(draft, segment, repetition, path) or _text(draft, segment, repetition, path)
    if kind == "SN":
        return _structured(draft, segment, repetition, path) or _text(draft, segment, repetition, path)
    if kind in CODED:
        return concept(draft, segment, 5, repetition, path)
    if kind in _TIMES:
        return draft.take_time(segment, 5, repetition, path) or _text(draft, segment, repetition, path)
    if kind == "CQ":
        return _quantity_of(draft, segment, repetition, path) or _text(draft, segment, repetition, path)
    return _text(draft, segment, repetition, path)


def _text(draft: Draft, segment: Segment, repetition: int, path: str) -> str | None:
    """The text of all components: a name or an address as a result has several."""
    held = segment.components.get((5, repetition), 0)
    components = [component for component in range(1, held.bit_length()) if held >> component & 1 and component < 60]
    if not components:
        return None
    if len(components) == 1:
        return draft.take(segment, 5, repetition, components[0], 1, path)
    return joined(draft, segment, 5, repetition, components, path, " ")


def _number(draft: Draft, segment: Segment, repetition: int, path: str) -> Quantity | None:
    value = draft.take_number(segment, 5, repetition, 1, f"{path}.value")
    return None if value is None else _measured(draft, segment, repetition, path, value)


def _quantity_of(draft: Draft, segment: Segment, repetition: int, path: str) -> Quantity | None:
    value = draft.take_number(segment, 5, repetition, 1, f"{path}.value")
    if value is None:
        return None
    unit = draft.take(segment, 5, repetition, 2, 1, f"{path}.unit")
    return make(Quantity, value=value, unit=unit) if unit else _measured(draft, segment, repetition, path, value)


def _measured(
    draft: Draft, segment: Segment, repetition: int, path: str, value: Decimal, comparator: str | None = None
) -> Quantity:
    """A number with OBX-6 as its unit; of a repeated value every one has it, the first takes it from the message."""
    held = segment.components.get((6, 1), 0)
    if held == 0b10 and repetition == 1:
        return make(
            Quantity,
            value=value,
            comparator=comparator,
            unit=draft.take(segment, 6, 1, 1, 1, f"{path}.unit"),
            system=None,
            code=None,
        )
    code, words, name = segment.get(6), segment.get(6, 2), segment.get(6, 3)
    unit = words or code
    if unit is None or unit.isspace() or not unit.isprintable():
        return make(Quantity, value=value, comparator=comparator)
    system = draft.site.code_system(name) if name else None
    coded = code is not None and system is not None and code.isprintable() and code == " ".join(code.split())
    if repetition == 1:
        draft.take(segment, 6, 1, 2 if words is not None else 1, 1, f"{path}.unit")
        if coded and system is not None and name is not None:
            draft.take(segment, 6, 1, 1, 1, f"{path}.code")
            if (6, 1, 3, 1) in segment.left:
                draft._exact(segment, (6, 1, 3, 1), system, name, f"{path}.system", draft.site.code_system_way)
    return make(
        Quantity,
        value=value,
        comparator=comparator,
        unit=unit,
        code=code if coded else None,
        system=system if coded else None,
    )


def _structured(draft: Draft, segment: Segment, repetition: int, path: str) -> Value | None:
    """SN (2.A.68): comparator, number, separator, number: `<^5`, `1^-^5`, `1^:^128`."""
    comparator, separator = segment.left.get((5, repetition, 1, 1)), segment.left.get((5, repetition, 3, 1))
    second = segment.left.get((5, repetition, 4, 1))
    if second is None and separator is None:
        if comparator is not None and comparator not in _COMPARATORS and comparator != "=":
            return None
        value = draft.take_number(segment, 5, repetition, 2, f"{path}.value")
        if value is None:
            return None
        if comparator in _COMPARATORS:
            draft.take(segment, 5, repetition, 1, 1, f"{path}.comparator", TEXT)
        compared = comparator if comparator in _COMPARATORS else None
        return _measured(draft, segment, repetition, path, value, compared)
    if comparator is not None or separator not in ("-", ":", "/"):
        return None
    low, high = ("low", "high") if separator == "-" else ("numerator", "denominator")
    place = (5, repetition, 2, 1)
    if place not in segment.left or (5, repetition, 4, 1) not in segment.left:
        return None
    if read_number(segment.left[place]) is None or read_number(second or "") is None:
        return None
    first = draft.take_number(segment, 5, repetition, 2, f"{path}.{low}.value")
    other = draft.take_number(segment, 5, repetition, 4, f"{path}.{high}.value")
    if separator == "-":
        lowest = _measured(draft, segment, repetition, f"{path}.low", first)
        highest = make(Quantity, value=other, unit=lowest.unit, code=lowest.code, system=lowest.system)
        return make(Range, low=lowest, high=highest)
    return make(Ratio, numerator=make(Quantity, value=first), denominator=make(Quantity, value=other))


def ranges(draft: Draft, segment: Segment) -> None:
    """OBX-7 as the laboratory wrote it."""
    said = draft.take(segment, 7, 1, 1, 1, "reference_ranges[0].text")
    if said is not None:
        draft.add("reference_ranges", make(ReferenceRange, text=said))


_INTERPRETATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def interpretations(draft: Draft, segment: Segment, known: frozenset[str]) -> None:
    """OBX-8, each flag as sent; in HL7 v3's code system where that has the letters with the same meaning."""
    for repetition in range(1, segment.repetitions.get(8, 0) + 1):
        path = draft.next_path("interpretation")
        found = concept(draft, segment, 8, repetition, path)
        if found is None:
            continue
        coding = found.coding[0] if found.coding else None
        if coding is not None and coding.system is None and coding.display is None and (coding.code in known):
            if len(found.coding) == 1 and found.text is None:
                found = concept_of_one(_INTERPRETATION, coding.code, None, coding.version)
            else:
                marked = coding_of(_INTERPRETATION, coding.code, None, coding.version)
                found = concept_of(found.text, (marked, *found.coding[1:]))
        draft.add("interpretation", found)


def coding_words(concept_: Concept) -> tuple[str | None, str | None]:
    """What names a test: the system and code of its first coding, else its words."""
    first = concept_.coding[0] if concept_.coding else Coding(display=concept_.text)
    return first.system, first.code or first.display
