"""`mpftconnect record`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.options import (
    connected,
    connection_options,
    nhs_number_from,
    private_argument,
    who_from,
    who_options,
)
from mpftconnect.cli.output import check_writable, printable, write_private
from mpftconnect.cli.summary import summary
from mpftconnect.fhir import dump_json
from mpftconnect.model import Identifier, SectionName

__all__ = ["command"]


@click.command("record")
@click.argument("nhs_number", required=False, metavar="[NHSNO|-]")
@click.option(
    "--identifier",
    metavar="SYSTEM|VALUE",
    help="A local identifier instead of an NHS number; - reads it from standard input.",
)
@click.option(
    "--section",
    "sections",
    multiple=True,
    type=click.Choice([str(name) for name in SectionName]),
    help="Ask only for this section; may be repeated.",
)
@click.option("--deadline", type=click.FloatRange(min=0.1), help="Seconds for the whole read.")
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON (Record.from_json reads it back).")
@click.option("--fhir", is_flag=True, help="Print the record as a FHIR R4 Bundle.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the record page to this file.")
@click.option("--require-complete", is_flag=True, help="Exit 3 if any section that was asked for is incomplete.")
@connection_options
@who_options
def command(
    nhs_number: str | None,
    identifier: str | None,
    sections: tuple[str, ...],
    deadline: float | None,
    as_json: bool,
    fhir: bool,
    html: Path | None,
    require_complete: bool,
    config: Path | None,
    sandbox: bool,
    quiet: bool,
    **who: Any,
) -> None:
    """One person's record from every connected system that answered and may be shown.

    Leave the NHS number out to be asked for it, or give - to read it from standard input, so that it does not stay in
    the shell's history.

    \b
    Try:  echo 9990000018 | mpftconnect record - --sandbox
    """
    asked: str | Identifier
    if as_json and fhir:
        raise click.UsageError("give --json or --fhir, not both")
    if html is not None:
        check_writable(html)
    if identifier is not None:
        system, _, value = private_argument(identifier, "identifier").partition("|")
        if not value:
            raise click.UsageError("--identifier is SYSTEM|VALUE")
        if nhs_number is not None:
            raise click.UsageError("give an NHS number or --identifier, not both")
        asked = Identifier(system=system, value=value)
    else:
        asked = nhs_number_from(nhs_number)
    with connected(config, sandbox=sandbox, quiet=quiet) as hub:
        context = who_from(who, hub.configured_user, sandbox=sandbox)
        record = hub.record(asked, context, sections=sections or None, deadline=deadline)
    if html is not None:
        from mpftconnect.pages import record_page

        write_private(html, record_page(record, demonstration=sandbox))
        click.echo(f"wrote {html} (it holds patient data: keep it where patient data may be)", err=True)
    if fhir:
        # As bytes: JSON is UTF-8 whatever the terminal speaks (RFC 8259, section 8.1).
        click.echo(dump_json(record.to_fhir(), indent=True))
    elif as_json:
        click.echo(record.to_json().encode())
    elif html is None:
        click.echo(printable(summary(record)))
    wanted = [record.section(name) for name in (sections or SectionName)]
    if require_complete and not all(section.complete for section in wanted):
        raise click.exceptions.Exit(Exit.UNDECIDED)
