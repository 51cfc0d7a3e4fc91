"""What single types demand beyond their definitions (`check/special.py`), in the light of a shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mpftconnect.validation.check.special import SPECIAL
from mpftconnect.validation.fast.recipes import Check
from mpftconnect.validation.terminology.code_systems import UCUM
from mpftconnect.validation.terminology.ucum import read_unit

__all__ = ["special_lines"]

Bind = Callable[[Any, str], str]
_URIS = "urn:ietf:rfc:3986"
_MOST_UNITS = 1_000


def special_lines(part: Check, variables: Mapping[str, str], bind: Bind, coding: Check) -> list[str] | None:
    """What is left of a type's own check for objects of the shape; None: all of it. `coding`: see `quick_coding`."""
    if part is SPECIAL["Extension"]:
        has_value = any(key.startswith(("value", "_value")) for key in variables)
        return None if has_value == ("extension" in variables) else []
    if part is SPECIAL["Coding"]:
        if "system" not in variables:
            return []
        s, c, d = (variables.get(name, "None") for name in ("system", "code", "display"))
        return [f"{bind(coding, 'coding')}({s}, {c}, {d}, o, at, run)"]
    if part is SPECIAL["Identifier"]:
        if "system" not in variables or "value" not in variables:
            return []
        return [f"if {variables['system']} == {_URIS!r}: {bind(part, 'special')}(o, at, run)"]
    if part is SPECIAL["Reference"]:
        if "reference" not in variables:
            return []
        v = variables["reference"]
        return [f"if {v}.__class__ is not str or {v}[:1] == '#': {bind(part, 'special')}(o, at, run)"]
    if part is SPECIAL["Attachment"]:
        return None if "data" in variables and "size" in variables else []
    if part is SPECIAL["Quantity"]:
        if "system" not in variables or "code" not in variables:
            return []
        s, c = variables["system"], variables["code"]
        known = f"{c}.__class__ is str and ({c} in {bind(_UNITS, 'units')} or {bind(_is_unit, 'is_unit')}({c}))"
        return [f"if {s} == {UCUM!r} and not ({known}): {bind(part, 'special')}(o, at, run)"]
    return None


_UNITS: set[str] = set()


def _is_unit(code: str) -> bool:
    if read_unit(code) is None:
        return False
    if len(_UNITS) < _MOST_UNITS and len(code) <= 64:
        _UNITS.add(code)
    return True
