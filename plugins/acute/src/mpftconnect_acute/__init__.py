"""Hospitals that push: admissions, results, reports, letters, bookings and referrals as HL7 v2 messages.

Nothing is asked of a hospital. What its feeds have pushed stands in the inbox, and the adapter reads it from there:
each hospital is a system of its own, with the feeds that name it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mpftconnect import hookimpl
from mpftconnect.adapters import READS, AdapterContext, AdapterSpec, Capability, Support, TriedAgainst, TwinSpec
from mpftconnect_acute.sections import SECTIONS
from mpftconnect_acute.settings import AcuteSettings

if TYPE_CHECKING:
    from mpftconnect.adapters import Adapter, Sent, Twin
    from mpftconnect.sandbox import Person

__all__ = ["AcuteSettings", "mpft_adapters", "mpft_twins"]

_TRIED = TriedAgainst(
    "published examples", "HL7 v2 messages of the test material; tested with a twin of our own, and with no hospital"
)
# A feed tells what happened since it began, and never all that a hospital holds: what it brings is a part of a section,
# and what it does not bring is "not implemented", so that no section looks complete for its silence.
_SUPPORT = (
    dict.fromkeys(Capability, Support.NOT_IMPLEMENTED)
    | dict.fromkeys((READS[section] for section in SECTIONS), Support.PARTIAL)
    | {Capability.FIND_PATIENT: Support.FULL, Capability.TRACE_PERSON: Support.UNSUPPORTED}
)


# Opened when they are needed: every program that loads plugins passes by here.


def _open(context: AdapterContext) -> Adapter:
    from mpftconnect_acute.adapter import AcuteAdapter

    return AcuteAdapter(context)


def _build(people: Sequence[Person]) -> Twin:
    from mpftconnect_acute.twin import NORTHMERE, HospitalTwin

    return HospitalTwin(people, NORTHMERE)


def _build_second(people: Sequence[Person]) -> Twin:
    from mpftconnect_acute.twin import WESTLEY, HospitalTwin

    return HospitalTwin(people, WESTLEY)


def _configure(twin: Any, base_url: str) -> dict[str, Any]:
    from mpftconnect_acute.twin import configure

    return configure(twin)


def _sends(twin: Any, now: datetime) -> Sequence[Sent]:
    sent: Sequence[Sent] = twin.sent(now)
    return sent


@hookimpl
def mpft_adapters() -> Sequence[AdapterSpec]:
    return [
        AdapterSpec(
            name="acute",
            supplier="any hospital",
            product="HL7 v2 feeds",
            tried_against=_TRIED,
            capabilities=_SUPPORT,
            open=_open,
            settings=AcuteSettings,
            endpoint="none",
        )
    ]


@hookimpl
def mpft_twins() -> Sequence[TwinSpec]:
    from mpftconnect_acute.faults import FAULTS

    return [
        TwinSpec(
            name=name,
            adapter="acute",
            written_from="HL7 v2.4, chapters 3, 7, 9, 10 and 11; HSCIC ITK HL7 v2 Message Specifications 1.0.15",
            tried_against=_TRIED,
            build=build,
            configure=_configure,
            sends=_sends,
            faults=FAULTS,
            default=name == "acute",  # one hospital is enough to see; the second, when it is asked for by name
        )
        for name, build in (("acute", _build), ("acute-west", _build_second))
    ]
