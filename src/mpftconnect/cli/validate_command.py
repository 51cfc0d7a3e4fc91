"""`mpftconnect validate`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import click

from mpftconnect.cli.exits import Exit

__all__ = ["command"]


def _options(words: Iterable[str]) -> dict[str, str]:
    taken = {}
    for word in words:
        key, equals, value = word.partition("=")
        taken[key] = value if equals else "true"
    return taken


@click.command("validate")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--package",
    "packages",
    multiple=True,
    metavar="NAME[@VERSION]",
    help="A FHIR package (repeatable); also a .tgz or folder. R4 core comes with mpftconnect.",
)
@click.option(
    "--package-path",
    "package_paths",
    multiple=True,
    metavar="DIR",
    type=click.Path(),
    help="A folder of packages (repeatable), before ~/.fhir/packages.",
)
@click.option(
    "--profile", "profiles", multiple=True, metavar="URL", help="A profile that every input must fit (repeatable)."
)
@click.option(
    "--option", "options", multiple=True, metavar="K=V", help="A policy (repeatable), such as validate_reference=true."
)
@click.option("--must-support", is_flag=True, help="Say which must-support elements of the profiles are absent.")
@click.option("--lock", type=click.Path(), metavar="FILE", help="A package lock that must be met.")
@click.option(
    "--format", "form", default="text",
    type=click.Choice(["text", "json", "ndjson", "operation-outcome", "junit", "sarif"]),
    help="How to print; ndjson and operation-outcome: one line an input.",
)  # fmt: skip
@click.option("--show-values", is_flag=True, help="Messages may repeat values of the resource: patient data.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on standard error.")
def command(
    paths: tuple[str, ...],
    packages: tuple[str, ...],
    package_paths: tuple[str, ...],
    profiles: tuple[str, ...],
    options: tuple[str, ...],
    must_support: bool,
    lock: str | None,
    form: str,
    show_values: bool,
    quiet: bool,
) -> None:
    """Validate FHIR resources: files, folders, .ndjson[.gz], or - for standard input.

    Exit code 0: every input is structurally valid; 1: at least one is invalid, or cannot be read; 2: this call needs
    mending; 3: none is invalid, and at least one could not be decided. A verdict says nothing clinical.
    """
    from pathlib import Path

    from mpftconnect.validation import Options, Report, Validator
    from mpftconnect.validation.definitions.resolve import read_lock
    from mpftconnect.validation.inputs import Input, read_inputs
    from mpftconnect.validation.outputs import write_reports

    policies = _options(options)
    if show_values:
        policies["show_values"] = "true"
    if must_support:
        policies["must_support"] = "true"
    validator = Validator(
        packages,
        search_path=package_paths,
        options=Options.from_mapping(policies),
        lock=read_lock(Path(lock)) if lock else None,
    )
    for missing in validator.missing_packages.values():
        click.echo(f"mpftconnect: not loaded: {missing}", err=True)
    verdicts: set[str] = set()

    def judged() -> Iterator[tuple[Input, Report]]:
        progress = not quiet and sys.stderr.isatty()
        for number, source in enumerate(read_inputs(paths), start=1):
            report = Report.unreadable(source.problem) if source.problem else validator.validate(source.data, profiles)
            verdicts.add(report.verdict)
            if progress and number % 1000 == 0:
                click.echo(f"  {number} inputs ...", err=True)
            yield source, report

    for line in write_reports(form, judged()):
        click.echo(line)
    if "invalid" in verdicts:
        raise click.exceptions.Exit(Exit.NOT_MET)
    if "undecided" in verdicts:
        raise click.exceptions.Exit(Exit.UNDECIDED)
    if not verdicts:
        raise click.UsageError("nothing to validate: no file of these paths is JSON, XML or NDJSON")
