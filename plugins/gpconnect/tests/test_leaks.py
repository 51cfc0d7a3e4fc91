"""No value of a person in logs, events, errors or labels; and nothing of an answer kept where it must not be."""

from __future__ import annotations

import gc
import json
import logging
from typing import Any

import pytest

from mpftconnect.adapters import Fault, TwinResponse
from mpftconnect.errors import AdapterError
from mpftconnect.model import SectionName
from mpftconnect.sandbox import PEOPLE, seeded_values
from mpftconnect_gpconnect.twin.refusals import error_response

SEEDED = {person.role: seeded_values(person) for person in PEOPLE}


def holders(text: str) -> list[str]:
    return sorted(role for role, values in SEEDED.items() if any(value in text for value in values))


def everything(line: Any, role: str = "full") -> list[str]:
    """Reads all there is, and gives the texts of what went wrong."""
    said: list[str] = []
    reading = line.reading(role)
    try:
        reading = reading.found(line.adapter.find_patient(reading))
        for name in SectionName:
            read = getattr(line.adapter, f"read_{name}", None)
            if read is not None:
                list(read(reading))
    except AdapterError as error:
        said.append(f"{error} {error!r} {error.args} {error.rule} {error.place}")
    return said


@pytest.mark.parametrize("environment", ["test", "live"])
def test_logs_events_and_errors(line_to: Any, caplog: pytest.LogCaptureFixture, environment: str) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    for code in ("PATIENT_NOT_FOUND", "NO_PATIENT_CONSENT", "INTERNAL_SERVER_ERROR"):
        line = line_to(environment=environment)
        with line.twin.answering(error_response(code, "9990000018 Threlkeld")):
            said += everything(line)
    for fault in (Fault.WRONG_PATIENT, Fault.NO_CONSENT, Fault.LYING_TOTAL):
        line = line_to(environment=environment)
        with line.twin.faults.on(fault):
            said += everything(line)
        said += [str(event.as_dict()) for event in line.events]
    good = line_to(environment=environment)
    assert everything(good) == []
    said += [str(event.as_dict()) for event in good.events]
    assert len(said) > 10
    assert holders("\n".join([*said, caplog.text])) == []


def test_labels_say_what_is_asked_and_of_nobody(line: Any) -> None:
    everything(line)
    labels = {exchange.label for exchange in line.recorder.exchanges}
    assert labels == {"Device.search", "Endpoint.search", "structured record", "find patient", "search documents"}


def test_a_live_recorder_keeps_nothing_of_an_answer(line_to: Any) -> None:
    """`Cache-Control: no-store`: neither bodies nor addresses nor headers, of good answers or bad."""
    line = line_to(environment="live")
    everything(line)
    with line.twin.answering(error_response("NO_PATIENT_CONSENT", "9990000018 Threlkeld")):
        everything(line)
    exchanges = line.recorder.exchanges
    assert len(exchanges) > 8
    for exchange in exchanges:
        for name in ("url", "request_body", "response_body", "request_headers", "response_headers"):
            assert getattr(exchange, name) is None
        assert holders(json.dumps(exchange.as_dict(), default=str)) == []


def test_a_test_recorder_keeps_no_token_and_no_key(line: Any) -> None:
    everything(line)
    for exchange in line.recorder.exchanges:
        kept = dict(exchange.request_headers)
        assert not {kept.get("Authorization", "(not recorded)"), kept.get("apikey", "(not recorded)")} - {
            "(not recorded)"
        }


def test_the_adapter_keeps_nothing_after_a_reading(line: Any) -> None:
    """What was answered lives as long as the reading, and no longer: the adapter itself is as it was."""
    before = repr(vars(line.adapter))
    everything(line)
    gc.collect()
    assert repr(vars(line.adapter)) == before
    assert set(vars(line.adapter)) == {"_settings", "_spine"}


def test_what_a_spoilt_answer_held_is_not_repeated(line_to: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    line = line_to(spoil=lambda said: TwinResponse(said.status, said.headers, said.body[:-20] + b"Threlkeld"))
    said = everything(line)
    assert said
    assert holders("\n".join([*said, caplog.text])) == []
