"""The first record in a fresh interpreter, beside a bare script that makes the same requests."""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path

from result import Result
from served import NHS_NUMBER, ServedTwins
from size import Size
from timing import Samples, fresh_process

__all__ = ["run"]

_OURS = f"""
import sys
from mpftconnect import AccessContext, connect
mark("imported")
who = AccessContext(user="jane.doe", name="Jane Doe", role="community-nurse", organisation="RRE",
                    purpose="direct-care", relationship="caseload")
with connect(sys.argv[1]) as hub:
    mark("connected")
    record = hub.record("{NHS_NUMBER}", who)
    mark("recorded")
    assert not record.gaps and sum(1 for _ in record.items()) > 20, record.gaps
"""
_BARE = """
import base64, json, sys
import requests
mark("imported")
with open(sys.argv[1], encoding="utf-8") as file:
    asked = json.load(file)
sessions = {system: requests.Session() for system in {one["system"] for one in asked}}
mark("connected")
for one in asked:
    body = base64.b64decode(one["body"]) or None
    sessions[one["system"]].request(one["method"], one["url"], data=body, headers=one["headers"], timeout=30).content
mark("recorded")
for session in sessions.values():
    session.close()
"""
_DROPPED = {"host", "content-length", "connection"}


def run(size: Size) -> list[Result]:
    with tempfile.TemporaryDirectory() as name, ServedTwins(Path(name)) as twins:
        fresh_process(_OURS, [str(twins.configuration)])
        asked = twins.served()
        requests = Path(name) / "requests.json"
        requests.write_text(
            json.dumps(
                [
                    {
                        "system": one.system,
                        "method": one.method,
                        "url": one.url,
                        "headers": {key: value for key, value in one.headers.items() if key.lower() not in _DROPPED},
                        "body": base64.b64encode(one.body).decode(),
                    }
                    for one in asked
                ]
            ),
            encoding="utf-8",
        )
        ours, bare = [], []
        for _ in range(size.processes):
            ours.append(fresh_process(_OURS, [str(twins.configuration)]))
            bare.append(fresh_process(_BARE, [str(requests)]))
    peer = f"{len(asked)} requests of a bare script, one after another"

    def line(name: str, end: str, start: str = "") -> Result:
        def samples(runs: list[dict[str, float]]) -> Samples:
            return Samples(tuple(marks[end] - (marks[start] if start else 0.0) for marks in runs))

        own = samples(ours)
        return Result(name, own.least * 1e3, "ms", peer, samples(bare).least * 1e3, own.spread)

    return [
        line("first record, from the start of the process, wall", "recorded"),
        line("first record, from the start of the process, CPU", "recorded.cpu"),
        line("first record, from the end of connect(), wall", "recorded", "connected"),
        line("first record, from the end of connect(), CPU", "recorded.cpu", "connected.cpu"),
        line("connect(), wall", "connected", "imported"),
    ]
