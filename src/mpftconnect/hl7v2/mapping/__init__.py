"""HL7 v2 messages as changes to items of the common model, with a ledger of every populated field."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from mpftconnect.hl7v2.changes import Change, Parked, Replace, Retract, Stated, Upsert
from mpftconnect.hl7v2.mapping.datatypes import moment
from mpftconnect.hl7v2.mapping.draft import Draft
from mpftconnect.hl7v2.mapping.families import HANDLED, map_parts
from mpftconnect.hl7v2.mapping.leaves import Place, Segment, read_segments
from mpftconnect.hl7v2.mapping.ledger import Entry, Ledger, Total, build_ledger
from mpftconnect.hl7v2.mapping.site import Site, read_site
from mpftconnect.hl7v2.mapping.work import Work
from mpftconnect.hl7v2.message import Message
from mpftconnect.model import Extra, Item

__all__ = ["HANDLED", "Entry", "Envelope", "Ledger", "Mapped", "Site", "Total", "map_message", "read_site"]


_OF_ITEMS = (Upsert, Replace, Retract)


@dataclass(frozen=True)
class Envelope:
    """What a message says of itself: sender, receiver, versions, software, event.

    Args:
        stated: When it was stated, and its control id.
        sender: Sending facility, else application, as sent.
        organisation: The sender's ODS code, where the site file gives one.
        extra: The fields of MSH, EVN and the like that are nowhere else.
    """

    stated: Stated
    sender: str
    organisation: str | None
    extra: tuple[Extra, ...]

    def __repr__(self) -> str:
        return "<Envelope>"


@dataclass(frozen=True, repr=False)
class Mapped:
    """What came of one message.

    Args:
        changes: In the order in which they are to be applied.
        parked: What could not be mapped. A message may have both.
        envelope: What it says of itself.
    """

    changes: tuple[Change, ...]
    parked: tuple[Parked, ...]
    envelope: Envelope
    _trace: tuple[list[Segment], list[Draft], list[tuple[Segment, Place, str]], list[tuple[Segment, str]]]

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """The items of the changes, in order."""
        return tuple([change.item for change in self.changes if isinstance(change, _OF_ITEMS)])

    @cached_property
    def ledger(self) -> Ledger:
        """What became of every populated field. Worked out when first asked for."""
        return build_ledger(*self._trace)

    def __repr__(self) -> str:
        return f"<Mapped {len(self.changes)} changes, {len(self.parked)} parked>"


def map_message(message: Message, site: Site | None = None, *, received: datetime | None = None) -> Mapped:
    """Map a message to changes of items of the common model.

    Nothing of the message is lost: what no item has a place for is in an item's `extra` or the envelope's, and what
    cannot be mapped is parked with a reason. It never raises for a message that `parse` gave.

    Args:
        message: From `parse`.
        site: What is agreed with the sender; None: the defaults.
        received: When the message came in, UTC: the items' `source.fetched`. None: now.

    >>> from mpftconnect.hl7v2 import parse
    >>> mapped = map_message(parse(b"MSH|^~\\\\&|PAS|RRE|||20260301||ADT^A28|7|P|2.4\\rPID|||77^^^RRE||DOE^Jane"))
    >>> mapped.items[0].words(), mapped.changes[0].key.text
    ('DOE, Jane', 'Patient/RRE/77')
    """
    site = site or _DEFAULT
    segments = read_segments(message)
    header = segments[0] if segments and segments[0].name == "MSH" else Segment("MSH", 1, {}, {}, {})
    event = _first(segments, "EVN")
    head = Draft(None, site, "")
    code, trigger = _type(header, event)
    stated = _stated(head, header, event)
    sender = header.get(4) or header.get(3) or ""
    authority = site.authority or sender.strip() or "unknown"
    facility, application = header.get(4), header.get(3)
    organisation = site.senders.get(f"{application}|{facility}") or site.senders.get(facility or "")
    work = Work(
        segments,
        site,
        stated=stated,
        received=received or datetime.now(UTC),
        authority=authority,
        trigger=trigger,
        organisation=organisation,
    )
    map_parts(work, code)
    parked = _parked(work, header, event) if work.parked_segments or not work.changes else []
    whole = {id(segment) for segment, _ in parked}
    for segment in segments:
        if segment.left and id(segment) not in whole:
            head.keep(segment)
    envelope = Envelope(
        stated=stated,
        sender=sender,
        organisation=organisation,
        extra=tuple(head.extras),
    )
    head.result = envelope
    return Mapped(
        changes=tuple(work.changes),
        parked=tuple(work.parked),
        envelope=envelope,
        _trace=(segments, [head, *work.drafts], work.dropped, parked),
    )


_DEFAULT = Site()


def _first(segments: list[Segment], name: str) -> Segment | None:
    for segment in segments:
        if segment.name == name:
            return segment
    return None


def _parked(work: Work, header: Segment, event: Segment | None) -> list[tuple[Segment, str]]:
    """The segments of which nothing came: all that say something of somebody where the whole message is parked."""
    nothing_else = not work.changes
    waiting = {id(segment) for segment in work.parked_segments}
    return [
        (segment, work.parked[0].code if work.parked else "")
        for segment in work.segments
        if (nothing_else and segment is not header and segment is not event) or id(segment) in waiting
    ]


def _type(header: Segment, event: Segment | None) -> tuple[str, str]:
    """MSH-9 as code and trigger; before version 2.3.1 the trigger may stand in EVN-1 alone."""
    code = (header.get(9) or "").strip()
    trigger = (header.get(9, 2) or "").strip()
    structure = header.get(9, 3) or code
    if not trigger and "_" in structure:
        code, _, trigger = structure.strip().partition("_")
    if not trigger and event is not None:
        trigger = (event.get(1) or "").strip()
    return code, trigger


def _stated(head: Draft, header: Segment, event: Segment | None) -> Stated:
    sent = moment(head, header, 7, 1, "stated.sent")
    recorded = moment(head, event, 2, 1, "stated.at") if event is not None else None
    control = head.take(header, 10, 1, 1, 1, "stated.control_id")
    return Stated(
        at=recorded or sent,
        basis="event" if recorded is not None else "sent",
        sent=sent,
        sequence=head.take_whole(header, 13, "stated.sequence"),
        control_id=control,
    )
