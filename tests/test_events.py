"""One typed stream: listeners cannot cost the work, and no event has room for a patient's value."""

from __future__ import annotations

import io
import json
import logging
from dataclasses import fields
from datetime import UTC, datetime

import pytest

from mpftconnect.events import (
    ALARMS,
    Code,
    Event,
    EventStream,
    NdjsonListener,
    log_listener,
    open_telemetry_listener,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_every_listener_hears_every_event_in_order() -> None:
    first: list[Event] = []
    second: list[Event] = []
    stream = EventStream([first.append])
    stream.emit(Code.READ_STARTED, count=3)
    stream.listen(second.append)
    stream.emit(Code.READ_FINISHED, count=7, duration_ms=1.5)
    stream.forget(first.append)
    stream.emit(Code.STEP_STARTED)
    assert [event.code for event in first] == [Code.READ_STARTED, Code.READ_FINISHED]
    assert [(event.code, event.count) for event in second] == [(Code.READ_FINISHED, 7), (Code.STEP_STARTED, None)]
    assert all(event.at is not None and event.at.tzinfo is UTC for event in first)


def test_a_listener_that_raises_is_dropped_and_costs_nobody_anything(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Event] = []

    def broken(event: Event) -> None:
        raise ValueError("Wolfenstein")

    stream = EventStream([broken, heard.append])
    with caplog.at_level(logging.DEBUG):
        stream.emit(Code.READ_STARTED)
        stream.emit(Code.READ_FINISHED)
    assert len(heard) == 2
    assert caplog.text.count("event listener dropped") == 1
    assert "Wolfenstein" not in caplog.text


def test_ndjson_is_one_object_a_line() -> None:
    out = io.StringIO()
    stream = EventStream([NdjsonListener(out)])
    stream.emit(Code.SYSTEM_GAP, system="rio", reason="timed-out")
    stream.emit(Code.EXCHANGE_FINISHED, system="rio", status=200, duration_ms=2.0)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["code"], line["system"]) for line in lines] == [("system-gap", "rio"), ("exchange-finished", "rio")]
    assert datetime.fromisoformat(lines[0]["at"]).tzinfo is not None


@pytest.mark.parametrize("code", list(Code))
def test_alarms_are_errors_in_the_log_and_nothing_else_is(code: Code, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="mpftconnect"):
        log_listener(Event(code, system="rio", at=NOW))
    (record,) = caplog.records
    assert record.levelno == (logging.ERROR if code in ALARMS else logging.INFO)
    assert record.getMessage() == f"code={code} system=rio"


def test_no_event_has_a_field_for_free_text() -> None:
    # What is added here must be a code, a configured name, a number or an id of ours: see rule 16 before you extend it.
    assert {field.name for field in fields(Event)} == {
        "code", "system", "step", "reason", "status", "count", "duration_ms", "request_id", "at",
    }  # fmt: skip


def test_open_telemetry_counts_times_and_marks_the_span() -> None:
    metrics = pytest.importorskip("opentelemetry.metrics", reason="the extra otel is not installed")
    from opentelemetry import trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    reader, spans = InMemoryMetricReader(), InMemorySpanExporter()
    metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(tracers)
    stream = EventStream([open_telemetry_listener()])
    with trace.get_tracer("test").start_as_current_span("read"):
        stream.emit(Code.SYSTEM_FINISHED, system="rio", duration_ms=12.0)
        stream.emit(Code.SYSTEM_FINISHED, system="rio", duration_ms=8.0)
    data = reader.get_metrics_data()
    assert data is not None
    found = {m.name: m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics}
    (counted,) = found["mpftconnect.events"].data.data_points
    assert counted.value == 2  # type: ignore[union-attr]
    assert dict(counted.attributes or {}) == {"code": "system-finished", "system": "rio"}
    (timed,) = found["mpftconnect.duration"].data.data_points
    assert timed.sum == 20.0  # type: ignore[union-attr]
    (span,) = spans.get_finished_spans()
    assert [event.name for event in span.events] == ["system-finished", "system-finished"]
    tracers.shutdown()
