"""Which records were opened by break-glass, and who does it again and again: for the privacy officer (rule 9)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from mpftconnect.governance.audit import Entry, PrivacyStream
from mpftconnect.governance.audit_event import EMERGENCY, agent_of, correlation_of, details_of, patient_of
from mpftconnect.governance.audit_query import AUDIT_ROLES, read_audit
from mpftconnect.model import AccessContext

__all__ = ["Broken", "read_break_glass"]


@dataclass(frozen=True, slots=True)
class Broken:
    """One use of break-glass.

    Args:
        seq: Number of its first entry in the privacy officer's stream.
        patient: NHS number; None for a search, or where none was found.
        reason: As the user gave it.
        correlation_id: The `X-Request-ID`; the ordinary trail says under it what was shown.
        by_user: How often this user used it in the period.
        on_patient: How often this user used it for this person in the period.
    """

    seq: int
    at: datetime
    user: str
    name: str
    role: str
    organisation: str
    patient: str | None
    reason: str
    correlation_id: str
    by_user: int = 1
    on_patient: int = 1


def read_break_glass(
    stream: PrivacyStream,
    who: AccessContext,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    at_least: int = 1,
    roles: Collection[str] = AUDIT_ROLES,
) -> list[Broken]:
    """Every use in the period, oldest first. That somebody looked is written to the stream first, as by `read_audit`.

    Args:
        at_least: Only those of users who used it as often as this, or more.
    Raises:
        AccessRefused, AuditUnavailable: As `read_audit`.
    """
    # No entry without this code can be one: the database passes over the rest.
    found = _uses(read_audit(stream, who, roles=roles, since=since, until=until, containing=EMERGENCY))
    by_user = Counter(one.user for one in found)
    on_patient = Counter((one.user, one.patient) for one in found)
    return [
        replace(one, by_user=by_user[one.user], on_patient=on_patient[one.user, one.patient])
        for one in found
        if by_user[one.user] >= at_least
    ]


def _uses(entries: Iterable[Entry]) -> list[Broken]:
    """One for each request: it is told of before anything is asked, and again for each number that it leads to."""
    by_request: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if dict(details_of(entry.event)).get("action") == "break-glass":
            by_request[correlation_of(entry.event) or f"entry {entry.seq}"].append(entry)
    uses = []
    for request, told in by_request.items():
        first = told[0]
        said, details = agent_of(first.event), dict(details_of(first.event))
        numbers = [number for entry in told if (number := patient_of(entry.event)) is not None]
        user, name, role, organisation = (
            said.get(key, "not stated") for key in ("user", "name", "role", "organisation")
        )
        patient = numbers[-1] if numbers else None
        reason = details.get("reason", "not stated")
        uses.append(Broken(first.seq, first.at, user, name, role, organisation, patient, reason, request))
    return uses
