"""The registers that information governance keeps: agreements, disclosures, information assets. No patient value.

A disclosure is named by its number in the trail and by its request, never by whose record it was, and a user's own
words (the reason of a break-glass, of a decision) stay where they are: they may name anybody.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from mpftconnect.governance.agreements import Agreement
from mpftconnect.governance.audit import Entry
from mpftconnect.governance.audit_event import agent_of, correlation_of, details_of, shown_in, systems_asked_in
from mpftconnect.governance.data_map import Place

__all__ = [
    "AGREEMENTS",
    "ASSETS",
    "DISCLOSURES",
    "ConnectedSystem",
    "agreement_rows",
    "asset_rows",
    "disclosure_rows",
]

Row = tuple[object, ...]

AGREEMENTS = (
    *("system", "supplier", "product", "environment", "agreement", "parties", "purposes", "sections"),
    *("expires", "days_left", "standing"),
)
DISCLOSURES = (
    *("trail", "entry", "at", "kind", "outcome", "user", "name", "role", "organisation", "purpose", "relationship"),
    *("relationship_status", "sections", "not_for_role", "systems_asked", "items_shown", "step", "request", "sealed"),
)
ASSETS = ("asset", "kind", "where", "holds", "protection", "retention", "erasure", "agreement", "tried_against")

# What the Caldicott log is about. That somebody read the trail, or was refused, is in the trail itself.
_KINDS = {
    "read": "disclosure",
    "find": "search",
    "break-glass": "break-glass",
    "identity-link": "identity-override",
    "identity-unlink": "identity-override",
    "identity-erase": "identity-override",
    "write": "write",
    "export": "export",
}


@dataclass(frozen=True, slots=True)
class ConnectedSystem:
    """What the registers say of one configured system."""

    name: str
    supplier: str
    product: str
    environment: str
    where: str
    tried_against: str
    agreement: Agreement


def agreement_rows(systems: Iterable[ConnectedSystem], today: datetime.date) -> Iterator[Row]:
    """A row for each system's agreement, those that end first first; columns as `AGREEMENTS`."""
    for system in sorted(systems, key=lambda one: (one.agreement.expires, one.name)):
        agreement = system.agreement
        yield (
            *(system.name, system.supplier, system.product, system.environment, agreement.name),
            *("; ".join(agreement.parties), "; ".join(agreement.purposes), "; ".join(agreement.sections)),
            *(agreement.expires.isoformat(), agreement.days_left(today), agreement.standing(today)),
        )


def disclosure_rows(trail: Iterable[Entry], stream: Iterable[Entry]) -> Iterator[Row]:
    """The Caldicott log: what was shown, decided and broken open; columns as `DISCLOSURES`.

    Args:
        trail: Entries of the ordinary trail.
        stream: Entries of the privacy officer's stream. Of it only break-glass is told: what silent policies kept back
            leaves no trace here either.
    """
    named = chain((("audit", entry) for entry in trail), (("privacy", entry) for entry in stream))
    for name, entry in named:
        pairs = details_of(entry.event)
        said = dict(pairs)
        action = said.get("action", "")
        kind = _KINDS.get(action)
        if kind is None or (name == "privacy") != (action == "break-glass"):
            continue
        who = agent_of(entry.event)

        def each(word: str, pairs: list[tuple[str, str]] = pairs) -> str:
            return "; ".join(value for key, value in pairs if key == word)

        purposes = entry.event.get("purposeOfEvent")
        purpose = purposes[0].get("text", "") if isinstance(purposes, list) and purposes else ""
        number = f"waiting {-entry.seq}" if entry.seq < 0 else entry.seq
        yield (
            *(name, number, entry.at.isoformat(), kind, str(entry.event.get("outcomeDesc", ""))),
            *(who.get(key, "not stated") for key in ("user", "name", "role", "organisation")),
            *(purpose, said.get("relationship", ""), said.get("relationship-status", "")),
            *(each("section"), each("not-for-role"), "; ".join(systems_asked_in(entry.event))),
            sum(len(shown.items) for shown in shown_in(entry.event)),
            *(said.get("step", ""), correlation_of(entry.event) or "", "yes" if entry.sealed else "BROKEN"),
        )


def asset_rows(places: Iterable[Place], systems: Iterable[ConnectedSystem]) -> Iterator[Row]:
    """The information asset register: where the SDK keeps something, and each connected system; as `ASSETS`."""
    for place in places:
        yield (
            *(place.name, "store", place.where, place.holds, place.protection, place.retention, place.erasure),
            *("", ""),
        )
    for system in sorted(systems, key=lambda one: one.name):
        sections = "; ".join(system.agreement.sections)
        yield (
            *(system.name, f"connected system ({system.environment})", system.where),
            f"{system.product} by {system.supplier}; read: {sections}",
            *("the system's own; TLS on the way", "the system's own", "at the system: nothing of it is kept here"),
            *(f"{system.agreement.name}, until {system.agreement.expires.isoformat()}", system.tried_against),
        )
