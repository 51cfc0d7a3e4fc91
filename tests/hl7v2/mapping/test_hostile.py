"""Messages that are large in one way: mapped and accounted for in time that grows with their size alone.

Nothing is timed here. Work that grew with the square of these sizes would take minutes.
"""

from __future__ import annotations

import json

import pytest

from mpftconnect.fhir import dump_json
from mpftconnect.hl7v2 import map_message, parse
from mpftconnect.hl7v2.bundle import to_bundle
from mpftconnect.hl7v2.change_text import change_json

N = 20_000
PERSON = "PID|1||77^^^RRE||DOE^Jane"
SHAPES = {
    "nulls": ("ADT^A08", "PID|1||77^^^RRE||DOE|" + "~".join(['""'] * N)),
    "null components": ("ADT^A08", "PID|1||77^^^RRE||DOE|" + "^".join(['""'] * N)),
    "identifiers": ("ADT^A40", "PID|1||" + "~".join(f"{n}^^^RRE" for n in range(N)), "MRG|88^^^RRE"),
    "merges": ("ADT^A40", PERSON, *(f"MRG|{n}^^^RRE" for n in range(1000, 4000))),
    "lines of text": ("ORU^R01", PERSON, "OBR|1||F1|A", *["OBX|1|TX|A^A^L||line of text||||||F"] * (N // 4)),
    "lines of a letter": ("MDM^T02", PERSON, "TXA|1|CL|||||||||||D1", *["OBX|1|TX|A^A^L||line of text"] * (N // 4)),
    "repetitions": ("ORU^R01", PERSON, "OBR|1||F1|A", "OBX|1|XX|A^A^L||" + "~".join(["a^b"] * N)),
    "components": ("ORU^R01", PERSON, "OBR|1||F1|A", "OBX|1|XX|A^A^L||" + "^".join(["a"] * N)),
    "orders": ("OML^O21", PERSON, *["OBR|1|P1|F1|A"] * (N // 10)),
    "diagnoses without a code": ("ADT^A01", PERSON, *["DG1|1||||2025"] * (N // 4)),
    "people who are parked": ("ADT^A28", *["PID|1||||DOE"] * (N // 4)),
    "unknown segments": ("ADT^A28", PERSON, *["ZZZ|a^b&c~d|e"] * (N // 4)),
    "software": ("ADT^A28", *["SFT|a|b"] * (N // 4), PERSON),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_large_message_is_mapped(shape: str) -> None:
    kind, *segments = SHAPES[shape]
    raw = "\r".join((f"MSH|^~\\&|PAS|RRE|||20260301||{kind}|C1|P|2.5.1", *segments))
    mapped = map_message(parse(raw))
    assert mapped.changes or mapped.parked
    assert "not-accounted-for" not in {entry.why for entry in mapped.ledger}
    assert [entry for entry in mapped.ledger.lost if entry.outcome != "parked"] == []


KINDS = ("ADT^A01", "ADT^A40", "ADT^A44", "ORU^R01", "MDM^T02", "SIU^S12", "REF^I12", "ORM^O01", "VXU^V04")
NAMES = ("PD1", "PV1", "NK1", "AL1", "IAM", "DG1", "MRG", "ORC", "OBR", "OBX", "SPM", "TXA", "SCH", "RF1", "RXA", "RXR")


@pytest.mark.parametrize(
    "piece", [b"\xff", b"\x00", b"a\xffb^c\xffd^e\xfff&g", b"\x1b[8m", b" ", b'""', b"1\xff~2^^\xff"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_bytes_that_are_no_text_anywhere(kind: str, piece: bytes) -> None:
    header = b"MSH|^~\\&|" + piece + b"|" + piece + b"|||20260301||" + kind.encode() + b"|" + piece + b"|P|2.4"
    rows = [name.encode() + b"|" + b"|".join([piece] * 30) for name in NAMES]
    rows.append(b"OBX|1|NM|" + piece + b"||7|g^" + piece + b"^" + piece + b"|||||F")
    for person in (b"PID|1||77||DOE", b"PID|" + b"|".join([piece] * 35)):
        mapped = map_message(parse(b"\r".join((header, person, *rows))))
        assert mapped.changes or mapped.parked
        assert "not-accounted-for" not in {entry.why for entry in mapped.ledger}
        json.loads(dump_json(to_bundle([mapped])))
        json.dumps([change_json(change) for change in mapped.changes]).encode("ascii")
