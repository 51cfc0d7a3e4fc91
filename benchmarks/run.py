"""Measures the SDK beside its peers, and writes what was found.

python benchmarks/run.py                      # everything; the table, and benchmarks/results.json
python benchmarks/run.py --only merging       # one benchmark; results.json is left alone
python benchmarks/run.py --write-docs         # and the table of docs/benchmarks.md
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import compiled_mapping
import conforming
import exchanging
import fhirpath
import first_record
import formats
import hl7v2
import hl7v2_mapping
import importing
import inbox
import merging
import reading
import terminology
import trails
import validation
from result import Result, as_json, as_markdown, as_text
from size import FULL, SMALL, Size

BENCHMARKS: dict[str, Callable[[Size], list[Result]]] = {
    "importing": importing.run,
    "first_record": first_record.run,
    "reading": reading.run,
    "merging": merging.run,
    "formats": formats.run,
    "trails": trails.run,
    "exchanging": exchanging.run,
    "fhirpath": fhirpath.run,
    "inbox": inbox.run,
    "hl7v2": hl7v2.run,
    "hl7v2_mapping": hl7v2_mapping.run,
    "compiled_mapping": compiled_mapping.run,
    "validation": validation.run,
    "terminology": terminology.run,
    "conforming": conforming.run,
}
HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def write_page(page: Path, document: dict[str, Any]) -> None:
    """Put the table of `document` between the page's markers."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{page.name} lacks the markers {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{as_markdown(document)}\n\n{END}{after}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; 0 whether or not goals were met, since a busy machine proves nothing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="this benchmark alone; may be repeated")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to see that everything runs")
    parser.add_argument("--results", type=Path, help="where the results are written")
    parser.add_argument("--write-docs", action="store_true", help="bring docs/benchmarks.md up to date")
    parser.add_argument("--page", type=Path, default=PAGE, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.write_docs and given.only:
        parser.error("--write-docs needs every benchmark")
    target = given.results or (None if given.only or given.small else HERE / "results.json")
    results: list[Result] = []
    for name in given.only or BENCHMARKS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        results += BENCHMARKS[name](SMALL if given.small else FULL)
    print(as_text(results))
    document = as_json(results)
    if target is not None:
        target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if given.write_docs:
        write_page(given.page, document)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
