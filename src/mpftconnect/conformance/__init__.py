"""The conformance engine: requirements, checks, a run with evidence, verdicts and a report. It knows no NHS rule.

The NHS content (packs, checks, twins) is the kit `mpftconnect_conformance`, which registers through the same hooks as
anybody's pack: see the pages "How conformance works" and "How to write a pack".

Names are loaded when they are first used: every program that loads plugins passes by here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mpftconnect.conformance.check import Catch, Check, decide
    from mpftconnect.conformance.evidence import (
        Evidence,
        EvidenceFile,
        NotInEvidence,
        Recorded,
        Subject,
        TestPerson,
        Undecided,
        json_of,
    )
    from mpftconnect.conformance.formats import ReportFormat
    from mpftconnect.conformance.guard import RealPersonSeen, refuse_real_people
    from mpftconnect.conformance.mllp_probe import deliver, listen, recorded_message
    from mpftconnect.conformance.outcome import Cause, CauseKind, Finding, Outcome, Status, worst
    from mpftconnect.conformance.probe import Probe, ProbeEnded
    from mpftconnect.conformance.requirement import Level, Pack, PackSource, Requirement, Severity, VerifiedBy

_WHERE = {
    **dict.fromkeys(("Catch", "Check", "decide"), "check"),
    **dict.fromkeys(
        (
            *("Evidence", "EvidenceFile", "NotInEvidence", "Recorded", "Subject", "TestPerson", "Undecided"),
            "json_of",
        ),
        "evidence",
    ),
    "ReportFormat": "formats",
    **dict.fromkeys(("RealPersonSeen", "refuse_real_people"), "guard"),
    **dict.fromkeys(("Cause", "CauseKind", "Finding", "Outcome", "Status", "worst"), "outcome"),
    **dict.fromkeys(("deliver", "listen", "recorded_message"), "mllp_probe"),
    **dict.fromkeys(("Probe", "ProbeEnded"), "probe"),
    **dict.fromkeys(("Level", "Pack", "PackSource", "Requirement", "Severity", "VerifiedBy"), "requirement"),
}

__all__ = [
    "Catch",
    "Cause",
    "CauseKind",
    "Check",
    "Evidence",
    "EvidenceFile",
    "Finding",
    "Level",
    "NotInEvidence",
    "Outcome",
    "Pack",
    "PackSource",
    "Probe",
    "ProbeEnded",
    "RealPersonSeen",
    "Recorded",
    "ReportFormat",
    "Requirement",
    "Severity",
    "Status",
    "Subject",
    "TestPerson",
    "Undecided",
    "VerifiedBy",
    "decide",
    "deliver",
    "json_of",
    "listen",
    "recorded_message",
    "refuse_real_people",
    "worst",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"mpftconnect.conformance.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
