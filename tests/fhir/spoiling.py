"""Hostile resources: members of any name and value, and well-formed resources with one thing wrong with them."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import strategies as st

from mpftconnect.fhir import dump_json, parse_json

# Members that some type has, so that hostile values land where a table reads.
NAMES = st.sampled_from(
    (
        *(
            "id",
            "meta",
            "text",
            "contained",
            "extension",
            "modifierExtension",
            "identifier",
            "status",
            "code",
            "subject",
        ),
        *("patient", "name", "telecom", "address", "birthDate", "_birthDate", "deceasedDateTime", "deceasedBoolean"),
        *("onsetDateTime", "_onsetDateTime", "onsetAge", "onsetPeriod", "recordedDate", "recorder", "asserter", "note"),
        *("valueQuantity", "valueString", "valueCodeableConcept", "effectiveDateTime", "effectiveInstant", "issued"),
        *("_issued", "performer", "component", "referenceRange", "dosage", "dosageInstruction", "dispenseRequest"),
        *(
            "medicationReference",
            "medicationCodeableConcept",
            "doseAndRate",
            "timing",
            "category",
            "activity",
            "detail",
        ),
        *("goal", "addresses", "supportingInfo", "careTeam", "participant", "actor", "member", "content", "attachment"),
        *("context", "encounter", "author", "provision", "policy", "policyRule", "protocolApplied", "link", "coding"),
        *("system", "value", "display", "reference", "url", "valueBoolean", "start", "end", "period", "type", "class"),
        *("_status", "doNotPerform", "scheduledTiming", "event", "_event", "versionId", "lastUpdated", "security"),
    )
)
_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from(
        (
            *("2024-02-30", "2024-06-01T09:00:00", "2024", "active", "#1", "Condition/1", "Patient/1", "replaced-by"),
            *("http://hl7.org/fhir/StructureDefinition/data-absent-reason", "unknown", "text/plain", "aGk="),
        )
    ),
)
ANYTHING = st.recursive(
    _VALUES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=20,
)


def _nodes(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        part = waiting.pop()
        pairs = list(part.items()) if isinstance(part, dict) else list(enumerate(part))
        for key, inner in pairs:
            found.append((part, key))
            if isinstance(inner, dict | list):
                waiting.append(inner)
    return [(holder, key) for holder, key in found if key != "resourceType"]


def spoil(resource: dict[str, Any], chance: random.Random, replacement: Any) -> dict[str, Any]:
    """A well-formed resource with one thing wrong with it."""
    spoilt: dict[str, Any] = parse_json(dump_json(resource), max_depth=1000)
    holder, key = chance.choice(_nodes(spoilt))
    how = chance.choice(("replace", "wrap", "drop", "again", "unexpected"))
    if how == "replace":
        holder[key] = replacement
    elif how == "wrap":
        holder[key] = [holder[key]]
    elif how == "drop":
        del holder[key]
    elif how == "again" and isinstance(holder, list):
        holder.append(holder[key])
    elif isinstance(holder, dict):
        holder["unexpected"] = replacement
    spoilt["resourceType"] = resource["resourceType"]
    return spoilt
