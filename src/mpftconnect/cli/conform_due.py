"""`mpftconnect conform due`: what runs out."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.output import printable
from mpftconnect.errors import UsageError

__all__ = ["due"]


@click.command("due")
@click.argument("path", metavar="SUPPLIER|REPORT", default=Path("supplier.toml"), type=click.Path(path_type=Path))
@click.option("--days", type=click.IntRange(0, 36_500), default=90, show_default=True, help="How far to look ahead.")
@click.option("--pack", "names", multiple=True, help="Whose requirements are looked at. [default: all; the report's]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def due(path: Path, days: int, names: tuple[str, ...], as_json: bool) -> int:
    """What has run out, or will: documents, exceptions, a report's signature, days that a standard names.

    Looks at a supplier.toml, or at a report's folder. Exit code 1: something has, or will within so many days. 3:
    the last day of a document, an exception or a signature is not known.
    """
    from mpftconnect.conformance.catalog import load_catalog
    from mpftconnect.conformance.due import Due, due_documents, due_exceptions, due_requirements, due_signature, is_day
    from mpftconnect.conformance.reporting.folder import read_folder
    from mpftconnect.conformance.signing.attestation import FILE
    from mpftconnect.conformance.signing.envelope import read_sealed, unseal
    from mpftconnect.conformance.supplier_file import read_supplier
    from mpftconnect.plugins import load_plugins

    catalog = load_catalog(load_plugins())
    today = datetime.now(UTC).date()
    found: list[Due] = []
    unseen: list[str] = []
    if path.is_dir():
        stored = read_folder(path)
        files = stored.files
        asked = [
            (r["id"], str(r["exception"].get("expires", ""))) for r in stored.report["results"] if "exception" in r
        ]
        names = names or tuple(row["name"] for row in stored.report["packs"] if row["name"] in catalog.packs)
        if (path / FILE).is_file():
            try:
                predicate = unseal(read_sealed(path / FILE), {}, name=FILE).statement.get("predicate")
                said = predicate if isinstance(predicate, dict) else {}
                found += due_signature(said, today, days)
                unseen += [] if is_day(said.get("expires")) else ["signature: its last day is not known"]
            except UsageError as error:
                unseen.append(str(error))
    else:
        supplier = read_supplier(path)
        files = supplier.files
        asked = [(each.requirement, each.expires) for each in supplier.exceptions]
    packs = [catalog.pack(name) for name in names] or list(catalog.packs.values())
    found += due_documents(files, catalog.due, today, days)
    found += due_exceptions(asked, today, days)
    found += due_requirements((r for pack in packs for r in pack.requirements), today, days)
    unseen += [f"exception: {name}: its last day is not known" for name, day in asked if not is_day(day)]
    unseen += [
        f"{each.kind}: {each.name}: its last day is not known"
        for rows in files.values()
        for each in rows
        if not is_day(catalog.due(each))
    ]
    for one in sorted(found, key=lambda each: (each.on, each.kind, each.name)):
        row = {**asdict(one), "on": one.on.isoformat()}
        click.echo(json.dumps(row, ensure_ascii=False) if as_json else printable(one.words()))
    for sentence in unseen:
        click.echo(f"mpftconnect: {printable(sentence)}", err=True)
    if not found and not as_json:
        click.echo(f"Nothing that is known runs out within {days} days.")
    if found:
        return Exit.NOT_MET
    return Exit.UNDECIDED if unseen else Exit.DONE
