"""What the hub adds to the time that the systems themselves take, with a warm hub."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import requests
from result import Goal, Result
from served import NHS_NUMBER, Served, ServedTwins
from size import Size
from timing import Samples, interleaved

from mpftconnect import AccessContext, Hub, connect

__all__ = ["run"]

WHO = AccessContext(
    user="jane.doe", name="Jane Doe", role="community-nurse", organisation="RRE", purpose="direct-care",
    relationship="caseload",
)  # fmt: skip
_DROPPED = {"host", "content-length", "connection"}


def run(size: Size) -> list[Result]:
    logging.getLogger("mpftconnect").setLevel(logging.WARNING)  # a console is no part of what is measured
    with (
        tempfile.TemporaryDirectory() as name,
        ServedTwins(Path(name)) as twins,
        connect(twins.configuration) as hub,
    ):
        hub.record(NHS_NUMBER, WHO)
        return [
            *_overhead(size, twins, hub, None),
            *_overhead(size, twins, hub, ("allergies",)),
            *_without_delays(size, twins, hub),
        ]


def _overhead(size: Size, twins: ServedTwins, hub: Hub, sections: tuple[str, ...] | None) -> list[Result]:
    twins.answer_after(size.delay_seconds)
    twins.served()
    runs = []
    with _trails_timed(hub) as writing:
        for _ in range(size.records):
            writing.clear()
            begun = time.perf_counter()
            hub.record(NHS_NUMBER, WHO, sections=sections)
            whole = time.perf_counter() - begun
            waited = _waited(twins.served())
            runs.append((whole - waited, waited, sum(writing)))
    twins.answer_after(0.0)
    what = "all sections" if sections is None else ", ".join(sections)
    # All three of the run in which the hub added the least.
    own, systems, trails = min(runs)
    spread = median(run[0] for run in runs) / own - 1 if own > 0 else 0.0
    peer = "PDS, then the slowest other system"
    name = f"added by the hub to systems that answer after {size.delay_seconds * 1e3:g} ms ({what})"
    return [
        Result(name, own * 1e3, "ms", peer, systems * 1e3, spread, Goal("measured", 30.0)),
        Result(f"of that, audit entries brought to the disk ({what})", trails * 1e3, "ms", peer, systems * 1e3, spread),
    ]


@contextmanager
def _trails_timed(hub: Hub) -> Iterator[list[float]]:
    """The seconds that each entry of a trail took."""
    taken: list[float] = []

    def timed(write: Callable[..., int]) -> Callable[..., int]:
        def written(*arguments: Any) -> int:
            begun = time.perf_counter()
            try:
                return write(*arguments)
            finally:
                taken.append(time.perf_counter() - begun)

        return written

    writers = ((hub.audit, "append"), (hub.privacy, "record_withheld"))
    for trail, name in writers:
        setattr(trail, name, timed(getattr(trail, name)))
    try:
        yield taken
    finally:
        for trail, name in writers:
            delattr(trail, name)


def _waited(served: Sequence[Served]) -> float:
    """For how long PDS had the trace, and after it the slowest system a request, as the twins saw it."""
    trace = min((one for one in served if one.system == "pds"), key=lambda one: one.began)
    slowest = max(
        _busy((max(one.began, trace.ended), one.ended) for one in served if one.system == system and one is not trace)
        for system in {one.system for one in served}
    )
    return trace.ended - trace.began + slowest


def _busy(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds in which at least one of the spans was under way."""
    total, until = 0.0, float("-inf")
    for began, ended in sorted(spans):
        if ended > max(began, until):
            total += ended - max(began, until)
            until = ended
    return total


def _without_delays(size: Size, twins: ServedTwins, hub: Hub) -> list[Result]:
    twins.served()
    hub.record(NHS_NUMBER, WHO)
    asked = twins.served()
    sessions = {one.system: requests.Session() for one in asked}

    def bare() -> None:
        for one in asked:
            headers = {key: value for key, value in one.headers.items() if key.lower() not in _DROPPED}
            session = sessions[one.system]
            session.request(one.method, one.url, data=one.body or None, headers=headers, timeout=30)

    peer = f"the same {len(asked)} requests, bare, one after another"
    results = []
    for words, clock in (("wall", time.perf_counter), ("CPU", time.process_time)):
        samples: dict[str, Samples] = interleaved(
            {"hub": lambda: hub.record(NHS_NUMBER, WHO), "bare": bare}, rounds=size.records, clock=clock
        )
        own, other = samples["hub"], samples["bare"]
        results.append(
            Result(
                f"a record of all sections, warm, {words}", own.least * 1e3, "ms", peer, other.least * 1e3, own.spread
            )
        )
    for session in sessions.values():
        session.close()
    return results
