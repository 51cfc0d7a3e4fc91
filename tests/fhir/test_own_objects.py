"""What is written belongs to its reader: changing it changes nothing that is written later, or elsewhere in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from strategies import ITEM_TYPES

from mpftconnect.fhir import write_resource
from mpftconnect.model import Actor, Appointment, Concept, Item, Reference, Source
from mpftconnect.sandbox import PEOPLE

SOURCE = Source(system="gp", id="Thing/1", fetched=datetime(2026, 1, 1, tzinfo=UTC))


def containers(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from containers(part)


def assert_nothing_is_shared(item: Item) -> None:
    first, second = write_resource(item), write_resource(item)
    assert first == second
    seen: set[int] = set()
    for part in (*containers(first), *containers(second)):
        assert id(part) not in seen, part
        seen.add(id(part))


def barest(item_type: type[Item]) -> Item:
    """An item of which nothing is known, so that everything that FHIR demands is said to be absent."""
    needed = {name for name, field in item_type.model_fields.items() if field.is_required()} - {"source"}
    return item_type(source=SOURCE, **{name: "x" if name == "text" else Concept() for name in needed})


@pytest.mark.parametrize("item_type", ITEM_TYPES, ids=lambda kind: kind.__name__)
def test_not_even_what_stands_for_nothing_is_shared(item_type: type[Item]) -> None:
    assert_nothing_is_shared(barest(item_type))


def test_nothing_of_a_booking_is_shared() -> None:
    places = (Actor(name="Room 1"), Actor(name="Room 2"))
    assert_nothing_is_shared(Appointment(source=SOURCE, subject=Reference(reference="Patient/1"), location=places))


def test_nothing_of_full_items_is_shared() -> None:
    every = [
        item for person in PEOPLE for view in person.systems.values() for found in view.items.values() for item in found
    ]
    assert len({type(item) for item in every}) > 15
    for item in (*every, *(person.patient for person in PEOPLE)):
        assert_nothing_is_shared(item)
