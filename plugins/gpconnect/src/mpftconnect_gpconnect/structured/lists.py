"""What the lists of a structured record say about their sections: warnings, why one is empty, what is missing.

Source: GP Connect 1.x, accessrecord_structured_development_list, ..._lists_for_message_structure,
..._allergies_guidance ("Negation"). An empty list with `no-content-recorded` asserts nothing; one with nil known states
that none are known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mpftconnect.adapters import Found, Reading
from mpftconnect.errors import NotADate
from mpftconnect.model import SNOMED, AllergyIntolerance, Notice, Reference, SectionName, concept
from mpftconnect_gpconnect.structured.bundle import Entry, mappings
from mpftconnect_gpconnect.structured.codes import (
    AREAS,
    EMPTY_REASONS,
    PRIMARY,
    SECONDARY_LISTS,
    WARNINGS,
)
from mpftconnect_gpconnect.structured.urls import LIST_WARNING

__all__ = ["area_of", "codes", "list_facts", "missing_lists", "outcomes"]

# What an OperationOutcome says is repeated only where it can be no value: issue types and Spine's error codes.
_ISSUE_CODE = re.compile(r"[a-z]+(-[a-z]+){0,3}|[A-Z]+(_[A-Z]+){0,8}", re.ASCII)
_OPTIONAL = ("allergies-that-have-been-ended", "diary-entries")
_NIL_KNOWN = ("nilknown", "nil-known")


def codes(raw: Any) -> Iterator[tuple[Any, str]]:
    """System and code of each coding of a CodeableConcept."""
    if type(raw) is dict:
        for coding in mappings(raw.get("coding")):
            if type(coding.get("code")) is str:
                yield coding.get("system"), coding["code"]


def area_of(resource: Mapping[str, Any]) -> str | None:
    """The clinical area that a list is about, as in `AREAS`; None where its code is not known."""
    for system, code in codes(resource.get("code")):
        if system == SNOMED and code in PRIMARY:
            return PRIMARY[code]
        if system == SECONDARY_LISTS:
            _, _, rest = code.partition("-")
            known = [area for area in AREAS if rest.startswith(area)]
            if known:
                return max(known, key=len)
    return None


def list_facts(lists: Iterable[Entry], reading: Reading) -> Iterator[tuple[tuple[SectionName, ...], Found]]:
    """What the lists say, each with the sections that it is about; no section where the list's code is not known."""
    for entry in lists:
        area = area_of(entry.resource)
        sections = AREAS[area][1] if area else ()
        named = AREAS[area][0] if area else "a list of a kind that is not known here"
        for notice in _warnings(entry.resource, named):
            yield sections, notice
        yield from ((sections, found) for found in _emptiness(entry, area, named, reading))


def _warnings(resource: Mapping[str, Any], named: str) -> Iterator[Notice]:
    for one in mappings(resource.get("extension")):
        if one.get("url") not in LIST_WARNING:
            continue
        code = one.get("valueCode")
        text = WARNINGS.get(code) if type(code) is str else None
        if text is None:
            text = "The practice attached a warning of a kind that is not known here: this may not be all."
            yield Notice("list-warning", f"{text} ({named})", incomplete=True)
        else:
            yield Notice(str(code), f"{text} ({named})", incomplete=True)
    if resource.get("status") not in (None, "current"):
        yield Notice("list-not-current", f"The list that the practice sent is not its current one. ({named})", "", True)
    if any(_says_more(note) for note in mappings(resource.get("note"))):
        text = "The practice attached a remark to its list, which is kept with the answer as sent."
        yield Notice("list-note", f"{text} ({named})")


# The sentences that GP Connect prescribes; a note that holds nothing else says no more than the codes do.
_PRESCRIBED = (
    "information not available",
    "items excluded due to confidentiality and/or patient preferences",
    "patient record transfer from previous gp practice not yet complete; ",
    "information recorded before ",
    "any information recorded before ",
    "patient record contains some items in the gp practice workflow that have not been reviewed for incl",
    "patient data may be incomplete as there is data supplied by a third party awaiting review",
    "there are no allergies in the patient record but it has not been confirmed",
)


