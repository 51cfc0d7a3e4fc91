"""Typed export: what is written loads into fhir.resources R4B."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import ITEM_TYPES, SOURCE, items

from mpftconnect.errors import UsageError
from mpftconnect.fhir import to_fhir_resources, write_resource
from mpftconnect.model import Flag, Item, Observation, Quantity, concept

pytest.importorskip("fhir.resources")


@pytest.mark.parametrize("item_type", ITEM_TYPES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(deadline=None, max_examples=2, suppress_health_check=list(HealthCheck))
def test_what_is_written_loads(item_type: type[Item], data: st.DataObject) -> None:
    written = write_resource(data.draw(items(item_type, typed=True)))
    (loaded,) = to_fhir_resources([written])
    assert loaded.get_resource_type() == written["resourceType"]


def test_a_bare_item_of_every_type_loads(filled: Callable[..., Any]) -> None:
    for item_type in ITEM_TYPES:
        required = {"source": SOURCE}
        for name, info in item_type.model_fields.items():
            if info.is_required() and name != "source":
                required[name] = concept("Asthma") if name != "text" else "Seen at home"
        (loaded,) = to_fhir_resources([write_resource(item_type(**required))])
        assert loaded


def test_digits_are_the_dicts_not_the_typed_objects() -> None:
    item = Observation(source=SOURCE, status="final", code=concept("Weight"), value=Quantity(value="72.50", unit="kg"))
    written = write_resource(item)
    assert str(written["valueQuantity"]["value"]) == "72.50"
    (loaded,) = to_fhir_resources([written])
    assert loaded.valueQuantity.value == Decimal("72.5")


def test_what_r4b_refuses_is_told_by_place_and_never_by_value() -> None:
    written = write_resource(Flag(source=SOURCE, code=concept("Risk"), status="active"))
    written["period"] = {"start": "Okafor"}
    with pytest.raises(UsageError) as refused:
        to_fhir_resources([written])
    assert "Flag" in str(refused.value)
    assert "period" in str(refused.value)
    assert "Okafor" not in str(refused.value)
    with pytest.raises(UsageError, match="no resource type"):
        to_fhir_resources([{"resourceType": "Okafor"}])


def test_without_the_extra_its_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **rest: Any) -> Any:
        if name.startswith("fhir.resources"):
            raise ImportError(name)
        return real(name, *args, **rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"mpftconnect\[fhir\]"):
        to_fhir_resources([])


def test_importing_the_room_does_not_import_the_library() -> None:
    import subprocess

    code = "import sys, mpftconnect.fhir; print(any(name.startswith('fhir') for name in sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.strip() == "False"
