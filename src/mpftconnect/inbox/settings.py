"""`[inbox]` of a configuration."""

from __future__ import annotations

from pydantic import Field

from mpftconnect.governance.secret_reference import SecretReference
from mpftconnect.inbox.feeds import Feed
from mpftconnect.model import AccessContext, Model

__all__ = ["InboxSettings"]


class InboxSettings(Model):
    """What is pushed to us, and where it is kept.

    Args:
        store: Folder of the store, on a local disk.
        key: The key under which messages are encrypted, at least 32 bytes; without one the store is not encrypted.
        retention_days: How long messages, and things that nothing newer changed, are kept before `hl7 purge` may
            remove them.
        who: As whom the tracing service is asked about messages; by default the configuration's `[who]`.
        feeds: Who may send, by name.
    """

    store: str = "mpftconnect-inbox"
    key: SecretReference | None = None
    retention_days: int = Field(default=400, ge=1)
    who: AccessContext | None = None
    feeds: dict[str, Feed] = Field(min_length=1)
