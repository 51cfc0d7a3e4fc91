"""Codes, quantities and references, in FHIR's terms. Decimals keep their digits (rule 2)."""

from __future__ import annotations

from decimal import Decimal

from mpftconnect.model.dates import When
from mpftconnect.model.identifiers import Identifier
from mpftconnect.model.schema import Model

__all__ = [
    "SNOMED",
    "Coding",
    "Concept",
    "Period",
    "Quantity",
    "Range",
    "Ratio",
    "Reference",
    "concept",
]

SNOMED = "http://snomed.info/sct"


class Coding(Model):
    """One code (FHIR `Coding`)."""

    system: str | None = None
    code: str | None = None
    display: str | None = None
    version: str | None = None


class Concept(Model):
    """A thing named by text, codes or both (FHIR `CodeableConcept`).

    >>> concept("Asthma", "195967001").words()
    'Asthma'
    """

    text: str | None = None
    coding: tuple[Coding, ...] = ()

    def words(self) -> str:
        """What a person reads: the text, else the first display, else the first code as such."""
        if self.text:
            return self.text
        for coding in self.coding:
            if coding.display:
                return coding.display
        for coding in self.coding:
            if coding.code:
                return f"code {coding.code}"
        return "not stated"

    def has(self, system: str, *codes: str) -> bool:
        """Whether one of the codes of that system is among the codings."""
        return any(coding.system == system and coding.code in codes for coding in self.coding)


def concept(text: str | None, code: str | None = None, system: str = SNOMED, display: str | None = None) -> Concept:
    """Short for a concept of at most one coding.

    >>> concept("Asthma").coding
    ()
    """
    return Concept(text=text, coding=(Coding(system=system, code=code, display=display),) if code else ())


class Quantity(Model):
    """A measured amount. The unit belongs to the value: neither is ever computed or converted.

    >>> Quantity(value="72.50", unit="kg").words()
    '72.50 kg'
    """

    value: Decimal | None = None
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None

    def words(self) -> str:
        value = "value not stated" if self.value is None else f"{self.value}"
        return " ".join(part for part in (f"{self.comparator or ''}{value}", self.unit or self.code) if part)


class Range(Model):
    """A range of amounts; either end may be open."""

    low: Quantity | None = None
    high: Quantity | None = None

    def words(self) -> str:
        low, high = (end.words() if end else None for end in (self.low, self.high))
        if low and high:
            return f"{low} to {high}"
        return f"{low} or more" if low else f"up to {high}" if high else "not stated"


class Ratio(Model):
    """A relation of two amounts, such as a titre."""

    numerator: Quantity | None = None
    denominator: Quantity | None = None

    def words(self) -> str:
        return " : ".join(part.words() if part else "not stated" for part in (self.numerator, self.denominator))


class Period(Model):
    """A time from and until; a missing end is not the same as still going on unless the item's status says so."""

    start: When | None = None
    end: When | None = None

    def words(self) -> str:
        start, end = (moment.words() if moment else None for moment in (self.start, self.end))
        if start and end:
            return f"{start} to {end}"
        return f"from {start}" if start else f"until {end}" if end else "not stated"


class Reference(Model):
    """A pointer to something in the same source (FHIR `Reference`)."""

    reference: str | None = None
    type: str | None = None
    identifier: Identifier | None = None
    display: str | None = None
