"""Integrated care records: One Health and Care, and those of bordering regions, each as one configured system.

`icr-ccapi` reads a record by its supplier's own interface, of which only parts are published: *assumed*. `icr-fhir`
reads one by a UK Core R4 API as in HL7 UK's *draft* UK Core Access.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mpftconnect import hookimpl
from mpftconnect.adapters import AdapterContext, AdapterSpec, Capability, Fault, Support, TriedAgainst, TwinSpec
from mpftconnect_icr.settings import CcapiSettings, IcrFhirSettings

if TYPE_CHECKING:
    from mpftconnect.adapters import Adapter, Twin
    from mpftconnect.sandbox import Person

__all__ = ["CcapiSettings", "IcrFhirSettings", "mpft_adapters", "mpft_twins"]

_CCAPI = TriedAgainst("nothing", "published in part; tested with a twin of our own", assumed=True)
_FHIR = TriedAgainst("nothing", "HL7 UK's UK Core Access 0.1.0 is a draft; tested with a twin of our own", assumed=True)
_PAGED = frozenset({Fault.WRONG_PATIENT, Fault.STALE_TOKEN, Fault.DROPPED_PAGE, Fault.REPEATED_PAGE, Fault.LYING_TOTAL})

# A shared record holds whatever a region put into it, so what is not read is "not implemented": a section that it could
# hold must not look complete. It traces nobody for others.
_NOT_READ = dict.fromkeys(Capability, Support.NOT_IMPLEMENTED) | {Capability.TRACE_PERSON: Support.UNSUPPORTED}

# In part: the published index names bundles without all of their operations, so that of no section it is known that
# these operations give all that there is.
_CCAPI_READS = (
    *(Capability.READ_MEDICATIONS, Capability.READ_PROBLEMS, Capability.READ_ALLERGIES),
    *(Capability.READ_IMMUNISATIONS, Capability.READ_RESULTS, Capability.READ_REPORTS, Capability.READ_DOCUMENTS),
    *(Capability.READ_ENCOUNTERS, Capability.READ_APPOINTMENTS, Capability.READ_ALERTS),
)
# UK Core Access 0.1.0, "Clinical Data": these are searched whole.
_DRAFT_READS = (Capability.READ_ALLERGIES, Capability.READ_IMMUNISATIONS)
# In part: of the four types of medicines in the draft two are read; the others are no part of the draft, and what a
# server means to give under them nobody has written down.
_ALSO_READS = (
    *(Capability.READ_MEDICATIONS, Capability.READ_CARE_PLANS, Capability.READ_PROBLEMS, Capability.READ_RESULTS),
    *(Capability.READ_REPORTS, Capability.READ_DOCUMENTS, Capability.READ_ENCOUNTERS),
    *(Capability.READ_APPOINTMENTS, Capability.READ_REFERRALS, Capability.READ_ALERTS),
)
_IDENTITY = (Capability.FIND_PATIENT, Capability.RESOLVE_IDENTIFIER)


# Opened when they are needed: every program that loads plugins passes by here.


def _open_ccapi(context: AdapterContext) -> Adapter:
    from mpftconnect_icr.ccapi import CcapiAdapter

    return CcapiAdapter(context)


def _open_fhir(context: AdapterContext) -> Adapter:
    from mpftconnect_icr.fhir import IcrFhirAdapter

    return IcrFhirAdapter(context)


def _build_ccapi_twin(people: Sequence[Person]) -> Twin:
    from mpftconnect_icr.twin import CcapiTwin

    return CcapiTwin(people)


def _configure_ccapi(twin: Any, base_url: str) -> dict[str, Any]:
    from mpftconnect_icr.twin import configure

    return configure(twin, base_url)


def _build_border_twin(people: Sequence[Person]) -> Twin:
    from mpftconnect_icr.border_twin import BorderTwin

    return BorderTwin(people)


def _configure_border(twin: Any, base_url: str) -> dict[str, Any]:
    from mpftconnect_icr.border_twin import configure

    return configure(twin, base_url)


@hookimpl
def mpft_adapters() -> Sequence[AdapterSpec]:
    return [
        AdapterSpec(
            name="icr-ccapi",
            supplier="Graphnet",
            product="CareCentric integrated care record, CCAPI (assumed)",
            tried_against=_CCAPI,
            capabilities=_NOT_READ
            | dict.fromkeys(_IDENTITY, Support.FULL)
            | dict.fromkeys(_CCAPI_READS, Support.PARTIAL),
            open=_open_ccapi,
            settings=CcapiSettings,
            secrets=("subscription_key",),
            optional_secrets=("client_id", "client_secret", "token"),
        ),
        AdapterSpec(
            name="icr-fhir",
            supplier="any",
            product="Integrated care record, UK Core R4 read API (draft)",
            tried_against=_FHIR,
            capabilities=_NOT_READ
            | dict.fromkeys((*_IDENTITY, *_DRAFT_READS, Capability.FETCH_DOCUMENT), Support.FULL)
            | dict.fromkeys(_ALSO_READS, Support.PARTIAL),
            open=_open_fhir,
            settings=IcrFhirSettings,
            optional_secrets=("token", "client_id", "client_secret", "api_key", "private_key"),
        ),
    ]


@hookimpl
def mpft_twins() -> Sequence[TwinSpec]:
    return [
        TwinSpec(
            name="icr",
            adapter="icr-ccapi",
            written_from="assumed: what api.graphnethealth.com publishes of the CareCentric APIs, and guesses beyond",
            tried_against=_CCAPI,
            build=_build_ccapi_twin,
            configure=_configure_ccapi,
            faults=_PAGED,
        ),
        TwinSpec(
            name="icr-border",
            adapter="icr-fhir",
            written_from="HL7 UK, UK Core Access 0.1.0 (draft); HL7 FHIR R4 (4.0.1), RESTful API, search, Binary",
            tried_against=_FHIR,
            build=_build_border_twin,
            configure=_configure_border,
            faults=_PAGED,
        ),
    ]
