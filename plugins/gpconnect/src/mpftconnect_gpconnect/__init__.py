"""GP Connect: Access Record Structured and Access Document, FHIR STU3 over the Spine Secure Proxy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mpftconnect import hookimpl
from mpftconnect.adapters import AdapterContext, AdapterSpec, Capability, Fault, Support, TriedAgainst, TwinSpec
from mpftconnect_gpconnect.settings import GpConnectSettings

if TYPE_CHECKING:
    from mpftconnect.adapters import Adapter, Twin
    from mpftconnect.sandbox import Person

__all__ = ["GpConnectSettings", "mpft_adapters", "mpft_twins"]

# A GP's system can hold far more than is read here (care plans, appointments, alerts, contacts, consents, a usual
# GP), and GP Connect has capabilities of its own for some of it, so what is not read is "not implemented": a section
# that a GP could hold must not look complete. It traces nobody, and its people are searched for in PDS.
_NOT_READ = dict.fromkeys(Capability, Support.NOT_IMPLEMENTED) | {
    Capability.TRACE_PERSON: Support.UNSUPPORTED,
    Capability.SEARCH_PEOPLE: Support.UNSUPPORTED,
}
_READ = (
    *(Capability.FIND_PATIENT, Capability.READ_PROBLEMS, Capability.READ_MEDICATIONS, Capability.READ_ALLERGIES),
    *(Capability.READ_RESULTS, Capability.READ_REPORTS, Capability.READ_ENCOUNTERS, Capability.READ_NOTES),
    *(Capability.READ_REFERRALS, Capability.READ_IMMUNISATIONS, Capability.READ_DOCUMENTS),
    Capability.FETCH_DOCUMENT,
)


# Opened when they are needed: every program that loads plugins passes by here.


def _open(context: AdapterContext) -> Adapter:
    from mpftconnect_gpconnect.adapter import GpConnectAdapter

    return GpConnectAdapter(context)


def _build_twin(people: Sequence[Person]) -> Twin:
    from mpftconnect_gpconnect.twin import GpConnectTwin

    return GpConnectTwin(people)


def _configure(twin: Any, base_url: str) -> dict[str, Any]:
    from mpftconnect_gpconnect.twin import configure

    return configure(twin, base_url)


@hookimpl
def mpft_adapters() -> Sequence[AdapterSpec]:
    return [
        AdapterSpec(
            name="gpconnect",
            supplier="EMIS, TPP and other suppliers of GP systems",
            product="GP Connect: Access Record Structured and Access Document",
            tried_against=TriedAgainst(
                "published examples", "structured records and documents; its requests were never sent to a real system"
            ),
            capabilities=_NOT_READ | dict.fromkeys(_READ, Support.FULL),
            open=_open,
            settings=GpConnectSettings,
            secrets=("sds_api_key",),
        )
    ]


@hookimpl
def mpft_twins() -> Sequence[TwinSpec]:
    return [
        TwinSpec(
            name="gpconnect",
            adapter="gpconnect",
            written_from="GP Connect API 1.5 (nhsconnect/gpconnect) and Spine Directory Service FHIR API (dc9c89d7)",
            tried_against=TriedAgainst("nothing", "written after the specification's pages and published examples"),
            build=_build_twin,
            configure=_configure,
            faults=frozenset({Fault.WRONG_PATIENT, Fault.NO_CONSENT, Fault.LYING_TOTAL}),
        )
    ]
