"""Whatever is done to a trail behind its back is found and named."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mpftconnect.errors import UsageError
from mpftconnect.events import Code
from mpftconnect.governance.audit_store import parse_event

COLUMNS = ("seq", "id", "at", "patient", "user", "event", "previous", "seal")


@pytest.fixture
def filled(audit_place, audit_record):
    """A place with a trail of eight entries."""
    trail = audit_place.trail()
    for n in range(8):
        trail.append(audit_record(n))
    return audit_place


def change(store: Path, *statements: str | tuple[str, tuple[object, ...]]) -> None:
    """Do to the database what somebody without the key could do."""
    with closing(sqlite3.connect(store)) as db, db:
        for statement in statements:
            text, values = (statement, ()) if isinstance(statement, str) else statement
            db.execute(text, values)


def findings(place, **changes) -> set[tuple[str, int | None]]:
    return {(finding.code, finding.seq) for finding in place.trail(**changes).verify().findings}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("id", ("column-changed", 3)),
        ("at", ("column-changed", 3)),
        ("patient", ("column-changed", 3)),
        ("user", ("column-changed", 3)),
        ("event", ("changed", 3)),
        ("previous", ("changed", 3)),
        ("seal", ("changed", 3)),
    ],
)
def test_one_changed_byte_in_any_column_is_found(filled, column, expected):
    change(filled.store, f"UPDATE entries SET {column} = 'X' || substr({column}, 2) WHERE seq = 3")
    assert expected in findings(filled)


def test_a_changed_number_is_found(filled):
    change(filled.store, "UPDATE entries SET seq = 30 WHERE seq = 3")
    assert {("missing", 3), ("changed", 30)} <= findings(filled)


def test_the_finding_repeats_nothing_of_the_entry(filled):
    change(filled.store, "UPDATE entries SET event = replace(event, '9990000018', '9990000026') WHERE seq = 3")
    words = " ".join(finding.words for finding in filled.trail().verify().findings)
    assert "entry 3" in words
    assert "999000" not in words


def test_a_removed_entry_is_found_where_it_was(filled):
    change(filled.store, "DELETE FROM entries WHERE seq = 4")
    assert findings(filled) == {("missing", 4)}


def test_a_removed_beginning_is_found(filled):
    change(filled.store, "DELETE FROM entries WHERE seq <= 2")
    assert findings(filled) == {("missing", 1)}


def test_two_entries_that_changed_places_are_found(filled):
    change(
        filled.store,
        "UPDATE entries SET seq = 99 WHERE seq = 3",
        "UPDATE entries SET seq = 3 WHERE seq = 5",
        "UPDATE entries SET seq = 5 WHERE seq = 99",
    )
    assert {("changed", 3), ("changed", 5)} <= findings(filled)


def test_an_entry_put_in_at_the_end_is_found(filled):
    change(
        filled.store,
        "INSERT INTO entries SELECT 9, 'another', at, patient, user, replace(event, id, 'another'), seal, seal "
        "FROM entries WHERE seq = 8",
    )
    assert ("changed", 9) in findings(filled)


def test_truncation_is_found_against_the_anchor(filled):
    change(filled.store, "DELETE FROM entries WHERE seq > 6")
    assert findings(filled) == {("truncated", 7)}


def test_removal_of_every_entry_is_found(filled):
    change(filled.store, "DELETE FROM entries")
    assert findings(filled) == {("truncated", 1)}


def test_truncation_of_both_places_is_not_seen_and_that_is_said(filled):
    change(filled.store, "DELETE FROM entries WHERE seq > 6")
    lines = filled.anchor.read_bytes().splitlines(keepends=True)
    filled.anchor.write_bytes(b"".join(lines[:7]))
    found = filled.trail().verify()
    assert found.ok
    assert any("both put back" in sentence for sentence in found.cannot_see)


def test_an_anchor_cut_at_its_end_leaves_entries_unanchored(filled):
    lines = filled.anchor.read_bytes().splitlines(keepends=True)
    filled.anchor.write_bytes(b"".join(lines[:-2]))
    found = filled.trail().verify()
    assert found.ok
    assert found.unanchored == 2
    assert "2 newest entries are not anchored yet" in found.notes[0]


def test_an_anchor_that_is_gone_is_found_even_after_more_entries(filled, audit_record):
    filled.anchor.unlink()
    assert findings(filled) == {("anchor-missing", None)}
    filled.trail().append(audit_record(8))
    assert findings(filled) == {("anchor-cut", None)}


def test_a_changed_anchor_is_found(filled):
    filled.anchor.write_bytes(filled.anchor.read_bytes().replace(b'"entries":5', b'"entries":4'))
    assert ("anchor-changed", None) in findings(filled)


def test_an_anchor_in_another_order_is_found(filled):
    lines = filled.anchor.read_bytes().splitlines(keepends=True)
    lines[4], lines[6] = lines[6], lines[4]
    filled.anchor.write_bytes(b"".join(lines))
    assert "anchor-reordered" in {code for code, _ in findings(filled)}


def test_an_old_copy_of_the_store_is_found_and_takes_no_more_entries(filled, audit_record, tmp_path):
    shutil.copy(filled.store, tmp_path / "old.db")
    trail = filled.trail()
    trail.append(audit_record(8))
    shutil.copy(tmp_path / "old.db", filled.store)
    assert findings(filled) == {("truncated", 9)}
    assert trail.append(audit_record(9)) == -1, "an entry written over the loss would hide it"
    assert filled.alarms()[-1][1] == "store-behind-anchor"
    assert findings(filled) == {("truncated", 9)}


def test_a_trail_sealed_anew_without_the_key_is_found(filled, audit_record, tmp_path):
    forged = type(filled)(tmp_path / "forged")
    trail = forged.trail(key=bytes(32))
    for n in range(8):
        trail.append(audit_record(n, patient="9990000026"))
    shutil.copy(forged.store, filled.store)
    assert {("changed", n) for n in range(1, 9)} <= findings(filled)


@pytest.mark.parametrize(("numbers", "broken"), [((8,), {8}), ((7, 8), set())])
def test_sealed_entries_from_a_copy_that_went_its_own_way_are_found(filled, audit_record, tmp_path, numbers, broken):
    """A copy of the trail was written on, with the key; its entries are then put in place of the true ones."""
    copy = type(filled)(tmp_path / "copy")
    for n in range(6):
        copy.trail().append(audit_record(n))
    shutil.copy(filled.store, copy.store)
    change(copy.store, "DELETE FROM entries WHERE seq > 6")
    copy.anchor.unlink()
    for n in (7, 8):
        assert copy.trail().append(audit_record(n, patient="9990000026")) == n
    with closing(sqlite3.connect(copy.store)) as db:
        for n in numbers:
            row = db.execute("SELECT * FROM entries WHERE seq = ?", (n,)).fetchone()
            change(filled.store, ("REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row))
    assert findings(filled) == {("not-as-anchored", n) for n in numbers} | {("chain-broken", n) for n in broken}


def test_entries_of_another_trail_with_the_same_key_do_not_fit(filled, audit_record, tmp_path):
    other = type(filled)(tmp_path / "other")
    trail = other.trail(name="another")
    for n in range(8):
        trail.append(audit_record(n))
    shutil.copy(other.store, filled.store)
    assert ("changed", 1) in findings(filled)


@pytest.mark.parametrize("changes", [{"key": bytes(range(1, 33))}, {"name": "another"}])
def test_a_wrong_key_is_one_finding(filled, changes):
    (finding,) = filled.trail(**changes).verify().findings
    assert finding.code == "wrong-key"
    assert "not the key" in finding.words


def test_a_wrong_key_writes_nothing_into_the_chain(filled, audit_record):
    assert filled.trail(key=bytes(32)).append(audit_record(8)) == -1
    assert filled.alarms()[-1][1] == "key-does-not-fit"
    found = filled.trail().verify()
    assert found.entries == 8
    assert {finding.code for finding in found.findings} == {"sink-changed"}


def test_an_anchor_of_garbage_raises_alarms_and_costs_no_entry(filled, audit_record):
    filled.anchor.write_bytes(b"{}\n" * 3)
    assert filled.trail().append(audit_record(8)) == 9
    assert filled.alarms() == [(Code.AUDIT_FALLBACK, "anchor-unavailable")]
    assert findings(filled) == {("anchor-changed", None), ("anchor-missing", None)}


def test_a_wrong_key_is_seen_without_an_anchor_too(filled, audit_record):
    filled.anchor.unlink()
    assert filled.trail(key=bytes(32)).append(audit_record(8)) == -1
    assert findings(filled) == {("anchor-missing", None), ("sink-changed", None)}


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER quiet AFTER INSERT ON entries BEGIN DELETE FROM entries WHERE seq = 1; END",
        "CREATE TABLE more (a)",
        "DROP INDEX entries_by_patient",
        "ALTER TABLE entries ADD COLUMN more TEXT",
    ],
)
def test_a_changed_shape_of_the_database_is_found(filled, statement):
    change(filled.store, statement)
    assert "store-damaged" in {code for code, _ in findings(filled)}


@pytest.mark.parametrize("table", ["entries", "checkpoints"])
def test_a_missing_table_is_found(filled, table):
    change(filled.store, f"DROP TABLE {table}")
    assert ("store-unreadable", None) in findings(filled)


def test_a_damaged_page_is_found(filled):
    data = bytearray(filled.store.read_bytes())
    data[5000:9000] = b"\xff" * 4000
    filled.store.write_bytes(bytes(data))
    assert not filled.trail().verify().ok


def test_an_index_that_hides_an_entry_is_found(filled):
    """Every entry and its seal are as they were; only a search by NHS number would miss one."""
    pages = bytearray(filled.store.read_bytes())
    leaf_of_an_index = b"\x0a"  # SQLite database file format, section 1.6, b-tree page type
    (page,) = [
        start
        for start in range(0, len(pages), 4096)
        if pages[start : start + 1] == leaf_of_an_index and b"9990000018" in pages[start : start + 4096]
    ]
    at = pages.index(b"9990000018", page)
    pages[at : at + 10] = b"9990000026"
    filled.store.write_bytes(bytes(pages))
    assert len(list(filled.trail().entries())) == 8
    assert len(list(filled.trail().entries(patient="9990000018"))) < 8
    assert findings(filled) == {("store-damaged", None)}


def test_a_checkpoint_cannot_be_forged_changed_or_removed(filled, audit_record, tmp_path):
    filled.trail().purge(audit_record(4).at)
    assert findings(filled) == set()
    shutil.copy(filled.store, tmp_path / "good.db")
    change(filled.store, "UPDATE checkpoints SET at = '2020-01-01'")
    assert ("checkpoint-changed", 4) in findings(filled)
    shutil.copy(tmp_path / "good.db", filled.store)
    change(filled.store, "DELETE FROM checkpoints")
    assert findings(filled) == {("missing", 1)}
    shutil.copy(tmp_path / "good.db", filled.store)
    change(
        filled.store,
        "INSERT INTO checkpoints SELECT 6, 5, kind, head, at, seal FROM checkpoints",
        "DELETE FROM entries WHERE seq <= 6",
    )
    assert {("checkpoint-changed", 6), ("missing", 5)} <= findings(filled)


def test_purged_entries_that_are_put_back_are_found(filled, audit_record):
    with closing(sqlite3.connect(filled.store)) as db:
        first = db.execute("SELECT * FROM entries WHERE seq = 1").fetchone()
    filled.trail().purge(audit_record(4).at)
    change(filled.store, ("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", first))
    assert ("inserted", 1) in findings(filled)


def test_a_lost_store_is_told_from_a_new_one_and_waits_to_be_put_back(filled, audit_record, tmp_path):
    shutil.move(filled.store, tmp_path / "away.db")
    assert findings(filled) == {("store-missing", None)}
    trail = filled.trail()
    assert trail.append(audit_record(8)) == -1
    assert filled.alarms()[-1][1] == "store-missing"
    assert findings(filled) == {("store-missing", None)}
    shutil.move(tmp_path / "away.db", filled.store)
    assert trail.reconcile() == 1
    found = trail.verify()
    assert found.ok
    assert found.entries == 9


@pytest.mark.parametrize("how", ["gone", "empty", "rolled back"])
def test_a_loss_that_is_accepted_stays_on_record(filled, audit_record, tmp_path, how):
    trail = filled.trail()
    if how == "rolled back":
        change(filled.store, "DELETE FROM entries WHERE seq > 5")
    else:
        shutil.rmtree(filled.store.parent)
        if how == "empty":
            filled.store.parent.mkdir(mode=0o700)
            filled.store.touch()
    kept = 5 if how == "rolled back" else 0
    assert trail.append(audit_record(8)) == -1
    assert trail.accept_loss() == 8 - kept
    assert filled.alarms()[-1][1] == "loss-declared"
    assert trail.reconcile() == 1
    assert trail.append(audit_record(9)) == 11
    found = trail.verify()
    assert [(f.code, f.seq) for f in found.findings] == [("declared-loss", kept + 1)]
    assert found.unanchored == 0
    assert trail.accept_loss() == 0
    assert trail.purge(audit_record(0).at) == 0, "a declared loss does not stop retention"


def test_nothing_can_be_accepted_as_lost_before_there_is_anything(audit_place):
    assert audit_place.trail().accept_loss() == 0
    assert not audit_place.store.exists()


def test_purging_refuses_while_entries_are_missing(filled, audit_record):
    change(filled.store, "DELETE FROM entries WHERE seq = 2")
    with pytest.raises(UsageError, match=r"does not verify \(missing\)"):
        filled.trail().purge(audit_record(6).at)


def test_a_changed_entry_is_marked_where_entries_are_read(filled):
    change(
        filled.store,
        "UPDATE entries SET event = replace(event, 'Jane Doe', 'Jim Roe') WHERE seq = 2",
        "UPDATE entries SET event = 'no json' WHERE seq = 3",
        ("UPDATE entries SET event = ? WHERE seq = 4", ("[" * 100_000,)),
        ("UPDATE entries SET event = ? WHERE seq = 5", (b"\xff\xfe",)),
        "UPDATE entries SET event = CAST(x'22ff22' AS TEXT) WHERE seq = 6",
        'UPDATE entries SET event = \'{"recorded":"soon"}\' WHERE seq = 7',
    )
    entries = list(filled.trail().entries())
    assert [entry.sealed for entry in entries] == [True, False, False, False, False, False, False, True]
    assert not filled.trail().verify().ok


def test_very_many_findings_are_counted_not_listed(filled, monkeypatch):
    monkeypatch.setattr("mpftconnect.governance.audit_verification._MOST_FINDINGS", 4)
    change(filled.store, "UPDATE entries SET user = 'x'")
    found = filled.trail().verify()
    assert len(found.findings) == 4
    assert found.findings[-1].code == "and-more"
    assert "5 findings more" in found.findings[-1].words


# One trail is made for all examples of a property; each example works on a copy.
_THOROUGH = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)

_VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.text(max_size=70),
    st.binary(max_size=70),
    st.sampled_from(["0" * 64, "{}", "[]", "9990000018", "2026-03-01T09:00:00.000000+00:00"]),
)


def _rows(store: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(store)) as db:
        db.text_factory = bytes
        return db.execute("SELECT *, typeof(event), typeof(patient), typeof(user) FROM entries ORDER BY seq").fetchall()


@_THOROUGH
@given(data=st.data())
def test_any_single_change_of_the_table_is_found(filled, data):
    copy = type(filled)(filled.root / "copy")
    shutil.rmtree(copy.root, ignore_errors=True)
    for path in (filled.store, filled.anchor):
        target = copy.root / path.relative_to(filled.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    seq = data.draw(st.integers(1, 8), label="entry")
    kind = data.draw(st.sampled_from(["set", "flip", "delete", "cut", "swap", "copy"]), label="kind")
    column = data.draw(st.sampled_from(COLUMNS), label="column")
    other = data.draw(st.integers(1, 8), label="other entry")
    statement: str | tuple[str, tuple[object, ...]]
    if kind == "set":
        statement = (f"UPDATE OR IGNORE entries SET {column} = ? WHERE seq = ?", (data.draw(_VALUES), seq))
    elif kind == "flip":
        assume(column != "seq")
        with closing(sqlite3.connect(copy.store)) as db:
            (value,) = db.execute(f"SELECT {column} FROM entries WHERE seq = ?", (seq,)).fetchone()
        at = data.draw(st.integers(0, len(value) - 1), label="position")
        flipped = value[:at] + chr(ord(value[at]) ^ (1 << data.draw(st.integers(0, 6)))) + value[at + 1 :]
        statement = (f"UPDATE OR IGNORE entries SET {column} = ? WHERE seq = ?", (flipped, seq))
    elif kind == "delete":
        statement = ("DELETE FROM entries WHERE seq = ?", (seq,))
    elif kind == "cut":
        statement = ("DELETE FROM entries WHERE seq >= ?", (seq,))
    elif kind == "swap":
        assume(column not in ("seq", "id"))
        pick = f"(SELECT {column} FROM entries WHERE seq = CASE e.seq WHEN :seq THEN :other ELSE :seq END)"
        statement = (
            f"UPDATE entries AS e SET {column} = {pick} WHERE seq IN (:seq, :other)",
            {"seq": seq, "other": other},
        )
    else:
        statement = (
            "INSERT INTO entries SELECT :new, 'new', at, patient, user, event, previous, seal FROM entries "
            "WHERE seq = :seq",
            {"seq": seq, "new": data.draw(st.integers(9, 12), label="new number")},
        )
    before = _rows(copy.store)
    change(copy.store, statement)
    assume(_rows(copy.store) != before)
    assert not copy.trail().verify().ok


@_THOROUGH
@given(data=st.data())
def test_any_changed_byte_of_the_anchor_is_found_or_costs_only_an_anchored_line(filled, data):
    copy = type(filled)(filled.root / "copy")
    shutil.rmtree(copy.root, ignore_errors=True)
    shutil.copytree(filled.store.parent, copy.store.parent)
    copy.anchor.parent.mkdir(parents=True)
    raw = bytearray(filled.anchor.read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    copy.anchor.write_bytes(bytes(raw))
    found = copy.trail().verify()
    assert not found.ok or found.unanchored or any("has no end" in note for note in found.notes)


def test_what_is_no_event_is_none():
    assert parse_event("[]") is None
    assert parse_event(b"{}") is None
    assert parse_event("1" * 5000) is None
    assert parse_event(json.dumps({"a": 1})) == {"a": 1}
