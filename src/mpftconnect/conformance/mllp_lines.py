"""Where a product listens to MLLP, where it sends to, and what it sent before: `[mllp.receiver]`, `[mllp.sender]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mpftconnect.adapters.mllp_settings import ListenSettings, SendSettings, is_loopback
from mpftconnect.errors import ConfigurationError, UsageError

__all__ = ["MllpLines", "MllpTable", "SenderLine", "lines_from"]

_MOST_FILE = 50_000_000
_MOST_FILES = 1_000


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class _Receiver(_Table):
    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65_535)
    tls: bool = False
    ca_bundle: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    connect_timeout: float = Field(default=3.05, gt=0, le=60)
    answer_seconds: float = Field(default=5.0, gt=0, le=60)


class _Sender(_Table):
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65_535)
    certificate: str | None = None
    key: str | None = None
    client_ca: str | None = None
    seconds: float = Field(default=30.0, gt=0, le=50)
    quiet_seconds: float = Field(default=5.0, gt=0, le=50)
    recorded: tuple[str, ...] = ()


class MllpTable(_Table):
    """`[mllp]` of a supplier.toml: at least one role of the product."""

    receiver: _Receiver | None = None
    sender: _Sender | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderLine:
    """A product that sends.

    Args:
        listen: Where we listen for it; None if only recorded messages are judged.
        seconds: Longest that we listen; `quiet_seconds` ends it after the last message.
        recorded: Files of messages that the product sent, as the supplier gives them; read when they are judged.
    """

    listen: ListenSettings | None
    seconds: float
    quiet_seconds: float
    recorded: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpLines:
    """The product's lines, by its role."""

    receiver: SendSettings | None = None
    sender: SenderLine | None = field(default=None)


def lines_from(
    table: MllpTable | None, environment: Literal["test", "live"], *, name: str, folder: Path, problems: list[str]
) -> MllpLines:
    """The lines of a table; every mistake goes to `problems`, with its key and no value."""
    if table is None:
        return MllpLines()
    if table.receiver is None and table.sender is None:
        problems.append(f"{name}: mllp: expected [mllp.receiver], [mllp.sender] or both: what the product is")
    receiver = sender = None
    if table.receiver is not None:
        given = _placed(table.receiver.model_dump(), folder, "ca_bundle", "client_certificate", "client_key")
        try:
            receiver = SendSettings(**given, environment=environment, attempts=1)
            receiver.context()
        except (UsageError, ConfigurationError) as error:
            problems += _said(error, f"{name}: mllp.receiver")
    if table.sender is not None:
        sender = _sender(table.sender, environment, name, folder, problems)
    return MllpLines(receiver=receiver, sender=sender)


def _sender(
    table: _Sender, environment: Literal["test", "live"], name: str, folder: Path, problems: list[str]
) -> SenderLine:
    listen = None
    if table.port:
        if not is_loopback(table.host) and not table.certificate:
            problems.append(f"{name}: mllp.sender.host: listening beyond this machine needs certificate and key")
        given = _placed(
            table.model_dump(include={"host", "port", "certificate", "key", "client_ca"}),
            folder,
            *("certificate", "key", "client_ca"),
        )
        try:
            listen = ListenSettings(**given, environment=environment, max_connections=8, idle_seconds=table.seconds)
            listen.context()
        except (UsageError, ConfigurationError) as error:
            problems += _said(error, f"{name}: mllp.sender")
    elif not table.recorded:
        problems.append(f"{name}: mllp.sender: expected port, where we listen, or recorded, files of messages sent")
    files: list[Path] = []
    for index, given_path in enumerate(table.recorded):
        path = folder / given_path
        found = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        if not found or not all(each.is_file() and each.stat().st_size <= _MOST_FILE for each in found):
            problems.append(f"{name}: mllp.sender.recorded.{index}: expected a file or folder of messages, 50 MB each")
        files += found
    if len(files) > _MOST_FILES:
        problems.append(f"{name}: mllp.sender.recorded: more than {_MOST_FILES} files")
    return SenderLine(
        listen=listen, seconds=table.seconds, quiet_seconds=table.quiet_seconds, recorded=tuple(files[:_MOST_FILES])
    )


def _placed(given: Mapping[str, Any], folder: Path, *names: str) -> dict[str, Any]:
    return {key: str(folder / value) if key in names and value is not None else value for key, value in given.items()}


def _said(error: Exception, place: str) -> list[str]:
    rules = error.problems if isinstance(error, ConfigurationError) else [str(error)]
    return [f"{place}: {rule}" for rule in rules]
