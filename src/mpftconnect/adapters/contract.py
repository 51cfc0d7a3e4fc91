"""What an adapter is: the whole extension point for a supplier's system, on one page.

An adapter has two required methods, `find_patient` and `check_connection`. Every other method is optional and is
named exactly as its `Capability`. A `read_...` method takes a `Reading` and yields what it found: items of the
common model, `Notice`s that a reader must see, and `Refusal`s for entries that it could not take. Raising an
`AdapterError` part-way keeps all that was yielded before and marks the section partial.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, runtime_checkable

from mpftconnect.adapters.deadline import Deadline
from mpftconnect.errors import UsageError
from mpftconnect.model import (
    DEFAULT_ZONE,
    AccessContext,
    Identifier,
    Item,
    Model,
    NhsNumber,
    Notice,
    Patient,
    SectionName,
    Source,
    When,
)

if TYPE_CHECKING:
    from mpftconnect.adapters.pushed import Pushed
    from mpftconnect.adapters.wire import Wire
    from mpftconnect.events import EventStream

__all__ = [
    "API_VERSION",
    "READS",
    "Adapter",
    "AdapterContext",
    "AdapterSpec",
    "Capability",
    "DocumentContent",
    "Found",
    "Reading",
    "Refusal",
    "Step",
    "Support",
    "Trace",
    "Tried",
    "TriedAgainst",
    "Verified",
    "only",
]

API_VERSION = 1

T = TypeVar("T")


class Capability(StrEnum):
    """What a system can offer. The value is the name of the adapter's method."""

    FIND_PATIENT = "find_patient"
    TRACE_PERSON = "trace_person"
    SEARCH_PEOPLE = "search_people"
    RESOLVE_IDENTIFIER = "resolve_identifier"
    VERIFY_RELATIONSHIP = "verify_relationship"
    FETCH_DOCUMENT = "fetch_document"
    FIND_POINTERS = "find_pointers"
    DRAFT_POINTER = "draft_pointer"
    DRAFT_REMOVAL = "draft_removal"
    WRITE_POINTER = "write_pointer"
    READ_CARE_PLANS = "read_care_plans"
    READ_PROBLEMS = "read_problems"
    READ_MEDICATIONS = "read_medications"
    READ_ALLERGIES = "read_allergies"
    READ_RESULTS = "read_results"
    READ_REPORTS = "read_reports"
    READ_DOCUMENTS = "read_documents"
    READ_ENCOUNTERS = "read_encounters"
    READ_NOTES = "read_notes"
    READ_APPOINTMENTS = "read_appointments"
    READ_REFERRALS = "read_referrals"
    READ_ALERTS = "read_alerts"
    READ_CARE_TEAM = "read_care_team"
    READ_CONTACTS = "read_contacts"
    READ_LEGAL_STATUS = "read_legal_status"
    READ_CONSENTS = "read_consents"
    READ_IMMUNISATIONS = "read_immunisations"


READS: dict[SectionName, Capability] = {name: Capability(f"read_{name}") for name in SectionName}


class Support(StrEnum):
    """How far a system offers a capability. Never guessed: what is not declared is UNKNOWN.

    UNKNOWN and NOT_IMPLEMENTED leave a section incomplete, since the system could hold it; UNSUPPORTED does not.
    """

    UNKNOWN = "unknown"
    UNSUPPORTED = "unsupported"
    NOT_IMPLEMENTED = "not-implemented"
    PARTIAL = "partial"
    FULL = "full"


def only(*offered: Capability, partly: Iterable[Capability] = ()) -> dict[Capability, Support]:
    """Support for a system that offers these and, as its author has checked, nothing else.

    >>> only(Capability.FIND_PATIENT)[Capability.READ_NOTES]
    <Support.UNSUPPORTED: 'unsupported'>
    """
    table = dict.fromkeys(Capability, Support.UNSUPPORTED)
    return table | dict.fromkeys(offered, Support.FULL) | dict.fromkeys(partly, Support.PARTIAL)


Tried = Literal["nothing", "published examples", "sandbox", "live"]


