"""`mpftconnect hl7 queue`, `links`, `purge` and `erase`: what a person has to decide, and what goes for good."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar
from uuid import uuid4

import click

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.hl7_opening import Place, opened, store_options
from mpftconnect.cli.options import nhs_number_from, who_from, who_options
from mpftconnect.cli.output import printable
from mpftconnect.errors import AccessRefused, MessageUnreadable, UsageError
from mpftconnect.events import EventStream, log_listener
from mpftconnect.governance.audit import AuditRecord, Shown
from mpftconnect.hl7v2 import parse
from mpftconnect.hub.trails import open_trail
from mpftconnect.inbox import Entry
from mpftconnect.model import AccessContext, nhs_number

__all__ = ["add_to"]

F = TypeVar("F", bound=Callable[..., Any])
_Did = Literal["read", "write", "identity-unlink"]
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
# Characters of a link's id that are needed to name it.
_SHORTEST = 4


def add_to(group: click.Group) -> None:
    """Add these commands to the group `hl7`."""
    for command in (queue, links, purge, erase):
        group.add_command(command)


@contextmanager
def _accountable(
    config: Path | None, store: Path | None, given: dict[str, Any]
) -> Iterator[tuple[Place, AccessContext, Callable[..., None]]]:
    """The inbox, who asks, and the trail: without all three nothing of a patient is shown and nothing is decided."""
    with opened(config, store) as place:
        known = place.configuration
        if known is None:
            raise UsageError("this is written to the audit trail: give the whole configuration of a hub with --config")
        who = who_from({**given, "relationship": given.get("relationship") or "feed"}, known.who, sandbox=False)
        trail = open_trail(known, EventStream([log_listener]))

        def account(
            action: Literal["read", "write", "identity-unlink"], *, patient: str | None = None, **more: Any
        ) -> None:
            trail.append(
                AuditRecord(
                    action=action,
                    outcome="success",
                    who=who,
                    patient=patient,
                    correlation_id=str(uuid4()),
                    at=datetime.now(UTC),
                    **more,
                )
            )

        yield place, who, account


def _entry(place: Place, number: int) -> Entry:
    entry = place.inbox.store.entry(number)
    if entry is None:
        raise UsageError("there is no message of that number")
    return entry


@click.group("queue")
def queue() -> None:
    """Messages that are parked or wait to be processed."""


@queue.command("list")
@click.option("--feed", help="Only this feed.")
@_JSON
@store_options
def list_(store: Path | None, config: Path | None, feed: str | None, as_json: bool) -> None:
    """List them by number and control id; nothing of a patient."""
    count = 0
    with opened(config, store) as place:
        if feed is not None and feed not in (known := {each.feed for each in place.inbox.feeds()}):
            raise UsageError(f"no such feed: there is {', '.join(sorted(known)) or 'none'}")
        for entry in place.inbox.store.entries(["received", "parked"], feed=feed):
            count += 1
            said = {
                "number": entry.seq,
                "feed": entry.feed,
                "at": entry.at.isoformat(timespec="seconds"),
                "state": entry.state,
                "reason": entry.reason,
                "type": entry.kind,
                "control_id": entry.control_id,
                "bytes": entry.size,
                "repeats": entry.repeats,
            }
            if as_json:
                click.echo(json.dumps(said))
            else:
                why = f" ({entry.reason})" if entry.reason else ""
                words = (
                    f"{entry.seq:>8}  {said['at']}  {entry.feed}  {entry.kind}  {entry.control_id}  {entry.state}{why}"
                )
                click.echo(printable(words))
    if not as_json:
        click.echo(f"{count} messages.")


def _number(function: F) -> F:
    return click.argument("number", metavar="NUMBER", type=click.IntRange(1))(function)


@queue.command("show")
@_number
@click.option("--with-patient-data", is_flag=True, help="Print the message itself. It is written to the audit trail.")
@store_options
@who_options
def show(store: Path | None, config: Path | None, number: int, with_patient_data: bool, **who: Any) -> None:
    """One message: where it stands, and with --with-patient-data its content."""
    if not with_patient_data:
        with opened(config, store) as open_place:
            click.echo(printable(_standing(_entry(open_place, number))))
        return
    with _accountable(config, store, who) as (open_place, _, account):
        entry = _entry(open_place, number)
        # Written before it is shown.
        account("read", patient=entry.person, shown=(Shown(entry.feed, (f"message/{entry.seq}",)),))
        click.echo(printable(_standing(entry)))
        for line in _text(entry.body or b"").replace("\n", "\r").split("\r"):
            click.echo(printable(line))


def _text(body: bytes) -> str:
    """As its own character set has it, so that a name reads as it was sent; one that cannot be read, byte by byte."""
    try:
        return parse(body).text.encode("utf-8", "backslashreplace").decode()
    except MessageUnreadable:
        return body.decode("latin-1")


def _standing(entry: Entry) -> str:
    why = f" ({entry.reason})" if entry.reason else ""
    return (
        f"message {entry.seq} of {entry.feed}, {entry.kind}, control id {entry.control_id}, {entry.size} bytes, "
        f"received {entry.at:%Y-%m-%d %H:%M:%S} UTC: {entry.state}{why}"
    )


def _decide(store: Path | None, config: Path | None, number: int, to: str, who: dict[str, Any]) -> None:
    reason = who.get("reason") or str(click.prompt("Reason", err=True))
    with _accountable(config, store, who) as (open_place, _, account):
        entry = _entry(open_place, number)
        if entry.state != "parked":
            raise UsageError("only a parked message can be released or discarded")
        account(
            "write",
            patient=entry.person,
            decision=(("queue", to), ("message", str(number)), ("why-parked", entry.reason or ""), ("reason", reason)),
        )
        done = open_place.inbox.release(number, reason) if to == "release" else open_place.inbox.discard(number, reason)
    if not done:
        raise UsageError("somebody else was quicker: it is not parked any more")
    click.echo("It will be processed." if to == "release" else "Discarded.")


@queue.command("release")
@_number
@store_options
@who_options
def release(store: Path | None, config: Path | None, number: int, **who: Any) -> None:
    """Have a parked message processed again; its own NHS number is then believed. The reason is asked for."""
    _decide(store, config, number, "release", who)


@queue.command("discard")
@_number
@store_options
@who_options
def discard(store: Path | None, config: Path | None, number: int, **who: Any) -> None:
    """Settle a parked message as one that changes nothing. The reason is asked for."""
    _decide(store, config, number, "discard", who)


@click.group("links")
def links() -> None:
    """Merges, moves and links between people, by their senders."""


@links.command("list")
@_JSON
@store_options
def list_links(store: Path | None, config: Path | None, as_json: bool) -> None:
    """List them, and what is proposed to be undone."""
    with opened(config, store) as place:
        rows = place.inbox.links()
        proposed = {one.link: one for one in place.inbox.store.proposals()}
    for row in rows:
        by = proposed[row.id].user if row.id in proposed else None
        if as_json:
            said = {"id": row.id, "system": row.system, "kind": row.kind, "state": row.state, "message": row.seq}
            click.echo(json.dumps({**said, "undoing_proposed_by": by}))
        else:
            waits = f"; {by} proposes to undo it" if by else ""
            click.echo(printable(f"{row.id}  {row.system}  {row.kind}  message {row.seq}  {row.state}{waits}"))
    if not as_json:
        click.echo(f"{len(rows)} merges, moves and links.")


@links.command("undo")
@click.argument("link")
@store_options
@who_options
def undo(store: Path | None, config: Path | None, link: str, **who: Any) -> None:
    """Propose that a merge or move was wrong. It stands until somebody else approves. The reason is asked for."""
    reason = who.get("reason") or str(click.prompt("Reason", err=True))
    with _accountable(config, store, who) as (open_place, asking, account):
        _permitted(open_place, asking, "proposers")
        id = _in_force(open_place, link)
        # Written before it holds: what cannot be accounted for is not done.
        account("identity-unlink", decision=(("step", "propose"), ("link", id), ("reason", reason)))
        open_place.inbox.propose_undoing(id, asking.user, reason)
    click.echo(f"proposed; somebody else must now: mpftconnect hl7 links approve {id}")


@links.command("approve")
@click.argument("link")
@store_options
@who_options
def approve(store: Path | None, config: Path | None, link: str, **who: Any) -> None:
    """Approve what somebody else proposed: the merge or move holds no longer, from the next read on."""
    with _accountable(config, store, who) as (open_place, asking, account):
        _permitted(open_place, asking, "approvers")
        id = _in_force(open_place, link)
        proposer = {one.link: one.user for one in open_place.inbox.store.proposals()}.get(id)
        if proposer is not None and _folded(proposer) != _folded(asking.user):
            # Written before it holds. What the inbox refuses, below, is no approval to account for.
            account("identity-unlink", decision=(("step", "approve"), ("link", id)))
        parked = open_place.inbox.approve_undoing(id, asking.user)
    click.echo(f"undone; {parked} messages that relied on it are parked")


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _in_force(place: Place, beginning: str) -> str:
    """The id of the merge or move that is meant; its first characters are enough where they are no other's."""
    found = [row.id for row in place.inbox.links() if row.state == "in-force" and row.id.startswith(beginning.lower())]
    if len(found) > 1:
        raise UsageError("several merges or moves have an id that begins so: give more of it")
    if not found or len(beginning) < _SHORTEST:
        raise UsageError("no merge or move of that id is in force: mpftconnect hl7 links list shows them")
    return found[0]


