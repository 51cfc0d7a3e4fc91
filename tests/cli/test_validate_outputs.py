"""`mpftconnect validate`: what is printed stays whole, whatever the names, and whatever stops it."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import xml.etree.ElementTree as ET
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from mpftconnect.cli import main
from mpftconnect.cli.interrupting import whole_lines
from mpftconnect.cli.progress import Tally
from mpftconnect.validation import Options, Report, Validator
from mpftconnect.validation.inputs import Input
from mpftconnect.validation.outputs import FORMATS, document_of

GOOD = b'{"resourceType": "Patient", "gender": "female"}'
BAD = b'{"resourceType": "Patient", "gender": "femal"}'
OPEN = b'{"resourceType": "Patient", "meta": {"profile": ["https://zz.example.test/none"]}}'


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def parsed(form: str, out: str) -> Any:
    """What a reader of the form makes of it; fails if it is not well-formed."""
    if form == "junit":
        return ET.fromstring(out.encode())
    if form in ("json", "sarif"):
        return json.loads(out)
    return out.splitlines() if form == "text" else [json.loads(line) for line in out.splitlines()]


HOSTILE = [
    "a b#c?d%41.json",
    "q\"u<o>t&e'.json",
    "line\nvalid: forged.json",
    "red\x1b[31m.json",
    "back\u202ewards.json",
    "sch:eme.json",
]


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    names: list[str | bytes] = [*HOSTILE]
    if sys.platform == "linux":
        names.append(b"not-utf8-\xff.json")
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(BAD)
    return tmp_path


@pytest.mark.skipif(os.name == "nt", reason="such names are not allowed there")
@pytest.mark.parametrize("form", FORMATS)
def test_no_name_breaks_a_document_or_forges_a_line(
    hostile: Path, capsys: pytest.CaptureFixture[str], form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(hostile)
    count = len(list(hostile.iterdir()))
    code, out, _ = run(capsys, "validate", ".", "--format", form)
    assert code == 1
    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", out) is None
    made = parsed(form, out)
    if form == "text":
        heads = [line for line in made if not line.startswith("  ")]
        assert len(heads) == count + 1
        assert all(head.endswith("invalid: 1 errors") for head in heads[:-1])
        assert any(head.startswith("line\\x0avalid: forged.json: ") for head in heads)
    elif form == "json":
        names = [row["input"] for row in made]
        assert set(HOSTILE) <= set(names) and len(set(names)) == count
        assert sys.platform != "linux" or "not-utf8-\\udcff.json" in names
    elif form == "junit":
        assert len({case.get("name") for case in made.iter("testcase")}) == count
    elif form == "sarif":
        uris = {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in made["runs"][0]["results"]}
        assert all(re.fullmatch(r"[A-Za-z0-9._~/%-]+", uri) for uri in uris), "RFC 3986 characters only"
        assert {os.fsencode(unquote(uri, errors="surrogateescape")) for uri in uris} == {
            os.fsencode(path.name) for path in hostile.iterdir()
        }
    else:
        assert len(made) == count


def test_an_absolute_path_is_a_file_address_in_sarif(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a b.json"
    path.write_bytes(BAD)
    result = parsed("sarif", run(capsys, "validate", str(path), "--format", "sarif")[1])["runs"][0]["results"][0]
    uri = urlsplit(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
    assert (uri.scheme, unquote(uri.path)) == ("file", path.as_posix())


@pytest.mark.parametrize("form", FORMATS)
def test_without_an_input_a_document_is_whole_and_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    code, out, err = run(capsys, "validate", str(tmp_path), "--format", form)
    assert code == 2
    assert "nothing to validate" in err
    made = parsed(form, out)
    if form == "sarif":
        assert made["runs"][0]["results"] == []
    elif form == "text":
        assert made == ["0 inputs: 0 valid, 0 invalid, 0 undecided"]
    else:
        assert len(made) == (1 if form == "junit" else 0)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("done", [0, 1, 2])
@pytest.mark.parametrize(("fault", "ends"), [(KeyboardInterrupt(), 130), (TypeError("Quibble"), 4)])
def test_what_stops_it_leaves_a_whole_document(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    form: str,
    done: int,
    fault: BaseException,
    ends: int,
) -> None:
    for name in "abc":
        (tmp_path / f"{name}.json").write_bytes(BAD)
    judge, seen = Validator.validate, []

    def stopped(self: Validator, data: bytes, *arguments: Any) -> Report:
        if len(seen) == done:
            raise fault
        seen.append(data)
        return judge(self, data, *arguments)

    monkeypatch.setattr(Validator, "validate", stopped)
    code, out, err = run(capsys, "validate", str(tmp_path), "--format", form)
    assert code == ends
    assert "Quibble" not in out + err
    made = parsed(form, out)
    if form == "text":
        assert made[-1] == f"not finished: {done} inputs: 0 valid, {done} invalid, 0 undecided"
    elif form == "junit":
        assert len(list(made.iter("testcase"))) == done
        assert [e.text for e in made.iter("system-err")] == ["not finished: further inputs were not judged"]
    elif form == "sarif":
        assert made["runs"][0]["invocations"] == [{"executionSuccessful": False}]
        assert len([r for r in made["runs"][0]["results"] if r["level"] == "error"]) == done
    else:
        assert len(made) == done


@pytest.mark.parametrize("form", FORMATS)
def test_each_report_is_written_before_the_next_input_is_read(form: str) -> None:
    document = document_of(form)
    report = Validator().validate(BAD)
    first = "\n".join(document.lines_of((Input("a.json"), report)))
    assert "Patient.gender" in first
    second = "\n".join(document.lines_of((Input("b.json"), report)))
    parsed(form, "\n".join([first, second, *document.end()]))


def test_an_interruption_waits_for_the_end_of_a_line_but_a_second_does_not() -> None:
    written = []
    with pytest.raises(KeyboardInterrupt), whole_lines() as lines:
        with lines.writing():
            written.append("begun")
            signal.raise_signal(signal.SIGINT)
            written.append("ended")
        written.append("next")
    assert written == ["begun", "ended"]
    with pytest.raises(KeyboardInterrupt), whole_lines() as lines, lines.writing():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        written.append("never")
    assert written == ["begun", "ended"]
    with pytest.raises(KeyboardInterrupt), whole_lines():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_was_not_checked_is_no_silence_in_the_forms_of_build_servers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "open.json").write_bytes(OPEN)
    results = parsed("sarif", run(capsys, "validate", str(tmp_path), "--format", "sarif")[1])["runs"][0]["results"]
    said = [r["message"]["text"] for r in results if (r["ruleId"], r["level"]) == ("not-checked", "warning")]
    assert len(said) == 1 and said[0].startswith("Patient.meta.profile[0] was not checked (profile-unknown): ")
    case = parsed("junit", run(capsys, "validate", str(tmp_path), "--format", "junit")[1]).find(".//testcase")
    assert case.find("skipped") is not None
    (tmp_path / "open.json").write_bytes(GOOD)
    case = parsed("junit", run(capsys, "validate", str(tmp_path), "--format", "junit")[1]).find(".//testcase")
    assert case.find("system-out").text == "structurally valid; not clinically validated; 0 codes not checked"


# -- progress and mistakes


def test_progress_is_told_by_time_and_only_where_it_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    for shown in (False, True):
        tally = Tally(shown=shown, clock=lambda: now[0])
        for number in range(50):
            now[0] += 0.125
            tally.begin("a.json", 100)
            tally.count("invalid" if number % 2 else "valid")
        tally.begin("large.json", 32 * 1024 * 1024)
        err = capsys.readouterr().err.splitlines()
        assert err == (
            [
                "  16 inputs judged: 8 invalid, 0 undecided ...",
                "  32 inputs judged: 16 invalid, 0 undecided ...",
                "  48 inputs judged: 24 invalid, 0 undecided ...",
                "  judging large.json (32 MiB) ...",
            ]
            if shown
            else []
        )


@pytest.mark.parametrize(
    ("arguments", "terminal", "shown"),
    [([], False, False), ([], True, True), (["--no-progress"], True, False), (["--progress"], False, True),
     (["-q"], True, False), (["-q", "--progress"], True, False)],
)  # fmt: skip
def test_progress_is_for_terminals_unless_it_is_asked_for(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    terminal: bool,
    shown: bool,
) -> None:
    (tmp_path / "good.json").write_bytes(GOOD)
    monkeypatch.setattr("mpftconnect.cli.progress._SECONDS", 0.0)
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: terminal, raising=False)
    code, _, err = run(capsys, "validate", str(tmp_path), *arguments)
    assert code == 0
    assert ("1 inputs judged" in err) is shown


def test_help_lists_every_policy(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "validate", "--help")
    listed = out.partition("Policies")[2]
    assert code == 0
    assert {field.name for field in fields(Options)} <= set(re.findall(r"[a-z0-9_]+", listed))


def test_a_larger_input_than_is_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "large.json").write_bytes(b" " * (1024 * 1024 + 1))
    code, out, _ = run(capsys, "validate", str(tmp_path / "large.json"), "--largest", "1", "--format", "ndjson")
    assert code == 1
    assert json.loads(out)["findings"][0]["message"] == "is larger than 1048576 bytes"
    assert run(capsys, "validate", str(tmp_path), "--largest", "0")[0] == 2


def test_a_mistaken_option_is_said_before_anything_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good.json").write_bytes(GOOD)
    for given, words in {
        "unknwon_profile=error": "did you mean unknown_profile?",
        "check_display=loud": "option check_display: expected one of error, warning, ignore",
        "=true": "option : there is no such option",
        "examples": "",
    }.items():
        code, out, err = run(capsys, "validate", str(tmp_path), "--format", "json", "--option", given)
        assert code == (2 if words else 0)
        assert words in err and (out == "") is bool(words)
    twice = ["--option", "examples=true", "--option", "examples=false"]
    code, _, err = run(capsys, "validate", str(tmp_path), *twice)
    assert code == 2 and "option examples: is given more than once" in err
    both = ["--option", "allowed_extension_domain=https://a.test", "--option", "allowed_extension_domain=any"]
    assert run(capsys, "validate", str(tmp_path), *both)[0] == 0
    code, out, err = run(
        capsys, "validate", str(tmp_path), "--format", "json", "--profile", "https://zz.example.test/p"
    )
    assert (code, out) == (2, "")
    assert "profile https://zz.example.test/p is in no loaded package" in err
