"""Seeded patient values are swept for wherever something is said of messages: none is ever found."""

from __future__ import annotations

import io
import logging
import sqlite3
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.adapters.mllp_client import MllpClient
from mpftconnect.adapters.mllp_server import MllpServer
from mpftconnect.adapters.mllp_settings import ListenSettings, SendSettings
from mpftconnect.cli.app import commands
from mpftconnect.cli.exits import run
from mpftconnect.events import EventStream, NdjsonListener, log_listener
from mpftconnect.inbox import Answering, Encrypted, FeedReader, StoreFailed
from mpftconnect.model import SectionName

from .conftest import ADA, message

FAMILY, LOCAL, NOTE, STRANGER = "SEEDEDFAMILY", "SEEDEDMRN", "SEEDEDNOTE", "9990000042"
SEEDS = (FAMILY, LOCAL, NOTE, STRANGER, ADA, "SEEDEDBROKEN")


def messages() -> list[bytes]:
    """Good, repeated, reused, unknown, of nobody's feed, unmappable, bursting, broken and no messages at all."""
    given: dict[str, Any] = {"family": FAMILY, "local": LOCAL}
    return [
        message("1", f"ZCH|visit-upsert|V1|{NOTE}", **given),
        message("1", f"ZCH|visit-upsert|V1|{NOTE}", **given),
        message("1", f"NTE|1||{NOTE}", **given),
        message("2", f"ZCH|visit-upsert|V2|{NOTE}", nhs=STRANGER, family=FAMILY, local=f"{LOCAL}9"),
        message("3", sender="WHO|ZZ9", **given),
        message("4", "ZCH|park", **given),
        message("5", f"ZCH|burst||{NOTE}", **given),
        message("6", f"ZCH|merge|L1|{LOCAL}2^^^ZZ1^MR", **given),
        f"MSH|^~\\&|PAS|ZZ1|||2026||ADT^A01||P|2.4\rPID|1||{ADA}||{FAMILY}\r".encode(),
        f"MSH|{FAMILY}".encode(),
        f"PID|1||{ADA}^^^NHS||{FAMILY}\rNTE|1||{NOTE}\r".encode(),
        message("7", "NTE|1||" + NOTE * 2000, **given),
    ]


def said_by(one: Any, folder: Path, caplog: pytest.LogCaptureFixture) -> Iterator[tuple[str, str]]:
    """Everything that is said of what came."""
    out = io.StringIO()
    events = EventStream([log_listener, NdjsonListener(out)])
    one.inbox._events = events
    answering = Answering(one.inbox, events=events)
    settings = ListenSettings(environment="live", max_bytes=20_000)
    with (
        MllpServer(settings, answering, refuse=answering.refuse, events=events) as server,
        MllpClient(SendSettings(host="127.0.0.1", port=server.port, attempts=1), events=events) as client,
    ):
        for raw in messages():
            try:
                yield "a client's result", repr(client.send(raw))
            except Exception as error:
                yield "a client's exception", "".join(traceback.format_exception_only(error)) + repr(error.args)
    yield "acknowledgements", repr([reply.answers for reply in answering(messages())])
    yield "the refusal of a long message", repr(answering.refuse(messages()[-1][:4096]).answers)
    one.inbox.process()
    one.inbox.process()
    yield "receipts", repr([one.inbox.receive(raw) for raw in messages()[:8]])
    entries = list(one.store.entries(["received", "processed", "parked"]))
    yield "entries", repr(entries) + repr([one.store.entry(entry.seq) for entry in entries])
    yield "projections", repr(one.inbox.items(("pas",), ADA, SectionName.ENCOUNTERS)) + repr(one.inbox.links())
    yield "status", repr(one.inbox.feeds()) + "".join(feed.words(one.clock[0]) for feed in one.inbox.feeds())
    yield "objects", repr([one.inbox, one.store, FeedReader(one.inbox, "pas"), *one.withheld])
    yield "events", out.getvalue()
    yield "logs", "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    yield "file names", repr([str(path) for path in folder.rglob("*")])
    one.inbox.close()
    with sqlite3.connect(one.store.path) as db:
        db.execute("UPDATE things SET body = 'SEEDEDBROKEN'")
        db.execute("UPDATE log SET person = 'SEEDEDBROKEN' WHERE person IS NOT NULL")
    db.close()
    for what in (lambda: list(one.store.entries(["processed"])), one.store.projection_digest):
        with pytest.raises(StoreFailed) as failed:
            what()
        yield "a store's exception", str(failed.value) + "".join(traceback.format_exception(failed.value))


@pytest.mark.parametrize("sealed", [True, False])
def test_no_seeded_value_is_said_anywhere(bench, tmp_path: Path, caplog: pytest.LogCaptureFixture, sealed: bool):
    caplog.set_level(logging.DEBUG)
    one = bench(protection=Encrypted(bytes(range(32))) if sealed else None)
    heard = {}
    for place, text in said_by(one, tmp_path, caplog):
        heard[place] = heard.get(place, "") + text
    for place, text in heard.items():
        assert [seed for seed in SEEDS if seed in text] == [], place
    # What is swept is there: an empty text would hold nothing either.
    assert all(heard.values()) and "parked" in heard["entries"] and "exchange-finished" in heard["logs"]


def test_no_seeded_value_is_printed_by_a_command(bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    one = bench()
    Answering(one.inbox)(messages())
    one.inbox.process()
    one.inbox.close()
    store = ("--store", str(tmp_path / "inbox"))
    for words in (
        *(("status",), ("status", "--json"), ("status", "--metrics"), ("queue", "list"), ("queue", "list", "--json")),
        *(("queue", "show", "1"), ("queue", "show", "99"), ("links", "list"), ("links", "list", "--json")),
    ):
        run(lambda words=words: commands.main(["hl7", *words, *store], "mpftconnect", standalone_mode=False))
        said = capsys.readouterr()
        assert said.out + said.err, words
        assert [seed for seed in SEEDS if seed in said.out + said.err] == [], words
