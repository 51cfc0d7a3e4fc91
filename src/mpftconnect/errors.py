"""Every exception of the SDK, in one tree.

    MpftConnectError
    ├── UsageError                    the caller's mistake: nothing was asked of any system
    │   ├── ConfigurationError        every mistake of a configuration file, all at once
    │   ├── NotAnNhsNumber            not ten digits, or the check digit is wrong
    │   ├── NotADate                  not a FHIR date or dateTime, or a day that does not exist
    │   ├── PluginMissing             a configuration names an adapter that no plugin provides
    │   ├── PackageNotFound           a FHIR package, or a definition in it, that was asked for is nowhere
    │   ├── PackageRefused            a FHIR package is broken, hostile, or not what was promised
    │   ├── DefinitionBroken          a profile, value set or other definition contradicts itself
    │   ├── FhirPathError             not a FHIRPath expression, or one that this input makes an error
    │   │   └── NotEvaluable          a FHIRPath expression that cannot be judged here, and why
    │   ├── NotAnHl7Path              not a place in an HL7 v2 message, as paths are written
    │   └── NotWritable               what cannot be written into an HL7 v2 message, and where
    ├── MessageUnreadable             not an HL7 v2 message, or larger than is read: a place and a rule
    ├── AccessRefused                 governance said no; the refusal is audited
    ├── AuditUnavailable              no audit entry could be made durable, so nothing was shown
    ├── InboxUnavailable              the store of what is pushed to us failed: nothing was kept or changed
    ├── LedgerUnavailable             the ledger of what was published cannot be written, so nothing was sent
    ├── DecisionsUnsound              what was decided about identity cannot be believed: nothing was changed
    ├── IncompleteRecord              `require_complete()` on a section that is not
    ├── TooManyMatches                a demographic search fits more people than may be shown
    ├── PersonUnknown                 no system that answered could say who the identifier belongs to
    ├── ItemNotShown                  the record shows no such item: withheld or never there, which is the same here
    └── AdapterError                  one system's failure; becomes a gap, never spoils another system
        ├── Unreachable               no connection: DNS, TCP, TLS              (may be tried again)
        ├── TimedOut                  no whole answer before the deadline       (may be tried again)
        ├── RateLimited               429, or our own budget is spent           (may be tried again)
        ├── SystemFailed              5xx, or an error that the system declares (may be tried again)
        ├── NotPermitted              401 or 403, or a token was refused        (a person must act)
        ├── AnswerRejected            it answered, in a shape that cannot be trusted
        │   └── WrongPerson           it answered, about somebody else than was asked for
        ├── NotShown                  it may hold the person, and says that it does not show them
        ├── NotDeclared               it says of itself that it does not offer what was asked
        ├── OutcomeUnknown            a write was sent and its answer was lost: check, never resend
        └── FeedOverdue               what it pushes to us has not come for too long

Rule 16 binds every message here: it carries where and which rule, never a value. Values are patient
data, and messages reach logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

__all__ = [
    "AccessRefused",
    "AdapterError",
    "AnswerRejected",
    "AuditUnavailable",
    "ConfigurationError",
    "DecisionsUnsound",
    "DefinitionBroken",
    "FeedOverdue",
    "FhirPathError",
    "GapReason",
    "InboxUnavailable",
    "IncompleteRecord",
    "ItemNotShown",
    "LedgerUnavailable",
    "MessageUnreadable",
    "MpftConnectError",
    "NotADate",
    "NotAnHl7Path",
    "NotAnNhsNumber",
    "NotDeclared",
    "NotEvaluable",
    "NotPermitted",
    "NotShown",
    "NotWritable",
    "OutcomeUnknown",
    "PackageNotFound",
    "PackageRefused",
    "PersonUnknown",
    "PluginMissing",
    "RateLimited",
    "SystemFailed",
    "TimedOut",
    "TooManyMatches",
    "Unreachable",
    "UsageError",
    "WrongPerson",
]


class GapReason(StrEnum):
    """Why a system's contribution is missing or incomplete. Codes are permanent: logs and reports use them."""

    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed-out"
    RATE_LIMITED = "rate-limited"
    SYSTEM_FAILED = "system-failed"
    NOT_PERMITTED = "not-permitted"
    ANSWER_REJECTED = "answer-rejected"
    NOT_SHOWN = "not-shown"
    WRONG_PERSON = "wrong-person"
    NO_AGREEMENT = "no-agreement"
    NOT_DECLARED = "not-declared"
    ADAPTER_FAULT = "adapter-fault"
    IDENTITY_UNCONFIRMED = "identity-unconfirmed"
    OUTCOME_UNKNOWN = "outcome-unknown"
    FEED_OVERDUE = "feed-overdue"


