"""Typed export through the library fhir.resources."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from mpftconnect.errors import UsageError
from mpftconnect.fhir.extensions import DATA_ABSENT_ELEMENT

__all__ = ["to_fhir_resources"]


# Required choices of R4 whose reason for absence the library does not take -> where the word stands instead.
_REQUIRED_CHOICES: Final = {"_occurrenceDateTime": "occurrenceString", "_doseNumberString": "doseNumberString"}


def _acceptable(value: Any) -> Any:
    """The resource without what the library has no place for (see `to_fhir_resources`)."""
    if isinstance(value, list):
        return [_acceptable(part) for part in value]
    if not isinstance(value, dict):
        return value
    told: dict[str, Any] = {}
    for name, part in value.items():
        if "url" in value and name.startswith("_value"):
            continue
        if name in _REQUIRED_CHOICES and part == DATA_ABSENT_ELEMENT:
            told[_REQUIRED_CHOICES[name]] = "unknown"
        else:
            told[name] = _acceptable(part)
    return told


def to_fhir_resources(resources: Iterable[dict[str, Any]]) -> list[Any]:
    """Load resources as typed objects of `fhir.resources`, version R4B.

    The library has no R4 (4.0.1), only R4B (4.3.0), and normalises what it reads. So this is a convenience for
    code that wants attributes and types, not the form to store or to validate:

    - R4B renamed or retyped little of what is written here, but it is another version: a resource that loads is
      not thereby valid R4, nor the other way round.
    - `72.50` comes out as `72.5`; a time `...+00:00` comes out as `...Z`, and `.000Z` as `Z`. The digits as they were
      recorded are in the dicts, and `dump_json` writes them.
    - The library has no place for the companion of an extension's value (`_valueDateTime`), so the original text of a
      date inside an extension is left out; and where R4 demands one of several types (the date of an immunisation,
      its dose number), it does not take a reason for absence, so the word `unknown` stands there.
    - It refuses an empty string, which a source may well send.

    Args:
        resources: Resources as `write_resource` or `Record.to_fhir` give them.
    Raises:
        UsageError: The extra is not installed, or a resource is not one that R4B knows or accepts. The message
            has the resource type and the place, never a value.
    """
    try:
        from fhir.resources.R4B import get_fhir_model_class
    except ImportError:
        raise UsageError("typed FHIR objects need the extra: pip install 'mpftconnect[fhir]'") from None
    from pydantic import ValidationError

    typed = []
    for resource in resources:
        kind = resource.get("resourceType")
        try:
            model = get_fhir_model_class(str(kind))
        except (KeyError, ValueError):
            raise UsageError("a resource names no resource type of FHIR R4B") from None
        try:
            typed.append(model.model_validate(_acceptable(resource)))
        except ValidationError as error:
            places = sorted({".".join(str(step) for step in problem["loc"]) for problem in error.errors()})
            raise UsageError(f"{kind} is not accepted by fhir.resources R4B at: {', '.join(places)}") from None
    return typed
