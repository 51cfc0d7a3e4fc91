"""Constraints that FHIR published with a mistake, as a later publication mends them.

An invariant whose text cannot mean what its words say would be a false alarm, or would pass what it should not. Each
line gives the publication that has the right text, or the rule of FHIRPath that the text overlooks. Nothing else is
changed.
"""

from __future__ import annotations

__all__ = ["ERRATA", "corrected"]

ERRATA: dict[str, dict[str, tuple[str, str]]] = {"4.0": {}, "3.0": {}}


def corrected(expression: str, version: str) -> str:
    """The expression as it was meant."""
    known = ERRATA.get(version, {}).get(expression)
    return known[0] if known is not None else expression
