"""One exit-code table for every command, and no traceback for a user's mistake (rule 19)."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum

import click

from mpftconnect.errors import (
    AccessRefused,
    AdapterError,
    AuditUnavailable,
    DecisionsUnsound,
    InboxUnavailable,
    IncompleteRecord,
    ItemNotShown,
    LedgerUnavailable,
    MpftConnectError,
    PersonUnknown,
    TooManyMatches,
    UsageError,
)

__all__ = ["TABLE", "Exit", "run"]


class Exit(IntEnum):
    """What an exit code means, for every command."""

    DONE = 0
    NOT_MET = 1
    USAGE = 2
    UNDECIDED = 3
    OUR_FAULT = 4
    INTERRUPTED = 130


TABLE = (
    "Exit codes: 0 done; 1 not met, invalid or refused; 2 usage or configuration; 3 undecided or incomplete; "
    "4 our own fault; 130 interrupted."
)

_BY_ERROR: tuple[tuple[type[MpftConnectError], Exit], ...] = (
    (UsageError, Exit.USAGE),
    (AccessRefused, Exit.NOT_MET),
    (PersonUnknown, Exit.NOT_MET),
    (ItemNotShown, Exit.NOT_MET),
    (TooManyMatches, Exit.UNDECIDED),
    (IncompleteRecord, Exit.UNDECIDED),
    (AdapterError, Exit.UNDECIDED),
    (AuditUnavailable, Exit.OUR_FAULT),
    (LedgerUnavailable, Exit.OUR_FAULT),
    (DecisionsUnsound, Exit.OUR_FAULT),
    (InboxUnavailable, Exit.OUR_FAULT),
)


def run(command: Callable[[], object]) -> int:
    """Run a command and turn whatever it raises into a message and an exit code."""
    try:
        # Outside its standalone mode click hands an `Exit` back as a value.
        returned = command()
    except click.exceptions.Abort as error:
        if isinstance(error.__context__, EOFError):
            # Nobody pressed Ctrl-C: there was nobody to ask.
            click.echo("\nmpftconnect: nothing on standard input answers the question", err=True)
            return Exit.USAGE
        click.echo("interrupted", err=True)
        return Exit.INTERRUPTED
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        return Exit.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except MpftConnectError as error:
        for line in str(error).splitlines() or [type(error).__name__]:
            click.echo(f"mpftconnect: {line}", err=True)
        return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), Exit.OUR_FAULT)
    except BrokenPipeError:
        return _reader_gone()
    except SystemExit as error:
        # click turns a broken pipe into an exit of its own; its context tells the two apart.
        return _reader_gone() if isinstance(error.__context__, OSError) else Exit.OUR_FAULT
    except Exception as error:  # noqa: BLE001 - the last fence before the user
        # The frames say where; the exception's own text might hold a patient value, so only its type is shown.
        where = traceback.extract_tb(error.__traceback__)[-1]
        click.echo(
            f"mpftconnect: our own fault: {type(error).__name__} in {where.name} (line {where.lineno}). "
            "Please report it with this line.",
            err=True,
        )
        return Exit.OUR_FAULT
    return returned if isinstance(returned, int) else Exit.DONE


def _reader_gone() -> Exit:
    """The reader of our output has gone, as with `| head`: not an error, and nothing more can be said to it."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit.DONE
