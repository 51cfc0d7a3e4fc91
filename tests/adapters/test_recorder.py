"""What evidence holds, and what it never holds (rules 13 and 16)."""

from __future__ import annotations

import base64
import json
import os
import threading
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest

from mpftconnect.adapters import (
    ApiKeyHeader,
    BasicAuth,
    BearerToken,
    Deadline,
    Endpoint,
    Exchange,
    FolderRecorder,
    MemoryRecorder,
    Wire,
)
from mpftconnect.errors import AdapterError, ConfigurationError, UsageError
from mpftconnect.events import EventStream

NUMBER = "9990000018"


def exchange(number: int = 1, **changed: object) -> Exchange:
    made = Exchange(
        id=f"id-{number}",
        system="acme",
        environment="test",
        label="Patient.read",
        method="GET",
        request_id="r",
        correlation_id="c",
        attempt=1,
        sent_at=datetime(2026, 1, 1, tzinfo=UTC),
        duration_ms=1.5,
        status=200,
        error=None,
        request_bytes=0,
        response_bytes=2,
        request_digest="",
        response_digest="",
        url="http://x/Patient/1",
        response_body=b"{\xff",
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def everything(made: Exchange) -> str:
    return " ".join(str(getattr(made, each.name)) for each in fields(made)) + json.dumps(made.as_dict())


def test_in_live_an_exchange_holds_no_address_header_or_body(serve, line):
    server = serve(lambda talk: talk.answer(body=f'{{"id": "{NUMBER}"}}'.encode(), X_Name="Zzyzx"))
    wire = line(server.url, environment="live")
    wire.get(f"Patient/{NUMBER}", {"family": "Zzyzx"}, headers={"X-Number": NUMBER}, label="Patient.read")
    wire.post("Task", json={"for": NUMBER})
    with pytest.raises(AdapterError):
        line("http://127.0.0.1:9", environment="live").get(f"Patient/{NUMBER}")
    read, write, failed = line.recorder.exchanges
    for made in (read, write, failed):
        assert {made.url, made.request_headers, made.request_body, made.response_headers, made.response_body} == {None}
        assert NUMBER not in everything(made)
        assert "Zzyzx" not in everything(made)
    assert (read.status, read.label, read.response_bytes, read.environment) == (200, "Patient.read", 20, "live")
    assert (write.request_bytes, failed.status, failed.error) == (20, None, "unreachable")


def test_a_live_digest_cannot_be_guessed_back_and_a_test_digest_can(serve, line):
    import hashlib

    server = serve(lambda talk: talk.answer(body=NUMBER.encode()))
    plain = hashlib.sha256(NUMBER.encode()).hexdigest()
    line(server.url, environment="live").get("x")
    line(server.url, environment="live").get("x")
    line(server.url).get("x")
    first, second, test = (each.response_digest for each in line.recorder.exchanges)
    assert first == second  # within one process, equal bodies can be seen to be equal
    assert first.startswith("hmac-sha256:")
    assert plain not in first
    assert test == f"sha256:{plain}"


def test_in_test_an_exchange_holds_all_but_what_opens_doors(serve, line):
    server = serve(lambda talk: talk.answer(body=b"body", Set_Cookie="s=door-1", X_Kept="kept"))
    secrets = ["s3cret-key-1", "s3cret-token-2", "s3cret-pass-3", "s3cret-query-4", "s3cret-header-5", "s3cret-form-6"]
    key, token, password, query, header, form = secrets
    wire = line(server.url, headers={"Ocp-Apim-Subscription-Key": header})
    wire.bound(auth=ApiKeyHeader(key, "X-Door")).get("a", {"access_token": query, "name": "Ann"})
    wire.bound(auth=BearerToken(token)).post("b", json={"a": 1})
    wire.bound(auth=BasicAuth("jo", password)).post("c", data={"client_secret": form, "a": "1"}, safe=True)
    first, second, third = line.recorder.exchanges
    assert [first.request_body, second.request_body, third.request_body] == [b"", b'{"a":1}', None]
    assert first.url == server.url + "/a?access_token=%28not+recorded%29&name=Ann"
    assert first.response_body == b"body"
    sent, came = dict(first.request_headers or ()), dict(first.response_headers or ())
    assert (sent["X-Door"], came["Set-Cookie"], came["X-Kept"]) == ("(not recorded)", "(not recorded)", "kept")
    assert sent["X-Request-ID"] == first.request_id
    kept = "".join(map(everything, line.recorder.exchanges))
    for secret in [*secrets, "door-1", base64.b64encode(f"jo:{password}".encode()).decode()]:
        assert secret not in kept


def test_an_answer_that_repeats_the_credentials_is_not_kept(serve, line):
    server = serve(lambda talk: talk.answer(body=talk.headers["authorization"].encode()))
    assert b"s3cret-token" in line(server.url, auth=BearerToken("s3cret-token")).get("x").body
    assert line.recorder.exchanges[0].response_body is None


def test_token_bodies_are_never_kept(serve, line):
    server = serve(lambda talk: talk.answer(body=b'{"access_token": "s3cret-token"}'))
    wire = line(server.url)
    wire.fetch_token(server.url + "/token", {"client_assertion": "s3cret-jwt"}, deadline=Deadline.after(5))
    (made,) = line.recorder.exchanges
    assert "s3cret" not in everything(made)
    assert (made.label, made.request_body, made.response_body) == ("token", None, None)
    assert (made.request_digest, made.response_digest) == ("", "")
    assert made.response_bytes > 0


def test_a_repr_holds_no_body_and_no_address(serve, line):
    server = serve(lambda talk: talk.answer(body=NUMBER.encode(), X_Number=NUMBER))
    answer = line(server.url).get(f"Patient/{NUMBER}")
    assert NUMBER not in repr(answer) + repr(line.recorder.exchanges) + repr(line.wires) + repr(line.events)


def test_memory_keeps_the_newest():
    recorder = MemoryRecorder(limit=2)
    for number in range(5):
        recorder.record(exchange(number))
    assert [each.id for each in recorder.exchanges] == ["id-3", "id-4"]
    recorder.clear()
    assert recorder.exchanges == ()


def test_a_folder_keeps_each_exchange_as_a_file(tmp_path):
    folder = tmp_path / "evidence"
    recorder = FolderRecorder(folder)
    threads = [threading.Thread(target=recorder.record, args=(exchange(number),)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = sorted(folder.iterdir())
    assert len(files) == 20
    assert files[0].name == "20260101T000000-id-0.json"
    kept = json.loads(files[0].read_text())
    assert base64.b64decode(kept["response_body"]) == b"{\xff"
    assert kept["sent_at"] == "2026-01-01T00:00:00+00:00"
    assert "error" not in kept


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX systems")
def test_a_folder_is_closed_to_others(tmp_path):
    folder = tmp_path / "evidence"
    folder.mkdir(mode=0o755)
    FolderRecorder(folder).record(exchange())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_a_folder_refuses_live_systems(tmp_path):
    recorder = FolderRecorder(tmp_path / "evidence")
    with pytest.raises(UsageError, match="live"):
        recorder.record(exchange(environment="live"))
    with pytest.raises(ConfigurationError, match="live"):
        Wire("acme", Endpoint(base_url="https://x.example"), events=EventStream(), recorder=recorder)
    assert list((tmp_path / "evidence").iterdir()) == []


def test_purge_removes_what_is_old_whatever_its_file_time(tmp_path):
    recorder = FolderRecorder(tmp_path)
    now = datetime.now(UTC)
    for number, days in enumerate((0, 1, 5, 9)):
        recorder.record(exchange(number, sent_at=now - timedelta(days=days)))
    (tmp_path / ".broken.part").write_text("{")
    (tmp_path / "notes.txt").write_text("not ours")
    assert recorder.purge(timedelta(days=3)) == 3
    assert sorted(file.name.partition("-")[2] for file in tmp_path.glob("*.json")) == ["id-0.json", "id-1.json"]
    assert (tmp_path / "notes.txt").exists()


def test_half_a_file_is_not_left_behind(tmp_path, monkeypatch):
    recorder = FolderRecorder(tmp_path)

    def broken(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dump", broken)
    with pytest.raises(OSError, match="space"):
        recorder.record(exchange())
    assert list(tmp_path.iterdir()) == []


def test_events_tell_of_every_exchange_and_hold_no_value(serve, line):
    server = serve(lambda talk: talk.answer(body=b"12345"))
    answer = line(server.url).get(f"Patient/{NUMBER}", label="Patient.read")
    (event,) = line.events
    assert (event.code, event.system, event.step, event.status, event.count, event.reason) == (
        "exchange-finished", "acme", "Patient.read", 200, 5, None,
    )  # fmt: skip
    assert event.request_id == answer.request_id
    assert event.duration_ms is not None
    assert NUMBER not in json.dumps(event.as_dict())


def test_a_wire_that_is_bound_not_to_keep_what_is_said_keeps_counts_alone(serve, line):
    """As of a restricted person: in a test environment no more is kept than in a live one."""
    server = serve(lambda talk: talk.answer(body=b'{"address": "14 Wolfscote Rise"}'))
    wire = line(server.url)
    quiet = wire.bound(in_full=False)
    quiet.get("Patient/Wolfscote")
    quiet.bound(in_full=True).get("Patient/Wolfscote")
    (first, second) = line.recorder.exchanges
    for kept in (first, second):
        assert "Wolfscote" not in everything(kept)
        assert kept.url is kept.response_body is kept.request_body is kept.request_headers is None
        assert kept.response_digest.startswith("hmac-sha256:")
        assert (kept.status, kept.response_bytes) == (200, 32)
    wire.get("Patient/Wolfscote")
    assert "Wolfscote" in everything(line.recorder.exchanges[2])
