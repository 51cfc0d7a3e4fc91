"""How time is taken: what is compared runs in turns, and the least of many runs counts.

A shared machine only ever adds to a time, so the least is the nearest to what the work itself costs; how far the
middle run lies above it is printed beside it, so that a reader sees how noisy the machine was.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Clock", "Samples", "cpu_clock", "fresh_process", "interleaved", "wall_clock"]

Clock = Callable[[], float]

# For work that waits for something (disk, network); and for work that only computes, which other processes on the
# machine then disturb less.
wall_clock: Clock = time.perf_counter
cpu_clock: Clock = time.process_time

SOURCE = Path(__file__).resolve().parent.parent / "src"
_SHORTEST_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Samples:
    """Seconds that each run took."""

    seconds: tuple[float, ...]

    @property
    def least(self) -> float:
        return min(self.seconds)

    @property
    def spread(self) -> float:
        """How far the middle run lies above the least, as a part of the least: 0.1 is ten per cent."""
        return statistics.median(self.seconds) / self.least - 1 if self.least else 0.0


def interleaved(
    works: Mapping[str, Callable[[], object]], *, rounds: int, clock: Clock = wall_clock
) -> dict[str, Samples]:
    """Time each work in turn, `rounds` times over, after one run of each that does not count.

    Work that is shorter than the clock can see is repeated within a run; the seconds are those of one repetition.
    What lives in this process already is taken out of the garbage collector's sight, so that no work pays for the
    remains of another.
    """
    gc.collect()
    gc.freeze()
    try:
        return _interleaved(works, rounds, clock)
    finally:
        gc.unfreeze()


def _interleaved(works: Mapping[str, Callable[[], object]], rounds: int, clock: Clock) -> dict[str, Samples]:
    repeats = {name: _repeats(work, clock) for name, work in works.items()}
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            begun = clock()
            for _ in range(repeats[name]):
                work()
            seconds[name].append((clock() - begun) / repeats[name])
    return {name: Samples(tuple(taken)) for name, taken in seconds.items()}


def _repeats(work: Callable[[], object], clock: Clock) -> int:
    work()
    repeats = 1
    while True:
        begun = clock()
        for _ in range(repeats):
            work()
        if clock() - begun >= _SHORTEST_SECONDS or repeats >= 10_000:
            return repeats
        repeats *= 4


def fresh_process(code: str, arguments: Sequence[str] = ()) -> dict[str, float]:
    """Run `code` in a new interpreter and give the marks that it set, in seconds since the process was started.

    In `code`, `mark("name")` sets two: `name` (wall) and `name.cpu` (what the process has computed until then, its
    start included).
    """
    preface = (
        "import time as _time\n_marks = {}\n"
        "def mark(name):\n    _marks[name], _marks[name + '.cpu'] = _time.time(), _time.process_time()\n"
    )
    ending = "\nimport json as _json\nprint(_json.dumps(_marks))\n"
    path = os.pathsep.join([str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])])
    begun = time.time()
    done = subprocess.run(
        [sys.executable, "-c", preface + code + ending, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"a measured process failed:\n{done.stderr[-2000:]}")
    marks: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {name: at if name.endswith(".cpu") else at - begun for name, at in marks.items()}
