"""Make the packs of tables from hl7apy's.

    pip install hl7apy==1.3.5
    python -m mpftconnect.hl7v2.tables.make_tables src/mpftconnect/hl7v2/tables

hl7apy (CRS4, MIT licence) carries the tables of HL7 2.1 to 2.8.2 as Python modules. It is a source at build time only.
What is left out: references from one table into another (they are looked up by name), and tables of values that are no
list of codes.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import sys
from pathlib import Path
from typing import Any

from mpftconnect.hl7v2.tables import VERSIONS, write_tables

__all__ = ["main", "pruned"]

HL7APY = "1.3.5"
# Coding systems are an open list (nnnn, zzz); structures, events and value types are judged by what they name (and the
# list of value types lacks types that the same version has: CWE and DTM in 2.5.1).
_OPEN_TABLES = {"0125", "0396", "0354", "0003", "0076"}
_CODE = re.compile(r"[^\s.]{1,20}\Z")


def pruned(version: str) -> dict[str, Any]:
    """One version's tables, in the shape of `Tables`."""
    module = importlib.import_module(f"hl7apy.v{version.replace('.', '_')}")
    fields, components = module.FIELDS, module.DATATYPES
    return {
        "version": version,
        "structures": {name: _group(group) for name, group in module.MESSAGES.items()},
        "groups": {name: _group(group) for name, group in module.GROUPS.items()},
        "segments": {
            # A segment that the version has withdrawn has no fields, or no list of them.
            name: [_part(child, fields) for child in (segment[1] if len(segment) > 1 else ())]
            for name, segment in module.SEGMENTS.items()
            if len(name) == 3 and segment[0] == "sequence"
        },
        "types": {
            name: [_part(child, components) for child in parts] for name, parts in module.DATATYPES_STRUCTS.items()
        },
        "tables": dict(filter(None, map(_table, getattr(module, "TABLES", {}).items()))),
    }


def _group(group: Any) -> list[Any]:
    children = [
        [child[0], child[3] == "GRP", child[2][0], child[2][1]] for child in (group[1] if len(group) > 1 else ())
    ]
    return [group[0] == "choice", children]


def _part(child: Any, known: dict[str, Any]) -> list[Any]:
    reference = known.get(child[0]) or child[1]
    _, _, type_, name, table, *_ = reference
    least, most = child[2]
    return [
        "varies" if type_ == "varies" else type_.upper() if type_ else None,
        least,
        most,
        table.removeprefix("HL7") if table else None,
        name.replace("_", " ").capitalize() if name else "",
    ]


def _table(item: tuple[str, Any]) -> tuple[str, list[str]] | None:
    name, values = item[0].removeprefix("HL7"), item[1][1] or ()
    if name in _OPEN_TABLES or not values or not all(_CODE.match(value) for value in values):
        return None
    return name, sorted(set(values))


def main() -> None:
    """Write every version's pack into the folder that is given."""
    if importlib.metadata.version("hl7apy") != HL7APY:
        sys.exit(f"hl7apy {HL7APY} is needed, so that the same packs are made")
    for version in VERSIONS:
        write_tables(pruned(version), Path(sys.argv[1]) / f"v{version.replace('.', '_')}.pack")


if __name__ == "__main__":
    main()
