"""What messages leave behind: whatever their order, however often they come, and again after a replay."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpftconnect.events import Code
from mpftconnect.hl7v2.changes import Subject
from mpftconnect.inbox import Encrypted, Inbox, Resolution, SqliteStore
from mpftconnect.model import Encounter, Observation, SectionName

from .conftest import ADA, BEA, Bench, feed, message, small_mapper


def change(control: str, kind: str, key: str, value: str = "", *, minute: int, **more: Any) -> bytes:
    aliases, encounter = more.pop("aliases", ""), more.pop("encounter", "")
    at = f"202601020{9 + minute // 60:1d}{minute % 60:02d}00" if minute < 60 else f"2026010210{minute - 60:02d}00"
    return message(control, f"ZCH|{kind}|{key}|{value}|{aliases}|{encounter}", at=at, **more)


def values(one: Bench, person: str = ADA) -> list[tuple[str | None, str | None]]:
    found = one.inbox.items(("pas",), person, SectionName.RESULTS)
    return sorted(
        (str(p.item.value.value) if p.item.value else None, p.withdrawn)
        for p in found
        if isinstance(p.item, Observation)
    )


def test_a_result_is_shown_with_its_feed_and_when_it_came(bench):
    one = bench()
    one.take(change("1", "result-replace", "R1", "4.20", minute=1))
    (found,) = one.inbox.items(("pas",), ADA, SectionName.RESULTS)
    assert str(found.item.value.value) == "4.20"
    assert found.item.source.system == "pas" and found.item.source.mode == "feed"
    assert found.item.source.fetched == one.clock[0]
    assert one.inbox.items(("pas",), BEA, SectionName.RESULTS) == []
    assert one.inbox.items(("other",), ADA, SectionName.RESULTS) == []


def test_an_older_message_never_overwrites_a_newer_one(bench):
    one = bench()
    one.take(change("2", "result-replace", "R1", "5", minute=2), change("1", "result-replace", "R1", "4", minute=1))
    assert values(one) == [("5", None)]


def test_an_update_keeps_what_it_does_not_say_in_whatever_order(bench):
    one = bench()
    one.take(
        change("2", "visit-upsert", "V1", minute=2),
        change("1", "visit-upsert", "V1", "kept", minute=1),
    )
    (found,) = one.inbox.items(("pas",), ADA, SectionName.ENCOUNTERS)
    assert isinstance(found.item, Encounter) and found.item.note == ("kept",)


def test_what_is_withdrawn_stays_and_says_why(bench):
    one = bench()
    one.take(change("1", "result-replace", "R1", "4", minute=1), change("2", "result-retract", "R1", minute=2))
    assert values(one) == [("4", "withdrawn by the laboratory (OBX-11 W)")]
    # A late repeat of old content, under a new number, does not bring it back.
    one.take(change("3", "result-replace", "R1", "4", minute=1))
    assert values(one)[0][1] is not None
    # A result that was surely made later does.
    one.take(change("4", "result-replace", "R1", "6", minute=9))
    assert values(one) == [("6", None)]


def test_a_withdrawal_that_overtakes_its_result_withdraws_it(bench):
    one = bench()
    one.take(change("2", "result-retract", "R1", minute=2), change("1", "result-replace", "R1", "4", minute=1))
    assert values(one) == [("4", "withdrawn by the laboratory (OBX-11 W)")]


def test_a_thing_is_found_by_any_of_its_names(bench):
    one = bench()
    one.take(
        change("1", "result-upsert", "R1", "4", minute=1),
        change("2", "result-upsert", "R2", "5", minute=2),
        change("3", "result-upsert", "R3", "6", minute=3, aliases="P1"),
    )
    assert len(values(one)) == 3
    # A message that gives both names joins what stood under either; a later one finds it by either.
    one.take(change("4", "result-replace", "R4", "7", minute=4, aliases="P1"))
    assert values(one) == [("4", None), ("5", None), ("7", None)]


def test_what_is_only_mentioned_never_updates(bench):
    one = bench()
    one.take(
        change("1", "person-upsert", "M1", "FULLNAME", minute=1),
        change("2", "person-mention", "M1", "MENTIONED", minute=2),
    )
    (patient,) = one.inbox.items(("pas",), ADA, "patient")
    assert patient.item.names[0].family == "FULLNAME"


def test_the_same_number_of_another_person_is_another_thing(bench):
    one = bench()
    one.take(
        change("1", "result-replace", "R1", "4", minute=1),
        change("2", "result-replace", "R1", "9", minute=2, nhs=BEA, local="M2"),
    )
    assert values(one) == [("4", None)] and values(one, BEA) == [("9", None)]


# --- whose it is ---


def parked(one: Bench) -> list[tuple[str, str | None]]:
    return [(entry.control_id, entry.reason) for entry in one.store.entries(["parked"])]


def test_an_unknown_person_is_parked_and_not_made(bench):
    one = bench()
    one.take(
        change("1", "result-replace", "R1", "4", minute=1, nhs="9990000042", local="M9"),
        change("2", "result-replace", "R2", "5", minute=2, nhs=None, local="M1"),
        change("3", "result-replace", "R3", "5", minute=2, nhs=None, local=None),
    )
    reasons = ["nhs-number-unknown", "person-unknown", "person-unknown"]
    assert parked(one) == list(zip("123", reasons, strict=True))
    assert [event.reason for event in one.events if event.code == Code.MESSAGE_PARKED] == reasons
    # The same hospital number with a traced NHS number: now the second is known too, the first is not.
    one.take(change("4", "visit-upsert", "V1", minute=3))
    assert values(one) == [("5", None)]
    assert [control for control, _ in parked(one)] == ["1", "3"]


def test_what_came_as_nobodys_is_its_systems_once_a_feed_names_its_sender(bench):
    """Released before that, it is parked again: under no system it would be processed and on no record."""
    other = {"senders": ({"application": "LAB", "facility": "ZZ1"},), "system": "hospital"}
    one = bench()
    one.take(change("1", "result-replace", "R1", "4", minute=1, sender="LAB|ZZ1"))
    assert parked(one) == [("1", "sender-unknown")]
    one.inbox.release(1, "too early")
    one.inbox.process()
    assert parked(one) == [("1", "sender-unknown")]
    one.inbox.close()
    mended = bench(feeds={"pas": feed(), "lab": feed(**other)})
    assert mended.inbox.release(1, "the sender is configured")
    assert mended.inbox.process().processed == 1
    assert [str(each.item.value.value) for each in mended.inbox.items(("hospital",), ADA, "results")] == ["4"]
    before = mended.store.projection_digest()
    mended.inbox.replay()
    assert mended.store.projection_digest() == before


def test_what_is_erased_while_it_is_processed_stays_erased(bench):
    def erasing(subject: Subject) -> Resolution:
        other = SqliteStore(one.store.path.parent)
        other.erase(ADA)
        return Resolution("found", ADA)

    one = bench(resolve=erasing)
    one.take(change("1", "result-replace", "R1", "4", minute=1))
    assert values(one) == [] and list(one.store.entries(["received", "processed", "parked"])) == []
    assert one.store.projection_digest() == bench("empty").store.projection_digest()


def test_what_somebody_settled_while_it_is_processed_stays_so(bench):
    """Two processes may process one store: the second one finds that the first was quicker."""

    def quicker(subject: Subject) -> Resolution:
        other = Inbox(SqliteStore(one.store.path.parent), {"pas": feed()}, mapper=small_mapper, resolve=nobody)
        other.process()
        assert other.discard(1, "of no use")
        other.close()
        return Resolution("found", ADA)

    def nobody(subject: Subject) -> Resolution:
        return Resolution("unknown")

    one = bench(resolve=quicker)
    one.take(change("1", "result-replace", "R1", "4", minute=1))
    assert values(one) == [] and [entry.state for entry in one.store.entries(["discarded"])] == ["discarded"]


def test_a_tracing_service_that_is_silent_is_waited_for(bench):
    answers = [Resolution("unavailable")]
    one = bench(resolve=lambda subject: answers[0])
    one.inbox.receive(change("1", "result-replace", "R1", "4", minute=1))
    assert one.inbox.process().waiting
    assert parked(one) == [] and one.inbox.feeds()[0].depth == 1
    answers[0] = Resolution("found", ADA)
    assert one.inbox.process().processed == 1


def test_a_superseded_number_is_filed_under_the_current_one(bench):
    one = bench(resolve=lambda subject: Resolution("found", BEA))
    one.take(change("1", "result-replace", "R1", "4", minute=1))
    assert values(one, BEA) == [("4", None)] and values(one, ADA) == []


def test_a_hospital_number_of_somebody_else_is_parked_until_a_person_says_so(bench):
    one = bench()
    one.take(
        change("1", "result-replace", "R1", "4", minute=1),
        change("2", "result-replace", "R2", "5", minute=2, nhs=BEA, local="M1"),
    )
    assert parked(one) == [("2", "hospital-number-of-another")]
    assert one.inbox.release(2, "the PAS corrected the number")
    one.inbox.process()
    assert values(one, BEA) == [("5", None)]
    # From now on nobody can tell by that number alone.
    one.take(change("3", "result-replace", "R3", "6", minute=3, nhs=None, local="M1"))
    assert parked(one) == [("3", "person-ambiguous")]


def test_what_the_mapping_cannot_handle_or_breaks_on_is_parked_without_a_value(bench):
    one = bench()
    one.take(message("1", "ZCH|park"), message("2", "ZCH|burst||SECRETVALUE"), message("3"))
    assert parked(one) == [("1", "trigger-not-handled"), ("2", "mapping-failed-ValueError")]
    assert [entry.control_id for entry in one.store.entries(["processed"])] == ["3"]
    assert one.inbox.discard(2, "of no use") and not one.inbox.discard(2, "again")
    assert [entry.control_id for entry in one.store.entries(["discarded"])] == ["2"]


# --- merges ---


def test_a_merge_is_a_link_and_undoing_it_takes_back_what_relied_on_it(bench):
    one = bench()
    one.take(
        change("1", "visit-upsert", "V1", minute=1),
        change("2", "result-replace", "R1", "4", minute=2, nhs=None, local="OLD"),
    )
    assert parked(one) == [("2", "person-unknown")]
    one.take(message("3", "ZCH|merge|L1|OLD^^^ZZ1^MR", kind="ADT^A40"))
    assert values(one) == [("4", None)]
    one.take(change("4", "result-replace", "R2", "5", minute=3, nhs=None, local="OLD"))
    assert len(values(one)) == 2
    (link,) = one.inbox.links()
    assert link.state == "in-force"
    assert one.store.undo_link(link.id) == 2
    assert values(one) == [] and sorted(parked(one)) == [("2", "merge-undone"), ("4", "merge-undone")]
    # It stays undone through a replay, and a repeat of the merge under a new number does not bring it back.
    one.inbox.replay()
    one.take(message("5", "ZCH|merge|L1|OLD^^^ZZ1^MR", kind="ADT^A40"))
    assert [row.state for row in one.inbox.links()] == ["undone"] and values(one) == []


def test_a_merge_across_two_nhs_numbers_is_parked(bench):
    one = bench()
    one.take(
        change("1", "visit-upsert", "V1", minute=1),
        change("2", "visit-upsert", "V2", minute=2, nhs=BEA, local="M2"),
        message("3", "ZCH|merge|L1|M2^^^ZZ1^MR", kind="ADT^A40"),
    )
    assert parked(one) == [("3", "merge-across-nhs-numbers")] and one.inbox.links() == []


def test_a_link_joins_nobody_and_taking_it_back_undoes_no_merge(bench):
    one = bench()
    one.take(
        change("1", "visit-upsert", "V1", minute=1),
        message("2", "ZCH|link|K1|OLD^^^ZZ1^MR", kind="ADT^A24"),
        change("3", "result-replace", "R1", "4", minute=3, nhs=None, local="OLD"),
        message("4", "ZCH|merge|L1|OLDER^^^ZZ1^MR", kind="ADT^A40"),
        message("5", "ZCH|unlink|K1|OLD^^^ZZ1^MR", kind="ADT^A37"),
    )
    assert parked(one) == [("3", "person-unknown")]
    assert {row.kind: row.state for row in one.inbox.links()} == {"link": "taken-back", "merge": "in-force"}


def test_a_visit_that_was_recorded_for_somebody_else_is_shown_for_whom_it_was(bench):
    one = bench()
    moved = message("4", f"ZCH|move|V2|{BEA}^^^NHS^NH~M2^^^ZZ1^MR", kind="ADT^A45")
    one.take(
        change("1", "visit-upsert", "V1", minute=1),
        change("2", "visit-upsert", "V2", "hers", minute=1, nhs=BEA, local="M2"),
        change("3", "result-replace", "R1", "4", minute=2, nhs=BEA, local="M2", encounter="V2"),
        moved,
    )
    visits = one.inbox.items(("pas",), ADA, SectionName.ENCOUNTERS)
    assert sorted(p.item.note for p in visits) == [(), ("hers",)] and values(one) == [("4", None)]
    assert values(one, BEA) == [] and one.inbox.items(("pas",), BEA, SectionName.ENCOUNTERS) == []
    # What is said of it later goes the same way; and undoing the move gives it back.
    one.take(change("5", "result-replace", "R2", "6", minute=5, nhs=BEA, local="M2", encounter="V2"))
    assert values(one) == [("4", None), ("6", None)]
    one.store.undo_link(one.inbox.links()[0].id)
    assert values(one) == [] and values(one, BEA) == [("4", None), ("6", None)]


# --- replay ---

KINDS = ("visit-upsert", "result-upsert", "result-replace", "result-retract", "person-upsert", "person-mention")
LINKS = (
    "merge|L1|OLD^^^ZZ1^MR",
    f"move|K1|{BEA}^^^NHS^NH~M2^^^ZZ1^MR",
    "link|L2|OLD^^^ZZ1^MR",
    "unlink|L2|OLD^^^ZZ1^MR",
)
PEOPLE = ((ADA, "M1"), (BEA, "M2"), (None, "M1"), (None, "OLD"), ("9990000042", "M9"), (ADA, "M2"))


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    out = []
    for number in range(draw(st.integers(1, 12))):
        nhs, local = draw(st.sampled_from(PEOPLE))
        control = str(draw(st.sampled_from([number, number, number, 0])))
        minute = draw(st.integers(0, 5))
        if draw(st.integers(0, 4)) == 0:
            kind = draw(st.sampled_from((*LINKS, "park")))
            out.append(message(control, f"ZCH|{kind}", at=f"2026010209{minute:02d}00", nhs=nhs, local=local))
            continue
        out.append(
            change(
                control,
                draw(st.sampled_from(KINDS)),
                draw(st.sampled_from(["K1", "K2"])),
                draw(st.sampled_from(["", "4", "5"])),
                minute=minute,
                nhs=nhs,
                local=local,
                aliases=draw(st.sampled_from(["", "P1", "P2"])),
                encounter=draw(st.sampled_from(["", "K1"])),
            )
        )
    return out


@pytest.mark.parametrize(
    ("early", "late"),
    [
        ("merge|L1|OLD^^^ZZ1^MR", "merge|L1|OLD^^^ZZ1^MR"),
        (f"move|K1|{BEA}^^^NHS^NH", f"move|K1|{BEA}^^^NHS^NH~M2^^^ZZ1^MR"),
        ("link|L2|OLD^^^ZZ1^MR", "link|L2|OLD^^^ZZ1^MR"),
        ("unlink|L2|OLD^^^ZZ1^MR", "link|L2|OLD^^^ZZ1^MR"),
        ("link|L2|OLD^^^ZZ1^MR", "unlink|L2|OLD^^^ZZ1^MR"),
    ],
)
def test_what_waited_for_its_person_says_nothing_over_what_arrived_after_it(bench, early: str, late: str):
    """The first is processed last, since its hospital number is only known by the second's message."""
    one = bench()
    one.take(message("0", f"ZCH|{early}", nhs=None))
    assert parked(one) == [("0", "person-unknown")]
    one.take(message("1", f"ZCH|{late}"))
    assert parked(one) == []
    before, states = one.store.projection_digest(), [(row.kind, row.state) for row in one.inbox.links()]
    one.inbox.replay()
    assert one.store.projection_digest() == before
    assert [(row.kind, row.state) for row in one.inbox.links()] == states
    assert states[-1][1] == ("taken-back" if late.startswith("unlink") else "in-force")


