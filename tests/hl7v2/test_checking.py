r"""Checking: every code is found where it is, a sound message has none, and no finding tells a value."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.errors import UsageError
from mpftconnect.hl7v2 import Finding, Limits, Profile, check, parse, read_messages
from mpftconnect.hl7v2.fields import FieldRule
from mpftconnect.hl7v2.findings import CODES
from mpftconnect.hl7v2.overlays import Lowered
from mpftconnect.hl7v2.tables import VERSIONS

ADT = "\r".join(
    (
        "MSH|^~\\&|RIO|ZZ1|TIE|ZZ2|20260102030405||ADT^A01^ADT_A01|M1|P|2.4",
        "EVN|A01|20260102030405",
        "PID|1||9990000018^^^NHS^NH~12345^^^ZZ1^MR||Ashdown^Ann^Beth^^Mrs^^L||19500314|F",
        "NK1|1|Ashdown^Bert",
        "PV1|1|I|W1^B1^2^ZZ123",
        "",
    )
)
STATUS = "|" * 24 + "NSTS01"
BRITISH = ADT.replace("|F\r", f"|F{STATUS}\r")
ORU = "\r".join(
    (
        "MSH|^~\\&|LAB|ZZ1|TIE|ZZ2|20260102030405||ORU^R01^ORU_R01|M2|P|2.5.1",
        "PID|1||9990000018^^^NHS^NH||Ashdown^Ann^^^^^L||19500314|F",
        "OBR|1|P1|F1|FBC^Full blood count^L|||202601020100",
        "OBX|1|NM|HB^Haemoglobin^L||135|g/L|115-160|N|||F",
        "OBX|2|ST|C^Comment^L||within range||||||F",
        "",
    )
)


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


def a(old: str, new: str) -> str:
    return changed(ADT, old, new)


def uk(old: str, new: str) -> str:
    return changed(BRITISH, old, new)


def o(old: str, new: str) -> str:
    return changed(ORU, old, new)


SITE = Profile(
    name="zz",
    z_segments=frozenset({"ZPI"}),
    fields={
        ("PID", 5): FieldRule(length=10),
        ("PID", 8): FieldRule(table=frozenset({"1", "2"}), table_name="sexes"),
        ("NK1", 2): FieldRule(forbidden=True),
    },
)
PID_LINE = ADT.split("\r")[2]

# Code -> message, place, profile. Every code that a check of one message can give.
CASES: dict[str, tuple[str | bytes, str, Profile | str | None]] = {
    "no-header": ("PID|1\r", "segment 1", None),
    "header-cut-short": ("MSH", "MSH-1", None),
    "field-separator": ("MSHA", "MSH-1", None),
    "a-batch": ("FHS|^~\\&|\r", "FHS", None),
    "undecodable": (b"\xff\xfeM\x00S\x00H\x00|\x00x", "byte 11", None),
    "encoding-characters": (a("^~\\&|RIO", "^~\\^|RIO"), "MSH-2", None),
    "encoding-characters-missing": (a("|^~\\&|", "||"), "MSH-2", None),
    "version-missing": (a("|2.4\r", "|\r"), "MSH-12", None),
    "version-unknown": (a("|2.4\r", "|2.99\r"), "MSH-12", None),
    "type-missing": (a("ADT^A01^ADT_A01", ""), "MSH-9", None),
    "structure-unknown": (a("ADT^A01^ADT_A01", "ADT^Q99"), "MSH-9", None),
    "structure-mismatch": (a("ADT_A01", "ADT_A05"), "MSH-9[1].3", None),
    "trigger-mismatch": (a("EVN|A01", "EVN|A02"), "EVN-1", None),
    "charset-unknown": (a("|2.4\r", "|2.4||||||EBCDIC\r"), "MSH-18", None),
    "charset-not-in-table": (a("|2.4\r", "|2.4||||||UTF-8\r"), "MSH-18", None),
    "charset-undeclared": (a("Ann", "Zoë").encode(), "MSH-18", None),
    "charset-false": (a("|2.4\r", "|2.4||||||UNICODE UTF-8\r").replace("Ann", "Zoë").encode("latin-1"), "MSH-18", None),
    "charset-doubtful": (a("|2.4\r", "|2.4||||||8859/1\r").replace("Ann", "Zoë").encode(), "MSH-18", None),
    "bytes-undecodable": (a("Ann", "Zoë").encode("latin-1"), "PID-5", None),
    "segment-name": (a("NK1|1", "nk1|1"), "segment 4", None),
    "segment-unknown": (a("NK1|1", "QQQ|1"), "segment 4", None),
    "segment-withdrawn": (a("NK1|1", "QRD|1").replace("|2.4\r", "|2.8\r"), "QRD", None),
    "segment-not-allowed": (a("NK1|1", "ZZZ|1"), "ZZZ", SITE),
    "segment-unexpected": (a("NK1|1", "OBR|1"), "OBR", None),
    "segment-missing": (a(PID_LINE + "\r", ""), "PID", None),
    "segment-order": (o("PID|1", "OBX|9|ST|X||early||||||F\rPID|1"), "OBX", None),
    "segment-repeats": (a("NK1|1", PID_LINE + "\rNK1|1"), "PID[2]", None),
    "continued": (ORU + "DSC|next\r", "DSC", None),
    "line-feed": (o("within", "with\nin"), "OBX[2]", None),
    "field-required": (a("Ashdown^Ann^Beth^^Mrs^^L", ""), "PID-5", None),
    "field-null": (a("Ashdown^Ann^Beth^^Mrs^^L", '""'), "PID-5", None),
    "field-repeats": (a("|F\r", "|F~M\r"), "PID-8[2]", None),
    "field-extra": (a("A01|20260102030405", "A01|20260102030405||||||x"), "EVN-8", None),
    "field-withdrawn": (a("|2.4\r", "|2.7\r"), "EVN-1", None),
    "field-forbidden": (ADT, "NK1-2", SITE),
    "component-required": (ORU.replace("|2.5.1\r", "|2.6\r").replace("^ORU_R01", ""), "MSH-9[1].3", None),
    "component-extra": (a("|19500314|", "|19500314^x^y|"), "PID-7[1].3", None),
    "subcomponent-extra": (a("^Ann^", "^Ann&Eve^"), "PID-5[1].2.2", None),
    "not-a-number": (o("||135|", "||high|"), "OBX-5", None),
    "not-a-sequence-id": (a("NK1|1", "NK1|one"), "NK1-1", None),
    "not-a-date": (o("NM|HB^Haemoglobin^L||135", "DT|HB^Haemoglobin^L||20260230"), "OBX-5", None),
    "not-a-time": (o("NM|HB^Haemoglobin^L||135", "TM|HB^Haemoglobin^L||2561"), "OBX-5", None),
    "not-a-date-time": (a("19500314", "19500230"), "PID-7[1].1", None),
    "table-value": (a("|2.4\r", "|2.4|||QQ\r"), "MSH-15", None),
    "user-table-value": (a("|F\r", "|Q\r"), "PID-8", None),
    "too-long": (a("NK1|1|", "NK1|12345|"), "NK1-1", None),
    "escape-malformed": (a("Beth", "Be\\Q\\th"), "PID-5", None),
    "obx-type-missing": (o("|NM|", "||"), "OBX-2", None),
    "obx-type-unknown": (o("|NM|", "|QQ|"), "OBX-2", None),
    "nhs-number-missing": (uk("9990000018^^^NHS^NH~", ""), "PID-3", "uk"),
    "nhs-number-authority": (uk("^^^NHS^NH", "^^^ZZ9^NH"), "PID-3[1].4", "uk"),
    "nhs-number-type": (uk("^^^NHS^NH", "^^^NHS^MR"), "PID-3[1].5", "uk"),
    "nhs-number-invalid": (uk("9990000018", "9990000019"), "PID-3[1].1", "uk"),
    "nhs-number-repeats": (uk("12345^^^ZZ1^MR", "9990000026^^^NHS^NH"), "PID-3[2]", "uk"),
    "nhs-number-form": (uk("9990000018", "999 000 0018"), "PID-3[1].1", "uk"),
    "nhs-number-status": (uk("NSTS01", ""), "PID-32", "uk"),
    "nhs-number-status-contradicts": (uk("NSTS01", "NSTS07"), "PID-32", "uk"),
    "ods-code": (uk("ZZ123", "Ward 3"), "PV1-3[1].4", "uk"),
    "uk-version": (uk("|2.4\r", "|2.3\r"), "MSH-12", "uk"),
    "site-too-long": (ADT, "PID-5", SITE),
    "site-table-value": (ADT, "PID-8", SITE),
}
# Given by limits and by streams, tested below and in test_batches and the command's tests.
ELSEWHERE = {
    "too-large", "too-many-segments", "too-many-fields", "too-many-parts", "batch-count", "file-count",
    "batch-not-closed", "file-not-closed", "wrapper-order", "outside-message", "unreadable-file",
}  # fmt: skip


@pytest.mark.parametrize("code", sorted(CASES))
def test_each_fault_is_found_where_it_is(code: str) -> None:
    raw, location, profile = CASES[code]
    found = [(one.code, one.location) for one in check(raw, profile)]
    assert (code, location) in found


@pytest.mark.parametrize("code", sorted(set(CASES) - {"field-forbidden", "site-too-long", "site-table-value"}))
def test_each_fault_is_found_because_it_is_there(code: str) -> None:
    profile = CASES[code][2]
    base = BRITISH if profile == "uk" else ORU if code.startswith(("obx", "not-a-n", "not-a-t")) else ADT
    assert code not in {one.code for one in check(base, profile)}


def test_every_code_has_its_case() -> None:
    assert set(CASES) | ELSEWHERE == set(CODES)
    assert not set(CASES) & ELSEWHERE


def test_a_sound_message_has_no_finding() -> None:
    assert check(ADT) == check(ADT, "standard") == check(ORU) == check(ORU, "standard") == []
    assert check(BRITISH, "uk") == check(ORU.replace("|F\rOBR", f"|F{STATUS}\rOBR"), "uk") == []


def test_what_comes_from_a_limit_is_a_finding_of_its_code() -> None:
    (part,) = [one for one in read_messages(io.BytesIO(ADT.encode()), limits=Limits(size=50)) if one.trouble]
    assert part.trouble
    assert part.trouble.code in CODES


@pytest.mark.parametrize(
    ("raw", "missing", "before"),
    [
        (a("EVN|A01|20260102030405\r", ""), "EVN", "expected before PID"),
        (a("PV1|1|I|W1^B1^2^ZZ123\r", ""), "PV1", "expected before the end"),
    ],
)
def test_a_missing_segment_is_told_with_its_place(raw: str, missing: str, before: str) -> None:
    (finding,) = check(raw)
    assert (finding.code, finding.location) == ("segment-missing", missing)
    assert before in finding.message


def test_segments_that_are_swapped_are_told_once() -> None:
    lines = ADT.split("\r")
    lines[1], lines[2] = lines[2], lines[1]
    assert [(one.code, one.location) for one in check("\r".join(lines))] == [("segment-order", "PID")]


def test_the_overlay_holds_where_a_message_says_that_it_is_british() -> None:
    wrong = uk("9990000018", "9990000019").replace("NSTS01", "")
    assert check(wrong) == []
    for header in ("|2.4|||||GBR\r", "|2.4^GBR\r"):
        said = changed(wrong, "|2.4\r", header)
        assert [one.code for one in check(said)] == ["nhs-number-invalid", "nhs-number-status"]
        assert check(said, "standard") == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [("Q^^L", []), ("Q^^HL70002", ["user-table-value"]), ("Q", ["user-table-value"]), ("M", [])],
)
def test_a_coding_system_of_its_own_is_not_judged_by_hl7s_table(code: str, expected: list[str]) -> None:
    assert [one.code for one in check(a("|F\r", "|F" + "|" * 8 + code + "\r"))] == expected


def test_a_site_table_holds_whatever_the_coding_system() -> None:
    site = Profile(fields={("PID", 16): FieldRule(table=frozenset({"1"}), table_name="states")})
    for code, expected in (("Q^^L", ["site-table-value"]), ("1^^L", []), ("1", [])):
        assert [one.code for one in check(a("|F\r", "|F" + "|" * 8 + code + "\r"), site)] == expected


def test_null_is_no_value_to_judge() -> None:
    assert check(a("19500314", '""')) == []
    assert check(a("|F\r", '|""\r')) == []


def test_lengths_are_of_numbers_only_from_2_7() -> None:
    (old,) = [one for one in check(a("NK1|1|", "NK1|12345|")) if one.code == "too-long"]
    assert old.severity == "warning"
    new = [one for one in check(a("NK1|1|", "NK1|12345|").replace("|2.4\r", "|2.8\r")) if one.code == "too-long"]
    assert [one.severity for one in new] == ["error"]
    text = a("NK1|1|Ashdown", "NK1|1|" + "x" * 300)
    assert "too-long" in {one.code for one in check(text)}
    assert "too-long" not in {one.code for one in check(text.replace("|2.4\r", "|2.8\r"))}


def test_a_site_lowers_what_it_has_a_reason_for_and_no_more() -> None:
    raw = o("|NM|", "|QQ|")
    site = Profile(
        lowered=(Lowered(code="obx-type-unknown", severity="information", reason="agreed", location="OBX-2"),)
    )
    (finding,) = check(raw, site)
    assert (finding.severity, finding.reason) == ("information", "agreed")
    other = Profile(
        lowered=(Lowered(code="obx-type-unknown", severity="information", reason="agreed", location="OBX-20"),)
    )
    assert check(raw, other)[0].severity == "error"


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_judges(version: str) -> None:
    findings = check(a("|2.4\r", f"|{version}\r"))
    assert "version-unknown" not in {one.code for one in findings}
    assert {one.code for one in check(a("|2.4\r", f"|{version}\r").replace("PID|1|", "XXX|1|"))} >= {"segment-unknown"}


def test_2_7_1_is_judged_as_the_version_that_it_amends() -> None:
    as_it_is = [(one.code, one.location) for one in check(a("|2.4\r", "|2.7.1\r"))]
    assert as_it_is == [(one.code, one.location) for one in check(a("|2.4\r", "|2.7\r"))]


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    (tmp_path / "profile.pickle").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(UsageError):
        check(ADT, tmp_path / "profile.pickle")


SEED = "Qwzx77"


def test_no_finding_tells_a_value() -> None:
    """A value of somebody's in every place of every message: no word of any finding has it."""
    seen = 0
    for text in (ADT, ORU):
        lines = text.split("\r")
        for number, line in enumerate(lines[:-1]):
            fields = line.split("|")
            for field in range(len(fields)):
                for value in (
                    SEED,
                    SEED.upper(),
                    f"^{SEED}^&{SEED}",
                    f"{SEED}~{SEED}",
                    f"\\{SEED}\\",
                    f"{SEED}\n{SEED}",
                ):
                    changed_fields = [*fields[:field], value, *fields[field + 1 :]]
                    raw = "\r".join([*lines[:number], "|".join(changed_fields), *lines[number + 1 :]])
                    for profile in (None, "uk", SITE):
                        findings = check(raw, profile)
                        seen += len(findings)
                        assert SEED.lower() not in "".join(map(repr, findings)).lower()
    assert seen > 3000


MARKS = st.text(alphabet='|^~\\&\r\n\x0b\x1cMSHPIDOBXEVN1234590."ZTQAé\ud800', max_size=120)


@given(MARKS)
def test_no_text_whatever_raises(tail: str) -> None:
    for raw in (tail, "MSH|^~\\&|" + tail, ADT + tail, ADT[:40] + tail + ADT[40:]):
        for profile in (None, "uk"):
            assert all(isinstance(one, Finding) and one.code in CODES for one in check(raw, profile))


@given(st.binary(max_size=80), st.integers(0, len(ORU)))
def test_no_bytes_whatever_raise(junk: bytes, place: int) -> None:
    raw = ORU.encode()[:place] + junk + ORU.encode()[place:]
    assert all(one.code in CODES for one in check(raw, "uk"))
    try:
        message = parse(raw)
    except ValueError:
        return
    assert bytes(message) == raw
