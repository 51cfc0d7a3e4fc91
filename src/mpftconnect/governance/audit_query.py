"""Reading the audit, which is itself controlled and audited."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from uuid import uuid4

from mpftconnect.errors import AccessRefused
from mpftconnect.governance.audit import Affected, AuditTrail, Entry
from mpftconnect.governance.audit_event import AuditRecord
from mpftconnect.model import AccessContext

__all__ = ["AUDIT_ROLES", "read_affected", "read_audit"]

AUDIT_ROLES = frozenset({"privacy-officer"})


def read_audit(
    trail: AuditTrail,
    who: AccessContext,
    *,
    roles: Collection[str] = AUDIT_ROLES,
    since: datetime | None = None,
    until: datetime | None = None,
    patient: str | None = None,
    user: str | None = None,
    containing: str | None = None,
) -> Iterator[Entry]:
    """The entries of a trail, for somebody whose role allows it.

    That they looked is on the disk before this returns, and is the last of the entries if it fits what they asked.

    Args:
        who: Who wants to read it.
        roles: The roles that may.
        since: See `AuditTrail.entries`, as for the others.
    Raises:
        AccessRefused: The role may not; that is audited too. Code `audit-role`.
        AuditUnavailable: That they looked could not be written, or the trail cannot be read.
    """
    found = trail.entries(since=since, until=until, patient=patient, user=user, containing=containing)
    _admit(trail, who, roles, patient)
    return found


def read_affected(
    trail: AuditTrail,
    who: AccessContext,
    *,
    source: str,
    item: str | None = None,
    patient: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    roles: Collection[str] = AUDIT_ROLES,
) -> Iterator[Affected]:
    """Who was shown something of a source; see `AuditTrail.showings`, and `read_audit` for control and errors."""
    found = trail.showings(source=source, item=item, patient=patient, since=since, until=until)
    _admit(trail, who, roles, patient)
    return found


def _admit(trail: AuditTrail, who: AccessContext, roles: Collection[str], patient: str | None) -> None:
    allowed = who.role in roles
    trail.append(
        AuditRecord(
            action="audit-read" if allowed else "refused",
            outcome="success" if allowed else "refused",
            who=who,
            patient=patient,
            purpose=who.purpose,
            correlation_id=str(uuid4()),
            reason_code=None if allowed else "audit-role",
            at=datetime.now(UTC),
        )
    )
    if not allowed:
        raise AccessRefused("audit-role", f"the audit is read by {', '.join(sorted(roles))} alone")
