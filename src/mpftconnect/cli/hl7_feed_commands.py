"""`mpftconnect hl7 listen`, `send`, `status` and `replay`: feeds as they are run every day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from mpftconnect.adapters.mllp_client import Acknowledged, MllpClient
from mpftconnect.adapters.mllp_settings import ListenSettings, SendSettings
from mpftconnect.cli import hl7_listening, hl7_queue_commands
from mpftconnect.cli.exits import Exit
from mpftconnect.cli.hl7_log import ListenerLog
from mpftconnect.cli.hl7_opening import opened, store_options
from mpftconnect.cli.output import printable
from mpftconnect.errors import MpftConnectError, OutcomeUnknown, UsageError
from mpftconnect.events import Code, Event, EventStream, Listener
from mpftconnect.inbox import FeedStatus, NotAMessage, header_of
from mpftconnect.inbox.files import messages_in

__all__ = ["add_to"]

_FILE = click.Path(path_type=Path, dir_okay=False)


def add_to(group: click.Group) -> None:
    """Add these commands to the group `hl7`."""
    for command in (listen, send, status, replay):
        group.add_command(command)
    hl7_queue_commands.add_to(group)


@click.command("listen")
@click.option("--port", type=click.IntRange(0, 65_535), required=True, help="Port; 0 for a free one, which is printed.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--environment", type=click.Choice(["live", "test"]), default="live", show_default=True)
@click.option("--tls-cert", type=_FILE, help="PEM file of the certificate; with it the line is encrypted.")
@click.option("--tls-key", type=_FILE, help="PEM file of its key, if that is not in the same file.")
@click.option("--tls-client-ca", type=_FILE, help="PEM file of the authorities whose clients may connect (mutual TLS).")
@click.option("--max-connections", type=click.IntRange(1), default=100, show_default=True)
@click.option("--max-bytes", type=click.IntRange(1024), default=20_000_000, show_default=True, help="Longest message.")
@click.option(
    "--grace", type=click.FloatRange(0), default=30.0, show_default=True, help="Seconds to finish in at a stop."
)
@click.option("--quiet", is_flag=True, help="Log alarms only, and not each connection and parked message.")
@store_options
def listen(store: Path | None, config: Path | None, grace: float, quiet: bool, **given: Any) -> int:
    """Take messages by MLLP, and acknowledge each when it is on the disk.

    With the configuration of a hub messages are processed too; with one of feeds alone, or none, they are kept.
    SIGTERM, SIGHUP or Ctrl-C stops it, after what was taken is acknowledged. It logs to standard error, and nothing of
    a patient.
    """
    settings = ListenSettings(
        host=given["host"],
        port=given["port"],
        environment=given["environment"],
        certificate=given["tls_cert"],
        key=given["tls_key"],
        client_ca=given["tls_client_ca"],
        max_bytes=given["max_bytes"],
        max_connections=given["max_connections"],
        max_waiting_bytes=max(256_000_000, given["max_bytes"]),
    )
    with ListenerLog(alarms_only=quiet) as log:
        events = EventStream([log])
        with opened(config, store, events=events, processing=True, making=True) as place:
            return hl7_listening.listen(place, settings, events, log, grace)


@click.command("send")
@click.argument("where", metavar="HOST:PORT")
@click.argument("paths", metavar="PATH...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--environment", type=click.Choice(["live", "test"]), default="live", show_default=True)
@click.option("--tls", is_flag=True, help="Speak TLS.")
@click.option("--ca", type=_FILE, help="PEM file of the authorities to trust.")
@click.option("--client-cert", type=_FILE, help="PEM file of our certificate (mutual TLS).")
@click.option("--client-key", type=_FILE, help="PEM file of its key, if that is not in the same file.")
@click.option("--attempts", type=click.IntRange(1), default=5, show_default=True, help="How often a message is sent.")
@click.option("--timeout", type=click.FloatRange(0.1), default=30.0, show_default=True, help="Seconds for each answer.")
@click.option("--keep-going", is_flag=True, help="Go on after a message that was not accepted.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each message.")
@click.option("--quiet", is_flag=True, help="Only what was not accepted, and the sum.")
def send(where: str, paths: tuple[Path, ...], as_json: bool, quiet: bool, keep_going: bool, **given: Any) -> int:
    """Send the messages of files, in order, by MLLP.

    A PATH is a file of one or several messages, or a folder of such files, which are sent by name. The next message is
    sent when the one before it has its answer. Results name messages by file and control id, never by content.

    Exit code 0: all were accepted; 1: one was not, and none after it was sent; 2: a file cannot be sent, and nothing
    was; 3: it is not known whether one was taken, or nobody answered there.
    """
    host, port = _address(where)
    settings = SendSettings(
        host=host,
        port=port,
        environment=given["environment"],
        tls=given["tls"],
        ca_bundle=given["ca"],
        client_certificate=given["client_cert"],
        client_key=given["client_key"],
        attempts=given["attempts"],
        answer_seconds=given["timeout"],
    )
    _check_files(paths)
    told = {"accepted": 0, "error": 0, "rejected": 0}
    tries: list[str] = []
    with MllpClient(settings, events=EventStream([_keeping(tries)])) as client:
        for file, message in _messages(paths):
            tries.clear()
            try:
                result = client.send(message)
            except MpftConnectError as failure:
                _sum(told, as_json)
                _say_why(file, message, failure, tries)
                raise
            told[result.outcome] += 1
            if as_json or result.outcome != "accepted" or not quiet:
                click.echo(_line(file, result, as_json))
            if result.outcome != "accepted" and not keep_going:
                break
    _sum(told, as_json)
    return Exit.DONE if not told["error"] + told["rejected"] else Exit.NOT_MET


def _keeping(tries: list[str]) -> Listener:
    """Keeps why each attempt had no answer, or an answer that accepted nothing."""

    def listen(event: Event) -> None:
        if event.code is Code.EXCHANGE_FINISHED and event.reason:
            tries.append(event.reason)

    return listen


def _say_why(file: Path, message: bytes, failure: MpftConnectError, tries: list[str]) -> None:
    """Which message it was, and what each attempt met: a dead line, a wrong answer, a certificate that is refused."""
    which = f"{file.name}  {_control_id(message)}"
    met = f" (attempts: {', '.join(tries)})" if tries else ""
    if isinstance(failure, OutcomeUnknown):
        said = f"{which}  outcome unknown: send the same file again, before others{met}"
    else:
        said = f"{which}  not sent{met}"
    click.echo(printable(said), err=True)


def _control_id(message: bytes) -> str:
    try:
        return header_of(message).control_id
    except NotAMessage:
        return "(no control id)"


def _check_files(paths: tuple[Path, ...]) -> None:
    """Each file has messages that can be sent: said of the last one too, before the first one goes."""
    count = 0
    for file, message in _messages(paths):
        count += 1
        try:
            header_of(message)
        except NotAMessage as refused:
            if refused.header is None or not refused.header.control_id:
                raise UsageError(f"{file}: MSH-10: a message needs a control id; nothing was sent") from None
    if not count:
        raise UsageError("no file in these folders: nothing was sent")


def _address(where: str) -> tuple[str, int]:
    host, _, port = where.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or not 1 <= int(port) <= 65_535:
        raise UsageError("expected HOST:PORT, such as 127.0.0.1:2575")
    return host.strip("[]"), int(port)


def _messages(paths: tuple[Path, ...]) -> Iterator[tuple[Path, bytes]]:
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: there is no such file or folder")
        for file in sorted(path.iterdir()) if path.is_dir() else (path,):
            if not file.is_file():
                continue
            try:
                found = messages_in(file.read_bytes())
            except OSError as error:
                raise UsageError(f"{file}: cannot be read ({type(error).__name__})") from None
            if not found:
                raise UsageError(f"{file}: no message in it; nothing was sent")
            for message in found:
                yield file, message


def _line(file: Path, result: Acknowledged, as_json: bool) -> str:
    if as_json:
        said = {"file": file.name, "control_id": result.control_id, "outcome": result.outcome, "code": result.code}
        return json.dumps({**said, "errors": result.errors, "attempts": result.attempts})
    errors = f" ({', '.join(result.errors)})" if result.errors else ""
    again = f", sent {result.attempts} times" if result.attempts > 1 else ""
    return printable(f"{file.name}  {result.control_id}  {result.outcome} {result.code}{errors}{again}")


def _sum(told: dict[str, int], as_json: bool) -> None:
    click.echo(", ".join(f"{count} {word}" for word, count in told.items()), err=as_json)


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--metrics", is_flag=True, help="Print metrics as text for Prometheus.")
@store_options
def status(store: Path | None, config: Path | None, as_json: bool, metrics: bool) -> int:
    """How each feed is: when it was last heard, what waits, what is parked.

    Exit code 1: a feed is overdue, or its messages wait to be processed for too long. 3: messages are parked.
    """
    now = datetime.now(UTC)
    with opened(config, store) as place:
        feeds = place.inbox.feeds()
    if as_json:
        click.echo(json.dumps([_as_dict(feed, now) for feed in feeds], indent=2))
    elif metrics:
        click.echo(_metrics(feeds, now), nl=False)
    else:
        for feed in feeds:
            click.echo(printable(_words(feed, now)))
        if not feeds:
            click.echo("No feed is configured, and nothing was ever received.")
    if any(feed.overdue or feed.waits(now) for feed in feeds):
        return Exit.NOT_MET
    return Exit.UNDECIDED if any(feed.parked for feed in feeds) else Exit.DONE


def _as_dict(feed: FeedStatus, now: datetime) -> dict[str, Any]:
    return {
        "feed": feed.feed,
        "system": feed.system,
        "sections": [str(section) for section in feed.sections],
        "expected_minutes": feed.expected_minutes,
        "last_heard": feed.heard.isoformat() if feed.heard else None,
        "overdue": feed.overdue,
        "depth": feed.depth,
        "oldest_unprocessed": feed.oldest.isoformat() if feed.oldest else None,
        "waits_too_long": feed.waits(now),
        "parked": feed.parked,
        "total": feed.total,
        "repeats": feed.repeats,
    }


def _words(feed: FeedStatus, now: datetime) -> str:
    standing = "OVERDUE" if feed.overdue else "WAITING" if feed.waits(now) else "ok"
    said = f"{feed.feed:<20}  {standing:<8}  {feed.words(now)}; {feed.depth} to process, {feed.parked} parked"
    return f"{said}; {feed.total} taken, {feed.repeats} repeats"


_METRICS = (
    ("last_heard_timestamp_seconds", "gauge", "When anything came last; 0 for never."),
    ("overdue", "gauge", "1 if the feed is silent for longer than it should be."),
    ("depth", "gauge", "Messages that wait to be processed."),
    ("oldest_unprocessed_seconds", "gauge", "Age of the oldest of these."),
    ("parked", "gauge", "Messages that wait for a person."),
    ("messages_total", "counter", "Messages taken."),
    ("repeats_total", "counter", "Messages that came again."),
)


def _metrics(feeds: list[FeedStatus], now: datetime) -> str:
    """Prometheus text format 0.0.4; feeds are the only labels."""
    lines = []
    for name, kind, words in _METRICS:
        lines += [f"# HELP mpftconnect_feed_{name} {words}", f"# TYPE mpftconnect_feed_{name} {kind}"]
        for feed in feeds:
            value: float = {
                "last_heard_timestamp_seconds": feed.heard.timestamp() if feed.heard else 0,
                "overdue": int(feed.overdue),
                "depth": feed.depth,
                "oldest_unprocessed_seconds": (now - feed.oldest).total_seconds() if feed.oldest else 0,
                "parked": feed.parked,
                "messages_total": feed.total,
                "repeats_total": feed.repeats,
            }[name]
            lines.append(
                f'mpftconnect_feed_{name}{{feed="{feed.feed}"}} {value:g}'
                if name != _METRICS[0][0]
                else f'mpftconnect_feed_{name}{{feed="{feed.feed}"}} {value:.3f}'
            )
    return "\n".join(lines) + "\n"


@click.command("replay")
@click.option("--yes", is_flag=True, help="Do not ask.")
@store_options
def replay(store: Path | None, config: Path | None, yes: bool) -> int:
    """Forget what was made of the messages, and make it anew from the log: after a change of site file or mapping.

    The tracing service is not asked again. While it runs, readers see what there is so far.
    """
    gaps: list[str] = []
    events = EventStream([lambda event: gaps.append(event.reason or "") if event.code is Code.SYSTEM_GAP else None])
    with opened(config, store, events=events, processing=True) as place:
        if not place.inbox.can_process:
            raise UsageError("to process messages the whole configuration of a hub is needed")
        if not yes:
            click.confirm("Make all projections anew?", abort=True, err=True)
        done = place.inbox.replay()
    click.echo(f"{done.processed} messages processed, {done.parked} parked")
    if done.waiting:
        why = f" ({gaps[-1]})" if gaps else ""
        click.echo(f"The tracing service gave no answer{why}: the rest waits.", err=True)
        return Exit.UNDECIDED
    return Exit.DONE
