"""`mpftconnect conform`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mpftconnect.cli.conform_due import due
from mpftconnect.cli.conform_init import init
from mpftconnect.cli.conform_packs import coverage, packs, power, show
from mpftconnect.cli.conform_patients import patients
from mpftconnect.cli.exits import Exit
from mpftconnect.cli.output import printable
from mpftconnect.cli.signing_commands import challenge
from mpftconnect.conformance.numbers import many
from mpftconnect.errors import UsageError
from mpftconnect.events import Code, Event, EventStream, Listener, NdjsonListener

if TYPE_CHECKING:
    from mpftconnect.conformance.catalog import Chosen
    from mpftconnect.conformance.signing import Challenge
    from mpftconnect.conformance.supplier import Supplier
    from mpftconnect.plugins import PluginRegistry

__all__ = ["command", "conform_progress", "exit_of", "report_lines"]


_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group("conform")
def command() -> None:
    """Test a product against the requirements of packs, with evidence.

    A run says what was observed on the day. It is not a DTAC assessment or NHS endorsement.
    """


for _each in (init, patients, packs, show, coverage, power, due, challenge):
    command.add_command(_each)


@command.command("run")
@click.argument("supplier", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--pack", "pack_names", multiple=True, metavar="PACK", help="A pack to run (repeatable).")
@click.option("--preset", metavar="NAME", help="Only the requirements that belong to this use.")
@click.option(
    "--only-failed",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="REPORT",
    help="Only what was neither passed nor not applicable in that report.",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="REPORT",
    help="Say of each result whether it changed since that report.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("report"), show_default=True)
@click.option(
    "--events",
    metavar="FILE",
    help="Write the stream of events as NDJSON; - for standard output, which then holds nothing else.",
)
@click.option("--seconds", type=click.FloatRange(min=1), default=900.0, show_default=True, help="For the whole run.")
@click.option(
    "--sandbox",
    "twin",
    is_flag=False,
    flag_value="uk-core",
    metavar="[TWIN]",
    help="Run against a twin instead of a supplier: a demonstration.",
)
@click.option("--fault", "faults", multiple=True, metavar="FAULT", help="With --sandbox: a fault of the twin.")
@click.option("--challenge", type=_FILE, metavar="FILE", help="A buyer's challenge, which the run answers.")
@click.option("--trust", type=_FILE, metavar="FILE", help="Whose signatures of assessments are believed.")
@click.option("--quiet", is_flag=True, help="No progress on standard error.")
def run_command(
    supplier: Path | None,
    pack_names: tuple[str, ...],
    preset: str | None,
    only_failed: Path | None,
    baseline: Path | None,
    out: Path,
    events: str | None,
    seconds: float,
    twin: str | None,
    faults: tuple[str, ...],
    challenge: Path | None,
    trust: Path | None,
    quiet: bool,
) -> int:
    """Run checks against the system that SUPPLIER (a supplier.toml) describes, and write a report.

    Exit code 0: every pack met the checks run; 1: one is not met; 2: this call or the supplier's file needs mending;
    3: none is not met, and at least one is undetermined; 130: interrupted, with a partial report.
    """
    with ExitStack() as stack:
        listeners: list[Listener] = [] if quiet else [conform_progress()]
        if events is not None:
            listeners.append(NdjsonListener(stack.enter_context(_event_file(events))))
        stream = EventStream(listeners)
        stream.emit(Code.STEP_STARTED, step="conform-run")
        return _run(
            supplier,
            pack_names,
            preset,
            only_failed,
            baseline,
            out,
            stream,
            seconds,
            twin,
            faults,
            challenge,
            trust,
            aside=events == "-",
        )


def _run(
    path: Path | None,
    pack_names: Sequence[str],
    preset: str | None,
    only_failed: Path | None,
    baseline: Path | None,
    out: Path,
    stream: EventStream,
    seconds: float,
    twin: str | None,
    faults: Sequence[str],
    challenge_file: Path | None,
    trust: Path | None,
    *,
    aside: bool,
) -> int:
    """`aside`: standard output belongs to the events, and what is to be read goes to standard error."""
    from mpftconnect.conformance.catalog import load_catalog
    from mpftconnect.conformance.reporting.document import report_of
    from mpftconnect.conformance.reporting.folder import check_target, read_folder, write_folder
    from mpftconnect.conformance.run import Run
    from mpftconnect.plugins import load_plugins

    if (path is None) is (twin is None):
        raise UsageError("give a supplier.toml, or --sandbox")
    if faults and twin is None:
        raise UsageError("--fault is for --sandbox")
    check_target(out)
    registry = load_plugins()
    catalog = load_catalog(registry)
    before = read_folder(baseline).report if baseline else None
    earlier = read_folder(only_failed).report if only_failed else None
    only = _unmet(earlier) if earlier is not None else None
    if only is not None and not pack_names and preset is None:
        pack_names = tuple(dict.fromkeys(id_.partition("#")[0] for id_ in only))
    chosen = catalog.choose(pack_names, preset=preset, only=only)
    with _target(path, twin, faults, registry) as supplier:
        challenge, sealed = _challenge(challenge_file, supplier, chosen)
        result = Run(
            _with_signers(supplier, trust),
            chosen,
            catalog.checks,
            events=stream,
            run_seconds=seconds,
            mark=challenge.mark if challenge is not None else None,
        ).go()
    document = report_of(
        result,
        catalog.checks,
        baseline=before,
        power=catalog.power,
        due=catalog.due,
        challenge=challenge.digest if challenge is not None else "",
        only_failed=earlier["run"]["id"] if earlier is not None else "",
    )
    problems = write_folder(
        out,
        document,
        supplier=result.supplier,
        exchanges=result.exchanges,
        preflight=[finding.as_dict() for finding in result.preflight],
        today=result.started.date().isoformat(),
        formats=[form for form in registry.report_formats.values() if form.always],
        attached=sealed,
        events=stream,
    )
    stream.emit(Code.STEP_FINISHED, step="conform-run")
    for problem in problems:
        click.echo(f"mpftconnect: {problem}", err=True)
    for line in report_lines(document):
        click.echo(printable(line), err=aside)
    click.echo(f"\nReport: {out}", err=aside)
    return Exit.INTERRUPTED if result.partial == "interrupted" else exit_of(document)


def _challenge(
    path: Path | None, supplier: Supplier, chosen: Chosen
) -> tuple[Challenge | None, dict[str, bytes] | None]:
    """A buyer's challenge, and the file for the evidence; refused before anything is asked if it cannot be answered."""
    if path is None:
        return None, None
    from mpftconnect.conformance.signing import read_challenge
    from mpftconnect.conformance.signing.challenge import FILE

    challenge, data = read_challenge(path)
    refusals = challenge.refuses(
        product=supplier.subject.product,
        version=supplier.subject.version,
        packs={pack.name: pack.digest for pack in chosen.packs},
        today=datetime.now(UTC).date(),
    )
    if refusals:
        raise UsageError("\n".join(f"--challenge: {refusal}" for refusal in refusals))
    return challenge, {FILE: data}