def _permitted(place: Place, who: AccessContext, which: Literal["proposers", "approvers"]) -> None:
    known = place.configuration
    allowed = getattr(known.identity, which) if known else ()
    if "any" not in allowed and _folded(who.role) not in {each.casefold() for each in allowed}:
        raise AccessRefused("role-not-allowed", f"[identity] {which} does not name this role")


@click.command("purge")
@click.option("--yes", is_flag=True, help="Do not ask.")
@store_options
@who_options
def purge(store: Path | None, config: Path | None, yes: bool, **who: Any) -> None:
    """Remove settled messages whose retention is over, and what nothing newer changed. What is parked stays."""
    with _accountable(config, store, who) as (place, _, account):
        known = place.configuration
        days = known.inbox.settings.retention_days if known and known.inbox else 400
        before = datetime.now(UTC) - timedelta(days=days)
        heard = [feed.heard for feed in place.inbox.feeds() if feed.heard]
        if yes and heard and max(heard) < before:
            raise UsageError(
                "nothing came for longer than messages are kept, so all would go: is the clock of this machine right? "
                "If it is, run this without --yes"
            )
        if not yes:
            click.confirm(f"Remove what was received before {before:%Y-%m-%d} ({days} days)?", abort=True, err=True)
        account("write", decision=(("inbox", "purge"), ("before", before.isoformat())))
        gone = place.inbox.store.purge(before)
        left = sum(1 for entry in place.inbox.store.entries(["parked"]) if entry.at < before)
    click.echo(f"{gone} messages removed")
    if left:
        click.echo(f"{left} older messages are parked and stay until somebody settles them", err=True)


@click.command("erase")
@click.argument("nhs_number_", metavar="[NHSNO|-]", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@store_options
@who_options
def erase(nhs_number_: str | None, store: Path | None, config: Path | None, yes: bool, **who: Any) -> int:
    """Remove every message and projection of one person, from free pages and the write-ahead log too."""
    number = nhs_number(nhs_number_from(nhs_number_))
    with _accountable(config, store, who) as (place, _, account):
        if not yes:
            click.confirm("Remove everything of this person from the inbox?", abort=True, err=True)
        account("write", patient=number, decision=(("inbox", "erase"),))
        gone = place.inbox.store.erase(number)
    click.echo(f"{gone} messages removed; what backups hold is not")
    return Exit.DONE
