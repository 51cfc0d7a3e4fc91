"""`mpftconnect governance` and `mpftconnect audit break-glass`, as functions and as processes of their own."""

from __future__ import annotations

import csv
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.output import write_private_lines
from mpftconnect.errors import UsageError

NUMBER = "9990000018"
Call = Callable[..., tuple[int, str, str]]
Config = tuple[str, str]
OFFICER = ("--role", "privacy-officer", "--user", "po", "--name", "=Pat Officer")
EXPIRES = 'expires = "2099-12-31"'


@pytest.fixture
def config(configured: Path, tmp_path: Path) -> Config:
    """The sandbox's configuration with trails and decisions of this test's own."""
    text = configured.read_text().replace(str(configured.parent / "state"), str(tmp_path / "state"))
    assert text.count(EXPIRES) == 3
    path = tmp_path / "mpftconnect.toml"
    path.write_text(text)
    return ("--config", str(path))


def ending(config: Config, *days: int) -> None:
    """Let the agreements end in so many days, in the order of the file."""
    path = Path(config[1])
    text = path.read_text()
    for left in days:
        text = text.replace(EXPIRES, f'expires = "{date.today() + timedelta(days=left)}"', 1)
    path.write_text(text)


def use_everything(call: Call, config: Config) -> None:
    section = ("--section", "allergies", "--quiet")
    call("record", "-", *config, *section, stdin=NUMBER)
    for n in range(2):
        call("record", "-", *config, *section, "--relationship", "break-glass", "--reason", f"Wolfenstein {n}",
             stdin=NUMBER)  # fmt: skip
    unlink = ("identity", "unlink", "-", "--system", "rio", "--record", "1", "--reason", "Wolfenstein")
    code, out, _ = call(*unlink, *config, stdin=NUMBER)
    assert code == Exit.DONE
    assert call("identity", "approve", out.splitlines()[0], *config, *OFFICER)[0] == Exit.DONE


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_registers_hold_what_happened_and_nobody_who_it_happened_to(
    call: Call, config: Config, tmp_path: Path
) -> None:
    use_everything(call, config)
    out = tmp_path / "registers"
    code, said, err = call("governance", "register", "--out", str(out), *config, *OFFICER)
    assert code == Exit.DONE, err
    assert sorted(path.name for path in out.iterdir()) == ["agreements.csv", "asset-register.csv", "caldicott-log.csv"]
    assert "3 rows" in said
    log = rows(out / "caldicott-log.csv")
    assert [row["kind"] for row in log] == [
        *("disclosure",) * 3, "identity-override", "identity-override", "break-glass", "break-glass",
    ]  # fmt: skip
    assert log[4]["name"] == "'=Pat Officer"
    assert all(int(row["items_shown"]) > 0 for row in log[:3])
    assert {row["system"] for row in rows(out / "agreements.csv")} == {"pds", "rio", "synthetic"}
    assets = rows(out / "asset-register.csv")
    assert {"audit trail", "identity decisions", "rio"} <= {row["asset"] for row in assets}
    text = "".join(path.read_text(encoding="utf-8") for path in out.iterdir())
    for value in (NUMBER, "Wolfenstein", "Threlkeld", "Patient/"):
        assert value not in text
    if os.name == "posix":
        assert stat.S_IMODE(out.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}

    code, _, _ = call("governance", "register", "--out", str(out), "--format", "json", *config, *OFFICER)
    assert code == Exit.DONE
    assert [row["kind"] for row in json.loads((out / "caldicott-log.json").read_text())] == [row["kind"] for row in log]
    # A period in which nothing happened is an empty register, and still one.
    code, _, _ = call("governance", "register", "--out", str(out), "--to", "2020-01-01", *config, *OFFICER)
    assert rows(out / "caldicott-log.csv") == []
    assert (out / "caldicott-log.csv").read_text().startswith("trail,entry,at")
    call("governance", "register", "--out", str(out), "--to", "2020-01-01", "--format", "json", *config, *OFFICER)
    assert json.loads((out / "caldicott-log.json").read_text()) == []


