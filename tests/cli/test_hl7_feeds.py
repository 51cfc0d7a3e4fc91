"""`mpftconnect hl7 listen`, `send`, `status`, `queue`, `links`, `replay`, `purge` and `erase`."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mpftconnect.cli import hl7_opening
from mpftconnect.cli.exits import Exit
from mpftconnect.errors import UsageError
from mpftconnect.inbox import SqliteStore
from mpftconnect.inbox.files import messages_in

Call = Callable[..., tuple[int, str, str]]
ADA = "9990000018"
SEEDS = (ADA, "SEEDEDFAMILY", "SEEDEDGIVEN", "SEEDEDSTREET", "19500304", "SEEDEDMRN")
WHO = (
    *("--user", "u1", "--name", "Una One", "--role", "nurse", "--organisation", "RRE"),
    *("--relationship", "feed"),
)


def message(control: str, *more: str, sender: str = "PAS|ZZ1", value: str = "4.2") -> str:
    pid = f"PID|1||{ADA}^^^NHS^NH~SEEDEDMRN^^^ZZ1^MR||SEEDEDFAMILY^SEEDEDGIVEN||19500304|F|||SEEDEDSTREET"
    head = f"MSH|^~\\&|{sender}|US|RRE|20260102100000||ORU^R01|{control}|P|2.4"
    return "\r".join((head, pid, f"OBR|1|P1|F1|K^Potassium^L|||{20260102100000}||||||||||||||||||F",
                      f"OBX|1|NM|K^Potassium^L||{value}|mmol/L|||||F", *more, ""))  # fmt: skip


@contextmanager
def listening(*options: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The command in a process of its own: its port, and the process."""
    command = [sys.executable, "-c", "from mpftconnect.cli import main; main()", "hl7", "listen", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--environment", "test", *options], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r":(\d+)$", line.strip())
        assert found, line + process.stderr.read()
        yield int(found[1]), process
    finally:
        process.kill()
        process.wait(10)
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "messages"
    folder.mkdir()
    (folder / "1.hl7").write_text(message("c1"), newline="")
    (folder / "2.hl7").write_text(message("c2") + "\n" + message("c3"), newline="")
    return folder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_messages_are_sent_taken_and_shown_in_status(call: Call, tmp_path: Path, files: Path, number: int):
    store = tmp_path / "store"
    with listening("--store", str(store)) as (port, process):
        code, out, _ = call("hl7", "send", f"127.0.0.1:{port}", str(files), "--environment", "test")
        assert code == Exit.DONE
        assert out.splitlines() == [
            "1.hl7  c1  accepted AA",
            "2.hl7  c2  accepted AA",
            "2.hl7  c3  accepted AA",
            "3 accepted, 0 error, 0 rejected",
        ]
        process.send_signal(number)
        said = process.communicate(timeout=30)
        assert process.returncode == (Exit.DONE if number == signal.SIGTERM else Exit.INTERRUPTED)
    for seed in SEEDS:
        assert seed not in out + said[0] + said[1]
    kept = SqliteStore(store)
    assert [entry.control_id for entry in kept.entries(["received"])] == ["c1", "c2", "c3"]
    assert kept.entry(1).body == message("c1").encode()  # type: ignore[union-attr]
    code, out, _ = call("hl7", "status", "--store", str(store), "--json")
    (feed,) = json.loads(out)
    assert code == Exit.DONE and (feed["depth"], feed["parked"], feed["total"]) == (3, 0, 3)
    code, out, _ = call("hl7", "status", "--store", str(store), "--metrics")
    assert 'mpftconnect_feed_depth{feed="default"} 3' in out.splitlines()
    assert all(re.fullmatch(r'# (HELP|TYPE) .+|\w+\{feed="[^"]+"\} [\d.e+]+', line) for line in out.splitlines())


def test_what_is_refused_stops_what_comes_after_it_unless_told_otherwise(call: Call, tmp_path: Path):
    files = []
    for name, text in (("1", message("c1")), ("2", message("").replace("ORU^R01", "")), ("3", message("c3"))):
        files.append(tmp_path / f"{name}.hl7")
        files[-1].write_text(text, newline="")
    # Without a control id there is nothing to tell its answer by.
    code, _, err = call("hl7", "send", "127.0.0.1:1", str(files[1]), "--environment", "test")
    assert code == Exit.USAGE and "MSH-10" in err
    files[1].write_text(message("c2").replace("ORU^R01", ""), newline="")
    with listening("--store", str(tmp_path / "store")) as (port, _):
        where = ("hl7", "send", f"127.0.0.1:{port}", *map(str, files), "--environment", "test")
        code, out, _ = call(*where, "--json")
        assert code == Exit.NOT_MET
        assert [json.loads(line)["outcome"] for line in out.splitlines()] == ["accepted", "rejected"]
        assert json.loads(out.splitlines()[1])["errors"] == ["101"]
        code, out, _ = call(*where, "--keep-going")
        assert code == Exit.NOT_MET and "2 accepted, 0 error, 1 rejected" in out


def test_nobody_there_and_nothing_to_send(call: Call, tmp_path: Path, files: Path):
    code, _, err = call("hl7", "send", "127.0.0.1:1", str(files), "--environment", "test", "--attempts", "1")
    assert code == Exit.UNDECIDED and "refused" in err
    (tmp_path / "empty.hl7").write_text("PID|1|SEEDEDFAMILY")
    code, _, err = call("hl7", "send", "127.0.0.1:1", str(tmp_path / "empty.hl7"))
    assert code == Exit.USAGE and "no message" in err and "SEEDED" not in err
    for where in ("here", "host:x", ":1", "host:99999"):
        code, _, err = call("hl7", "send", where, str(files))
        assert code == Exit.USAGE, err
    code, _, err = call("hl7", "send", "pas.example:2575", str(files))
    assert code == Exit.USAGE and "needs TLS" in err


def test_a_store_that_was_misspelt_is_no_store_in_which_all_is_well(call: Call, tmp_path: Path):
    none = ("--store", str(tmp_path / "none"))
    for command in (("status",), ("queue", "list"), ("links", "list"), ("replay", "--yes")):
        code, _, err = call("hl7", *command, *none)
        assert code == Exit.USAGE and "there is no store" in err
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may look into every folder")
def test_a_store_of_another_account_is_said(call: Call, tmp_path: Path):
    (tmp_path / "store").mkdir(mode=0o000)
    code, _, err = call("hl7", "status", "--store", str(tmp_path / "store"))
    assert code == Exit.USAGE and "use the account that owns it" in err


def test_a_store_that_may_not_be_looked_into_is_said(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def closed(path: Path) -> None:
        raise PermissionError(13, "SEEDED", str(path))

    monkeypatch.setattr(Path, "stat", closed)
    with pytest.raises(UsageError, match="use the account that owns it"):
        hl7_opening._check_there(tmp_path, named=True)


def test_what_cannot_be_sent_is_said_before_anything_is(call: Call, tmp_path: Path, files: Path):
    store = tmp_path / "store"
    (files / "9.txt").write_text("notes of SEEDEDFAMILY")
    (tmp_path / "empty").mkdir()
    with listening("--store", str(store)) as (port, _):
        where = ("hl7", "send", f"127.0.0.1:{port}")
        code, out, err = call(*where, str(files), "--environment", "test")
        assert code == Exit.USAGE and "9.txt: no message in it; nothing was sent" in err and "SEEDED" not in out + err
        (files / "9.txt").write_text(message("").replace("ORU^R01", ""), newline="")
        code, _, err = call(*where, str(files), "--environment", "test")
        assert code == Exit.USAGE and "9.txt: MSH-10" in err
        code, _, err = call(*where, str(tmp_path / "empty"), "--environment", "test")
        assert code == Exit.USAGE and "nothing was sent" in err
    assert list(SqliteStore(store).entries(["received"])) == []


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A receiver that says that to whatever comes; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    line, _ = server.accept()
                    with line:
                        line.recv(65_536)
                        line.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("answer", "met"),
    [
        (b"", "unreachable"),
        (b"\x0bMSH|^~\\&|\rMSA|AA|another\r\x1c\r", "answer-rejected"),
        (b"\x0bMSH|^~\\&|\rPID|SEEDEDFAMILY\r\x1c\r", "answer-rejected"),
    ],
)
def test_an_unknown_outcome_says_of_which_message_and_what_was_met(call: Call, files: Path, answer: bytes, met: str):
    with answering(answer) as port:
        where = ("hl7", "send", f"127.0.0.1:{port}", str(files), "--environment", "test", "--attempts", "2")
        code, out, err = call(*where)
    assert code == Exit.UNDECIDED and out == "0 accepted, 0 error, 0 rejected\n"
    assert f"1.hl7  c1  outcome unknown: send the same file again, before others (attempts: {met}, {met})" in err
    for seed in SEEDS:
        assert seed not in out + err


def test_where_nobody_is_the_sum_is_said_too(call: Call, files: Path):
    code, out, err = call("hl7", "send", "127.0.0.1:1", str(files), "--environment", "test", "--attempts", "1")
    assert code == Exit.UNDECIDED and "0 accepted" in out and "1.hl7  c1  not sent (attempts: unreachable)" in err


def test_a_listener_logs_its_connections_and_what_was_no_message(tmp_path: Path):
    for options, logged in (((), True), (("--quiet",), False)):
        with listening("--store", str(tmp_path / "store"), "--max-connections", "1", *options) as (port, process):
            with socket.create_connection(("127.0.0.1", port), 10) as line:
                line.sendall(b"GET / SEEDEDFAMILY\r\n\x0b" + message("c1").encode() + b"\x1c\r")
                assert b"MSA|AA|c1" in line.recv(65_536)
                with socket.create_connection(("127.0.0.1", port), 10) as other, suppress(ConnectionError):
                    assert other.recv(1) == b""
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=30)
        lines = [line.split(" ", 1)[1] for line in err.splitlines() if "code=" in line]
        assert "ERROR code=line-refused system=hl7 reason=too-many-connections" in lines
        assert ("INFO code=line-opened system=hl7 count=1" in lines) is logged
        assert any(line.startswith("INFO code=frame-refused") for line in lines) is logged
        assert any(re.match(r"INFO code=line-closed .*reason=(closed|stopped)", line) for line in lines) is logged
        for seed in SEEDS:
            assert seed not in out + err


