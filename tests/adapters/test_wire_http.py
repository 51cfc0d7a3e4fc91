"""What leaves by the wire, and what of an answer arrives."""

from __future__ import annotations

import os
import re
from decimal import Decimal
from pathlib import Path

import pytest

from mpftconnect.adapters import BasicAuth, BearerToken, Deadline, Endpoint, MemoryRecorder, Wire
from mpftconnect.errors import (
    AdapterError,
    AnswerRejected,
    ConfigurationError,
    NotPermitted,
    RateLimited,
    SystemFailed,
    Unreachable,
    UsageError,
)
from mpftconnect.events import EventStream

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_an_answer_is_what_was_sent(serve, line):
    server = serve(
        lambda talk: talk.answer(body=b'{"dose": 2.50}', Content_Type="application/fhir+json; charset=utf-8")
    )
    answer = line(server.url + "/base/").get("Patient/1", {"name": "A & B|c", "code": ["1", "2"]})
    assert (answer.status, answer.body, answer.system) == (200, b'{"dose": 2.50}', "acme")
    assert answer.content_type == "application/fhir+json"
    assert answer.json() == {"dose": Decimal("2.50")}
    assert answer.fetched.utcoffset() is not None
    assert server.talks[0].target == "/base/Patient/1?name=A+%26+B%7Cc&code=1&code=2"
    assert server.talks[0].headers["x-request-id"] == answer.request_id


def test_every_request_has_its_own_id_and_a_reading_one_correlation_id(serve, line):
    server = serve(lambda talk: talk.answer())
    wire = line(server.url).bound(deadline=Deadline.after(5))
    wire.get("a")
    wire.get("b")
    wire.bound().get("c")
    requests = [talk.headers["x-request-id"] for talk in server.talks]
    assert len(set(requests)) == 3
    assert all(UUID.fullmatch(each) for each in requests)
    assert {talk.headers["x-correlation-id"] for talk in server.talks} == {wire.correlation_id}
    line(server.url).bound(correlation_id="given").get("d")
    assert server.talks[-1].headers["x-correlation-id"] == "given"


def test_connections_are_kept_for_the_next_request(serve, line):
    server = serve(lambda talk: talk.answer())
    wire = line(server.url)
    for _ in range(5):
        wire.bound(deadline=Deadline.after(5)).get("x")
    assert server.connections == 1


def test_headers_are_added_from_the_outside_in_and_ids_cannot_be_replaced(serve, line):
    server = serve(lambda talk: talk.answer())
    wire = line(server.url, headers={"A": "endpoint", "B": "endpoint"}).bound(headers={"B": "reading", "C": "reading"})
    wire.get("x", headers={"c": "request", "X-Request-ID": "mine"})
    sent = server.talks[0].headers
    assert (sent["a"], sent["b"], sent["c"]) == ("endpoint", "reading", "request")
    assert sent["x-request-id"] != "mine"


def test_a_mirrored_request_id_must_be_ours(serve, line):
    server = serve(lambda talk: talk.answer(X_Request_ID=talk.headers["x-request-id"].upper()))
    assert line(server.url).get("x").ok
    stranger = serve(
        lambda talk: talk.answer(body=b'{"name": "Zzyzx"}', X_Request_ID="11111111-1111-1111-1111-111111111111")
    )
    with pytest.raises(AnswerRejected, match="X-Request-ID is not ours"):
        line(stranger.url, retries=3).get("x")
    assert len(stranger.talks) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
def test_redirects_are_not_followed(serve, line, status):
    elsewhere = serve(lambda talk: talk.answer())
    server = serve(lambda talk: talk.answer(status, b"", Location=elsewhere.url + "/Patient"))
    with pytest.raises(AnswerRejected, match=f"status {status}: redirects are not followed"):
        line(server.url, auth=BearerToken("secret-token")).get("x")
    assert elsewhere.talks == []
    assert len(server.talks) == 1


def test_links_of_the_same_origin_are_followed_and_no_others(serve, line):
    elsewhere = serve(lambda talk: talk.answer())
    server = serve(lambda talk: talk.answer())
    wire = line(server.url + "/fhir", auth=BearerToken("secret-token"))
    wire.get(server.url.upper().replace("HTTP", "http") + "/page?token=2")
    assert server.talks[0].target == "/page?token=2"
    for link in (
        elsewhere.url + "/page",
        "https://" + server.url.removeprefix("http://") + "/x",
        "//other.invalid/x",
        server.url.replace("://", "://user@") + "/x",
        "http://[bad",
        "ftp://localhost/x",
    ):
        with pytest.raises(AnswerRejected):
            wire.get(link)
    assert elsewhere.talks == []
    assert len(server.talks) == 1


