"""Typed export through the library fhir.resources."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mpftconnect.errors import UsageError

__all__ = ["to_fhir_resources"]


def to_fhir_resources(resources: Iterable[dict[str, Any]]) -> list[Any]:
    """Load resources as typed objects of `fhir.resources`, version R4B.

    The library has no R4 (4.0.1), only R4B (4.3.0), and normalises what it reads. So this is a convenience for
    code that wants attributes and types, not the form to store or to validate:

    - R4B renamed or retyped little of what is written here, but it is another version: a resource that loads is
      not thereby valid R4, nor the other way round.
    - `72.50` comes out as `72.5`; a time `...+00:00` comes out as `...Z`, and `.000Z` as `Z`.
    - The digits as they were recorded are in the dicts, and `dump_json` writes them.

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
        except KeyError:
            raise UsageError("a resource names no resource type of FHIR R4B") from None
        try:
            typed.append(model.model_validate(resource))
        except ValidationError as error:
            places = sorted({".".join(str(step) for step in problem["loc"]) for problem in error.errors()})
            raise UsageError(f"{kind} is not accepted by fhir.resources R4B at: {', '.join(places)}") from None
    return typed
