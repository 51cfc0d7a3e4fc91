"""What a message changes, in the common model's terms, and when one change may stand over another.

A message is not a state but a change to one: a field that it leaves out keeps what stands, a field that it sends as
`""` removes it (HL7 v2.5.1, chapter 2, section 2.5.3, "null"). Nobody is matched here: every change names whom the
sender says it is about, by the sender's own identifiers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from mpftconnect.hl7v2.references import line_of, reference_of
from mpftconnect.model import Identifier, Item, When

__all__ = [
    "Change",
    "Key",
    "Link",
    "MergePerson",
    "Move",
    "Parked",
    "Replace",
    "Retract",
    "Stated",
    "Subject",
    "Unlink",
    "Upsert",
    "is_older",
    "may_stand_over",
]


class _Silent:
    """Shows its kind and nothing of its content, which is patient data (it may reach a log or a traceback)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Key(_Silent):
    """Names a thing in its sender's own terms, so that a later message finds it again.

    Args:
        kind: The model's type: `Encounter`, `Observation`.
        authority: Who numbers it: the assigning authority, else the sending application or facility.
        value: The number, or the numbers that together name it.

    `reference` is the key as a FHIR reference, which is what an item's `source.id` is: numbers that FHIR's `id` can
    carry are readable, others are their digest.

    >>> Key(kind="Encounter", authority="RRE", value="V1").reference
    'Encounter/RRE.V1'
    >>> len(Key(kind="Encounter", authority="RRE PAS", value="V/1").reference)
    50
    >>> Key(kind="Encounter", authority="RRE", value="V1").text
    'Encounter/RRE/V1'
    """

    kind: str
    authority: str
    value: str
    _reference: str | None = field(init=False, compare=False, default=None)

    @property
    def reference(self) -> str:
        """The key as a FHIR reference, `Encounter/RRE.V1`."""
        known = self._reference
        if known is None:
            # An item, what points at it and its change all need it: it is worked out once. Most aliases never do.
            known = reference_of(self.kind, self.authority, self.value)
            object.__setattr__(self, "_reference", known)
        return known

    @property
    def text(self) -> str:
        """The key in one line, another for each key: what a projection stores the thing under."""
        return line_of(self.kind, self.authority, self.value)

    def __repr__(self) -> str:
        return f"<Key {self.kind}>"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Subject(_Silent):
    """Whom the message says that it is about: the PID identifiers, each with its authority.

    Args:
        identifiers: NHS number (with its verification status) and local numbers, as sent.
        restricted: Something in the message asks for confidence: which fields (`PV1-16`, `PD1-12`). Governance acts.
    """

    identifiers: tuple[Identifier, ...] = ()
    restricted: tuple[str, ...] = ()

    @property
    def nhs_number(self) -> str | None:
        """The NHS number, if the message gives one whose check digit is right."""
        return next((i.value for i in self.identifiers if i.is_nhs_number and i.use != "old"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """When the sender says that it recorded a change, which orders changes to one thing.

    Args:
        at: The time of recording: EVN-2, of results OBR-22, else MSH-7. None where the message states none.
        basis: `event`: `at` is the time of the event; `sent`: only the time at which the message was made, which a
            message that is made anew from old content has too.
        sent: MSH-7.
        sequence: MSH-13, where the sender numbers its messages.
        control_id: MSH-10.
    """

    at: When | None = None
    basis: Literal["event", "sent"] = "sent"
    sent: When | None = None
    sequence: int | None = None
    control_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Upsert(_Silent):
    """Put the item under its key, or update what stands there: what the item does not hold keeps, see `applied`.

    Args:
        subject: Whom it is about.
        key: Names the thing.
        aliases: Other keys of the same thing (placer's number beside the filler's): found by any of them.
        item: What the message says of it.
        removed: Fields of the item that the sender removed by `""`, such as `deceased` or `period.end`.
        mentions: The message speaks of something else and only mentions this (the patient of a result). It is put
            where nothing stands, and never updates.
        stated: When.
    """

    subject: Subject
    key: Key
    aliases: tuple[Key, ...] = ()
    item: Item
    removed: tuple[str, ...] = ()
    mentions: bool = False
    stated: Stated


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Replace(_Silent):
    """Put the item in place of the whole of what stands under its key: a corrected result, an edited document."""

    subject: Subject
    key: Key
    aliases: tuple[Key, ...] = ()
    item: Item
    stated: Stated


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Retract(_Silent):
    """What stands under the key is withdrawn. It stays visible as "withdrawn, reason" (rule 8).

    Args:
        reason: Why, in our words, after the sender's code; never a patient value.
        code: The sender's code: `OBX-11 W`, `A11`.
        item: The thing as withdrawn: its status says so. It is shown where nothing stood yet.
    """

    subject: Subject
    key: Key
    aliases: tuple[Key, ...] = ()
    reason: str
    code: str
    item: Item
    stated: Stated


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MergePerson(_Silent):
    """The sender says that two of its identifiers are one person: a link, never a rewriting, so that it can be undone.

    Args:
        survivor: The identifiers that stand.
        retired: The identifiers that the sender no longer uses for the person.
        kind: `merge` (A34, A40), `move-identifier` (A43: one identifier was somebody else's) or
            `change-identifier` (A47: the number was changed).
        id: Names this link when it is undone.
    """

    subject: Subject
    survivor: Subject
    retired: Subject
    kind: Literal["merge", "move-identifier", "change-identifier"]
    id: str
    stated: Stated


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Move(_Silent):
    """An account (A44) or a visit (A45) was recorded for the wrong person, and is the subject's.

    Args:
        subject: Whose it is.
        from_: Whose it was recorded as.
        keys: What moves. Everything that names one of these as its encounter or account moves with it.
        kind: `account` or `visit`.
        id: Names this move when it is undone.
    """

    subject: Subject
    from_: Subject
    keys: tuple[Key, ...]
    kind: Literal["account", "visit"]
    id: str
    stated: Stated


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Link(_Silent):
    """A24: the sender links two of its records that both go on (mother and child, or one person twice).

    It is not a merge: HL7 v2.5.1, section 3.3.24, "without deleting either". Nobody's record joins another's by it.
    """

    subject: Subject
    other: Subject
    id: str
    stated: Stated


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Unlink(_Silent):
    """A37: the sender takes an A24 back (HL7 v2.5.1, section 3.3.37). It undoes no merge."""

    subject: Subject
    other: Subject
    id: str
    stated: Stated


Change = Upsert | Replace | Retract | MergePerson | Move | Link | Unlink


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """What of a message could not be mapped: it is kept for a person to look at, never acknowledged and dropped.

    Args:
        code: Permanent code: `trigger-not-handled`, `no-patient`, `no-key`, `no-merge-identifier`, ...
        reason: What it means, in our words; never a patient value.
        location: Where: `MSH-9`, `PID-3`, `OBR[2]`.
    """

    code: str
    reason: str
    location: str


# --- order -----------------------------------------------------------------------------------------------------


def may_stand_over(new: Stated, standing: Stated, *, withdraws: bool = False, standing_withdrawn: bool = False) -> bool:
    """Whether a change may be applied to what an earlier-received change left under the same key.

    The rule: an older change never overwrites a newer one. Where the times leave it open, the change that arrived
    last stands, but for withdrawals: a withdrawal stands over what may be as new as it, and is itself undone only by
    a change whose *event time* is surely later. A message made anew from old content, or a late repeat, cannot bring a
    withdrawn result back.

    Args:
        new: When the change that arrives now was stated.
        standing: When what stands was stated.
        withdraws: The new change is a `Retract`.
        standing_withdrawn: What stands is withdrawn.

    >>> early, late = (Stated(at=When(f"2026-01-01T0{hour}:00:00"), basis="event") for hour in (8, 9))
    >>> may_stand_over(late, early), may_stand_over(early, late)
    (True, False)
    >>> may_stand_over(late, late, standing_withdrawn=True)
    False
    """
    older = is_older(new, standing)
    if older is True:
        return False
    if standing_withdrawn and not withdraws:
        return older is False and new.basis == "event"
    return True


def is_older(one: Stated, other: Stated) -> bool | None:
    """Whether the first was stated before the other; None where their times do not tell.

    The times of recording are compared, then those of sending, then the sequence numbers. A time without seconds, a
    bare date and a local time that occurred twice are spans: two spans that overlap do not tell.

    >>> is_older(Stated(at=When("2026-01-01")), Stated(at=When("2026-01-01T12:00:00"))) is None
    True
    """
    for first, second in ((one.at, other.at), (one.sent, other.sent)):
        if first is not None and second is not None:
            (start, end), (other_start, other_end) = _span(first), _span(second)
            if end < other_start:
                return True
            if other_end < start:
                return False
    if one.sequence is not None and other.sequence is not None and one.sequence != other.sequence:
        return one.sequence < other.sequence
    return None


_WIDTHS = {"minute": timedelta(minutes=1), "second": timedelta(0)}
# A place's clock is at most this far from UTC (IANA time zone database: -12 to +14).
_ZONES = timedelta(hours=14)
_HOUR = timedelta(hours=1)
_TICK = timedelta(microseconds=1)


def _span(when: When) -> tuple[datetime, datetime]:
    """The first and the last moment that the text can mean, as UTC without its zone."""
    instant = when.instant
    if instant is not None:
        start = instant.replace(tzinfo=None)
        width = _WIDTHS[when.precision]
        return start, start + width - _TICK if width else start
    text = when.text
    if when.has_time:  # A local time that occurred twice or never: anything within the hour about it.
        start = datetime.fromisoformat(text[:16])
        return _shifted(start, -_HOUR - _ZONES), _shifted(start, _HOUR + _ZONES)
    year, month, day = int(text[:4]) or 1, int(text[5:7] or 1), int(text[8:10] or 1)
    start = datetime(year, month, day)  # noqa: DTZ001 - widened by every zone below
    if len(text) == 4:
        width = timedelta(days=366)
    elif len(text) == 7:
        width = timedelta(days=31)
    else:
        width = timedelta(days=1)
    return _shifted(start, -_ZONES), _shifted(start, width + _ZONES)


def _shifted(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return datetime.min if by < timedelta(0) else datetime.max  # noqa: DTZ901 - compared with naive UTC only
