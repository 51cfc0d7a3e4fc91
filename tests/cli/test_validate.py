"""`mpftconnect validate` and `packages`: inputs, formats, exit codes."""

from __future__ import annotations

import gzip
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.cli import main
from mpftconnect.validation import Report, Validator

GOOD = b'{"resourceType": "Patient", "gender": "female"}'
BAD = b'{"resourceType": "Patient", "gender": "femal"}'
OPEN = b'{"resourceType": "Patient", "meta": {"profile": ["https://zz.example.test/none"]}}'


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "good.json").write_bytes(GOOD)
    (tmp_path / "bad.json").write_bytes(BAD)
    (tmp_path / "note.txt").write_bytes(b"not for us")
    return tmp_path


def test_the_verdict_is_the_exit_code(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "open.json").write_bytes(OPEN)
    assert run(capsys, "validate", str(files / "good.json"))[0] == 0
    assert run(capsys, "validate", str(files / "bad.json"))[0] == 1
    assert run(capsys, "validate", str(files / "open.json"))[0] == 3
    assert run(capsys, "validate", str(files))[0] == 1
    assert run(capsys, "validate", str(files / "good.json"), "--package", "zz.nowhere")[0] == 2
    assert run(capsys, "validate", str(files / "good.json"), "--option", "nonsense=1")[0] == 2
    assert run(capsys, "validate", str(files / "good.json"), "--profile", "https://zz.example.test/none")[0] == 2


def test_text_opens_with_words_that_claim_no_more_than_was_done(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(capsys, "validate", str(files / "good.json"))
    assert out.splitlines()[0].endswith("good.json: structurally valid; not clinically validated; 0 codes not checked")


def test_one_unreadable_input_never_stops_the_rest(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "validate", str(files / "absent.json"), str(files / "good.json"), "--format", "ndjson")
    rows = [json.loads(line) for line in out.splitlines()]
    assert (code, [row["verdict"] for row in rows]) == (1, ["invalid", "valid"])
    assert rows[0]["findings"][0]["rule"] == "unreadable"


@pytest.mark.parametrize("packed", [False, True])
def test_each_line_of_ndjson_is_an_input(tmp_path: Path, capsys: pytest.CaptureFixture[str], packed: bool) -> None:
    data = b"\n".join([GOOD, b"", BAD, b"{", GOOD])
    path = tmp_path / ("many.ndjson.gz" if packed else "many.ndjson")
    path.write_bytes(gzip.compress(data) if packed else data)
    _, out, _ = run(capsys, "validate", str(path), "--format", "ndjson")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["line"], row["verdict"]) for row in rows] == [
        (1, "valid"),
        (3, "invalid"),
        (4, "invalid"),
        (5, "valid"),
    ]


def test_a_broken_archive_of_lines_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "many.ndjson.gz"
    path.write_bytes(b"not gzip")
    code, out, _ = run(capsys, "validate", str(path))
    assert code == 1
    assert "cannot be read" in out


def test_every_format_is_of_its_own_grammar(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = {
        form: run(capsys, "validate", str(files), "--format", form)[1]
        for form in ("json", "junit", "sarif", "operation-outcome")
    }
    assert [row["verdict"] for row in json.loads(out["json"])] == ["invalid", "valid"]
    cases = ET.fromstring(out["junit"].encode()).findall(".//testcase")
    assert [len(case.findall("failure")) for case in cases] == [1, 0]
    results = json.loads(out["sarif"])["runs"][0]["results"]
    assert [r["ruleId"] for r in results if r["level"] == "error"] == ["binding-required"]
    outcomes = [json.loads(line) for line in out["operation-outcome"].splitlines()]
    assert {o["resourceType"] for o in outcomes} == {"OperationOutcome"}
    assert outcomes[0]["issue"][0]["expression"] == ["Patient.gender"]


def test_an_operation_outcome_is_a_valid_resource(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "validate", str(files / "bad.json"), "--format", "operation-outcome")
    (files / "outcome.json").write_text(out, encoding="utf-8")
    assert run(capsys, "validate", str(files / "outcome.json"))[0] == 0


def test_nothing_to_validate_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "validate", str(tmp_path))[0] == 2


def test_values_are_shown_only_when_asked(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "bad.json").write_bytes(BAD.replace(b"femal", b"Quibble"))
    assert "Quibble" not in "".join(run(capsys, "validate", str(files / "bad.json"))[1:])
    assert "Quibble" in run(capsys, "validate", str(files / "bad.json"), "--show-values")[1]


