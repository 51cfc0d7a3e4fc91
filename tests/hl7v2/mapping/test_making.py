"""Items that were made without pydantic's checks are what its checks would have made."""

from __future__ import annotations

from typing import Any

from mpftconnect.hl7v2 import map_message, parse
from mpftconnect.hl7v2.mapping.making import make
from mpftconnect.model import HumanName, Model, Quantity


def anew(value: Any) -> Any:
    """The value once more, through the constructors."""
    if isinstance(value, Model):
        return type(value)(**{name: anew(getattr(value, name)) for name in value.model_fields_set})
    return tuple(anew(part) for part in value) if isinstance(value, tuple) else value


def test_every_item_of_the_published_messages_passes_the_checks(published: list[tuple[dict[str, Any], bytes]]) -> None:
    count = 0
    for _, raw in published[::3]:
        for item in map_message(parse(raw)).items:
            again = anew(item)
            assert again == item and again.model_dump() == item.model_dump()
            count += 1
    assert count > 500


def test_what_is_made_is_frozen_and_equal_and_can_be_copied() -> None:
    made, checked = make(HumanName, family="Doe", given=("Jane",)), HumanName(family="Doe", given=("Jane",))
    assert made == checked and hash(made) == hash(checked) and made.model_fields_set == {"family", "given"}
    assert made.model_copy(update={"family": "Roe"}).family == "Roe" and repr(made) == repr(checked)
    assert made.model_dump_json() == checked.model_dump_json()
    assert make(Quantity).unit is None
    try:
        made.family = "Roe"  # type: ignore[misc]
    except ValueError:
        return
    raise AssertionError("what is made can be changed")