class MpftConnectError(Exception):
    """The root: `except MpftConnectError` catches whatever this SDK raises on purpose."""


class UsageError(MpftConnectError):
    """The call or its settings are wrong; nothing was asked of any system."""


class ConfigurationError(UsageError):
    """Everything wrong with a configuration, each line with file, key and what is expected."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class NotAnNhsNumber(UsageError, ValueError):
    """Not an NHS number. The message never repeats what was given."""


class NotADate(UsageError, ValueError):
    """Not a FHIR date or dateTime. The message never repeats what was given."""


class PluginMissing(UsageError):
    """No installed plugin provides the named adapter."""


class PackageNotFound(UsageError):
    """A FHIR package, or a definition that was asked for by its address, is nowhere. Says how to get it."""


class PackageRefused(UsageError):
    """A FHIR package is unreadable, hostile, or differs from its lock or checksum."""


class DefinitionBroken(UsageError):
    """A profile, value set or other definition cannot be used: it contradicts itself or refers in a circle."""


class FhirPathError(UsageError, ValueError):
    """A FHIRPath expression that cannot be read, or that FHIRPath makes an error for what it was asked of.

    Args:
        rule: Which rule is broken, in our words. Never a value of the data.
        position: Where in the expression, counted from 0; the message counts characters from 1.
    """

    def __init__(self, rule: str, *, position: int | None = None) -> None:
        self.rule, self.position = rule, position
        super().__init__(rule if position is None else f"character {position + 1}: {rule}")


class NotEvaluable(FhirPathError):
    """The expression is FHIRPath, and what it needs is not here: a service, or more effort than is allowed."""

    @property
    def reason(self) -> str:
        """What is missing, without the position."""
        return self.rule


class NotAnHl7Path(UsageError, ValueError):
    """Not a place in an HL7 v2 message. The message says how paths are written."""


class NotWritable(UsageError, ValueError):
    """Something cannot be written into an HL7 v2 message. The message says where, and never repeats the value."""


class MessageUnreadable(MpftConnectError, ValueError):
    """Bytes that are no HL7 v2 message, or more of one than is read.

    Args:
        code: Permanent, as in the list of findings.
        place: Where: a path (`MSH-1`), a segment's number or a byte's. Never a value.
        rule: What was expected, in our words.
    """

    def __init__(self, code: str, place: str, rule: str) -> None:
        self.code, self.place, self.rule = code, place, rule
        super().__init__(f"{place}: {rule}")


class AccessRefused(MpftConnectError):
    """Governance refused the request. `code` is permanent, the message says what would be needed."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class AuditUnavailable(MpftConnectError):
    """Neither the audit store nor its second sink could take the entry, so the data was not shown."""


_INBOX_ADVICE = {
    "store-locked": "something else holds its database: a backup tool, or another program",
    "store-full": "its disk is full: make room",
    "store-input-output": "its disk could not be read or written: is it full, over its quota, or failing?",
    "store-read-only": "its disk or file is read-only",
    "store-unreachable": "its folder or file cannot be made or opened: is the disk there, and is it this account's?",
    "store-in-use": "it was done, but old pages could not be overwritten while others read: do it again",
    "store-corrupt": "its file is damaged, or no database: keep the files and restore the newest backup",
    "store-schema": "its file holds no whole store: was it copied while it was written to?",
    "store-of-another-version": "another version of this program made it",
    "entry-unreadable": "a record in it is damaged, or was sealed with another key",
    "key-does-not-fit": "[inbox] key is not the one that it was made with",
}


