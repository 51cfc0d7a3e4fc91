"""Progress on standard error, from the same events as logs."""

from __future__ import annotations

import click

from mpftconnect.events import Code, Event, Listener

__all__ = ["progress_listener"]


def progress_listener() -> Listener:
    """Writes a line when a system starts, answers or fails. Holds no patient value, since events hold none."""

    def listen(event: Event) -> None:
        text = _line(event)
        if text:
            click.echo(text, err=True)

    return listen


def _line(event: Event) -> str | None:
    seconds = f" in {event.duration_ms / 1000:.2f} s" if event.duration_ms is not None else ""
    if event.code is Code.READ_STARTED:
        return f"reading from {event.count} systems ..."
    if event.code is Code.SYSTEM_FINISHED and event.reason is None:
        return f"  {event.system}: answered{seconds}"
    if event.code is Code.SYSTEM_GAP:
        return f"  {event.system}: {event.reason}"
    if event.code is Code.READ_FINISHED:
        return f"done{seconds}"
    if event.code is Code.AUDIT_FALLBACK:
        return "  ALARM: the audit store failed; entries go to the second sink"
    if event.code is Code.PLUGIN_BROKEN:
        return f"  plugin {event.step} is broken: see mpftconnect plugins"
    return None
