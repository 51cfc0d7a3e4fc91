"""Feeds: who may send, how often they should, and what their silence means.

A feed that is silent longer than it should be is the usual failure. Its expected interval does not run during its
quiet hours, in which it is not expected to say anything.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from mpftconnect.governance.agreements import Agreement
from mpftconnect.inbox.header import Header
from mpftconnect.inbox.store import FeedCounts
from mpftconnect.model import DEFAULT_ZONE, Model, SectionName, When

__all__ = ["Feed", "FeedStatus", "Sender", "feed_of", "status_of", "unexpected"]

_HOURS = re.compile(r"(?P<a>[01]\d|2[0-3]):(?P<b>[0-5]\d)-(?P<c>[01]\d|2[0-3]):(?P<d>[0-5]\d)")


class Sender(Model):
    """Whose messages: MSH-3 and MSH-4, each as it is sent or, of several components, its first; empty fits any."""

    application: str = ""
    facility: str = ""

    def fits(self, header: Header) -> bool:
        """Whether the message is this sender's."""
        hat = header.separators[1:2] or "^"
        return all(
            not wanted or wanted in (said, said.split(hat)[0])
            for wanted, said in ((self.application, header.application), (self.facility, header.facility))
        )


class Feed(Model):
    """`[inbox.feeds.NAME]`.

    Args:
        system: Configured name of the system that the feed belongs to; by default the feed's own.
        senders: Whose messages it takes; a message of nobody's is parked.
        expected_minutes: How long it may be silent.
        quiet: Hours in which nothing is expected, `22:00-06:00`, in the feed's zone.
        zone: IANA name.
        site: The site file for mapping, relative to the configuration file.
        sections: Sections of a record that it serves.
        agreement: The sharing agreement under which it is received.
    """

    system: str | None = None
    senders: tuple[Sender, ...] = Field(min_length=1)
    expected_minutes: float = Field(gt=0, le=44_640, allow_inf_nan=False)
    quiet: tuple[str, ...] = ()
    zone: str = DEFAULT_ZONE
    site: str | None = None
    sections: tuple[SectionName, ...] = Field(min_length=1)
    agreement: Agreement

    @field_validator("senders")
    @classmethod
    def _somebody(cls, senders: tuple[Sender, ...]) -> tuple[Sender, ...]:
        if any(not sender.application and not sender.facility for sender in senders):
            raise ValueError("expected application (MSH-3), facility (MSH-4) or both")
        return senders

    @field_validator("quiet")
    @classmethod
    def _hours(cls, hours: tuple[str, ...]) -> tuple[str, ...]:
        if any(not _HOURS.fullmatch(each) for each in hours):
            raise ValueError('expected hours such as "22:00-06:00"')
        return hours

    @field_validator("zone")
    @classmethod
    def _zone(cls, zone: str) -> str:
        When("2024-01-01T00:00:00", zone)
        return zone

    def is_quiet(self, at: datetime.datetime) -> bool:
        """Whether nothing is expected at that moment.

        >>> feed = Feed(senders=({"facility": "ZZ1"},), expected_minutes=60, quiet=("22:00-06:00",),
        ...             sections=("encounters",), agreement={"name": "ISA-1", "parties": ("RRE",),
        ...             "purposes": ("direct-care",), "sections": ("all",), "expires": "2030-01-01"})
        >>> feed.is_quiet(datetime.datetime(2026, 1, 2, 23, tzinfo=datetime.UTC))
        True
        """
        local = at.astimezone(ZoneInfo(self.zone)).time()
        return any(_within(local, each) for each in self.quiet)

    def silent_for(self, heard: datetime.datetime, now: datetime.datetime) -> datetime.timedelta:
        """How long it has been silent, its quiet hours not counted; never more than the expected time and a minute."""
        if not self.quiet:
            return now - heard
        step, silent = datetime.timedelta(minutes=1), datetime.timedelta()
        limit = self.expected + step
        # From now backwards, so that a feed that has been silent for a year costs no more than its expected time.
        at = now
        floor = max(heard, now - datetime.timedelta(days=62))
        while at > floor and silent < limit:
            part = min(step, at - floor)
            if not self.is_quiet(at - part):
                silent += part
            at -= part
        return silent

    @property
    def expected(self) -> datetime.timedelta:
        return datetime.timedelta(minutes=self.expected_minutes)