PROPERTY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_serial = itertools.count()


@PROPERTY
@given(stream=streams(), rounds=st.lists(st.integers(0, 11), max_size=4), sealed=st.booleans())
def test_a_replay_rebuilds_the_projections_exactly(bench, stream: list[bytes], rounds: list[int], sealed: bool):
    """However the stream was cut between processing, repeats and out-of-order messages included."""
    one = bench(f"replay-{next(_serial)}", protection=Encrypted(bytes(range(32))) if sealed else None)
    for number, each in enumerate(stream):
        one.inbox.receive(each)
        if number in rounds:
            one.inbox.process()
    one.inbox.process()
    # What a person released, and what only then became known, are part of it.
    for entry in list(one.store.entries(["parked"])):
        if entry.reason == "hospital-number-of-another":
            one.inbox.release(entry.seq, "seen")
    one.inbox.process()
    before, left = one.store.projection_digest(), parked(one)
    asked: list[Subject] = []
    one.inbox._resolve = lambda subject: asked.append(subject) or Resolution("unavailable")
    one.inbox.replay()
    assert one.store.projection_digest() == before and parked(one) == left
    assert asked == []


@PROPERTY
@given(stream=streams(), order=st.randoms(use_true_random=False), repeats=st.integers(0, 3))
def test_the_order_of_arrival_does_not_matter_where_times_tell(bench, stream: list[bytes], order: Any, repeats: int):
    """The same messages, each at its own minute, in any order and some again, leave the same."""
    kept = [
        each.replace(each.split(b"|")[6], f"2026010209{number:02d}00".encode()).replace(
            b"|ADT^A01|" + each.split(b"|")[9] + b"|", f"|ADT^A01|c{number}|".encode()
        )
        for number, each in enumerate(stream)
        if b"ZCH|merge" not in each and b"ZCH|move" not in each
    ]
    # One person, of whom the hospital number is known from the start: whose a message is depends on what was known.
    kept = [message("first", at="20260102080000"), *(e for e in kept if b"M1" in e and BEA.encode() not in e)]
    shuffled = kept[1:]
    order.shuffle(shuffled)
    left: list[list[tuple[Any, ...]]] = []
    for name, arriving in (("straight", kept), ("shuffled", [kept[0], *shuffled, *shuffled[:repeats]])):
        one = bench(f"{name}-{next(_serial)}")
        one.take(*arriving)
        shown: list[tuple[Any, ...]] = []
        for kind in (SectionName.RESULTS, SectionName.ENCOUNTERS, "patient"):
            for p in one.inbox.items(("pas",), ADA, kind):
                shown.append((type(p.item).__name__, p.withdrawn, p.item.model_copy(update={"source": None})))
        left.append(sorted(shown, key=repr))
    assert left[0] == left[1]


