"""A sample of the fuzzing of `benchmarks/fuzz_mllp.py`: no crash, nothing unaccounted for, no value shown."""

from __future__ import annotations

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
if str(BENCHMARKS) not in sys.path:
    sys.path.insert(0, str(BENCHMARKS))

import fuzz_mllp  # noqa: E402


def test_a_sample_of_hostile_frames():
    outcome = fuzz_mllp.run(1500, seed=5, over_sockets=30)
    assert outcome.ok, outcome.words()
    # The sample reaches what it is meant to: good messages, refused ones, and the limits.
    assert outcome.frames == 1500 and outcome.answers["AA"] > 100 and outcome.answers["AR"] > 100
