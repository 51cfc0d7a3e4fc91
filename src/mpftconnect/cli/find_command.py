"""`mpftconnect find`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.options import connected, connection_options, warn_of_history, who_from, who_options
from mpftconnect.cli.output import printable
from mpftconnect.model import Demographics, PartialDate, format_nhs_number

__all__ = ["command"]

_PRIVATE = ("family", "given", "born", "postcode")


@click.command("find")
@click.option("--family", prompt="Family name", help="Family name; asked for if not given.")
@click.option("--given", multiple=True, help="Given name; may be repeated.")
@click.option("--born", prompt="Birth date (YYYY-MM-DD)", help="Birth date, YYYY-MM-DD; asked for if not given.")
@click.option("--gender", type=click.Choice(["female", "male", "other", "unknown"]), help="Administrative gender.")
@click.option("--postcode", help="Postcode.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@connection_options
@who_options
def command(
    family: str,
    given: tuple[str, ...],
    born: str,
    gender: str | None,
    postcode: str | None,
    as_json: bool,
    config: Path | None,
    sandbox: bool,
    quiet: bool,
    **who: Any,
) -> None:
    """Find a person by demographics, through the tracing service.

    Leave the options out to be asked, so that names do not stay in the shell's history. Exit code 3: more people fit
    than may be shown, or the service did not answer.
    """
    context = click.get_current_context()
    if any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in _PRIVATE):
        warn_of_history("demographics")
    demographics = Demographics(
        family=family, given=given, birth_date=PartialDate(born), gender=gender, postal_code=postcode
    )
    with connected(config, sandbox=sandbox, quiet=quiet) as hub:
        people = hub.find(demographics, who_from(who, hub.configured_user, sandbox=sandbox))
    if as_json:
        click.echo(
            json.dumps(
                {
                    "people": [person.model_dump(mode="json") for person in people],
                    "complete": people.complete,
                    "gaps": [gap.model_dump(mode="json") for gap in people.gaps],
                }
            )
        )
    else:
        for person in people:
            number = format_nhs_number(person.nhs_number) if person.nhs_number else "no NHS number"
            born_words = person.birth_date.words() if person.birth_date else "birth date not stated"
            click.echo(printable(f"{number}  {person.words()}  born {born_words}"))
        click.echo(people.words())
    if not people.complete:
        raise click.exceptions.Exit(Exit.UNDECIDED)
