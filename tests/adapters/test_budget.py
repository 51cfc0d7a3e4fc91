"""Never more than N in any window, over threads and processes (rule 3)."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterable

import pytest

from mpftconnect.adapters import Deadline, RateBudget
from mpftconnect.errors import RateLimited, UsageError


def most_in_a_window(turns: Iterable[float], seconds: float) -> int:
    ordered = sorted(turns)
    return max(sum(1 for other in ordered if turn <= other < turn + seconds) for turn in ordered)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture(params=["memory", "file"])
def budget_of(request, tmp_path):
    def make(rate: float, clock: Clock) -> RateBudget:
        path = tmp_path / "budget.sqlite" if request.param == "file" else None
        return RateBudget(path, rate, clock=clock, sleep=clock.sleep)

    return make


@pytest.mark.parametrize(
    ("rate", "in_window", "seconds"), [(5, 5, 1.0), (2.5, 2, 0.8), (1, 1, 1.0), (0.5, 1, 2.0), (100, 100, 1.0)]
)
def test_never_more_than_n_in_any_window(budget_of, rate, in_window, seconds):
    clock = Clock()
    budget = budget_of(rate, clock)
    assert (budget.in_window, budget.window_seconds) == (in_window, seconds)
    turns = [budget.take(Deadline.after(1000)) for _ in range(in_window * 4)]
    # A hair less than the window, for the sums of floating point.
    assert most_in_a_window(turns, seconds - 1e-6) == in_window
    assert turns[:in_window] == [1000.0] * in_window
    assert turns[-1] == pytest.approx(1000 + 3 * seconds)


def test_an_idle_budget_saves_nothing_up(budget_of):
    clock = Clock()
    budget = budget_of(2, clock)
    budget.take(Deadline.after(1000))
    clock.now += 3600
    turns = [budget.take(Deadline.after(1000)) for _ in range(4)]
    assert [turn - turns[0] for turn in turns] == [0, 0, 1, 1]


def test_a_turn_after_the_deadline_is_refused_at_once_and_not_taken(budget_of):
    clock = Clock()
    budget = budget_of(1, clock)
    budget.take(Deadline.after(1000))
    for _ in range(3):
        with pytest.raises(RateLimited, match="our own budget"):
            budget.take(Deadline.after(0.5))
    assert clock.slept == []
    assert budget.take(Deadline.after(1000)) == 1001.0


def test_a_clock_that_went_back_costs_one_window(budget_of):
    clock = Clock()
    budget = budget_of(5, clock)
    for _ in range(5):
        budget.take(Deadline.after(1000))
    clock.now = 10.0
    turns = [budget.take(Deadline.after(1000)) for _ in range(6)]
    assert turns == [11.0] * 5 + [12.0]


def test_a_clock_that_jumps_ahead_still_lets_only_n_through(budget_of):
    clock = Clock()
    budget = budget_of(3, clock)
    budget.take(Deadline.after(1000))
    clock.now += 1e6
    assert most_in_a_window([budget.take(Deadline.after(1000)) for _ in range(9)], 1 - 1e-6) == 3


def test_threads_share_one_budget(budget_of):
    budget = RateBudget(budget_of(20, Clock())._path, 20)
    turns: list[tuple[float, float]] = []

    def take() -> None:
        for _ in range(4):
            turn = budget.take(Deadline.after(30))
            turns.append((turn, time.monotonic()))

    threads = [threading.Thread(target=take) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(turns) == 40
    assert most_in_a_window([turn for turn, _ in turns], 1 - 1e-6) == 20
    assert all(turn <= returned for turn, returned in turns)


def test_processes_share_one_budget(tmp_path):
    path = tmp_path / "budget.sqlite"
    script = textwrap.dedent("""
        import json, sys, threading, time
        from pathlib import Path
        from mpftconnect.adapters.budget import RateBudget
        from mpftconnect.adapters.deadline import Deadline
        budget, turns = RateBudget(Path(sys.argv[1]), 16), []
        def take():
            for _ in range(4):
                turn = budget.take(Deadline.after(60))
                turns.append([turn, time.monotonic()])
        threads = [threading.Thread(target=take) for _ in range(3)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print(json.dumps(turns))
    """)
    started = [
        subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    turns = [turn for process in started for turn in json.loads(process.communicate(timeout=60)[0])]
    assert [process.returncode for process in started] == [0] * 3
    assert len(turns) == 36
    assert most_in_a_window([turn for turn, _ in turns], 1 - 1e-6) == 16
    assert all(turn <= returned for turn, returned in turns)


def test_a_budget_that_is_locked_until_the_deadline_is_refused(tmp_path):
    path = tmp_path / "budget.sqlite"
    RateBudget(path, 5).take(Deadline.after(5))
    holder = sqlite3.connect(path, isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(RateLimited, match="in use until the deadline"):
            RateBudget(path, 5).take(Deadline.after(0.2))
    finally:
        holder.close()


@pytest.mark.parametrize("spoil", ["folder", "garbage", "absent"])
def test_a_budget_whose_file_cannot_be_used_says_what_to_do(tmp_path, spoil):
    path = tmp_path / "budget.sqlite"
    if spoil == "folder":
        path.mkdir()
    elif spoil == "garbage":
        path.write_bytes(b"not a database, by any means, at all. " * 100)
    else:
        path = tmp_path / "absent" / "budget.sqlite"
    with pytest.raises(RateLimited, match="delete it, or see that its folder can be written") as caught:
        RateBudget(path, 5).take(Deadline.after(5))
    assert str(tmp_path) not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_rate_must_be_a_positive_number(rate):
    with pytest.raises(UsageError):
        RateBudget(None, rate)
