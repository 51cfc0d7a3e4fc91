"""`mpftconnect plugins`."""

from __future__ import annotations

import json

import click

from mpftconnect.adapters.contract import Capability, Support
from mpftconnect.cli.exits import Exit
from mpftconnect.plugins import load_plugins

__all__ = ["command"]


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--capabilities", is_flag=True, help="Also list what each adapter's system offers.")
def command(as_json: bool, capabilities: bool) -> None:
    """List the installed plugins with what each was tried against, the broken ones with their reason.

    Exit code 1: at least one plugin is broken.
    """
    registry = load_plugins()
    rows = [
        {
            "name": plugin.name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "problem": plugin.problem,
            "adapters": [
                {
                    "name": spec.name,
                    "supplier": spec.supplier,
                    "product": spec.product,
                    "tried_against": spec.tried_against.words(),
                    "assumed": spec.tried_against.assumed,
                    "capabilities": {str(c): str(spec.support(c)) for c in Capability},
                }
                for spec in plugin.adapters
            ],
            "twins": [
                {"name": spec.name, "written_from": spec.written_from, "tried_against": spec.tried_against.words()}
                for spec in plugin.twins
            ],
            "policies": [{"name": spec.name, "kind": spec.kind} for spec in plugin.policies],
            "sameness": [{"name": spec.name, "words": spec.words} for spec in plugin.sameness],
        }
        for plugin in registry.plugins
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        for plugin in registry.plugins:
            click.echo(f"{plugin.name}  ({plugin.distribution} {plugin.version})")
            if plugin.problem:
                click.echo(f"  BROKEN  {plugin.problem}")
            for adapter in plugin.adapters:
                click.echo(f"  adapter {adapter.name}: {adapter.product}, {adapter.supplier}")
                click.echo(f"          tried against: {adapter.tried_against.words()}")
                if capabilities:
                    for capability in Capability:
                        if adapter.support(capability) is not Support.UNSUPPORTED:
                            click.echo(f"          {capability}: {adapter.support(capability)}")
            for twin in plugin.twins:
                click.echo(f"  twin    {twin.name}: from {twin.written_from}")
                click.echo(f"          tried against: {twin.tried_against.words()}")
            for policy in plugin.policies:
                click.echo(f"  policy  {policy.name} ({policy.kind})")
            for terminology in plugin.sameness:
                click.echo(f"  sameness {terminology.name}: {terminology.words}")
    if registry.broken:
        raise click.exceptions.Exit(Exit.NOT_MET)
