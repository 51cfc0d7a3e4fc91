"""SNOMED CT in Release Format 2.

SNOMED CT Release File Specification: "File Naming Convention" (`sct2_Concept_Snapshot_INT_20260101.txt`; national
releases put letters of their own before `Snapshot`, such as `UKCLSnapshot`), "Release Types" (a snapshot holds each
component once, as it last was; a full file holds every state), and the columns of each file below. UTF-8,
tab-separated, no quoting, a header. International and extension releases are read together into one edition.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from mpftconnect.errors import PackageRefused
from mpftconnect.validation.terminology.releases.files import Release, lines_of, open_release
from mpftconnect.validation.terminology.releases.index import Building, write_meta
from mpftconnect.validation.terminology.releases.sctid import is_concept_id

__all__ = ["LANGUAGE_REFSETS", "import_rf2", "is_rf2"]

_NAME = re.compile(
    r"x?(?:sct|der)2_(?P<content>Concept|Description|Relationship|cRefset|Refset)_(?P<summary>[A-Za-z0-9]*?)"
    r"(?P<kind>Snapshot|Full)(?:-[A-Za-z0-9-]+)?_[A-Za-z0-9]+_(?P<date>[0-9]{8})[A-Za-z0-9]*\.txt"
)
_COMMON = ("id", "effectiveTime", "active", "moduleId")
_COLUMNS = {
    "Concept": (*_COMMON, "definitionStatusId"),
    "Description": (*_COMMON, "conceptId", "languageCode", "typeId", "term", "caseSignificanceId"),
    "Relationship": (
        *_COMMON, "sourceId", "destinationId", "relationshipGroup", "typeId", "characteristicTypeId", "modifierId",
    ),
    "Language": (*_COMMON, "refsetId", "referencedComponentId", "acceptabilityId"),
    "Refset": (*_COMMON, "refsetId", "referencedComponentId"),
}  # fmt: skip
_FSN, _SYNONYM = 900000000000003001, 900000000000013009
_IS_A = 116680003
_STATED, _ADDITIONAL = 900000000000010007, 900000000000227009
_PREFERRED, _ACCEPTABLE = 900000000000548007, 900000000000549004
# en-GB first: the NHS realm (clinical, pharmacy), British English, then American.
LANGUAGE_REFSETS = (999001261000000100, 999000691000001104, 900000000000508004, 900000000000509007)
_BATCH = 20_000
_TOLD = 500_000

Row = tuple[object, ...]


def is_rf2(release: Release) -> bool:
    """Whether a release has RF2 files."""
    return any(_named(name) is not None for name in release.names)


def _named(path: str) -> re.Match[str] | None:
    return _NAME.fullmatch(path.rsplit("/", 1)[-1])


def import_rf2(paths: Sequence[Path], build: Building) -> None:
    """Read releases that make one edition together.

    Raises:
        PackageRefused: A release has no concepts, or cannot be read.
    """
    _tables(build.final)
    dates: set[str] = set()
    with ExitStack() as open_:
        for path in paths:
            release = open_.enter_context(open_release(path))
            dates.update(_read(release, build))
    _finish(build, max(dates))


def _tables(db: sqlite3.Connection) -> None:
    db.executescript(
        """
        CREATE TABLE staging.concept (id INTEGER, effective INTEGER, active INTEGER, module INTEGER);
        CREATE TABLE staging.description
            (id INTEGER, effective INTEGER, active INTEGER, concept INTEGER, kind INTEGER, term TEXT);
        CREATE TABLE staging.is_a (id INTEGER, effective INTEGER, active INTEGER, child INTEGER, parent INTEGER);
        CREATE TABLE staging.language
            (id BLOB, effective INTEGER, active INTEGER, refset INTEGER, description INTEGER, acceptability INTEGER);
        CREATE TABLE staging.member (id BLOB, effective INTEGER, active INTEGER, refset INTEGER, concept INTEGER);
        """
    )


def _read(release: Release, build: Building) -> set[str]:
    chosen = {name: match for name in release.names if (match := _named(name)) is not None}
    # A full file says what a snapshot says, and more: it is read only where there is no snapshot.
    kind = "Snapshot" if any(m["kind"] == "Snapshot" for m in chosen.values()) else "Full"
    files = {name: match for name, match in chosen.items() if match["kind"] == kind}
    if not any(match["content"] == "Concept" for match in files.values()):
        raise PackageRefused(f"{release.name}: no RF2 concept file (a snapshot or full release is needed)")
    for name, match in sorted(files.items()):
        content = match["content"]
        if content == "cRefset":
            if "Language" not in match["summary"]:
                continue
            content = "Language"
        build.tell(f"reading {name.rsplit('/', 1)[-1]}")
        _stage(release, name, content, build)
    return {match["date"] for match in files.values()}


def _stage(release: Release, name: str, content: str, build: Building) -> None:
    statement, read = _READERS[content]
    rows: list[Row] = []
    count = 0
    build.final.execute("BEGIN")
    for row in _rows(release, name, content, read, build):
        rows.append(row)
        if len(rows) >= _BATCH:
            build.final.executemany(statement, rows)
            count += len(rows)
            rows.clear()
            if count % _TOLD == 0:
                build.tell(f"  {count} rows ...")
    build.final.executemany(statement, rows)
    build.final.execute("COMMIT")


def _rows(
    release: Release, name: str, content: str, read: Callable[[list[str]], Row | None], build: Building
) -> Iterator[Row]:
    columns = _COLUMNS[content]
    width = len(columns)
    with release.open(name) as stream:
        lines = lines_of(stream, name.rsplit("/", 1)[-1])
        header = next(lines, b"").removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").split("\t")
        if tuple(header) != columns:
            if content == "Refset":  # a reference set of another pattern under a simple one's name
                build.problems.add(name, 1, "the columns are not those of a simple reference set; the file is left out")
                return
            raise PackageRefused(f"{release.name}: {name.rsplit('/', 1)[-1]} has not the columns of RF2 {content}")
        for number, line in enumerate(lines, start=2):
            try:
                row = read(_fields(line, width))
            except (ValueError, OverflowError):
                build.problems.add(name, number, f"must be {width} columns of RF2 {content}, in UTF-8")
                continue
            if row is not None:
                yield row


def _fields(line: bytes, width: int) -> list[str]:
    fields = line.decode("utf-8").split("\t")
    if len(fields) != width or fields[2] not in ("0", "1") or len(fields[1]) != 8:
        raise ValueError
    return fields


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError
    return int(text)


def _uuid(text: str) -> bytes:
    found = bytes.fromhex(text.replace("-", ""))
    if len(found) != 16:
        raise ValueError
    return found


def _concept(f: list[str]) -> Row:
    if not is_concept_id(f[0]):
        raise ValueError
    return int(f[0]), _number(f[1]), int(f[2]), _number(f[3])


def _description(f: list[str]) -> Row | None:
    kind = _number(f[6])
    if kind not in (_FSN, _SYNONYM):
        return None
    return _number(f[0]), _number(f[1]), int(f[2]), _number(f[4]), int(kind == _FSN), f[7]


def _relationship(f: list[str]) -> Row | None:
    if _number(f[7]) != _IS_A or _number(f[8]) in (_STATED, _ADDITIONAL):
        return None
    return _number(f[0]), _number(f[1]), int(f[2]), _number(f[4]), _number(f[5])


def _language(f: list[str]) -> Row:
    value = _number(f[6])
    if value not in (_PREFERRED, _ACCEPTABLE):
        raise ValueError
    return _uuid(f[0]), _number(f[1]), int(f[2]), _number(f[4]), _number(f[5]), int(value == _PREFERRED)


def _member(f: list[str]) -> Row:
    return _uuid(f[0]), _number(f[1]), int(f[2]), _number(f[4]), _number(f[5])


_READERS: dict[str, tuple[str, Callable[[list[str]], Row | None]]] = {
    "Concept": ("INSERT INTO staging.concept VALUES (?, ?, ?, ?)", _concept),
    "Description": ("INSERT INTO staging.description VALUES (?, ?, ?, ?, ?, ?)", _description),
    "Relationship": ("INSERT INTO staging.is_a VALUES (?, ?, ?, ?, ?)", _relationship),
    "Language": ("INSERT INTO staging.language VALUES (?, ?, ?, ?, ?, ?)", _language),
    "Refset": ("INSERT INTO staging.member VALUES (?, ?, ?, ?, ?)", _member),
}


def _finish(build: Building, version: str) -> None:
    """What each component last was, as tables to be asked.

    SQLite gives the bare columns of a query with one `max()` the values of the row that has the maximum (SQLite
    documentation, "SELECT", 2.5), and sorts on disk, so that memory stays bounded.
    """
    db = build.final
    build.tell("indexing")
    ranks = " ".join(f"WHEN {refset} THEN {2 * rank}" for rank, refset in enumerate(LANGUAGE_REFSETS))
    db.executescript(
        f"""
        BEGIN;
        CREATE TABLE concept (id INTEGER PRIMARY KEY, active INTEGER, module INTEGER, effective INTEGER);
        INSERT INTO concept SELECT id, active, module, max(effective) FROM staging.concept GROUP BY id ORDER BY id;

        CREATE TABLE parent (child INTEGER, parent INTEGER, PRIMARY KEY (child, parent)) WITHOUT ROWID;
        INSERT OR IGNORE INTO parent SELECT child, parent FROM
            (SELECT child, parent, active, max(effective) FROM staging.is_a GROUP BY id)
            WHERE active = 1 ORDER BY child, parent;
        CREATE INDEX parent_child ON parent (parent);

        CREATE TABLE refset_member (concept INTEGER, refset INTEGER, PRIMARY KEY (concept, refset)) WITHOUT ROWID;
        INSERT OR IGNORE INTO refset_member SELECT concept, refset FROM
            (SELECT concept, refset, active, max(effective) FROM staging.member GROUP BY id)
            WHERE active = 1 ORDER BY concept, refset;
        CREATE TABLE refset (id INTEGER PRIMARY KEY, members INTEGER);
        INSERT INTO refset SELECT refset, count(*) FROM refset_member GROUP BY refset;

        CREATE TABLE staging.chosen (description INTEGER PRIMARY KEY, place INTEGER);
        INSERT INTO staging.chosen SELECT description,
                min(CASE refset {ranks} ELSE {2 * len(LANGUAGE_REFSETS)} END + 1 - acceptability) FROM
            (SELECT description, refset, acceptability, active, max(effective) FROM staging.language GROUP BY id)
            WHERE active = 1 GROUP BY description;

        CREATE TABLE name (concept INTEGER, place INTEGER, term TEXT, PRIMARY KEY (concept, place, term)) WITHOUT ROWID;
        INSERT OR IGNORE INTO name SELECT concept, coalesce(place, 100) + 50 * fsn, term FROM
            (SELECT id, concept, kind AS fsn, term, active, max(effective) FROM staging.description GROUP BY id)
            LEFT JOIN staging.chosen ON description = id
            WHERE active = 1 AND (place IS NOT NULL OR fsn = 1 OR NOT EXISTS (SELECT 1 FROM staging.chosen))
            ORDER BY 1, 2, 3;

        CREATE TABLE module (id INTEGER PRIMARY KEY, concepts INTEGER, effective INTEGER);
        INSERT INTO module SELECT module, count(*), max(effective) FROM concept GROUP BY module;
        COMMIT;
        """  # noqa: S608 - numbers of this module
    )
    concepts = db.execute("SELECT count(*) FROM concept").fetchone()[0]
    if not concepts:
        raise PackageRefused("the release holds no concept that can be read")
    namespaces = {
        found[0]
        for found in db.execute(
            "SELECT DISTINCT CASE WHEN (id / 100) % 10 = 1 THEN (id / 1000) % 10000000 ELSE -1 END FROM concept"
        )
    }
    write_meta(
        db,
        system="http://snomed.info/sct",
        version=version,
        concepts=str(concepts),
        namespaces=" ".join("-" if n < 0 else f"{n:07}" for n in sorted(namespaces)),
        edition=_edition({found[0] for found in db.execute("SELECT id FROM module")}),
    )


_INTERNATIONAL_CORE = 900000000000207008
_UK = {
    999000011000000103: "UK Clinical",
    999000011000001104: "UK Drug",
}


def _edition(modules: set[int]) -> str:
    """What the modules say the edition is made of."""
    parts = ["International"] if _INTERNATIONAL_CORE in modules else []
    parts += [name for module, name in _UK.items() if module in modules]
    return " + ".join(parts) or "modules of its own"
