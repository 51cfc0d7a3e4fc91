"""`mpftconnect validate`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from mpftconnect.cli.exits import Exit
from mpftconnect.cli.interrupting import whole_lines
from mpftconnect.cli.progress import Tally

if TYPE_CHECKING:
    from mpftconnect.validation import TerminologyService
    from mpftconnect.validation.outputs import Document, Judged

__all__ = ["command"]


def _options(words: Iterable[str]) -> dict[str, str | list[str]]:
    """K=V, or K alone for true; a K that is repeated gathers its values."""
    taken: dict[str, str | list[str]] = {}
    for word in words:
        key, equals, value = word.partition("=")
        given = value if equals else "true"
        before = taken.get(key)
        taken[key] = given if before is None else [*(before if isinstance(before, list) else [before]), given]
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


class _WithPolicies(click.Command):
    """The command, whose help lists the policies: they are read only when help is asked for."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        import dataclasses

        from mpftconnect.validation import Options

        with formatter.section("Policies (--option K=V)"):
            formatter.write_text(", ".join(field.name for field in dataclasses.fields(Options)))


@click.command("validate", cls=_WithPolicies)
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
    "--option",
    "options",
    multiple=True,
    metavar="K=V",
    help="A policy (repeatable; listed below), such as validate_reference=true.",
)  # fmt: skip
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
@click.option(
    "--largest",
    type=click.IntRange(min=1, max=1024),
    default=256,
    show_default=True,
    metavar="MIB",
    help="An input (a file, a line of NDJSON) of more MiB is not read.",
)
@click.option(
    "--progress/--no-progress",
    default=None,
    help="Progress on standard error; only on a terminal unless this says otherwise.",
)
@click.option("--quiet", "-q", is_flag=True, help="The same as --no-progress.")
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
    largest: int,
    progress: bool | None,
    quiet: bool,
) -> None:
    """Validate FHIR resources: files, folders, .ndjson[.gz], pipes, or - for standard input.

    Each input is judged and printed as it comes. One that cannot be read is an invalid input of its own, and the rest
    goes on. Ctrl-C leaves a whole document of what was judged, and exit code 130.

    Exit code 0: every input is structurally valid; 1: at least one is invalid, or cannot be read; 2: this call needs
    mending; 3: none is invalid, and at least one could not be decided. A verdict says nothing clinical.
    """
    from pathlib import Path

    from mpftconnect.validation import Options, Report, Validator
    from mpftconnect.validation.definitions.resolve import read_lock
    from mpftconnect.validation.inputs import Input, read_inputs
    from mpftconnect.validation.outputs import document_of, plain

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
    for url in profiles:
        validator.require_profile(url)
    verdicts: set[str] = set()
    tally = Tally(shown=not quiet and (sys.stderr.isatty() if progress is None else progress))

    def judged() -> Iterator[tuple[Input, Report]]:
        for source in read_inputs(paths, largest=largest * 1024 * 1024):
            tally.begin(plain(str(source)), len(source.data))
            report = Report.unreadable(source.problem) if source.problem else validator.validate(source.data, profiles)
            verdicts.add(report.verdict)
            tally.count(report.verdict)
            yield source, report

    _write(document_of(form), judged())
    if "invalid" in verdicts:
        raise click.exceptions.Exit(Exit.NOT_MET)
    if "undecided" in verdicts:
        raise click.exceptions.Exit(Exit.UNDECIDED)
    if not verdicts:
        raise click.UsageError("nothing to validate: no file of these paths is JSON, XML or NDJSON")


def _write(document: Document, judged: Iterable[Judged]) -> None:
    """Print a document as its reports come; whatever stops that, it is closed."""
    with whole_lines() as lines:
        try:
            for item in judged:
                with lines.writing():
                    for line in document.lines_of(item):
                        click.echo(line)
        except BaseException:
            # Where nobody reads any more there is nothing to close.
            with suppress(OSError), lines.writing():
                for line in document.end(whole=False):
                    click.echo(line)
            raise
        with lines.writing():
            for line in document.end():
                click.echo(line)
