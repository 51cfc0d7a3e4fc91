"""`mpftconnect conform patients`: the made-up people that a supplier enters."""

from __future__ import annotations

from pathlib import Path

import click

from mpftconnect.cli.output import write_private
from mpftconnect.errors import UsageError

__all__ = ["patients"]


@click.command("patients")
@click.option(
    "--format", "form", type=click.Choice(["fhir", "hl7v2", "csv", "sheet"]), default="sheet", show_default=True
)
@click.option("--twin", default="uk-core", show_default=True, help="The twin whose people they are.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for fhir and hl7v2, file for csv; a sheet is printed without it.",
)
def patients(form: str, twin: str, out: Path | None) -> None:
    """Write what is to be entered of each test person, by role. Nobody of them is real."""
    from mpftconnect.conformance.sheets import as_bundle, as_csv, as_sheet, records_of
    from mpftconnect.plugins import load_plugins

    twins = load_plugins().twins
    if twin not in twins:
        raise UsageError(f"no such twin: {twin}")
    records = records_of(twins[twin])
    if form == "fhir":
        folder = out or Path("patients")
        if folder.is_file():
            raise UsageError(f"{folder} is a file; fhir needs a folder")
        folder.mkdir(parents=True, exist_ok=True)
        for role, resources in records.items():
            write_private(folder / f"{role}.json", as_bundle(resources))
            click.echo(f"wrote {folder / f'{role}.json'}")
        return
    if form == "hl7v2":
        from mpftconnect.conformance.messages import as_messages, left_out

        folder = out or Path("patients")
        if folder.is_file():
            raise UsageError(f"{folder} is a file; hl7v2 needs a folder")
        folder.mkdir(parents=True, exist_ok=True)
        for role, resources in records.items():
            for number, message in enumerate(as_messages(role, resources), 1):
                path = folder / f"{role}-{number:02}.hl7"
                write_private(path, message.raw)
                click.echo(f"wrote {path}")
            if left := left_out(resources):
                click.echo(f"{role}: not in a message, enter by the sheet: {', '.join(left)}", err=True)
        return
    made = as_csv(records) if form == "csv" else as_sheet(records)
    if out is None and form == "sheet":
        click.echo(made.decode())
        return
    target = out or Path("patients.csv")
    write_private(target, made)
    click.echo(f"wrote {target}")
