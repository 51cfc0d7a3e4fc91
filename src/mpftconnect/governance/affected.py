"""Who was shown something: for when it turns out to be wrong, or somebody else's (rule 5).

An item that a silent policy kept back was shown to nobody, and the ordinary trail never had it, so it is never here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from mpftconnect.governance.audit_event import (
    agent_of,
    correlation_of,
    details_of,
    fhir_text,
    patient_of,
    shown_in,
)

if TYPE_CHECKING:
    from mpftconnect.governance.audit import Entry

__all__ = ["NEVER_SEEN", "Affected", "showings"]

NEVER_SEEN = (
    "Who read a page, an export or a print that somebody else had made is not in the trail.",
    "What the source itself, or another application, showed of it is not in this trail.",
    "An item is found under the id that its source gave it on that day; ask again for each id that it has had.",
)


@dataclass(frozen=True, slots=True)
class Affected:
    """Somebody who was shown something.

    Args:
        seq: Number of the entry that says so; negative for one that waits in the second sink.
        at: When.
        patient: NHS number of the record that it was shown in.
        items: Ids, at the source, of what was shown.
        correlation_id: The `X-Request-ID` of the read.
        relationship: The relationship that was claimed, such as `break-glass`.
        sealed: Whether the entry's own seal fits.
    """

    seq: int
    at: datetime
    user: str
    name: str
    role: str
    organisation: str
    patient: str | None
    items: tuple[str, ...]
    correlation_id: str = ""
    relationship: str = ""
    sealed: bool = True


def showings(entries: Iterable[Entry], source: str, item: str | None) -> Iterator[Affected]:
    """Each entry in which something of the source was shown, one after the other.

    Args:
        entries: Entries of the ordinary trail.
        source: Configured name of the system.
        item: The source's own id of the item; None for anything of that source.
    """
    system, wanted = fhir_text(source), None if item is None else fhir_text(item)
    for entry in entries:
        items = tuple(
            one
            for shown in shown_in(entry.event)
            if shown.system == system
            for one in shown.items
            if wanted is None or one == wanted
        )
        if not items:
            continue
        said = agent_of(entry.event)
        user, name, role, organisation = (
            said.get(key, "not stated") for key in ("user", "name", "role", "organisation")
        )
        yield Affected(
            entry.seq,
            entry.at,
            user,
            name,
            role,
            organisation,
            patient_of(entry.event),
            items,
            correlation_of(entry.event) or "",
            dict(details_of(entry.event)).get("relationship", ""),
            entry.sealed,
        )
