"""One GET through the wire, beside one through a session of requests."""

from __future__ import annotations

import time

import requests
from result import Result
from size import Size
from timing import interleaved

from mpftconnect.adapters import Endpoint, MemoryRecorder, TwinRequest, TwinResponse, Wire, json_response
from mpftconnect.adapters.twin import FaultSwitch
from mpftconnect.events import EventStream
from mpftconnect.sandbox import Host

__all__ = ["run"]


class _Small:
    """Answers everything with a small object."""

    def __init__(self) -> None:
        self.faults = FaultSwitch()

    def handle(self, request: TwinRequest) -> TwinResponse:
        mirrored = {name: request.headers[name] for name in ("X-Request-ID",) if name in request.headers}
        answer = json_response({"resourceType": "Bundle", "type": "searchset", "total": 0})
        return TwinResponse(answer.status, {**answer.headers, **mirrored}, answer.body)


def run(size: Size) -> list[Result]:
    results = []
    with Host(_Small()) as host, requests.Session() as session:
        endpoint = Endpoint(base_url=host.base_url, environment="test")
        with Wire("benchmark", endpoint, events=EventStream(), recorder=MemoryRecorder()) as wire:
            for words, clock in (("wall", time.perf_counter), ("CPU, the twin's included", time.process_time)):
                samples = interleaved(
                    {
                        "wire": lambda: wire.get_json("Patient", {"identifier": "9990000018"}),
                        "bare": lambda: session.get(
                            f"{host.base_url}/Patient", params={"identifier": "9990000018"}, timeout=30
                        ).json(),
                    },
                    rounds=size.rounds * 5,
                    clock=clock,
                )
                own, peer = samples["wire"], samples["bare"]
                results.append(
                    Result(
                        f"one GET, recorded and limited, {words}",
                        own.least * 1e3,
                        "ms",
                        "requests.Session.get",
                        peer.least * 1e3,
                        own.spread,
                    )
                )
    return results