def test_whoever_does_not_read_a_listeners_log_holds_up_no_message(tmp_path: Path):
    with listening("--store", str(tmp_path / "store")) as (port, process):
        for _ in range(1100):  # two lines each: more than a pipe holds
            socket.create_connection(("127.0.0.1", port), 10).close()
        with socket.create_connection(("127.0.0.1", port), 10) as line:
            line.settimeout(30)
            line.sendall(b"\x0b" + message("c1").encode() + b"\x1c\r")
            assert b"MSA|AA|c1" in line.recv(65_536)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == Exit.DONE


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_a_terminal_that_is_closed_stops_a_listener_as_gracefully(tmp_path: Path):
    with listening("--store", str(tmp_path / "store")) as (_, process):
        process.send_signal(signal.SIGHUP)
        _, err = process.communicate(timeout=30)
        assert process.returncode == Exit.DONE and "what was taken is finished" in err


def test_a_listener_makes_its_store_at_once(call: Call, tmp_path: Path):
    """A feed that is never heard is then overdue from a time that is known, and a folder that cannot be is said."""
    with listening("--store", str(tmp_path / "store")):
        assert SqliteStore(tmp_path / "store").since() is not None
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "inbox.sqlite").touch()  # of a listener that was killed in its first moment
    with listening("--store", str(tmp_path / "half")) as (port, _):
        call("hl7", "send", f"127.0.0.1:{port}", str(write(tmp_path / "1.hl7", message("c1"))), "--environment", "test")
    assert [entry.control_id for entry in SqliteStore(tmp_path / "half").entries(["received"])] == ["c1"]
    (tmp_path / "file").touch()
    code, _, err = call("hl7", "listen", "--port", "0", "--store", str(tmp_path / "file" / "store"))
    assert code == Exit.OUR_FAULT and "store-unreachable" in err and "this account's" in err


