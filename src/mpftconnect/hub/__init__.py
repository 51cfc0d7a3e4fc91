"""The hub: trace, fan-out, match, merge, conflicts and gaps."""

from mpftconnect.hub.configuration import Configuration, load_configuration
from mpftconnect.hub.connect import connect, sandbox_table
from mpftconnect.hub.hub import Hub, People
from mpftconnect.hub.plan_view import CarePlanView, FromPlan, PlanLine
from mpftconnect.hub.record import (
    NEVER_SHOWN,
    NOT_FOR,
    Conflict,
    Explanation,
    Gap,
    Joined,
    Record,
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
    "FromPlan",
    "Gap",
    "Hub",
    "Joined",
    "People",
    "PlanLine",
    "Record",
    "SystemAnswer",
    "Unmatched",
    "Withheld",
    "connect",
    "load_configuration",
    "sandbox_table",
]