@pytest.mark.parametrize("path", ["Patient/../admin", "../x", "Patient/%2e%2E/admin", "Patient/..", "a\\..\\b"])
def test_a_path_cannot_climb_out_of_the_base(line, path):
    with pytest.raises(AnswerRejected, match="dot segments"):
        line("http://localhost:1/fhir").get(path)


def test_cookies_are_not_kept(serve, line):
    server = serve(lambda talk: talk.answer(Set_Cookie="session=abc; Path=/"))
    wire = line(server.url)
    wire.get("a")
    wire.get("b")
    assert "cookie" not in server.talks[1].headers


def test_nothing_is_taken_from_the_environment_or_netrc(serve, line, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login someone password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent.pem"))
    server = serve(lambda talk: talk.answer())
    assert line(server.url).get("x").ok
    assert "authorization" not in server.talks[0].headers


def test_the_configured_proxy_is_used(serve, line):
    proxy = serve(lambda talk: talk.answer(body=b"by proxy"))
    answer = line("http://system.invalid/base", proxy=proxy.url).get("x")
    assert answer.body == b"by proxy"
    assert proxy.talks[0].target == "http://system.invalid/base/x"


def test_a_proxy_that_is_not_there_is_named(line):
    with pytest.raises(Unreachable, match="proxy"):
        line("http://system.invalid", proxy="http://127.0.0.1:9").get("x")


def test_post_sends_json_with_its_decimals_or_a_form(serve, line):
    server = serve(lambda talk: talk.answer(201))
    wire = line(server.url)
    wire.post("Observation", json={"value": Decimal("2.50")}, headers={"Content-Type": "application/fhir+json"})
    wire.post("_search", data={"name": "A & B", "code": ["1", "2"]}, safe=True)
    wire.post("raw", data=b"MSH|", headers={"Content-Type": "text/plain"})
    wire.post("none")
    json, form, raw, none = server.talks
    assert (json.body, json.headers["content-type"]) == (b'{"value":2.50}', "application/fhir+json")
    assert form.body == b"name=A+%26+B&code=1&code=2"
    assert form.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (raw.body, none.body, none.headers["content-length"]) == (b"MSH|", b"", "0")
    with pytest.raises(UsageError):
        wire.post("x", json={}, data=b"")


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, AnswerRejected), (401, NotPermitted), (403, NotPermitted), (404, AnswerRejected), (409, AnswerRejected),
     (429, RateLimited), (500, SystemFailed), (503, SystemFailed)],
)  # fmt: skip
def test_a_status_is_an_answer_until_success_is_required(serve, line, status, error):
    server = serve(lambda talk: talk.answer(status, b'{"family": "Zzyzx"}'))
    wire = line(server.url)
    answer = wire.get("x")
    assert answer.status == status
    assert answer.json() == {"family": "Zzyzx"}
    assert answer.require_ok(status) is answer
    with pytest.raises(error) as caught:
        answer.require_ok()
    assert str(caught.value) == f"acme: status {status}"
    assert type(caught.value) is error
    with pytest.raises(error):
        wire.get_json("x")


@pytest.mark.parametrize("kind", ["text/html", "text/plain", "application/fhir+xml", "text/csv; charset=utf-8"])
def test_json_of_another_content_type_is_rejected(serve, line, kind):
    server = serve(lambda talk: talk.answer(Content_Type=kind))
    with pytest.raises(AnswerRejected, match="content type"):
        line(server.url).get_json("x")


def test_json_without_content_type_is_read(serve, line):
    server = serve(lambda talk: talk.answer(body=b"[1.0]", Content_Type=""))
    assert line(server.url).get_json("x") == [Decimal("1.0")]


def test_text_is_read_by_its_charset(serve, line):
    said = {
        "/latin": ("text/csv; charset=ISO-8859-1", b"Zo\xeb"),
        "/bom": ("text/csv", b"\xef\xbb\xbfZo\xc3\xab"),
        "/quoted": ('text/csv; header=present; charset="utf-8"', b"Zo\xc3\xab"),
        "/broken": ("text/csv", b"Zo\xeb"),
        "/unknown": ("text/csv; charset=no-such", b"Zoe"),
    }
    server = serve(lambda talk: talk.answer(body=said[talk.target][1], Content_Type=said[talk.target][0]))
    wire = line(server.url)
    assert [wire.get(path).text() for path in ("latin", "bom", "quoted")] == ["Zoë"] * 3
    for path in ("broken", "unknown"):
        with pytest.raises(AnswerRejected, match="charset"):
            wire.get(path).text()


def test_a_label_cannot_be_a_value(line):
    wire = line("http://localhost:1")
    for label in ("9990000018", "Patient 99900", "x" * 61, "ünï", "a\nb"):
        with pytest.raises(UsageError):
            wire.get("x", label=label)


