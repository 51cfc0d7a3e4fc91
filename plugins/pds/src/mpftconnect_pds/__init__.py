"""Personal Demographics Service (PDS), the national record of who a person is, over its FHIR R4 API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from mpftconnect import hookimpl
from mpftconnect.adapters import AdapterSpec, Capability, Fault, TriedAgainst, TwinSpec, only
from mpftconnect_pds.adapter import REQUESTS_PER_SECOND, PdsAdapter, PdsSettings
from mpftconnect_pds.twin import BASE_PATH, PdsTwin

if TYPE_CHECKING:
    from mpftconnect.sandbox import Person

# Of the sandbox's application, as if NHS England had agreed to more than the five a second that each may ask: whoever
# is in a hospital's day is traced before the first record is read, and nobody waits for a limit that guards nothing.
SANDBOX_REQUESTS_PER_SECOND: Final = 100

__all__ = ["PdsAdapter", "PdsSettings", "PdsTwin", "mpft_adapters", "mpft_twins"]


@hookimpl
def mpft_adapters() -> Sequence[AdapterSpec]:
    return [
        AdapterSpec(
            name="pds",
            supplier="NHS England",
            product="Personal Demographics Service, FHIR R4 API",
            tried_against=TriedAgainst(
                "published examples", "personal-demographics-service-api at f57f5839, stubs and sandbox mocks"
            ),
            # A search gives one person at most: all that application-restricted access allows.
            capabilities=only(
                Capability.FIND_PATIENT,
                Capability.TRACE_PERSON,
                Capability.READ_CONTACTS,
                partly=(Capability.SEARCH_PEOPLE,),
            ),
            open=PdsAdapter,
            settings=PdsSettings,
            secrets=("api_key", "private_key"),
            rate_per_second=REQUESTS_PER_SECOND,
        )
    ]


@hookimpl
def mpft_twins() -> Sequence[TwinSpec]:
    return [
        TwinSpec(
            name="pds",
            adapter="pds",
            written_from="PDS FHIR API specification (personal-demographics-service-api at f57f5839)",
            tried_against=TriedAgainst("published examples", "its answers are tested against the specification"),
            build=_build,
            configure=_configure,
            faults=frozenset({Fault.WRONG_PATIENT, Fault.STALE_TOKEN}),
        )
    ]


def _build(people: Sequence[Person]) -> PdsTwin:
    return PdsTwin(people, requests_per_second=SANDBOX_REQUESTS_PER_SECOND)


def _configure(twin: PdsTwin, base_url: str) -> dict[str, Any]:
    root = base_url.rstrip("/")
    return {
        "adapter": "pds",
        "endpoint": f"{root}{BASE_PATH}",
        "rate_per_second": twin.requests_per_second,  # asked for no more than it takes
        "settings": {"token_url": root + twin.authorisation.path, "key_id": twin.authorisation.key_id},
        "secrets": {"api_key": twin.authorisation.api_key, "private_key": twin.authorisation.private_key_pem},
    }
