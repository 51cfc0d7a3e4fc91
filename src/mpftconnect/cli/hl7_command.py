"""`mpftconnect hl7`."""

from __future__ import annotations

import click

from mpftconnect.cli.hl7_check_command import command as check_command
from mpftconnect.cli.hl7_map_command import command as map_command

__all__ = ["command"]


@click.group("hl7")
def command() -> None:
    """HL7 v2: check, map, send and receive messages."""


command.add_command(check_command)
command.add_command(map_command)