def test_a_request_that_is_no_http_is_our_fault_and_repeats_nothing(line):
    wire = line("http://localhost:1")
    for headers in ({"X-Name": "Zzyzx\r\nX-Other: 1"}, {"X-Name": "Zzyzx\U0001f600"}):
        with pytest.raises(AdapterError) as caught:
            wire.get("x", headers=headers)
        assert "Zzyzx" not in repr(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


def test_credentials_go_with_every_request_of_a_bound_wire(serve, line):
    server = serve(lambda talk: talk.answer())
    wire = line(server.url)
    signed = wire.bound(auth=BasicAuth("jo", "pässword"))
    signed.get("a")
    signed.bound(deadline=Deadline.after(5)).get("b")
    signed.bound(auth=None).get("c")
    wire.get("d")
    sent = [talk.headers.get("authorization") for talk in server.talks]
    assert sent == ["Basic am86cMOkc3N3b3Jk"] * 2 + [None] * 2


def test_a_closed_wire_says_so(line):
    wire = line("http://localhost:1")
    bound = wire.bound()
    wire.close()
    for each in (wire, bound):
        with pytest.raises(UsageError, match="closed"):
            each.get("x")


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "ftp://x.example"},
        {"base_url": "x.example/fhir"},
        {"base_url": "https://"},
        {"base_url": "https://user:hunter2@x.example"},
        {"base_url": "https://x.example/?key=hunter2"},
        {"base_url": "https://x.example:hunter2"},
        {"environment": "prod-hunter2"},
        {"deadline_seconds": 0},
        {"max_bytes": -1},
        {"retries": 99},
        {"rate_per_second": 0},
        {"client_key": "hunter2.pem"},
    ],
)
def test_an_endpoint_that_cannot_work_is_refused_without_its_values(settings):
    with pytest.raises(UsageError) as caught:
        Endpoint(**settings)
    assert "hunter2" not in str(caught.value)


def test_patient_data_leaves_no_live_system_unencrypted():
    def open_wire(url: str, environment: str = "live") -> None:
        endpoint = Endpoint(base_url=url, environment=environment)  # type: ignore[arg-type]
        Wire("acme", endpoint, events=EventStream(), recorder=MemoryRecorder()).close()

    with pytest.raises(ConfigurationError, match="https"):
        open_wire("http://rio.example")
    for url in ("https://rio.example", "http://127.0.0.1:80", "http://[::1]/", "http://localhost/", ""):
        open_wire(url)
    open_wire("http://rio.example", "test")


def test_tls_files_must_exist_when_the_wire_is_opened(tmp_path):
    endpoint = Endpoint(base_url="https://x.example", ca_bundle=tmp_path / "a", client_certificate=str(tmp_path / "b"))
    with pytest.raises(ConfigurationError) as caught:
        Wire("acme", endpoint, events=EventStream(), recorder=MemoryRecorder())
    assert caught.value.problems == (
        "acme: endpoint.ca_bundle: no such file",
        "acme: endpoint.client_certificate: no such file",
    )


def test_a_file_is_read_with_its_time(line, tmp_path):
    extract = tmp_path / "extract.csv"
    extract.write_bytes(b"a,b\r\n")
    os.utime(extract, (1_700_000_000, 1_700_000_000))
    answer = line("").read_file(extract)
    assert answer.body == b"a,b\r\n"
    assert answer.headers["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert line.recorder.exchanges[0].method == "READ"
    assert line.recorder.exchanges[0].response_bytes == 5


def test_a_file_that_cannot_be_read_is_an_error_without_its_path(line, tmp_path):
    large = tmp_path / "zzyzx.csv"
    large.write_bytes(b"x" * 11)
    wire = line("", max_bytes=10)
    for path, error in ((tmp_path / "zzyzx-absent", Unreachable), (large / "below", Unreachable),
                        (tmp_path, AnswerRejected), (large, AnswerRejected)):  # fmt: skip
        with pytest.raises(error) as caught:
            wire.read_file(path)
        assert "zzyzx" not in str(caught.value)
        assert caught.value.system == "acme"
    assert [each.error for each in line.recorder.exchanges] == ["unreachable"] * 2 + ["answer-rejected"] * 2


def test_a_file_that_is_written_to_meanwhile_is_rejected(line, tmp_path, monkeypatch):
    extract = tmp_path / "extract.csv"
    extract.write_bytes(b"a" * 10)
    real, seen = Path.stat, []

    def stat(self: Path, **options: object) -> os.stat_result:
        if self == extract:
            seen.append(self)
            if len(seen) == 3:  # after the content was read
                extract.write_bytes(b"a" * 20)
        return real(self, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(AnswerRejected, match="written to"):
        line("").read_file(extract)


def test_a_system_of_files_has_no_address(line):
    with pytest.raises(UsageError, match="no HTTP address"):
        line("").get("x")
