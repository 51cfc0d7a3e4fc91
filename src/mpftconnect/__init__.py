"""One person's record and care plan from every NHS system that answers.

>>> from mpftconnect import AccessContext, connect
>>> who = AccessContext(user="jane.doe", name="Jane Doe", role="community-nurse", organisation="RRE",
...                     purpose="direct-care", relationship="caseload")
>>> with connect(sandbox=True) as hub:
...     record = hub.record("999 000 0018", who)
>>> record.identity_confirmed
True

Names are loaded when they are first used, so that a program pays only for what it asks for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mpftconnect.errors import MpftConnectError
    from mpftconnect.events import Event
    from mpftconnect.hookspecs import hookimpl
    from mpftconnect.hub import Conflict, Gap, Hub, People, Record, Unmatched, Withheld
    from mpftconnect.hub.connect import connect
    from mpftconnect.model import (
        AccessContext,
        Demographics,
        Identifier,
        Notice,
        PartialDate,
        Section,
        SectionName,
        SectionStatus,
        When,
        nhs_number,
    )
    from mpftconnect.plugins import load_plugins

__version__ = "0.1.0"

__all__ = [
    "AccessContext",
    "Conflict",
    "Demographics",
    "Event",
    "Gap",
    "Hub",
    "Identifier",
    "MpftConnectError",
    "Notice",
    "PartialDate",
    "People",
    "Record",
    "Section",
    "SectionName",
    "SectionStatus",
    "Unmatched",
    "When",
    "Withheld",
    "__version__",
    "connect",
    "hookimpl",
    "load_plugins",
    "nhs_number",
]

_WHERE = {
    "MpftConnectError": "mpftconnect.errors",
    "Event": "mpftconnect.events",
    "hookimpl": "mpftconnect.hookspecs",
    **dict.fromkeys(("Conflict", "Gap", "Hub", "People", "Record", "Unmatched", "Withheld"), "mpftconnect.hub"),
    "connect": "mpftconnect.hub.connect",
    **dict.fromkeys(
        (
            *("AccessContext", "Demographics", "Identifier", "Notice", "PartialDate"),
            *("Section", "SectionName", "SectionStatus", "When", "nhs_number"),
        ),
        "mpftconnect.model",
    ),
    "load_plugins": "mpftconnect.plugins",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
