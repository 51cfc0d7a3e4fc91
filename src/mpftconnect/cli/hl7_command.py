"""`mpftconnect hl7`."""

from __future__ import annotations

import click

from mpftconnect.cli.hl7_map_command import command as map_command

__all__ = ["command"]


@click.group("hl7")
def command() -> None:
    """HL7 v2: check messages, and map them to the model."""


command.add_command(map_command)
