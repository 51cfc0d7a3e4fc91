"""The inbox of a configuration: opened with its policies and its account, and with the tracing service as resolver."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mpftconnect.adapters.deadline import Deadline
from mpftconnect.errors import AdapterError, ConfigurationError, PersonUnknown
from mpftconnect.events import EventStream
from mpftconnect.governance.audit import AuditRecord, AuditTrail, PrivacyStream
from mpftconnect.governance.policies import Policy
from mpftconnect.hl7v2 import Subject
from mpftconnect.hub.configuration import ConfiguredInbox
from mpftconnect.inbox import Encrypted, Inbox, Resolution, SqliteStore, Withheld
from mpftconnect.inbox.people import Resolve
from mpftconnect.model import AccessContext, nhs_number

if TYPE_CHECKING:
    from mpftconnect.hub.identity import Identity

__all__ = ["LISTENER", "TraceResolver", "open_inbox"]

# Who keeps the inbox where no user is configured for it: nobody in particular, and the account says so.
LISTENER = AccessContext(
    user="mpftconnect-listener",
    name="HL7 v2 listener",
    role="system",
    organisation="not stated",
    purpose="direct-care",
    relationship="feed",
)


def open_inbox(
    configured: ConfiguredInbox,
    *,
    events: EventStream,
    silent: Sequence[Policy],
    privacy: PrivacyStream | None,
    resolve: Resolve | None = None,
) -> Inbox:
    """The inbox. Nothing is made on the disk before something comes in."""
    who = configured.settings.who or LISTENER

    def tell(withheld: Withheld) -> None:
        if privacy is not None:
            privacy.append(
                AuditRecord(
                    action="refused",
                    outcome="refused",
                    who=who,
                    correlation_id=withheld.control_id,
                    reason_code="message-not-kept",
                    at=withheld.at,
                )
            )

    return Inbox(
        SqliteStore(configured.folder, protection=Encrypted(configured.key) if configured.key else None),
        configured.settings.feeds,
        mapper=configured.mapper,
        resolve=resolve,
        silent=silent,
        privacy=tell,
        events=events,
    )


@dataclass(frozen=True, slots=True)
class TraceResolver:
    """Asks the tracing service about a message's NHS number, and writes into the audit trail that it did.

    Args:
        identity: Asks the systems who somebody is.
        audit: The ordinary trail.
        who: As whom.
        seconds: Longest that one question may take.
    """

    identity: Identity
    audit: AuditTrail
    who: AccessContext
    seconds: float

    def __call__(self, subject: Subject) -> Resolution:
        tracer = self.identity.tracer()
        if tracer is None:
            raise ConfigurationError(["inbox: to process messages a system that traces people must be configured"])
        number = nhs_number(subject.nhs_number or "")
        correlation = str(uuid.uuid4())
        outcome, reason = Resolution("unavailable"), ""
        try:
            traced = self.identity.trace(number, self.who, frozenset(), Deadline.after(self.seconds), correlation)
        except PersonUnknown:
            outcome, reason = Resolution("unknown"), "unknown"
        except AdapterError as error:
            reason = str(error.reason)
        else:
            if traced.failure is not None or traced.person.traced is None:
                reason = str(traced.failure.reason) if traced.failure else "unavailable"
            else:
                outcome = Resolution("found", nhs_number(traced.person.number))
        self.audit.append(
            AuditRecord(
                action="find",
                outcome="failure" if outcome.outcome == "unavailable" else "success",
                who=self.who,
                patient=number,
                systems_asked=(tracer.name,),
                correlation_id=correlation,
                reason_code=f"trace-{reason}" if reason else None,
                at=datetime.now(UTC),
            )
        )
        return outcome