class InboxUnavailable(MpftConnectError):
    """The store of what is pushed to us did not do what was asked; nothing was kept or changed.

    `reason` is a permanent code: `store-locked`, `store-full`, `store-corrupt`, `key-does-not-fit`, ...

    >>> str(InboxUnavailable("store-full"))
    "the inbox's store did not do what was asked (store-full): its disk is full: make room"
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        advice = _INBOX_ADVICE.get(self.reason)
        return f"the inbox's store did not do what was asked ({self.reason}){': ' + advice if advice else ''}"


class LedgerUnavailable(MpftConnectError):
    """The ledger of what was published cannot be used, so nothing was sent."""


class DecisionsUnsound(MpftConnectError):
    """The store of identity decisions was damaged, lost or put back, or cannot be read.

    `reason` is a permanent code. Nothing was changed; until it is mended no system's contribution joins a record.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"the store of identity decisions cannot be believed ({reason}); put back its newest copy and its anchor's "
            "(mpftconnect identity verify)"
        )


class IncompleteRecord(MpftConnectError):
    """A section was required to be complete and is not; the message names what is missing."""


class TooManyMatches(MpftConnectError):
    """More people fit than may be shown; ask with more demographics."""


class PersonUnknown(MpftConnectError):
    """No connected system could turn the local identifier into a person."""


class ItemNotShown(MpftConnectError):
    """The record shows no such item. It says nothing of why: withheld and never there are the same (rule 6)."""


class AdapterError(MpftConnectError):
    """One system's failure. It becomes a gap in the record and never spoils another system.

    Args:
        rule: What was broken or what failed, in our words: `"status 503"`, `"Bundle.total is not a number"`.
        system: Configured name of the system; the hub fills it in where an adapter leaves it out.
        place: Where in the answer, as a path of element names. Never a value.
    """

    reason: GapReason = GapReason.ADAPTER_FAULT
    retriable: bool = False

    def __init__(self, rule: str, *, system: str | None = None, place: str | None = None) -> None:
        self.rule, self.system, self.place = rule, system, place
        super().__init__(": ".join(part for part in (system, place, rule) if part))


class Unreachable(AdapterError):
    """No connection: name look-up, TCP or TLS."""

    reason, retriable = GapReason.UNREACHABLE, True


class TimedOut(AdapterError):
    """No whole answer before the deadline."""

    reason, retriable = GapReason.TIMED_OUT, True


class RateLimited(AdapterError):
    """The system answered 429, or our own budget for it is spent before the deadline."""

    reason, retriable = GapReason.RATE_LIMITED, True


class SystemFailed(AdapterError):
    """A 5xx status, or a failure that the system states in its answer."""

    reason, retriable = GapReason.SYSTEM_FAILED, True


class NotPermitted(AdapterError):
    """401, 403 or a refused token: a person must mend credentials or permissions."""

    reason = GapReason.NOT_PERMITTED


class AnswerRejected(AdapterError):
    """The system answered, in a shape that cannot be trusted. Trying again does not help."""

    reason = GapReason.ANSWER_REJECTED


class WrongPerson(AnswerRejected):
    """The system answered about somebody else than was asked for; nothing of the answer is used."""

    reason = GapReason.WRONG_PERSON


class NotShown(AdapterError):
    """The system may hold the person and does not show them ("not found" as GP Connect means it)."""

    reason = GapReason.NOT_SHOWN


class NotDeclared(AdapterError):
    """The system says of itself, in a capability statement for one, that it does not offer what was asked: it may
    hold it all the same.
    """

    reason = GapReason.NOT_DECLARED


class OutcomeUnknown(AdapterError):
    """A write left here and its answer was lost. Check the system; never send it again blindly."""

    reason = GapReason.OUTCOME_UNKNOWN


class FeedOverdue(AdapterError):
    """What the system pushes to us has not come for longer than it should: what there is may be out of date."""

    reason = GapReason.FEED_OVERDUE
