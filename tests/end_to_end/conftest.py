"""A sandbox over real HTTP, and hubs on it that do not wait long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from mpftconnect import AccessContext, Hub, connect, load_plugins
from mpftconnect.adapters import Fault, auth
from mpftconnect.errors import GapReason
from mpftconnect.events import EventStream
from mpftconnect.hub import load_configuration, sandbox_table
from mpftconnect.plugins import PluginRegistry
from mpftconnect.sandbox import FaultTiming, Person, Sandbox

DEADLINE_SECONDS = 2.0
WHO = AccessContext(
    user="jane.doe", name="Jane Doe", role="community-nurse", organisation="RRE", purpose="direct-care",
    relationship="caseload",
)  # fmt: skip

# What each fault must be called. `None`: the fault passes by itself and must cost nothing.
CALLED: dict[Fault, GapReason | None] = {
    Fault.SLOW: GapReason.TIMED_OUT,
    Fault.DRIP: GapReason.TIMED_OUT,
    Fault.TIMEOUT: GapReason.TIMED_OUT,
    Fault.REFUSED: GapReason.UNREACHABLE,
    Fault.TOO_MANY_REQUESTS: GapReason.RATE_LIMITED,
    Fault.SERVER_ERROR: GapReason.SYSTEM_FAILED,
    Fault.SERVER_ERROR_ONCE: None,
    Fault.TRUNCATED: GapReason.ANSWER_REJECTED,
    Fault.MALFORMED: GapReason.ANSWER_REJECTED,
    Fault.OVERSIZED: GapReason.ANSWER_REJECTED,
    Fault.WRONG_TYPE: GapReason.ANSWER_REJECTED,
    Fault.STALE_TOKEN: GapReason.NOT_PERMITTED,
    Fault.DROPPED_PAGE: GapReason.ANSWER_REJECTED,
    Fault.REPEATED_PAGE: GapReason.ANSWER_REJECTED,
    Fault.LYING_TOTAL: GapReason.ANSWER_REJECTED,
}

OpenHub = Callable[..., Hub]


@pytest.fixture(scope="session", autouse=True)
def one_key() -> Iterator[None]:
    """Checking a private key takes longer than many of these tests, and every twin of a process has the same one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "_rsa_key", lru_cache(maxsize=4)(auth._rsa_key))
        yield


@pytest.fixture(scope="session")
def registry() -> PluginRegistry:
    return load_plugins()


@pytest.fixture(scope="module")
def sandbox(registry: PluginRegistry) -> Iterator[Sandbox]:
    if not {"pds", "rio", "icr", "synthetic"} <= registry.adapters.keys() | registry.twins.keys():
        pytest.fail("the plugins pds, rio and icr are not installed: pip install -e plugins/<name> for each")
    timing = FaultTiming(slow_seconds=DEADLINE_SECONDS * 3, retry_after_seconds=30)
    with Sandbox(registry, only=["pds", "rio", "synthetic"], timing=timing) as running:
        # The limit of five a second is for PDS itself; its own tests keep to it.
        running.twins["pds"].requests_per_second = 10_000  # type: ignore[attr-defined]
        yield running


@pytest.fixture
def open_hub(sandbox: Sandbox, registry: PluginRegistry, tmp_path: Path) -> Iterator[OpenHub]:
    """Opens a hub on the sandbox; `change` may edit the configuration's table."""
    with ExitStack() as stack:

        def open_(
            change: Callable[[dict[str, Any]], None] = lambda table: None, *, of: Sandbox = sandbox, **more: Any
        ) -> Hub:
            folder = tmp_path / f"hub-{len(list(tmp_path.iterdir()))}"
            table = sandbox_table(of, folder)
            table["hub"] = {
                "trace": "pds", "deadline_seconds": DEADLINE_SECONDS * 4, "system_deadline_seconds": DEADLINE_SECONDS
            }  # fmt: skip
            for system in table["systems"].values():
                system["rate_per_second"] = 1000.0
            change(table)
            settled = load_configuration(table, registry, sandbox=True)
            if more.pop("live", False):
                # The twins speak no TLS, which a configuration would not let pass for a live system; everything
                # behind the configuration treats them as live.
                live = {"environment": "live"}
                systems = (replace(s, settings=s.settings.model_copy(update=live)) for s in settled.systems)
                settled = replace(settled, systems=tuple(systems))
            return stack.enter_context(Hub(settled, events=EventStream(list(more.pop("listeners", ())))))

        yield open_


@pytest.fixture
def who() -> AccessContext:
    return WHO


__all__ = ["CALLED", "DEADLINE_SECONDS", "WHO", "OpenHub", "Person", "connect"]
