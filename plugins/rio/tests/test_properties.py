"""Whatever the dialect, the same facts; whatever the bytes, a clear answer."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpftconnect.errors import AdapterError
from mpftconnect.model import Item
from mpftconnect_rio.layout import LAYOUTS
from mpftconnect_rio.settings import ExtractSettings
from mpftconnect_rio.twin import render

from .conftest import OTHER, OURS, everyone

EXTRACTS = {
    "caseload": "referrals",
    "contacts": "encounters",
    "progress_notes": "notes",
    "care_plans": "care_plans",
    "alerts": "alerts",
    "appointments": "appointments",
}

# One folder serves every example: each writes the one extract that it is about.
_SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


def read(rio: Any, name: str, body: bytes, given: ExtractSettings) -> Any:
    (rio.folder / f"{name}.csv").write_bytes(body)
    own = rio.adapter._settings
    rio.adapter._settings = own.model_copy(update={"extracts": own.extracts.model_copy(update={name: given})})
    return rio.read(EXTRACTS[name])


def told(section: Any) -> list[str]:
    """The items, without when their file was written, and in any order of what was kept aside."""
    out = []
    for item in section.items:
        plain = item.model_copy(update={"source": item.source.model_copy(update={"as_of": None}), "extra": ()})
        out.append(plain.model_dump_json() + "".join(sorted(each.model_dump_json() for each in item.extra)))
    return out


@_SHARED
@given(data=st.data())
def test_every_dialect_says_the_same(rio: Any, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(EXTRACTS)), label="extract")
    rows = everyone()[name]
    plain = ExtractSettings(path=f"{name}.csv", maximum_age_hours=None)
    expected = told(read(rio, name, render(name, rows, plain), plain))
    assert expected

    other = ExtractSettings(
        path=f"{name}.csv",
        maximum_age_hours=None,
        encoding=data.draw(st.sampled_from(["utf-8", "cp1252", "utf-16"]), label="encoding"),
        delimiter=data.draw(st.sampled_from([",", ";", "\t", "|", "~"]), label="delimiter"),
        quoting=data.draw(st.sampled_from(["doubled", "backslash"]), label="quoting"),
        trailer=data.draw(st.sampled_from(["", "TOTAL"]), label="trailer"),
    )
    order = data.draw(st.permutations(list(LAYOUTS[name].columns)), label="columns")
    body = render(name, rows, other, order)
    if other.encoding == "utf-8" and data.draw(st.booleans(), label="byte order mark"):
        body = b"\xef\xbb\xbf" + body
    section = read(rio, name, body, other)
    assert section.error is None
    assert told(section) == expected


_CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@_SHARED
@given(data=st.data())
def test_no_row_breaks_the_reader_and_none_is_dropped_in_silence(rio: Any, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(EXTRACTS)), label="extract")
    fields = list(LAYOUTS[name].columns)
    key = LAYOUTS[name].key
    cells = st.fixed_dictionaries({field: _CELLS for field in fields if field not in (key, "client_id", "nhs_number")})
    rows = data.draw(st.lists(cells, min_size=1, max_size=5), label="rows")
    for number, row in enumerate(rows):
        row |= {key: f"K{number}", "client_id": "", "nhs_number": str(OURS)}
    plain = ExtractSettings(path=f"{name}.csv", maximum_age_hours=None)
    section = read(rio, name, render(name, rows, plain), plain)
    assert section.error is None
    assert all(isinstance(item, Item) for item in section.items)
    seen = {item.source.id for item in section.items}
    refused = {refusal.place.partition(",")[0] for refusal in section.refusals}
    for number, _ in enumerate(rows):
        assert f"{name}#K{number}" in seen or f"{name} row {number + 1}" in refused


@_SHARED
@given(body=st.binary(max_size=400), name=st.sampled_from(sorted(EXTRACTS)), headed=st.booleans())
def test_no_bytes_raise_anything_but_an_adapter_error(rio: Any, body: bytes, name: str, headed: bool) -> None:
    plain = ExtractSettings(path=f"{name}.csv", maximum_age_hours=None)
    heading = render(name, [], plain) if headed else b""
    section = read(rio, name, heading + body, plain)
    assert section.error is None or isinstance(section.error, AdapterError)
    assert section.items == [] or headed


@_SHARED
@given(data=st.data())
def test_a_mutilated_extract_gives_nobody_elses_rows(rio: Any, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(EXTRACTS)), label="extract")
    plain = ExtractSettings(path=f"{name}.csv", maximum_age_hours=None)
    good = render(name, everyone()[name], plain)
    cut = data.draw(st.integers(0, len(good)), label="from")
    length = data.draw(st.integers(0, 60), label="length")
    put = data.draw(st.binary(max_size=6), label="put")
    section = read(rio, name, good[:cut] + put + good[cut + length :], plain)
    said = "".join(f"{refusal.place}{refusal.rule}{refusal!r}" for refusal in section.refusals) + repr(section.error)
    for word in ("ours", "neighbour", "stranger", "9990000", "RX100", "RX200", "Larkfield"):
        assert word not in said
    for item in section.items:
        # A damaged row may carry a neighbour's words only if the damage made them one row under our number.
        assert item.subject is None or item.subject.identifier.value not in (OTHER, "RX200")


@pytest.mark.parametrize("name", sorted(EXTRACTS))
def test_quoting_every_cell_says_the_same(rio: Any, name: str) -> None:
    plain = ExtractSettings(path=f"{name}.csv", maximum_age_hours=None)
    body = render(name, everyone()[name], plain)
    expected = told(read(rio, name, body, plain))
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(csv.reader(io.StringIO(body.decode(), newline="")))
    assert told(read(rio, name, text.getvalue().encode(), plain)) == expected
