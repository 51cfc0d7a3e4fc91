"""FHIR R4 (4.0.1) and the common model, both ways, with nothing lost.

`read_resource` and `write_resource` work on plain JSON (dicts, with `Decimal` for numbers that have a fraction),
as `parse_json` and `dump_json` read and write it. Tables, one per type, say which element is which field; what no
table holds is kept in the item's `extra`. Our extensions are listed in `mpftconnect.fhir.extensions`.
"""

from mpftconnect.fhir.json_text import dump_json, parse_json
from mpftconnect.fhir.reading import NotMapped, Resolver
from mpftconnect.fhir.resources import READS_TYPES, read_resource, subject_of, write_resource
from mpftconnect.fhir.typed import to_fhir_resources

__all__ = [
    "READS_TYPES",
    "NotMapped",
    "Resolver",
    "dump_json",
    "parse_json",
    "read_resource",
    "subject_of",
    "to_fhir_resources",
    "write_resource",
]
