"""`mpftconnect report`."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mpftconnect.cli.conform_command import exit_of, report_lines
from mpftconnect.cli.exits import Exit
from mpftconnect.cli.output import printable, write_private
from mpftconnect.cli.signing_commands import grant, sign, sign_file, verify, witness
from mpftconnect.errors import UsageError

if TYPE_CHECKING:
    from mpftconnect.conformance.requirement import Pack

__all__ = ["command"]

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group("report")
def command() -> None:
    """A conformance report: open it, judge it again, make a small case of a finding, export it."""


for _each in (sign, sign_file, verify, grant, witness):
    command.add_command(_each)


@command.command("open")
@click.argument("report", type=_FOLDER)
@click.option("--no-browser", is_flag=True, help="Print the summary only.")
@click.option("--trust", type=_FILE, help="Whose grants are believed.")
def open_report(report: Path, no_browser: bool, trust: Path | None) -> int:
    """Print the summary of REPORT, and open its page."""
    from mpftconnect.conformance.reporting.folder import read_folder

    stored = read_folder(report)
    for line in report_lines(stored.report):
        click.echo(printable(line))
    _say_altered(stored.altered)
    for line in _grant_lines(report, trust):
        click.echo(printable(line))
    page = report / "report.html"
    if page.is_file() and not no_browser:
        webbrowser.open(page.resolve().as_uri())
        click.echo(f"opened {page}")
    return exit_of(stored.report)


@command.command("rejudge")
@click.argument("report", type=_FOLDER)
@click.option("--pack", "pack_files", multiple=True, metavar="PACK", help="A newer pack: a name, or a TOML file.")
@click.option("--package-path", multiple=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write the new report here.")
@click.option("--trust", type=click.Path(path_type=Path, dir_okay=False), help="Whose signed assessments count.")
def rejudge_report(
    report: Path, pack_files: tuple[str, ...], package_path: tuple[Path, ...], out: Path | None, trust: Path | None
) -> int:
    """Judge the evidence of REPORT again, without a network, and explain every difference.

    Exit codes as for conform run, by the verdicts that come of it.
    """
    from mpftconnect.conformance.catalog import load_catalog
    from mpftconnect.conformance.reporting.folder import check_target, read_folder, write_folder
    from mpftconnect.conformance.reporting.rejudge import known_errata, rejudge
    from mpftconnect.conformance.signing import read_trust
    from mpftconnect.conformance.signing.challenge import FILE as CHALLENGE
    from mpftconnect.conformance.signing.decisions import with_signers
    from mpftconnect.plugins import load_plugins

    if out is not None:
        check_target(out)
    registry = load_plugins()
    catalog = load_catalog(registry)
    stored = read_folder(report)
    if trust is not None:
        stored = replace(stored, files=with_signers(stored.files, read_trust(trust)))
    _say_altered(stored.altered)
    for id_, text, effect in known_errata(stored.report, catalog):
        click.echo(f"known mistake in that report: {id_}: {text} ({effect})")
    made = rejudge(
        stored,
        catalog,
        packs=_given(pack_files, stored.report),
        package_path=package_path,
        now=datetime.now(UTC),
    )
    for line in report_lines(made.document):
        click.echo(printable(line))
    if not made.differences:
        click.echo("No outcome differs.")
    for each in made.differences:
        click.echo(f"{each.id} ({each.ref}): {each.before} -> {each.after}: {each.because}")
    if out is not None:
        problems = write_folder(
            out,
            made.document,
            supplier=made.supplier,
            exchanges=stored.exchanges,
            preflight=stored.preflight,
            today=stored.today,
            formats=[form for form in registry.report_formats.values() if form.always],
            attached={CHALLENGE: (report / CHALLENGE).read_bytes()} if (report / CHALLENGE).is_file() else None,
        )
        for problem in problems:
            click.echo(f"mpftconnect: {problem}", err=True)
        click.echo(f"Report: {out}")
    return exit_of(made.document)


@command.command("reproduce")
@click.argument("report", type=_FOLDER)
@click.argument("finding", metavar="ID")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the case. [default: case-ID]")
def reproduce(report: Path, finding: str, out: Path | None) -> None:
    """Make a small case of one requirement's outcome, to send to whoever can mend it."""
    from mpftconnect.conformance.reporting.case import write_case
    from mpftconnect.conformance.reporting.folder import read_folder

    stored = read_folder(report)
    folder = out or Path(f"case-{finding.replace('#', '-')}")
    if folder.exists():
        raise UsageError(f"{folder} is there: name another folder with --out")
    for name in write_case(stored, finding, folder):
        click.echo(f"wrote {folder / name}")


