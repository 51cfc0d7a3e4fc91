"""A conformance run: how soon it shows that it began, and how long all packs take against the clean twins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from result import Goal, Result
from size import Size
from timing import SOURCE, Samples, fresh_process

from mpftconnect import load_plugins
from mpftconnect.conformance.numbers import many
from mpftconnect.sandbox import Sandbox

__all__ = ["run"]

# Every pack against the twin that it is for. The sender's and the receiver's part of a pack are two runs.
_RUNS = (
    ("uk-core", ("uk-core-r4", "mpft-safety", "open-api", "dtac-2.0", "mpft-local")),
    ("hl7v2-receiver", ("hl7v2-uk",)),
    ("hl7v2-sender", ("hl7v2-uk",)),
)
_SHORT = (("hl7v2-receiver", ("hl7v2-uk",)),)
_MOST_ROUNDS = 3  # a run takes seconds, and not microseconds
_COMMAND = "import sys\nfrom mpftconnect.cli import main\nsys.exit(main())"
_SAYS_ONE_LINE = "import click\nclick.echo('x')\nmark('said')"
_ASKS = """
import sys
import requests
with requests.Session() as session:
    for _ in range(int(sys.argv[2])):
        session.get(sys.argv[1], timeout=30).content
mark("asked")
"""


@dataclass(frozen=True, slots=True)
class _Timed:
    """Seconds from the start of the process to the first event, to all judged, to the end; the longest silence."""

    first: float
    judged: float
    whole: float
    silent: float
    asked: int


def run(size: Size) -> list[Result]:
    """The least of a few rounds; `size.processes` 1 makes one short run."""
    runs = _RUNS if size.processes > 1 else _SHORT
    rounds = min(size.processes, _MOST_ROUNDS)
    timed: list[list[_Timed]] = []
    said, asked = [], []
    with tempfile.TemporaryDirectory() as name, Sandbox(load_plugins(), only=["uk-core"]) as sandbox:
        url = f"{sandbox.hosts['uk-core'].base_url}/fhir/metadata"
        for _ in range(rounds):
            timed.append([_conform(Path(name), twin, packs) for twin, packs in runs])
            said.append(fresh_process(_SAYS_ONE_LINE)["said"])
            asked.append(fresh_process(_ASKS, [url, str(sum(each.asked for each in timed[-1]) or 1)])["asked"])
    first = Samples(tuple(min(each.first for each in row) for row in timed))
    judged = Samples(tuple(sum(each.judged for each in row) for row in timed))
    whole = Samples(tuple(sum(each.whole for each in row) for row in timed))
    silent = Samples(tuple(max(each.silent for each in row) for row in timed))
    a_line = "a fresh interpreter that imports click and says a line"
    as_many = "a bare script that asks as often"
    counted = many(len({pack for _, names in runs for pack in names}), "pack")
    return [
        Result(
            "first event of conform run, from the start of the process, wall",
            *(first.least * 1e3, "ms", a_line, min(said) * 1e3, first.spread),
            Goal("measured", 200),
        ),
        Result(
            f"conform run of {counted}, clean twins, until all is judged, wall",
            *(judged.least, "s", as_many, min(asked), judged.spread),
            Goal("measured", 15),
        ),
        Result(
            f"conform run of {counted}, clean twins, all forms of the report written, wall",
            *(whole.least, "s", as_many, min(asked), whole.spread),
            Goal("measured", 15),
        ),
        Result(
            "longest time without an event in it, wall",
            *(silent.least, "s", as_many, min(asked), silent.spread),
        ),
    ]


def _conform(folder: Path, twin: str, packs: Sequence[str]) -> _Timed:
    chosen = [part for pack in packs for part in ("--pack", pack)]
    path = os.pathsep.join([str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])])
    begun = time.perf_counter()
    with subprocess.Popen(
        [
            *(sys.executable, "-c", _COMMAND, "conform", "run", "--sandbox", twin, *chosen),
            *("--quiet", "--events", "-", "--out", str(folder / "report")),
        ],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        at, codes = [], []
        for line in process.stdout:
            at.append(time.perf_counter() - begun)
            codes.append(json.loads(line)["code"])
        complaint = process.stderr.read()
    if process.returncode not in (0, 3):  # met, or undetermined: a twin brings no papers
        raise RuntimeError(f"the run against {twin} failed:\n{complaint[-2000:]}")
    whole = time.perf_counter() - begun
    steps = zip(at, [*at[1:], whole], strict=True)
    judged = at[codes.index("run-finished")]
    return _Timed(at[0], judged, whole, max(end - start for start, end in steps), codes.count("exchange-finished"))
