"""`mpftconnect demo`: four people across the supplier systems whose plugins are installed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from mpftconnect.adapters import Fault
from mpftconnect.cli.exits import Exit
from mpftconnect.cli.options import SANDBOX_USER
from mpftconnect.cli.output import check_writable
from mpftconnect.cli.progress import progress_listener
from mpftconnect.cli.summary import caution_mark, summary
from mpftconnect.errors import UsageError
from mpftconnect.fhir import dump_json
from mpftconnect.hub import Hub, Record, connect
from mpftconnect.hub.gap_lines import gap_lines
from mpftconnect.model import Encounter, format_nhs_number
from mpftconnect.plugins import PluginRegistry, load_plugins

__all__ = ["command"]


@dataclass(frozen=True, slots=True)
class _Chapter:
    """One person of the story.

    Args:
        role: Which of the synthetic people.
        title: What happens.
        silent: A system that is made to fail while this person is read.
    """

    role: str
    title: str
    silent: str | None = None


_STORY = (
    _Chapter("full", "Everybody knows a part: one record, one care plan, each line with its source"),
    _Chapter("conflicting", "Systems disagree, and the GP's system is silent", silent="gpconnect"),
    _Chapter("restricted", "A restricted person: nothing may say where she is"),
    _Chapter("cross-border", "Registered beyond the border, known to two regions' shared records"),
)
_SHOWN_IN_FULL = "full"
_HOSPITAL = "acute"


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Folder for the pages.",
)
def command(out: Path) -> None:
    """Read four synthetic people through the adapters, over HTTP, from twins of the installed supplier systems.

    A hospital's twin pushes its day, as HL7 v2 messages, before anybody is read; its laboratory falls silent at 14:02.

    Writes record.html (one self-contained page) and record.json (a FHIR R4 Bundle) of the first, a page of each of the
    others, and systems.html, which draws which system contributed what; tests a twin against the UK Core pack, with a
    fault switched on, and leaves that report in conformance/; verifies the audit trail, and stops all that it
    started. Nobody in it is real.
    """
    from mpftconnect.pages import record_page, systems_page
    from mpftconnect.sandbox import Sandbox, person

    started = time.monotonic()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out: the folder cannot be made ({type(error).__name__})") from None
    check_writable(out / "record.html")
    click.echo("DEMONSTRATION: synthetic people, twins in place of supplier systems. It says nothing of any product.\n")
    registry = load_plugins()
    told: list[tuple[_Chapter, Record]] = []
    with (
        Sandbox(registry, only=_systems(registry), faults=_faults(registry)) as sandbox,
        connect(sandbox=sandbox, listeners=(progress_listener(),), plugins=registry) as hub,
    ):
        click.echo("Twins: " + ", ".join(f"{s.name} ({s.configured.spec.product})" for s in hub.systems))
        for line in _feeds(hub):
            click.echo(line)
        for number, chapter in enumerate(_STORY, 1):
            click.echo(f"\n{number}. {chapter.title}")
            failing = sandbox.faults.get(chapter.silent or "")
            with failing.on(Fault.SERVER_ERROR) if failing else nullcontext():
                record = hub.record(person(chapter.role).nhs_number, SANDBOX_USER)
            told.append((chapter, record))
            click.echo(summary(record, most=2) if chapter.role == _SHOWN_IN_FULL else "\n".join(_tale(record)))
            if chapter.role == _SHOWN_IN_FULL:
                for line in _pushed(record):
                    click.echo(line)
        seen = hub.audit.verify()
    written = []
    for chapter, record in told:
        page = out / ("record.html" if chapter.role == _SHOWN_IN_FULL else f"record-{chapter.role}.html")
        page.write_text(record_page(record, demonstration=True), encoding="utf-8")
        written.append(page)
    drawn = systems_page([(f"{n}. {c.title}", record) for n, (c, record) in enumerate(told, 1)], demonstration=True)
    (out / "systems.html").write_text(drawn, encoding="utf-8")
    (out / "record.json").write_bytes(dump_json(told[0][1].to_fhir(), indent=True))
    click.echo("\nwrote " + ", ".join(str(path) for path in (*written, out / "systems.html", out / "record.json")))
    for line in _conformance(out / "conformance", registry):
        click.echo(line)
    click.echo(f"audit trail: {seen.entries} entries, {'intact' if seen.ok else 'NOT INTACT'}")
    click.echo(f"everything stopped; took {time.monotonic() - started:.1f} s")
    if not seen.ok:
        raise click.exceptions.Exit(Exit.NOT_MET)


def _conformance(folder: Path, registry: PluginRegistry) -> Iterator[str]:
    """A conformance run against a twin with a fault, so that its page shows what a failure looks like."""
    from mpftconnect.adapters.twin_transport import TwinTransport
    from mpftconnect.cli.conform_command import report_lines
    from mpftconnect.conformance.catalog import load_catalog
    from mpftconnect.conformance.demonstration import supplier_of_twin
    from mpftconnect.conformance.reporting.document import report_of
    from mpftconnect.conformance.reporting.folder import write_folder
    from mpftconnect.conformance.run import Run
    from mpftconnect.sandbox import PEOPLE

    spec = registry.twins.get("uk-core")
    if spec is None:
        yield "no conformance run: the twin uk-core is not installed"
        return
    twin = spec.build(PEOPLE)
    twin.faults.set("vital-sign-unit")
    catalog = load_catalog(registry)
    supplier = supplier_of_twin(spec, twin, "http://twin.invalid", PEOPLE)
    transport = TwinTransport(twin, "http://twin.invalid")
    result = Run(supplier, catalog.choose(["uk-core-r4"]), catalog.checks, transport=transport).go()
    document = report_of(result, catalog.checks, power=catalog.power, due=catalog.due)
    problems = write_folder(
        folder,
        document,
        supplier=result.supplier,
        exchanges=result.exchanges,
        preflight=[finding.as_dict() for finding in result.preflight],
        today=result.started.date().isoformat(),
        formats=[form for form in registry.report_formats.values() if form.always],
    )
    yield "\nA conformance run, against a twin with a fault switched on:"
    yield from (f"  {line}" for line in (*report_lines(document), *problems))
    yield f"wrote {folder / 'report.html'}"


def _systems(registry: PluginRegistry) -> list[str]:
    """Twins of supplier systems; the built-in synthetic one only where a single plugin would have to tell it all."""
    from mpftconnect.sandbox import default_twins

    suppliers = default_twins(registry, without="synthetic")
    answering = [name for name in suppliers if registry.twins[name].sends is None]
    return suppliers if len(answering) > 2 else default_twins(registry)


def _faults(registry: PluginRegistry) -> dict[str, list[str]]:
    return {_HOSPITAL: ["silent-feed"]} if _HOSPITAL in _systems(registry) else {}


def _feeds(hub: Hub) -> Iterator[str]:
    """What the hospital's feeds brought, and which of them is silent."""
    if hub.inbox is None:
        return
    now = datetime.now(UTC)
    for feed in hub.inbox.feeds():
        repeats = f", {feed.repeats} of them repeats" if feed.repeats else ""
        waiting = f", {feed.parked} parked" if feed.parked else ""
        silent = f"; OVERDUE, {feed.words(now)}" if feed.overdue else ""
        yield f"Feed {feed.feed}: {feed.total} messages{repeats}{waiting}{silent}"


