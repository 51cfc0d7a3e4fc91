"""Opens the inbox that the commands of `hl7` are about: of a configuration, of a folder, or of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from mpftconnect.cli.options import DEFAULT_FILE
from mpftconnect.errors import UsageError
from mpftconnect.events import EventStream
from mpftconnect.hub.configuration import Configuration
from mpftconnect.hub.feed_configuration import FeedConfiguration, load_feeds
from mpftconnect.hub.hub import Hub
from mpftconnect.hub.pushed import open_inbox
from mpftconnect.inbox import Inbox, SqliteStore
from mpftconnect.plugins import load_plugins

__all__ = ["DEFAULT_FEED", "Place", "opened", "store_options"]

F = TypeVar("F", bound=Callable[..., Any])
# Where messages go if no feed is configured at all.
DEFAULT_FEED = "default"


@dataclass(frozen=True, slots=True)
class Place:
    """An open inbox, and the configuration of a hub that it belongs to, if it does."""

    inbox: Inbox
    configuration: Configuration | None


def store_options(function: F) -> F:
    """`--store` and `--config`."""
    for option in (
        click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Configuration file."),
        click.option(
            "--store", type=click.Path(path_type=Path, file_okay=False), help="Folder of the store; else as configured."
        ),
    ):
        function = option(function)
    return function


@contextmanager
def opened(
    config: Path | None,
    store: Path | None,
    *,
    events: EventStream | None = None,
    processing: bool = False,
    making: bool = False,
) -> Iterator[Place]:
    """The inbox.

    Args:
        processing: Whether messages are to be processed; with the configuration of a hub its systems are then opened.
        making: Whether the folder that is named may be a new one.
    Raises:
        UsageError: Neither a configuration nor a folder is given, or the store may not be looked into, or there is none
            in the folder that was named.
    """
    events = events or EventStream()
    path = config or (Path(DEFAULT_FILE) if store is None and Path(DEFAULT_FILE).exists() else None)
    if path is None:
        if store is None:
            raise UsageError(f"give --store or --config: there is no {DEFAULT_FILE} here")
        _check_there(store, named=not making)
        inbox = Inbox(SqliteStore(store), {}, events=events, default_feed=DEFAULT_FEED)
        try:
            yield Place(inbox, None)
        finally:
            inbox.close()
        return
    known = _known(load_feeds(path, load_plugins()), store)
    _check_there(known.inbox.folder, named=store is not None and not making)
    if processing and known.whole is not None:
        with Hub(known.whole, events=events) as hub:
            if hub.inbox is None:
                raise UsageError(f"{path}: there is no [inbox] in it")
            yield Place(hub.inbox, known.whole)
        return
    silent = [one.policy for one in known.policies if one.spec.kind == "silent"]
    inbox = open_inbox(known.inbox, events=events, silent=silent, privacy=known.open_privacy_stream(events))
    try:
        yield Place(inbox, known.whole)
    finally:
        inbox.close()


def _check_there(folder: Path, *, named: bool) -> None:
    """A folder that was named and has no store was misspelt: an empty answer would read as if all were well."""
    there = True
    try:
        (folder / "inbox.sqlite").stat()
    except (FileNotFoundError, NotADirectoryError):
        there = False
    except OSError as error:
        raise UsageError(
            f"the store in {folder} cannot be looked into ({type(error).__name__}): use the account that owns it"
        ) from None
    if named and not there:
        raise UsageError(f"there is no store in {folder}: no listener was started with it")


def _known(known: FeedConfiguration, store: Path | None) -> FeedConfiguration:
    if store is None:
        return known
    inbox = replace(known.inbox, folder=store)
    return replace(known, inbox=inbox, whole=replace(known.whole, inbox=inbox) if known.whole else None)
