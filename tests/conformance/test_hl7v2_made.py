"""What is sent to receivers is good where it means to be: else their refusal would say nothing of them."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.messages import as_messages
from mpftconnect.conformance.sheets import records_of
from mpftconnect.hl7v2 import check, parse
from mpftconnect.model import nhs_number
from mpftconnect.plugins import PluginRegistry
from mpftconnect_conformance.checks.hl7v2_uk.made import MADE, Case
from mpftconnect_conformance.checks.hl7v2_uk.showing import _case

BAD = {
    *("an unknown version", "an unknown type", "a broken header", "a false attachment", "a wrong number"),
    *("of an unknown number", "with a Z-segment"),
    "an attachment",  # PDF is not of table 0291 of 2.4, and is what is sent everywhere
}


@pytest.mark.parametrize("name", sorted(set(MADE) - BAD))
def test_a_good_message_is_good_by_our_own_check(name: str) -> None:
    for raw in MADE[name](_case("9990000018"))[0]:
        assert [(each.code, each.location) for each in check(parse(raw), "uk")] == []


def test_another_number_is_valid_and_another_each_time() -> None:
    made = [_case("9990000018") for _ in range(20)]
    assert all(str(nhs_number(each.other)).startswith("999") for each in made)
    assert all(one.other != other.other and one.visits != other.visits for one, other in pairwise(made))


def test_the_same_visit_is_taken_back_that_was_made() -> None:
    case = _case("9990000018")
    for done, undone in (
        ("an admission", "the admission taken back"),
        ("a transfer", "the transfer taken back"),
        ("a discharge", "the discharge taken back"),
    ):
        first, second = (parse(MADE[name](case)[0][0]) for name in (done, undone))
        assert first["PV1-19.1"] == second["PV1-19.1"] != ""


def test_people_as_messages_say_what_the_checks_need(registry: PluginRegistry) -> None:
    """The person of people.full, as entered by these messages, is the one that our first message is about."""
    people = records_of(registry.twins["uk-core"])
    made = as_messages("full", people["full"])
    assert str(made[0]["MSH-9.2"]) == "A28"
    ours = parse(MADE["a good message"](Case("9990000018"))[0][0])
    for message in made:
        assert [each.code for each in check(message, "uk")] == []
        assert str(message["MSH-12"]) in ("2.4", "2.5.1")
        for place in ("PID-3.1", "PID-3.4", "PID-3.5", "PID-32", "MSH-3", "MSH-4"):
            assert str(message[place]) == str(ours[place]), place
        assert message["PID-5.1"]
        assert message["PID-7"]
        assert message["PID-8"]


def test_the_preset_of_feeds_takes_what_a_sender_must_meet_and_nothing_of_receivers_alone(catalog: Catalog) -> None:
    taken = [r for r in catalog.choose(preset="feed-sender").requirements if r.pack == "hl7v2-uk"]
    binding = {r.ref for r in catalog.packs["hl7v2-uk"].requirements if "sender" in r.actors}
    assert {r.ref for r in taken} == binding
    assert binding == {f"V2-{n:02}" for n in (1, 3, 4, 5, 6, 7, 10, 11, 13, 15)}


def test_a_result_that_is_corrected_has_no_value_of_the_other_messages() -> None:
    """Else the value that was corrected is found again in one of those, and a product that is right fails."""
    others = {Decimal(value) for value in Case("9990000018").values}
    drawn = {Decimal(value) for _ in range(2_000) for value in _case("9990000018").values}
    assert len(drawn) > 60 and not drawn & others
