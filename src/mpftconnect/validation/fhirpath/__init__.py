"""FHIRPath: a language of paths over FHIR data, in which FHIR's invariants are written.

`evaluate` is for one question; `compile_expression` for one that is asked often.

Source:
    FHIRPath N1 (2.0.0), http://hl7.org/fhirpath/N1; FHIR R4 (4.0.1), 2.9.1.
"""

from mpftconnect.errors import FhirPathError, NotEvaluable
from mpftconnect.validation.fhirpath.engine import Compiled, compile_expression, evaluate
from mpftconnect.validation.fhirpath.items import Node, Scope
from mpftconnect.validation.fhirpath.quantity import Quantity
from mpftconnect.validation.fhirpath.temporal import Date, DateTime, Time
from mpftconnect.validation.fhirpath.types import Element, TypeProvider, core_types

__all__ = [
    "Compiled",
    "Date",
    "DateTime",
    "Element",
    "FhirPathError",
    "Node",
    "NotEvaluable",
    "Quantity",
    "Scope",
    "Time",
    "TypeProvider",
    "compile_expression",
    "core_types",
    "evaluate",
]
