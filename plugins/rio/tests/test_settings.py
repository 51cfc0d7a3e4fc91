"""A configuration's mistakes are found before anything is read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mpftconnect_rio.settings import ExtractSettings, RioExtractSettings, RioFhirSettings

INDEX = {"client_index": {"path": "index.csv"}}


def extracts(**more: Any) -> RioExtractSettings:
    given = {"organisation": "RRE", "extracts": INDEX} | more
    return RioExtractSettings.model_validate(given)


def problem(build: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        build()
    return str(caught.value)


def test_the_least_that_is_needed() -> None:
    assert extracts().extracts.contacts is None
    assert "client_index" in problem(lambda: extracts(extracts={"contacts": {"path": "c.csv"}}))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "either path (a local file) or url"),
        ({"path": "a.csv", "url": "a.csv"}, "either path (a local file) or url"),
        ({"path": "a.csv", "delimiter": ";;"}, "one character"),
        ({"path": "a.csv", "delimiter": '"'}, "one character"),
        ({"path": "a.csv", "delimiter": "a"}, "one character"),
        ({"path": "a.csv", "encoding": "ebcdic"}, "'utf-8', 'cp1252' or 'utf-16'"),
        ({"path": "a.csv", "date_formats": ["%d/%m/%y"]}, "%y cannot be read"),
        ({"path": "a.csv", "date_formats": ["%d/%m/%Y", "%m/%d/%Y"]}, "day first and month first"),
        ({"path": "a.csv", "date_formats": []}, "at least one date format"),
        ({"path": "a.csv", "maximum_age_hours": 0}, "greater than 0"),
        ({"path": "a.csv", "colums": {}}, "Extra inputs"),
    ],
)
def test_one_extract(given: dict[str, Any], said: str) -> None:
    assert said in problem(lambda: ExtractSettings(**given))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"columns": {"nhs_no": "NHS"}}, "columns.nhs_no: no such field; fields are contact_id"),
        ({"values": {"states": {}}}, "values.states: no such field"),
        ({"columns": {"contact_id": ""}}, "columns.contact_id: this column is needed"),
        ({"columns": {"start": ""}}, "columns.start: this column is needed"),
        ({"columns": {"nhs_number": "", "client_id": ""}}, "columns: a row must say whose it is"),
        ({"columns": {"type": "Contact medium"}}, "columns.medium: the same heading as type"),
    ],
)
def test_columns(given: dict[str, Any], said: str) -> None:
    table = INDEX | {"contacts": {"path": "c.csv"} | given}
    assert f"contacts.{said}" in problem(lambda: extracts(extracts=table))


def test_teams_and_kinds_of_line() -> None:
    assert "needs the users of each team" in problem(lambda: extracts(caseload_by="team"))
    assert "no such kind of line: wishes" in problem(lambda: extracts(line_types={"Wish": "wishes"}))
    assert extracts(line_types={" Wish ": "goals"}).line_kind("WISH") == "goals"


def test_the_facade() -> None:
    assert RioFhirSettings(organisation="RRE").auth == "bearer"
    assert "token_url and key_id" in problem(lambda: RioFhirSettings(organisation="RRE", auth="signed-jwt"))
    assert "organisation" in problem(lambda: RioFhirSettings())  # type: ignore[call-arg]
