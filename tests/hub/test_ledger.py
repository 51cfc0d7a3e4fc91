"""The ledger of what was published: durable, compared before it is changed, and of no use to anybody else."""

from __future__ import annotations

import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mpftconnect.errors import LedgerUnavailable, UsageError
from mpftconnect.hub.ledger import Ledger, Row

ROW = Row(
    "nrl", "ref-1", "9990000018", "rio:CarePlan/1", "736253002", version="v1", pointers=("RRE-1",), state="published"
)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "state" / "published" / "ledger.sqlite")


def but_for_time(row: Row | None) -> Row | None:
    return replace(row, changed=ROW.changed) if row else None


def test_what_is_put_there_is_read_by_another(ledger: Ledger) -> None:
    assert ledger.row("nrl", "ref-1") is None
    assert ledger.change(None, ROW)
    again = Ledger(ledger.path)
    assert but_for_time(again.row("nrl", "ref-1")) == ROW
    assert again.row("nrl", "ref-2") is None
    assert again.row("other", "ref-1") is None
    assert [r.reference for r in again.rows(patient="9990000018")] == ["ref-1"]
    assert again.rows(patient="9990000026") == again.rows(key="rio:CarePlan/2") == ()


def test_reading_makes_no_file(ledger: Ledger) -> None:
    assert ledger.rows() == ()
    assert not ledger.path.parent.exists()


def test_a_row_is_changed_only_from_what_was_read(ledger: Ledger) -> None:
    assert ledger.change(None, ROW)
    assert not ledger.change(None, replace(ROW, version="v2"))
    stands = ledger.row("nrl", "ref-1")
    assert ledger.change(stands, replace(ROW, version="v2"))
    assert not ledger.change(stands, replace(ROW, version="v3"))
    found = ledger.row("nrl", "ref-1")
    assert found is not None
    assert found.version == "v2"


def test_of_many_who_come_at_once_one_wins(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: ledger.change(None, replace(ROW, version=f"v{n}")), range(16)))
    assert won.count(True) == 1
    found = ledger.row("nrl", "ref-1")
    assert found is not None
    assert found.version == f"v{won.index(True)}"


def test_when_it_changed_is_the_ledgers_own_word(ledger: Ledger) -> None:
    before = datetime.now(UTC)
    ledger.change(None, replace(ROW, changed=datetime(1999, 1, 1, tzinfo=UTC)))
    found = ledger.row("nrl", "ref-1")
    assert found is not None
    assert before <= found.changed <= datetime.now(UTC)


@pytest.mark.parametrize(("state", "stays"), [("published", 1), ("sending", 1), ("unknown", 1), ("absent", 0)])
def test_purging_removes_only_what_is_gone(ledger: Ledger, state: str, stays: int) -> None:
    ledger.change(None, replace(ROW, state=state))  # type: ignore[arg-type]
    assert ledger.purge(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert ledger.purge(datetime.now(UTC) + timedelta(hours=1)) == 1 - stays
    assert len(ledger.rows()) == stays
    with pytest.raises(UsageError, match="offset"):
        ledger.purge(datetime(2026, 1, 1))


def test_forgetting_a_person(ledger: Ledger) -> None:
    ledger.change(None, replace(ROW, state="absent"))
    ledger.change(None, replace(ROW, reference="ref-2", patient="9990000026"))
    assert ledger.forget("9990000018") == 1
    assert b"9990000018" not in ledger.path.read_bytes()
    for state in ("published", "sending", "unknown"):
        (row,) = ledger.rows()
        ledger.change(row, replace(row, state=state))
        with pytest.raises(UsageError, match="withdraw or reconcile"):
            ledger.forget("9990000026")


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_it_is_the_owners_alone(ledger: Ledger) -> None:
    ledger.change(None, ROW)
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(ledger.path.parent.stat().st_mode) == 0o700


def test_a_file_that_is_none_of_ours(ledger: Ledger) -> None:
    ledger.path.parent.mkdir(parents=True)
    ledger.path.write_bytes(b"9990000018" * 500)
    for use in (ledger.rows, lambda: ledger.change(None, ROW)):
        with pytest.raises(LedgerUnavailable) as caught:
            use()
        assert "9990000018" not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("wrong", ["state = 'done'", "pointers = 'x'", "changed = 'yesterday'"])
def test_a_row_that_this_version_does_not_understand_is_not_guessed_at(ledger: Ledger, wrong: str) -> None:
    ledger.change(None, ROW)
    with sqlite3.connect(ledger.path) as store:
        store.execute(f"UPDATE published SET {wrong}")
    store.close()
    with pytest.raises(LedgerUnavailable):
        ledger.rows()


def test_a_row_is_open_while_nobody_knows() -> None:
    states = {state: replace(ROW, state=state).is_open for state in ("published", "absent", "sending", "unknown")}  # type: ignore[arg-type]
    assert states == {"published": False, "absent": False, "sending": True, "unknown": True}
