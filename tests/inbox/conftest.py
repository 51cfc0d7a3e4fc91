"""Messages, feeds, a mapper small enough to see through, and an inbox to try them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.events import Event, EventStream
from mpftconnect.hl7v2 import parse
from mpftconnect.hl7v2.changes import (
    Change,
    Key,
    Link,
    MergePerson,
    Move,
    Parked,
    Replace,
    Retract,
    Stated,
    Subject,
    Unlink,
    Upsert,
)
from mpftconnect.inbox import Feed, Inbox, Resolution, SqliteStore, Withheld
from mpftconnect.model import (
    Encounter,
    HumanName,
    Identifier,
    Observation,
    Patient,
    Quantity,
    Reference,
    Source,
    When,
    concept,
    nhs_number,
)

NOW = datetime(2026, 1, 2, 14, 2, tzinfo=UTC)
ADA, BEA, CAL = "9990000018", "9990000026", "9990000034"
AGREEMENT = {
    "name": "ISA-1",
    "parties": ("RRE",),
    "purposes": ("direct-care",),
    "sections": ("all",),
    "expires": "2030-01-01",
}


def feed(**changes: Any) -> Feed:
    given = {
        "senders": ({"application": "PAS", "facility": "ZZ1"},),
        "expected_minutes": 60,
        "sections": ("encounters", "results"),
        "agreement": AGREEMENT,
    }
    return Feed(**{**given, **changes})


def message(
    control: str,
    *segments: str,
    kind: str = "ADT^A01",
    nhs: str | None = ADA,
    local: str | None = "M1",
    at: str = "20260102090000",
    sender: str = "PAS|ZZ1",
    version: str = "2.4",
    modes: str = "|",
    family: str = "TESTWORTH",
) -> bytes:
    """One ER7 message about a synthetic person."""
    identifiers = "~".join(
        part for part in (f"{nhs}^^^NHS^NH" if nhs else "", f"{local}^^^ZZ1^MR" if local else "") if part
    )
    head = f"MSH|^~\\&|{sender}|MPFT|RRE|{at}||{kind}|{control}|P|{version}|||{modes}"
    return "\r".join((head, f"EVN||{at}", f"PID|1||{identifiers}||{family}^ADA", *segments, "")).encode()


# A mapper of a few lines, so that what is tested here is the inbox. `ZCH|kind|key|value|aliases|encounter` is a change.


@dataclass
class SmallMapped:
    changes: list[Change] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)


def _when(text: str) -> When:
    return When(f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}Z")


def _subject(er7: str, restricted: tuple[str, ...] = ()) -> Subject:
    found = []
    for each in er7.split("~"):
        parts = each.split("^")
        if len(parts) > 3 and parts[3] == "NHS":
            found.append(Identifier.nhs(parts[0]))
        elif parts[0]:
            found.append(Identifier(system=f"https://zz1.example/{parts[3]}", value=parts[0]))
    return Subject(identifiers=tuple(found), restricted=restricted)


def small_mapper(raw: bytes, feed: str) -> SmallMapped:
    read = parse(raw)
    at = _when(read.er7("MSH-7"))
    stated = Stated(at=at, basis="event", sent=at, control_id=read.control_id)
    subject = _subject(read.er7("PID-3"))
    out = SmallMapped()
    for segment in read.segments("ZCH"):
        kind, key, value, aliases, encounter = (segment.field(number) for number in (1, 2, 3, 4, 5))
        if kind == "burst":
            raise ValueError(f"a value: {value}")
        if kind == "park":
            out.parked.append(Parked(code="trigger-not-handled", reason="not handled", location="MSH-9"))
        elif kind in ("merge", "link", "unlink"):
            other = _subject(value)
            if kind == "merge":
                out.changes.append(
                    MergePerson(subject=subject, survivor=subject, retired=other, kind="merge", id=key, stated=stated)
                )
            else:
                made = Link if kind == "link" else Unlink
                out.changes.append(made(subject=subject, other=other, id=key, stated=stated))
        elif kind == "move":
            names = (Key(kind="Encounter", authority="ZZ1", value=key),)
            out.changes.append(
                Move(subject=subject, from_=_subject(value), keys=names, kind="visit", id=f"move-{key}", stated=stated)
            )
        else:
            out.changes.append(_item_change(kind, key, value, aliases, encounter, subject, stated))
    return out


def _item_change(
    kind: str, key: str, value: str, aliases: str, encounter: str, subject: Subject, stated: Stated
) -> Change:
    what, verb = kind.split("-")
    name = {"visit": "Encounter", "result": "Observation", "person": "Patient"}[what]
    named = Key(kind=name, authority="ZZ1", value=key)
    more = tuple(Key(kind=name, authority="ZZ1-placer", value=each) for each in aliases.split("~") if each)
    source = Source(system="somebody", id=named.reference, fetched=datetime(2020, 1, 1, tzinfo=UTC))
    visit = Key(kind="Encounter", authority="ZZ1", value=encounter)
    at = Reference(reference=visit.reference) if encounter else None
    item: Any
    if what == "visit":
        item = Encounter(source=source, status="in-progress" if verb != "retract" else "cancelled")
        if value:
            item = item.model_copy(update={"note": (value,)}) if verb == "upsert" else item
            item = type(item)(**{**{n: getattr(item, n) for n in item.model_fields_set}, "note": (value,)})
    elif what == "result":
        given: dict[str, Any] = {"source": source, "code": concept("Potassium"), "status": "final"}
        if value:
            given["value"] = Quantity(value=value, unit="mmol/L")
        if verb == "retract":
            given["status"] = "entered-in-error"
        if at:
            given["encounter"] = at
        item = Observation(**given)
    else:
        item = Patient(source=source, identifiers=subject.identifiers, names=(HumanName(family=value or "TESTWORTH"),))
    shared: dict[str, Any] = {"subject": subject, "key": named, "aliases": more, "item": item, "stated": stated}
    if verb == "retract":
        return Retract(**shared, reason="withdrawn by the laboratory", code="OBX-11 W")
    if verb == "replace":
        return Replace(**shared)
    return Upsert(**shared, mentions=verb == "mention")


def known(subject: Subject) -> Resolution:
    """A tracing service that knows Ada, Bea and Cal."""
    number = subject.nhs_number
    if number in (ADA, BEA, CAL):
        return Resolution("found", nhs_number(number or ""))
    return Resolution("unknown")


@dataclass
class Bench:
    """An inbox, and what it said."""

    inbox: Inbox
    store: SqliteStore
    events: list[Event]
    withheld: list[Withheld]
    clock: list[datetime]

    def take(self, *messages: bytes) -> None:
        for each in messages:
            self.inbox.receive(each)
        self.inbox.process()

    def tick(self, **time: float) -> None:
        self.clock[0] += timedelta(**time)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Inbox] = []

    def make(name: str = "inbox", *, protection: Any = None, feeds: Any = None, **settings: Any) -> Bench:
        store_settings = {
            each: settings.pop(each) for each in ("lock_seconds", "max_pages", "synchronous") if each in settings
        }
        store = SqliteStore(tmp_path / name, protection=protection, **store_settings)
        events: list[Event] = []
        withheld: list[Withheld] = []
        clock = [NOW]
        given: dict[str, Any] = {"mapper": small_mapper, "resolve": known, "privacy": withheld.append, **settings}
        inbox = Inbox(
            store, feeds or {"pas": feed()}, events=EventStream([events.append]), clock=lambda: clock[0], **given
        )
        made.append(inbox)
        return Bench(inbox, store, events, withheld, clock)

    yield make
    for inbox in made:
        inbox.close()
