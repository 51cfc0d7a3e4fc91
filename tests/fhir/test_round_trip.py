"""What is written is read back exactly, for every type and every field."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import ITEM_TYPES, items

from mpftconnect.fhir import READS_TYPES, dump_json, parse_json, read_resource, write_resource
from mpftconnect.model import Item

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@pytest.mark.parametrize("item_type", ITEM_TYPES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(UNHURRIED, max_examples=4)
def test_what_is_written_is_read_back_exactly(item_type: type[Item], data: st.DataObject) -> None:
    item = data.draw(items(item_type))
    written = write_resource(item)
    assert written["resourceType"] in READS_TYPES
    assert read_resource(parse_json(dump_json(written), max_depth=1000)) == item
