r"""Making messages: what is written reads back, and what cannot be written changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.errors import NotWritable
from mpftconnect.hl7v2 import NULL, AckError, Delimiters, ack, build, parse
from mpftconnect.hl7v2.escapes import escape, unescape

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(lambda text: text != '""')


@given(TEXT)
def test_a_value_that_is_set_is_the_value_that_is_read(text: str) -> None:
    message = build("ADT^A08", values={"PID-5[2].3.2": text})
    again = parse(bytes(message))
    assert again["PID-5[2].3.2"] == message["PID-5[2].3.2"] == text
    assert again["PID-5"] is None
    assert len(again) == 2


@given(st.text(alphabet='|^~\\&#FSTREX0D.br\r\n"a', max_size=40))
def test_unescape_undoes_escape(text: str) -> None:
    marks = Delimiters("|", "^", "~", "\\", "&", "#")
    assert unescape(escape(text, marks), marks) == text


def test_setting_leaves_every_other_byte_alone() -> None:
    raw = b"MSH|^~\\&|A|\xe9||||||||2.4||||||8859/1\rPID|1||a^^^B&C~d\\X41\\||\\Q\\x^y|\rZZZ||\r"
    message = parse(raw)
    assert bytes(message.set("PID-3[2].4", "N")) == raw.replace(b"d\\X41\\", b"d\\X41\\^^^N")
    assert bytes(message.set("PID-3[2].4", None).set("PID-5.2", NULL)) == raw.replace(
        b"d\\X41\\", b"d\\X41\\^^^"
    ).replace(b"^y", b'^""')
    assert message["PID-5.2"] is NULL


@pytest.mark.parametrize("place", ["MSH-1", "MSH-2", "PID", "OBX[2]-5"])
def test_places_that_cannot_be_set(place: str) -> None:
    message = build("ADT^A08", control_id="M")
    before = bytes(message)
    with pytest.raises(NotWritable):
        message.set(place, "x")
    assert bytes(message) == before


def test_what_the_character_set_does_not_have_is_refused_and_never_told() -> None:
    message = build("ADT^A08", charset="8859/1", values={"PID-5.1": "Zoë"})
    assert b"Zo\xeb" in bytes(message)
    with pytest.raises(NotWritable) as caught:
        message.set("PID-5.2", "Łucja")
    assert "ucja" not in str(caught.value)
    assert "PID-5.2" in str(caught.value)
    assert message["PID-5.2"] is None


def test_a_message_without_escape_character_takes_no_delimiter() -> None:
    message = parse("MSH|^~|A\rPID|1\r")
    message.set("PID-5.1", "plain")
    with pytest.raises(NotWritable):
        message.set("PID-5.2", "a^b")
    with pytest.raises(NotWritable):
        message.set("PID-5.2.2", "no delimiter for it")


def test_segments_are_added_where_they_are_put() -> None:
    message = parse(b"MSH|^~\\&|A\r\nOBX|1\r\nOBX|2")
    message.add("PID|1", at=1)
    message.add("NTE|1")
    assert bytes(message) == b"MSH|^~\\&|A\r\nPID|1\r\nOBX|1\r\nOBX|2\r\nNTE|1\r\n"
    assert [segment.place for segment in message] == ["MSH", "PID", "OBX", "OBX[2]", "NTE"]
    for wrong in ("pid|1", "PIDX|1", "", "OBX|1\rPID|2"):
        with pytest.raises(NotWritable):
            message.add(wrong)


def test_times_keep_their_zone() -> None:
    at = datetime(2026, 7, 1, 9, 30, tzinfo=timezone(timedelta(hours=1)))
    assert build("ADT^A08", at=at)["MSH-7"] == "20260701093000+0100"


RECEIVED = "MSH#*+!$#LAB#ZZ1#EHR#ZZ2###ORU*R01*ORU_R01#M!S!1#T#{version}######8859/1\rPID#1\r"


@pytest.mark.parametrize("version", ["2.1", "2.3.1", "2.4", "2.5.1", "2.8"])
def test_an_acknowledgement_answers_in_the_senders_terms(version: str) -> None:
    came = parse(RECEIVED.format(version=version))
    answer = parse(bytes(ack(came, "AE", errors=[AckError(location="OBX[2]-5[1].2", code="102", text="ours")])))
    assert answer.delimiters == came.delimiters
    assert [answer[f"MSH-{field}"] for field in (3, 4, 5, 6, 11, 12, 18)] == [
        "EHR", "ZZ2", "LAB", "ZZ1", "T", version, "8859/1",
    ]  # fmt: skip
    assert (answer["MSA-1"], answer["MSA-2"], answer.er7("MSA-2")) == ("AE", "M*1", "M!S!1")
    assert answer.type == ("ACK^R01" if version == "2.1" else "ACK^R01^ACK")
    if version >= "2.5":
        assert answer.er7("ERR-2") == "OBX*2*5*1*2"
        assert (answer["ERR-3"], answer["ERR-4"], answer["ERR-8"]) == ("102", "E", "ours")
    else:
        assert answer.er7("ERR-1") == "OBX*2*5*102$Data type error$HL70357"


def test_an_acknowledgement_of_a_broken_header_can_still_be_made() -> None:
    for raw in (b"MSH|^~\\&", b"MSH|", b"MSH||\r", b"MSH|^~\\&|\xff|\xff||||||\xfe\r", b"MSH||||||||||M7|P|2.9"):
        answer = parse(bytes(ack(parse(raw), "AR", text="cannot be read")))
        assert answer["MSA-1"] == "AR"
    for marks in ("^~", "^^\\&", "AB\\&", "é~\\&"):
        answer = parse(bytes(ack(parse(f"MSH|{marks}|a|b|c|d|||ADT|M|P|2.5\r"), "AE")))
        assert answer.delimiters == Delimiters()
        assert (answer["MSA-1"], answer["ERR-3.2"]) == ("AE", "Application internal error")
    with pytest.raises(NotWritable):
        ack(parse("MSH|^~\\&|"), "OK")  # type: ignore[arg-type]


def test_a_control_id_that_nobody_could_decode_comes_back_as_it_came() -> None:
    answer = bytes(ack(parse(b"MSH|^~\\&|A|B|C|D|||ADT^A01|id\xe9|P|2.4\r"), "AA"))
    assert b"MSA|AA|id\xe9\r" in answer
    for sent in (b"M\\Q\\1", b"A^B", b"a~b", b"x\\X0D\\y"):
        assert b"MSA|AA|" + sent + b"\r" in bytes(
            ack(parse(b"MSH|^~\\&|A|B|C|D|||ADT^A01|" + sent + b"|P|2.4\r"), "AA")
        )
