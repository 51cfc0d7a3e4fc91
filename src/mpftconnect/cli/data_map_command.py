"""`mpftconnect data-map`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from mpftconnect.cli.options import DEFAULT_FILE
from mpftconnect.governance.data_map import places
from mpftconnect.hub import load_configuration
from mpftconnect.hub.registered import configured_places
from mpftconnect.plugins import load_plugins

__all__ = ["command"]


@click.command("data-map")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Show the paths of this configuration.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(config: Path | None, as_json: bool) -> None:
    """Where patient data may lie, how it is protected, how long it stays and how it is removed."""
    path = config or (Path(DEFAULT_FILE) if Path(DEFAULT_FILE).exists() else None)
    if path is None:
        rows = places()
    else:
        known = load_configuration(path, load_plugins())
        rows = configured_places(known)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    for row in rows:
        click.echo(row.name)
        for key, value in list(asdict(row).items())[1:]:
            click.echo(f"  {key + ':':12}{value}")
