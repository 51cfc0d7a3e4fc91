"""`mpftconnect governance`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.options import DEFAULT_FILE, moment_from, who_from, who_options
from mpftconnect.cli.output import printable, write_private_lines
from mpftconnect.errors import DecisionsUnsound, UsageError
from mpftconnect.events import EventStream, log_listener
from mpftconnect.governance import register as registers
from mpftconnect.governance.audit_event import EMERGENCY
from mpftconnect.governance.audit_query import read_audit
from mpftconnect.governance.due import Due, due_agreements, due_certificates, due_proposals
from mpftconnect.hub import Configuration, load_configuration
from mpftconnect.hub.registered import configured_places, connected_systems
from mpftconnect.hub.trails import open_identities, open_privacy_stream, open_trail, shown_systems
from mpftconnect.model import DEFAULT_ZONE
from mpftconnect.plugins import load_plugins
from mpftconnect.spreadsheet import csv_lines

__all__ = ["command"]


@click.group("governance")
def command() -> None:
    """Registers for information governance, and what runs out."""


def _config_option(function: Any) -> Any:
    file = click.Path(path_type=Path, dir_okay=False)
    return click.option("--config", type=file, help=f"Configuration file. [default: {DEFAULT_FILE}]")(function)


def _load(config: Path | None) -> Configuration:
    return load_configuration(config or Path(DEFAULT_FILE), load_plugins())


@command.command("register")
@_config_option
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for the files.")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@click.option("--from", "since", help="Disclosures from this date or time (UTC unless it has an offset).")
@click.option("--to", "until", help="Disclosures until before this date or time.")
@who_options
def register(config: Path | None, out: Path, form: str, since: str | None, until: str | None, **who: Any) -> None:
    """Write the registers: agreements, Caldicott log, information assets. They hold no patient value.

    For roles that may read both trails (`[audit]` and `[privacy] readers`); that you did stands in both.
    """
    known = _load(config)
    context = who_from({**who, "relationship": who.get("relationship") or "audit"}, known.who, sandbox=False)
    begin, end = moment_from(since, "--from"), moment_from(until, "--to")
    events = EventStream([log_listener])
    # Both are asked before anything is written.
    trail = read_audit(open_trail(known, events), context, roles=known.audit.readers, since=begin, until=end)
    private = open_privacy_stream(known, events)
    stream = read_audit(private, context, roles=known.privacy.readers, since=begin, until=end, containing=EMERGENCY)
    systems = connected_systems(known)
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be made ({type(error).__name__})") from None
    for name, header, rows in (
        ("agreements", registers.AGREEMENTS, registers.agreement_rows(systems, _today())),
        ("caldicott-log", registers.DISCLOSURES, registers.disclosure_rows(trail, stream)),
        ("asset-register", registers.ASSETS, registers.asset_rows(configured_places(known), systems)),
    ):
        path = out / f"{name}.{form}"
        counted = _Counted(rows)
        write_private_lines(path, csv_lines(header, counted) if form == "csv" else _json_lines(header, counted))
        click.echo(f"{path}: {counted.count} rows")


class _Counted:
    def __init__(self, rows: Iterable[Sequence[object]]) -> None:
        self._rows, self.count = rows, 0

    def __iter__(self) -> Iterator[Sequence[object]]:
        for row in self._rows:
            self.count += 1
            yield row


def _json_lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    before = "[\n"
    for row in rows:
        yield before + json.dumps(dict(zip(header, row, strict=True)))
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


@command.command("due")
@_config_option
@click.option("--days", type=click.IntRange(min=0), default=90, show_default=True, help="How far to look ahead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def due(config: Path | None, days: int, as_json: bool) -> None:
    """What has run out, or will: sharing agreements, client certificates, identity proposals.

    Exit code 1: something has, or will within so many days. 3: something could not be looked at.
    """
    known = _load(config)
    today = _today()
    found: list[Due] = list(due_agreements(connected_systems(known), today, days))
    unseen = []
    certificates = [
        (system.name, known.path(system.settings.client_certificate))
        for system in shown_systems(known)
        if system.settings.client_certificate
    ]
    try:
        found += due_certificates(certificates, today, days) if certificates else ()
    except ImportError:
        unseen.append("client certificates were not looked at: pip install mpftconnect[jwt]")
    except (ValueError, OSError) as error:
        unseen.append(f"a client certificate cannot be read ({type(error).__name__})")
    try:
        events = EventStream([log_listener])
        proposals = open_identities(known, open_trail(known, events), events).open_proposals()
        found += due_proposals(proposals, today, days)
    except DecisionsUnsound as error:
        unseen.append(str(error))
    for one in sorted(found, key=lambda each: (each.on, each.name)):
        row = {**asdict(one), "on": one.on.isoformat()}
        click.echo(json.dumps(row) if as_json else printable(one.words()))
    for sentence in unseen:
        click.echo(f"mpftconnect: {sentence}", err=True)
    if not found and not as_json:
        click.echo(f"Nothing runs out within {days} days.")
    if unseen:
        raise click.exceptions.Exit(Exit.UNDECIDED)
    if found:
        raise click.exceptions.Exit(Exit.NOT_MET)


def _today() -> date:
    return datetime.now(ZoneInfo(DEFAULT_ZONE)).date()
