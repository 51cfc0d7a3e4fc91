"""A record as JSON: what must stand beside a result goes with it, and is no part of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mpftconnect.errors import UsageError
from mpftconnect.fhir import dump_json
from mpftconnect.hub.record import Record
from mpftconnect.model import NOT_ACKNOWLEDGED, SectionName


def written(record: Record) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(record.to_json())
    return document


def test_each_result_has_its_caution_and_nothing_else_has(record_of_results: Record) -> None:
    found = [
        item["source"]["id"]
        for name in SectionName
        for item in written(record_of_results)[name]["items"]
        if item.get("caution") == NOT_ACKNOWLEDGED
    ]
    none = {"Pulse", "Smoking", "Discharge letter"}
    wanted = [
        item.source.id for name in ("results", "reports", "documents") for item in record_of_results.section(name)
    ]
    assert sorted(found) == sorted(set(wanted) - none) and len(found) == 32
    assert record_of_results.to_json().count('"caution"') == 32


def test_it_comes_back_as_it_was(record_of_results: Record) -> None:
    assert Record.from_json(record_of_results.to_json()) == record_of_results
    # As it was written before results had a caution.
    assert Record.from_json(record_of_results.model_dump_json().encode()) == record_of_results


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{", '{"results": 7}', '{"results": {"items": [7]}}', "[" * 100_000, b"\xff"]
)
def test_what_is_no_record_is_refused_as_ever(text: str | bytes) -> None:
    with pytest.raises(UsageError, match="not a record"):
        Record.from_json(text)


def test_a_caution_that_is_none_is_refused(record_of_results: Record) -> None:
    document = written(record_of_results)
    document["results"]["items"][0]["caution"] = {"SECRETNAME": 7}
    with pytest.raises(UsageError, match=r"results\.items\.0\.caution") as raised:
        Record.from_json(json.dumps(document))
    assert "SECRETNAME" not in str(raised.value)


def test_a_bundle_says_it_in_the_lists_that_are_ours_and_in_no_resource_of_a_source(record_of_results: Record) -> None:
    entries = [entry["resource"] for entry in record_of_results.to_fhir()["entry"]]
    told = [each for each in entries if NOT_ACKNOWLEDGED in dump_json(each).decode()]
    assert sorted(each["title"] for each in told) == ["Documents", "Reports", "Results"]
    assert all({"text": NOT_ACKNOWLEDGED} in each["note"] for each in told)
