"""What is sent again, what never, and what a lost write becomes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from mpftconnect.adapters import BearerToken, RateBudget, TwinResponse
from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.errors import (
    AdapterError,
    AnswerRejected,
    NotPermitted,
    OutcomeUnknown,
    RateLimited,
    SystemFailed,
    TimedOut,
    Unreachable,
)

from .conftest import FOR_EVER_SECONDS, Talk, http


def failing(times: int, status: int = 503, **headers: str):
    def script(talk: Talk) -> None:
        talk.answer(status if talk.number <= times else 200, **(headers if talk.number <= times else {}))

    return script


def hang_up(talk: Talk) -> None:
    talk.close()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_safe_request_is_sent_again_with_the_same_id(serve, line, status):
    server = serve(failing(2, status))
    answer = line(server.url, retries=2).get("Patient/1", label="Patient.read")
    assert answer.status == 200
    assert [talk.headers["x-request-id"] for talk in server.talks] == [answer.request_id] * 3
    exchanges = line.recorder.exchanges
    assert [(each.attempt, each.status, each.request_id) for each in exchanges] == [
        (1, status, answer.request_id),
        (2, status, answer.request_id),
        (3, 200, answer.request_id),
    ]
    assert len({each.id for each in exchanges}) == 3
    assert line.codes() == ["exchange-finished", "exchange-retried"] * 2 + ["exchange-finished"]
    retried = line.events[1]
    assert (retried.reason, retried.count, retried.step) == (f"status-{status}", 2, "Patient.read")


@pytest.mark.parametrize("status", [400, 404, 408, 409, 500, 501])
def test_other_failures_are_not_sent_again(serve, line, status):
    server = serve(failing(1, status))
    assert line(server.url, retries=3).get("x").status == status
    assert len(server.talks) == 1


def test_when_all_retries_are_spent_the_last_answer_stands(serve, line):
    server = serve(failing(99))
    with pytest.raises(SystemFailed):
        line(server.url, retries=2).get_json("x")
    assert len(server.talks) == 3


def test_a_lost_connection_is_tried_again(serve, line):
    def script(talk: Talk) -> None:
        if talk.number < 3:
            hang_up(talk)
        else:
            talk.answer()

    server = serve(script)
    assert line(server.url, retries=2).get("x").ok
    assert [each.error for each in line.recorder.exchanges] == ["unreachable", "unreachable", None]
    with pytest.raises(Unreachable, match="TCP"):
        line(serve(hang_up).url, retries=1).get("x")


def test_retry_after_is_honoured(serve, line, monkeypatch):
    waited: list[float] = []

    def of(wire):
        def wait(seconds: float) -> bool:
            waited.append(seconds)
            return False

        monkeypatch.setattr(wire._line.closed, "wait", wait)
        return wire

    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
    for header in ("2", soon, "Zzyzx", "-5", "9" * 5000):
        server = serve(failing(1, Retry_After=header))
        expected = 503 if header.startswith("9") else 200
        assert of(line(server.url, retries=1)).get("x").status == expected
    exact, by_date, nonsense, negative = waited
    assert exact == 2
    assert 0 < by_date <= 3
    assert nonsense < 1
    assert negative < 1


def test_pauses_grow(serve, line, monkeypatch):
    waited: list[float] = []
    wire = line(serve(failing(9)).url, retries=5, deadline_seconds=60)
    monkeypatch.setattr(wire._line.closed, "wait", lambda seconds: waited.append(seconds))
    wire.get("x")
    assert len(waited) == 5
    assert waited[4] > waited[2] > waited[0]


def test_a_write_is_sent_once(serve, line):
    server = serve(failing(1, 503))
    with pytest.raises(SystemFailed):
        line(server.url, retries=3).post("Task", json={}).require_ok()
    assert len(server.talks) == 1


def test_a_read_by_post_is_sent_again(serve, line):
    server = serve(failing(2, 503))
    assert line(server.url, retries=2).post("Patient/_search", data={"family": "x"}, safe=True).ok
    assert [talk.body for talk in server.talks] == [b"family=x"] * 3


def drop_body(talk: Talk) -> None:
    talk.send(http(201, b"x" * 100)[:-1])
    talk.close()


def never(talk: Talk) -> None:
    talk.wait(FOR_EVER_SECONDS)


def of_another(talk: Talk) -> None:
    talk.answer(201, X_Request_ID="11111111-1111-1111-1111-111111111111")


@pytest.mark.parametrize("script", [hang_up, drop_body, never, of_another, failing(9, 502), failing(9, 504)])
def test_a_write_whose_answer_is_lost_has_an_unknown_outcome(serve, line, script):
    server = serve(script)
    with pytest.raises(OutcomeUnknown, match="check before sending it again"):
        line(server.url, retries=3, deadline_seconds=0.3).post("Task", json={})
    assert len(server.talks) == 1
    assert [each.error for each in line.recorder.exchanges] == ["outcome-unknown"]


def test_a_write_that_never_left_is_known_not_to_be_done(line, certificates, serve):
    wrong = serve(lambda talk: talk.answer(), certificates.stranger)
    for url in ("http://127.0.0.1:9", "http://system.invalid", wrong.url):
        with pytest.raises(Unreachable):
            line(url, ca_bundle=certificates.authority).post("Task", json={})
    with pytest.raises(AdapterError) as caught:
        line("http://127.0.0.1:9").post("Task", json={}, headers={"A": "b\r\nc"})
    assert not isinstance(caught.value, OutcomeUnknown)


def test_a_write_that_is_redirected_was_not_done(serve, line):
    server = serve(lambda talk: talk.answer(307, Location="/elsewhere"))
    with pytest.raises(AnswerRejected, match="redirects"):
        line(server.url).post("Task", json={})


class Renewing:
    """Credentials of which the first are refused."""

    def __init__(self, good_from: int) -> None:
        self.tokens, self.good_from = 1, good_from

    def apply(self, headers, deadline=None):
        return {**headers, "Authorization": f"Bearer token-{self.tokens}"}

    def renew(self, refused):
        assert refused["Authorization"] == f"Bearer token-{self.tokens}"
        self.tokens += 1
        return True


def needs(token: int):
    return lambda talk: talk.answer(200 if talk.headers["authorization"] == f"Bearer token-{token}" else 401)


def test_a_401_renews_the_credentials_once(serve, line):
    server = serve(needs(2))
    assert line(server.url, auth=Renewing(2)).get("x").ok
    assert len({talk.headers["x-request-id"] for talk in server.talks}) == 1
    assert line(server.url, auth=Renewing(2)).post("Task", json={}).ok
    assert line.events[1].reason == "stale-credentials"

    server = serve(needs(99))
    with pytest.raises(NotPermitted):
        line(server.url, auth=Renewing(99), retries=3).get_json("x")
    assert len(server.talks) == 2


def test_a_403_or_a_fixed_token_is_not_renewed(serve, line):
    server = serve(lambda talk: talk.answer(403))
    assert line(server.url, auth=Renewing(2)).get("x").status == 403
    refused = serve(lambda talk: talk.answer(401))
    assert line(refused.url, auth=BearerToken("abcdefgh")).get("x").status == 401
    assert (len(server.talks), len(refused.talks)) == (1, 1)


def test_each_attempt_takes_its_turn_in_the_budget(serve, line):
    class Counting(RateBudget):
        turns = 0

        def take(self, deadline):
            self.turns += 1
            if self.turns > 2:
                raise RateLimited("spent")
            return 0.0

    budget = Counting(None, 5)
    server = serve(failing(9))
    with pytest.raises(RateLimited, match="acme: spent"):
        line(server.url, retries=5, budget=budget).get("x")
    assert len(server.talks) == 2


def test_a_stated_rate_makes_a_budget(serve, line):
    server = serve(lambda talk: talk.answer())
    wire = line(server.url, rate_per_second=0.01)
    assert wire.get("x").ok
    with pytest.raises(RateLimited, match="our own budget"):
        wire.get("x")
    assert len(server.talks) == 1


class Breaking:
    def handle(self, request):
        raise RuntimeError("Zzyzx")


def test_what_breaks_inside_a_transport_is_shown_in_test_and_hidden_in_live(line):
    transport = TwinTransport(Breaking(), "http://twin.invalid")
    with pytest.raises(RuntimeError, match="Zzyzx"):
        line("http://twin.invalid", transport=transport).get("x")
    with pytest.raises(AdapterError, match=r"^acme: RuntimeError inside the transport$") as caught:
        line("http://twin.invalid", transport=transport, environment="live").get("x")
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_a_write_by_another_transport_counts_as_sent(line):
    class Late:
        def handle(self, request):
            raise TimeoutError("Zzyzx")

    with pytest.raises(OutcomeUnknown):
        line("http://twin.invalid", transport=TwinTransport(Late(), "http://twin.invalid")).post("Task", json={})
    with pytest.raises(TimedOut):
        line("http://twin.invalid", transport=TwinTransport(Late(), "http://twin.invalid")).get("Task")


def test_an_exchange_that_cannot_be_recorded_is_an_error(line):
    class Full:
        test_only = False

        def record(self, exchange):
            raise OSError(28, "No space left on device", "/secret/place")

    class Twin:
        def handle(self, request):
            return TwinResponse()

    wire = line("http://twin.invalid", transport=TwinTransport(Twin(), "http://twin.invalid"), recorder=Full())
    with pytest.raises(AdapterError, match="could not be recorded"):
        wire.get("x")
    with pytest.raises(OutcomeUnknown) as caught:
        wire.post("x", json={})
    assert "secret" not in str(caught.value)
