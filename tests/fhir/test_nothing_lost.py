"""Whatever is sent is shown by the item or kept in `extra`; only what cannot be an item is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from leaves import lost
from spoiling import ANYTHING, NAMES, spoil
from strategies import ITEM_TYPES, SOURCE, items, json_values

from mpftconnect.fhir import READS_TYPES, NotMapped, read_resource, write_resource
from mpftconnect.model import Item

# Without shrinking: it takes minutes on values so large, and the finding names the path.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
UNHURRIED = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)


def _read(resource: dict[str, Any]) -> Item | None:
    try:
        return read_resource(resource, source=SOURCE)
    except NotMapped:
        return None


@pytest.mark.parametrize("resource_type", sorted(READS_TYPES - {"Basic"}))
@given(members=st.dictionaries(NAMES, ANYTHING, max_size=6))
@settings(UNHURRIED, max_examples=4)
def test_arbitrary_members_are_shown_or_kept(resource_type: str, members: dict[str, Any]) -> None:
    sent = members | {"resourceType": resource_type}
    item = _read(sent)
    if item is None:
        assert sent.get("doNotPerform") not in (None, False)
        return
    assert not lost(sent, item)
    assert read_resource(write_resource(item)) == item


@pytest.mark.parametrize("item_type", ITEM_TYPES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(UNHURRIED, max_examples=4)
def test_a_spoilt_resource_is_shown_or_kept(item_type: type[Item], data: st.DataObject) -> None:
    written = write_resource(data.draw(items(item_type)))
    sent = spoil(written, data.draw(st.randoms(use_true_random=False)), data.draw(json_values()))
    item = _read(sent)
    if item is None:
        return
    assert not lost(sent, item)
    assert read_resource(write_resource(item)) == item
