"""The command line as a newcomer meets it: help, answers, exit codes, and no traceback for a mistake."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from mpftconnect.cli.app import commands
from mpftconnect.cli.exits import Exit, run
from mpftconnect.errors import AuditUnavailable, ConfigurationError, IncompleteRecord, PersonUnknown, SystemFailed
from mpftconnect.hub import Record

NUMBER = "9990000018"
Call = Callable[..., tuple[int, str, str]]


def tree(group: click.Group, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*prefix, name)
        if isinstance(command, click.Group):
            yield from tree(command, (*prefix, name))


def test_every_command_of_the_contract_is_there() -> None:
    names = {" ".join(path) for path in tree(commands)}
    assert {
        "demo", "plugins", "doctor", "record", "find", "sandbox up", "audit show", "audit verify", "audit affected",
        "data-map", "new-adapter",
    } <= names  # fmt: skip


@pytest.mark.parametrize("path", [(), *tree(commands)], ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...], call: Call) -> None:
    code, out, _ = call(*path, "--help")
    assert code == Exit.DONE
    assert out.startswith("Usage: mpftconnect")
    assert len(out.splitlines()) > 4


def test_a_record_from_standard_input(call: Call) -> None:
    code, out, err = call("record", "-", "--sandbox", stdin=f"{NUMBER}\n")
    assert code == Exit.DONE
    assert "NHS 999 000 0018" in out
    assert "Crisis plan" in out
    assert "synthetic: answered" in err
    assert NUMBER not in err


def test_a_number_as_argument_is_taken_with_a_warning(call: Call) -> None:
    code, out, err = call("record", NUMBER, "--sandbox", "--quiet", "--section", "allergies", "--json")
    assert code == Exit.DONE
    assert "stays in your shell's history" in err
    record = Record.from_json(out)
    assert len(record.allergies) > 0
    assert record.problems.status == "not-asked"


def test_the_bundle_and_the_page(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("record", "-", "--sandbox", "--quiet", "--fhir", stdin=NUMBER)
    assert code == Exit.DONE
    assert json.loads(out)["resourceType"] == "Bundle"
    page = tmp_path / "record.html"
    code, _, err = call("record", "-", "--sandbox", "--quiet", "--html", str(page), stdin=NUMBER)
    assert code == Exit.DONE
    assert "patient data" in err
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "said"),
    [
        (("record", "-", "--sandbox"), "", Exit.USAGE, "no NHS number on standard input"),
        (("record", "-", "--sandbox"), "9990000019", Exit.USAGE, "check digit"),
        (("record", "-", "--sandbox"), "9990009996", Exit.NOT_MET, "knows no person"),
        (("record", "-", "--sandbox", "--identifier", "x"), "", Exit.USAGE, "SYSTEM|VALUE"),
        (("record", "-", "--sandbox", "--section", "secrets"), "", Exit.USAGE, "Invalid value"),
        (("record", "-", "--sandbox", "--config", "x.toml"), NUMBER, Exit.USAGE, "not both"),
        (("record", "-", "--config", "no-such.toml"), NUMBER, Exit.USAGE, "there is no such file"),
        (("record", "-", "--sandbox", "--relationship", "break-glass"), NUMBER, Exit.NOT_MET, "needs a reason"),
        (("find", "--sandbox", "--family", "X", "--born", "1-1-50"), "", Exit.USAGE, "not a FHIR date"),
        (("doctor", "nobody", "--sandbox"), "", Exit.USAGE, "no configured system nobody"),
        (("sandbox", "up", "--fault", "rio=rude"), "", Exit.USAGE, "no such fault"),
        (("new-adapter", "Not A Name"), "", Exit.USAGE, "lower-case"),
        (("no-such-command",), "", Exit.USAGE, "No such command"),
        (("record", "--no-such-option"), "", Exit.USAGE, "No such option"),
    ],
)
def test_a_mistake_gets_a_sentence_and_no_traceback(
    call: Call, arguments: tuple[str, ...], stdin: str, code: int, said: str
) -> None:
    got, _out, err = call(*arguments, stdin=stdin)
    assert got == code
    assert said in err
    assert "Traceback" not in err
    assert not stdin or stdin.strip() not in err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError(["a", "b"]), Exit.USAGE),
        (PersonUnknown("x"), Exit.NOT_MET),
        (IncompleteRecord("x"), Exit.UNDECIDED),
        (SystemFailed("x"), Exit.UNDECIDED),
        (AuditUnavailable("x"), Exit.OUR_FAULT),
        (ZeroDivisionError("Wolfenstein"), Exit.OUR_FAULT),
        (KeyboardInterrupt(), Exit.INTERRUPTED),
        (click.exceptions.Abort(), Exit.INTERRUPTED),
    ],
)
def test_one_exit_code_table(error: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise error

    assert run(fail) == code
    err = capsys.readouterr().err
    assert "Wolfenstein" not in err
    assert "Traceback" not in err


def test_find(call: Call) -> None:
    code, out, _ = call(
        "find", "--sandbox", "--quiet", "--family", "Threlkeld", "--given", "Rosalind", "--born", "1951-03-12",
        "--gender", "female",
    )  # fmt: skip
    assert code == Exit.DONE
    assert "999 000 0018" in out
    code, out, _ = call("find", "--sandbox", "--quiet", "--family", "Nobodyatall", "--born", "1951-03-12",
                        "--gender", "female", "--json")  # fmt: skip
    assert code == Exit.DONE
    assert json.loads(out) == {"people": [], "complete": True, "gaps": []}


def test_plugins(call: Call) -> None:
    code, out, _ = call("plugins", "--json")
    assert code == Exit.DONE
    rows = {row["name"]: row for row in json.loads(out)}
    assert rows["rio"]["adapters"][0]["assumed"] is True
    assert "published examples" in rows["pds"]["adapters"][0]["tried_against"]
    code, out, _ = call("plugins", "--capabilities")
    assert "read_allergies: full" in out


def test_doctor(call: Call, configured: Path) -> None:
    code, out, _ = call("doctor", "--config", str(configured))
    assert code == Exit.DONE, out
    assert out.count("ok    DNS") == 3
    assert "a seed and is incomplete" in out
    broken = configured.with_name("broken.toml")
    broken.write_text(configured.read_text().replace("http://127.0.0.1", "http://no-such-host.invalid"))
    code, out, _ = call("doctor", "--config", str(broken), "--json")
    assert code == Exit.NOT_MET
    steps = [said for line in out.splitlines() if "step" in (said := json.loads(line))]
    assert [s["step"] for s in steps if not s["ok"]] == ["DNS", "DNS", "DNS"]
    assert all("check" in s["advice"] for s in steps if not s["ok"])
    assert {s["step"] for s in steps if s["ok"]} == {"agreement"}


def test_the_audit_from_reading_to_who_was_shown_it(call: Call, configured: Path) -> None:
    config = ("--config", str(configured))
    code, _, _ = call("record", "-", *config, "--quiet", "--section", "allergies", stdin=NUMBER)
    assert code == Exit.DONE
    code, out, _ = call("audit", "verify", *config)
    assert code == Exit.DONE
    assert "intact" in out
    assert "What this cannot see:" in out
    code, out, err = call("audit", "show", *config)
    assert code == Exit.NOT_MET
    assert "NHS" not in out
    officer = ("--role", "privacy-officer", "--user", "po", "--name", "Pat Officer")
    code, out, _ = call("audit", "show", *config, *officer)
    assert code == Exit.DONE
    assert "Sandbox User" in out
    code, out, _ = call("audit", "show", *config, *officer, "--json", "--patient", "-", stdin=NUMBER)
    assert [json.loads(line)["event"]["resourceType"] for line in out.splitlines()]
    code, out, _ = call("audit", "affected", *config, *officer, "--source", "rio")
    assert code == Exit.DONE
    assert "Sandbox User (community-nurse, RRE)" in out
    code, out, _ = call("audit", "affected", *config, *officer, "--source", "nobody")
    assert "0 showings" in out
    code, _, err = call("audit", "show", *config, *officer, "--since", "soon")
    assert code == Exit.USAGE
    assert "--since" in err
    code, out, _ = call("audit", "purge", *config, "--yes")
    assert "0 entries removed" in out


def test_a_trail_that_was_changed_is_not_met(call: Call, configured: Path) -> None:
    import sqlite3

    config = ("--config", str(configured))
    call("record", "-", *config, "--quiet", "--section", "allergies", stdin=NUMBER)
    store = configured.parent / "state" / "audit" / "trail.sqlite"
    with sqlite3.connect(store) as connection:
        table = connection.execute("select name from sqlite_master where type='table' and name like 'entr%'").fetchone()
        connection.execute(f"delete from {table[0]} where rowid = 1")
    connection.close()
    code, out, _ = call("audit", "verify", *config)
    assert code == Exit.NOT_MET
    assert "NOT INTACT" in out


def test_data_map(call: Call, configured: Path) -> None:
    code, out, _ = call("data-map", "--config", str(configured))
    assert code == Exit.DONE
    assert str(configured.parent) in out
    assert "NOT encrypted" in out
    code, out, _ = call("data-map", "--json")
    assert all(set(row) >= {"name", "where", "holds", "retention", "erasure"} for row in json.loads(out))


def test_sandbox_up_prints_how_to_use_it(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("sandbox", "up", "--seconds", "0.1", "--only", "synthetic", "--write-config", str(tmp_path))
    assert code == Exit.DONE
    assert "/_sandbox/faults" in out
    assert NUMBER in out
    assert 'environment = "test"' in (tmp_path / "mpftconnect.toml").read_text()
    assert "value" not in (tmp_path / "mpftconnect.toml").read_text()


def test_what_pushes_is_not_in_the_configuration_that_nothing_is_sent_to(call: Call, tmp_path: Path) -> None:
    assert call("sandbox", "up", "--seconds", "0.1", "--write-config", str(tmp_path))[0] == Exit.DONE
    table = tomllib.loads((tmp_path / "mpftconnect.toml").read_text())
    assert "pds" in table["systems"] and "acute" not in table["systems"] and "inbox" not in table


def test_the_demo(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("demo", "--out", str(tmp_path / "demo"))
    assert code == Exit.DONE
    assert out.startswith("DEMONSTRATION")
    chapters = out.split("\n\n1. ")[1]
    full, conflicting, restricted, border = re.split(r"\n\n[234]\. ", chapters)
    assert "Single care plan, from" in full
    assert "RAVENSBOURNE" in conflicting
    assert "nothing that could reveal a location is shown" in restricted
    assert "nothing that could reveal" not in border
    assert "Treat the person as allergic until this is settled" in border
    assert "intact" in out
    folder = tmp_path / "demo"
    assert "UKC-12 Failed" in out
    report = (folder / "conformance" / "report.html").read_text(encoding="utf-8")
    assert "DEMONSTRATION: says nothing about any product" in report and "Musts that failed" in report
    assert json.loads((folder / "record.json").read_text())["type"] == "collection"
    pages = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.html")}
    assert set(pages) == {"systems.html", "record.html"} | {
        f"record-{role}.html" for role in ("conflicting", "restricted", "cross-border")
    }
    assert all("DEMONSTRATION: says nothing" in page for page in pages.values())
