"""`mpftconnect plan`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.options import connected, connection_options, nhs_number_from, who_from, who_options
from mpftconnect.cli.output import printable

if TYPE_CHECKING:
    from mpftconnect.hub import Preview

__all__ = ["command"]

F = TypeVar("F", bound=Callable[..., Any])


def _plan_options(function: F) -> F:
    """Whose plan, which, and where to."""
    for option in (
        click.option("--to", help="System that takes the pointer, if there is more than one."),
        click.argument("key", metavar="KEY"),
        click.argument("nhs_number", metavar="NHSNO|-"),
    ):
        function = option(function)
    return function


def _kind_options(function: F) -> F:
    for option in (
        click.option("--author", help="ODS code of the organisation that wrote the plan, if the plan does not say so."),
        click.option("--kind", help="As which document: crisis, contingency, personalised or a SNOMED CT code."),
    ):
        function = option(function)
    return function


@click.group("plan")
def command() -> None:
    """Publish a care plan's pointer, preview that, or take it back.

    KEY is the plan's key, as `mpftconnect record --json` gives it: SYSTEM:ID. Give - to read the NHS number from
    standard input. Writes are off unless the configuration of the system says `allow_writes = true`.
    """


@command.command("preview")
@_plan_options
@_kind_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@connection_options
@who_options
def preview(
    nhs_number: str,
    key: str,
    to: str | None,
    kind: str | None,
    author: str | None,
    as_json: bool,
    config: Path | None,
    sandbox: bool,
    quiet: bool,
    **who: Any,
) -> None:
    """Show what publishing would send. Nothing is written.

    \b
    Try:  echo 9990000018 | mpftconnect plan preview - rio:CarePlan/full-mental-health-plan --sandbox
    """
    number = nhs_number_from(nhs_number)
    with connected(config, sandbox=sandbox, quiet=quiet) as hub:
        context = who_from(who, hub.configured_user, sandbox=sandbox)
        found = hub.preview_plan(key, context, identifier=number, kind=kind, author=author, to=to)
    click.echo(json.dumps(_as_dict(found), indent=2) if as_json else printable(_as_text(found)))


@command.command("publish")
@_plan_options
@_kind_options
@connection_options
@who_options
def publish(
    nhs_number: str,
    key: str,
    to: str | None,
    kind: str | None,
    author: str | None,
    config: Path | None,
    sandbox: bool,
    quiet: bool,
    **who: Any,
) -> None:
    """Publish the plan, bring what is published up to date, or take it back, as the plan demands.

    Exit code 3: it may or may not have been done. Do not repeat it: `mpftconnect plan reconcile` looks.
    """
    number = nhs_number_from(nhs_number)
    with connected(config, sandbox=sandbox, quiet=quiet) as hub:
        context = who_from(who, hub.configured_user, sandbox=sandbox)
        done = hub.publish_plan(key, context, identifier=number, kind=kind, author=author, to=to)
    click.echo(done.words())


@command.command("withdraw")
@_plan_options
@connection_options
@who_options
def withdraw(
    nhs_number: str, key: str, to: str | None, config: Path | None, sandbox: bool, quiet: bool, **who: Any
) -> None:
    """Take the plan's pointer back, whatever the plan says. Exit code 3: as for publish."""
    number = nhs_number_from(nhs_number)
    with connected(config, sandbox=sandbox, quiet=quiet) as hub:
        context = who_from(who, hub.configured_user, sandbox=sandbox)
        done = hub.withdraw_plan(key, context, identifier=number, to=to)
    click.echo(done.words())


@command.command("reconcile")
@_plan_options
@connection_options
@who_options
def reconcile(
    nhs_number: str, key: str, to: str | None, config: Path | None, sandbox: bool, quiet: bool, **who: Any
) -> None:
    """After an unknown outcome: ask the system what stands there, and set the ledger right."""
    number = nhs_number_from(nhs_number)
    with connected(config, sandbox=sandbox, quiet=quiet) as hub:
        context = who_from(who, hub.configured_user, sandbox=sandbox)
        done = hub.reconcile_plan(key, context, identifier=number, to=to)
    count = len(done.pointers)
    stands = f"{count} pointer{'s' if count != 1 else ''} of this plan"
    click.echo(f"{done.system}: {stands if count else 'no pointer of this plan'} there")


@command.command("review")
@click.argument("nhs_number", metavar="NHSNO|-")
@connection_options
@who_options
def review(nhs_number: str, config: Path | None, sandbox: bool, quiet: bool, **who: Any) -> None:
    """Look at every published plan of a person, and do for each what publish does. Exit code 3: not all were seen."""
    number = nhs_number_from(nhs_number)
    with connected(config, sandbox=sandbox, quiet=quiet) as hub:
        context = who_from(who, hub.configured_user, sandbox=sandbox)
        done = hub.review_published(number, context)
    for each in done:
        click.echo(printable(each.words()))
    click.echo(f"{len(done)} published plan{'s' if len(done) != 1 else ''} looked at")
    if any(each.problem for each in done):
        raise click.exceptions.Exit(Exit.UNDECIDED)


def _as_dict(found: Preview) -> dict[str, Any]:
    return {
        "system": found.system,
        "action": found.action,
        "why": found.why,
        "reference": found.reference,
        "pointers": found.pointers,
        "writes_allowed": found.writes_allowed,
        "requests": [
            {
                "method": draft.method,
                "url": draft.url,
                "headers": dict(draft.headers),
                "body": None if draft.body is None else json.loads(draft.body),
            }
            for draft in found.drafts
        ],
    }


def _as_text(found: Preview) -> str:
    lines = [found.words()]
    for request in _as_dict(found)["requests"]:
        lines += ["", f"{request['method']} {request['url']}"]
        lines += [f"{name}: {value}" for name, value in request["headers"].items()]
        if request["body"] is not None:
            lines += ["", json.dumps(request["body"], indent=2)]
    return "\n".join(lines)