def _with_signers(supplier: Supplier, trust: Path | None) -> Supplier:
    if trust is None:
        return supplier
    from mpftconnect.conformance.signing import read_trust
    from mpftconnect.conformance.signing.decisions import with_signers

    return replace(supplier, files=with_signers(supplier.files, read_trust(trust)))


@contextmanager
def _target(path: Path | None, twin: str | None, faults: Sequence[str], registry: PluginRegistry) -> Iterator[Supplier]:
    """The supplier of a file, or a twin that is served while it is tested."""
    if path is not None:
        from mpftconnect.conformance.supplier_file import read_supplier

        yield read_supplier(path)
        return
    from mpftconnect.conformance.demonstration import supplier_of_twin
    from mpftconnect.sandbox import PEOPLE, Sandbox

    name = str(twin)
    if name not in registry.twins or not registry.twins[name].supplier:
        known = sorted(spec.name for spec in registry.twins.values() if spec.supplier)
        raise UsageError(f"no twin {name} can be tested (there are {', '.join(known) or 'none'})")
    with Sandbox(registry, only=[name], faults={name: faults} if faults else None) as sandbox:
        base_url = sandbox.hosts[name].base_url
        yield supplier_of_twin(registry.twins[name], sandbox.twins[name], base_url, PEOPLE)


