"""Opens what a configuration says of keeping account: the audit trail, the privacy stream, identity decisions."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from mpftconnect.events import EventStream
from mpftconnect.governance.audit import AuditTrail, PrivacyStream
from mpftconnect.governance.decision_store import DecisionStore
from mpftconnect.governance.identity_decisions import IdentityDecisions
from mpftconnect.hub.configuration import AuditSettings, Configuration, ConfiguredSystem

__all__ = ["open_identities", "open_privacy_stream", "open_trail", "open_trail_of", "shown_systems"]

T = TypeVar("T", bound=AuditTrail)


def open_trail(configuration: Configuration, events: EventStream) -> AuditTrail:
    """The ordinary audit trail."""
    return open_trail_of(AuditTrail, configuration.audit, configuration.audit_key, configuration.folder, events)


def open_privacy_stream(configuration: Configuration, events: EventStream) -> PrivacyStream:
    """The privacy officer's stream."""
    return open_trail_of(PrivacyStream, configuration.privacy, configuration.privacy_key, configuration.folder, events)


def open_trail_of(kind: type[T], settings: AuditSettings, key: bytes, folder: Path, events: EventStream) -> T:
    """A trail of that kind; relative paths are relative to the folder."""
    return kind(
        folder / settings.store,
        key=key,
        anchor=folder / settings.anchor,
        fallback=folder / settings.fallback,
        events=events,
    )


def open_identities(configuration: Configuration, audit: AuditTrail, events: EventStream) -> IdentityDecisions:
    """Identity decisions, each step of which is written to `audit`."""
    settings = configuration.identity
    store = DecisionStore(
        configuration.identity_store, anchor=configuration.identity_anchor, key=configuration.identity_key
    )
    return IdentityDecisions(
        store,
        audit,
        events,
        systems=[system.name for system in shown_systems(configuration)],
        proposers=settings.proposers,
        approvers=settings.approvers,
        open_for=timedelta(hours=settings.open_hours),
    )


def shown_systems(configuration: Configuration) -> tuple[ConfiguredSystem, ...]:
    """The systems that may be named: those that no silent policy excludes."""
    silent = [one.policy for one in configuration.policies if one.spec.kind == "silent"]
    return tuple(s for s in configuration.systems if not any(policy.withholds_system(s.name) for policy in silent))
