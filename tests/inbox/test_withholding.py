"""Excluded messages are acknowledged and never kept, and nothing but the privacy officer's account knows of them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.events import EventStream
from mpftconnect.governance.exclusion import ExclusionSettings, exclusion_spec
from mpftconnect.inbox import Answering, Encrypted, header_of
from mpftconnect.inbox.withholding import Withholding

from .conftest import NOW, feed, message, small_mapper

HIV = "86406008"
SETTINGS = ExclusionSettings(
    systems=("clinic",), organisations=("ZZSH1", "Quiet Street Clinic"), services=("360",), codes=("Z33.2",)
)


def policy(settings: ExclusionSettings = SETTINGS) -> Any:
    return exclusion_spec.build(settings)


EXCLUDED = {
    "sending facility": message("1", sender="PAS|ZZSH1"),
    "a diagnosis": message("1", f"DG1|1||{HIV}^HIV^SCT"),
    "a configured code": message("1", "DG1|1|I10|Z33.2^Termination^I10"),
    "an alternate code": message("1", f"DG1|1||B24^HIV^I10^{HIV}^HIV^SCT"),
    "a test": message("1", f"OBX|1|NM|{HIV}^x^SCT||3"),
    "a coded result": message("1", f"OBX|1|CWE|123^Organism^L||{HIV}^x^SCT"),
    "a hospital service": message("1", "PV1|1|O|CLIN^1||||||||360"),
    "a service by name, whatever its case": message("1", "PV1|1|O|Sexual  HEALTH^1"),
    "an organisation by name": message("1", "ORC|RE||||||||||||||||||||Quiet Street Clinic^L"),
    "in the third of several": message("1", "DG1|1||1^a^SCT", "DG1|2||2^b^SCT", f"DG1|3||{HIV}^HIV^SCT"),
}
KEPT = {
    "a result of the same number": message("1", "OBX|1|NM|PLT^Platelets^L||360|10*9/L"),
    "a hospital number like a code": message("1", local=HIV),
    "free text with the number": message("1", f"NTE|1||see {HIV}"),
    "a text result with the number": message("1", f"OBX|1|ST|1^x^L||{HIV}"),
    "an ordinary visit": message("1", "PV1|1|I|WARD^1||||||||300"),
    "part of a name": message("1", "PV1|1|O|Sexual health liaison^1"),
}


@pytest.mark.parametrize("what", EXCLUDED)
def test_an_excluded_message_is_acknowledged_and_not_kept(bench, what: str, tmp_path: Path):
    one = bench(silent=(policy(),))
    events: list[Any] = []
    answering = Answering(one.inbox, events=EventStream([events.append]), clock=lambda: NOW)
    (reply,) = answering([EXCLUDED[what]])
    assert b"MSA|AA|1" in reply.answers[0] and reply.quiet
    assert [(each.control_id, each.at) for each in one.withheld] == [("1", NOW)]
    assert events == one.events == []
    (status,) = one.inbox.feeds()
    assert (status.total, status.parked, status.depth, status.repeats) == (0, 0, 0, 0)
    assert list(one.store.entries(["received", "processed", "parked", "discarded"])) == []
    one.inbox.close()
    for file in (tmp_path / "inbox").iterdir():
        assert b"TESTWORTH" not in file.read_bytes() and HIV.encode() not in file.read_bytes()


@pytest.mark.parametrize("what", KEPT)
def test_what_only_looks_like_it_is_kept(bench, what: str):
    one = bench(silent=(policy(),))
    assert one.inbox.receive(KEPT[what]).outcome == "kept" and one.withheld == []


def test_a_system_that_is_excluded_is_excluded_whatever_it_says(bench):
    one = bench(silent=(policy(),), feeds={"pas": feed(system="clinic")})
    assert one.inbox.receive(message("1")).outcome == "excluded"


def test_what_came_as_nobodys_is_withheld_once_its_system_is_one_that_is(bench):
    silent = (policy(),)
    one = bench(silent=silent)
    one.take(message("1", sender="LAB|ZZ1"))
    assert [entry.reason for entry in one.store.entries(["parked"])] == ["sender-unknown"]
    one.inbox.close()
    senders = ({"application": "LAB", "facility": "ZZ1"},)
    mended = bench(silent=silent, feeds={"pas": feed(), "lab": feed(senders=senders, system="clinic")})
    assert mended.inbox.release(1, "the sender is configured")
    mended.inbox.process()
    assert [each.control_id for each in mended.withheld] == ["1"]
    assert list(mended.store.entries(["received", "processed", "parked", "discarded"])) == []


def test_without_policies_everything_is_kept(bench):
    one = bench()
    assert {one.inbox.receive(raw).outcome for raw in EXCLUDED.values()} == {
        "kept",
        "parked",
    }  # one number, all of them


def test_what_only_the_mapping_understands_is_taken_out_again(bench, tmp_path: Path):
    """A phrase stands in no code; the policy sees it when the message is processed."""
    one = bench(silent=(policy(ExclusionSettings(phrases=("termination of pregnancy",))),))
    one.take(
        message("1", "ZCH|visit-upsert|V1|ordinary"),
        message("2", "ZCH|visit-upsert|V2|seen for Termination of Pregnancy", family="SECRETLY"),
    )
    assert [entry.control_id for entry in one.store.entries(["processed", "parked", "received"])] == ["1"]
    assert [each.control_id for each in one.withheld] == ["2"]
    assert len(one.inbox.items(("pas",), "9990000018", "encounters")) == 1
    one.store._shrink()
    one.inbox.close()
    for file in (tmp_path / "inbox").iterdir():
        assert b"SECRETLY" not in file.read_bytes()


def test_an_account_that_fails_is_an_error_and_not_a_loss(bench):
    def failing(withheld: Any) -> None:
        raise OSError("SEEDED")

    one = bench(silent=(policy(),), privacy=failing)
    events: list[Any] = []
    (reply,) = Answering(one.inbox, events=EventStream([events.append]))([EXCLUDED["a diagnosis"]])
    assert b"MSA|AE|1" in reply.answers[0] and b"SEEDED" not in reply.answers[0]
    assert [event.reason for event in events] == ["OSError"]


def test_a_store_with_excluded_messages_is_like_one_without(bench, tmp_path: Path):
    """The same stream with and without them: all that can be asked of the store is equal."""
    told = []
    ordinary = [message(f"o{n}", f"ZCH|visit-upsert|V{n}") for n in range(5)]
    for name, between in (("without", []), ("with", list(EXCLUDED.values())[1:])):
        one = bench(name, silent=(policy(),))
        mixed = [each for pair in itertools.zip_longest(ordinary, between) for each in pair if each is not None]
        one.take(*mixed)
        entries = [(e.seq, e.control_id, e.state) for e in one.store.entries(["received", "processed", "parked"])]
        told.append((entries, one.inbox.feeds(), one.store.projection_digest(), one.events))
    assert told[0][:3] == told[1][:3]
    assert [event.code for event in told[0][3]] == [event.code for event in told[1][3]]


def test_every_encoding_and_delimiter_is_looked_through():
    judge = Withholding([policy(ExclusionSettings(organisations=("Clinique Édith",)))], {})
    for raw in (
        message("1", "PV1|1|O|Clinique Édith"),
        message("1").replace(b"\r", b"\n") + "PV1|1|O|Clinique Édith".encode("latin-1"),
        message("1", "PV1|1|O|Clinique Édith").replace(b"|", b"!").replace(b"^", b"*"),
    ):
        assert judge.withholds("pas", header_of(raw), raw)
    assert not judge.withholds("pas", header_of(message("1")), message("1", "PV1|1|O|Clinic"))


def test_encryption_changes_nothing_of_it(bench):
    one = bench(silent=(policy(),), protection=Encrypted(bytes(range(32))))
    assert one.inbox.receive(EXCLUDED["a diagnosis"]).outcome == "excluded"
    assert small_mapper(KEPT["an ordinary visit"], "pas").changes == []
