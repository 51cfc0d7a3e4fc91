"""The store of identity decisions: several processes, and whatever somebody might do to it behind its back."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import mpftconnect
from mpftconnect.errors import ConfigurationError
from mpftconnect.governance.decision_store import Change, DecisionStore, StoreUnsound

KEY = bytes(range(32))
SOURCE = Path(mpftconnect.__file__).parents[1]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path


def store_in(place: Path, **changes: object) -> DecisionStore:
    given: dict[str, object] = {"key": KEY, "lock_seconds": 2.0} | changes
    return DecisionStore(place / "store" / "decisions.sqlite", anchor=place / "anchor" / "anchor", **given)  # type: ignore[arg-type]


def put(store: DecisionStore, **bodies: str) -> bool:
    return store.change(lambda known: Change(bodies))


def unsound(store: DecisionStore) -> str:
    """Why it is not believed, by reading and by writing alike."""
    with pytest.raises(StoreUnsound) as reading:
        store.bodies()
    with pytest.raises(StoreUnsound) as writing:
        put(store, later="later")
    assert writing.value.reason == reading.value.reason
    return reading.value.reason


@contextmanager
def opened(place: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(place / "store" / "decisions.sqlite", isolation_level=None)
    try:
        yield db
    finally:
        db.close()


def test_what_was_put_comes_back_in_every_object_on_the_same_files(place: Path) -> None:
    store = store_in(place)
    assert store.bodies() == []
    assert put(store, b="two", a="one")
    assert store_in(place).bodies() == ["one", "two"]
    assert put(store_in(place), a="changed")
    assert store.bodies() == ["changed", "two"]
    assert store.change(lambda known: Change(remove=["b"]))
    assert store.bodies() == ["changed"]


def test_reading_makes_no_file(place: Path) -> None:
    assert store_in(place).bodies() == []
    assert list(place.iterdir()) == []


def test_a_change_that_raises_or_changes_nothing_leaves_all_as_it_was(place: Path) -> None:
    store = store_in(place)

    def refuse(known: list[str]) -> Change:
        raise LookupError

    for _ in range(2):
        with pytest.raises(LookupError):
            store.change(refuse)
        assert store.change(lambda known: Change())
        assert store.bodies() == []
    put(store, a="one")
    with pytest.raises(LookupError):
        store.change(refuse)
    assert store.bodies() == ["one"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_its_folders_and_files_are_for_its_owner_alone(place: Path) -> None:
    put(store_in(place), a="one")
    for path in (*(place / "store").iterdir(), *(place / "anchor").iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path
    for folder in ("store", "anchor"):
        assert (place / folder).stat().st_mode & 0o077 == 0


def test_what_is_removed_is_not_left_in_the_file(place: Path) -> None:
    store = store_in(place)
    put(store, a="Wolfenstein " * 50)
    store.change(lambda known: Change(remove=["a"]))
    for path in (place / "store").iterdir():
        assert b"Wolfenstein" not in path.read_bytes(), path


def sql(statement: str) -> Callable[[Path], None]:
    def tamper(place: Path) -> None:
        with opened(place) as db:
            db.execute(statement)

    return tamper


def remove_store(place: Path) -> None:
    shutil.rmtree(place / "store")


def empty_store(place: Path) -> None:
    remove_store(place)
    (place / "store").mkdir()
    (place / "store" / "decisions.sqlite").touch()


def junk_store(place: Path) -> None:
    empty_store(place)
    (place / "store" / "decisions.sqlite").write_bytes(b"junk" * 500)


def folder_for_store(place: Path) -> None:
    remove_store(place)
    (place / "store" / "decisions.sqlite").mkdir(parents=True)


def damage_anchor(place: Path) -> None:
    (place / "anchor" / "anchor").write_bytes(b'{"revision": 99}\n')


def folder_for_anchor(place: Path) -> None:
    shutil.rmtree(place / "anchor")
    (place / "anchor" / "anchor").mkdir(parents=True)


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (sql("DELETE FROM decisions WHERE id = 'a'"), "seal-does-not-fit"),
        (sql("DELETE FROM decisions"), "seal-does-not-fit"),
        (sql("UPDATE decisions SET body = 'other' WHERE id = 'a'"), "seal-does-not-fit"),
        (sql("UPDATE decisions SET id = 'c' WHERE id = 'a'"), "seal-does-not-fit"),
        (sql("UPDATE decisions SET id = 'ao', body = 'ne' WHERE id = 'a'"), "seal-does-not-fit"),
        (sql("INSERT INTO decisions (id, body) VALUES ('c', 'x')"), "seal-does-not-fit"),
        (sql("UPDATE decisions SET body = x'00' WHERE id = 'a'"), "store-damaged"),
        (sql("UPDATE state SET revision = 9"), "seal-does-not-fit"),
        (sql("UPDATE state SET revision = 'x'"), "store-damaged"),
        (sql("UPDATE state SET seal = 'x'"), "seal-does-not-fit"),
        (sql("DELETE FROM state"), "store-damaged"),
        (sql("DROP TABLE state"), "store-damaged"),
        (sql("CREATE TRIGGER t AFTER INSERT ON decisions BEGIN DELETE FROM decisions; END"), "store-damaged"),
        (remove_store, "store-missing"),
        (empty_store, "store-missing"),
        (junk_store, "store-damaged"),
        (folder_for_store, "store-unreadable"),
        (lambda place: shutil.rmtree(place / "anchor"), "anchor-missing"),
        (damage_anchor, "anchor-damaged"),
        (folder_for_anchor, "store-unreadable"),
    ],
)
def test_what_was_tampered_with_is_not_believed(place: Path, tamper: Callable[[Path], None], reason: str) -> None:
    put(store_in(place), a="one", b="two")
    tamper(place)
    assert unsound(store_in(place)) == reason


def test_an_older_copy_is_not_believed(place: Path) -> None:
    store = store_in(place)
    put(store, a="one")
    shutil.copytree(place / "store", place / "copy")
    put(store, b="two")
    shutil.rmtree(place / "store")
    shutil.copytree(place / "copy", place / "store")
    assert unsound(store) == "older-than-anchor"


def test_another_history_of_the_same_length_is_not_believed(
    place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    put(store_in(place), a="one")
    put(store_in(other), a="none")
    shutil.rmtree(place / "store")
    shutil.copytree(other / "store", place / "store")
    assert unsound(store_in(place)) == "differs-from-anchor"


def test_a_store_whose_anchor_is_a_step_behind_is_believed(place: Path) -> None:
    store = store_in(place)
    put(store, a="one")
    behind = (place / "anchor" / "anchor").read_bytes()
    put(store, b="two")
    (place / "anchor" / "anchor").write_bytes(behind)  # as after a crash between the two
    assert store.bodies() == ["one", "two"]
    put(store, c="three")
    assert store_in(place).bodies() == ["one", "two", "three"]


def test_under_another_key_nothing_is_believed(place: Path) -> None:
    put(store_in(place), a="one")
    # Not one line of the anchor fits that key, nor does the store.
    assert unsound(store_in(place, key=bytes(32))) == "anchor-damaged"
    with pytest.raises(ConfigurationError):
        store_in(place, key=b"short")


def test_an_anchor_that_fails_after_the_change_does_not_undo_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_in(place)
    put(store, a="one")

    def fail(*_: object) -> str:
        raise OSError

    monkeypatch.setattr("mpftconnect.governance.sealed_lines.SealedLines.append", fail)
    assert put(store, b="two") is False
    assert store.bodies() == ["one", "two"]


def test_it_does_not_begin_without_an_anchor(place: Path) -> None:
    (place / "anchor").write_text("in the way")
    with pytest.raises(StoreUnsound):
        put(store_in(place), a="one")
    assert not (place / "store" / "decisions.sqlite").exists()


def test_whoever_holds_it_too_long_is_named(place: Path) -> None:
    put(store_in(place), a="one")
    with opened(place) as db:
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnsound) as waiting:
            put(store_in(place, lock_seconds=0.1), b="two")
        assert waiting.value.reason == "store-locked"
        assert store_in(place).bodies() == ["one"]  # a reader waits for nobody


WRITER = textwrap.dedent("""
    import sys
    from pathlib import Path
    from mpftconnect.governance.decision_store import Change, DecisionStore
    place, name = Path(sys.argv[1]), sys.argv[2]
    store = DecisionStore(place / "store" / "decisions.sqlite", anchor=place / "anchor" / "anchor",
                          key=bytes(range(32)), lock_seconds=60.0)
    for n in range(15):
        store.change(lambda known: Change({f"{name}-{n}": f"after {len(known)}"}))
        store.bodies()
""")


def test_several_processes_write_one_after_the_other_and_lose_nothing(place: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(place), name], env=environment) for name in ("p", "q", "r")
    ]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    # Each saw all that was there before it: no two of them wrote after the same moment.
    assert sorted(store_in(place).bodies(), key=lambda body: int(body.split()[1])) == [f"after {n}" for n in range(45)]