def _pushed(record: Record) -> Iterator[str]:
    """What the hospital's day left in the record: corrected, withdrawn, admitted."""
    held = [item for item in record.items() if item.source.mode == "feed"]
    if held:
        yield f"  Pushed by {', '.join(sorted({item.source.system for item in held}))}:"
    for item in held:
        if item.withdrawn:
            yield f"    withdrawn: {item.words()} ({item.withdrawn}){caution_mark(item)}"
        elif getattr(item, "status", None) == "corrected":
            yield f"    corrected: {item.words()}{caution_mark(item)}"
        elif isinstance(item, Encounter):
            where = ", ".join(place.words() for place in item.location)
            yield f"    {item.status}: {item.words()}{f', {where}' if where else ''}"


def _tale(record: Record) -> Iterator[str]:
    """What the SDK did with this person, in a few lines: the whole stands on the pages."""
    patient = record.patient
    number = f"NHS {format_nhs_number(patient.nhs_number)}" if patient.nhs_number else "no NHS number"
    yield f"  {patient.words()}   {number}; {sum(1 for _ in record.items())} items"
    if record.is_restricted:
        yield "  ! Restricted person: nothing that could reveal a location is shown."
    for gap in gap_lines(record.gaps):
        yield f"  {'-' if gap.is_standing else '!'} {gap.words()}"
    for apart in record.unmatched:
        yield f"  ! Set apart: {apart.system} ({apart.text})."
    for conflict in record.conflicts:
        yield f"  ! {conflict.text} ({', '.join(conflict.systems)})"
    for name, section in record.sections.items():
        if len(section):
            said = "; ".join(dict.fromkeys(item.words() for item in section.items[:3]))
            more = f"; and {len(section) - 3} more" if len(section) > 3 else ""
            mark = next((mark for item in section if (mark := caution_mark(item))), "")
            yield f"  {name.replace('_', ' ').capitalize()}: {said}{more}{mark}"
