"""Plain text is read by a shorter way; what comes of it is what comes of reading leaf by leaf."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpftconnect.errors import MessageUnreadable
from mpftconnect.hl7v2 import Mapped, Message, Site, map_message, parse
from mpftconnect.hl7v2.mapping import leaves
from mpftconnect.model import Model

SITE = Site(
    authority="RRE",
    authorities={"RRE": "https://rre.example/Id/mrn", "OLD": "https://rre.example/Id/mrn"},
    code_systems={"L": "https://rre.example/codes", "99L": "https://rre.example/codes"},
    tables={"0001": {"X": "other"}, "0200": {"B": "official"}},
    ods_fields=("PD1-3",),
    fields={"ZPV-1": "Encounter.service", "ZPV-2": "Flag"},
)


def deep(value: Any) -> Any:
    """Everything that a value holds, and which of a model's fields were stated."""
    if isinstance(value, Model):
        fields = {name: deep(getattr(value, name)) for name in type(value).model_fields}
        return type(value).__name__, fields, sorted(value.model_fields_set)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__, [
            deep(getattr(value, field.name)) for field in dataclasses.fields(value) if field.compare
        ]
    return [deep(part) for part in value] if isinstance(value, tuple) else (type(value).__name__, repr(value))


def assert_same(message: Message, site: Site | None = None) -> Mapped:
    mapped = map_message(message, site)
    trace = mapped._read(False)
    assert deep((mapped.changes, mapped.parked, mapped.envelope)) == deep(
        (tuple(trace.work.changes), tuple(trace.work.parked), trace.envelope)
    )
    return mapped


def test_the_published_messages_come_out_the_same_both_ways(published: list[tuple[dict[str, Any], bytes]]) -> None:
    plain = total = 0
    for index, (_, raw) in enumerate(published):
        message = parse(raw)
        assert_same(message, SITE if index % 3 == 0 else None)
        plain += sum(map(leaves.is_plain, message.lines))
        total += len(message.lines)
    assert plain > total / 2, "most segments must be plain, or nothing was compared"


PARTS = st.sampled_from(
    (
        *(
            "",
            "",
            "",
            "1",
            "77",
            "9990000018",
            "999 000 0018",
            "NHS",
            "NH",
            "RRE",
            "OLD",
            "L",
            "99L",
            "LN",
            "I10",
            "SCT",
        ),
        *("HL70396", "A", "B", "C", "D", "F", "M", "U", "X", "Y", "N", "H", "P", "W", "I", "E", "AL", "DA", "SV", "NM"),
        *("ST", "TX", "CE", "CWE", "SN", "ED", "DT", "3.50", "007", "<", "20260301", "202603011015", "2026030110"),
        *("20260301101500+0000", "20260230", "PRN", "ORN", "NET", "PH", "CP", "Internet", "a@b.example", "DOE", "Jane"),
        *("two words", "two  spaces", "trailing ", " leading", "g/L", "1.0 - 9.0", "high", "0", "01", "ODS", "ZZ123"),
    )
)
ODD = st.sampled_from(('""', " ", "a&b", "\\T\\", "\x07", "\xa0", "\udcff"))
REPETITION = st.lists(PARTS, min_size=1, max_size=13).map("^".join)
ODD_REPETITION = st.lists(st.one_of(PARTS, ODD), min_size=1, max_size=5).map("^".join)
FIELD = st.one_of(REPETITION, st.lists(REPETITION, min_size=2, max_size=3).map("~".join), PARTS, PARTS)
SPARSE = st.one_of(st.just(""), FIELD)
NAMES = st.sampled_from(
    (
        "PID",
        "PD1",
        "PV1",
        "PV2",
        "NK1",
        "AL1",
        "IAM",
        "DG1",
        "ORC",
        "OBR",
        "OBX",
        "OBX",
        "OBX",
        "NTE",
        "SPM",
        "MRG",
        "ZPV",
    )
)
TYPES = st.sampled_from(
    ("ADT^A01", "ADT^A08", "ADT^A40", "ADT^A44", "ORU^R01", "ORU^R01", "REF^I12", "ORM^O01", "MDM^T02")
)


def line(name: str, fields: list[str]) -> str:
    return f"{name}|{'|'.join(fields)}"


PLAIN_LINE = st.builds(line, NAMES, st.lists(SPARSE, min_size=1, max_size=40))
ODD_LINE = st.builds(line, NAMES, st.lists(st.one_of(SPARSE, ODD_REPETITION), min_size=1, max_size=20))
RESULT = st.builds(
    lambda kind, code, sub, value, unit, span, flag, status, when: (
        f"OBX|1|{kind}|{code}|{sub}|{value}|{unit}|{span}|{flag}|||{status}|||{when}"
    ),
    *(PARTS, REPETITION, PARTS, FIELD, REPETITION, FIELD, FIELD, PARTS, PARTS),
)


