"""The listener is killed at random points of a stream: every acknowledged message is there, once, in order."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
if str(BENCHMARKS) not in sys.path:
    sys.path.insert(0, str(BENCHMARKS))

import inbox_kills  # noqa: E402

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")


def test_a_sample_of_kills_loses_nothing(tmp_path: Path):
    outcome = inbox_kills.run(kills=3, messages=800, seed=11, folder=tmp_path / "store")
    assert outcome.ok, outcome.words()
    assert outcome.kills == 3 and outcome.acknowledged == 800


def test_the_comparison_notices_what_is_lost_twice_or_out_of_order(tmp_path: Path):
    from mpftconnect.inbox import SqliteStore
    from mpftconnect.inbox.store import Arrival

    from .conftest import NOW

    store = SqliteStore(tmp_path / "store")
    arrivals = [("0-1", b"a"), ("0-0", b"b"), ("0-1", b"c"), ("1-0", b"d")]
    store.append(
        [
            Arrival(feed="f", at=NOW, sender=f"s{n}", control_id=control, kind="ADT", body=body)
            for n, (control, body) in enumerate(arrivals)
        ]
    )
    store.close()
    told = {0: ["0-0", "0-1", "0-2"], 1: ["1-0"]}
    outcome = inbox_kills._compared(tmp_path / "store", told, inbox_kills.Outcome())
    assert (outcome.missing, outcome.twice, outcome.disordered) == (["0-2"], ["0-1"], [0])
    assert not outcome.ok and "NOT MET" in outcome.words()