def write(path: Path, text: str) -> Path:
    path.write_text(text, newline="")
    return path


def test_files_of_every_shape():
    one, two = message("a").encode(), message("b").encode()
    framed = b"\x0b" + one + b"\x1c\r\x0b" + two + b"\x1c\r"
    batch = b"FHS|^~\\&|x\rBHS|^~\\&|x\r" + one + two + b"BTS|2\rFTS|1\r"
    for data in (one + two, framed, batch, one.replace(b"\r", b"\r\n") + two, b"\xef\xbb\xbf" + one + b"\n\n" + two):
        assert messages_in(data) == [one, two]
    # A text that speaks of MSH begins no message.
    assert len(messages_in(one + b"NTE|1||MSH|is a segment\rNTE|2||x MSH|y\r")) == 1


# --- with the configuration of a hub ---


@pytest.fixture
def config(configured: Path, tmp_path: Path) -> tuple[str, str]:
    text = configured.read_text().replace(str(configured.parent / "state"), str(tmp_path / "state"))
    text += f"""
[inbox]
store = "{tmp_path / "inbox"}"
[inbox.who]
user = "listener"
name = "Listener"
role = "system"
organisation = "RRE"
purpose = "direct-care"
relationship = "feed"
[inbox.feeds.pas]
system = "synthetic"
senders = [{{ application = "PAS", facility = "ZZ1" }}]
expected_minutes = 60
sections = ["results"]
[inbox.feeds.pas.agreement]
name = "ISA-1"
parties = ["RRE"]
purposes = ["direct-care"]
sections = ["all"]
expires = 2099-12-31
"""
    path = tmp_path / "mpftconnect.toml"
    path.write_text(text)
    return ("--config", str(path))


