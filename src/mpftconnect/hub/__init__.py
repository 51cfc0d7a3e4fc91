"""The hub: trace, fan-out, match, merge, conflicts and gaps.

Names are loaded when they are first used. `connect` is not, since the module that holds it has its name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mpftconnect.hub.connect import connect, sandbox_table

if TYPE_CHECKING:
    from mpftconnect.hub.configuration import Configuration, load_configuration
    from mpftconnect.hub.documents import FetchedDocument
    from mpftconnect.hub.hub import Hub
    from mpftconnect.hub.ledger import Ledger
    from mpftconnect.hub.people import People
    from mpftconnect.hub.plan_view import CarePlanView, FromPlan, PlanLine
    from mpftconnect.hub.publication import Preview, Publication
    from mpftconnect.hub.record import (
        NEVER_SHOWN,
        NOT_FOR,
        Conflict,
        Explanation,
        Gap,
        Joined,
        Record,
        Sameness,
        SystemAnswer,
        Unmatched,
        Withheld,
    )

__all__ = [
    "NEVER_SHOWN",
    "NOT_FOR",
    "CarePlanView",
    "Configuration",
    "Conflict",
    "Explanation",
    "FetchedDocument",
    "FromPlan",
    "Gap",
    "Hub",
    "Joined",
    "Ledger",
    "People",
    "PlanLine",
    "Preview",
    "Publication",
    "Record",
    "Sameness",
    "SystemAnswer",
    "Unmatched",
    "Withheld",
    "connect",
    "load_configuration",
    "sandbox_table",
]

_WHERE = {
    **dict.fromkeys(("Configuration", "load_configuration"), "mpftconnect.hub.configuration"),
    "Hub": "mpftconnect.hub.hub",
    "FetchedDocument": "mpftconnect.hub.documents",
    "Ledger": "mpftconnect.hub.ledger",
    "People": "mpftconnect.hub.people",
    **dict.fromkeys(("Preview", "Publication"), "mpftconnect.hub.publication"),
    **dict.fromkeys(("CarePlanView", "FromPlan", "PlanLine"), "mpftconnect.hub.plan_view"),
    **dict.fromkeys(
        (
            *("NEVER_SHOWN", "NOT_FOR", "Conflict", "Explanation", "Gap", "Joined"),
            *("Record", "Sameness", "SystemAnswer", "Unmatched", "Withheld"),
        ),
        "mpftconnect.hub.record",
    ),
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