def test_who_may_not_read_both_trails_gets_no_file(call: Call, config: Config, tmp_path: Path) -> None:
    out = tmp_path / "registers"
    assert call("governance", "register", "--out", str(out), *config)[0] == Exit.NOT_MET
    path = Path(config[1])
    path.write_text(path.read_text().replace("[privacy]\n", '[privacy]\nreaders = ["somebody-else"]\n'))
    code, _, err = call("governance", "register", "--out", str(out), *config, *OFFICER)
    assert (code, "somebody-else alone" in err) == (Exit.NOT_MET, True)
    assert not out.exists()


def test_a_trail_that_cannot_be_read_to_its_end_leaves_no_half_register(
    call: Call, config: Config, tmp_path: Path
) -> None:
    use_everything(call, config)
    out = tmp_path / "registers"
    assert call("governance", "register", "--out", str(out), *config, *OFFICER)[0] == Exit.DONE
    before = (out / "caldicott-log.csv").read_bytes()
    (tmp_path / "state" / "audit" / "trail.sqlite").write_bytes(b"junk" * 999)
    code, _, err = call("governance", "register", "--out", str(out), *config, *OFFICER)
    assert (code, "cannot be read to its end" in err) == (Exit.OUR_FAULT, True)
    assert (out / "caldicott-log.csv").read_bytes() == before
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []


