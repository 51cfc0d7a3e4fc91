"""Answers of any shape: nothing is raised but an AdapterError, nothing is lost, nothing is said of a value."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpftconnect.adapters import Refusal, json_response
from mpftconnect.errors import AdapterError
from mpftconnect.fhir import dump_json
from mpftconnect.model import Item, Reference, Source
from mpftconnect_icr.ccapi import _parts
from mpftconnect_icr.layout import OPERATIONS, PATIENT
from mpftconnect_icr.mapping import BUILDERS, Told
from mpftconnect_icr.row import Row, fingerprint
from mpftconnect_icr.settings import CcapiSettings

from .conftest import OURS, Bench, collect, record

SETTINGS = CcapiSettings(auth="bearer")
TOLD = Told(
    Source(system="icr", id="x/1", fetched=datetime(2025, 9, 1, tzinfo=UTC)), Reference(reference="Patient/501")
)
SECTIONS = sorted({str(operation.section) for operation in OPERATIONS.values()})
# Marked, so that one is found again wherever it was put.
MARKS = st.integers(0, 10**6).map(lambda number: f"mark{number}x")
SCALARS = st.one_of(
    MARKS,
    st.sampled_from(
        ["", "  ", "Final", "Withdrawn", "active", "2020-01-01T00:00:00", "31/12/2020", "0001-01-01T00:00:00", "<5"]
    ),
    st.integers(-(10**20), 10**20),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-1000, max_value=1000),
    st.booleans(),
    st.none(),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(MARKS, inner, max_size=3)),
    max_leaves=8,
)


def nested(places: dict[str, Any]) -> dict[str, Any]:
    """An object from paths; a path that leads through what is no object is left out."""
    whole: dict[str, Any] = {}
    for place, value in places.items():
        *above, last = place.split(".")
        holder: Any = whole
        for name in above:
            holder = holder.setdefault(name, {}) if isinstance(holder, dict) else None
        if isinstance(holder, dict):
            holder[last] = value
    return whole


def rows(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Rows whose known members hold anything, beside members that nobody knows."""
    members = [place for place in OPERATIONS[name].members.values() if not place.startswith("Investigation")]
    known = st.dictionaries(st.sampled_from(members), st.one_of(SCALARS, TREES), max_size=len(members))
    part = nested({"Id": "i1"})
    places = [p.partition(".")[2] for p in OPERATIONS[name].members.values() if p.startswith("Investigation.")]
    parts = st.dictionaries(st.sampled_from(places), st.one_of(SCALARS, TREES)).map(nested) if places else st.just(part)
    listed = st.lists(st.one_of(parts, SCALARS), max_size=3)
    unknown = st.dictionaries(MARKS, TREES, max_size=2)

    def whole(known: dict[str, Any], listed: list[Any], unknown: dict[str, Any]) -> dict[str, Any]:
        if name == "pathology_results":
            known = known | {"Specimen.InvestigationDetailsList": listed}
        return nested(known) | unknown

    return st.builds(whole, known, listed, unknown)


