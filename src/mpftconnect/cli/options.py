"""Options that several commands share: the configuration, who asks, and how an NHS number comes in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from mpftconnect.cli.progress import progress_listener
from mpftconnect.errors import UsageError
from mpftconnect.hub import Hub, connect
from mpftconnect.model import AccessContext

__all__ = [
    "SANDBOX_USER",
    "connected",
    "connection_options",
    "moment_from",
    "nhs_number_from",
    "private_argument",
    "warn_of_history",
    "who_from",
    "who_options",
]

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_FILE = "mpftconnect.toml"


def connection_options(function: F) -> F:
    """`--config`, `--sandbox` and `--quiet`."""
    for option in (
        click.option("--quiet", is_flag=True, help="No progress on standard error."),
        click.option("--sandbox", is_flag=True, help="Use twins and synthetic people instead of a configuration."),
        click.option(
            "--config",
            type=click.Path(path_type=Path, dir_okay=False),
            help=f"Configuration file. [default: {DEFAULT_FILE}]",
        ),
    ):
        function = option(function)
    return function


def who_options(function: F) -> F:
    """Who asks. What is not given here comes from `[who]` of the configuration."""
    for option in (
        click.option("--reason", help="Why; needed for break-glass."),
        click.option("--relationship", help="Claimed relationship: caseload, referral, admission, break-glass."),
        click.option("--organisation", help="ODS code of the organisation that you act for."),
        click.option("--role", help="Your job role."),
        click.option("--name", help="Your name, as the audit shows it."),
        click.option("--user", help="Your user id."),
    ):
        function = option(function)
    return function


SANDBOX_USER = AccessContext(
    user="sandbox.user",
    name="Sandbox User",
    role="community-nurse",
    organisation="RRE",
    purpose="direct-care",
    relationship="caseload",
    # As the Spine wants it of whoever fetches a document through its proxy; nobody's.
    role_profile_id="990000000003",
)


def who_from(given: dict[str, Any], configured: AccessContext | None, *, sandbox: bool) -> AccessContext:
    """The access context from options, then the configuration.

    Raises:
        UsageError: Something is missing; the message names the options.
    """
    base = configured or (SANDBOX_USER if sandbox else None)
    said = {key: value for key, value in given.items() if value}
    known = {**(base.model_dump() if base else {}), **said}
    # Of somebody else, or in another role, the configured user's own ids and codes say nothing.
    for field, own in (
        ("user", ("practitioner_id", "role_profile_id", "role_code", "session", "reason")),
        ("role", ("role_profile_id", "role_code")),
    ):
        if base is not None and said.get(field, getattr(base, field)) != getattr(base, field):
            known |= {key: said.get(key) for key in own}
    known.setdefault("purpose", "direct-care")
    needed = ("user", "name", "role", "organisation", "relationship")
    missing = [f"--{field}" for field in needed if not known.get(field)]
    if missing:
        raise UsageError(f"who asks? give {', '.join(missing)}, or a [who] table in the configuration")
    return AccessContext(**known)


@contextmanager
def connected(config: Path | None, *, sandbox: bool, quiet: bool, **more: Any) -> Iterator[Hub]:
    """A hub for the command, with progress on standard error."""
    if sandbox and config:
        raise UsageError("give --config or --sandbox, not both")
    path = config or Path(DEFAULT_FILE)
    if not sandbox and config is None and not path.exists():
        raise UsageError(f"there is no {DEFAULT_FILE} here: name one with --config, or try --sandbox")
    listeners = () if quiet else (progress_listener(),)
    with connect(sandbox=True, listeners=listeners, **more) if sandbox else connect(path, listeners=listeners) as hub:
        yield hub


def nhs_number_from(argument: str | None) -> str:
    """An NHS number from the prompt or standard input (`-`); as an argument it is taken with a warning."""
    if argument is None:
        return str(click.prompt("NHS number", err=True))
    return private_argument(argument, "NHS number")


def private_argument(argument: str, what: str) -> str:
    """The argument, or what standard input holds if it is `-`.

    Arguments stand in the shell's history and in the list of processes, where nothing of a patient should be.
    """
    if argument == "-":
        try:
            line = sys.stdin.readline().strip()
        except UnicodeDecodeError:
            line = ""
        if not line:
            raise UsageError(f"no {what} on standard input")
        return line
    warn_of_history(what)
    return argument


def moment_from(text: str | None, option: str) -> datetime | None:
    """A date or time that an option gives, aware; UTC unless it has an offset.

    Raises:
        UsageError: It is none.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option}: expected a date or time, such as 2026-03-31 or 2026-03-31T09:00+00:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def warn_of_history(what: str) -> None:
    """Say that something of a patient stands in the shell's history now."""
    click.echo(
        f"warning: {what} given as an argument stays in your shell's history; leave it out to be asked, or use - "
        "where it is offered",
        err=True,
    )
