"""What a configuration means for the registers of information governance: its places and its systems."""

from __future__ import annotations

from mpftconnect.governance.data_map import Place, places
from mpftconnect.governance.register import ConnectedSystem
from mpftconnect.hub.configuration import Configuration
from mpftconnect.hub.trails import shown_systems

__all__ = ["configured_places", "connected_systems"]


def configured_places(configuration: Configuration) -> tuple[Place, ...]:
    """Where this configuration may keep something."""
    audit, privacy, inbox = configuration.audit, configuration.privacy, configuration.inbox
    return places(
        audit=f"{audit.store}; {audit.fallback}",
        anchors=f"{audit.anchor}; {privacy.anchor}; {configuration.identity_anchor}",
        privacy=f"{privacy.store}; {privacy.fallback}",
        identity=str(configuration.identity_store),
        audit_days=audit.retention_days,
        privacy_days=privacy.retention_days,
        identity_days=configuration.identity.retention_days,
        state=str(configuration.state),
        inbox=str(inbox.folder) if inbox else "[inbox] store: not configured",
        inbox_days=inbox.settings.retention_days if inbox else None,
        inbox_encrypted=inbox.key is not None if inbox else None,
    )


def connected_systems(configuration: Configuration) -> tuple[ConnectedSystem, ...]:
    """The systems that may be read, as the registers name them."""
    return tuple(
        ConnectedSystem(
            name=system.name,
            supplier=system.spec.supplier,
            product=system.spec.product,
            environment=system.settings.environment,
            where=system.settings.endpoint or "",
            tried_against=system.spec.tried_against.words(),
            agreement=system.settings.agreement,
        )
        for system in shown_systems(configuration)
    )
