"""The configuration of a listener: a whole `mpftconnect.toml`, or a file of feeds alone.

A listener at the edge of a network need not know of any other system: its file has `version`, `[inbox]` and, if
anything is never to be kept, `[[policies]]` and `[privacy]`. Such a listener keeps messages; they are processed where
the tracing service is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mpftconnect.errors import ConfigurationError
from mpftconnect.events import EventStream
from mpftconnect.governance.audit import PrivacyStream
from mpftconnect.hub.configuration import (
    AuditSettings,
    Checker,
    Configuration,
    ConfiguredInbox,
    ConfiguredPolicy,
    PolicyTable,
    load_configuration,
    read_table,
)
from mpftconnect.hub.trails import open_trail_of
from mpftconnect.inbox.settings import InboxSettings
from mpftconnect.model import Model
from mpftconnect.plugins import PluginRegistry

__all__ = ["FeedConfiguration", "load_feeds"]


class _FeedFile(Model):
    version: Literal[1]
    inbox: InboxSettings
    policies: tuple[PolicyTable, ...] = ()
    privacy: AuditSettings | None = None


@dataclass(frozen=True, slots=True)
class FeedConfiguration:
    """What a listener needs.

    Args:
        inbox: Its inbox.
        policies: Policies; of these the silent ones decide what is not kept.
        folder: Of the file.
        privacy: The privacy officer's stream, if configured.
        privacy_key: Its key.
        whole: The configuration of a hub, if the file is one.
    """

    inbox: ConfiguredInbox
    policies: tuple[ConfiguredPolicy, ...]
    folder: Path
    privacy: AuditSettings | None
    privacy_key: bytes
    whole: Configuration | None = None

    def open_privacy_stream(self, events: EventStream) -> PrivacyStream | None:
        """The privacy officer's stream; None if there is none."""
        if self.privacy is None:
            return None
        return open_trail_of(PrivacyStream, self.privacy, self.privacy_key, self.folder, events)


def load_feeds(source: Path | str | Mapping[str, Any], registry: PluginRegistry) -> FeedConfiguration:
    """Read and check a listener's configuration.

    Raises:
        ConfigurationError: With a line for every mistake: file, key and what is expected.
    """
    label, folder, table = read_table(source)
    if "systems" in table:
        whole = load_configuration(source, registry)
        if whole.inbox is None:
            raise ConfigurationError([f"{label}: inbox: expected, to listen to feeds"])
        return FeedConfiguration(whole.inbox, whole.policies, whole.folder, whole.privacy, whole.privacy_key, whole)
    checker = Checker(label, folder, registry, sandbox=False)
    file: _FeedFile | None = checker.model(_FeedFile, table, "")
    policies = checker.policies(table.get("policies"))
    key = checker.key(table.get("privacy"), "privacy") if table.get("privacy") else b""
    inbox = checker.inbox(file.inbox, None) if file else None
    if file and file.privacy is None and any(each.spec.kind == "silent" for each in policies):
        # Acknowledged, not kept, and written down nowhere: a message would be gone without an account.
        checker.problems.append(f"{label}: privacy: expected, since a silent policy keeps messages from being stored")
    if checker.problems or inbox is None:
        raise ConfigurationError(list(dict.fromkeys(checker.problems)))
    return FeedConfiguration(inbox, policies, folder, file.privacy if file else None, key)