@contextmanager
def _event_file(name: str) -> Iterator[Any]:
    if name == "-":
        yield sys.stdout
        return
    try:
        with Path(name).open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise UsageError(f"--events: {name} cannot be written ({type(error).__name__})") from None


def _unmet(report: Any) -> list[str]:
    settled = ("pass", "not-applicable", "recorded")
    unmet = [row["id"] for row in report["results"] if row["outcome"]["status"] not in settled]
    if not unmet:
        raise UsageError("--only-failed: nothing in that report is left to run")
    return unmet


def exit_of(document: Any) -> int:
    """The exit code of a report: the worst verdict decides."""
    verdicts = {pack["verdict"] for pack in document["packs"]}
    if "not-met" in verdicts:
        return Exit.NOT_MET
    return Exit.UNDECIDED if "undetermined" in verdicts else Exit.DONE


def report_lines(document: Any) -> Iterator[str]:
    """A report in a few lines: what it is not, the environment, each pack, and what was not passed."""
    from mpftconnect.conformance.reporting.scope import partial_words
    from mpftconnect.conformance.reporting.words import STATUS_WORDS, VERDICT_WORDS

    words = {str(status): text for status, text in STATUS_WORDS.items()}
    if document.get("demonstration"):
        yield document["demonstration"]
    if partial := partial_words(document):
        yield f"PARTIAL: {partial}"
    for finding in document["environment"]:
        touched = len(finding.get("requirements", ()))
        yield f"{finding['kind']}: {finding['words']}" + (f" ({many(touched, 'requirement')})" if touched else "")
        yield f"  {finding['mend']}"
    for pack in document["packs"]:
        yield f"{pack['name']} {pack['revision']}: {VERDICT_WORDS[pack['verdict']]} - {pack['because']}"
        for row in document["results"]:
            outcome = row["outcome"]
            if row["pack"] == pack["name"] and outcome["status"] not in ("pass", "not-applicable", "recorded"):
                yield f"  {row['ref']} {words[outcome['status']]}: {row['title']}"
                yield f"    {outcome.get('reason', '')}"
                if "cause" in outcome:
                    yield f"    likely cause: {outcome['cause']['kind']}: {outcome['cause']['because']}"
    yield " ".join(document["is_not"])


def conform_progress() -> Listener:
    """Writes a line when a run starts, when something is missing, for each requirement and for each form written."""
    total = 0

    def listen(event: Event) -> None:
        nonlocal total
        if event.code is Code.STEP_STARTED and event.step == "conform-run":
            click.echo("starting ...", err=True)
        elif event.code is Code.STEP_STARTED:
            click.echo(f"writing {event.step} ...", err=True)
        elif event.code is Code.RUN_STARTED:
            total = event.count or 0
            click.echo(f"{total} requirements ...", err=True)
        elif event.code is Code.PREFLIGHT_FINDING:
            click.echo(f"  {event.step}: {event.reason}", err=True)
        elif event.code is Code.REQUIREMENT_JUDGED:
            seconds = f" in {event.duration_ms / 1000:.2f} s" if event.duration_ms is not None else ""
            click.echo(f"  {event.count}/{total} {event.step}: {event.reason}{seconds}", err=True)
        elif event.code is Code.RUN_FINISHED:
            click.echo(f"done{f': {event.reason}' if event.reason else ''}", err=True)

    return listen