@command.command("export")
@click.argument("form", metavar="FORMAT")
@click.argument("paths", nargs=-1, required=True, metavar="[FORM] REPORT", type=click.Path(path_type=Path))
@click.option("--out", type=_FILE, help="File to write. [default: FORMAT's own]")
@click.option("--trust", type=_FILE, help="Whose grants are believed and shown.")
def export(form: str, paths: tuple[Path, ...], out: Path | None, trust: Path | None) -> int | None:
    """Write one form of REPORT, such as html, junit or csv.

    hazards writes what failed, was not tested or is for the deployer to control, as rows for a DCB0160 hazard log
    (CSV, or XLSX by the name in --out). dtac FORM REPORT fills a copy of the form file that you have (.docx, .odt,
    .csv, .xlsx) with the supplier's answers; exit code 1: a question's code was not found in it.
    """
    if form == "dtac":
        if len(paths) != 2:
            raise UsageError("report export dtac takes the form's file and the report")
        return _export_dtac(paths[0], paths[1], out)
    if len(paths) != 1:
        raise UsageError(f"report export {form} takes one report")
    from mpftconnect.conformance.reporting.document import exchanges_shown
    from mpftconnect.conformance.reporting.folder import read_folder
    from mpftconnect.conformance.reporting.hazards import hazards_bytes
    from mpftconnect.conformance.reporting.summary import summary_of
    from mpftconnect.plugins import load_plugins

    forms = load_plugins().report_formats
    if form != "hazards" and form not in forms:
        raise UsageError(f"no such format: {form} (there are {', '.join(sorted((*forms, 'dtac', 'hazards')))})")
    stored = read_folder(paths[0])
    _say_altered(stored.altered)
    summary = summary_of(stored.report, exchanges_shown(stored.exchanges), grants=_grants(paths[0], trust))
    target = out or Path("hazards.csv" if form == "hazards" else forms[form].file)
    needs = "xlsx" if form == "hazards" else forms[form].needs
    try:
        if form == "hazards":
            data = hazards_bytes(summary, workbook=target.suffix.lower() == ".xlsx")
        else:
            data = forms[form].write(summary)
    except ImportError:
        raise UsageError(f"{target.name} was not written: it needs pip install 'mpftconnect[{needs}]'") from None
    write_private(target, data)
    click.echo(f"wrote {target}")
    return None


def _export_dtac(form: Path, report: Path, out: Path | None) -> int:
    from mpftconnect.conformance.reporting.folder import read_folder
    from mpftconnect.conformance.reporting.form_file import fill_form

    stored = read_folder(report)
    _say_altered(stored.altered)
    answers = stored.answers.get("dtac")
    if not isinstance(answers, dict) or not answers:
        raise UsageError("the report holds no answers to a DTAC form")
    target = out or form.with_name(f"{form.stem}-filled{form.suffix}")
    if target.exists() and target.resolve() == form.resolve():
        raise UsageError("--out: the form itself is never changed: name another file")
    mark = str(stored.report.get("demonstration", ""))
    filled = fill_form(form, {k: v for k, v in answers.items() if k != "form"}, mark=mark)
    write_private(target, filled.data)
    click.echo(f"wrote {target}: {len(filled.found)} answers beside their questions. The form's verdict is not ours.")
    for code in filled.missing:
        click.echo(f"  not found in the form: {printable(code)}")
    return Exit.NOT_MET if filled.missing else Exit.DONE


def _grants(report: Path, trust: Path | None) -> tuple[Mapping[str, str], ...]:
    if trust is None:
        return ()
    from mpftconnect.conformance.signing import read_trust, verify_report

    return verify_report(report, read_trust(trust)).grants


def _grant_lines(report: Path, trust: Path | None) -> Iterator[str]:
    there = len(list(report.glob("grant-*.dsse.json")))
    if there and trust is None:
        many = "1 signed grant stands" if there == 1 else f"{there} signed grants stand"
        yield f"{many} beside it: --trust FILE says whose are believed"
    found = _grants(report, trust)
    for each in found:
        state = "granted, and run out," if each["expired"] else "granted"
        yield f"exception {state} until {each['until']}: {each['requirement']} by {each['granted_by']}"
        yield f"  {each['reason']}"
    if there and trust is not None and not found:
        many = "1 grant stands beside it, and is not" if there == 1 else f"{there} grants stand beside it, and none is"
        yield f"{many} of a key that the trust file believes"


def _say_altered(altered: tuple[str, ...]) -> None:
    for name in altered:
        click.echo(f"mpftconnect: {name} is not what the manifest says: it was changed after the run", err=True)


def _given(names: tuple[str, ...], report: Any) -> list[Pack]:
    from mpftconnect.conformance.pack_file import read_pack

    packs = []
    for name in names:
        if name.endswith(".toml"):
            packs.append(read_pack(Path(name)))
        elif name not in {row["name"] for row in report["packs"]}:
            raise UsageError(f"the report has no pack {name}")
    return packs
