"""The index that an import makes: one SQLite file for each code system, replaced whole or not at all.

An import writes into a scratch folder beside the index and renames the finished file over the old one. One that is
killed leaves a scratch folder, which the next import removes; while one runs, another is refused.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mpftconnect.errors import ConfigurationError, PackageRefused

__all__ = ["FORMAT", "Building", "Problems", "building", "write_meta"]

# Raised when the tables change; an index of another format is not read, and the hint says to import again.
FORMAT = "1"
_SCRATCH = ".importing-"
_LOCK = ".import-lock"
_CACHE_KIB = 65_536
_MOST_KEPT = 100


@dataclass(slots=True)
class Problems:
    """Rows that could not be read: how many, and the first of them."""

    tell: Callable[[str], None]
    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, file: str, line: int, rule: str) -> None:
        """Note a row: file, line from 1, and what it should have been. Never what it holds."""
        self.count += 1
        if len(self.first) < _MOST_KEPT:
            text = f"{file.rsplit('/', 1)[-1]}, line {line}: {rule}"
            self.first.append(text)
            self.tell(text)
        elif self.count == _MOST_KEPT + 1:
            self.tell(f"further rows that cannot be read are counted, and the first {_MOST_KEPT} listed")


@dataclass(slots=True)
class Building:
    """An index under way: `final` becomes the index, `staging` is thrown away."""

    final: sqlite3.Connection
    problems: Problems
    tell: Callable[[str], None]


@contextmanager
def building(store: Path, name: str, tell: Callable[[str], None]) -> Iterator[Building]:
    """Make the index `name` in a scratch folder; at the end it takes the place of the former one.

    Raises:
        ConfigurationError: The folder cannot be written, or another import is under way.
    """
    try:
        store.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(OSError):
            store.chmod(0o700)
        lock = sqlite3.connect(store / _LOCK, timeout=0, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError([f"terminology store: cannot be written ({type(error).__name__})"]) from None
    with closing(lock):
        try:
            # The operating system lets go of this lock when the process ends, however it ends.
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error:
            raise ConfigurationError(
                ["terminology store: another import is under way, or it cannot be written"]
            ) from None
        for left_behind in store.glob(f"{_SCRATCH}*"):
            shutil.rmtree(left_behind, ignore_errors=True)
        scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=store))
        try:
            made = scratch / f"{name}.sqlite"
            with closing(_scratch_database(made)) as final:
                final.execute("ATTACH DATABASE ? AS staging", (str(scratch / "staging.sqlite"),))
                for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KIB}"):
                    final.execute(f"PRAGMA staging.{pragma}")
                under_way = Building(final, Problems(tell), tell)
                yield under_way
                today = datetime.now(UTC).date().isoformat()
                write_meta(final, format=FORMAT, malformed=str(under_way.problems.count), imported=today)
                final.commit()
                final.execute("DETACH DATABASE staging")
            with made.open("rb+") as file:
                os.fsync(file.fileno())
            made.replace(store / f"{name}.sqlite")
        except sqlite3.Error as error:
            raise PackageRefused(f"the index could not be written ({type(error).__name__}: disk full?)") from None
        except PermissionError:
            raise ConfigurationError(["terminology store: the index is in use, or cannot be replaced"]) from None
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _scratch_database(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    # A scratch file needs no journal: it is thrown away if anything fails. The cache bounds the memory.
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE", f"cache_size=-{_CACHE_KIB}"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
    return connection


def write_meta(connection: sqlite3.Connection, **values: str) -> None:
    """Note facts about the index."""
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", sorted(values.items()))