def test_a_replay_of_nothing_is_nothing(bench):
    one = bench()
    assert one.inbox.replay().processed == 0


def test_a_replay_that_breaks_off_goes_on_where_it_was(bench):
    one = bench()
    one.take(*(change(str(n), "result-replace", f"R{n}", str(n), minute=n) for n in range(1, 6)))
    before = one.store.projection_digest()
    one.store.begin_replay()
    one.inbox.process(limit=2)
    assert one.store.projection_digest() != before
    one.inbox.process()
    assert one.store.projection_digest() == before


def test_what_can_be_mapped_is_shown_while_the_rest_waits_for_a_person(bench):
    one = bench()
    one.take(message("1", "ZCH|result-replace|R1|4", "ZCH|park"))
    assert parked(one) == [("1", "trigger-not-handled")] and values(one) == [("4", None)]
    before = one.store.projection_digest()
    one.inbox.release(1, "tried again")
    one.inbox.process()
    assert parked(one) == [("1", "trigger-not-handled")] and one.store.projection_digest() == before
    one.inbox.replay()
    assert parked(one) == [("1", "trigger-not-handled")] and one.store.projection_digest() == before
    # Settled by a person, the part that was applied stays, through a replay too.
    assert one.inbox.discard(1, "the rest is of no use")
    one.inbox.replay()
    assert parked(one) == [] and values(one) == [("4", None)] and one.store.projection_digest() == before
