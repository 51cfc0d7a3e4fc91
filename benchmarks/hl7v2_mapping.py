"""HL7 v2 messages parsed, mapped and made into items, beside hl7apy's parse alone."""

from __future__ import annotations

from hl7apy.parser import parse_message
from result import Goal, Result
from size import Size
from timing import cpu_clock, interleaved

from mpftconnect.hl7v2 import map_message, parse

__all__ = ["run"]

_PID = (
    "PID|1||77^^^RRE^MR~9990000018^^^NHS^NH||DOE^Jane^Ann^^Ms^^L||19500301|F|||1 High St^Flat 2^Leeds^West Yorks"
    "^LS1 1AA^GBR^H||01632 960000^PRN^PH|01632 960001^WPN^PH||S||||||A"
)
_ADMISSION = "\r".join(
    (
        "MSH|^~\\&|PAS|RRE|TIE|RRE|20260301100000||ADT^A01^ADT_A01|C1|P|2.4",
        "EVN|A01|20260301095500",
        _PID,
        "PD1|||High St Surgery^^ZZ123|G999^Patel^Sam^^^Dr",
        "NK1|1|ROE^Rick|HUSB^Husband|1 High St^^Leeds|01632 960002",
        "PV1|1|I|W1^R2^B3^RRE|E||W0^R1^B1|C1^Patel^Sam^^^Dr|C2^Owens^Beth^^^Dr||CARD|||||||C1^Patel^Sam^^^Dr||V1^^^RRE"
        "|||||||||||||||||||||||||20260301090000",
        "AL1|1|DA|PEN^Penicillin^L|SV|Rash",
        "DG1|1||I10^Hypertension^I10|High blood pressure|2025|A",
    )
)
_TESTS = ("HB", "WBC", "PLT", "RBC", "HCT", "MCV", "MCH", "NEUT", "LYMPH", "MONO")
_RESULTS = "\r".join(
    (
        "MSH|^~\\&|LAB|RRE|TIE|RRE|20260301100000||ORU^R01^ORU_R01|C2|P|2.4",
        _PID,
        "PV1|1|I|W1^R2^B3|||||||||||||||V1^^^RRE",
        "ORC|RE|P1^PAS|F1^LAB",
        "OBR|1|P1^PAS|F1^LAB|FBC^Full blood count^L|||20260301080000|||||||||||||||20260301095900||HM|F",
        *(
            f"OBX|{number}|NM|{code}^{code} level^L||{number}.50|g/L|1.0 - 9.0|N|||F|||20260301080000"
            for number, code in enumerate(_TESTS, 1)
        ),
        "NTE|1||Sample slightly haemolysed",
    )
)


def run(size: Size) -> list[Result]:
    """Each message's CPU time here and of hl7apy's parse, in the same run."""
    results = []
    for name, text in (("an admission (ADT^A01)", _ADMISSION), ("a full blood count (ORU^R01)", _RESULTS)):
        raw = f"{text}\r".encode()

        def ours(raw: bytes = raw) -> object:
            # Twenty a sample: one is too short to be timed. One at a time, as the peer's.
            for _ in range(20):
                made = map_message(parse(raw)).items
            return made

        samples = interleaved(
            {"ours": ours, "peer": lambda text=text: parse_message(text)},  # type: ignore[misc]
            rounds=size.rounds,
            clock=cpu_clock,
        )
        own, peer = samples["ours"], samples["peer"]
        results.append(
            Result(
                f"{name} parsed, mapped, items made, CPU",
                own.least * 1e6 / 20,
                "us",
                "hl7apy, parse alone",
                peer.least * 1e6,
                own.spread,
                Goal("ratio", 1 / 50),
            )
        )
        results.append(
            Result(
                f"{name} with its ledger, CPU",
                _once(raw, size),
                "us",
                "hl7apy, parse alone",
                peer.least * 1e6,
                own.spread,
            )
        )
    return results


def _once(raw: bytes, size: Size) -> float:
    sample = interleaved(
        {"ours": lambda: [len(map_message(parse(raw)).ledger) for _ in range(20)]}, rounds=size.rounds, clock=cpu_clock
    )["ours"]
    return sample.least * 1e6 / 20
