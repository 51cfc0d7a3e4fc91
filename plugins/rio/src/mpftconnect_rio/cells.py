"""Takes the cells of one row one by one, and keeps account of what was not taken.

Whatever no field of the model holds goes into `extra`: columns that nobody asked for, words that were given another
meaning, and dates that cannot be read. Nothing of a row is dropped.
"""

from __future__ import annotations

from mpftconnect.errors import NotADate
from mpftconnect.model import (
    Actor,
    Coding,
    Concept,
    Extra,
    Identifier,
    PartialDate,
    Period,
    Reference,
    When,
    extra_from,
)
from mpftconnect_rio.dates import iso_text
from mpftconnect_rio.extracts import PersonRow
from mpftconnect_rio.settings import ExtractSettings

__all__ = ["STAFF_CODE_SYSTEM", "TEAM_CODE_SYSTEM", "Cells"]

# Assumed namespaces: RiO publishes none.
TEAM_CODE_SYSTEM = "https://mpftconnect.example/Id/rio-team-code"
STAFF_CODE_SYSTEM = "https://mpftconnect.example/Id/rio-hcp-code"


class Cells:
    """One row of one extract, being taken."""

    def __init__(self, row: PersonRow, name: str, settings: ExtractSettings, zone: str) -> None:
        self._row, self._name, self._settings, self._zone = row, name, settings, zone
        self._formats = settings.formats
        self._left = {field: cell.strip() for field, cell in row.cells.items() if cell.strip()}
        self._kept: list[Extra] = []
        self.unread_dates: list[str] = []

    @property
    def place(self) -> str:
        return f"{self._name} row {self._row.number}"

    def text(self, field: str) -> str | None:
        """The cell without white space around it; None if it is blank or has no column."""
        return self._left.pop(field, None)

    def word(self, field: str) -> str | None:
        """The cell of a coded field: as configured where the word is known, otherwise as it came."""
        word = self.text(field)
        if word is None:
            return None
        meaning = self._settings.meanings(self._name, field).get(word.lower())
        if meaning is None:
            return word
        if meaning != word:
            self._keep(field, word)
        return meaning

    def yes(self, field: str) -> bool | None:
        """A cell that says yes or no; any other word is kept in `extra` and says nothing."""
        word = self.text(field)
        if word is None:
            return None
        meaning = self._settings.meanings(self._name, field).get(word.lower())
        if meaning not in ("yes", "no"):
            self._keep(field, word)
            return None
        return meaning == "yes"

    def when(self, field: str) -> When | None:
        """A date or time; one that cannot be read is kept in `extra` and told of."""
        text = self.text(field)
        iso = iso_text(text, self._formats) if text else None
        try:
            found = When(iso, self._zone) if iso else None
        except NotADate:
            found = None
        if text and found is None:
            self._unread(field, text)
        return found

    def date(self, field: str) -> PartialDate | None:
        """A date without a time. A time of day beside it (midnight, usually) is a report's habit and is kept."""
        text = self.text(field)
        iso = iso_text(text, self._formats) if text else None
        try:
            found = PartialDate(iso.partition("T")[0]) if iso else None
        except NotADate:
            found = None
        if text and found is None:
            self._unread(field, text)
        elif text and iso and "T" in iso:
            self._keep(field, text)
        return found

    def when_or_text(self, field: str) -> When | str | None:
        """A date where the cell is one, otherwise its words ("every Monday")."""
        text = self.text(field)
        iso = iso_text(text, self._formats) if text else None
        try:
            return When(iso, self._zone) if iso else text
        except NotADate:
            return text

    def told(self, *fields: str) -> str | None:
        """Whatever these cells say, each with its heading, as one sentence for people."""
        said = [(self._row.headings[field], self.text(field)) for field in fields if field in self._left]
        return "; ".join(f"{heading}: {cell}" for heading, cell in said) or None

    def period(self, start: str, end: str) -> Period | None:
        found = Period(start=self.when(start), end=self.when(end))
        return found if found.start or found.end else None

    def number(self, field: str) -> int | None:
        """A whole number; anything else is kept in `extra`."""
        text = self.text(field)
        if text is None:
            return None
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text)
        self._keep(field, text)
        return None

    def concept(self, field: str) -> Concept | None:
        text = self.text(field)
        return Concept(text=text) if text else None

    def concepts(self, field: str) -> tuple[Concept, ...]:
        found = self.concept(field)
        return (found,) if found else ()

    def team(self) -> Concept | None:
        """The team of the row, as the service that it is."""
        code, name = self.text("team_code"), self.text("team_name")
        if not code:
            return Concept(text=name) if name else None
        return Concept(text=name, coding=(Coding(system=TEAM_CODE_SYSTEM, code=code, display=name),))

    def staff(self, organisation: str) -> Actor | None:
        """The professional of the row, who works for the trust whose RiO it is."""
        code, name, role = self.text("staff_code"), self.text("staff_name"), self.text("staff_role")
        if not (code or name or role):
            return None
        identifier = Identifier(system=STAFF_CODE_SYSTEM, value=code) if code else None
        return Actor(name=name, role=role, identifier=identifier, organization_code=organisation)

    def reference(self, field: str, extract: str) -> Reference | None:
        """A pointer to a row of another extract, by the source id that such a row has."""
        key = self.text(field)
        return Reference(reference=f"{extract}#{key}") if key else None

    def extra(self) -> tuple[Extra, ...]:
        """What is left, and what was kept aside; call it last."""
        for field in tuple(self._left):
            self._keep(field, self._left.pop(field))
        self._kept += [extra_from(f"{self._name}.{heading}", cell) for heading, cell in self._row.others.items()]
        return tuple(self._kept)

    def _keep(self, field: str, value: str) -> None:
        self._kept.append(extra_from(f"{self._name}.{self._row.headings[field]}", value))

    def _unread(self, field: str, text: str) -> None:
        self._keep(field, text)
        self.unread_dates.append(self._row.headings[field])
