"""`mpftconnect validate`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from mpftconnect.cli.exits import Exit

if TYPE_CHECKING:
    from mpftconnect.validation import TerminologyService

__all__ = ["command"]


def _options(words: Iterable[str]) -> dict[str, str]:
    taken = {}
    for word in words:
        key, equals, value = word.partition("=")
        taken[key] = value if equals else "true"
    return taken


def _service(url: str | None, token_env: str | None) -> TerminologyService | None:
    if url is None:
        if token_env is not None:
            raise click.UsageError("--terminology-token-env needs --terminology-server")
        return None
    from mpftconnect.terminology_service import FhirTerminologyService

    token = None
    if token_env is not None:
        token = os.environ.get(token_env)
        if not token:
            raise click.UsageError(f"the environment has no {token_env}")
    return FhirTerminologyService(url, token=token)


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
    "--terminology",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Imported terminologies (packages import-terminology); the user's own unless given.",
)
@click.option(
    "--terminology-server",
    metavar="URL",
    help="A FHIR R4 terminology service to ask about codes that nothing here can judge. It is told codes, systems, "
    "value sets and versions.",
)
@click.option(
    "--terminology-token-env",
    metavar="NAME",
    help="The environment variable that holds the service's bearer token.",
)
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
    terminology: str | None,
    terminology_server: str | None,
    terminology_token_env: str | None,
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
        terminology=terminology,
        terminology_service=_service(terminology_server, terminology_token_env),
    )
    for words in validator.options.without_effect():
        click.echo(f"mpftconnect: option without effect: {words}", err=True)
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
