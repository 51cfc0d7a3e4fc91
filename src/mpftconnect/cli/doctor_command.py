"""`mpftconnect doctor`."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import click

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.options import connected, connection_options
from mpftconnect.hub.doctor import agreement_step, examine

__all__ = ["command"]


@click.command("doctor")
@click.argument("systems", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a step.")
@connection_options
def command(systems: tuple[str, ...], as_json: bool, config: Path | None, sandbox: bool, quiet: bool) -> None:
    """Walk each configured SYSTEM: agreement, DNS, connection, TLS, clock, token, permission and one harmless call.

    Names the step that fails and what to do. Makes no request that bears a patient's data. Exit code 1: a step failed.
    """
    failed = False
    with connected(config, sandbox=sandbox, quiet=True) as hub:
        known = {system.name: system for system in hub.systems}
        unknown = [name for name in systems if name not in known]
        if unknown:
            raise click.UsageError(f"no configured system {', '.join(unknown)} (configured: {', '.join(known)})")
        for caution in hub.cautions:
            click.echo(json.dumps({"caution": caution}) if as_json else f"note  {caution}")
        for name in systems or known:
            if not as_json:
                click.echo(f"{name}  ({known[name].configured.settings.environment})")
            for step in chain((agreement_step(known[name]),), examine(known[name])):
                failed = failed or not step.ok
                if as_json:
                    click.echo(json.dumps({"system": name, "step": step.name, "ok": step.ok, "advice": step.advice}))
                else:
                    mark = "ok  " if step.ok else "FAIL"
                    click.echo(f"  {mark}  {step.name}" + (f": {step.advice}" if step.advice else ""))
    if failed:
        raise click.exceptions.Exit(Exit.NOT_MET)
