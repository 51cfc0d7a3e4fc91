"""A supplier that is no supplier: a twin, configured as a supplier.toml would, for power and for the demonstration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mpftconnect.adapters import TwinSpec
from mpftconnect.conformance.supplier import Supplier
from mpftconnect.conformance.supplier_file import supplier_from
from mpftconnect.sandbox import Person

__all__ = ["supplier_of_twin"]


def supplier_of_twin(spec: TwinSpec, twin: Any, base_url: str, people: Sequence[Person]) -> Supplier:
    """The supplier that a running twin stands for.

    Args:
        base_url: Where the twin is served.
        people: Those that the twin was built for; roles that `TwinSpec.supplier` names get their numbers.
    Raises:
        ConfigurationError: What the twin says of itself is no supplier.
    """
    told = spec.configure(twin, base_url)
    numbers = {person.role: str(person.nhs_number) for person in people}
    table: dict[str, Any] = {
        "version": 1,
        "product": {"name": f"Twin {spec.name}", "version": "1", "supplier": "mpftconnect sandbox", "ods": "ZZ999"},
        "target": {
            "environment": "test",
            "adapter": spec.adapter,
            "base_url": str(told.get("endpoint", base_url)),
            "secrets": {name: {"value": value} for name, value in told.get("secrets", {}).items()},
        },
        "authorised_by": {
            "name": "Sandbox User",
            "organisation": "mpftconnect sandbox",
            "date": "2025-09-01",
            "scope": "a twin with made-up people",
        },
        "people": {},
    }
    if "mllp" in told:
        table["mllp"] = told["mllp"]
    for name, given in spec.supplier.items():
        if isinstance(given, Mapping) and isinstance(table.get(name), dict) and name != "people":
            table[name] = {**table[name], **given}
        elif name != "people":
            table[name] = given
    # A role that the twin names and nobody has is left out: an empty system has nobody.
    named = spec.supplier.get("people", {})
    table["people"] = {role: {"nhs_number": numbers[role], **given} for role, given in named.items() if role in numbers}
    return supplier_from(table, name=f"twin {spec.name}", twin=spec.name)
