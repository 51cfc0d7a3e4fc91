"""`mpftconnect hl7 check`: inputs, formats, exit codes, and no patient value in any of them."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import pytest

from mpftconnect.cli import main

GOOD = b"MSH|^~\\&|A|ZZ1|B|ZZ2|20260102||ACK^A01^ACK|1|P|2.4\rMSA|AA|1\r"
BAD = b"MSH|^~\\&|A|ZZ1|B|ZZ2|20260230||ACK^A01^ACK|2|P|2.4\rMSA|AA|1\rPID|1||9990000019^^^NHS^NH||Qwzx77\r"
BATCH = b"BHS|^~\\&|A\r" + GOOD + BAD + b"BTS|3\r"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["hl7", "check", *arguments])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "good.hl7").write_bytes(GOOD)
    (tmp_path / "bad.er7").write_bytes(BAD)
    (tmp_path / "batch.HL7").write_bytes(BATCH)
    (tmp_path / "note.txt").write_bytes(b"not for us")
    return tmp_path


def test_the_worst_message_is_the_exit_code(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, str(files / "good.hl7"))[0] == 0
    assert run(capsys, str(files / "bad.er7"))[0] == 1
    assert run(capsys, str(files / "absent.hl7"))[0] == 1
    assert run(capsys, str(files))[0] == 1
    (files / "empty").mkdir()
    assert run(capsys, str(files / "empty"))[0] == 2
    assert run(capsys, str(files / "good.hl7"), "--profile", "wales")[0] == 2
    (files / "site.toml").write_text("version = 2", encoding="utf-8")
    code, _, err = run(capsys, str(files / "good.hl7"), "--profile", str(files / "site.toml"))
    assert (code, err) == (2, "mpftconnect: site.toml: version: expected 1\n")


def test_one_that_cannot_be_read_does_not_stop_the_rest(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(files / name) for name in ("absent.hl7", "note.txt", "good.hl7")]
    _, out, _ = run(capsys, *paths, "--format", "ndjson")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [[one["code"] for one in row["findings"]] for row in rows] == [["unreadable-file"], ["outside-message"], []]


def test_a_batch_is_judged_message_by_message(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, str(files / "batch.HL7"), "--format", "json")
    content = json.loads(out)
    assert [(Path(one["source"]).name, one["line"]) for one in content["messages"]] == [
        ("batch.HL7#1", 2), ("batch.HL7#2", 4), ("batch.HL7", 7),
    ]  # fmt: skip
    assert content["messages"][2]["findings"][0]["code"] == "batch-count"


def test_standard_input_is_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(GOOD + GOOD)))
    code, out, _ = run(capsys, "-")
    assert code == 0
    assert "-#2 (line 3): nothing found" in out
    assert "2 judged, 0 with errors" in out
    assert "met the checks run" in out


@pytest.mark.parametrize("form", ["text", "json", "ndjson", "junit"])
def test_no_format_shows_a_value_unless_asked(files: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    arguments = [str(files / "bad.er7"), "--format", form, "--profile", "uk"]
    _, out, err = run(capsys, *arguments)
    assert "nhs-number-invalid" in out
    assert "9990000019" not in out + err
    assert "Qwzx77" not in out + err
    _, shown, _ = run(capsys, *arguments, "--show-values")
    assert "9990000019" in shown
    if form == "junit":
        assert len(ET.fromstring(out).findall(".//failure")) >= 3


def test_the_long_way_round(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["hl7", "--help"])
    assert stopped.value.code == 0
    assert "check" in capsys.readouterr().out