@pytest.fixture
def received(config: tuple[str, str], files: Path, call: Call, tmp_path: Path) -> tuple[str, str]:
    """Three results of Ada, one message of nobody's, and one of somebody whom nobody knows, all processed."""
    (files / "3.hl7").write_text(message("c4", sender="WHO|ZZ9"), newline="")
    (files / "4.hl7").write_text(message("c5").replace(ADA, "9990000999").replace("SEEDEDMRN", "M5"), newline="")
    with listening(*config) as (port, process):
        assert call("hl7", "send", f"127.0.0.1:{port}", str(files), "--environment", "test")[0] == Exit.DONE
        end = time.monotonic() + 30
        while time.monotonic() < end and call("hl7", "queue", "list", *config, "--json")[1].count('"received"'):
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert process.returncode == Exit.DONE, err
    for seed in SEEDS:
        assert seed not in out + err
    return config


def test_a_whole_day_of_commands(received: tuple[str, str], call: Call):
    config = received
    code, out, err = call("hl7", "status", *config)
    assert code == Exit.UNDECIDED, out + err  # something is parked
    assert "pas" in out and "1 parked" in out
    code, out, _ = call("hl7", "queue", "list", *config, "--json")
    parked = {row["control_id"]: row for row in map(json.loads, out.splitlines())}
    assert {control: row["reason"] for control, row in parked.items()} == {
        "c4": "sender-unknown",
        "c5": "nhs-number-unknown",
    }
    number = str(parked["c4"]["number"])
    # Where it stands is shown without an account; its content is not.
    code, plain, _ = call(
        "hl7",
        "queue",
        "show",
        number,
        *config,
    )
    assert code == Exit.DONE and "sender-unknown" in plain
    code, content, _ = call("hl7", "queue", "show", number, *config, "--with-patient-data", *WHO)
    assert code == Exit.DONE and "SEEDEDFAMILY" in content
    for seed in SEEDS:
        assert seed not in plain and seed not in out
    # Decisions need a reason and leave an account.
    code, _, err = call("hl7", "queue", "discard", number, *config, *WHO, "--reason", "a test system's")
    assert code == Exit.DONE, err
    assert call("hl7", "queue", "discard", number, *config, *WHO, "--reason", "again")[0] == Exit.USAGE
    unknown = str(parked["c5"]["number"])
    code, _, err = call("hl7", "queue", "release", unknown, *config, *WHO, "--reason", "known now")
    assert code == Exit.DONE, err
    code, told, _ = call("audit", "show", *config, "--json", *WHO[:-2], "--role", "privacy-officer")
    assert code == Exit.DONE
    for word in ("discard", "a test system's", "known now", "message/"):
        assert word in told
    assert "SEEDEDFAMILY" not in told
    code, out, _ = call("hl7", "replay", *config, "--yes")
    assert code == Exit.DONE and "processed" in out
    code, out, _ = call("hl7", "purge", *config, "--yes", *WHO)
    assert code == Exit.DONE and "0 messages removed" in out
    code, out, err = call("hl7", "erase", "-", *config, "--yes", *WHO, stdin=ADA)
    assert code == Exit.DONE and "messages removed" in out, err
    code, out, _ = call("data-map", *config)
    assert "inbox" in out and "NOT encrypted" in out


