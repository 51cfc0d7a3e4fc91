from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.keys_command import command as keys_command
from mpftconnect.cli.report_command import export, open_report
from mpftconnect.cli.signing_commands import grant, sign, sign_file, verify, witness
from mpftconnect.conformance.signing import load_key, read_trust
from mpftconnect.errors import UsageError


def called(command: click.Command, *arguments: str) -> tuple[Any, str]:
    result = CliRunner().invoke(command, arguments, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.output


@pytest.fixture
def report(tmp_path: Path, run_report: Callable[..., Any], keys: Any) -> Path:
    run_report(tmp_path / "report")
    keys.trust()
    return tmp_path / "report"


def test_sign_then_verify(report: Path, keys: Any) -> None:
    _, said = called(sign, str(report), "--key", str(keys.supplier.path))
    assert said == "signed: Wardline 4.2, 4 files\n"
    code, said = called(verify, str(report), "--trust", str(keys.path))
    assert code == Exit.DONE
    assert said.startswith("Unaltered since signed by Releases (Northmere Software, supplier); not a judgement")
    assert "Run by: self-run" in said


def test_verify_tells_apart_what_it_cannot_say_and_what_is_wrong(report: Path, keys: Any) -> None:
    code, said = called(verify, str(report), "--trust", str(keys.path))
    assert (code, said.splitlines()[0]) == (Exit.UNDECIDED, "Not signed: nothing shows whether it was altered.")
    called(sign, str(report), "--key", str(keys.supplier.path))
    code, said = called(verify, str(report))
    assert code == Exit.UNDECIDED
    assert "name one with --trust" in said


def test_verify_names_what_does_not_match(report: Path, keys: Any) -> None:
    called(sign, str(report), "--key", str(keys.supplier.path))
    path = report / "evidence" / "evidence.json"
    path.write_bytes(path.read_bytes() + b"\n")
    code, said = called(verify, str(report), "--trust", str(keys.path), "--json")
    assert code == Exit.NOT_MET
    assert {m["place"] for m in json.loads(said)["mismatches"]} == {"evidence/evidence.json"}


def test_a_report_whose_day_is_past_is_undecided(report: Path, keys: Any) -> None:
    day = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
    called(sign, str(report), "--key", str(keys.supplier.path), "--until", day)
    code, said = called(verify, str(report), "--trust", str(keys.path))
    assert code == Exit.UNDECIDED
    assert "EXPIRED" in said


def test_grant_and_witness(report: Path, keys: Any) -> None:
    called(sign, str(report), "--key", str(keys.supplier.path))
    buyer = str(keys.buyer.path)
    called(grant, str(report), "WARD-01", "--key", buyer, "--until", "2027-01-01", "--reason", "next release")
    called(witness, str(report), "--key", buyer, "--says", "was there")
    code, said = called(verify, str(report), "--trust", str(keys.path))
    assert code == Exit.DONE
    assert "ward-feed#1 by Digital team (An integrated care board): next release" in said
    assert "Run by: buyer-witnessed" in said


def test_words_of_a_supplier_cannot_steer_the_terminal(report: Path, keys: Any) -> None:
    called(sign, str(report), "--key", str(keys.supplier.path))
    called(witness, str(report), "--key", str(keys.buyer.path), "--says", "\x1b[2Jwas there")
    _, said = called(verify, str(report), "--trust", str(keys.path))
    assert "\x1b" not in said


def test_sign_file(tmp_path: Path, keys: Any) -> None:
    (tmp_path / "assessment.toml").write_text("version = 1\n", encoding="utf-8")
    _, said = called(sign_file, str(tmp_path / "assessment.toml"), "--key", str(keys.buyer.path))
    assert said == "signed: assessment.toml.dsse.json\n"


def test_what_keys_make_prints_is_a_trust_file(tmp_path: Path) -> None:
    path = tmp_path / "k.key"
    runner = CliRunner()
    arguments = ["make", str(path), "--name", 'The "one"', "--organisation", "O\\U", "--role", "assessor"]
    result = runner.invoke(keys_command, arguments, standalone_mode=False)
    (tmp_path / "trust.toml").write_text(f"version = 1\n{result.stdout}", encoding="utf-8")
    (key,) = read_trust(tmp_path / "trust.toml").keys.values()
    assert (key.id, key.name, key.organisation, key.role) == (load_key(path).id, 'The "one"', "O\\U", "assessor")


def test_a_rotated_key_is_revoked_and_replaced(tmp_path: Path) -> None:
    called(keys_command, "make", str(tmp_path / "a"), "--name", "N", "--organisation", "O", "--role", "buyer")
    arguments = ["rotate", str(tmp_path / "a"), str(tmp_path / "b"), "--name", "N", "--organisation", "O"]
    result = CliRunner().invoke(keys_command, [*arguments, "--role", "buyer"], standalone_mode=False)
    (tmp_path / "trust.toml").write_text(f"version = 1\n{result.stdout}", encoding="utf-8")
    trust = read_trust(tmp_path / "trust.toml")
    (key,) = trust.keys.values()
    old = load_key(tmp_path / "a").id
    assert key.replaces == old
    assert trust.revoked[old].because == "replaced"


def test_a_passphrase_is_a_reference_and_never_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = ["make", str(tmp_path / "a"), "--name", "N", "--organisation", "O", "--role", "buyer", "--passphrase"]
    with pytest.raises(UsageError, match="never the passphrase itself") as caught:
        called(keys_command, *make, "open sesame")
    assert "sesame" not in str(caught.value)
    monkeypatch.setenv("KEY_WORDS", "open sesame")
    called(keys_command, *make, "env:KEY_WORDS")
    with pytest.raises(UsageError, match="is encrypted"):
        called(keys_command, "show", str(tmp_path / "a"))
    _, said = called(keys_command, "show", str(tmp_path / "a"), "--passphrase", "env:KEY_WORDS")
    assert load_key(tmp_path / "a", passphrase="open sesame").id in said


@pytest.mark.parametrize("key", ["", "abc", "g" * 64])
def test_revoke_wants_an_id(key: str) -> None:
    with pytest.raises(UsageError, match="64 characters"):
        called(keys_command, "revoke", key, "--because", "lost")


def test_grants_are_shown_under_a_trust_file_and_not_without(report: Path, keys: Any, tmp_path: Path) -> None:
    buyer = str(keys.buyer.path)
    called(grant, str(report), "WARD-01", "--key", buyer, "--until", "2027-01-01", "--reason", "next release")
    _, said = called(open_report, str(report), "--no-browser")
    assert "1 signed grant stands beside it" in said and "Digital team" not in said
    _, said = called(open_report, str(report), "--no-browser", "--trust", str(keys.path))
    assert "ward-feed#1 by Digital team" in said
    page = tmp_path / "page.html"
    called(export, "html", str(report), "--out", str(page), "--trust", str(keys.path))
    assert "Digital team" in page.read_text(encoding="utf-8")
    called(export, "html", str(report), "--out", str(page))
    assert "Digital team" not in page.read_text(encoding="utf-8")
