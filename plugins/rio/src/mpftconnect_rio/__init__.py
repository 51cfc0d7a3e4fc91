"""RiO, the main record of a community and mental health trust.

No specification of RiO's interfaces is public. `rio-extract` reads report extracts whose form is *assumed* and
configured; `rio-fhir` reads a FHIR R4 facade that is a *target*: what a trust would ask for, not what RiO is known
to offer.
"""

from __future__ import annotations

from collections.abc import Sequence

from mpftconnect import hookimpl
from mpftconnect.adapters import AdapterSpec, Capability, Fault, Support, TriedAgainst, TwinSpec
from mpftconnect_rio.adapter import RioExtractAdapter
from mpftconnect_rio.settings import RioExtractSettings
from mpftconnect_rio.twin import RioExtractTwin, configure

__all__ = ["RioExtractAdapter", "RioExtractSettings", "RioExtractTwin", "mpft_adapters", "mpft_twins"]

_ASSUMED = TriedAgainst("nothing", "no public specification; tested with a twin of our own", assumed=True)

# RiO holds far more than the extracts that are read here, so that what is not read is not implemented: a section that
# RiO could hold must not look complete. It does not trace people for others.
_EXTRACT_CAPABILITIES = (
    dict.fromkeys(Capability, Support.NOT_IMPLEMENTED)
    | {Capability.TRACE_PERSON: Support.UNSUPPORTED}
    | dict.fromkeys(
        (
            *(Capability.FIND_PATIENT, Capability.RESOLVE_IDENTIFIER, Capability.VERIFY_RELATIONSHIP),
            *(Capability.READ_REFERRALS, Capability.READ_CARE_TEAM, Capability.READ_CARE_PLANS),
            *(Capability.READ_ENCOUNTERS, Capability.READ_NOTES),
            *(Capability.READ_ALERTS, Capability.READ_APPOINTMENTS),
        ),
        Support.FULL,
    )
)


@hookimpl
def mpft_adapters() -> Sequence[AdapterSpec]:
    return [
        AdapterSpec(
            name="rio-extract",
            supplier="Access",
            product="RiO, report extracts",
            tried_against=_ASSUMED,
            capabilities=_EXTRACT_CAPABILITIES,
            open=RioExtractAdapter,
            settings=RioExtractSettings,
            optional_secrets=("token", "password"),
            endpoint="file",
        ),
    ]


@hookimpl
def mpft_twins() -> Sequence[TwinSpec]:
    return [
        TwinSpec(
            name="rio-extract",
            adapter="rio-extract",
            written_from="assumed: no specification of RiO's reports is public",
            tried_against=_ASSUMED,
            build=RioExtractTwin,
            configure=configure,
            faults=frozenset({Fault.WRONG_PATIENT, Fault.STALE_TOKEN}),
            default=False,
        ),
    ]
