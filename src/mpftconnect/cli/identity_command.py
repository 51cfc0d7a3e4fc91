"""`mpftconnect identity`."""

from __future__ import annotations

import getpass
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.options import (
    DEFAULT_FILE,
    connected,
    connection_options,
    nhs_number_from,
    private_argument,
    who_from,
    who_options,
)
from mpftconnect.cli.output import printable
from mpftconnect.errors import DecisionsUnsound, NotAnNhsNumber
from mpftconnect.events import EventStream, log_listener
from mpftconnect.governance.decision import Decision
from mpftconnect.governance.identity_decisions import IdentityDecisions
from mpftconnect.hub import Configuration, Record, load_configuration
from mpftconnect.hub.trails import open_identities, open_trail
from mpftconnect.model import AccessContext, format_nhs_number
from mpftconnect.model import nhs_number as checked_number
from mpftconnect.plugins import load_plugins

__all__ = ["command"]

F = TypeVar("F", bound=Callable[..., Any])

CANNOT_SEE = (
    "If the store and its anchor were both put back to the same earlier moment, nothing here shows it; the audit "
    "trail still tells of every step.",
    "Somebody who holds the key can write what fits: the key must be kept where the store is not.",
)


@click.group("identity")
def command() -> None:
    """Decide, two people together, whose record a system's record is.

    One proposes `unlink` (it is not this person's) or `link` (it is), another approves. It holds at the next read of
    every program on the same store, and is undone the same way: `reverse`, then `approve`.
    """


def _options(function: F) -> F:
    file = click.Path(path_type=Path, dir_okay=False)
    return who_options(click.option("--config", type=file, help="Configuration file.")(function))


def _open(config: Path | None) -> tuple[IdentityDecisions, Configuration]:
    known = load_configuration(config or Path(DEFAULT_FILE), load_plugins())
    events = EventStream([log_listener])
    return open_identities(known, open_trail(known, events), events), known


def _who(given: dict[str, Any], known: Configuration) -> AccessContext:
    # The command line takes users at their word; the audit says at least which account of which machine it was.
    asked = {**given, "relationship": given.get("relationship") or "identity", "device": _account()}
    return who_from(asked, known.who, sandbox=False)


def _account() -> str | None:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError, ImportError):  # a system without accounts
        return None


def _reason(who: dict[str, Any]) -> str:
    return who.get("reason") or str(click.prompt("Reason", err=True))


def _record(given: str | None) -> str:
    if given is None:
        return str(click.prompt("The system's own id of its record", err=True))
    if given == "-" or _is_number(given.rpartition("/")[2]):
        return private_argument(given, "the system's own id of its record")
    return given


def _is_number(text: str) -> bool:
    """Whether it is an NHS number, as some systems' own ids are."""
    try:
        checked_number(text)
    except NotAnNhsNumber:
        return False
    return True


def _other(given: str | None) -> str | None:
    return None if given is None else private_argument(given, "NHS number")


