"""Whether a request may be made at all, before any system is asked (rule 9)."""

from __future__ import annotations

from collections.abc import Iterable

from mpftconnect.errors import AccessRefused
from mpftconnect.model import AccessContext

__all__ = ["ALLOWED_PURPOSES", "BREAK_GLASS", "admit", "require_relationship"]

ALLOWED_PURPOSES = frozenset({"direct-care"})
BREAK_GLASS = "break-glass"


def admit(who: AccessContext) -> None:
    """Refuse a request whose context is incomplete or whose purpose is not direct care.

    Raises:
        AccessRefused: With a permanent code: `who-incomplete`, `purpose-not-allowed` or `reason-needed`.

    >>> admit(AccessContext(user="u", name="n", role="r", organisation="RRE", purpose="research",
    ...                     relationship="caseload"))
    Traceback (most recent call last):
    mpftconnect.errors.AccessRefused: only the purpose direct-care is allowed
    """
    empty = [
        field for field in ("user", "name", "role", "organisation", "relationship") if not getattr(who, field).strip()
    ]
    if empty:
        raise AccessRefused("who-incomplete", f"the access context lacks {', '.join(empty)}")
    if who.purpose not in ALLOWED_PURPOSES:
        raise AccessRefused("purpose-not-allowed", f"only the purpose {', '.join(sorted(ALLOWED_PURPOSES))} is allowed")
    if who.relationship == BREAK_GLASS and not (who.reason or "").strip():
        raise AccessRefused("reason-needed", "break-glass needs a reason; the privacy officer will see it")


def require_relationship(who: AccessContext, verified_by: str | None, *, silent: Iterable[str]) -> None:
    """Refuse a relationship that nobody verified. Break-glass overrides the relationship, and nothing else.

    Args:
        verified_by: Who verified it, in words; None if nobody did.
        silent: Systems that could verify and did not answer; named in the refusal.
    Raises:
        AccessRefused: Code `relationship-not-verified`.
    """
    if verified_by or who.relationship == BREAK_GLASS:
        return
    names = ", ".join(dict.fromkeys(silent))
    raise AccessRefused(
        "relationship-not-verified",
        "no connected system confirms the relationship to this person"
        + (f" ({names} did not answer)" if names else "")
        + "; in an emergency use the relationship break-glass with a reason",
    )
