"""`mpftconnect conform packs`, `show`, `coverage` and `power`: what there is to be met, and how well it is checked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.output import write_private

if TYPE_CHECKING:
    from mpftconnect.conformance.catalog import Catalog
    from mpftconnect.conformance.power.mutations import MutationPower
    from mpftconnect.conformance.power.named import NamedPower
    from mpftconnect.conformance.power.survivors import Classes, SurvivorClass
    from mpftconnect.conformance.requirement import Requirement

__all__ = ["coverage", "packs", "power", "show"]


def _catalog() -> Catalog:
    from mpftconnect.conformance.catalog import load_catalog
    from mpftconnect.plugins import load_plugins

    return load_catalog(load_plugins())


@click.command("packs")
def packs() -> None:
    """List the packs and presets that are installed."""
    catalog = _catalog()
    for pack in catalog.packs.values():
        click.echo(f"{pack.name}  {pack.revision}  {pack.title}: {len(pack.requirements)} requirements")
        click.echo(f"  {pack.standard.title}, {pack.standard.version}, {pack.standard.publisher}, {pack.standard.date}")
    for name, title in sorted(catalog.presets.items()):
        click.echo(f"preset {name}: {title}")


@click.command("show")
@click.argument("requirement", metavar="ID")
def show(requirement: str) -> None:
    """Show a requirement (uk-core-r4#2 or UKC-02) or a pack, with source, hazard and how it is verified."""
    catalog = _catalog()
    if requirement in catalog.packs:
        pack = catalog.packs[requirement]
        click.echo(f"{pack.name} {pack.revision}: {pack.title}\n{pack.summary}")
        for each in pack.requirements:
            click.echo(f"  {each.ref}  {each.level:6}  {each.severity:8}  {each.title}")
        for erratum in pack.errata:
            click.echo(f"  erratum {erratum.id} ({erratum.date}): {erratum.requirement}: {erratum.text}")
        return
    for line in _lines(catalog.requirement(requirement), catalog):
        click.echo(line)


def _lines(requirement: Requirement, catalog: Catalog) -> list[str]:
    source = requirement.source
    check = catalog.checks.get(requirement.id)
    lines = [
        f"{requirement.id} ({requirement.ref}): {requirement.title}",
        f"  {requirement.text}",
        f"  level {requirement.level}, severity {requirement.severity}"
        + (", advisory" if requirement.advisory else ""),
        f"  source: {source.document}, {source.section}, {source.date} {source.url}".rstrip(),
        f"  hazard: {requirement.hazard}",
        f"  verified by: {requirement.verified_by}",
    ]
    if requirement.limits:
        lines.append(f"  not seen by it: {requirement.limits}")
    if requirement.not_tested_because:
        lines.append(f"  not tested because: {requirement.not_tested_because}")
    if requirement.needs:
        lines.append(f"  needs: {', '.join(requirement.needs)}")
    if check is not None:
        if check.people:
            lines.append(f"  asks about: {', '.join(check.people)}")
        if check.writes:
            lines.append("  changes something: needs allow_writes")
        if check.may_write:
            lines.append("  changes something where allow_writes is set, and sees less where it is not")
        lines.append(
            f"  must catch: {', '.join(f'{c.fault} ({c.twin})' for c in check.catches) or 'no fault is named'}"
        )
    return lines


@click.command("coverage")
@click.argument("pack", required=False)
@click.option("--format", "form", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True)
def coverage(pack: str | None, form: str) -> None:
    """How every requirement is verified: the strength of each, and why the untested are not tested. No blank."""
    from mpftconnect.spreadsheet import csv_lines

    catalog = _catalog()
    chosen = [catalog.pack(pack)] if pack else list(catalog.packs.values())
    rows = [
        (
            *(r.id, r.ref, str(r.level), str(r.severity), str(r.verified_by), "yes" if r.advisory else "no"),
            *(
                len(catalog.checks[r.id].catches) if r.id in catalog.checks else 0,
                r.limits or r.not_tested_because,
                r.title,
            ),
        )
        for each in chosen
        for r in each.requirements
    ]
    header = ("id", "ref", "level", "severity", "verified by", "advisory", "faults caught", "limits", "title")
    if form == "csv":
        click.echo("".join(csv_lines(header, rows)), nl=False)
    elif form == "json":
        click.echo(json.dumps([dict(zip(header, row, strict=True)) for row in rows], indent=2, ensure_ascii=False))
    else:
        for id_, ref, level, _, how, advisory, faults, limits, title in rows:
            mark = " (advisory)" if advisory == "yes" else ""
            click.echo(f"{id_:16} {ref:8} {level:6} {how:12} {faults:2} faults  {title}{mark}")
            if limits:
                click.echo(f"{'':16} {limits}")
        counted = Counter(row[4] for row in rows)
        click.echo(f"{len(rows)} requirements: " + ", ".join(f"{number} {how}" for how, number in counted.items()))


@click.command("power")
@click.argument("pack")
@click.option("--mutants", type=click.IntRange(0, 100_000), default=100_000, help="How many to try at most; else all.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--write", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures for reports to quote."
)
@click.option("--quiet", is_flag=True, help="No progress on standard error.")
def power(pack: str, mutants: int, form: str, write: Path | None, quiet: bool) -> int:
    """How much the checks of a pack catch: faults that they name, and changes made by operators that know no check.

    What no check notices is sorted into the classes of the pack, each with its reason.

    Exit code 1: a named fault is not caught, the clean twin raises an alarm, or a change that nothing notices is of no
    class.
    """
    from mpftconnect.conformance.catalog import load_catalog
    from mpftconnect.conformance.power.mutations import mutation_power
    from mpftconnect.conformance.power.named import named_power, twin_run
    from mpftconnect.conformance.power.survivors import read_classes
    from mpftconnect.plugins import load_plugins

    def tell(text: str) -> None:
        if not quiet:
            click.echo(f"  {text}", err=True)

    registry = load_plugins()
    catalog = load_catalog(registry)
    catalog.pack(pack)
    classes = read_classes(registry.packs[pack].survivors)
    named = named_power(registry, catalog, pack, tell=tell)
    chosen = catalog.choose([pack])
    twins = {
        catch.twin for r in chosen.requirements if r.id in catalog.checks for catch in catalog.checks[r.id].catches
    }
    mutated = {
        twin: mutation_power(twin_run(registry.twins[twin], chosen, catalog), catalog, most=mutants, tell=tell)
        for twin in sorted(twins)
    }
    figures = {twin: figure.as_dict(classes) for twin, figure in mutated.items()}
    if write is not None:
        write_private(write, json.dumps(_figures(catalog, pack, named, figures), indent=1, ensure_ascii=False) + "\n")
    if form == "json":
        told = {"pack": pack, "named": named.as_dict(), "mutations": figures}
        click.echo(json.dumps(told, indent=2))
    else:
        caught, of = named.caught
        click.echo("DEMONSTRATION: says nothing about any product")
        click.echo(f"named faults caught: {caught} of {of}; false alarms: {len(named.false_alarms)}")
        for row in named.wrong:
            click.echo(f"  {row.requirement} on {row.state}: {row.got}, expected {row.expected}")
        for name in named.without_fault:
            click.echo(f"  {name} names no fault")
        for twin, figure in mutated.items():
            click.echo(f"{twin}: {figure.noticed} of {figure.tried} mutants noticed ({figure.made} could be made)")
            for line in _survivors(figure, classes):
                click.echo(line)
    new = any(figure["without_class"] for figure in figures.values())
    return Exit.NOT_MET if named.wrong or new else Exit.DONE


def _survivors(figure: MutationPower, classes: Classes) -> Iterator[str]:
    """Every kind of change that survived, under its class."""
    from mpftconnect.conformance.power.survivors import WHY

    by_class: dict[SurvivorClass | None, Counter[str]] = {}
    for (change, step), number in figure.survived.items():
        by_class.setdefault(classes.of(change, step), Counter())[change] += number
    for each in (*classes.classes, None):
        changes = by_class.get(each)
        if changes is None:
            continue
        if each is None:
            yield f"  without class ({changes.total()}): mend a check, or name a class in the pack's survivors file"
        else:
            yield f"  {each.name} ({changes.total()}), {WHY[each.why]}: {each.reason}"
        for change, number in sorted(changes.items()):
            yield f"    not noticed: {change} ({number} of {figure.tried_of[change]})"


def _figures(
    catalog: Catalog, pack: str, named: NamedPower, mutated: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The figures without the list of single changes, bound to the pack and the checks on which they were measured."""
    from mpftconnect.conformance.reporting.digests import judge_digests

    checks = [check for check in catalog.checks.values() if check.pack == pack]
    return {
        "revision": catalog.packs[pack].revision,
        "pack_digest": catalog.packs[pack].digest,
        "checks_digest": judge_digests(checks, ())["checks"],
        "named": named.as_dict(),
        "mutations": {
            twin: {name: number for name, number in figure.items() if name != "survivors"}
            for twin, figure in mutated.items()
        },
    }
