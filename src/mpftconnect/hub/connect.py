"""`connect()`: from a configuration file, or from nothing at all, to a hub."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpftconnect.errors import UsageError
from mpftconnect.events import Code, EventStream, Listener, log_listener
from mpftconnect.plugins import PluginRegistry, load_plugins

if TYPE_CHECKING:
    from mpftconnect.hub.hub import Hub
    from mpftconnect.sandbox import Sandbox

__all__ = ["connect", "sandbox_table"]

# As whom the tracing service is asked whose a pushed message is.
_LISTENER = {
    "user": "listener",
    "name": "HL7 v2 listener",
    "role": "system",
    "organisation": "RRE",
    "purpose": "direct-care",
    "relationship": "feed",
}


def connect(
    configuration: str | Path | Mapping[str, Any] | None = None,
    *,
    sandbox: bool | Sandbox = False,
    listeners: Iterable[Listener] = (),
    plugins: PluginRegistry | None = None,
) -> Hub:
    """Connect to every configured system.

    Args:
        configuration: An `mpftconnect.toml`, or its content as a mapping.
        sandbox: True to start twins of every installed system on loopback and connect to them, with no
            configuration at all; or a running `Sandbox` of your own. Everything stops with the hub.
        listeners: Called with every `Event`: progress, NDJSON, telemetry. Logging is always on.
        plugins: The plugins to use; by default all that are installed.
    Returns:
        A hub; close it, or use it as a context manager.
    Raises:
        ConfigurationError: Everything that is wrong with the configuration, at once.
        UsageError: Neither or both of a configuration and the sandbox are given.

    >>> with connect(sandbox=True) as hub:
    ...     [system.name for system in hub.systems] != []
    True
    """
    # Loaded here, so that a program which may connect does not pay for it before it does.
    from mpftconnect.hub.configuration import load_configuration
    from mpftconnect.hub.hub import Hub

    if (configuration is None) == (sandbox is False):
        raise UsageError("give a configuration file, or sandbox=True, and not both")
    registry = plugins or load_plugins()
    events = EventStream([log_listener, *listeners])
    for plugin in registry.broken:
        events.emit(Code.PLUGIN_BROKEN, step=plugin.name)
    running: Sandbox | None = None
    with ExitStack() as resources:
        if configuration is not None:
            settled = load_configuration(configuration, registry)
        else:
            running = _running(sandbox, registry, resources)
            settled = load_configuration(_table_of(running, resources), registry, sandbox=True)
        hub = Hub(settled, events=events)
        # Until here a failure stops what was started; from here the hub does.
        hub.own(resources.pop_all())
    if running is not None and hub.inbox is not None:
        try:
            for sent in running.sent():
                hub.inbox.receive(sent.body, sent.at)
            hub.inbox.process()
        except BaseException:
            hub.close()
            raise
    return hub


def _running(sandbox: bool | Sandbox, registry: PluginRegistry, resources: ExitStack) -> Sandbox:
    from mpftconnect.sandbox import Sandbox  # twins and synthetic people: only those who ask for them pay for them

    return resources.enter_context(Sandbox(registry)) if isinstance(sandbox, bool) else sandbox


def _table_of(sandbox: Sandbox, resources: ExitStack) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="mpftconnect-sandbox-"))
    resources.callback(shutil.rmtree, folder, ignore_errors=True)
    return sandbox_table(sandbox, folder)


def sandbox_table(sandbox: Sandbox, folder: Path) -> dict[str, Any]:
    """The whole configuration for a sandbox: its systems, and trails in `folder` under keys made now."""
    from mpftconnect.sandbox import EXCLUDED

    def trail(name: str) -> dict[str, Any]:
        return {
            "store": str(folder / name / "trail.sqlite"),
            "anchor": str(folder / f"{name}-anchor" / "anchor.jsonl"),
            "fallback": str(folder / f"{name}-fallback" / "entries.jsonl"),
            "key": {"value": secrets.token_hex(32)},
        }

    table = sandbox.configuration()
    if "inbox" in table:
        table["inbox"] |= {"store": str(folder / "inbox"), "who": _LISTENER}
    return {
        **table,
        "state": str(folder / "state"),
        "audit": trail("audit"),
        "privacy": trail("privacy"),
        "policies": [{"policy": "never-shown", "settings": EXCLUDED}],
    }
