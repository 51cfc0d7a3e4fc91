"""How an item stands in its source, in plain words: in force, ended, or not to be relied on.

Codes are those of FHIR R4 (4.0.1) value sets: event-status, request-status, observation-status,
diagnostic-report-status, document-reference-status, composition-status, appointmentstatus, encounter-status,
flag-status, allergyintolerance-clinical, allergyintolerance-verification, condition-clinical and
condition-ver-status. Any other code is shown as it came.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mpftconnect.model import Concept, DiagnosticReport, Item, Observation
from mpftconnect.pages.facts import STATUS_FIELDS

__all__ = ["Standing", "plain_status", "standing_of"]

Tone = Literal["plain", "ended", "doubtful", "void"]

_PLAIN: dict[str, tuple[Tone, str]] = {
    "active": ("plain", "Active"),
    "current": ("plain", "Current"),
    "final": ("plain", "Final"),
    "confirmed": ("plain", "Confirmed"),
    "recurrence": ("plain", "Come back"),
    "relapse": ("plain", "Come back"),
    "booked": ("plain", "Booked"),
    "arrived": ("plain", "Arrived"),
    "planned": ("plain", "Planned"),
    "in-progress": ("plain", "In progress"),
    "accepted": ("plain", "Accepted"),
    "entered-in-error": ("void", "Entered in error"),
    "refuted": ("void", "Refuted"),
    "withdrawn": ("void", "Withdrawn"),
    "revoked": ("void", "Revoked"),
    "nullified": ("void", "Withdrawn"),
    "cancelled": ("void", "Cancelled"),
    "superseded": ("ended", "Superseded by a newer one"),
    "not-done": ("void", "Not done"),
    "not-taken": ("ended", "Not taken"),
    "rejected": ("void", "Rejected"),
    "noshow": ("ended", "Did not attend"),
    "stopped": ("ended", "Stopped"),
    "completed": ("ended", "Completed"),
    "finished": ("ended", "Finished"),
    "fulfilled": ("ended", "Took place"),
    "inactive": ("ended", "Inactive"),
    "resolved": ("ended", "Resolved"),
    "remission": ("ended", "In remission"),
    "on-hold": ("doubtful", "On hold"),
    "unconfirmed": ("doubtful", "Unconfirmed"),
    "provisional": ("doubtful", "Provisional"),
    "differential": ("doubtful", "One of several possible diagnoses"),
    "preliminary": ("doubtful", "Preliminary: may still change"),
    "registered": ("doubtful", "Registered: no result yet"),
    "partial": ("doubtful", "Partial: more is to come"),
    "amended": ("plain", "Amended"),
    "corrected": ("plain", "Corrected"),
    "draft": ("doubtful", "Draft"),
    "proposed": ("doubtful", "Proposed"),
    "unknown": ("doubtful", "Status unknown to the source"),
}

_WHY_VOID = {
    "entered-in-error": "The source says that this was recorded by mistake. Do not rely on it.",
    "refuted": "The source says that this was considered and is not so.",
    "not-done": "The source says that this was not done.",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How an item stands.

    Args:
        tags: Each status in words, with its tone.
        void: True where the item no longer stands, or never did.
        why: What that means, for an item that does not stand; empty otherwise.
    """

    tags: tuple[tuple[Tone, str], ...]
    void: bool
    why: str

    @property
    def ended(self) -> bool:
        """Whether a status says that it is over."""
        return any(tone == "ended" for tone, _ in self.tags)


def _code(value: str | Concept) -> str:
    if isinstance(value, Concept):
        known = (coding.code for coding in value.coding if coding.code in _PLAIN)
        return next(known, None) or value.words()
    return value


def plain_status(code: str) -> tuple[Tone, str]:
    """A status code as tone and words; an unknown one as it came.

    >>> plain_status("entered-in-error"), plain_status("in transit")
    (('void', 'Entered in error'), ('plain', 'in transit'))
    """
    return _PLAIN.get(code.strip().lower().replace(" ", "-").replace("_", "-")) or ("plain", code)


def standing_of(item: Item) -> Standing:
    """How the item stands, from every status that it has.

    Whatever its source withdrew says so with the reason, where the source gives one, and stays visible (rule 8). A
    result or report is called withdrawn as well, since its own status alone may read as if it were still to come.
    """
    codes: list[str] = []
    for field in ("verification_status", "clinical_status", "status", "doc_status"):
        value = getattr(item, field, None)
        if field in STATUS_FIELDS and value is not None:
            codes.append(_code(value))
    tags = [plain_status(code) for code in codes]
    void = any(tone == "void" for tone, _ in tags)
    why = next((_WHY_VOID[code] for code in codes if code in _WHY_VOID), "")
    if item.withdrawn:
        _, _, reason = item.withdrawn.partition(": ")
        if isinstance(item, Observation | DiagnosticReport):
            tags.insert(0, ("void", "Withdrawn"))
            why = f"Withdrawn by its source. Reason: {reason or 'not stated'}. {why}".strip()
        elif reason:
            why = f"Reason: {reason}. {why}".strip()
    return Standing(tuple(tags), void, why)
