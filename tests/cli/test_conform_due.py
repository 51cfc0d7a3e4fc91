"""`conform due`: 0 nothing, 1 something runs out, 3 a last day is not known, 2 a call that cannot be carried out."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mpftconnect.cli.conform_due import due
from mpftconnect.conformance.signing.envelope import seal, statement_of
from mpftconnect.conformance.signing.keys import make_key
from mpftconnect.errors import ConfigurationError, UsageError

TODAY = datetime.now(UTC).date()
# The days of the requirements themselves move with the calendar: this pack has none.
PACK = ("--pack", "uk-core-r4")
HEAD = """
version = 1
[product]
name = "P"
version = "1"
supplier = "S"
ods = "ZZ999"
[target]
environment = "test"
base_url = "http://127.0.0.1:9/fhir"
[authorised_by]
name = "A"
organisation = "B"
date = 2026-01-01
scope = "all"
"""


def called(*arguments: str) -> tuple[Any, str, str]:
    result = CliRunner().invoke(due, arguments, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.stdout, result.stderr


@pytest.fixture
def supplier(tmp_path: Path) -> Callable[[str], str]:
    """Writes a supplier.toml with one more table; the document is there."""
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-")

    def write(more: str = "") -> str:
        (tmp_path / "supplier.toml").write_text(HEAD + more, encoding="utf-8")
        return str(tmp_path / "supplier.toml")

    return write


def document(expires: object = None) -> str:
    day = f"expires = {expires}\n" if expires else ""
    return f'[[evidence]]\nkind = "letter"\nfile = "letter.pdf"\n{day}'


def exception(expires: object) -> str:
    return (
        f'[[exception]]\nrequirement = "UKC-12"\nreason = "r"\nowner = "A. Name"\nexpires = {expires}\nhazard = "H-1"\n'
    )


def test_nothing_runs_out(supplier: Callable[[str], str]) -> None:
    path = supplier(document(TODAY + timedelta(days=91)))
    assert called(path, "--days", "90", *PACK)[:2] == (0, "Nothing that is known runs out within 90 days.\n")


@pytest.mark.parametrize("days", [-1, 0, 90])
def test_what_has_run_out_or_will_is_named(supplier: Callable[[str], str], days: int) -> None:
    day = TODAY + timedelta(days=days)
    for table, name in ((document(day), "document: letter: letter.pdf"), (exception(day), "exception: UKC-12")):
        code, said, _ = called(supplier(table), "--days", "90", *PACK)
        assert code == 1
        assert f"{day}  {'past' if days < 0 else 'due '}  {name}" in said


def test_a_last_day_that_is_not_known_is_undecided(supplier: Callable[[str], str]) -> None:
    code, said, error = called(supplier(document()), "--days", "90", *PACK)
    assert (code, said) == (3, "Nothing that is known runs out within 90 days.\n")
    assert error == "mpftconnect: letter: letter.pdf: its last day is not known\n"
    late = document() + document(TODAY)
    assert called(supplier(late), *PACK)[0] == 1


def test_as_json(supplier: Callable[[str], str]) -> None:
    code, said, _ = called(supplier(document(TODAY)), "--json", *PACK)
    (row,) = [json.loads(line) for line in said.splitlines()]
    assert (code, row["kind"], row["on"], row["past"]) == (1, "document", TODAY.isoformat(), False)
    assert called(supplier(), "--json", *PACK)[:2] == (0, "")


def test_a_call_that_cannot_be_carried_out(supplier: Callable[[str], str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such pack"):
        called(supplier(), "--pack", "nothing")
    with pytest.raises(UsageError):
        called(str(tmp_path))
    with pytest.raises((UsageError, ConfigurationError)):
        called(str(tmp_path / "missing.toml"))


@pytest.mark.parametrize(
    ("expires", "code", "says"),
    [
        (TODAY.isoformat(), 1, f"{TODAY}  due   signature: report"),
        ((TODAY + timedelta(days=91)).isoformat(), 0, "Nothing that is known"),
        ("some day", 3, "signature: its last day is not known"),
        (None, 3, "attestation.dsse.json"),
    ],
)
def test_the_signature_of_a_report(tmp_path: Path, expires: str | None, code: int, says: str) -> None:
    from mpftconnect.cli.app import commands

    folder = tmp_path / "r"
    CliRunner().invoke(
        commands,
        ["conform", "run", "--sandbox", *PACK, "--out", str(folder), "--preset", "procurement-minimum", "--quiet"],
        standalone_mode=False,
    )
    sealed = b"{}"
    if expires is not None:
        key = make_key(tmp_path / "k.key")
        statement = statement_of("urn:x", {"expires": expires}, [("report.json", "0" * 64)])
        sealed = seal(statement, key)
    (folder / "attestation.dsse.json").write_bytes(sealed)
    found = called(str(folder), "--days", "90")
    assert found[0] == code
    assert says in found[1] + found[2]