@lru_cache(maxsize=64)
def _bounds(hours: str) -> tuple[datetime.time, datetime.time]:
    found = _HOURS.fullmatch(hours)
    assert found is not None  # noqa: S101 - validated
    return datetime.time(int(found["a"]), int(found["b"])), datetime.time(int(found["c"]), int(found["d"]))


def _within(at: datetime.time, hours: str) -> bool:
    start, end = _bounds(hours)
    return start <= at < end if start <= end else at >= start or at < end


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    """How a feed is.

    Args:
        feed: Its name.
        system: The system that it belongs to.
        sections: What it serves.
        expected_minutes: How long it may be silent.
        heard: When anything came last; None for never.
        overdue: Whether it is silent for too long. What was heard may then be out of date.
        depth: How many messages wait to be processed.
        oldest: When the oldest of them came.
        parked: How many wait for a person.
        total: How many were taken.
        repeats: How many came again.
        zone: In which times are said to people.
    """

    feed: str
    system: str
    sections: tuple[SectionName, ...]
    expected_minutes: float
    heard: datetime.datetime | None
    overdue: bool
    depth: int = 0
    oldest: datetime.datetime | None = None
    parked: int = 0
    total: int = 0
    repeats: int = 0
    zone: str = DEFAULT_ZONE

    def waits(self, now: datetime.datetime) -> bool:
        """Whether a message has waited to be processed for longer than the feed may be silent."""
        longest = datetime.timedelta(minutes=self.expected_minutes)
        return bool(longest) and self.oldest is not None and now - self.oldest > longest

    def words(self, now: datetime.datetime) -> str:
        """Since when it is silent: `last heard 14:02`; with the date if that was not today.

        Of one that is heard and whose messages wait: `messages since 14:02 wait to be processed`.
        """
        if not self.overdue and self.oldest is not None and self.waits(now):
            return f"messages since {self._clock(self.oldest, now)} wait to be processed"
        if self.heard is not None and self.overdue and self.heard > now:
            return f"last heard {self._clock(self.heard, now)}, which is still to come: the clock was wrong"
        return "never heard" if self.heard is None else f"last heard {self._clock(self.heard, now)}"

    def _clock(self, at: datetime.datetime, now: datetime.datetime) -> str:
        zone = ZoneInfo(self.zone)
        local = at.astimezone(zone)
        if local.date() == now.astimezone(zone).date():
            return f"{local:%H:%M}"
        return f"{local.day} {local:%B %Y, %H:%M}"


def status_of(
    name: str, feed: Feed, counts: FeedCounts | None, now: datetime.datetime, since: datetime.datetime | None = None
) -> FeedStatus:
    """A feed's status.

    Args:
        counts: What the store has of it.
        since: When one began to listen: a feed that was never heard is overdue only after its time from then; None
            if that is not known, and then it is overdue.
    """
    known = counts or FeedCounts(feed=name)
    from_ = known.heard or since
    if from_ is None:
        overdue = not feed.is_quiet(now)
    else:
        # A clock that was ahead and was put right must not hide a silence until that time comes.
        overdue = from_ - now > feed.expected or feed.silent_for(from_, now) > feed.expected
    return FeedStatus(
        feed=name,
        system=feed.system or name,
        sections=feed.sections,
        expected_minutes=feed.expected_minutes,
        heard=known.heard,
        overdue=overdue,
        depth=known.depth,
        oldest=known.oldest,
        parked=known.parked,
        total=known.total,
        repeats=known.repeats,
        zone=feed.zone,
    )


def unexpected(counts: FeedCounts) -> FeedStatus:
    """The status of what came under a name that is not configured: it is never overdue."""
    return FeedStatus(
        feed=counts.feed,
        system=counts.feed,
        sections=(),
        expected_minutes=0,
        heard=counts.heard,
        overdue=False,
        depth=counts.depth,
        oldest=counts.oldest,
        parked=counts.parked,
        total=counts.total,
        repeats=counts.repeats,
    )


def feed_of(feeds: dict[str, Feed], header: Header) -> str | None:
    """The feed that a message belongs to; None if it is nobody's, or several feeds'."""
    found = [name for name, feed in feeds.items() if any(sender.fits(header) for sender in feed.senders)]
    return found[0] if len(found) == 1 else None
