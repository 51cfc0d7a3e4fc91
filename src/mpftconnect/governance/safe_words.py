"""Which words of a restricted person's record are known to be safe: they can say how much and how, and not where.

Rule 7 lets free text through only where it is known to be safe. A list of dangerous words would miss the next place; so
this is a list of safe ones. A text of a medicine's directions is shown if every word of it stands here, and not
otherwise; a unit likewise. The display of a code is shown for code systems whose displays are written by a standards
body, never for a system's own codes, whose displays are whatever somebody typed.

Sources: the words are those of dose instructions (NHS England, Implementation guidance for dose syntax: method, dose,
route, site, frequency, as-required and duration parts) and the atoms of UCUM (The Unified Code for Units of Measure,
version 2.1, sections 28 to 45) in use for doses and results.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

from mpftconnect.model import SNOMED, Coding, Quantity

__all__ = ["has_published_displays", "is_safe_direction", "safe_quantity"]

_UCUM = "http://unitsofmeasure.org"
# Code systems whose displays are published with them. Exact, or the beginning of a body's own name space.
_PUBLISHED = frozenset(
    {
        SNOMED,
        "https://dmd.nhs.uk",
        "http://loinc.org",
        "http://hl7.org/fhir/sid/icd-10",
        "http://hl7.org/fhir/sid/icd-10-uk",
        "http://read.info/readv2",
        "http://read.info/ctv3",
        "urn:ietf:bcp:47",
        _UCUM,
    }
)
_PUBLISHED_BY = (
    "http://terminology.hl7.org/CodeSystem/",
    "http://hl7.org/fhir/",
    "https://fhir.hl7.org.uk/",
    "https://fhir.nhs.uk/",
)

# A number, a fraction, a clock time, a strength with its unit: 2, 1/2, 2.5, 08:00, 8am, 500mg, 10-20. Never a number
# that could be somebody's telephone: those are long, or begin with a nought.
_NUMBER = re.compile(r"(?!0\d\d)(?!(?:\D*\d){9})\d{1,5}(?:[.,:/x-]\d{1,5})*(?P<unit>[a-zA-Zµμ]*)", re.ASCII)
_WORD = re.compile(r"[^\s,;()\[\]&+]+")
_UNIT_PART = re.compile(r"[A-Za-zµμ°%]+|\d+")
_UNIT_SHAPE = re.compile(r"[A-Za-z0-9µμ°%/.*^()\[\]{}\s_²³-]{1,40}")


@lru_cache
def _words(name: str) -> frozenset[str]:
    return frozenset((files(__package__) / "words" / f"{name}.txt").read_text(encoding="utf-8").split())


def has_published_displays(coding: Coding) -> bool:
    """Whether the display of a code is a standards body's word rather than a system's own.

    >>> has_published_displays(Coding(system="http://snomed.info/sct", code="195967001", display="Asthma"))
    True
    >>> has_published_displays(Coding(system="urn:local:wards", code="W5", display="Ward 5"))
    False
    """
    system = coding.system or ""
    return system in _PUBLISHED or system.startswith(_PUBLISHED_BY)


def is_safe_direction(text: str) -> bool:
    """Whether every word says how much, how, when or for what, so that the whole can name no place.

    >>> is_safe_direction("Take ONE tablet twice a day, with food (max. 2 in 24 hours)")
    True
    >>> is_safe_direction("One at night, collect from Larkfield Pharmacy")
    False
    """
    words = _WORD.findall(text)
    return bool(words) and all(_is_safe_word(word) for word in words)


def _is_safe_word(word: str) -> bool:
    bare = word.strip(".!?:'\"-").casefold()
    if not bare or bare in _words("directions") or bare in _words("units"):
        return True
    number = _NUMBER.fullmatch(bare)
    if number:
        unit = _folded_unit(number["unit"])
        return unit in {"", "am", "pm", "x", "st", "nd", "rd", "th"} or unit in _words("units")
    parts = re.split(r"[-/]", bare)
    return len(parts) > 1 and all(_is_safe_word(part) for part in parts)


def safe_quantity(value: Quantity) -> Quantity | None:
    """The amount with a unit that is known to be one; by its UCUM code where the unit's own words are not known.

    None where neither is known: an amount without its unit would say something else.

    >>> safe_quantity(Quantity(value="5", unit="mmol/L")).words()
    '5 mmol/L'
    >>> safe_quantity(Quantity(value="5", unit="steps to Larkfield")) is None
    True
    """
    if value.unit is None or _is_unit(value.unit):
        return value
    if value.system == _UCUM and value.code and _is_unit(value.code):
        return value.model_copy(update={"unit": value.code})
    return None


def _is_unit(text: str) -> bool:
    if not _UNIT_SHAPE.fullmatch(text):
        return False
    return all(
        part.isdigit() or _folded_unit(part) in _words("units") for part in _UNIT_PART.findall(text.replace("%", " "))
    )


def _folded_unit(part: str) -> str:
    return part.replace("µ", "u").replace("μ", "u").replace("°", "deg").casefold()
