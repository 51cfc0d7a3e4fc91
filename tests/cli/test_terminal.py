"""The command line as a real process: pipes that close, terminals of few letters, keys pressed twice, files refused."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.output import check_writable, printable, write_private
from mpftconnect.errors import UsageError

NUMBER = "9990000018"
# A shell starts what runs in the background with Ctrl-C ignored, and that would be inherited from the test run.
MAIN = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from mpftconnect.cli import main; main()"
)


@contextmanager
def start(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    ) as process:
        try:
            yield process
        finally:
            # Nothing if it has ended; else a test that failed would wait for it for ever.
            process.kill()


def run(*arguments: str, stdin: bytes = b"", **environment: str) -> tuple[int, bytes, bytes]:
    with start(*arguments, **environment) as process:
        out, err = process.communicate(stdin, timeout=60)
    return process.returncode, out, err


def test_a_reader_who_leaves_is_no_error() -> None:
    with start("record", "-", "--sandbox", "--quiet", "--fhir") as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(NUMBER.encode())
        process.stdin.close()
        process.stdout.read(1)
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(60) == Exit.DONE
    assert err == b""


def test_json_is_json_and_text_is_text_on_a_terminal_of_few_letters() -> None:
    plain = run("record", "-", "--sandbox", "--quiet", stdin=NUMBER.encode(), PYTHONIOENCODING="ascii")
    assert plain[0] == Exit.DONE
    assert plain[1].isascii()
    assert b"Never" in plain[1] or b"never" in plain[1]
    code, out, _ = run("record", "-", "--sandbox", "--quiet", "--json", stdin=NUMBER.encode(), PYTHONIOENCODING="ascii")
    assert code == Exit.DONE
    assert json.loads(out)["identity_confirmed"] is True


@pytest.mark.parametrize("stdin", [b"", b"\xff\xfe\n"])
def test_standard_input_that_says_nothing(stdin: bytes) -> None:
    code, _, err = run("record", "-", "--sandbox", "--quiet", stdin=stdin, PYTHONIOENCODING="utf-8:strict")
    assert code == Exit.USAGE
    assert b"no NHS number on standard input" in err


@pytest.mark.parametrize("command", ["record", "find"])
def test_a_question_that_nobody_is_there_to_answer(command: str) -> None:
    code, _, err = run(command, "--sandbox", "--quiet")
    assert code == Exit.USAGE
    assert b"nothing on standard input" in err


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a POSIX signal")
def test_ctrl_c_twice_stops_the_sandbox() -> None:
    with start("sandbox", "up", "--only", "synthetic", PYTHONUNBUFFERED="1") as process:
        assert process.stdout
        while b"Ctrl-C stops it" not in (line := process.stdout.readline()):
            assert line
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (Exit.DONE, Exit.INTERRUPTED)
        assert process.stderr
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
def test_what_is_written_is_its_owners_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("old and long")
    page.chmod(0o644)
    write_private(page, "new")
    assert page.read_text() == "new"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_is_said_before_anybody_is_asked(tmp_path: Path) -> None:
    code, _, err = run("record", "-", "--sandbox", "--html", str(tmp_path / "no" / "x.html"), stdin=NUMBER.encode())
    assert code == Exit.USAGE
    assert b"cannot be written" in err
    assert b"reading" not in err
    for refused in (tmp_path, tmp_path / "no" / "x"):
        with pytest.raises(UsageError, match="cannot be written"):
            check_writable(refused)
    check_writable(tmp_path / "new")
    with pytest.raises(UsageError, match="cannot be written"):
        write_private(tmp_path, "x")
    (tmp_path / "file").write_text("")
    for command in (("demo", "--out"), ("sandbox", "up", "--seconds", "0.1", "--only", "synthetic", "--write-config")):
        code, _, err = run(*command, str(tmp_path / "file" / "below"))
        assert code == Exit.USAGE, err
        assert b"cannot be" in err


def test_text_cannot_steer_the_terminal() -> None:
    hostile = "dose \x1b[8m5\x9b2J \u202e mg\u2066 \x00\x07\r\n\tnext é"
    assert printable(hostile) == "dose �[8m5�2J � mg� ���\n\tnext é"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("record", "-", "--json", "--fhir"), b"not both"),
        (("record", NUMBER, "--identifier", "a|b", "--sandbox"), b"not both"),
        (("record", "-", "--sandbox", "--deadline", "inf"), b"deadline"),
        (("record", "-", "--sandbox", "--deadline", "nan"), b"deadline"),
    ],
)
def test_options_that_cannot_be_meant(arguments: tuple[str, ...], said: bytes) -> None:
    code, _, err = run(*arguments, stdin=NUMBER.encode())
    assert code == Exit.USAGE
    assert said in err


def test_what_is_the_patients_is_warned_of_on_the_command_line() -> None:
    code, _, err = run("record", "--identifier", "urn:nowhere|1", "--sandbox", "--quiet")
    assert code == Exit.NOT_MET
    assert b"shell's history" in err
    code, _, err = run("find", "--sandbox", "--quiet", "--family", "X", "--born", "1950-01-01", "--gender", "male")
    assert code == Exit.DONE
    assert b"shell's history" in err
    code, _, err = run("find", "--sandbox", "--quiet", "--gender", "male", stdin=b"X\n1950-01-01\n")
    assert code == Exit.DONE
    assert b"shell's history" not in err