_NUMBER = click.argument("nhs_number", required=False, metavar="[NHSNO|-]")
_SYSTEM = click.option("--system", required=True, help="Configured name of the system.")
_RECORD = click.option("--record", metavar="ID|-", help="The system's own id of its record (see `candidates`).")
_OTHER = click.option(
    "--other-number",
    metavar="NHSNO|-",
    help="The other NHS number that the system gives in its record: stated by both people, or the link does not join.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@command.command("unlink")
@_NUMBER
@_SYSTEM
@_RECORD
@_options
def unlink(nhs_number: str | None, system: str, record: str | None, config: Path | None, **who: Any) -> None:
    """Propose that a system's record is NOT the person with this NHS number.

    With - the number, then the record, are read from standard input, a line each. The reason is asked for.
    """
    identities, known = _open(config)
    number, own = nhs_number_from(nhs_number), _record(record)
    _proposed(identities.propose_unlink(number, system, own, _who(who, known), reason=_reason(who)))


@command.command("link")
@_NUMBER
@_SYSTEM
@_RECORD
@_OTHER
@_options
def link(
    nhs_number: str | None, system: str, record: str | None, other_number: str | None, config: Path | None, **who: Any
) -> None:
    """Propose that a system's record IS the person with this NHS number.

    With - the number, the record, then the other number, are read from standard input, a line each.
    """
    identities, known = _open(config)
    number, own, other = nhs_number_from(nhs_number), _record(record), _other(other_number)
    context = _who(who, known)
    _proposed(identities.propose_link(number, system, own, context, reason=_reason(who), other_number=other))


@command.command("reverse")
@click.argument("decision")
@_options
def reverse(decision: str, config: Path | None, **who: Any) -> None:
    """Propose that a DECISION no longer hold. Until somebody else approves that, it does."""
    identities, known = _open(config)
    _proposed(identities.propose_reversal(decision, _who(who, known), reason=_reason(who)))


def _proposed(one: Decision) -> None:
    expires = one.steps[-1].expires
    until = f", until {expires:%d %b %Y %H:%M} UTC" if expires else ""
    click.echo(f"{one.id}\nproposed; somebody else must now: mpftconnect identity approve {one.id}{until}")


@command.command("approve")
@click.argument("proposal")
@_OTHER
@_options
def approve(proposal: str, other_number: str | None, config: Path | None, **who: Any) -> None:
    """Approve somebody else's PROPOSAL. It holds at the next read."""
    identities, known = _open(config)
    one = identities.approve(proposal, _who(who, known), other_number=_other(other_number))
    click.echo(f"{one.id}\n{identities.state(one)}: {one.kind}, {one.words()}")
    if one.in_force:
        click.echo("Read the record once, to see that it does what was meant.")


@command.command("reject")
@click.argument("proposal")
@_options
def reject(proposal: str, config: Path | None, **who: Any) -> None:
    """Reject a PROPOSAL, or withdraw your own."""
    identities, known = _open(config)
    one = identities.reject(proposal, _who(who, known), reason=who.get("reason") or "")
    click.echo(f"{one.id}\n{identities.state(one)}")


@command.command("list")
@click.option("--patient", metavar="NHSNO|-", help="Only about this person; - reads the number from standard input.")
@_JSON
@_options
def list_(patient: str | None, as_json: bool, config: Path | None, **who: Any) -> None:
    """All decisions and proposals, newest first. That you looked is audited.

    NHS numbers stand in `show` and in the JSON alone.
    """
    identities, known = _open(config)
    number = nhs_number_from(patient) if patient else None
    found = identities.find(_who(who, known), number=number)
    for one in found:
        state = identities.state(one)
        if as_json:
            click.echo(json.dumps({"state": state, **one.model_dump(mode="json")}))
            continue
        click.echo(printable(f"{one.id}  {state:<17}  {one.kind:<6}  {one.system} {one.record}  {one.words()}"))
    if not as_json:
        click.echo(f"{len(found)} decisions and proposals.")


@command.command("show")
@click.argument("decision")
@_JSON
@_options
def show(decision: str, as_json: bool, config: Path | None, **who: Any) -> None:
    """One DECISION or proposal, step by step, with the reasons given."""
    identities, known = _open(config)
    one = identities.show(decision, _who(who, known))
    state = identities.state(one)
    if as_json:
        click.echo(json.dumps({"state": state, **one.model_dump(mode="json")}))
        return
    verb = "is" if one.kind == "link" else "is not"
    click.echo(printable(f"{one.id}: {state}"))
    click.echo(printable(f"{one.system} {one.record} {verb} the person with NHS {format_nhs_number(one.nhs_number)}"))
    if one.other_number:
        click.echo(f"though the system gives NHS {format_nhs_number(one.other_number)}")
    for step in one.steps:
        user = f"{step.name} ({step.role}, {step.organisation}), user {step.user}"
        click.echo(printable(f"  {step.at:%Y-%m-%d %H:%M:%S}  {step.action}  {user}  {step.reason}".rstrip()))


@command.command("candidates")
@_NUMBER
@_JSON
@connection_options
@who_options
def candidates(
    nhs_number: str | None, as_json: bool, config: Path | None, sandbox: bool, quiet: bool, **who: Any
) -> None:
    """Which record each system gave for a person, by the system's own id, and why it joined or not.

    Reads the person's record, under all rules of a read.
    """
    number = nhs_number_from(nhs_number)
    with connected(config, sandbox=sandbox, quiet=quiet) as hub:
        record = hub.record(number, who_from(who, hub.configured_user, sandbox=sandbox))
    for system, own, joins, rule in _candidates(record):
        if as_json:
            click.echo(json.dumps({"system": system, "record": own, "joins": joins, "rule": rule}))
        else:
            click.echo(printable(f"{system:<20}  {own:<40}  {'joined' if joins else 'set apart'}: {rule}"))


def _candidates(record: Record) -> list[tuple[str, str, bool, str]]:
    rules = {why.system: why.rule for why in record.joined}
    joined = [(one.source.system, one.source.id, True, rules.get(one.source.system, "")) for one in record.held_as]
    apart = [(one.system, one.record or "", False, one.reason) for one in record.unmatched]
    return sorted([*joined, *apart])


@command.command("verify")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Configuration file.")
@_JSON
def verify(config: Path | None, as_json: bool) -> None:
    """Whether the store of decisions can be believed. Exit code 1: it cannot, and nothing joins any record."""
    identities, known = _open(config)
    try:
        count, reason = identities.check(), None
    except DecisionsUnsound as error:
        count, reason = 0, error.reason
    if as_json:
        click.echo(json.dumps({"ok": reason is None, "reason": reason, "decisions": count, "cannot_see": CANNOT_SEE}))
    elif reason is None:
        click.echo(f"{count} decisions and proposals: intact")
    else:
        click.echo(f"NOT INTACT: {reason}. No system's contribution joins any record until this is mended:")
        click.echo(f"put back the newest copies of {known.identity_store} and {known.identity_anchor}.")
    if not as_json:
        click.echo("What this cannot see:")
        for sentence in CANNOT_SEE:
            click.echo(f"  - {sentence}")
    if reason is not None:
        raise click.exceptions.Exit(Exit.NOT_MET)


@command.command("purge")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_options
def purge(yes: bool, config: Path | None, **who: Any) -> None:
    """Remove what ended, or expired unapproved, longer ago than its retention. What is in force stays."""
    identities, known = _open(config)
    days = known.identity.retention_days
    before = datetime.now(UTC) - timedelta(days=days)
    if not yes:
        click.confirm(f"Remove what ended before {before:%Y-%m-%d} ({days} days)?", abort=True, err=True)
    click.echo(f"{identities.purge(before, _who(who, known))} removed")


@command.command("erase")
@_NUMBER
@click.option("--yes", is_flag=True, help="Do not ask.")
@_options
def erase(nhs_number: str | None, yes: bool, config: Path | None, **who: Any) -> None:
    """Remove everything about one person. Refused while anything about them is in force or open."""
    identities, known = _open(config)
    number = nhs_number_from(nhs_number)
    if not yes:
        click.confirm("Remove every decision about this person?", abort=True, err=True)
    click.echo(f"{identities.erase(number, _who(who, known))} removed")
