"""Stand-ins for supplier systems, served over real HTTP, with synthetic people and faults to switch on.

    from mpftconnect.plugins import load_plugins
    from mpftconnect.sandbox import Fault, Sandbox

    with Sandbox(load_plugins()) as sandbox:
        sandbox.configuration()             # what mpftconnect.toml would say of it
        sandbox.faults["rio"].set(Fault.SLOW)

Names are loaded when they are first used: every program that loads plugins passes by here, and only few need people.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mpftconnect.adapters.twin import (
        Fault,
        FaultSwitch,
        Sent,
        Twin,
        TwinRequest,
        TwinResponse,
        TwinSpec,
        json_response,
    )
    from mpftconnect.sandbox.authorisation import AuthorisationServer
    from mpftconnect.sandbox.cast import PEOPLE, people_known_to, people_without_excluded_data, person
    from mpftconnect.sandbox.chart import Chart
    from mpftconnect.sandbox.fhir_twin import FhirTwin, Refused
    from mpftconnect.sandbox.host import FaultTiming, Host
    from mpftconnect.sandbox.people import Person, SystemView
    from mpftconnect.sandbox.portraits import known_as, portrait
    from mpftconnect.sandbox.sandbox import Sandbox, default_twins
    from mpftconnect.sandbox.sexual_health import (
        EXCLUDED,
        EXCLUDED_CODES,
        EXCLUDED_ORGANISATIONS,
        EXCLUDED_PHRASES,
        EXCLUDED_SERVICES,
        EXCLUDED_SYSTEMS,
    )
    from mpftconnect.sandbox.sweep import seeded_values
    from mpftconnect.sandbox.synthetic.twin import SyntheticTwin

_WHERE = {
    **dict.fromkeys(
        ("Fault", "FaultSwitch", "Sent", "Twin", "TwinRequest", "TwinResponse", "TwinSpec", "json_response"),
        "mpftconnect.adapters.twin",
    ),
    "AuthorisationServer": "mpftconnect.sandbox.authorisation",
    **dict.fromkeys(
        ("PEOPLE", "people_known_to", "people_without_excluded_data", "person"), "mpftconnect.sandbox.cast"
    ),
    "Chart": "mpftconnect.sandbox.chart",
    **dict.fromkeys(("FhirTwin", "Refused"), "mpftconnect.sandbox.fhir_twin"),
    **dict.fromkeys(("FaultTiming", "Host"), "mpftconnect.sandbox.host"),
    **dict.fromkeys(("Person", "SystemView"), "mpftconnect.sandbox.people"),
    **dict.fromkeys(("known_as", "portrait"), "mpftconnect.sandbox.portraits"),
    **dict.fromkeys(("Sandbox", "default_twins"), "mpftconnect.sandbox.sandbox"),
    "seeded_values": "mpftconnect.sandbox.sweep",
    "SyntheticTwin": "mpftconnect.sandbox.synthetic.twin",
    **dict.fromkeys(
        (
            "EXCLUDED",
            "EXCLUDED_CODES",
            "EXCLUDED_ORGANISATIONS",
            "EXCLUDED_PHRASES",
            "EXCLUDED_SERVICES",
            "EXCLUDED_SYSTEMS",
        ),
        "mpftconnect.sandbox.sexual_health",
    ),
}

__all__ = [
    "EXCLUDED",
    "EXCLUDED_CODES",
    "EXCLUDED_ORGANISATIONS",
    "EXCLUDED_PHRASES",
    "EXCLUDED_SERVICES",
    "EXCLUDED_SYSTEMS",
    "PEOPLE",
    "AuthorisationServer",
    "Chart",
    "Fault",
    "FaultSwitch",
    "FaultTiming",
    "FhirTwin",
    "Host",
    "Person",
    "Refused",
    "Sandbox",
    "Sent",
    "SyntheticTwin",
    "SystemView",
    "Twin",
    "TwinRequest",
    "TwinResponse",
    "TwinSpec",
    "default_twins",
    "json_response",
    "known_as",
    "people_known_to",
    "people_without_excluded_data",
    "person",
    "portrait",
    "seeded_values",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
