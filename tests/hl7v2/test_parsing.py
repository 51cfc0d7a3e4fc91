r"""Reading: what stands where, and the bytes as they came."""

from __future__ import annotations

import pytest

from mpftconnect.errors import MessageUnreadable, NotAnHl7Path
from mpftconnect.hl7v2 import NULL, Limits, parse

HEADER = "MSH|^~\\&|LAB|ZZ1|EHR|ZZ2|20260102030405+0000||ORU^R01^ORU_R01|M1|P|2.4"
ORU = "\r".join(
    (
        HEADER,
        'PID|1||9990000018^^^NHS^NH~77^^^ZZ1^MR||Mock\\T\\Sons^A&B&C^""||""|F',
        "OBR|1|P1|F1|T^Test",
        "OBX|1|NM|A||1.50",
        "OBX|2|ST|B||two",
        "ZZ9|own|fields",
        "",
    )
)


def test_values_are_found_at_their_paths() -> None:
    message = parse(ORU)
    assert message.control_id == "M1"
    assert message.type == "ORU^R01^ORU_R01"
    assert message.version == "2.4"
    assert message["PID-3[1].1"] == message["PID-3"] == "9990000018"
    assert message["PID-3[2].4"] == "ZZ1"
    assert message["PID-5.2.3"] == "C"
    assert message["OBX[2]-5"] == "two"
    assert message["ZZ9-2"] == "fields"
    assert message["MSH-1"] == "|"
    assert message["MSH-2"] == "^~\\&"
    assert [segment.place for segment in message.segments("OBX")] == ["OBX", "OBX[2]"]
    assert message.segments("OBX")[0][5] == message.segments("OBX")[0]["5[1].1"] == "1.50"


def test_null_is_neither_absent_nor_text() -> None:
    message = parse(ORU)
    assert message["PID-7"] is NULL
    assert message["PID-5.3"] is NULL
    assert message["PID-6"] is None
    assert message["PID-99"] is None
    assert message["PV1-2"] is None
    assert message["PID-3[3]"] is None


def test_a_repetition_gives_its_parts() -> None:
    first, second = parse(ORU).segments("PID")[0].repetitions(3)
    assert (first[1], first[5], second.value, second[4, 1], second[4, 2]) == ("9990000018", "NH", "77", "ZZ1", None)
    assert parse(ORU).segments("PID")[0].repetitions(4) == []


def test_escapes_are_decoded_on_demand_and_kept_as_sent() -> None:
    message = parse(ORU)
    assert message["PID-5"] == "Mock&Sons"
    assert message.er7("PID-5.1") == "Mock\\T\\Sons"
    assert message.er7("PID-3") == "9990000018^^^NHS^NH~77^^^ZZ1^MR"


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("closed", [True, False])
def test_any_end_of_line_is_read_and_comes_back(end: str, closed: bool) -> None:
    raw = ORU.replace("\r", end).encode("ascii")
    if not closed:
        raw = raw[: -len(end)]
    message = parse(raw)
    assert [segment.name for segment in message] == ["MSH", "PID", "OBR", "OBX", "OBX", "ZZ9"]
    assert bytes(message) == raw
    changed = raw.replace(b"two", b"three")
    assert bytes(message.set("OBX[2]-5", "three")) == changed


def test_a_line_feed_inside_a_text_does_not_cut_it() -> None:
    raw = (HEADER + "\rNTE|1||first\nsecond\nOBX|1|ST|A||x\r").encode("ascii")
    message = parse(raw)
    assert message["NTE-3"] == "first\nsecond"
    assert message["OBX-5"] == "x"
    assert bytes(message) == raw


def test_delimiters_are_those_of_the_message() -> None:
    message = parse("MSH#*+!$#LAB#ZZ1#####ORU*R01#M1#P#2.4\rPID###1*2$3+4##a!F!b!S!c!T!d!R!e!E!f\r")
    assert message.type == "ORU^R01"
    assert message["PID-3.2.2"] == "3"
    assert message["PID-3[2]"] == "4"
    assert message["PID-5"] == "a#b*c$d+e!f"


def test_a_delimiter_that_is_left_out_divides_nothing() -> None:
    message = parse("MSH|^~|LAB\rPID|||a\\F\\b&c~d\r")
    assert message["PID-3"] == "a\\F\\b&c"
    assert message["PID-3[2]"] == "d"


def test_the_truncation_character_of_2_7() -> None:
    message = parse("MSH|^~\\&#|LAB|||||||M|P|2.7\rPID|||a\\P\\b\r")
    assert message.delimiters.truncation == "#"
    assert message["PID-3"] == "a#b"


def test_what_stands_around_a_message_comes_back() -> None:
    body = ORU.encode("ascii")
    for before in (b"", b"\xef\xbb\xbf", b"\x0b", b"\r\n \n"):
        for after in (b"", b"\x1c\r", b"\r\n\r\n", b"\n"):
            message = parse(before + body + after)
            assert len(message) == 6
            assert bytes(message) == before + body + after
            assert bytes(message.set("PID-8", "M")) == (before + body + after).replace(b'|""|F', b'|""|M')


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "no-header"),
        (b"\r\n", "no-header"),
        (b"PID|1", "no-header"),
        (b"MSH", "header-cut-short"),
        (b"MSHA^~\\&A", "field-separator"),
        (b"MSH\r^", "header-cut-short"),
        (b"BHS|^~\\&|A\rMSH|^~\\&|A", "a-batch"),
        (b"\xff\xfeM\0S\0H\0|\0x", "undecodable"),
    ],
)
def test_what_is_no_message_is_told_with_its_place(raw: bytes, code: str) -> None:
    with pytest.raises(MessageUnreadable) as caught:
        parse(raw)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(size=100), "too-large"),
        (Limits(segments=2), "too-many-segments"),
        (Limits(fields=20), "too-many-fields"),
        (Limits(parts=5), "too-many-parts"),
    ],
)
def test_limits_are_judged_before_anything_is_divided(limits: Limits, code: str) -> None:
    for raw in (ORU, ORU.encode("ascii"), ORU.encode("utf-16")):
        with pytest.raises(MessageUnreadable) as caught:
            parse(raw, limits=limits)
        assert caught.value.code == code


@pytest.mark.parametrize(
    "path", ["", "pid-3", "PID.3", "PID-0", "PID-3[0]", "PID-3.1.1.1", "PID-1234", "PID-3[1", "PIDX-3"]
)
def test_a_path_is_written_in_one_way(path: str) -> None:
    with pytest.raises(NotAnHl7Path):
        parse(ORU)[path]


def test_nothing_of_a_patient_shows_by_mention() -> None:
    message = parse(ORU)
    segment = message.segments("PID")[0]
    shown = repr(message) + str(message) + repr(segment) + repr(segment.repetitions(3)) + f"{message}"
    assert "999" not in shown
    assert "Mock" not in shown