def test_a_folder_or_file_that_cannot_be_written_is_a_mistake(call: Call, config: Config, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        assert call("governance", "register", "--out", str(out), *config, *OFFICER)[0] == Exit.USAGE
    (tmp_path / "x").mkdir()
    with pytest.raises(UsageError, match="cannot be written"):
        write_private_lines(tmp_path / "x", ["a"])
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_what_runs_out(call: Call, config: Config) -> None:
    code, out, _ = call("governance", "due", *config)
    assert (code, out) == (Exit.DONE, "Nothing runs out within 90 days.\n")
    ending(config, 40, -1)
    code, out, _ = call("governance", "due", *config)
    assert code == Exit.NOT_MET
    first, second = out.splitlines()
    assert "over since" in first
    assert "the system is not asked" in first
    assert "40 days left" in second
    assert len(call("governance", "due", "--days", "30", *config)[1].splitlines()) == 1
    call("identity", "unlink", "-", "--system", "rio", "--record", "1", "--reason", "x", *config, stdin=NUMBER)
    code, out, _ = call("governance", "due", "--days", "30", "--json", *config)
    found = [json.loads(line) for line in out.splitlines()]
    assert [(row["what"], row["days_left"]) for row in found] == [("agreement", -1), ("identity-proposal", 3)]
    assert NUMBER not in out


def test_what_could_not_be_looked_at_is_undecided(call: Call, config: Config, tmp_path: Path) -> None:
    call("identity", "unlink", "-", "--system", "rio", "--record", "1", "--reason", "x", *config, stdin=NUMBER)
    (tmp_path / "state" / "state" / "identity" / "decisions.sqlite").unlink()
    code, _, err = call("governance", "due", *config)
    assert code == Exit.UNDECIDED
    assert "store-missing" in err
    path = Path(config[1])
    (tmp_path / "client.pem").write_text("no certificate")
    path.write_text(path.read_text().replace("[systems.rio]\n", '[systems.rio]\nclient_certificate = "client.pem"\n'))
    code, _, err = call("governance", "due", *config)
    assert (code, "client certificate cannot be read" in err) == (Exit.UNDECIDED, True)


def test_a_client_certificate_that_ends_is_due(call: Call, config: Config, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name, now = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 7, now, now + timedelta(days=20))
    (tmp_path / "client.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    path = Path(config[1])
    path.write_text(path.read_text().replace("[systems.rio]\n", '[systems.rio]\nclient_certificate = "client.pem"\n'))
    code, out, _ = call("governance", "due", *config)
    assert (code, "client certificate client.pem (rio): until" in out) == (Exit.NOT_MET, True)
    assert call("governance", "due", "--days", "10", *config)[0] == Exit.DONE


def test_doctor_names_an_agreement_that_ends_and_one_that_has_ended(call: Call, config: Config) -> None:
    ending(config, 40)
    code, out, _ = call("doctor", *config, "--quiet")
    assert code == Exit.DONE
    assert "40 days left: renew it" in out
    ending(config, -1)
    code, out, _ = call("doctor", *config, "--quiet", "--json")
    assert code == Exit.NOT_MET
    (failed,) = [row for line in out.splitlines() if not (row := json.loads(line)).get("ok", True)]
    assert failed["step"] == "agreement"
    assert "the system is not asked" in failed["advice"]


def test_break_glass_is_listed_for_the_privacy_officer(call: Call, config: Config) -> None:
    use_everything(call, config)
    assert call("audit", "break-glass", *config)[0] == Exit.NOT_MET
    code, out, _ = call("audit", "break-glass", *config, *OFFICER)
    assert code == Exit.DONE
    assert "reason: Wolfenstein 0" in out
    assert "REPEATED: sandbox.user used it 2 times, for 1 people." in out
    assert "2 uses of break-glass" in out
    assert NUMBER not in out
    code, out, _ = call("audit", "break-glass", *config, *OFFICER, "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert [(row["patient"], row["by_user"], row["on_patient"]) for row in found] == [(NUMBER, 2, 2)] * 2
    assert call("audit", "break-glass", *config, *OFFICER, "--at-least", "3", "--json")[1] == ""
    assert call("audit", "break-glass", *config, *OFFICER, "--to", "2020-01-01", "--json")[1] == ""
    assert call("audit", "break-glass", *config, *OFFICER, "--from", "soon")[0] == Exit.USAGE
    code, out, _ = call("audit", "show", "--privacy", *config, *OFFICER)
    assert out.count("Security") == 0
    assert out.count("BREAK-GLASS") == 4  # both reads: told of before, and as it ended
    code, out, _ = call("audit", "show", *config, *OFFICER)
    assert out.count("BREAK-GLASS") == 2
    assert "Wolfenstein" not in out


def test_who_was_shown_it_by_the_command_line(call: Call, config: Config) -> None:
    use_everything(call, config)
    code, out, _ = call("audit", "affected", "--source", "rio", "--patient", "-", *config, *OFFICER, stdin=NUMBER)
    assert code == Exit.DONE
    assert "3 showings to 1 users" in out
    assert "Sandbox User (community-nurse, RRE, by break-glass), user sandbox.user" in out
    assert "request " in out
    assert "What this cannot see:" in out
    assert NUMBER not in out
    code, out, _ = call("audit", "affected", "--source", "rio", *config, *OFFICER, "--json")
    *found, last = [json.loads(line) for line in out.splitlines()]
    assert [(row["patient"], row["relationship"]) for row in found] == [
        (NUMBER, "caseload"), (NUMBER, "break-glass"), (NUMBER, "break-glass"),
    ]  # fmt: skip
    assert all(row["correlation_id"] and row["items"] for row in found)
    assert (last["showings"], last["users"]) == (3, 1)
    assert last["cannot_see"]
    code, _, err = call("audit", "affected", "--source", "rio", *config)
    assert (code, "privacy-officer alone" in err) == (Exit.NOT_MET, True)
    code, out, _ = call("audit", "affected", "--source", "rio", "--to", "2020-01-01", *config, *OFFICER)
    assert "0 showings" in out


def test_the_data_map_lists_where_decisions_are(call: Call, config: Config, tmp_path: Path) -> None:
    code, out, _ = call("data-map", *config)
    assert code == Exit.DONE
    assert f"{tmp_path / 'state' / 'state' / 'identity' / 'decisions.sqlite'}" in out
    assert "identity erase" in out
    assert "governance registers" in out


def test_as_processes(call: Call, config: Config, tmp_path: Path) -> None:
    use_everything(call, config)

    def run(*arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-c", "from mpftconnect.cli import main; main()", *arguments],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    out = tmp_path / "registers"
    code, _, err = run("governance", "register", "--out", str(out), *config, *OFFICER)
    assert code == Exit.DONE, err
    assert (out / "caldicott-log.csv").read_bytes().count(b"\r\n") == 8
    ending(config, 10)
    assert run("governance", "due", *config)[0] == Exit.NOT_MET
    assert run("governance", "due", "--days", "x", *config)[0] == Exit.USAGE
    code, said, _ = run("audit", "break-glass", *config, *OFFICER)
    assert (code, "2 uses" in said) == (Exit.DONE, True)
    assert run("governance", "register", "--out", str(out), *config)[0] == Exit.NOT_MET