@settings(max_examples=300, deadline=None)
@given(TYPES, st.lists(st.one_of(PLAIN_LINE, RESULT, ODD_LINE), max_size=8), st.booleans())
def test_made_messages_come_out_the_same_both_ways(kind: str, lines: list[str], site: bool) -> None:
    person = "PID|1||77^^^RRE^MR~9990000018^^^NHS^NH||DOE^Jane^^^Ms^^L||19500301|F"
    raw = "\r".join((f"MSH|^~\\&|PAS|RRE|||20260301||{kind}|C1|P|2.4", person, *lines))
    try:
        message = parse(raw.encode("utf-8", "surrogateescape"))
    except MessageUnreadable:
        return
    mapped = assert_same(message, SITE if site else None)
    assert "not-accounted-for" not in {entry.why for entry in mapped.ledger}
    assert [entry for entry in mapped.ledger.lost if entry.outcome in ("mapped", "defaulted", "extra")] == []


# What is not written back exactly from its value, and so is kept beside it, in each place that a plain reader reads.
INEXACT = {
    "a time without minutes": "PV1|1|I|||||||||||||||||V1^^^RRE|||||||||||||||||||||||||2026030110",
    "a date with a time": "PID|1||77^^^RRE||DOE||195003010815",
    "a code with two spaces": "DG1|1||I  10^Hypertension^SCT",
    "the second of two codes of one meaning": "PV1|1|B|||||||||||||||||V1^^^RRE",
    "the second of two systems": "DG1|1||1^One^99L~2^Two^99L",
    "the second of two authorities": "PV1|1|I|||||C1^Patel^Sam^^^^^^OLD||||||||||||V1^^^OLD",
    "an alternate coding": "DG1|1||A^One^L^B^Two^SCT^1^2^said so",
    "an alternate coding with a system of another name": "DG1|1||A^One^L^B^Two^99L",
    "an NHS number in groups": "PID|1||999 000 0018^^^NHS^NH~77^^^RRE||DOE",
    "an NHS number under another name": "PID|1||9990000018^^^NHSNBR^NH~77||DOE",
    "uses that are no code": "NK1|1|ROE^Rick^^^^^ZZ|HUSB|1 High St^^^^^^O|01632 960002^ORN^CP",
    "numbers of unknown uses": "NK1|1|ROE^Rick|||01632 960003^ZZ^ZZ~^NET^Internet^a@b.example",
    "a mailing address": "NK1|1|ROE|HUSB|1 High St^^^^^^M|01632 960002^WPN^BP",
    "a number as sent with a sign": "OBX|1|NM|HB||+007|g/L",
    "a number that is none": "OBX|1|NM|HB||high|g/L",
    "a coded unit": "OBX|1|NM|HB||7.50|g/L^grams^UCUM|1 - 2|H~L|||F",
    "several values": "OBX|1|NM|HB||7~8|g/L||H^High^L^X|||X|||2026030110",
    "an organisation": "OBX|1|ST|HB||x||||||F||||LAB^^ZZ1^^^ODS~LAB2^^7^^^OLD~LAB3^^^^^^^^^7",
    "numbers of an order": "OBR|1|P1^OLD|F1^^1.2^ISO|A^B|||2026030110",
    "an allergy that nothing names": "AL1|1|DA||SV|Rash",
    "a visit without a number": "PV1|1|I|W1^R2^B3|E|||C1^Patel^Sam",
}


@pytest.mark.parametrize("kind", ["ADT^A01", "ORU^R01"])
@pytest.mark.parametrize("name", INEXACT)
def test_what_is_not_plain_to_write_back_comes_out_the_same(name: str, kind: str) -> None:
    person = "PID|1||77^^^RRE||DOE^Jane"
    lines = [INEXACT[name]] if INEXACT[name].startswith("PID") else [person, INEXACT[name]]
    for tail in ([], ["OBR|1||F1|A", *lines[1:]]):
        message = parse("\r".join((f"MSH|^~\\&|PAS|RRE|||20260301||{kind}|C1|P|2.4", *lines, *tail)))
        for site in (None, SITE):
            assert assert_same(message, site).ledger.lost == ()


def test_the_ledger_is_of_the_message_as_it_was_mapped() -> None:
    message = parse("MSH|^~\\&|PAS|RRE|||20260301||ADT^A28|C1|P|2.4\rPID|1||77^^^RRE||DOE^Jane")
    mapped = map_message(message)
    message.set("PID-8", "F")
    assert "PID-8" not in {entry.location for entry in mapped.ledger} and mapped.ledger.lost == ()
