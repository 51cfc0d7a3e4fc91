"""`mpftconnect document` and `mpftconnect plan`: numbers from standard input, private files, one exit-code table."""

from __future__ import annotations

import io
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mpftconnect import load_plugins
from mpftconnect.adapters import Fault
from mpftconnect.cli.app import commands
from mpftconnect.cli.exits import run
from mpftconnect.cli.sandbox_files import write_configuration
from mpftconnect.sandbox import Sandbox, person, seeded_values

NUMBER = "9990000018"
DOCUMENT, BY_PROXY = "nrl:DocumentReference/RRE-full-crisis", "nrl:DocumentReference/ZZ502-full-eol"
PLAN = "rio:CarePlan/full-mental-health-plan"
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(load_plugins(), only=["pds", "rio", "nrl"]) as running:
        running.twins["pds"].requests_per_second = 10_000  # type: ignore[attr-defined]
        yield running


@pytest.fixture
def configuration(sandbox: Sandbox, tmp_path: Path) -> Path:
    return write_configuration(sandbox, tmp_path / "configured")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, configuration: Path) -> Call:
    """Runs a command on the sandbox, the NHS number on standard input, and gives exit code, output and errors."""

    def call_(*arguments: str, stdin: str = NUMBER) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        everything = [*arguments, "--config", str(configuration), "--quiet"]
        code = run(lambda: commands.main(args=everything, prog_name="mpftconnect", standalone_mode=False))
        said = capsys.readouterr()
        return int(code), said.out, said.err

    return call_


def test_a_document_goes_into_a_file_of_the_users_alone(call: Call, tmp_path: Path) -> None:
    held = person("full").systems["nrl"].settings["documents"]
    for key in (DOCUMENT, BY_PROXY):
        out = tmp_path / "document"
        code, said, err = call("document", "-", key, "--out", str(out))
        assert (code, said) == (0, f"{len(out.read_bytes())} bytes, application/pdf, from nrl; as promised.\n")
        assert out.read_bytes() == held[key.partition(":")[2]]["data"]
        assert os.name != "posix" or stat.S_IMODE(out.stat().st_mode) == 0o600
        assert "warning" not in err
        assert [value for value in seeded_values(person("full")) if value in said + err] == []


def test_one_that_is_not_as_promised_is_written_and_not_met(call: Call, sandbox: Sandbox, tmp_path: Path) -> None:
    with sandbox.faults["nrl"].on(Fault.WRONG_DOCUMENT):
        code, said, _ = call("document", "-", DOCUMENT, "--out", str(tmp_path / "d"))
    assert code == 1
    assert "not as promised: it is of another type" in said
    assert (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("number", "key", "fault", "code", "words"),
    [
        (NUMBER, "nrl:DocumentReference/none", None, 1, "the record shows no such document"),
        ("9990000123", "nrl:DocumentReference/ZZ555-sh-plan", None, 1, "the record shows no such document"),
        ("9990000034", "nrl:DocumentReference/ZZ506-restricted-tern-island-refuge", None, 1, "no such document"),
        (NUMBER, DOCUMENT, Fault.SERVER_ERROR, 3, "status 503"),
        ("999 000 0019", DOCUMENT, None, 2, "check digit"),
        ("", DOCUMENT, None, 2, "no NHS number on standard input"),
    ],
)
def test_what_is_not_had_leaves_no_file(
    call: Call, sandbox: Sandbox, tmp_path: Path, number: str, key: str, fault: Fault | None, code: int, words: str
) -> None:
    sandbox.faults["nrl"].set(*([fault] if fault else []))
    try:
        got, _, err = call("document", "-", key, "--out", str(tmp_path / "d"), stdin=number)
    finally:
        sandbox.faults["nrl"].set()
    assert (got, (tmp_path / "d").exists()) == (code, False)
    assert words in err
    assert "Traceback" not in err
    assert not number or number not in err


def test_a_place_that_cannot_be_written_is_said_before_anybody_is_asked(call: Call, tmp_path: Path) -> None:
    code, _, err = call("document", "-", DOCUMENT, "--out", str(tmp_path / "no" / "d"))
    assert (code, "cannot be written" in err) == (2, True)


def test_a_plan_previewed_published_reviewed_and_withdrawn(call: Call, sandbox: Sandbox) -> None:
    code, said, _ = call("plan", "preview", "-", PLAN, "--json")
    shown = json.loads(said)
    assert (code, shown["action"], shown["writes_allowed"]) == (0, "create", True)
    code, said, _ = call("plan", "preview", "-", PLAN)
    assert said.startswith("nrl: a pointer would be sent (create), because the plan is active and not yet published.")
    assert '"resourceType": "DocumentReference"' in said
    code, said, _ = call("plan", "publish", "-", PLAN)
    assert (code, said) == (0, "nrl: published, because the plan is active and not yet published.\n")
    assert json.loads(sandbox.twins["nrl"].written[-1]) == shown["requests"][0]["body"]  # type: ignore[attr-defined]
    assert call("plan", "publish", "-", PLAN)[1].startswith("nrl: nothing was sent")
    code, said, _ = call("plan", "review", "-")
    assert (code, said.splitlines()[1]) == (0, "1 published plan looked at")
    with sandbox.faults["rio"].on(Fault.SERVER_ERROR):
        code, said, _ = call("plan", "review", "-")
    assert (code, "not looked at" in said) == (3, True)
    assert call("plan", "withdraw", "-", PLAN)[:2] == (0, "nrl: taken back, because somebody withdraws it.\n")
    assert call("plan", "review", "-")[1] == "0 published plans looked at\n"


def test_an_unknown_outcome_is_undecided_until_somebody_has_looked(call: Call, sandbox: Sandbox) -> None:
    with sandbox.faults["nrl"].on(Fault.LOST_ANSWER):
        code, _, err = call("plan", "publish", "-", PLAN)
    assert (code, "unknown, check" in err) == (3, True)
    assert call("plan", "publish", "-", PLAN)[0] == 3
    assert call("plan", "reconcile", "-", PLAN)[:2] == (0, "nrl: 1 pointer of this plan there\n")
    assert call("plan", "publish", "-", PLAN)[0] == 0
    call("plan", "withdraw", "-", PLAN)
    assert call("plan", "reconcile", "-", PLAN)[1] == "nrl: no pointer of this plan there\n"


def test_writes_that_are_off_are_refused(call: Call, configuration: Path) -> None:
    text = configuration.read_text(encoding="utf-8")
    configuration.write_text(text.replace("allow_writes = true", "allow_writes = false"), encoding="utf-8")
    code, _, err = call("plan", "publish", "-", PLAN)
    assert (code, "allow_writes" in err) == (1, True)
    assert "Writes are off" in call("plan", "preview", "-", PLAN)[1]


def test_writes_that_are_on_are_seen(call: Call) -> None:
    assert "writes to nrl are allowed" in "".join(call("doctor")[1:])
