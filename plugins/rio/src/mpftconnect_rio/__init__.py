"""RiO, the main record of a community and mental health trust.

No specification of RiO's interfaces is public. `rio-extract` reads report extracts whose form is *assumed* and
configured; `rio-fhir` reads a FHIR R4 facade that is a *target*: what a trust would ask for, not what RiO is known
to offer; `rio-adt` reads what an ADT feed of *assumed* form has pushed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mpftconnect import hookimpl
from mpftconnect.adapters import READS, AdapterContext, AdapterSpec, Capability, Fault, Support, TriedAgainst, TwinSpec
from mpftconnect_rio.settings import RioExtractSettings, RioFhirSettings

if TYPE_CHECKING:
    from mpftconnect.adapters import Adapter, Sent, Twin
    from mpftconnect.sandbox import Person

__all__ = ["RioExtractSettings", "RioFhirSettings", "mpft_adapters", "mpft_twins"]

_EXTRACTS = TriedAgainst("nothing", "no public specification; tested with a twin of our own", assumed=True)
_FEED = TriedAgainst("nothing", "no public specification of RiO's feed; tested with a twin of our own", assumed=True)
_FACADE = TriedAgainst("nothing", "a target, not a known interface; tested with a twin of our own", assumed=True)

# RiO holds far more than the extracts tell, so what is not read is "not implemented": a section that RiO could hold
# must not look complete. It does not trace people for others.
_NOT_READ = dict.fromkeys(Capability, Support.NOT_IMPLEMENTED) | {Capability.TRACE_PERSON: Support.UNSUPPORTED}
_EXTRACT_READS = (
    *(Capability.FIND_PATIENT, Capability.RESOLVE_IDENTIFIER, Capability.VERIFY_RELATIONSHIP),
    *(Capability.READ_REFERRALS, Capability.READ_CARE_TEAM, Capability.READ_CARE_PLANS),
    *(Capability.READ_ENCOUNTERS, Capability.READ_NOTES, Capability.READ_ALERTS, Capability.READ_APPOINTMENTS),
)
_FACADE_READS = {
    *(Capability.FIND_PATIENT, Capability.RESOLVE_IDENTIFIER, Capability.VERIFY_RELATIONSHIP),
    *READS.values(),
}


# Opened when they are needed: every program that loads plugins passes by here.


def _open_extracts(context: AdapterContext) -> Adapter:
    from mpftconnect_rio.adapter import RioExtractAdapter

    return RioExtractAdapter(context)


def _open_facade(context: AdapterContext) -> Adapter:
    from mpftconnect_rio.facade import RioFhirAdapter

    return RioFhirAdapter(context)


def _open_adt(context: AdapterContext) -> Adapter:
    from mpftconnect_rio.adt import RioAdtAdapter

    return RioAdtAdapter(context)


def _build_adt_twin(people: Sequence[Person]) -> Twin:
    from mpftconnect_rio.adt_twin import RioAdtTwin

    return RioAdtTwin(people)


def _configure_adt(twin: Any, base_url: str) -> dict[str, Any]:
    from mpftconnect_rio.adt_twin import configure

    return configure()


def _sends(twin: Any, now: datetime) -> Sequence[Sent]:
    sent: Sequence[Sent] = twin.sent(now)
    return sent


def _build_extract_twin(people: Sequence[Person]) -> Twin:
    from mpftconnect_rio.twin import RioExtractTwin

    return RioExtractTwin(people)


def _configure_extracts(twin: Any, base_url: str) -> dict[str, Any]:
    from mpftconnect_rio.twin import configure

    return configure(twin, base_url)


def _build_facade_twin(people: Sequence[Person]) -> Twin:
    from mpftconnect_rio.facade_twin import RioFacadeTwin

    return RioFacadeTwin(people)


def _configure_facade(twin: Any, base_url: str) -> dict[str, Any]:
    from mpftconnect_rio.facade_twin import configure

    return configure(twin, base_url)


@hookimpl
def mpft_adapters() -> Sequence[AdapterSpec]:
    return [
        AdapterSpec(
            name="rio-extract",
            supplier="Access",
            product="RiO, report extracts (assumed)",
            tried_against=_EXTRACTS,
            capabilities=_NOT_READ | dict.fromkeys(_EXTRACT_READS, Support.FULL),
            open=_open_extracts,
            settings=RioExtractSettings,
            optional_secrets=("token", "password"),
            endpoint="file",
        ),
        AdapterSpec(
            name="rio-fhir",
            supplier="Access",
            product="RiO, FHIR R4 facade (target)",
            tried_against=_FACADE,
            capabilities=_NOT_READ | dict.fromkeys(_FACADE_READS, Support.FULL),
            open=_open_facade,
            settings=RioFhirSettings,
            optional_secrets=("token", "api_key", "private_key"),
        ),
        AdapterSpec(
            name="rio-adt",
            supplier="Access",
            product="RiO, ADT feed in HL7 v2 (assumed)",
            tried_against=_FEED,
            # A feed tells what happened since it began, never all that RiO holds.
            capabilities=_NOT_READ
            | {Capability.FIND_PATIENT: Support.FULL, Capability.READ_ENCOUNTERS: Support.PARTIAL},
            open=_open_adt,
            endpoint="none",
        ),
    ]


@hookimpl
def mpft_twins() -> Sequence[TwinSpec]:
    return [
        TwinSpec(
            name="rio",
            adapter="rio-fhir",
            written_from="assumed: HL7 FHIR R4 (4.0.1), RESTful API, search, paging and EpisodeOfCare",
            tried_against=_FACADE,
            build=_build_facade_twin,
            configure=_configure_facade,
            faults=frozenset(
                {Fault.WRONG_PATIENT, Fault.STALE_TOKEN, Fault.DROPPED_PAGE, Fault.REPEATED_PAGE, Fault.LYING_TOTAL}
            ),
        ),
        # The same people and facts as the twin above, so the sandbox serves it only when asked for it by name.
        TwinSpec(
            name="rio-extract",
            adapter="rio-extract",
            written_from="assumed: no specification of RiO's reports is public; RFC 4180",
            tried_against=_EXTRACTS,
            build=_build_extract_twin,
            configure=_configure_extracts,
            faults=frozenset({Fault.WRONG_PATIENT, Fault.STALE_TOKEN}),
            default=False,
        ),
        TwinSpec(
            name="rio-adt",
            adapter="rio-adt",
            written_from="assumed: HL7 v2.4, chapter 3; HSCIC ITK HL7 v2 Message Specifications 1.0.15",
            tried_against=_FEED,
            build=_build_adt_twin,
            configure=_configure_adt,
            sends=_sends,
            default=False,
        ),
    ]
