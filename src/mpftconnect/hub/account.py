"""The account of what was shown or done: the audit entry of a request, and what the privacy officer is told of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mpftconnect.events import EventStream
from mpftconnect.governance.admission import BREAK_GLASS
from mpftconnect.governance.audit import AuditRecord, AuditTrail, PrivacyStream, Withholding
from mpftconnect.governance.policies import Taken
from mpftconnect.hub.audit_entry import AuditEntry
from mpftconnect.hub.configuration import Configuration
from mpftconnect.model import AccessContext, Identifier, NhsNumber, SectionName

__all__ = ["Account"]


@dataclass(frozen=True, slots=True)
class Account:
    """The two trails of one configuration."""

    audit: AuditTrail
    privacy: PrivacyStream
    events: EventStream

    @classmethod
    def of(cls, configuration: Configuration, events: EventStream) -> Account:
        return cls(_trail(configuration, events), _stream(configuration, events), events)

    def entry(
        self,
        who: AccessContext,
        action: Literal["read", "find", "fetch", "write"],
        correlation: str,
        about: NhsNumber | Identifier | None = None,
        sections: Iterable[SectionName] = (),
    ) -> AuditEntry:
        """The audit entry of a request, to be used as a block."""
        patient = None if isinstance(about, Identifier) else about
        return AuditEntry(self.audit, self.events, who, action, correlation, patient, tuple(sorted(sections)))

    def tell_privacy_officer(self, read: AuditRecord, taken: Sequence[tuple[str, Taken]]) -> None:
        """Written at every read, whether anything was taken or not, so that the time it takes tells nothing."""
        self.tell_of_break_glass(read)
        withheld = [Withholding(one.system, one.item, policy, str(one.section)) for policy, one in taken]
        self.privacy.record_withheld(read, withheld)

    def tell_of_break_glass(self, done: AuditRecord) -> None:
        if done.who.relationship == BREAK_GLASS:
            self.privacy.append(replace(done, action="break-glass"))


def _trail(configuration: Configuration, events: EventStream) -> AuditTrail:
    settings = configuration.audit
    return AuditTrail(
        configuration.path(settings.store),
        key=configuration.audit_key,
        anchor=configuration.path(settings.anchor),
        fallback=configuration.path(settings.fallback),
        events=events,
    )


def _stream(configuration: Configuration, events: EventStream) -> PrivacyStream:
    settings = configuration.privacy
    return PrivacyStream(
        configuration.path(settings.store),
        key=configuration.privacy_key,
        anchor=configuration.path(settings.anchor),
        fallback=configuration.path(settings.fallback),
        events=events,
    )