@dataclass(frozen=True, slots=True)
class TriedAgainst:
    """What an adapter or twin was really tried against (rule 18).

    Args:
        what: The strongest of nothing, published examples, sandbox, live.
        detail: Which examples, which sandbox, or which site and date.
        assumed: True where the interface itself is assumed, for want of a public specification.
    """

    what: Tried
    detail: str = ""
    assumed: bool = False

    def words(self) -> str:
        """In one phrase.

        >>> TriedAgainst("nothing", assumed=True).words()
        'nothing; the interface is assumed'
        """
        text = f"{self.what} ({self.detail})" if self.detail else self.what
        return f"{text}; the interface is assumed" if self.assumed else text


@dataclass(frozen=True, slots=True)
class Refusal:
    """An entry of an answer that could not be taken: shown as a warning, never dropped silently.

    Args:
        place: Where it stood: `entry[3]`, `row 17`. Never a value.
        rule: Which rule it broke.
        wrong_person: It is about somebody else than was asked for.
        content: The entry itself, for the policies alone: an excluded entry must not be hinted at by a warning.
            Never shown, logged or kept.
    """

    place: str
    rule: str
    wrong_person: bool = False
    content: Any = field(default=None, repr=False, compare=False)


Found = Item | Notice | Refusal


@dataclass(frozen=True, slots=True)
class Trace:
    """What the tracing service says of an NHS number.

    Args:
        outcome: `found`; `not-found`: it knows no such number; `invalidated`: the number must not be used.
        patient: The demographics, restriction level and *current* number, if found. A number that differs from
            the one asked for means that the one asked for was superseded.
    """

    outcome: Literal["found", "not-found", "invalidated"]
    patient: Patient | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """A relationship that a system confirms: `how` says by what, in words, without naming the person."""

    how: str
    since: When | None = None


@dataclass(frozen=True, slots=True)
class DocumentContent:
    """A document's bytes, as its source gave them.

    Args:
        content_type: The media type that the answer states; None if it states none. What the pointer promised is
            for the caller to compare.
        data: The bytes, unchanged.
    """

    content_type: str | None
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of `check_connection`.

    Args:
        name: What was tried: `token`, `permission`, `harmless call`.
        ok: Whether it worked.
        advice: What to do if not; never a secret or a patient value.
    """

    name: str
    ok: bool
    advice: str = ""


class _Memory:
    """Answers that several read methods of one reading share, fetched once whatever thread comes first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._values: dict[str, tuple[bool, Any]] = {}

    def once(self, key: str, fetch: Callable[[], Any]) -> Any:
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._values:
                try:
                    self._values[key] = (True, fetch())
                except Exception as error:  # noqa: BLE001 - kept, and raised to everyone who needs the answer
                    self._values[key] = (False, error)
            ok, value = self._values[key]
        if not ok:
            raise value
        return value


@dataclass(frozen=True, slots=True)
class Reading:
    """One read of one person from one system: all that an adapter's method may need.

    Args:
        system: The configured name of the system.
        who: Who asks.
        wire: The system's wire, bound to this read's deadline and request ids.
        nhs_number: The current number by the trace; None only while a local identifier is being resolved.
        former_numbers: Superseded numbers of the same person.
        identifiers: Local identifiers given by the caller.
        sections: What will be asked for; ask the system for no more (rule 10).
        traced: The person as the tracing service knows them; None if it was silent.
        patient: The person as *this* system knows them, after `find_patient`.
        zone: IANA zone for times without an offset.
    """

    system: str
    who: AccessContext
    wire: Wire
    deadline: Deadline
    nhs_number: NhsNumber | None = None
    former_numbers: tuple[NhsNumber, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    sections: frozenset[SectionName] = frozenset()
    traced: Patient | None = None
    patient: Patient | None = None
    zone: str = DEFAULT_ZONE
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), repr=False)
    _memory: _Memory = field(default_factory=_Memory, repr=False, compare=False)

    def once(self, key: str, fetch: Callable[[], T]) -> T:
        """The answer to `fetch`, asked once per reading and shared by all read methods and threads.

        For systems that give several sections in one answer.
        """
        value: T = self._memory.once(key, fetch)
        return value

    def source(
        self,
        id: str,
        *,
        version: str | None = None,
        updated: When | None = None,
        mode: Literal["live", "extract", "feed", "cache"] = "live",
        as_of: datetime | None = None,
    ) -> Source:
        """Provenance for something read now from this system under its own `id`."""
        return Source(
            system=self.system,
            id=id,
            version=version,
            updated=updated,
            mode=mode,
            as_of=as_of,
            fetched=self.now(),
        )

    def when(self, text: str) -> When:
        """A date or time as this source means it."""
        return When(text, self.zone)

    def continued(self, later: Reading) -> Reading:
        """The later reading of the same person, with what this one has already fetched `once`."""
        return replace(later, _memory=self._memory)

    def found(self, patient: Patient) -> Reading:
        """The same reading, knowing how this system names the person."""
        return replace(self, patient=patient)


