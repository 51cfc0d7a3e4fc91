"""The functions of FHIRPath, by section of its specification. Importing this package fills the registry."""

from __future__ import annotations

from mpftconnect.validation.fhirpath.functions import (
    aggregate,
    boundaries,
    combining,
    conversion,
    existence,
    fhir,
    filtering,
    maths,
    reflection,
    strings,
    subsetting,
    utility,
)
from mpftconnect.validation.fhirpath.functions.registry import FUNCTIONS, Call

__all__ = [
    "FUNCTIONS",
    "Call",
    "aggregate",
    "boundaries",
    "combining",
    "conversion",
    "existence",
    "fhir",
    "filtering",
    "maths",
    "reflection",
    "strings",
    "subsetting",
    "utility",
]
