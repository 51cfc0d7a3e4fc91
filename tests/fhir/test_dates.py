"""Dates and times: as sent, as near as R4 can say them, and never guessed."""

from __future__ import annotations

from typing import Any

import pytest
from strategies import SOURCE

from mpftconnect.errors import NotADate
from mpftconnect.fhir import extensions, read_resource, write_resource
from mpftconnect.model import Condition, Immunization, Item, Observation, When, concept


def _condition(**members: Any) -> Condition:
    zone = members.pop("zone", "Europe/London")
    item = read_resource({"resourceType": "Condition", **members}, source=SOURCE, zone=zone)
    assert isinstance(item, Condition)
    return item


def _written(onset: When) -> dict[str, Any]:
    return write_resource(Condition(source=SOURCE, code=concept("Asthma"), onset=onset))


@pytest.mark.parametrize(
    "text", ["2024", "2024-03", "2024-03-31", "2024-06-01T09:00:00+01:00", "2024-06-01T09:00:00.5Z"]
)
def test_what_r4_can_say_is_written_as_it_is(text: str) -> None:
    written = _written(When(text))
    assert written["onsetDateTime"] == text
    assert "_onsetDateTime" not in written


@pytest.mark.parametrize(
    ("text", "zone", "native"),
    [
        ("2024-06-01T09:00:00", "Europe/London", "2024-06-01T09:00:00+01:00"),
        ("2024-06-01T09:00", "Europe/London", "2024-06-01T09:00:00+01:00"),
        ("2024-01-01T09:00:00", "Europe/London", "2024-01-01T09:00:00+00:00"),
        ("2024-01-01T09:00:00", "Europe/Paris", "2024-01-01T09:00:00+01:00"),
        ("2024-01-01T09:00:00", "America/St_Johns", "2024-01-01T09:00:00-03:30"),
        ("2024-06-01T09:00Z", "Europe/London", "2024-06-01T09:00:00Z"),
        ("2024-10-27T01:30:00", "Europe/London", "2024-10-27"),  # happened twice
        ("2024-03-31T01:30:00", "Europe/London", "2024-03-31"),  # never happened
        ("1800-01-01T00:00:00", "Europe/London", "1800-01-01"),  # an offset with seconds
    ],
)
def test_what_r4_cannot_say_is_written_near_and_read_back(text: str, zone: str, native: str) -> None:
    when = When(text, zone)
    written = _written(when)
    assert written["onsetDateTime"] == native
    assert written["_onsetDateTime"]["extension"][0]["url"] == extensions.AS_SENT
    item = read_resource(written)
    assert isinstance(item, Condition)
    assert item.onset == when


def test_an_instant_that_is_only_a_date_is_not_made_up() -> None:
    item = Observation(source=SOURCE, code=concept("Weight"), issued=When("2024-03"))
    written = write_resource(item)
    assert "issued" not in written
    assert read_resource(written) == item


def test_a_time_where_r4_has_a_date() -> None:
    item = Immunization(source=SOURCE, vaccine=concept("Flu"), expiration=When("2024-06-01T09:00:00Z"))
    written = write_resource(item)
    assert written["expirationDate"] == "2024-06-01"
    assert read_resource(written) == item


def test_a_time_without_offset_takes_the_zone_of_its_source() -> None:
    assert _condition(recordedDate="2024-06-01T09:00:00", zone="Europe/Paris").recorded == When(
        "2024-06-01T09:00:00", "Europe/Paris"
    )
    with pytest.raises(NotADate):
        _condition(zone="Europe/Atlantis")


@pytest.mark.parametrize(
    "malformed", ["2024-02-30", "01/02/2024", "", "2024-06-01T25:00:00Z", 2024, None, {}, ["2024"]]
)
def test_a_malformed_date_is_kept_and_the_item_too(malformed: Any) -> None:
    item = _condition(code={"text": "Asthma"}, recordedDate=malformed)
    assert item.recorded is None
    assert [(extra.path, extra.value) for extra in item.extra] == [("recordedDate", malformed)]
    assert item.code.text == "Asthma"


def test_our_own_extension_is_not_believed_against_the_value_beside_it() -> None:
    written = _written(When("2024-06-01T09:00:00"))
    written["onsetDateTime"] = "2020-01-01"
    item: Item = read_resource(written)
    assert isinstance(item, Condition)
    assert item.onset == When("2020-01-01")
    assert [extra.path for extra in item.extra] == ["_onsetDateTime"]
