"""Nothing lost: every populated leaf of a message has one entry in its ledger, and no message is an exception."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpftconnect.errors import MessageUnreadable
from mpftconnect.hl7v2 import Ledger, Mapped, Message, Total, map_message, parse

Published = list[tuple[dict[str, Any], bytes]]


def populated(message: Message) -> Counter[str]:
    """The populated leaves of a message, counted by splitting its text and nothing else."""
    marks = message.delimiters
    found: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for name, line in zip(message.names, message.lines, strict=True):
        seen[name] += 1
        fields = line.split(marks.field)[1:]
        if name in ("MSH", "BHS", "FHS"):
            found[name] += 1 + bool(fields and fields[0])
            fields = fields[1:]
        for field in fields:
            for repetition in field.split(marks.repetition) if marks.repetition else [field]:
                for component in repetition.split(marks.component) if marks.component else [repetition]:
                    parts = component.split(marks.subcomponent) if marks.subcomponent else [component]
                    found[name] += sum(1 for part in parts if part)
    return +found


def by_segment(ledger: Ledger) -> Counter[str]:
    return Counter(entry.segment for entry in ledger)


def assert_accounted(message: Message, mapped: Mapped) -> None:
    ledger = mapped.ledger
    assert by_segment(ledger) == populated(message)
    assert len({entry.location for entry in ledger}) == len(ledger), "a leaf has two entries"
    assert "not-accounted-for" not in {entry.why for entry in ledger}
    assert mapped.changes or mapped.parked, "neither changes nor parked: acknowledged and dropped"


def test_every_published_message_is_mapped_or_parked_and_every_leaf_is_accounted_for(published: Published) -> None:
    total = Total()
    for _, raw in published:
        message = parse(raw)
        mapped = map_message(message)
        assert_accounted(message, mapped)
        total.add(mapped.ledger)
    assert total.messages > 600
    assert total.leaves == sum(total.counts.values()) > 100_000


def test_what_is_mapped_of_the_published_messages_is_written_back(published: Published) -> None:
    total, whole = Total(), Total()
    for _, raw in published:
        mapped = map_message(parse(raw))
        whole.add(mapped.ledger)
        if not mapped.parked:
            total.add(mapped.ledger)
    assert whole.round_trip is not None and total.round_trip is not None
    assert total.round_trip > 0.999
    assert whole.round_trip < total.round_trip, "parked leaves must not count as written back"


def test_the_figure_falls_when_an_item_loses_a_value(published: Published) -> None:
    """The figure is computed from the items: spoil one and it must show."""
    raw = next(raw for row, raw in published if row["type"].startswith("ADT^A01"))
    mapped = map_message(parse(raw))
    lost = len(mapped.ledger.lost)
    spoilt = map_message(parse(raw))
    for draft in spoilt._trace[1]:
        if type(draft.result).__name__ == "Patient":
            draft.result = draft.result.model_copy(update={"names": (), "extra": ()})
    assert len(spoilt.ledger.lost) > lost


TEXT = st.text(alphabet='ABCab019 .^~\\&|"é\ud800\x00', max_size=8)
NUMBERS = st.sampled_from(
    [
        "",
        '""',
        "20260301",
        "202603011015",
        "20260301101500+0100",
        "2026033",
        "19500000",
        "Y",
        "N",
        "M",
        "F",
        "U",
        "D",
        "W",
        "X",
        "9990000018^^^NHS^NH",
        "77^^^RRE",
        "DOE^Jane^^^Ms^^L",
        "LN",
        "NM",
        "ST",
        "TX",
        "SN",
        "ED",
        "7.50",
        "^<^5",
        "1^-^2",
        "GLU^Glucose^LN",
        "NW",
        "CA",
        "I",
        "E",
        "H~L",
        "A&B^C&D~E",
        "01",
        "^NET^Internet^a@b.example",
    ]
)
FIELD = st.one_of(NUMBERS, TEXT.map(lambda text: text.replace("|", "").replace("\r", "")))
NAMES = st.sampled_from(
    [
        "PID",
        "PD1",
        "NK1",
        "PV1",
        "PV2",
        "AL1",
        "IAM",
        "DG1",
        "PR1",
        "ORC",
        "OBR",
        "OBX",
        "NTE",
        "SPM",
        "TXA",
        "SCH",
        "AIS",
        "AIL",
        "AIP",
        "RF1",
        "PRD",
        "RXA",
        "RXR",
        "RXO",
        "MRG",
        "TQ1",
        "ZU1",
    ]
)
SEGMENT = st.builds(lambda name, fields: f"{name}|{'|'.join(fields)}", NAMES, st.lists(FIELD, min_size=1, max_size=30))
TYPES = st.sampled_from(
    [f"ADT^A{number:02}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 24, 28, 31, 34, 37, 40, 43, 44, 45, 47, 99)]
    + ["ORU^R01", "MDM^T02", "MDM^T04", "MDM^T08", "MDM^T10", "MDM^T11", "SIU^S12", "SIU^S15", "SIU^S26", "REF^I12"]
    + ["REF^I14", "ORM^O01", "OML^O21", "VXU^V04", "ZZZ", ""]
)
PERSON = st.sampled_from(["PID|1||77^^^RRE||DOE^Jane", "PID|1||9990000018^^^NHS^NH~77||DOE", "PID|1"])


@settings(max_examples=400, deadline=None)
@given(TYPES, PERSON, st.lists(SEGMENT, max_size=8))
def test_every_leaf_of_a_made_message_is_accounted_for(kind: str, person: str, segments: list[str]) -> None:
    raw = "\r".join((f"MSH|^~\\&|PAS|RRE|||20260301||{kind}|C1|P|2.5.1", person, *segments)).encode(
        "utf-8", "surrogatepass"
    )
    try:
        message = parse(raw)
    except MessageUnreadable:
        return
    assert_accounted(message, map_message(message))


@settings(max_examples=150, deadline=None)
@given(TYPES, st.lists(SEGMENT, max_size=8))
def test_a_whole_message_of_one_person_is_written_back(kind: str, segments: list[str]) -> None:
    person = "PID|1||77^^^RRE||DOE^Jane"
    raw = "\r".join((f"MSH|^~\\&|PAS|RRE|||20260301||{kind}|C1|P|2.5.1", person, *segments))
    try:
        message = parse(raw.encode("utf-8", "replace"))
    except MessageUnreadable:
        return
    mapped = map_message(message)
    lost = [entry for entry in mapped.ledger.lost if entry.outcome not in ("parked", "dropped")]
    assert [entry for entry in lost if "data_base64" not in entry.target and ".period." not in entry.target] == []


@pytest.mark.parametrize("marks", ["|^~\\&", "#*+!$", "|^", "|"])
def test_a_message_of_other_delimiters_is_mapped_the_same(marks: str) -> None:
    field, rest = marks[0], marks[1:]
    component = rest[0] if rest else "^"
    parts = ["MSH" + field + rest, "PAS", "RRE", "", "", "20260301", "", f"ADT{component}A28", "C1", "P", "2.4"]
    person = ["PID", "1", "", f"77{component}{component}{component}RRE", "", f"DOE{component}Jane"]
    message = parse(f"{field.join(parts)}\r{field.join(person)}\r")
    mapped = map_message(message)
    assert_accounted(message, mapped)
    if rest:
        assert mapped.items[0].words() == "DOE, Jane"
