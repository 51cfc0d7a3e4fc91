"""What the judges of hl7v2-uk make of single messages and acknowledgements, hostile ones among them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpftconnect.conformance import Evidence, Outcome, Recorded, Status, Subject, decide, recorded_message
from mpftconnect_conformance.checks.hl7v2_uk import CHECKS
from mpftconnect_conformance.checks.hl7v2_uk.asking import facts_of

SUBJECT = Subject(product="P", version="1", entity="E", environment="test")
BY_NUMBER = {int(check.name.partition("#")[2]): check for check in CHECKS}
HEAD = "MSH|^~\\&|A|ZZ101|B|ZZ999|2025090109{m:02}00||{type}|{id}|T|2.4\r"
PID = "PID|1||9990000018^^^NHS^NH||Quillfeather^Tamsin||19560312|F||||||||||||||||||||||||01\r"


def sent(number: int, *messages: str | bytes) -> Outcome:
    raws = [m if isinstance(m, bytes) else m.encode() for m in messages]
    exchanges = [recorded_message(raw, facts_of(raw)) for raw in raws]
    return decide(BY_NUMBER[number], Evidence(exchanges, subject=SUBJECT))


def rules(outcome: Outcome) -> set[str]:
    assert outcome.status is Status.FAIL, outcome
    return {finding.rule for finding in outcome.findings}


def adt(event: str, minute: int, rest: str = "PV1|1|N\r") -> str:
    head = HEAD.format(m=minute, type=f"ADT^{event}", id=f"M{minute}")
    return f"{head}EVN|{event}|20250901\r{PID}{rest}"


def oru(minute: int, *obx: str) -> str:
    head = HEAD.format(m=minute, type="ORU^R01^ORU_R01", id=f"R{minute}")
    return f"{head}{PID}OBR|1||F1|1^X^L|||20250901\r" + "".join(f"OBX|{o}\r" for o in obx)


def test_order_is_of_one_person() -> None:
    assert rules(sent(4, adt("A31", 5), adt("A31", 4))) == {"out-of-order"}
    other = adt("A31", 4).replace("9990000018", "9990000026")
    assert sent(4, adt("A31", 5), other).status is Status.PASS
    assert rules(sent(4, adt("A40", 1, "MRG|9990000018^^^NHS^NH\r"))) == {"merge-incomplete"}
    assert rules(sent(4, adt("A11", 1))) == {"undoes-nothing"}


def test_a_preliminary_result_may_change_and_a_final_one_is_corrected() -> None:
    first, other = "1|NM|1^X^L||5|u|||||{s}", "1|NM|1^X^L||6|u|||||{s}"
    assert sent(5, oru(1, first.format(s="P")), oru(2, other.format(s="F"))).status is Status.PASS
    assert sent(5, oru(1, first.format(s="F")), oru(2, first.format(s="F"))).status is Status.PASS
    assert sent(5, oru(1, first.format(s="F")), oru(2, other.format(s="C"))).status is Status.PASS
    assert rules(sent(5, oru(1, first.format(s="F")), oru(2, other.format(s="F")))) == {"correction-unsaid"}
    assert rules(sent(5, oru(1, "1|NM|1^X^L||5|u|||||"))) == {"result-status"}


def test_units_and_ranges() -> None:
    assert rules(sent(6, oru(1, "1|NM|1^X^L||5||||||F"))) == {"unit-missing"}
    assert rules(sent(6, oru(1, "1|NM|1^X^L||5|u||H|||F"))) == {"range-missing"}
    assert sent(6, oru(1, "1|NM|1^X^L||5|u|1-4|H|||F")).status is Status.PASS
    assert sent(6, oru(1, "1|ST|1^X^L||positive|||||||F")).status is Status.INCONCLUSIVE


PDF = base64.b64encode(b"%PDF-1.4").decode()


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (f"^AP^PDF^Base64^{PDF}", Status.PASS),
        ("^AP^PDF^Hex^255044462d", Status.PASS),
        ("^TEXT^HTML^A^hello", Status.PASS),
        ("^AP^PDF^Base64^", Status.FAIL),
        ("^AP^PDF^Base64^!!", Status.FAIL),
        ("^AP^PDF^Base64^aGVsbG8=", Status.FAIL),
        (f"^AP^PDF^Base32^{PDF}", Status.FAIL),
        ("", Status.INCONCLUSIVE),
    ],
)
def test_attachments_are_what_they_say(value: str, status: Status) -> None:
    assert sent(15, oru(1, f"1|ED|1^X^L||{value}||||||F")).status is status


def test_characters() -> None:
    told = adt("A28", 1).replace("Tamsin", "Siân")
    assert rules(sent(11, told)) == {"charset-undeclared"}
    assert rules(sent(11, told.replace("|T|2.4", "|T|2.4||||||UNICODE UTF-8").encode("latin-1"))) >= {"charset-false"}
    assert sent(11, told.replace("|T|2.4", "|T|2.4||||||UNICODE UTF-8")).status is Status.PASS
    assert sent(11, adt("A28", 1)).status is Status.INCONCLUSIVE


def test_no_finding_repeats_a_value() -> None:
    bad = adt("A28", 1).replace("9990000018", "9990000017").replace("ZZ101", "zz secret")
    for number in BY_NUMBER:
        text = repr(sent(number, bad))
        assert "9990000017" not in text
        assert "secret" not in text


hostile = st.binary(max_size=200).map(lambda tail: b"MSH|^~\\&|" + tail)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(hostile, st.binary(max_size=60)), min_size=1, max_size=3), st.sampled_from(sorted(BY_NUMBER)))
def test_whatever_is_sent_is_judged_and_is_no_error(messages: list[bytes], number: int) -> None:
    assert sent(number, *messages).status is not Status.ERROR


STEPS = (
    *("send a good message", "send a long message", "send a broken header", "send the same twice", "send an update"),
    *("send an unknown version", "control after an unknown version", "send in pieces", "send with a Z-segment"),
    *("send an attachment", "control after an attachment", "send in UTF-8", "line", "message received"),
)
FACTS = st.dictionaries(
    st.sampled_from(["ended", "sent", "codes", "attachments", "stray"]), st.one_of(st.none(), st.text())
)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.none(), st.binary(max_size=80), hostile), FACTS, st.sampled_from(sorted(BY_NUMBER)))
def test_whatever_is_answered_is_judged_and_is_no_error(said: bytes | None, facts: dict[str, Any], number: int) -> None:
    given_as: dict[str, Any] = {"request_body": said, "response_body": said, "facts": facts}
    exchanges = [Recorded(id=s, step=s, method="MLLP", url="m", protocol="mllp", **given_as) for s in STEPS]
    assert decide(BY_NUMBER[number], Evidence(exchanges, subject=SUBJECT)).status is not Status.ERROR
