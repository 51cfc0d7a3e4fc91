"""HL7 v2: first access, and parsing with checking, beside the Python packages for it and a bare nested split."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from result import Goal, Result
from size import Size
from timing import cpu_clock, interleaved

from mpftconnect.hl7v2 import check, parse

__all__ = ["MESSAGES", "run"]

ADT = "\r".join(
    (
        "MSH|^~\\&|RIO|ZZ1|TIE|ZZ2|20260102030405||ADT^A01^ADT_A01|MSG00001|P|2.4",
        "EVN|A01|20260102030405",
        "PID|1||9990000018^^^NHS^NH~12345^^^ZZ1^MR||Ashdown^Ann^Beth^^Mrs^^L||19500314|F|||1 High Street^^Borchester"
        "^^ZZ99 3VZ^GBR^H||01632 960001^PRN^PH",
        "NK1|1|Ashdown^Bert|SPO|1 High Street^^Borchester|01632 960001",
        "PV1|1|I|W1^B1^2^ZZ123||||C1^Smith^John|||||||||||V1",
        "",
    )
)
ORU = "\r".join(
    (
        "MSH|^~\\&|LAB|ZZ1|TIE|ZZ2|20260102030405||ORU^R01^ORU_R01|MSG00002|P|2.5",
        "PID|1||9990000018^^^NHS^NH||Ashdown^Ann^Beth||19500314|F",
        "ORC|RE|P1|F1",
        "OBR|1|P1|F1|FBC^Full blood count^L|||202601020100|||||||||C1^Smith^John||||||202601020300||HM|F",
        *(f"OBX|{n}|NM|T{n}^Test {n}^L||{n}.5|g/L|1-{n * 2}|N|||F|||202601020200" for n in range(1, 11)),
        "",
    )
)
MESSAGES = {"ADT^A01 2.4": ADT, "ORU^R01 2.5 with ten OBX": ORU}


def run(size: Size) -> list[Result]:
    results = []
    for name, text in MESSAGES.items():
        results.append(_first_access(size, name, text))
        results.append(_checked(size, name, text))
        results.append(_beside_split(size, name, text))
    return results


def nested(text: str) -> object:
    """The bare split that a message costs at the least: segments, fields, repetitions, components, sub-components."""
    return [
        [[[part.split("&") for part in one.split("^")] for one in field.split("~")] for field in line.split("|")]
        for line in text.split("\r")
    ]


def _result(
    size: Size, name: str, peer_name: str, own: Callable[[], object], peer: Callable[[], object], at_most: float
) -> Result:
    samples = interleaved({"own": own, "peer": peer}, rounds=size.rounds, clock=cpu_clock)
    return Result(
        name,
        samples["own"].least * 1e6,
        "us",
        peer_name,
        samples["peer"].least * 1e6,
        samples["own"].spread,
        Goal("ratio", at_most) if peer_name.startswith(("python-hl7", "hl7apy", "nested split")) else None,
    )


def _first_access(size: Size, name: str, text: str) -> Result:
    raw = text.encode("ascii")

    def own() -> object:
        message = parse(raw)
        return [message[path] for path in ("MSH-10", "PID-3", "PID-5.2", "PID-7", "MSH-9.2")]

    assert None not in own()  # type: ignore[operator]
    if find_spec("hl7") is None:
        return _result(size, f"five fields of {name}", "split of the same text", own, lambda: nested(text), 0)
    import hl7

    def peer() -> object:
        message = hl7.parse(text)
        return [message[path] for path in ("MSH.F10", "PID.F3.R1.C1", "PID.F5.R1.C2", "PID.F7", "MSH.F9.R1.C2")]

    assert [str(one) for one in peer()] == own()  # type: ignore[attr-defined]
    return _result(size, f"five fields of {name}", "python-hl7", own, peer, 0.1)


def _checked(size: Size, name: str, text: str) -> Result:
    raw = text.encode("ascii")

    def own() -> object:
        return check(parse(raw), "standard")

    assert not [one for one in check(raw, "standard") if one.severity == "error"]
    if find_spec("hl7apy") is None:
        return _result(size, f"parse and check {name}", "split of the same text", own, lambda: nested(text), 0)
    from hl7apy.parser import parse_message

    def peer() -> object:
        return parse_message(text).validate()

    return _result(size, f"parse and check {name}", "hl7apy parse and validate", own, peer, 0.01)


def _beside_split(size: Size, name: str, text: str) -> Result:
    raw = text.encode("ascii")
    return _result(
        size, f"parse and check {name}", "nested split", lambda: check(parse(raw), "standard"), lambda: nested(text), 5
    )


if __name__ == "__main__":
    from result import as_text
    from size import FULL

    print(as_text(run(FULL)))
