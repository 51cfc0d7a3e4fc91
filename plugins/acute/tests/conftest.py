"""A hub with a tracing service and a hospital that pushes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from mpftconnect import AccessContext, Hub, connect
from mpftconnect.plugins import load_plugins
from mpftconnect.sandbox import PEOPLE, Person, Sandbox

WHO = AccessContext(
    user="jane.doe",
    name="Jane Doe",
    role="community-nurse",
    organisation="RRE",
    purpose="direct-care",
    relationship="caseload",
)

Opened = Callable[..., Hub]


@pytest.fixture
def hospital() -> Iterator[Opened]:
    """Opens a hub on the twins of a tracing service and of a hospital, with faults of the hospital's."""
    with ExitStack() as stack:

        def open_(*faults: str, only: tuple[str, ...] = ("acute",), people: tuple[Person, ...] = PEOPLE) -> Hub:
            registry = load_plugins()
            running = stack.enter_context(
                Sandbox(registry, people, only=["pds", *only], faults={"acute": list(faults)} if faults else None)
            )
            return stack.enter_context(connect(sandbox=running, plugins=registry))

        yield open_


def parked(hub: Hub) -> list[Any]:
    """Why messages wait for a person."""
    assert hub.inbox is not None
    return [entry.reason for entry in hub.inbox.store.entries(["parked"])]


__all__ = ["WHO", "Opened", "parked"]
