"""Twins in a process of their own, so that the one that is measured does not pay for what they compute.

Started as a script it serves the twins and takes commands from its standard input, one JSON object a line; it ends
when that is closed. `ServedTwins` is the other end.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import tomli_w

from mpftconnect import load_plugins
from mpftconnect.adapters.twin import Twin, TwinRequest, TwinResponse
from mpftconnect.cli.sandbox_files import write_configuration
from mpftconnect.sandbox import Sandbox

__all__ = ["NHS_NUMBER", "Served", "ServedTwins"]

NHS_NUMBER = "9990000018"  # the synthetic person of whom every system holds the most
SYSTEMS = ["pds", "rio", "synthetic"]
_UNLIMITED = 100_000.0  # requests a second: what is measured is our own cost, not the limit that PDS sets


@dataclass(frozen=True, slots=True)
class Served:
    """One request as its twin saw it; times are seconds on the twins' own clock."""

    system: str
    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    began: float
    ended: float


class _Watched:
    """A twin that answers after a delay and notes when it did what."""

    def __init__(self, name: str, twin: Twin, log: list[dict[str, Any]], delay: list[float]) -> None:
        self.faults, self._name, self._twin, self._log, self._delay = twin.faults, name, twin, log, delay
        self._lock = threading.Lock()

    def handle(self, request: TwinRequest) -> TwinResponse:
        began = time.perf_counter()
        answer = self._twin.handle(request)
        if (rest := self._delay[0] - (time.perf_counter() - began)) > 0:
            time.sleep(rest)
        query = f"?{urlencode(request.query)}" if request.query else ""
        entry = {
            "system": self._name,
            "method": request.method,
            "url": f"{request.base_url}{request.path}{query}",
            "headers": dict(request.headers),
            "body": base64.b64encode(request.body).decode(),
            "began": began,
            "ended": time.perf_counter(),
        }
        with self._lock:
            self._log.append(entry)
        return answer


def _serve(folder: Path) -> None:
    log: list[dict[str, Any]] = []
    delay = [0.0]
    with Sandbox(load_plugins(), only=SYSTEMS) as sandbox:
        sandbox.twins["pds"].requests_per_second = _UNLIMITED  # type: ignore[attr-defined]
        for name, host in sandbox.hosts.items():
            host.twin = _Watched(name, host.twin, log, delay)
        path = write_configuration(sandbox, folder)
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        table["systems"]["pds"]["rate_per_second"] = _UNLIMITED
        table["hub"] = {**table.get("hub", {}), "trace": "pds"}
        path.write_text(tomli_w.dumps(table), encoding="utf-8")
        print(json.dumps(str(path)), flush=True)
        for line in sys.stdin:
            command = json.loads(line)
            if "delay" in command:
                delay[0] = command["delay"]
                print("null", flush=True)
            else:
                taken, log[:] = list(log), []
                print(json.dumps(taken), flush=True)


class ServedTwins:
    """The twins, running until the block ends.

    Attributes:
        configuration: A configuration that reaches them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.configuration = Path(self._answer())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that serves the twins has ended")
        return json.loads(line)

    def _tell(self, **command: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def answer_after(self, seconds: float) -> None:
        """From now on every request is answered after so long."""
        self._tell(delay=seconds)

    def served(self) -> list[Served]:
        """What was asked since this was last called, in the order of the answers."""
        return [Served(**{**entry, "body": base64.b64decode(entry["body"])}) for entry in self._tell()]


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
