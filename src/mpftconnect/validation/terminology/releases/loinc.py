"""LOINC: `LoincTable/Loinc.csv` of a release, with parts, answers and the hierarchy where they are there.

LOINC Users' Guide, appendix A ("LOINC Database Structure"), and the headers of the accessory files: `Part.csv`,
`AnswerList.csv`, `ComponentHierarchyBySystem.csv` (`MultiAxialHierarchy.csv` before 2.74). FHIR R4 "Using LOINC with
FHIR" (4.3.15): parts (`LP`), answer lists (`LL`) and answers (`LA`) are codes of the same system; the columns of the
table are its properties.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from mpftconnect.errors import PackageRefused
from mpftconnect.validation.terminology.releases.files import Release, lines_of, open_release
from mpftconnect.validation.terminology.releases.index import Building, write_meta
from mpftconnect.validation.terminology.releases.listed import ListedRows, make_tables

__all__ = ["import_loinc", "is_loinc"]

_PROPERTIES = (
    "COMPONENT", "PROPERTY", "TIME_ASPCT", "SYSTEM", "SCALE_TYP", "METHOD_TYP", "CLASS", "CLASSTYPE", "STATUS",
    "ORDER_OBS", "VersionFirstReleased", "VersionLastChanged",
)  # fmt: skip
_NAMES = ("SHORTNAME", "CONSUMER_NAME", "DisplayName")
_CODE = re.compile(r"(?:LP|LL|LA|LG)?[0-9]{1,8}-[0-9]")
_VERSION = re.compile(r"[Ll]oinc_?([0-9]+\.[0-9]+)")


def is_loinc(release: Release) -> bool:
    """Whether a release has the LOINC table."""
    return _file(release, "Loinc.csv") is not None


def _file(release: Release, *names: str) -> str | None:
    found = [name for name in release.names if name.rsplit("/", 1)[-1].lower() in {n.lower() for n in names}]
    # A release may hold a second table for another purpose ("LoincTableCore"); the full path decides.
    return min(found, key=len) if found else None


def import_loinc(paths: Sequence[Path], build: Building) -> None:
    """Read a LOINC release.

    Raises:
        PackageRefused: The table is absent, or has not its columns.
    """
    make_tables(build.final)
    rows = ListedRows(build.final)
    covered: set[str] = set()
    version = ""
    with ExitStack() as open_:
        for path in paths:
            release = open_.enter_context(open_release(path))
            named = _VERSION.search(release.name) or next(filter(None, map(_VERSION.search, release.names)), None)
            version = named[1] if named else version
            version = _table(release, rows, build) or version
            covered.add("number")
            covered.update(_accessories(release, rows, build))
    rows.flush()
    count = build.final.execute("SELECT count(*) FROM concept").fetchone()[0]
    if not count:
        raise PackageRefused("the release holds no code that can be read")
    write_meta(
        build.final, system="http://loinc.org", version=version, edition="LOINC", concepts=str(count),
        covered=" ".join(sorted(covered)),
    )  # fmt: skip


def _table(release: Release, rows: ListedRows, build: Building) -> str:
    name = _file(release, "Loinc.csv")
    if name is None:
        raise PackageRefused(f"{release.name}: no Loinc.csv")
    newest = ""
    for row in _records(release, name, ("LOINC_NUM", "STATUS", "LONG_COMMON_NAME"), build):
        code = row["LOINC_NUM"]
        names = [row.get(column, "") for column in _NAMES]
        rows.concept(code, "LOINC", row["LONG_COMMON_NAME"], active=row["STATUS"] != "DEPRECATED", names=names)
        for column in _PROPERTIES:
            if row.get(column):
                rows.property(code, column, row[column])
        newest = max(newest, row.get("VersionLastChanged", ""), key=_ordered)
    return newest


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _accessories(release: Release, rows: ListedRows, build: Building) -> Iterator[str]:
    """Parts, answers and hierarchy; gives the prefixes of codes that are known in full."""
    if (name := _file(release, "Part.csv")) is not None:
        for row in _records(release, name, ("PartNumber", "PartName", "Status"), build):
            display = row.get("PartDisplayName") or row["PartName"]
            rows.concept(
                row["PartNumber"], "Part", display, active=row["Status"] != "DEPRECATED", names=[row["PartName"]]
            )
        yield "LP"
    if (name := _file(release, "AnswerList.csv")) is not None:
        for row in _records(release, name, ("AnswerListId", "AnswerListName", "AnswerStringId", "DisplayText"), build):
            rows.concept(row["AnswerListId"], "AnswerList", row["AnswerListName"], active=True)
            if row["AnswerStringId"]:
                rows.concept(row["AnswerStringId"], "Answer", row["DisplayText"], active=True)
        yield from ("LL", "LA")
    if (name := _file(release, "ComponentHierarchyBySystem.csv", "MultiAxialHierarchy.csv")) is not None:
        for row in _records(release, name, ("IMMEDIATE_PARENT", "CODE", "CODE_TEXT"), build):
            if row["CODE"].startswith("LP"):
                rows.concept(row["CODE"], "Part", row["CODE_TEXT"], active=True)
            if row["IMMEDIATE_PARENT"]:
                rows.parent(row["CODE"], row["IMMEDIATE_PARENT"])
        yield "hierarchy"


def _records(release: Release, name: str, needed: tuple[str, ...], build: Building) -> Iterator[dict[str, str]]:
    short = name.rsplit("/", 1)[-1]
    build.tell(f"reading {short}")
    with release.open(name) as stream:
        reader = csv.reader(_text(stream, short, build), strict=True)
        header = next(reader, [])
        if not set(needed) <= set(header):
            raise PackageRefused(f"{release.name}: {short} has not the columns {', '.join(needed)}")
        coded = needed[0] if needed[0] != "IMMEDIATE_PARENT" else "CODE"
        while True:
            begun = reader.line_num + 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error:
                build.problems.add(short, begun, "must be a row of CSV")
                continue
            row = dict(zip(header, fields, strict=False))
            if len(fields) != len(header) or not _CODE.fullmatch(row[coded]):
                build.problems.add(short, begun, f"must have {len(header)} columns and a code of LOINC")
                continue
            yield row


def _text(stream: BinaryIO, name: str, build: Building) -> Iterator[str]:
    for number, line in enumerate(lines_of(stream, name), start=1):
        try:
            yield (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).decode("utf-8") + "\n"
        except UnicodeDecodeError:
            build.problems.add(name, number, "must be UTF-8")
