"""The built-in system: a community record over FHIR R4 that stands for no product.

It keeps the SDK useful by itself, and is the pattern that `mpftconnect new-adapter` follows: `adapter.py` reads the
system, `twin.py` stands in for it, and this module registers both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mpftconnect.adapters import READS, AdapterSpec, Capability, Fault, TriedAgainst, TwinSpec, only
from mpftconnect.hookspecs import hookimpl
from mpftconnect.sandbox.synthetic.adapter import SyntheticAdapter

if TYPE_CHECKING:
    from mpftconnect.adapters import Twin
    from mpftconnect.sandbox.people import Person

__all__ = ["SyntheticAdapter", "mpft_adapters", "mpft_twins"]

_TRIED = TriedAgainst("nothing", "built for this SDK")


@hookimpl
def mpft_adapters() -> Sequence[AdapterSpec]:
    return [
        AdapterSpec(
            name="synthetic",
            supplier="mpftconnect",
            product="Synthetic community record",
            tried_against=_TRIED,
            capabilities=only(
                *(Capability.FIND_PATIENT, Capability.TRACE_PERSON, Capability.SEARCH_PEOPLE),
                Capability.RESOLVE_IDENTIFIER,
                *READS.values(),
            ),
            open=SyntheticAdapter,
            secrets=("token",),
        )
    ]


@hookimpl
def mpft_twins() -> Sequence[TwinSpec]:
    return [
        _twin("synthetic"),
        # What a clinic keeps that a silent policy hides as a whole: there for the tests of that policy.
        _twin("sexual-health", default=False),
    ]


def _twin(name: str, *, default: bool = True) -> TwinSpec:
    def build(people: Sequence[Person]) -> Twin:
        from mpftconnect.sandbox.synthetic.twin import SyntheticTwin  # only a sandbox needs it

        return SyntheticTwin(people, name)

    return TwinSpec(
        name=name,
        adapter="synthetic",
        written_from="assumed: HL7 FHIR R4 (4.0.1), RESTful API, search and paging",
        tried_against=_TRIED,
        build=build,
        configure=_configure,
        faults=frozenset(
            {Fault.WRONG_PATIENT, Fault.STALE_TOKEN, Fault.DROPPED_PAGE, Fault.REPEATED_PAGE, Fault.LYING_TOTAL}
        ),
        default=default,
    )


def _configure(twin: Any, base_url: str) -> dict[str, Any]:
    return {"adapter": "synthetic", "endpoint": f"{base_url}/fhir", "secrets": {"token": twin.token}}
