"""A practice's answer is hostile input: one thing wrong spoils that thing alone, and order changes nothing."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from structured_bundles import allergy, bundle, consultation, empty, listed, problem, read, resource, warned

from mpftconnect.adapters import Refusal
from mpftconnect.errors import AnswerRejected
from mpftconnect.fhir import dump_json, parse_json
from mpftconnect.model import Item, Notice, ProgressNote, SectionName
from mpftconnect_gpconnect.structured import StructuredRecord

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
UNHURRIED = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES, max_examples=60)

_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=6), st.sampled_from(("#1", "List/l1")))
_ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(("resourceType", "id", "entry", "item", "reference", "extension", "code", "coding", "url")),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=12,
)


def whole() -> dict[str, Any]:
    """A record with something of everything."""
    return bundle(
        *consultation(),
        allergy(),
        allergy("a2", "Latex"),
        {"resourceType": "Medication", "id": "m1", "code": {"text": "Aspirin"}},
        resource(
            "MedicationStatement", "s1", status="active", taken="unk", basedOn=[{"reference": "MedicationRequest/r1"}]
        ),
        resource(
            "MedicationRequest",
            "r1",
            status="active",
            intent="plan",
            medicationReference={"reference": "Medication/m1"},
        ),
        resource("Immunization", "i1", status="completed", notGiven=False, vaccineCode={"text": "MMR"}),
        resource("Specimen", "sp1", type={"text": "Serum"}),
        resource("DiagnosticReport", "dr1", code={"text": "Report"}, specimen=[{"reference": "Specimen/sp1"}]),
        resource("ReferralRequest", "rr1", status="active", reasonCode=[{"text": "cough"}]),
        resource("DocumentReference", "do1", description="Letter", content=[{"attachment": {"title": "x"}}]),
        resource("QuestionnaireResponse", "q1"),
        problem("c9", "Eczema"),
        listed("allergies", "AllergyIntolerance/a1"),
        listed("ended", "#1", own_id="ended", contained=[allergy("1", "Nuts")]),
        warned("medications", "confidential-items", "MedicationStatement/s1"),
        empty("immunisations", "no-content-recorded"),
        {"resourceType": "OperationOutcome", "id": "oo", "issue": [{"severity": "warning", "code": "not-supported"}]},
    )


def said(record: StructuredRecord) -> dict[str, Any]:
    """All that a record says, but for the places of what it refuses."""
    told: dict[str, Any] = {"patient": record.patient, "others": record.others, "kept": record.kept}
    for name, found in record.sections.items():
        told[name] = [one for one in found if not isinstance(one, Refusal)]
        told[f"{name} refused"] = sorted((one.rule, one.wrong_person) for one in found if isinstance(one, Refusal))
    return told


def nodes(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        part = waiting.pop()
        for key, inner in list(part.items()) if isinstance(part, dict) else list(enumerate(part)):
            found.append((part, key))
            if isinstance(inner, dict | list):
                waiting.append(inner)
    return found


def spoil(content: dict[str, Any], chance: random.Random, replacement: Any) -> tuple[dict[str, Any], int]:
    """The Bundle with one thing wrong in one entry that is not the patient's, and which entry that is."""
    spoilt: dict[str, Any] = parse_json(dump_json(content))
    index = chance.randrange(1, len(spoilt["entry"]))
    holder, key = chance.choice(nodes(spoilt["entry"][index]))
    how = chance.choice(("replace", "wrap", "drop"))
    if how == "replace":
        holder[key] = replacement
    elif how == "wrap":
        holder[key] = [holder[key]]
    else:
        del holder[key]
    return spoilt, index


@given(chance=st.randoms(use_true_random=False))
@settings(UNHURRIED)
def test_the_order_of_entries_changes_nothing(chance: random.Random) -> None:
    content, shuffled = whole(), whole()
    chance.shuffle(shuffled["entry"])
    assert said(read(shuffled)) == said(read(content))


@given(chance=st.randoms(use_true_random=False))
@settings(UNHURRIED)
def test_the_order_of_spoilt_entries_changes_nothing(chance: random.Random) -> None:
    content, _ = spoil(whole(), chance, chance.choice((None, 1, "x", [], {}, "List/l1")))
    shuffled: dict[str, Any] = parse_json(dump_json(content))
    chance.shuffle(shuffled["entry"])
    try:
        there = said(read(content))
    except AnswerRejected:
        return
    assert said(read(shuffled)) == there


@given(chance=st.randoms(use_true_random=False), replacement=_ANYTHING)
@settings(UNHURRIED, max_examples=300)
def test_one_thing_wrong_costs_no_other_entry(chance: random.Random, replacement: Any) -> None:
    content, index = spoil(whole(), chance, replacement)
    try:
        record = read(content)
    except AnswerRejected:  # the spoilt entry became a second patient
        return
    # Notes and what a list contains hang on lists, which may be the spoilt entry.
    others = [one["resource"] for number, one in enumerate(whole()["entry"]) if number not in (0, index)]
    expected = {own for own in _ids(read(bundle(*others))) if not own.startswith("List/")}
    assert _ids(record) >= expected


def _ids(record: StructuredRecord) -> set[str]:
    shown = (one for found in record.sections.values() for one in found if isinstance(one, Item))
    return {item.source.id for item in (*record.others, *shown)}


@given(members=st.dictionaries(st.text(max_size=5), _ANYTHING, max_size=5), entries=st.lists(_ANYTHING, max_size=5))
@settings(UNHURRIED, max_examples=200)
def test_a_bundle_of_anything_is_read_or_rejected(members: dict[str, Any], entries: list[Any]) -> None:
    content = members | bundle()
    content["entry"] += [*entries, *({"resource": entry} for entry in entries)]
    try:
        record = read(content)
    except AnswerRejected:
        return
    assert record.patient.source.id == "Patient/p1"
    for found in record.sections.values():
        for one in found:
            assert isinstance(one, Item | Notice | Refusal)


@given(pointers=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=15))
@settings(UNHURRIED)
def test_lists_that_point_at_each_other_in_any_way_end(pointers: list[tuple[int, int]]) -> None:
    kinds = ("consultation", "topic", "heading")
    lists = [
        listed(kinds[n % 3], *(f"List/l{to}" for of, to in pointers if of == n), own_id=f"l{n}", title=f"T{n}")
        for n in range(6)
    ]
    record = read(bundle(*lists))
    assert all(isinstance(one, Item | Notice) for one in record.sections[SectionName.NOTES])


def test_a_deep_tree_of_lists_is_read() -> None:
    chain = [listed("topic", f"List/l{n + 1}", own_id=f"l{n}", title=f"T{n}") for n in range(3000)]
    record = read(bundle(*chain, listed("heading", {"display": "the end"}, own_id="l3000", title="Last")))
    (note,) = [one for one in record.sections[SectionName.NOTES] if isinstance(one, ProgressNote)]
    assert note.text == "T2999\nLast:\n- the end"
