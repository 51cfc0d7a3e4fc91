"""`mpftconnect document`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.options import connected, connection_options, nhs_number_from, who_from, who_options
from mpftconnect.cli.output import check_writable, printable, write_private

__all__ = ["command"]


@click.command("document")
@click.argument("nhs_number", metavar="NHSNO|-")
@click.argument("key", metavar="KEY")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Where to write it. Choose a name that says nothing of anybody.",
)
@click.option("--attachment", type=click.IntRange(min=0), default=0, help="Which of its attachments, from 0.")
@click.option("--deadline", type=click.FloatRange(min=0.1), help="Seconds for the whole of it.")
@connection_options
@who_options
def command(
    nhs_number: str,
    key: str,
    out: Path,
    attachment: int,
    deadline: float | None,
    config: Path | None,
    sandbox: bool,
    quiet: bool,
    **who: Any,
) -> None:
    """Fetch a document of a person's record into a file that only you may read.

    KEY is the document's key, as `mpftconnect record --json` gives it: SYSTEM:ID. Give - to read the NHS number from
    standard input. Exit code 1: there is no such document to be shown, or it is not as was promised (it is written all
    the same); 3: whoever holds it did not give it.

    \b
    Try:  echo 9990000018 | mpftconnect document - nrl:DocumentReference/RRE-full-crisis --out plan.pdf --sandbox
    """
    check_writable(out)
    number = nhs_number_from(nhs_number)
    with connected(config, sandbox=sandbox, quiet=quiet) as hub:
        context = who_from(who, hub.configured_user, sandbox=sandbox)
        found = hub.fetch_document(number, key, context, attachment=attachment, deadline=deadline)
    write_private(out, found.data)
    click.echo(printable(found.words()))
    click.echo(f"wrote {out} (it holds patient data: keep it where patient data may be)", err=True)
    if found.differences:
        raise click.exceptions.Exit(Exit.NOT_MET)
