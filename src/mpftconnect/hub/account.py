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
from mpftconnect.hub.trails import open_privacy_stream, open_trail
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
        return cls(open_trail(configuration, events), open_privacy_stream(configuration, events), events)

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
        withheld = [Withholding(one.system, one.item, policy, str(one.section)) for policy, one in taken]
        self.privacy.record_withheld(read, withheld)

    def tell_of_break_glass(self, entry: AuditEntry) -> None:
        """Before anything is asked of any system; should that fail nothing is. Again for each number it leads to."""
        if entry.who.relationship == BREAK_GLASS:
            self.privacy.append(replace(entry.beginning(), action="break-glass"))