def test_undoing_a_merge_takes_two_people(config: tuple[str, str], call: Call, tmp_path: Path):
    made_of_a_merge(config)
    code, out, _ = call("hl7", "links", "list", *config, "--json")
    (link,) = map(json.loads, out.splitlines())
    assert code == Exit.DONE and (link["kind"], link["state"]) == ("merge", "in-force")
    for wrong in ("zzzz", link["id"][:3], ""):
        code, _, err = call("hl7", "links", "undo", wrong, *config, *WHO, "--reason", "two people")
        assert code == Exit.USAGE and "links list" in err
    officer = ("--role", "privacy-officer", *WHO[:4], *WHO[6:])
    assert call("hl7", "links", "approve", link["id"], *config, *officer)[0] == Exit.USAGE
    code, out, err = call("hl7", "links", "undo", link["id"][:4].upper(), *config, *WHO, "--reason", "two people")
    assert code == Exit.DONE and link["id"] in out, err
    assert call("hl7", "links", "approve", link["id"], *config, *officer)[0] == Exit.USAGE  # the same user
    other = ("--user", "u2", "--name", "Two", *WHO[4:])
    assert call("hl7", "links", "approve", link["id"], *config, *other)[0] == Exit.NOT_MET  # no approver's role
    code, out, err = call("hl7", "links", "approve", link["id"], *config, *other, "--role", "privacy-officer")
    assert code == Exit.DONE and "undone" in out, err
    assert json.loads(call("hl7", "links", "list", *config, "--json")[1])["state"] == "undone"
    told = call("audit", "show", *config, "--json", *WHO[:-2], "--role", "privacy-officer")[1]
    assert told.count("approve") == 1 and told.count("propose") == 1  # of what was refused there is no account


def test_what_cannot_be_accounted_for_is_not_undone(config: tuple[str, str], call: Call, tmp_path: Path):
    made_of_a_merge(config)
    (link,) = map(json.loads, call("hl7", "links", "list", *config, "--json")[1].splitlines())
    shut = tmp_path / "shut.toml"
    text = Path(config[1]).read_text()
    (tmp_path / "file").touch()
    for trail in ("audit", "audit-fallback"):
        text = re.sub(rf'"[^"]*/{trail}/', f'"{tmp_path}/file/{trail}/', text)
    shut.write_text(text)
    undo = ("hl7", "links", "undo", link["id"])
    assert call(*undo, "--config", str(shut), *WHO, "--reason", "two people")[0] == Exit.OUR_FAULT
    assert json.loads(call("hl7", "links", "list", *config, "--json")[1])["undoing_proposed_by"] is None
    assert call(*undo, *config, *WHO, "--reason", "two people")[0] == Exit.DONE
    other = ("--user", "u2", "--name", "Two", "--role", "privacy-officer", *WHO[6:])
    code, _, _ = call("hl7", "links", "approve", link["id"], "--config", str(shut), *other)
    assert code == Exit.OUR_FAULT
    assert json.loads(call("hl7", "links", "list", *config, "--json")[1])["state"] == "in-force"


def made_of_a_merge(config: tuple[str, str]) -> None:
    from mpftconnect.inbox import Resolution

    pid = f"PID|1||{ADA}^^^NHS^NH~M1^^^ZZ1^MR||DOE^JO||19500304|F"
    head = "MSH|^~\\&|PAS|ZZ1|US|RRE|20260102100000||ADT^A40^ADT_A39|m1|P|2.4"
    merge = f"{head}\rEVN|A40|20260102100000\r{pid}\rMRG|M0^^^ZZ1^MR\r"
    with hl7_opening.opened(Path(config[1]), None, processing=True) as place:
        place.inbox._resolve = lambda subject: Resolution("found", subject.nhs_number)  # type: ignore[arg-type]
        place.inbox.receive(merge.encode())
        place.inbox.process()


def test_why_messages_wait_is_said(config: tuple[str, str], call: Call, tmp_path: Path):
    """Acknowledged, and on no record: here because the listener's organisation is no party of the agreement."""
    text = Path(config[1]).read_text()
    listener = 'role = "system"\norganisation = "RRE"'
    assert listener in text
    Path(config[1]).write_text(text.replace(listener, listener.replace("RRE", "ZZ9")))
    with listening(*config) as (port, process):
        sent = call(
            "hl7", "send", f"127.0.0.1:{port}", str(write(tmp_path / "1", message("c1"))), "--environment", "test"
        )
        assert sent[0] == Exit.DONE and process.stderr is not None
        guard = threading.Timer(60, process.kill)
        guard.start()
        lines = iter(process.stderr.readline, "")
        assert any("ERROR code=messages-wait step=trace_person reason=no-agreement" in line for line in lines)
        guard.cancel()
    code, _, err = call("hl7", "replay", *config, "--yes")
    assert code == Exit.UNDECIDED and "gave no answer (no-agreement)" in err


