"""HL7 v2 bodies are redacted by stand-ins: no seeded value remains, the structure and the codes do (rule 15)."""

from __future__ import annotations

import pytest

from mpftconnect.conformance import Recorded
from mpftconnect.conformance.er7_redaction import Er7Redactor
from mpftconnect.conformance.guard import RealPersonSeen, refuse_real_people
from mpftconnect.conformance.redaction import Redactor
from mpftconnect.errors import AnswerRejected
from mpftconnect.hl7v2 import check, parse

SEEDED = (
    *("9990000018", "LOC4471", "Quillfeather", "Tamsin", "Marchbanks", "19560312", "14 Heron Lane", "ZZ99 7TK"),
    *("01632 960018", "Bartholomew", "KINSWOMAN", "Nightingale", "C900417", "VISIT-8812", "dreadful secret", "ZVALUE9"),
    *("SGVsbG8gcGRm", "OLDNUM77", "lives alone"),
)
BODY = "\r".join(
    (
        "MSH|^~\\&|SEND|ZZ101|RECV|ZZ201|20250901090000||ORU^R01^ORU_R01|C1|T|2.4|||||GBR|UNICODE UTF-8",
        "PID|1||9990000018^^^NHS^NH~LOC4471^^^ZZ101^PI||Quillfeather^Tamsin^^^Ms^^L|Marchbanks|19560312|F|||"
        "14 Heron Lane^^Mossbridge^^ZZ99 7TK^^H||01632 960018^PRN^PH|||||||||||||||||||01",
        "MRG|OLDNUM77^^^ZZ101^PI",
        "NK1|1|KINSWOMAN^Bartholomew|SPO",
        "PV1|1|I|W1^B2^C3^ZZ101||||C900417^Nightingale^Fl||||||||||||VISIT-8812^^^ZZ101",
        "OBR|1||F1|8480-6^Systolic^LN|||20250901||||||||||||||||||F",
        "OBX|1|NM|8480-6^Systolic^LN||132|mm[Hg]^^UCUM|90-140|N|||F",
        "OBX|2|TX|X^Y^L||a dreadful secret||||||F",
        "OBX|3|ED|PDF^Letter^L||SEND^AP^PDF^Base64^SGVsbG8gcGRm||||||F",
        "NTE|1||lives alone",
        "ZPD|ZVALUE9|Tamsin",
        "",
    )
).encode()


def redacted(body: bytes = BODY) -> bytes:
    redactor = Redactor(key=b"k")
    each = Recorded(id="x", step="s", method="MLLP", url="mllp://h:1", protocol="mllp", response_body=body)
    redactor.learn([each])
    made = redactor.redact(each)
    assert not redactor.remains(made)
    assert made.response_body is not None, made.facts
    return made.response_body


@pytest.mark.parametrize("value", SEEDED)
def test_no_seeded_value_remains(value: str) -> None:
    assert value.encode() in BODY
    assert value.lower().encode() not in redacted().lower()


def test_structure_codes_and_validity_stay() -> None:
    before, after = parse(BODY), parse(redacted())
    assert after.names == before.names
    for place in ("MSH-9", "MSH-10", "MSH-18", "PID-3[1].4", "PID-3[1].5", "PID-5.7", "PID-8", "PID-32", "NK1-3"):
        assert after[place] == before[place]
    for place in ("OBX[1]-5", "OBX[1]-6.1", "OBX[1]-7", "OBX[3]-5.3", "PV1-3.4"):
        assert after[place] == before[place]
    assert [(f.code, f.location) for f in check(after)] == [(f.code, f.location) for f in check(before)]


def test_the_same_value_has_the_same_stand_in_in_json() -> None:
    redactor = Redactor(key=b"k")
    mllp = Recorded(id="x", step="s", method="MLLP", url="m", protocol="mllp", request_body=BODY)
    http = Recorded(
        id="y",
        step="s",
        method="GET",
        url="u",
        status=200,
        response_body=b'{"resourceType":"Patient","birthDate":"1956-03-12","name":[{"family":"Quillfeather"}]}',
    )
    redactor.learn([mllp, http])
    message = parse(redactor.redact(mllp).request_body or b"")
    patient = redactor.redact(http).json()
    assert message["PID-5.1"] == patient["name"][0]["family"]
    assert message["PID-7"] == patient["birthDate"].replace("-", "")


@pytest.mark.parametrize("body", [b"no message", b"", b"MSH", b"\x0b\x1c\r", b"MSH|^~\\&|A\rrubbish before\x00" * 2])
def test_what_is_no_message_is_dropped_or_read_and_never_an_error(body: bytes) -> None:
    redactor = Redactor(key=b"k")
    each = Recorded(id="x", step="s", method="MLLP", url="m", protocol="mllp", response_body=body)
    redactor.learn([each])
    redactor.redact(each)


def test_a_body_that_is_no_message_is_refused() -> None:
    with pytest.raises(AnswerRejected):
        Er7Redactor().redact(b"Quillfeather", Redactor(key=b"k"))


@pytest.mark.parametrize("cx", ["9434765919^^^NHS^NH", "9434765919^^^ZZ^NH", "943 476 5919^^^NHS^NH"])
def test_a_real_persons_number_in_a_message_stops_the_run(cx: str) -> None:
    body = BODY.replace(b"9990000018^^^NHS^NH", cx.encode())
    with pytest.raises(RealPersonSeen):
        refuse_real_people(Recorded(id="x", step="s", method="M", url="m", protocol="mllp", request_body=body))
    refuse_real_people(Recorded(id="x", step="s", method="M", url="m", protocol="mllp", request_body=BODY))
