"""`mpftconnect hl7 map`."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.output import printable
from mpftconnect.errors import MessageUnreadable, UsageError

__all__ = ["command"]

_KINDS = (".hl7", ".er7", ".txt")
# Rule 16 lets patient data go where it is asked for. This command is that question, and says so.
ASKED_FOR = "mpftconnect: this prints patient data, because you asked for it. Viewing is not acknowledging."


@dataclass(frozen=True, slots=True)
class _Read:
    name: str
    number: int
    raw: bytes | None
    problem: str | None = None


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    if path == "-":
        yield sys.stdin.buffer
        return
    with Path(path).open("rb") as stream:
        yield stream


def _files(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        if path != "-" and Path(path).is_dir():
            yield from (
                str(inner)
                for inner in sorted(Path(path).rglob("*"))
                if inner.is_file() and inner.name.lower().endswith(_KINDS) and not inner.name.startswith(".")
            )
        else:
            yield path


def _messages(paths: Iterable[str]) -> Iterator[_Read]:
    from mpftconnect.hl7v2 import read_messages

    for name in _files(paths):
        try:
            with _opened(name) as stream:
                for part in read_messages(stream):
                    if part.trouble is not None:
                        yield _Read(name, part.number, None, f"{part.trouble.place}: {part.trouble.rule}")
                    else:
                        yield _Read(name, part.number, part.raw)
        except OSError:
            yield _Read(name, 0, None, "cannot be read")


@click.command("map")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--fhir", is_flag=True, help="A FHIR R4 Bundle a message, instead of its changes.")
@click.option("--site", "site_file", metavar="FILE", type=click.Path(dir_okay=False), help="What is agreed (TOML).")
@click.option(
    "--ledger",
    type=click.Choice(["text", "json", "csv"]),
    help="Instead of items: what became of every field, in total. Holds no patient value.",
)
def command(paths: tuple[str, ...], fhir: bool, site_file: str | None, ledger: str | None) -> None:
    """Map HL7 v2 messages to items: files, folders, batches, or - for standard input. One line of JSON a message.

    Prints patient data, unless it is asked for the ledger. Exit code 0: all of every message was mapped; 1: a message
    cannot be read; 2: this call or the site file needs mending; 3: something was parked.
    """
    from mpftconnect.fhir import dump_json
    from mpftconnect.hl7v2 import Total, map_message, parse, read_site
    from mpftconnect.hl7v2.bundle import to_bundle
    from mpftconnect.hl7v2.change_text import change_json

    if fhir and ledger:
        raise UsageError("--fhir and --ledger ask for different things: give one of them")
    site = read_site(site_file) if site_file else None
    total = Total()
    unreadable = parked = anything = False
    if ledger is None:
        click.echo(ASKED_FOR, err=True)
    for one in _messages(paths):
        where = f"{printable(one.name)}#{one.number}"
        try:
            message = parse(one.raw) if one.raw is not None else None
        except MessageUnreadable as fault:
            message, problem = None, str(fault)
        else:
            problem = one.problem or ""
        if message is None:
            unreadable = True
            click.echo(f"mpftconnect: {where}: {problem}", err=True)
            continue
        anything = True
        mapped = map_message(message, site)
        for kept in mapped.parked:
            parked = True
            click.echo(f"mpftconnect: {where}: parked: {kept.location}: {kept.reason} ({kept.code})", err=True)
        if ledger is not None:
            total.add(mapped.ledger)
        elif fhir:
            click.echo(dump_json(to_bundle([mapped])))
        else:
            changes = [change_json(change) for change in mapped.changes]
            waiting = [{"code": kept.code, "location": kept.location, "reason": kept.reason} for kept in mapped.parked]
            line = {"message": one.number, "file": one.name, "changes": changes, "parked": waiting}
            click.echo(json.dumps(line))
    if ledger is not None:
        click.echo(_LEDGERS[ledger](total), nl=False)
    if not (anything or unreadable):
        raise UsageError("no message in these paths")
    if unreadable:
        raise click.exceptions.Exit(Exit.NOT_MET)
    if parked:
        raise click.exceptions.Exit(Exit.UNDECIDED)


_COLUMNS = ("mapped", "defaulted", "extra", "dropped", "parked", "written-back")


def _text(total: object) -> str:
    from mpftconnect.hl7v2 import Total

    assert isinstance(total, Total)  # noqa: S101 - for the type checker
    width = 13
    lines = [f"{total.messages:,} messages, {total.leaves:,} populated fields (sub-components)"]
    lines.append("segment " + "".join(f"{name:>{width}}" for name in _COLUMNS))
    for segment, counts in total.by_segment().items():
        lines.append(f"{printable(segment):<8}" + "".join(f"{counts[name]:>{width},}" for name in _COLUMNS))
    lines += [f"{outcome} because: {why}: {count:,}" for (outcome, why), count in sorted(total.why.items())]
    figure, of_mapped = total.round_trip, total.round_trip_of_mapped
    if figure is not None:
        lines.append(f"Round trip: {figure:.2%} of the fields can be written back from the items and changes.")
    if of_mapped is not None:
        lines.append(f"Of the fields that were not parked: {of_mapped:.2%}.")
    return "\n".join(lines) + "\n"


def _json(total: object) -> str:
    from mpftconnect.hl7v2 import Total

    assert isinstance(total, Total)  # noqa: S101 - for the type checker
    document = {
        "messages": total.messages,
        "leaves": total.leaves,
        "roundTrip": total.round_trip,
        "roundTripOfMapped": total.round_trip_of_mapped,
        "segments": total.by_segment(),
        "fields": [
            {"field": field, "outcome": outcome, "count": count}
            for (field, outcome), count in sorted(total.fields.items())
        ],
        "why": [
            {"outcome": outcome, "why": why, "count": count} for (outcome, why), count in sorted(total.why.items())
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def _csv(total: object) -> str:
    from mpftconnect.hl7v2 import Total

    assert isinstance(total, Total)  # noqa: S101 - for the type checker
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(("field", *_COLUMNS[:-1]))
    for field in sorted({field for field, _ in total.fields}):
        rows.writerow((field, *(total.fields[field, name] for name in _COLUMNS[:-1])))
    return out.getvalue()


_LEDGERS = {"text": _text, "json": _json, "csv": _csv}
