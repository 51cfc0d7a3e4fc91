"""The command tree. Each command is imported when it is asked for, so that `--help` is quick."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Sequence
from typing import Any

import click

from mpftconnect.cli.exits import TABLE, run

__all__ = ["commands", "main"]

_COMMANDS = {
    "audit": "Read and verify the audit trail.",
    "conform": "Test a product against requirements: set up, run, see what is covered.",
    "data-map": "Where patient data may lie, how it is protected and how long it stays.",
    "demo": "Read several synthetic people from twins of every installed system.",
    "document": "Fetch a document of a person's record into a file.",
    "doctor": "Walk each configured system and say what fails and what to do.",
    "find": "Find a person by demographics.",
    "governance": "Registers for information governance, and what runs out.",
    "hl7": "HL7 v2: check, map, send and receive messages.",
    "identity": "Decide, two people together, whose record a system's record is.",
    "keys": "Make the keys that sign reports, and say whose keys are believed.",
    "new-adapter": "Write a new plugin that installs, passes its contract tests and can be filled in.",
    "packages": "FHIR packages: list, show, install.",
    "plan": "Publish a care plan's pointer, preview that, or take it back.",
    "plugins": "List the installed plugins, the broken ones included.",
    "record": "One person's record from every connected system.",
    "report": "A conformance report: open it, judge it again, make a small case of a finding.",
    "sandbox": "Serve twins of supplier systems for other people's tests.",
    "validate": "Validate FHIR resources against profiles, and say what was not checked.",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"mpftconnect.cli.{cmd_name.replace('-', '_')}_command")
        found: click.Command = module.command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.group(cls=_Lazy, epilog=TABLE, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mpftconnect")
def commands() -> None:
    """One person's record and care plan from every NHS system that answers.

    Not for live care until a clinical safety officer has signed.
    """


def main(arguments: Sequence[str] | None = None, **extra: Any) -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a letter shows its escape: that must not cost the record.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(lambda: commands.main(args=arguments, prog_name="mpftconnect", standalone_mode=False, **extra)))