def _says_more(note: Mapping[str, Any]) -> bool:
    text = note.get("text")
    if type(text) is not str:
        return bool(note)
    sentences = [part.strip().casefold() for part in text.split(". ")]
    return any(part.rstrip(". ") and not part.startswith(_PRESCRIBED) for part in sentences)


def _emptiness(entry: Entry, area: str | None, named: str, reading: Reading) -> Iterator[Found]:
    resource = entry.resource
    raw = resource.get("emptyReason")
    if raw is None:
        return
    said = {code.casefold() for _, code in codes(raw)}
    if mappings(resource.get("entry")):
        # FHIR STU3, List, constraint lst-2: an empty reason only where there are no entries.
        text = "The practice's list states why it is empty, and is not empty: it cannot be trusted to be all."
        yield Notice("list-contradicts-itself", f"{text} ({named})", incomplete=True)
        return
    if said & set(_NIL_KNOWN) and area == "allergies":
        yield _none_known(entry, reading)
        return
    known = sorted(code for code in said if code in EMPTY_REASONS)
    if not known:
        text = "The practice's list is empty for a reason that is not known here."
        yield Notice("list-empty", f"{text} ({named})", incomplete=True)
    for code in known:
        incomplete, text = EMPTY_REASONS[code]
        yield Notice(code, f"{text} ({named})", incomplete=incomplete)


def _none_known(entry: Entry, reading: Reading) -> AllergyIntolerance:
    """The assertion that no allergies are known, which the list makes in place of an entry (allergies guidance)."""
    resource = entry.resource
    reason = resource["emptyReason"]
    text = reason.get("text") if type(reason) is dict else None
    subject, recorded = resource.get("subject"), resource.get("date")
    pointer = subject.get("reference") if type(subject) is dict else None
    try:
        when = reading.when(recorded) if type(recorded) is str else None
    except NotADate:
        when = None
    return AllergyIntolerance(
        source=reading.source(entry.key),
        subject=Reference(reference=pointer) if type(pointer) is str else None,
        code=concept(text if type(text) is str and text else "No known allergies", "716186003"),
        recorded=when,
    )


def missing_lists(
    lists: Iterable[Entry], wanted: frozenset[SectionName]
) -> Iterator[tuple[tuple[SectionName, ...], Notice]]:
    """Clinical areas whose primary list did not come, which GP Connect demands even of an empty one.

    Not said of areas that a section does not need: ended allergies and diary entries are asked for or not.
    """
    there = {
        PRIMARY[code]
        for entry in lists
        for system, code in codes(entry.resource.get("code"))
        if system == SNOMED and code in PRIMARY
    }
    for area in dict.fromkeys(PRIMARY.values()):
        named, sections = AREAS[area]
        concerned = tuple(name for name in sections if name in wanted)
        if area not in there and concerned and area not in _OPTIONAL:
            text = f"The practice sent no list of {named}: whether what it sent is all is not known."
            yield concerned, Notice("list-missing", text, incomplete=True)


def outcomes(entries: Iterable[Entry]) -> Iterator[Notice]:
    """What the practice's system says of its own answer, such as that it does not know a section that was asked for.

    GP Connect 1.x, accessrecord_structured_development_retrieve_patient_record: an OperationOutcome in the Bundle.
    """
    for entry in entries:
        for issue in mappings(entry.resource.get("issue")):
            told = [issue.get("code"), *(code for _, code in codes(issue.get("details")))]
            shown = [one for one in told if type(one) is str and len(one) <= 60 and _ISSUE_CODE.fullmatch(one)]
            text = f"The practice's system attached a message: {', '.join(dict.fromkeys(shown)) or 'no known code'}."
            yield Notice("source-warning", text, incomplete=issue.get("severity") != "information")