def test_a_clock_that_is_ahead_purges_nothing_unasked(config: tuple[str, str], call: Call):
    with hl7_opening.opened(Path(config[1]), None) as place:
        place.inbox.receive(message("c1").encode(), datetime(2020, 1, 1, tzinfo=UTC))
    code, _, err = call("hl7", "purge", *config, "--yes", *WHO)
    assert code == Exit.USAGE and "clock" in err
    code, out, _ = call("hl7", "purge", *config, *WHO, stdin="y\n")
    assert code == Exit.DONE and "messages removed" in out


def test_a_feed_that_was_misspelt_is_no_empty_queue(config: tuple[str, str], call: Call):
    assert call("hl7", "queue", "list", *config, "--feed", "pas")[:2] == (Exit.DONE, "0 messages.\n")
    code, _, err = call("hl7", "queue", "list", *config, "--feed", "pass")
    assert code == Exit.USAGE and "there is pas" in err


def test_a_message_is_shown_in_its_own_character_set(config: tuple[str, str], call: Call):
    text = message("c1").replace("|P|2.4", "|P|2.4|||||GBR|UNICODE UTF-8").replace("SEEDEDFAMILY", "Brontë")
    with hl7_opening.opened(Path(config[1]), None) as place:
        for body in (text.encode(), text.replace("|c1|", "|c2|").replace("UNICODE UTF-8", "8859/1").encode("latin-1")):
            place.inbox.receive(body)
        place.inbox.receive(b"MSH|^~\\&|PAS|ZZ1|||2026||ADT^A01|c3\rP\x00D|\xeb\r" + b"X" * 70 + b"\r")
    for number in ("1", "2"):
        code, out, _ = call("hl7", "queue", "show", number, *config, "--with-patient-data", *WHO)
        assert code == Exit.DONE and "Brontë" in out
    assert call("hl7", "queue", "show", "3", *config, "--with-patient-data", *WHO)[0] == Exit.DONE


def test_a_state_folder_that_cannot_be_made_is_a_mistake_in_the_file(
    config: tuple[str, str], call: Call, tmp_path: Path
):
    (tmp_path / "file").touch()
    text = Path(config[1]).read_text()
    state = re.search(r'^state = "(.*)"', text, re.MULTILINE)
    assert state
    (tmp_path / "shut.toml").write_text(text.replace(f'"{state[1]}"', f'"{tmp_path}/file/state"'))
    code, _, err = call("hl7", "listen", "--port", "0", "--config", str(tmp_path / "shut.toml"))
    assert code == Exit.USAGE and "state: the folder" in err and "cannot be made" in err


def test_without_a_hubs_configuration_nothing_of_a_patient_is_shown(call: Call, tmp_path: Path):
    store = tmp_path / "store"
    from mpftconnect.inbox import Inbox

    inbox = Inbox(SqliteStore(store), {})
    inbox.receive(message("c1").encode())
    inbox.close()
    code, out, err = call("hl7", "queue", "show", "1", "--store", str(store), "--with-patient-data", *WHO)
    assert code == Exit.USAGE and "audit trail" in err and "SEEDED" not in out + err
    for command in (("queue", "release", "1", "--reason", "x"), ("queue", "discard", "1"), ("purge", "--yes")):
        code, _, err = call("hl7", *command, "--store", str(store), *WHO, stdin="because\n")
        assert code == Exit.USAGE and "audit trail" in err
    assert call("hl7", "replay", "--yes", "--store", str(store))[0] == Exit.USAGE
    assert call("hl7", "status")[0] in (Exit.USAGE, Exit.DONE)


def test_an_overdue_feed_is_an_exit_code(config: tuple[str, str], call: Call):
    code, out, _ = call("hl7", "status", *config)
    assert code == Exit.NOT_MET and "OVERDUE" in out and "never heard" in out
    code, out, _ = call("hl7", "status", *config, "--metrics")
    assert 'mpftconnect_feed_overdue{feed="pas"} 1' in out


def test_a_store_that_cannot_be_used_is_said_before_anybody_connects(call: Call, tmp_path: Path):
    (tmp_path / "inbox.sqlite").write_bytes(b"no database" * 1000)
    code, _, err = call("hl7", "listen", "--port", "0", "--store", str(tmp_path))
    assert code == Exit.OUR_FAULT and "store-corrupt" in err
