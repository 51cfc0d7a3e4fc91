"""`mpftconnect hl7 check`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from mpftconnect.cli.exits import Exit

if TYPE_CHECKING:
    from mpftconnect.cli.hl7_check_output import Judged
    from mpftconnect.hl7v2 import Finding, Part, Profile

__all__ = ["command"]


@click.command("check")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--profile",
    metavar="NAME|FILE",
    help="standard, uk, or a site overlay (.toml). Otherwise: standard, and uk for messages that say they are British.",
)
@click.option(
    "--format", "form", default="text", show_default=True, type=click.Choice(["text", "json", "ndjson", "junit"])
)
@click.option("--show-values", is_flag=True, help="Show what stands at each finding: patient data.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on standard error.")
def command(paths: tuple[str, ...], profile: str | None, form: str, show_values: bool, quiet: bool) -> None:
    """Check HL7 v2 messages: files, folders of .hl7 files, batches, or - for standard input.

    Exit code 0: no message has an error; 1: at least one has, or cannot be read; 2: this call needs mending.
    """
    from mpftconnect.cli.hl7_check_output import FORMATS, Judged
    from mpftconnect.hl7v2.overlays import profile_of
    from mpftconnect.hl7v2.sources import read_sources

    judged_by = profile_of(profile)
    counted = [0, 0]

    def judged() -> Iterator[Judged]:
        progress = not quiet and sys.stderr.isatty()
        for source in read_sources(paths):
            findings, values = _judge(source.part, judged_by, show_values)
            counted[0] += 1
            counted[1] += any(finding.severity == "error" for finding in findings)
            if progress and counted[0] % 1000 == 0:
                click.echo(f"  {counted[0]} messages ...", err=True)
            yield Judged(source.name, source.part.line, findings, values)

    for line in FORMATS[form](judged()):
        click.echo(line)
    if not counted[0]:
        raise click.UsageError("nothing to check: no file of these folders is called .hl7, .er7, .v2, .hl7v2 or .mllp")
    if counted[1]:
        raise click.exceptions.Exit(Exit.NOT_MET)


def _judge(part: Part, profile: Profile, show_values: bool) -> tuple[list[Finding], dict[int, str]]:
    from mpftconnect.errors import MessageUnreadable
    from mpftconnect.hl7v2 import Finding, check, parse

    if part.trouble is not None:
        trouble = part.trouble
        return [Finding("error", trouble.code, trouble.place, "HL7 v2", trouble.rule)], {}
    try:
        message = parse(part.raw or b"")
    except MessageUnreadable as error:
        return [Finding("error", error.code, error.place, "HL7 v2", error.rule)], {}
    findings = check(message, profile)
    values = {}
    if show_values:
        for number, finding in enumerate(findings):
            if "-" in finding.location:
                values[number] = message.er7(finding.location)
    return findings, values
