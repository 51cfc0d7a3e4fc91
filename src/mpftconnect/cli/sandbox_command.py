"""`mpftconnect sandbox`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from mpftconnect.errors import UsageError
from mpftconnect.plugins import load_plugins

__all__ = ["command"]


@click.group("sandbox")
def command() -> None:
    """Serve twins of supplier systems, with synthetic people and faults to switch on."""


@command.command("up")
@click.option("--only", multiple=True, help="Serve only this twin; may be repeated.")
@click.option("--fault", "faults", multiple=True, metavar="TWIN=FAULT", help="Switch a fault on; may be repeated.")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="Stop by itself after so long.")
@click.option("--write-config", type=click.Path(path_type=Path, file_okay=False), help="Write a configuration here.")
def up(only: tuple[str, ...], faults: tuple[str, ...], seconds: float | None, write_config: Path | None) -> None:
    """Serve the twins on free loopback ports until Ctrl-C, and print how to use them."""
    from mpftconnect.cli.sandbox_files import write_configuration
    from mpftconnect.sandbox import PEOPLE, Fault, Sandbox, default_twins

    switched: dict[str, list[Fault]] = {}
    for given in faults:
        twin, _, fault = given.partition("=")
        try:
            switched.setdefault(twin, []).append(Fault(fault))
        except ValueError:
            raise UsageError(f"no such fault; faults are {', '.join(Fault)}") from None
    registry = load_plugins()
    # A twin that pushes has no address; a listener is sent its day from files (`sandbox day`).
    answering = [name for name in default_twins(registry) if registry.twins[name].sends is None]
    with Sandbox(registry, only=only or answering, faults=switched, control=True) as sandbox:
        click.echo("Twins of supplier systems with synthetic people. Loopback only. Nothing here is a real person.\n")
        for name, host in sandbox.hosts.items():
            spec = sandbox.specs[name]
            click.echo(f"{name}: {host.base_url}")
            click.echo(f"  stands for adapter {spec.adapter}; written from {spec.written_from}")
            click.echo(f"  faults: {host.base_url}/_sandbox/faults (GET to see, PUT to switch)")
        click.echo("\nPeople:")
        for person in PEOPLE:
            click.echo(f"  {person.nhs_number}  {person.role}")
        if write_config is not None:
            try:
                path = write_configuration(sandbox, write_config)
            except OSError as error:
                raise UsageError(f"--write-config: cannot be written ({type(error).__name__})") from None
            click.echo(f"\nTry:  mpftconnect record - --config {path}")
        click.echo("\nCtrl-C stops it." if seconds is None else f"\nStops after {seconds:g} s.")
        end = None if seconds is None else time.monotonic() + seconds
        try:
            while end is None or time.monotonic() < end:
                time.sleep(0.2 if end is None else min(0.2, max(0.0, end - time.monotonic())))
        except KeyboardInterrupt:
            click.echo("stopped")


@command.command("day")
@click.argument("twin")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for the messages, a file each, in the order of arrival.",
)
@click.option("--fault", "faults", multiple=True, metavar="FAULT", help="Switch a fault on; may be repeated.")
def day(twin: str, out: Path, faults: tuple[str, ...]) -> None:
    """Write what a pushing twin, such as a hospital's, has sent by now: HL7 v2 messages about synthetic people.

    `mpftconnect hl7 send HOST:PORT FOLDER` sends them to a listener, in the same order.
    """
    from mpftconnect.sandbox import Sandbox

    registry = load_plugins()
    pushing = sorted(name for name, spec in registry.twins.items() if spec.sends is not None)
    if twin not in pushing:
        raise UsageError(f"no such twin pushes messages: there are {', '.join(pushing) or 'none'}")
    messages = Sandbox(registry, only=[twin], faults={twin: list(faults)} if faults else None).sent()
    try:
        out.mkdir(parents=True, exist_ok=True)
        for number, sent in enumerate(messages, 1):
            (out / f"{number:04}.hl7").write_bytes(sent.body)
    except OSError as error:
        raise UsageError(f"--out: cannot be written ({type(error).__name__})") from None
    click.echo(f"wrote {len(messages)} messages to {out}; nobody in them is real")
