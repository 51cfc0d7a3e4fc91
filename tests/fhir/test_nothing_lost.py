"""Whatever is sent is shown by the item or kept in `extra`; only what cannot be an item is refused."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from leaves import lost
from strategies import ITEM_TYPES, SOURCE, items, json_values

from mpftconnect.fhir import READS_TYPES, NotMapped, dump_json, parse_json, read_resource, write_resource
from mpftconnect.model import Item

# Without shrinking: it takes minutes on values so large, and the finding names the path.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
UNHURRIED = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)

# Members that some type has, so that hostile values land where a table reads.
_NAMES = st.sampled_from(
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
_ANYTHING = st.recursive(
    _VALUES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_NAMES, inner, max_size=4)),
    max_leaves=20,
)


def _read(resource: dict[str, Any]) -> Item | None:
    try:
        return read_resource(resource, source=SOURCE)
    except NotMapped:
        return None


@pytest.mark.parametrize("resource_type", sorted(READS_TYPES - {"Basic"}))
@given(members=st.dictionaries(_NAMES, _ANYTHING, max_size=6))
@settings(UNHURRIED, max_examples=4)
def test_arbitrary_members_are_shown_or_kept(resource_type: str, members: dict[str, Any]) -> None:
    sent = members | {"resourceType": resource_type}
    item = _read(sent)
    if item is None:
        assert sent.get("doNotPerform") not in (None, False)
        return
    assert not lost(sent, item)
    assert read_resource(write_resource(item)) == item


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


def _spoil(resource: dict[str, Any], chance: random.Random, replacement: Any) -> dict[str, Any]:
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


@pytest.mark.parametrize("item_type", ITEM_TYPES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(UNHURRIED, max_examples=4)
def test_a_spoilt_resource_is_shown_or_kept(item_type: type[Item], data: st.DataObject) -> None:
    written = write_resource(data.draw(items(item_type)))
    sent = _spoil(written, data.draw(st.randoms(use_true_random=False)), data.draw(json_values()))
    item = _read(sent)
    if item is None:
        return
    assert not lost(sent, item)
    assert read_resource(write_resource(item)) == item
