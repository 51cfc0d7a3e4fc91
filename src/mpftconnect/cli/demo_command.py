"""`mpftconnect demo`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.options import SANDBOX_USER
from mpftconnect.cli.output import check_writable
from mpftconnect.cli.progress import progress_listener
from mpftconnect.cli.summary import summary
from mpftconnect.errors import UsageError
from mpftconnect.fhir import dump_json
from mpftconnect.hub import Hub, Record, connect
from mpftconnect.model import format_nhs_number

__all__ = ["command"]

# Whose record the pages show, and whose only a line: together they tell what the SDK does with each.
_SHOWN = "full"
_TOLD = ("birth-date-differs", "restricted", "superseded", "cross-border", "deceased")


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Folder for the pages.",
)
def command(out: Path) -> None:
    """Read several synthetic people through the adapters, over HTTP, from twins of every installed system.

    Writes record.html (one self-contained page) and record.json (a FHIR R4 Bundle), verifies the audit trail, and
    stops all that it started. Nobody in it is real.
    """
    from mpftconnect.pages import record_page
    from mpftconnect.sandbox import PEOPLE

    started = time.monotonic()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out: the folder cannot be made ({type(error).__name__})") from None
    check_writable(out / "record.html")
    click.echo("DEMONSTRATION: synthetic people, twins in place of supplier systems. It says nothing of any product.\n")
    by_role = {person.role: person for person in PEOPLE}
    with connect(sandbox=True, listeners=(progress_listener(),)) as hub:
        click.echo("Twins: " + ", ".join(f"{s.name} ({s.configured.spec.product})" for s in hub.systems) + "\n")
        record = hub.record(by_role[_SHOWN].nhs_number, SANDBOX_USER)
        click.echo(summary(record, most=2))
        click.echo("\nOther people:")
        for role in _TOLD:
            if role in by_role:
                person = by_role[role]
                # A superseded number is asked for as somebody who only has the old letter would.
                click.echo(_line(role, hub, (person.former_numbers or (person.nhs_number,))[0]))
        page, bundle = out / "record.html", out / "record.json"
        page.write_text(record_page(record, demonstration=True), encoding="utf-8")
        bundle.write_bytes(dump_json(record.to_fhir(), indent=True))
        click.echo(f"\nwrote {page} and {bundle}")
        seen = hub.audit.verify()
        click.echo(f"audit trail: {seen.entries} entries, {'intact' if seen.ok else 'NOT INTACT'}")
    click.echo(f"everything stopped; took {time.monotonic() - started:.1f} s")
    if not seen.ok:
        raise click.exceptions.Exit(Exit.NOT_MET)


def _line(role: str, hub: Hub, number: str) -> str:
    record = hub.record(number, SANDBOX_USER)
    return f"  {role}: {_told(record)}"


def _told(record: Record) -> str:
    patient = record.patient
    parts = [
        f"NHS {format_nhs_number(patient.nhs_number)}" if patient.nhs_number else "no NHS number",
        f"{sum(1 for _ in record.items())} items",
    ]
    if record.is_restricted:
        parts.append("restricted: no location shown")
    parts += [f"set apart: {apart.system} ({apart.reason})" for apart in record.unmatched]
    parts += [notice.text for notice in record.notices if notice.code == "number-superseded"]
    if patient.deceased not in (None, False):
        parts.append("the tracing service records a death")
    if record.conflicts:
        parts.append(f"{len(record.conflicts)} conflicts shown side by side")
    if record.gaps:
        parts.append(f"{len(record.gaps)} gaps named")
    return "; ".join(parts)
