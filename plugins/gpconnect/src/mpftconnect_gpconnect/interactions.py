"""The interactions of GP Connect that are used here, by their Spine interaction ids.

Source: GP Connect API 1.5 (nhsconnect/gpconnect), pages "Retrieve a patient's structured record", "Find a patient",
"Search for a patient's documents", "Retrieve a document" (Access Document) and "Get the FHIR capability statement"
(Access Record Structured): request headers, and `requested_scope` in "Cross-organisation audit and provenance".
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CAPABILITY_STATEMENT",
    "FIND_PATIENT",
    "READ_DOCUMENT",
    "SEARCH_DOCUMENTS",
    "STRUCTURED_RECORD",
    "Interaction",
]

_BASE = "urn:nhs:names:services:gpconnect:"


@dataclass(frozen=True, slots=True)
class Interaction:
    """One interaction.

    Args:
        id: Spine interaction id; the directory registers endpoint and system for each of them.
        scope: The `requested_scope` of its token.
        label: What events and records call a request.
    """

    id: str
    scope: str
    label: str


STRUCTURED_RECORD = Interaction(
    f"{_BASE}fhir:operation:gpc.getstructuredrecord-1", "patient/*.read conf/N", "structured record"
)
FIND_PATIENT = Interaction(f"{_BASE}documents:fhir:rest:search:patient-1", "patient/*.read", "find patient")
SEARCH_DOCUMENTS = Interaction(
    f"{_BASE}documents:fhir:rest:search:documentreference-1", "patient/*.read conf/N", "search documents"
)
READ_DOCUMENT = Interaction(f"{_BASE}documents:fhir:rest:read:binary-1", "patient/*.read conf/N", "read document")
CAPABILITY_STATEMENT = Interaction(
    f"{_BASE}structured:fhir:rest:read:metadata-1", "organization/*.read", "capability statement"
)
