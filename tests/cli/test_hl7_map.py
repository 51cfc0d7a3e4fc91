"""`mpftconnect hl7 map`: items, Bundles, the ledger, exit codes, and what may not be printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mpftconnect.cli import main
from mpftconnect.model import NOT_ACKNOWLEDGED

GOOD = (
    b"MSH|^~\\&|PAS|RRE|||20260301||ADT^A28|C1|P|2.4\r"
    + b"PID|1||77^^^RRE~9990000018^^^NHS^NH||SECRETNAME^Jane||19500301|F\r"
)
RESULT = (
    b"MSH|^~\\&|LAB|RRE|||20260301||ORU^R01|C2|P|2.4\rPID|1||77^^^RRE||SECRETNAME^Jane\r"
    b"OBR|1||F1^LAB|FBC|||20260301\rOBX|1|NM|HB^Hb^L||7.50|g/L|||||F\r"
)
PARKED = b"MSH|^~\\&|PAS|RRE|||20260301||ADT^A99|C3|P|2.4\rPID|1||77^^^RRE||SECRETNAME^Jane\r"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["hl7", "map", *arguments])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "good.hl7").write_bytes(GOOD)
    (tmp_path / "result.hl7").write_bytes(RESULT)
    return tmp_path


def test_one_line_a_message_and_it_says_that_it_is_patient_data(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, str(files))
    assert code == 0 and "patient data" in err and "SECRETNAME" not in err
    first, second = (json.loads(line) for line in out.splitlines())
    assert first["changes"][0]["type"] == "Patient" and first["parked"] == []
    cautions = [change.get("caution") for change in second["changes"]]
    assert [bool(caution) for caution in cautions] == [False, True, True], "of every result and of nothing else"


@pytest.mark.parametrize("status", ["P", "C", "D", "W", "X"])
def test_a_corrected_or_withdrawn_result_says_it_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: str
) -> None:
    (tmp_path / "r.hl7").write_bytes(RESULT.replace(b"|||||F", b"|||||" + status.encode()))
    _, out, _ = run(capsys, str(tmp_path / "r.hl7"))
    (change,) = [change for change in json.loads(out)["changes"] if change["type"] == "Observation"]
    assert change["caution"] == NOT_ACKNOWLEDGED
    assert (change["change"] == "Retract") == (status in "DWX")


@pytest.mark.parametrize(("kind", "told"), [("DI", True), ("SP", True), ("DS", False), ("HP", False)])
def test_a_document_that_is_a_result_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, told: bool
) -> None:
    lines = GOOD.decode().replace("ADT^A28", "MDM^T02").rstrip("\r").split("\r")
    txa = f"TXA|1|{kind}|TX|20260301||||||||D1^ZZ220"
    (tmp_path / "d.hl7").write_text("\r".join([*lines, "PV1|1|O", txa, "OBX|1|TX|||Clear"]) + "\r", newline="")
    _, out, _ = run(capsys, str(tmp_path / "d.hl7"))
    cautions = {change["type"]: "caution" in change for change in json.loads(out)["changes"]}
    assert cautions == {"Patient": False, "DocumentReference": told}


def test_bundles(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, str(files / "result.hl7"), "--fhir")
    bundle = json.loads(out)
    assert code == 0 and bundle["resourceType"] == "Bundle"
    kinds = sorted(entry["resource"]["resourceType"] for entry in bundle["entry"])
    assert kinds == ["DiagnosticReport", "Observation", "Patient"]
    assert '"value":7.50' in out, "digits are kept"


@pytest.mark.parametrize("form", ["text", "json", "csv"])
def test_the_ledger_has_no_patient_value(files: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    code, out, err = run(capsys, str(files), "--ledger", form)
    assert code == 0 and "SECRETNAME" not in out + err and "9990000018" not in out + err
    if form == "json":
        document = json.loads(out)
        assert document["messages"] == 2 and document["roundTrip"] == 1.0
        assert document["segments"]["PID"]["mapped"] > 0
    elif form == "csv":
        assert out.splitlines()[0] == "field,mapped,defaulted,extra,dropped,parked"
    else:
        assert "Round trip: 100.00%" in out


def test_what_is_parked_and_what_is_unreadable_is_said_and_is_the_exit_code(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "parked.hl7").write_bytes(PARKED)
    code, out, err = run(capsys, str(files))
    assert code == 3 and len(out.splitlines()) == 3
    assert "parked: MSH-9: messages of this type and event are not mapped (trigger-not-handled)" in err
    assert "SECRETNAME" not in err
    (files / "broken.hl7").write_bytes(b"PID|1||77||SECRETNAME\r")
    code, _, err = run(capsys, str(files))
    assert code == 1 and "broken.hl7" in err and "SECRETNAME" not in err


def test_a_site_file_and_its_mistakes(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = files / "site.toml"
    site.write_text('version = 1\n[mapping]\nauthorities = {RRE = "https://rre.example/Id/mrn"}\n', encoding="utf-8")
    code, out, _ = run(capsys, str(files / "good.hl7"), "--site", str(site))
    assert code == 0 and "https://rre.example/Id/mrn" in out
    site.write_text('version = 2\n[mapping]\nzone = "Nowhere/Town"\nzones = 1\n', encoding="utf-8")
    code, _, err = run(capsys, str(files / "good.hl7"), "--site", str(site))
    assert code == 2 and all(key in err for key in ("version", "mapping.zone:", "mapping.zones:"))


def test_usage(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, str(files), "--fhir", "--ledger", "text")[0] == 2
    assert run(capsys, str(files / "absent.hl7"))[0] == 1


@pytest.mark.parametrize("more", [(), ("--fhir",), ("--ledger", "text")])
def test_a_folder_without_a_message_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str]):
    code, _, err = run(capsys, str(tmp_path), *more)
    assert code == 2 and "no message in these paths" in err
