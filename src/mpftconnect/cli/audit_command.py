"""`mpftconnect audit`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.options import DEFAULT_FILE, moment_from, nhs_number_from, who_from, who_options
from mpftconnect.cli.output import printable
from mpftconnect.events import EventStream, log_listener
from mpftconnect.governance.audit import AuditTrail
from mpftconnect.governance.audit_event import details_of
from mpftconnect.governance.audit_query import read_affected, read_audit
from mpftconnect.governance.break_glass import read_break_glass
from mpftconnect.hub import Configuration, load_configuration
from mpftconnect.hub.trails import open_privacy_stream, open_trail
from mpftconnect.model import AccessContext, nhs_number
from mpftconnect.plugins import load_plugins

__all__ = ["command"]

F = TypeVar("F", bound=Callable[..., Any])


@click.group("audit")
def command() -> None:
    """Read and verify the audit trail.

    Reading it is itself controlled (`[audit] readers`) and audited.
    """


def _trail_options(function: F) -> F:
    for option in (
        click.option("--privacy", is_flag=True, help="The privacy-officer stream instead of the ordinary trail."),
        click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Configuration file."),
    ):
        function = option(function)
    return function


def _open(config: Path | None, privacy: bool) -> tuple[AuditTrail, Configuration]:
    known = load_configuration(config or Path(DEFAULT_FILE), load_plugins())
    events = EventStream([log_listener])
    return open_privacy_stream(known, events) if privacy else open_trail(known, events), known


def _readers(known: Configuration, privacy: bool) -> tuple[str, ...]:
    return (known.privacy if privacy else known.audit).readers


def _who(given: dict[str, Any], known: Configuration) -> AccessContext:
    return who_from({**given, "relationship": given.get("relationship") or "audit"}, known.who, sandbox=False)


@command.command("show")
@_trail_options
@click.option("--since", help="From this date or time (UTC unless it has an offset).")
@click.option("--until", help="Until this date or time.")
@click.option("--patient", metavar="NHSNO|-", help="Only about this person; - reads the number from standard input.")
@click.option("--of-user", help="Only by this user.")
@click.option("--json", "as_json", is_flag=True, help="Print FHIR AuditEvents, one a line.")
@who_options
def show(
    config: Path | None,
    privacy: bool,
    since: str | None,
    until: str | None,
    patient: str | None,
    of_user: str | None,
    as_json: bool,
    **who: Any,
) -> None:
    """Show entries. That you looked becomes an entry too."""
    trail, known = _open(config, privacy)
    number = nhs_number(nhs_number_from(patient)) if patient else None
    found = read_audit(
        trail,
        _who(who, known),
        roles=_readers(known, privacy),
        since=moment_from(since, "--since"),
        until=moment_from(until, "--until"),
        patient=number,
        user=of_user,
    )
    for entry in found:
        if as_json:
            click.echo(json.dumps({"seq": entry.seq, "sealed": entry.sealed, "event": entry.event}))
            continue
        agents = entry.event.get("agent") or [{}]
        name = agents[0].get("name", "unknown")
        kind = (entry.event.get("subtype") or [entry.event.get("type", {})])[0].get("code", "")
        seal = "" if entry.sealed else "  SEAL BROKEN"
        glass = "  BREAK-GLASS" if ("relationship", "break-glass") in details_of(entry.event) else ""
        words = f"{kind:<8}  {name}  {_outcome(entry.event)}{glass}{seal}"
        click.echo(printable(f"{entry.seq:>6}  {entry.at:%Y-%m-%d %H:%M:%S}  {words}"))


def _outcome(event: dict[str, Any]) -> str:
    return str(event.get("outcomeDesc", ""))


@command.command("verify")
@_trail_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(config: Path | None, privacy: bool, as_json: bool) -> None:
    """Look for change, removal, reordering and truncation, against the seals and the anchor.

    Exit code 1: something is wrong.
    """
    trail, _ = _open(config, privacy)
    seen = trail.verify()
    if as_json:
        findings = [{"code": f.code, "seq": f.seq, "words": f.words} for f in seen.findings]
        counts = {key: getattr(seen, key) for key in ("ok", "entries", "anchored", "unanchored", "waiting", "purged")}
        click.echo(json.dumps({**counts, "findings": findings, "notes": seen.notes, "cannot_see": seen.cannot_see}))
    else:
        click.echo(f"{seen.entries} entries, anchored up to {seen.anchored}: {'intact' if seen.ok else 'NOT INTACT'}")
        for finding in seen.findings:
            click.echo(f"  ! {finding.words}")
        for note in seen.notes:
            click.echo(f"  - {note}")
        click.echo("What this cannot see:")
        for sentence in seen.cannot_see:
            click.echo(f"  - {sentence}")
    if not seen.ok:
        raise click.exceptions.Exit(Exit.NOT_MET)


@command.command("affected")
@_trail_options
@click.option("--source", required=True, help="System whose data is concerned.")
@click.option("--item", help="Id of the item at the source; without it, anything of the source.")
@click.option("--patient", metavar="NHSNO|-", help="Only in this person's record; - reads from standard input.")
@click.option("--from", "since", help="From this date or time.")
@click.option("--to", "until", help="Until before this date or time.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line; the last says what is not seen.")
@who_options
def affected(
    config: Path | None,
    privacy: bool,
    source: str,
    item: str | None,
    patient: str | None,
    since: str | None,
    until: str | None,
    as_json: bool,
    **who: Any,
) -> None:
    """Who was shown something: for when it turns out to be wrong, or somebody else's.

    NHS numbers stand in the JSON alone. What a silent policy kept back was shown to nobody and is never listed.
    """
    trail, known = _open(config, privacy)
    begin, end = moment_from(since, "--from"), moment_from(until, "--to")
    found = read_affected(
        trail,
        _who(who, known),
        source=source,
        item=item,
        patient=nhs_number(nhs_number_from(patient)) if patient else None,
        since=begin,
        until=end,
        roles=_readers(known, privacy),
    )
    count, users = 0, set()
    for one in found:
        count += 1
        users.add(one.user)
        if as_json:
            click.echo(json.dumps({**asdict(one), "at": one.at.isoformat(), "items": len(one.items)}))
            continue
        glass = ", by break-glass" if one.relationship == "break-glass" else ""
        seal = "" if one.sealed else "  SEAL BROKEN"
        user = f"{one.name} ({one.role}, {one.organisation}{glass}), user {one.user}"
        said = f"{user}  {len(one.items)} items  entry {one.seq}, request {one.correlation_id}{seal}"
        click.echo(printable(f"{one.at:%Y-%m-%d %H:%M:%S}  {said}"))
    unseen = trail.unseen(since=begin, until=end)
    if as_json:
        click.echo(json.dumps({"showings": count, "users": len(users), "cannot_see": unseen}))
        return
    click.echo(f"{count} showings to {len(users)} users found in the trail.")
    click.echo("What this cannot see:")
    for sentence in unseen:
        click.echo(f"  - {sentence}")


@command.command("break-glass")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Configuration file.")
@click.option("--from", "since", help="From this date or time.")
@click.option("--to", "until", help="Until before this date or time.")
@click.option("--at-least", type=click.IntRange(min=1), default=1, help="Only users who used it as often as this.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@who_options
def break_glass(
    config: Path | None, since: str | None, until: str | None, at_least: int, as_json: bool, **who: Any
) -> None:
    """Which records were opened by break-glass, by whom and why, and who does it repeatedly.

    For the roles that `[privacy] readers` names; that you looked stands in the privacy officer's stream. NHS numbers
    stand in the JSON alone.
    """
    known = load_configuration(config or Path(DEFAULT_FILE), load_plugins())
    uses = read_break_glass(
        open_privacy_stream(known, EventStream([log_listener])),
        _who(who, known),
        since=moment_from(since, "--from"),
        until=moment_from(until, "--to"),
        at_least=at_least,
        roles=known.privacy.readers,
    )
    for one in uses:
        if as_json:
            click.echo(json.dumps({**asdict(one), "at": one.at.isoformat()}))
            continue
        said = f"{one.name} ({one.role}, {one.organisation}), user {one.user}  reason: {one.reason}"
        click.echo(printable(f"{one.at:%Y-%m-%d %H:%M:%S}  {said}  entry {one.seq}, request {one.correlation_id}"))
    if as_json:
        return
    repeated = {one.user: one for one in uses if one.by_user > 1}
    for user in sorted(repeated, key=lambda name: (-repeated[name].by_user, name)):
        people = len({one.patient for one in uses if one.user == user})
        click.echo(printable(f"REPEATED: {user} used it {repeated[user].by_user} times, for {people} people."))
    click.echo(f"{len(uses)} uses of break-glass.")


@command.command("purge")
@_trail_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(config: Path | None, privacy: bool, yes: bool) -> None:
    """Remove entries that are past their retention, leaving a seal that says how many went."""
    trail, known = _open(config, privacy)
    days = (known.privacy if privacy else known.audit).retention_days
    before = datetime.now(UTC) - timedelta(days=days)
    if not yes:
        click.confirm(f"Remove entries before {before:%Y-%m-%d} ({days} days)?", abort=True, err=True)
    click.echo(f"{trail.purge(before)} entries removed")


@command.command("reconcile")
@_trail_options
def reconcile(config: Path | None, privacy: bool) -> None:
    """Move entries that waited in the second sink into the store, once it works again."""
    trail, _ = _open(config, privacy)
    click.echo(f"{trail.reconcile()} entries moved into the store")


@command.command("accept-loss")
@_trail_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def accept_loss(config: Path | None, privacy: bool, yes: bool) -> None:
    """Go on with a store that has lost entries which the anchor knows of.

    First put back the newest copy of the store and `reconcile`. The loss stays a finding of every later `verify`.
    """
    trail, _ = _open(config, privacy)
    if not yes:
        click.confirm("Have the newest copy been put back, and the loss been reported?", abort=True, err=True)
    click.echo(f"{trail.accept_loss()} entries are recorded as lost")