def leaves(value: Any) -> Iterator[str]:
    """Every scalar that says something, as JSON writes it."""
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    elif value is not None and not (isinstance(value, str) and not value.strip()):
        yield dump_json(value.strip() if isinstance(value, str) else value).decode().strip('"')


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@given(data=st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_of_a_row_is_lost(name: str, data: st.DataObject) -> None:
    content = data.draw(rows(name))
    kept = ""
    built = []
    for part, within in _parts(content, SETTINGS.places(name).get("investigations")):
        row = Row(name, part, SETTINGS, "Europe/London", within)
        own = row.id() or ""
        item = BUILDERS[name](row, TOLD)
        built.append(item)
        if item is None:
            continue
        assert isinstance(item, Item)
        kept += json.dumps(item.model_dump(mode="json"), ensure_ascii=False) + own
        kept += "".join(extra.json_text for extra in item.extra)
    if None in built:
        return  # refused, with the whole row as its content
    for leaf in leaves(content):
        assert leaf in kept or leaf.lower() in kept, leaf


@given(content=TREES)
def test_a_fingerprint_is_of_the_content_alone(content: Any) -> None:
    turned = dict(reversed(content.items())) if isinstance(content, dict) else content
    assert fingerprint(content) == fingerprint(turned)
    assert fingerprint(content) != fingerprint([content])


ANSWERS = st.one_of(
    TREES,
    st.fixed_dictionaries(
        {operation.collection: st.lists(rows(name), max_size=3) for name, operation in OPERATIONS.items()},
        optional={"TotalItemCount": st.one_of(st.integers(-1, 4), MARKS)},
    ),
)


@given(answer=ANSWERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bundles_of_any_shape_give_items_refusals_or_adapter_errors(ccapi: Callable[..., Bench], answer: Any) -> None:
    bench = ccapi(page_limit=3)
    bench.server.answers = dict.fromkeys(OPERATIONS, json_response(answer, content_type="application/json"))
    reading = bench.found()
    for section in SECTIONS:
        found = collect(lambda at=section: getattr(bench.adapter, f"read_{at}")(reading))  # raises nothing else
        said = [str(found.error or ""), *(f"{r.place} {r.rule}" for r in found.refusals)]
        said += [notice.text for notice in found.notices]
        assert not [text for text in said if "mark" in text]
        keys = [item.key for item in found.items]
        assert len(keys) == len(set(keys))
        assert {item.source.system for item in found.items} <= {"icr"}


FOUND = st.one_of(
    TREES,
    st.fixed_dictionaries(
        {
            "Patients": st.lists(
                st.one_of(
                    TREES,
                    st.dictionaries(st.sampled_from(sorted(PATIENT.values())), st.one_of(SCALARS, TREES)).map(
                        lambda places: record() | nested(places)
                    ),
                ),
                max_size=3,
            )
        },
        optional={"TotalItemCount": st.integers(0, 3)},
    ),
)


@given(answer=FOUND)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_find_patient_of_any_shape_gives_the_person_nobody_or_an_adapter_error(
    ccapi: Callable[..., Bench], answer: Any
) -> None:
    bench = ccapi(page_limit=3)
    bench.server.find = lambda _: answer
    try:
        patient = bench.adapter.find_patient(bench.reading())
    except AdapterError as error:
        assert "mark" not in str(error)
        assert OURS not in str(error)
        return
    assert patient is None or patient.nhs_number == OURS


def test_a_row_of_great_depth_and_size_is_kept_whole(ccapi: Callable[..., Bench]) -> None:
    bench = ccapi()
    deep: Any = "bottom"
    for _ in range(80):
        deep = {"in": deep}
    bench.server.answers["alerts"] = [{"Description": "Falls", "Deep": deep, "Long": "x" * 100_000}]
    (item,) = bench.read("alerts").items
    assert "bottom" in "".join(extra.json_text for extra in item.extra)
    deep = [deep] * 50
    for _ in range(80):
        deep = {"in": deep}
    bench.server.answers["alerts"] = [{"Description": "Falls", "Deep": deep}]
    found = bench.read("alerts")
    assert (found.items, found.error is not None) == ([], True)


def test_an_id_that_could_be_a_value_names_nothing(ccapi: Callable[..., Bench]) -> None:
    bench = ccapi()
    bench.server.answers["alerts"] = [{"Id": "Mrs Threlkeld, 14 Quillfeather Lane", "Description": "Falls"}]
    (item,) = bench.read("alerts").items
    assert "Threlkeld" not in item.source.id
    assert item.extra[0].value == "Mrs Threlkeld, 14 Quillfeather Lane"


def test_a_member_named_as_a_part_will_be_is_kept(ccapi: Callable[..., Bench]) -> None:
    bench = ccapi()
    inner = {"Type": {"Description": "Sodium"}, "Value": "141"}
    entry = {"Investigation": "as sent", "Specimen": {"InvestigationDetailsList": [inner]}}
    bench.server.answers["pathology_results"] = {"PathologyResults": [entry]}
    (item,) = bench.read("results").items
    assert item.code.text == "Sodium"
    assert "as sent" in [extra.value for extra in item.extra]


def test_refusals_hold_the_row_for_the_policies_and_show_nothing_of_it(ccapi: Callable[..., Bench]) -> None:
    bench = ccapi()
    row = {"PatientDetailId": 999, "Description": "Harbourside Wellbeing Clinic"}
    bench.server.answers["alerts"] = [row, "odd"]
    first, second = bench.read("alerts").refusals
    assert (first.content, second.content) == (row, "odd")
    assert "Harbourside" not in repr(first)
    assert isinstance(first, Refusal)