@runtime_checkable
class Adapter(Protocol):
    """The two methods that every adapter has. See `Capability` for the optional ones.

    Optional methods, by capability:
        trace_person(reading) -> Trace
        search_people(reading, demographics: Demographics) -> Iterable[Patient]; raises TooManyMatches
        resolve_identifier(reading, identifier: Identifier) -> NhsNumber | None
        verify_relationship(reading) -> Verified | None
        fetch_document(reading, document: DocumentReference, attachment: Attachment) -> DocumentContent; the document
            is one that this system gave for this person, the attachment one of the document's
        find_pointers(reading, kind: str | None) -> Iterable[PublishedPointer]; those of the user's organisation alone
        draft_pointer(reading, pointer: NewPointer, replaces: Sequence[str]) -> Draft; asks nobody. `replaces` are ids
            of pointers that go when this one comes
        draft_removal(reading, pointer_id) -> Draft; asks nobody
        write_pointer(reading, draft: Draft, replaces: Sequence[str]) -> Written; sends it once. Raises OutcomeUnknown
            where it may have been done
        read_<section>(reading) -> Iterable[Item | Notice | Refusal]
    Methods are called from several threads at once.
    """

    def find_patient(self, reading: Reading) -> Patient | None:
        """The person as this system knows them, or None if it says that it holds no such person.

        Raises:
            NotShown: The system may hold the person and does not show them.
            AdapterError: It did not answer, or not in a shape that can be trusted.
        """

    def check_connection(self, wire: Wire) -> Iterable[Step]:
        """Walk from credentials to one harmless call; make no patient-bearing request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterContext:
    """What an adapter is opened with.

    Args:
        name: Configured name of the system.
        environment: `test` or `live`; live unless declared test (rule 14).
        settings: The adapter's own settings, as an instance of `AdapterSpec.settings`.
        secret: Looks up a configured secret by name; raises `ConfigurationError` if it is not there.
        wire: The system's wire.
        state: A folder of its own, mode 0700, made on first use; None where nothing may be kept.
        folder: The configuration file's folder: relative paths among the settings are relative to it.
        inbox: What the system's feeds have pushed to us; None where no inbox is configured.
    """

    name: str
    environment: Literal["test", "live"]
    settings: Any
    secret: Callable[[str], str]
    wire: Wire
    events: EventStream
    zone: str = DEFAULT_ZONE
    state: Path | None = None
    folder: Path = Path()
    inbox: Pushed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSpec:
    """An adapter as a plugin registers it.

    Args:
        name: What a configuration's `adapter =` says.
        supplier: Who makes the system.
        product: Which system.
        tried_against: What the adapter was tried against (rule 18).
        capabilities: What the system offers; whatever is not listed is UNKNOWN.
        open: Makes the adapter; called once per configured system.
        settings: A frozen `Model` of the adapter's own settings; None if it has none.
        secrets: Names of the secrets that it needs.
        optional_secrets: Names of those that it can use.
        endpoint: `http`, `file` or `none`: what sort of endpoint a configuration must give.
        keeps_demographics: Whether it says who people are. An index that files under NHS numbers alone does not, so
            that what it gives joins by the number that the tracing service gave, or not at all.
        rate_per_second: The limit that the supplier states, used where a configuration gives none.
        api: Version of this contract that the adapter was written for.
    """

    name: str
    supplier: str
    product: str
    tried_against: TriedAgainst
    capabilities: Mapping[Capability, Support]
    open: Callable[[AdapterContext], Adapter]
    settings: type[Model] | None = None
    secrets: tuple[str, ...] = ()
    optional_secrets: tuple[str, ...] = ()
    endpoint: Literal["http", "file", "none"] = "http"
    keeps_demographics: bool = True
    rate_per_second: float | None = None
    api: int = API_VERSION

    def __post_init__(self) -> None:
        if self.api != API_VERSION:
            raise UsageError(f"adapter {self.name} is written for contract {self.api}; this SDK has {API_VERSION}")

    def support(self, capability: Capability) -> Support:
        return self.capabilities.get(capability, Support.UNKNOWN)