# A value in each place that a message might be tempted to repeat.
SEEDED = [
    b'{"resourceType": "Patient", "birthDate": "Quibble"}',
    b'{"resourceType": "Patient", "active": "Quibble"}',
    b'{"resourceType": "Patient", "id": "Quibble Quibble"}',
    b'{"resourceType": "Patient", "name": [{"family": "Quibble", "family": "Quibble"}]}',
    b'{"resourceType": "Patient", "name": "Quibble"}',
    b'{"resourceType": "Patient", "identifier": [{"system": "https://zz.example.test/Quibble", "value": ""}]}',
    b'{"resourceType": "Patient", "text": {"status": "generated", "div": "<div>Quibble"}}',
    b'{"resourceType": "Patient", "maritalStatus": {"coding": [{"system": "Quibble", "code": "Quibble"}]}}',
    b'{"resourceType": "Patient", "managingOrganization": {"reference": "Patient/Quibble"}}',
    b'{"resourceType": "Patient", "photo": [{"contentType": "Quibble", "data": "Quibble!"}]}',
    b'{"resourceType": "Patient", "name": [{"family": "Quibble"}',
    b'<Patient xmlns="http://hl7.org/fhir"><gender value="Quibble"/><active>Quibble</active></Patient>',
    b'<Patient xmlns="http://hl7.org/fhir"><gender value="Quibble"',
]


@pytest.mark.parametrize("form", ["text", "json", "ndjson", "operation-outcome", "junit", "sarif"])
def test_no_format_repeats_a_value(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    for number, data in enumerate(SEEDED):
        (tmp_path / f"{number}.{'xml' if data.startswith(b'<') else 'json'}").write_bytes(data)
    code, out, err = run(capsys, "validate", str(tmp_path), "--format", form)
    assert code == 1
    assert [line for line in (out + err).splitlines() if "Quibble" in line] == []


def test_standard_input_is_an_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for data, expected in ((GOOD, 0), (BAD, 1), (b"", 1), (GOOD + b"\n" + BAD, 1)):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        code, out, _ = run(capsys, "validate", "-", "--format", "ndjson")
        assert (code, len(out.splitlines())) == (expected, max(1, len(data.splitlines()))), data


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [(KeyboardInterrupt(), 130, "interrupted"), (TypeError("Quibble"), 4, "our own fault: TypeError in stopped")],
)
def test_what_stops_it_has_its_exit_code_and_leaves_what_was_done(
    files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    fault: BaseException,
    code: int,
    words: str,
) -> None:
    judge, seen = Validator.validate, []

    def stopped(self: Validator, data: bytes, *arguments: Any) -> Report:
        seen.append(data)
        if len(seen) > 1:
            raise fault
        return judge(self, data, *arguments)

    monkeypatch.setattr(Validator, "validate", stopped)
    given = [str(files / "good.json"), str(files / "bad.json"), "--format", "ndjson"]
    ended, out, err = run(capsys, "validate", *given)
    assert (ended, [json.loads(line)["verdict"] for line in out.splitlines()]) == (code, ["valid"])
    assert words in err
    assert "Quibble" not in out + err


def test_lines_before_an_archive_breaks_off_are_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "many.ndjson.gz"
    lines = [GOOD[:-1] + b', "id": "%d"}' % number for number in range(5000)]
    whole = gzip.compress(b"\n".join(lines))
    path.write_bytes(whole[: len(whole) // 2])
    code, out, _ = run(capsys, "validate", str(path), "--format", "ndjson")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert {row["verdict"] for row in rows[:-1]} == {"valid"}
    assert 100 < len(rows) < 5000
    assert rows[-1]["findings"][0]["rule"] == "unreadable"


def test_must_support_is_shown_only_when_asked_for(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(files / "good.json"), "--package", "mpftconnect.ukcore-rules"]
    given += ["--profile", "https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient"]
    silent, asked = run(capsys, "validate", *given), run(capsys, "validate", *given, "--must-support")
    assert (silent[0], asked[0]) == (0, 0)
    assert "must-support" not in silent[1]
    assert "Patient.birthDate is absent, which the profile marks as must-support" in asked[1]


def test_help_says_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "validate", "--help")
    assert code == 0
    words = " ".join(out.split())
    for exit_code in ("0: every", "1: at least one", "2: this call", "3: none"):
        assert exit_code in words


def test_a_mistaken_call_says_what_is_wrong(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = run(capsys, "validate", str(files / "good.json"), "--package", "zz.nowhere")
    assert "zz.nowhere" in err
    _, _, err = run(capsys, "validate", str(files / "good.json"), "--option", "a=1", "--option", "b=1")
    assert "option a" in err
    assert "option b" in err


def test_packages_are_listed_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FHIR_PACKAGE_CACHE", str(tmp_path))
    folder = tmp_path / "zz.one#1.0.0" / "package"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"name": "zz.one", "version": "1.0.0", "dependencies": {"zz.two": "1.0.0"}}')
    listed = run(capsys, "packages", "list")[1]
    assert "hl7.fhir.r4.core@4.0.1  in this wheel (pruned)" in listed
    assert "zz.one@1.0.0" in listed
    assert "needs zz.two@1.0.0: missing" in run(capsys, "packages", "show", "zz.one")[1]
    assert run(capsys, "packages", "show", "zz.nowhere")[0] == 2
