"""dm+d: the NHS dictionary of medicines and devices, as the NHSBSA publishes it in XML.

NHSBSA "dm+d Technical Specification" (schemas of release 2: `vtm_v2_3.xsd`, `vmp_v2_3.xsd`, ...): `f_vtm2`, `f_vmp2`,
`f_vmpp2`, `f_amp2`, `f_ampp2`, `f_ingredient2`, `f_lookup2`. `INVALID` 1 marks what is no longer valid; a previous
identifier is what a product was known by before. FHIR names the system `https://dmd.nhs.uk`; published value
sets filter it by `parent` = VTM, VMP, VMPP, AMP, AMPP or INGREDIENT.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from mpftconnect.errors import PackageRefused
from mpftconnect.validation.terminology.releases.files import Release, open_release
from mpftconnect.validation.terminology.releases.index import Building, write_meta
from mpftconnect.validation.terminology.releases.listed import ListedRows, make_tables

__all__ = ["import_dmd", "is_dmd"]

_FILE = re.compile(r"f_(vtm|vmp|vmpp|amp|ampp|ingredient|lookup)2_[0-9]+\.xml", re.IGNORECASE)
# Record -> kind, identifier, name, further names, what it is under.
_RECORDS = {
    "VTM": ("VTM", "VTMID", "NM", ("ABBREVNM",), ()),
    "VMP": ("VMP", "VPID", "NM", ("ABBREVNM", "NMPREV"), ("VTMID",)),
    "VMPP": ("VMPP", "VPPID", "NM", ("ABBREVNM",), ("VPID",)),
    "AMP": ("AMP", "APID", "DESC", ("NM", "ABBREVNM"), ("VPID",)),
    "AMPP": ("AMPP", "APPID", "NM", ("ABBREVNM",), ("VPPID", "APID")),
    "ING": ("INGREDIENT", "ISID", "NM", (), ()),
}
_PREVIOUS = {"VTM": "VTMIDPREV", "VMP": "VPIDPREV", "ING": "ISIDPREV"}
# Look-up lists whose codes are SNOMED CT identifiers too: units, forms, routes and suppliers.
_LOOKUPS = {"UNIT_OF_MEASURE", "FORM", "ROUTE", "SUPPLIER"}
# Fields that are kept as properties.
_PROPERTIES = (
    "PRES_STATCD",
    "LIC_AUTHCD",
    "AVAIL_RESTRICTCD",
    "SUPPCD",
    "BASISCD",
    "COMBPRODCD",
    "QTYVAL",
    "QTY_UOMCD",
)
_LONGEST_FIELD = 100_000
_CHUNK = 256 * 1024
_ID = re.compile(r"[1-9][0-9]{0,17}")


def is_dmd(release: Release) -> bool:
    """Whether a release has dm+d files."""
    return any(_FILE.fullmatch(name.rsplit("/", 1)[-1]) for name in release.names)


def import_dmd(paths: Sequence[Path], build: Building) -> None:
    """Read a dm+d release.

    Raises:
        PackageRefused: A file is not XML, or declares a document type.
    """
    make_tables(build.final)
    rows = ListedRows(build.final)
    previous: list[tuple[str, str, str]] = []
    read: set[str] = set()
    version = ""
    with ExitStack() as open_:
        for path in paths:
            release = open_.enter_context(open_release(path))
            dated = re.search(r"dmd_[0-9.]+_([0-9]{8})", release.name)
            for name in sorted(release.names):
                short = name.rsplit("/", 1)[-1]
                match = _FILE.fullmatch(short)
                if match is None:
                    continue
                read.add(match[1].lower())
                version = dated[1] if dated else version or short.rpartition("_")[2].partition(".")[0]
                build.tell(f"reading {short}")
                with release.open(name) as stream:
                    _Records(stream, short, rows, previous, build).read()
    rows.flush()
    for code, kind, now in previous:
        rows.concept(code, kind, "", active=False)
        rows.property(code, "replacedBy", now)
    rows.flush()
    count = build.final.execute("SELECT count(*) FROM concept").fetchone()[0]
    if not count:
        raise PackageRefused("the release holds no code that can be read")
    write_meta(
        build.final, system="https://dmd.nhs.uk", version=version, edition="dm+d", concepts=str(count),
        covered=" ".join(sorted(read)),
    )  # fmt: skip


class _Records:
    """Reads records of one file as a stream: never a tree, never an entity."""

    def __init__(
        self, stream: BinaryIO, name: str, rows: ListedRows, previous: list[tuple[str, str, str]], build: Building
    ) -> None:
        self._stream, self._name, self._rows, self._previous, self._build = stream, name, rows, previous, build
        self._path: list[str] = []
        self._fields: dict[str, str] | None = None
        self._begun = 0
        self._text: list[str] = []
        self._length = 0
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._doctype

    def read(self) -> None:
        try:
            while chunk := self._stream.read(_CHUNK):
                self._parser.Parse(chunk, False)
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise PackageRefused(f"{self._name}, line {error.lineno}: not well-formed XML") from None

    def _doctype(self, *_: object) -> None:
        raise PackageRefused(f"{self._name}: declares a document type, which no release does")

    def _start(self, tag: str, _: object) -> None:
        self._path.append(tag)
        if len(self._path) > 32:
            raise PackageRefused(f"{self._name}: nested deeper than any release")
        if self._fields is None and self._is_record(tag):
            self._fields, self._begun = {}, self._parser.CurrentLineNumber
        self._text, self._length = [], 0

    def _is_record(self, tag: str) -> bool:
        return (tag in _RECORDS and len(self._path) > 1) or (tag == "INFO" and self._path[-2] in _LOOKUPS)

    def _characters(self, data: str) -> None:
        self._length += len(data)
        if self._length > _LONGEST_FIELD:
            raise PackageRefused(f"{self._name}: a field is longer than {_LONGEST_FIELD} characters")
        self._text.append(data)

    def _end(self, tag: str) -> None:
        self._path.pop()
        if self._fields is None:
            return
        if self._is_record_end(tag):
            self._take(tag, self._fields)
            self._fields = None
        else:
            self._fields.setdefault(tag, "".join(self._text).strip())
        self._text, self._length = [], 0

    def _is_record_end(self, tag: str) -> bool:
        self._path.append(tag)
        try:
            return self._is_record(tag)
        finally:
            self._path.pop()

    def _take(self, tag: str, fields: dict[str, str]) -> None:
        get: Callable[..., str] = fields.get
        if tag == "INFO":
            kind, code, display = self._path[-1], get("CD", ""), get("DESC", "")
            names: list[str] = []
            above: tuple[str, ...] = ()
            was = get("CDPREV", "")
        else:
            kind, identifier, shown, further, above = _RECORDS[tag]
            code, display = get(identifier, ""), get(shown, "") or get("NM", "")
            names = [get(name, "") for name in further]
            was = get(_PREVIOUS.get(tag, ""), "")
        if not _ID.fullmatch(code) or not display:
            self._build.problems.add(self._name, self._begun, f"must be a {tag} with an identifier and a name")
            return
        self._rows.concept(code, kind, display, active=get("INVALID", "") != "1", names=names)
        self._rows.property(code, "parent", kind)
        for name in above:
            if get(name):
                self._rows.property(code, name, fields[name])
                self._rows.parent(code, fields[name])
        for name in _PROPERTIES:
            if get(name):
                self._rows.property(code, name, fields[name])
        if was and _ID.fullmatch(was):
            self._previous.append((was, kind, code))
