"""Writes down what one system holds of one person: every item with its id, its subject and its section."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from mpftconnect.model import (
    SECTION_TYPES,
    ClinicalItem,
    Item,
    LegalStatus,
    MedicationStatement,
    Patient,
    ProgressNote,
    Reference,
    RelatedPerson,
    SectionName,
    Source,
)
from mpftconnect.sandbox.people import SystemView

__all__ = ["WRITTEN", "Chart", "placeholder"]

T = TypeVar("T", bound=Item)

# When the people were written down: a fixed moment, so that every run has the same people.
WRITTEN = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)
_SECTIONS = {type_: section for section, type_ in SECTION_TYPES.items()}


def placeholder(id: str) -> Source:
    """A source that says only under which id a system holds the thing.

    >>> placeholder("Condition/full-diabetes").key
    'sandbox:Condition/full-diabetes'
    """
    return Source(system="sandbox", id=id, fetched=WRITTEN)


class Chart:
    """What one system holds of one person, as it is being written.

    Args:
        local_id: The system's own number for the person.
        prefix: Begins the id of every item: ids are unique within a system, whoever they are about.

    >>> from mpftconnect.model import Condition, concept
    >>> chart = Chart("4410018", "full")
    >>> chart.add(Condition, "asthma", code=concept("Asthma")).source.id
    'Condition/full-asthma'
    """

    def __init__(self, local_id: str, prefix: str) -> None:
        self._local_id = local_id
        self._prefix = prefix
        self._items: dict[SectionName, list[Item]] = {}

    def add(self, type_: type[T], id: str, **fields: Any) -> T:
        """Write an item down in its section. Its id is `<FHIR type>/<prefix>-<id>`."""
        if issubclass(type_, ClinicalItem):
            fields.setdefault("subject", self.subject)
        elif issubclass(type_, RelatedPerson):
            fields.setdefault("reference", self.subject)
        fhir_type = _fhir_type(type_, fields)
        item = type_(source=placeholder(f"{fhir_type}/{self._prefix}-{id}"), **fields)
        self._items.setdefault(_SECTIONS[type_], []).append(item)
        return item

    @property
    def subject(self) -> Reference:
        return Reference(reference=f"Patient/{self._local_id}")

    def view(self, patient: Patient | None = None, settings: Mapping[str, Any] | None = None) -> SystemView:
        """The finished view; `patient` where the system's demographics differ from the tracing service's."""
        items = {section: tuple(found) for section, found in self._items.items()}
        return SystemView(self._local_id, patient, items, settings or {})


def _fhir_type(type_: type[Item], fields: Mapping[str, Any]) -> str:
    if type_ is ProgressNote:
        return "DocumentReference"
    if type_ is LegalStatus:
        return "Basic"
    if type_ is MedicationStatement and fields.get("kind") == "request":
        return "MedicationRequest"
    return type_.__name__
