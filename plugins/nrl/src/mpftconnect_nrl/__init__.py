"""The National Record Locator (NRL): where in the country a person's plans and documents are, over its FHIR R4 APIs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mpftconnect import hookimpl
from mpftconnect.adapters import AdapterContext, AdapterSpec, Capability, Fault, TriedAgainst, TwinSpec, only
from mpftconnect_nrl.settings import NrlSettings, PublishSettings, SspSettings

if TYPE_CHECKING:
    from mpftconnect.adapters import Adapter, Twin
    from mpftconnect.sandbox import Person

__all__ = ["NrlSettings", "PublishSettings", "SspSettings", "mpft_adapters", "mpft_twins"]


# Opened when they are needed: every program that loads plugins passes by here.


def _open(context: AdapterContext) -> Adapter:
    from mpftconnect_nrl.adapter import NrlAdapter

    return NrlAdapter(context)


def _build(people: Sequence[Person]) -> Twin:
    from mpftconnect_nrl.twin import NrlTwin

    return NrlTwin(people)


def _configure(twin: Any, base_url: str) -> dict[str, Any]:
    from mpftconnect_nrl.twin import configure

    return configure(twin, base_url)


@hookimpl
def mpft_adapters() -> Sequence[AdapterSpec]:
    return [
        AdapterSpec(
            name="nrl",
            supplier="NHS England",
            product="National Record Locator, FHIR R4 producer and consumer APIs",
            tried_against=TriedAgainst(
                "published examples", "nrl-consumer-api at 25d6f5b, nrl-producer-api at ec0303b, NRLF test data"
            ),
            # It holds pointers and nothing else.
            capabilities=only(
                *(Capability.FIND_PATIENT, Capability.READ_DOCUMENTS, Capability.FETCH_DOCUMENT),
                *(Capability.FIND_POINTERS, Capability.DRAFT_POINTER, Capability.DRAFT_REMOVAL),
                Capability.WRITE_POINTER,
            ),
            open=_open,
            settings=NrlSettings,
            secrets=("api_key", "private_key"),
            keeps_demographics=False,
        )
    ]


@hookimpl
def mpft_twins() -> Sequence[TwinSpec]:
    return [
        TwinSpec(
            name="nrl",
            adapter="nrl",
            written_from=(
                "NRL consumer and producer specifications (nrl-consumer-api at 25d6f5b, nrl-producer-api at ec0303b); "
                "the retrieval of documents: NHSConnect FHIR-NRLS-API"
            ),
            tried_against=TriedAgainst("published examples", "its answers are tested against the specifications"),
            build=_build,
            configure=_configure,
            faults=frozenset(
                {
                    *(Fault.WRONG_PATIENT, Fault.STALE_TOKEN, Fault.LYING_TOTAL),
                    *(Fault.WRONG_DOCUMENT, Fault.LOST_ANSWER),
                }
            ),
        )
    ]
