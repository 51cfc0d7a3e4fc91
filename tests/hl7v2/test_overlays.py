"""Site overlays: what a file says is what is judged, and every mistake in it is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpftconnect.errors import ConfigurationError, UsageError
from mpftconnect.hl7v2 import check, read_overlay

OVERLAY = """
version = 1

[mapping]
zone = "Europe/London"

[check]
name = "acute north"
uk = true
hl7_version = "2.4"
z_segments = ["ZPI"]

[check.segments.PV1]
required = false

[check.segments.ZPI]
required = true

[check.fields."PID-8"]
required = true
table = "sexes"

[check.fields."PID-9"]
forbidden = true

[check.fields."PID-5"]
repetitions = 1
length = 40

[check.fields."EVN-9"]
length = 5

[check.tables]
sexes = ["1", "2", "9"]
"0078" = ["HH", "LL"]

[[check.findings]]
code = "nhs-number-status"
severity = "information"
reason = "the sender has no tracing service; agreed until March"

[[check.findings]]
code = "not-a-date-time"
location = "PID-7"
severity = "warning"
reason = "births are sent as typed"
"""
RAW = (
    "MSH|^~\\&|RIO|ZZ1|TIE|ZZ2|20260102030405||ADT^A01^ADT_A01|M1|P\r"
    "EVN|A01|20260102030405|||||||123456\r"
    "PID|1||9990000018^^^NHS^NH||Ashdown^Ann~Ash^Ann||1950-03-14|F|alias\r"
    "ZZZ|1\r"
)


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    path = tmp_path / "north.toml"
    path.write_text(OVERLAY, encoding="utf-8")
    return path


def test_each_rule_of_a_site_holds(overlay: Path) -> None:
    found = {(one.severity, one.code, one.location) for one in check(RAW, overlay)}
    assert found == {
        ("error", "version-missing", "MSH-12"),
        ("error", "field-required", "MSH-12"),
        ("error", "segment-not-allowed", "ZZZ"),
        ("error", "segment-missing", "ZPI"),
        ("error", "site-table-value", "PID-8"),
        ("error", "field-forbidden", "PID-9"),
        ("error", "field-repeats", "PID-5[2]"),
        ("error", "site-too-long", "EVN-9"),
        ("information", "nhs-number-status", "PID-32"),
        ("warning", "not-a-date-time", "PID-7[1].1"),
    }


def test_the_same_message_without_the_site_is_judged_by_the_standard(overlay: Path) -> None:
    plain = {(one.severity, one.code, one.location) for one in check(RAW, "standard")}
    assert ("error", "segment-missing", "PV1") in plain
    assert ("error", "not-a-date-time", "PID-7[1].1") in plain
    assert not {code for _, code, _ in plain} & {"segment-not-allowed", "field-forbidden", "nhs-number-status"}


def test_a_site_table_takes_the_place_of_hl7s(overlay: Path) -> None:
    raw = RAW.replace("ZZZ|1\r", "ZPI|1\rOBX|1|ST|A||x|||N|||F\r")
    assert ("site-table-value", "OBX-8") in {(one.code, one.location) for one in check(raw, overlay)}
    assert "OBX-8" not in {one.location for one in check(raw, "standard")}


def test_why_a_finding_is_lowered_is_told(overlay: Path) -> None:
    (one,) = [one for one in check(RAW, overlay) if one.code == "nhs-number-status"]
    assert one.reason == "the sender has no tracing service; agreed until March"
    assert "lowered" in str(one)


BROKEN = """
version = 2
colour = "red"

[check]
name = ""
uk = "yes"
hl7_version = "3"
z_segments = ["PID"]
what = 1

[check.segments.pv1]
required = "no"

[check.fields."MSH-2"]
required = true

[check.fields.PID-8]
table = "nowhere"
length = 0
required = true
forbidden = true
colour = 1

[check.tables]
sexes = []

[[check.findings]]
code = "no-such"
severity = "error"

[[check.findings]]
code = "field-extra"
severity = "error"
reason = "louder"
location = "somewhere"

[[check.findings]]
code = "field-extra"
severity = "warning"
reason = "the same"
"""


def test_every_mistake_is_told_at_once_with_file_key_and_expectation(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(BROKEN, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_overlay(path)
    problems = caught.value.problems
    assert all(problem.startswith("broken.toml: ") and ": expected " in problem for problem in problems)
    assert {problem.split(": ")[1] for problem in problems} == {
        "version", "colour", "check.what", "check.name", "check.uk", "check.hl7_version", "check.z_segments",
        "check.segments.pv1", "check.segments.pv1.required", "check.fields.MSH-2", "check.fields.PID-8",
        "check.fields.PID-8.table", "check.fields.PID-8.length", "check.fields.PID-8.colour", "check.tables.sexes",
        "check.findings[1].code", "check.findings[1].reason", "check.findings[2].severity",
        "check.findings[2].location", "check.findings[3].severity",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["version = [", "\x00", "check = 1\nversion = 1", "version = true"])
def test_what_is_no_overlay_is_told_as_such(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError):
        read_overlay(path)
    with pytest.raises(ConfigurationError):
        read_overlay(tmp_path / "absent.toml")


def test_a_profile_is_a_name_or_a_toml_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        check(RAW, "wales")
