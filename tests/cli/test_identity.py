"""`mpftconnect identity`, as functions and as processes of their own."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mpftconnect.cli.exits import Exit

NUMBER, OTHER = "9990000018", "9990000026"
Call = Callable[..., tuple[int, str, str]]
OFFICER = ("--role", "privacy-officer", "--user", "po", "--name", "Pat Officer")
SECOND = ("--role", "privacy-officer", "--user", "so", "--name", "Sam Officer")


@pytest.fixture
def config(configured: Path, tmp_path: Path) -> tuple[str, str]:
    """The sandbox's configuration with trails and decisions of this test's own."""
    path = tmp_path / "mpftconnect.toml"
    path.write_text(configured.read_text().replace(str(configured.parent / "state"), str(tmp_path / "state")))
    return ("--config", str(path))


def propose(
    call: Call, config: tuple[str, str], record: str, *more: str, kind: str = "unlink", stdin: str = NUMBER
) -> str:
    code, out, err = call(
        "identity", kind, "-", "--system", "rio", "--record", record, "--reason", "wrong person", *config, *more,
        stdin=stdin,
    )  # fmt: skip
    assert code == Exit.DONE, err
    assert NUMBER not in out + err
    return out.splitlines()[0]


def rio(call: Call, config: tuple[str, str]) -> dict[str, object]:
    code, out, _ = call("identity", "candidates", "-", *config, "--quiet", "--json", stdin=NUMBER)
    assert code == Exit.DONE
    (found,) = [row for line in out.splitlines() if (row := json.loads(line))["system"] == "rio"]
    return found


def test_from_finding_the_record_to_undoing_the_decision(call: Call, config: tuple[str, str]) -> None:
    before = rio(call, config)
    assert before["joins"] is True
    record = str(before["record"])
    id = propose(call, config, record)
    assert rio(call, config)["joins"] is True
    code, _, err = call("identity", "approve", id, *config, "--role", "privacy-officer")
    assert code == Exit.NOT_MET
    assert "second person" in err
    code, _, err = call("identity", "approve", id, *config, "--user", "nurse2")
    assert code == Exit.NOT_MET
    assert "privacy-officer alone" in err
    code, out, _ = call("identity", "approve", id, *config, *OFFICER)
    assert code == Exit.DONE
    assert "in-force" in out
    assert rio(call, config) == {"system": "rio", "record": record, "joins": False, "rule": "unlinked-by-decision"}
    code, out, _ = call("record", "-", *config, "--quiet", stdin=NUMBER)
    assert "decided not to be this person's record (proposed by Sandbox User, approved by Pat Officer" in out

    code, out, _ = call("identity", "list", *config, *OFFICER)
    assert code == Exit.DONE
    assert id in out
    assert "in-force" in out
    assert NUMBER not in out
    assert call("identity", "list", *config)[0] == Exit.NOT_MET
    code, out, _ = call("identity", "list", *config, *OFFICER, "--patient", "-", "--json", stdin=NUMBER)
    (row,) = [json.loads(line) for line in out.splitlines()]
    assert (row["state"], row["nhs_number"], row["record"]) == ("in-force", NUMBER, record)
    code, out, _ = call("identity", "list", *config, *OFFICER, "--patient", "-", stdin=OTHER)
    assert "0 decisions" in out
    code, out, _ = call("identity", "show", id, *config, *OFFICER)
    assert "999 000 0018" in out
    assert "wrong person" in out
    assert "approved  Pat Officer" in out

    code, out, _ = call("identity", "reverse", id, *config, *OFFICER, "--reason", "looked again")
    assert code == Exit.DONE
    assert rio(call, config)["joins"] is False
    assert call("identity", "approve", id, *config, *OFFICER)[0] == Exit.NOT_MET
    code, out, _ = call("identity", "approve", id, *config, *SECOND)
    assert code == Exit.DONE
    assert "reversed" in out
    assert rio(call, config)["joins"] is True


def test_the_audit_tells_of_every_step_and_of_the_account(call: Call, config: tuple[str, str]) -> None:
    id = propose(call, config, "1")
    call("identity", "approve", id, *config, *OFFICER)
    _, out, _ = call("audit", "show", *config, *OFFICER, "--json")
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert [event["type"]["code"] for event in events] == ["unlink", "unlink", "110101"]
    assert "@" in events[0]["agent"][2]["who"]["display"]
    assert "wrong person" not in out


def test_a_link_with_another_number_wants_it_from_both(call: Call, config: tuple[str, str]) -> None:
    id = propose(call, config, "-", "--other-number", "-", kind="link", stdin=f"{NUMBER}\n77\n{OTHER}\n")
    code, _, err = call("identity", "approve", id, *config, *OFFICER)
    assert code == Exit.NOT_MET
    assert OTHER not in err
    code, out, err = call("identity", "approve", id, *config, *OFFICER, "--other-number", "-", stdin=OTHER)
    assert code == Exit.DONE, err
    code, out, _ = call("identity", "show", id, *config, *OFFICER, "--json")
    shown = json.loads(out)
    assert (shown["record"], shown["other_number"]) == ("77", OTHER)
    code, out, _ = call("identity", "show", id, *config, *OFFICER)
    assert "though the system gives NHS 999 000 0026" in out


def test_a_proposal_is_rejected(call: Call, config: tuple[str, str]) -> None:
    id = propose(call, config, "1")
    code, out, _ = call("identity", "reject", id, *config)
    assert code == Exit.DONE
    assert "rejected" in out
    code, _, err = call("identity", "approve", id, *config, *OFFICER)
    assert code == Exit.USAGE
    assert "nothing is proposed" in err


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "said"),
    [
        (("unlink", "-", "--system", "rio", "--record", "1", "--reason", "x"), "", Exit.USAGE, "no NHS number"),
        (("unlink", "-", "--system", "rio", "--record", "1", "--reason", "x"), "9990000019", Exit.USAGE, "check digit"),
        (("unlink", "-", "--system", "no", "--record", "1", "--reason", "x"), NUMBER, Exit.USAGE, "no such system"),
        (("unlink", "-", "--record", "1"), NUMBER, Exit.USAGE, "--system"),
        (("unlink", "-", "--system", "rio", "--record", "1"), NUMBER, Exit.USAGE, "nothing on standard input"),
        (("approve", "none"), "", Exit.NOT_MET, "privacy-officer alone"),
        (("approve", "none", *OFFICER), "", Exit.USAGE, "no decision or proposal"),
        (("show", "none", *OFFICER), "", Exit.USAGE, "no decision or proposal"),
        (("purge", "--yes"), "", Exit.NOT_MET, "privacy-officer alone"),
    ],
)
def test_a_mistake_gets_a_sentence(
    call: Call, config: tuple[str, str], arguments: tuple[str, ...], stdin: str, code: int, said: str
) -> None:
    got, _, err = call("identity", *arguments, *config, stdin=stdin)
    assert (got, said in err) == (code, True), err
    assert "Traceback" not in err
    assert not stdin or stdin not in err


def test_what_is_typed_is_warned_of_where_it_holds_a_number(call: Call, config: tuple[str, str]) -> None:
    for record, warned in (("1", False), (f"Patient/{OTHER}", True)):
        _, _, err = call(
            "identity", "unlink", "-", "--system", "rio", "--record", record, "--reason", "x", *config, stdin=NUMBER
        )
        assert ("shell's history" in err) is warned
        assert OTHER not in err


def test_purge_and_erase(call: Call, config: tuple[str, str]) -> None:
    id = propose(call, config, "1")
    call("identity", "approve", id, *config, *OFFICER)
    code, _, err = call("identity", "erase", "-", "--yes", *config, *OFFICER, stdin=NUMBER)
    assert code == Exit.USAGE
    assert "in-force" in err
    call("identity", "reverse", id, *config, "--reason", "x")
    call("identity", "approve", id, *config, *OFFICER)
    assert call("identity", "purge", "--yes", *config, *OFFICER)[1] == "0 removed\n"
    assert call("identity", "erase", "-", "--yes", *config, *OFFICER, stdin=NUMBER)[1] == "1 removed\n"


def test_a_damaged_store_is_found_and_joins_nothing(call: Call, config: tuple[str, str], tmp_path: Path) -> None:
    assert call("identity", "verify", *config)[0] == Exit.DONE
    propose(call, config, "1")
    code, out, _ = call("identity", "verify", *config, "--json")
    assert (code, json.loads(out)["decisions"]) == (Exit.DONE, 1)
    with sqlite3.connect(tmp_path / "state" / "state" / "identity" / "decisions.sqlite") as db:
        db.execute("DELETE FROM decisions")
    db.close()
    code, out, _ = call("identity", "verify", *config)
    assert code == Exit.NOT_MET
    assert "NOT INTACT: seal-does-not-fit" in out
    assert "What this cannot see" in out
    assert rio(call, config)["rule"] == "identity-decisions-unsound"
    code, _, err = call("identity", "list", *config, *OFFICER)
    assert code == Exit.OUR_FAULT
    assert "cannot be believed" in err
    code, out, _ = call("record", "-", *config, "--quiet", "--require-complete", stdin=NUMBER)
    assert code == Exit.UNDECIDED


# As processes


def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    main = "from mpftconnect.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", main, *arguments], input=stdin, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_two_people_at_two_terminals_and_a_program_that_runs_meanwhile(
    call: Call, config: tuple[str, str], configured: Path
) -> None:
    from mpftconnect import AccessContext, connect

    who = AccessContext(
        user="u", name="N", role="nurse", organisation="RRE", purpose="direct-care", relationship="caseload"
    )
    with connect(config[1]) as hub:
        record = hub.record(NUMBER, who, sections=["allergies"])
        own = next(one.source.id for one in record.held_as if one.source.system == "rio")
        code, out, err = run(
            "identity", "unlink", "-", "--system", "rio", "--record", "-", *config, stdin=f"{NUMBER}\n{own}\nwrong\n"
        )
        assert code == Exit.DONE, err
        assert NUMBER not in out + err
        id = out.splitlines()[0]
        code, _, err = run("identity", "approve", id, *config)
        assert code == Exit.NOT_MET
        assert hub.record(NUMBER, who, sections=["allergies"]).unmatched == ()
        code, _, err = run("identity", "approve", id, *config, *OFFICER)
        assert code == Exit.DONE, err
        (apart,) = hub.record(NUMBER, who, sections=["allergies"]).unmatched
        assert (apart.system, apart.reason, apart.record) == ("rio", "unlinked-by-decision", own)
    assert run("audit", "verify", *config)[0] == Exit.DONE
