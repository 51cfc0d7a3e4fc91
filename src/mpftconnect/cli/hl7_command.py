"""`mpftconnect hl7`."""

from __future__ import annotations

import click

from mpftconnect.cli import hl7_feed_commands

__all__ = ["command"]


@click.group("hl7")
def command() -> None:
    """HL7 v2: check, map, send and receive messages."""


hl7_feed_commands.add_to(command)
