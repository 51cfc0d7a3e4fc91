"""Where a value comes from: on every item, never optional."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec
from pydantic import AwareDatetime

from mpftconnect.model.dates import When
from mpftconnect.model.schema import Model

__all__ = ["Extra", "Item", "Source", "extra_from"]


class Source(Model):
    """Which system said so, under which of its own ids, and how fresh it is.

    Args:
        system: The configured name of the system.
        id: The system's own id of the thing, as it writes it: `Condition/17`, `careplans.csv#42`.
        version: The system's own version of the thing, where it states one.
        fetched: When we read it, UTC.
        mode: `live` (asked now), `extract` (a report cut earlier), `feed` (pushed to us) or `cache`.
        as_of: When the system's data was current, where that is earlier than `fetched`.
        updated: When the system last changed the thing, where it says so.
    """

    system: str
    id: str
    version: str | None = None
    fetched: AwareDatetime
    mode: Literal["live", "extract", "feed", "cache"] = "live"
    as_of: AwareDatetime | None = None
    updated: When | None = None

    @property
    def key(self) -> str:
        return f"{self.system}:{self.id}"


class Extra(Model):
    """Something that the source sent and the model cannot hold.

    Args:
        path: Where it stood in the source's own form: `activity[0].detail.scheduledTiming`, `PID-22`.
        json_text: Its value as JSON, with decimals as sent.
    """

    path: str
    json_text: str

    @property
    def value(self) -> Any:
        return json.loads(self.json_text)


_ENCODER = msgspec.json.Encoder(decimal_format="number")


def extra_from(path: str, value: Any) -> Extra:
    """Keep a left-over value exactly.

    >>> from decimal import Decimal
    >>> extra_from("dose", {"value": Decimal("2.50")}).json_text
    '{"value":2.50}'
    """
    return Extra(path=path, json_text=_ENCODER.encode(value).decode())


class Item(Model):
    """One thing that one source said; the base of every clinical type.

    Args:
        source: Where it comes from. After merging, the first of the systems that say the same.
        also: The other systems that say the same.
        recorded: When it was written down in the source.
        extra: What the source sent and this type cannot hold; counted, never dropped silently.
    """

    source: Source
    also: tuple[Source, ...] = ()
    recorded: When | None = None
    extra: tuple[Extra, ...] = ()

    @property
    def key(self) -> str:
        """Names this item among all items of a record."""
        return self.source.key

    @property
    def sources(self) -> tuple[Source, ...]:
        return (self.source, *self.also)

    @property
    def clinical_date(self) -> When | None:
        """When it was true of the person, as opposed to when it was fetched; types say what that is."""
        return self.recorded

    @property
    def asserts_none(self) -> bool:
        """Whether a clinician recorded by this item that there is nothing of its kind."""
        return False

    @property
    def withdrawn(self) -> str | None:
        """That the item no longer stands or never did, and why, in the source's terms; None if it stands (rule 8).

        `Entered in error`, `Refuted`, `Cancelled: sample haemolysed`, `Stopped: rash`. A withdrawn item stays in the
        record. One that was only replaced, came to its end or was not done is not withdrawn.
        """
        return None

    @property
    def caution(self) -> str | None:
        """What must stand beside the item wherever it is shown by itself; None where there is nothing."""
        return None

    def words(self) -> str:
        """The item in one line for people."""
        raise NotImplementedError
