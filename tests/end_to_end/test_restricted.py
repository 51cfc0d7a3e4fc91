"""Rule 7 over real HTTP: every answer of every installed system has a place planted in it, and nothing leaves with one.

The twins are the plugins' own, whichever are installed; what they answer is changed on its way out. So a system that is
connected later is probed without a line here.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mpftconnect import AccessContext, Event, Hub
from mpftconnect.adapters import Fault, TwinRequest, TwinResponse
from mpftconnect.cli.summary import summary
from mpftconnect.fhir import dump_json
from mpftconnect.governance.safe_words import has_published_displays
from mpftconnect.model import Coding
from mpftconnect.pages import record_page
from mpftconnect.plugins import PluginRegistry
from mpftconnect.sandbox import Sandbox, person

PLACE = "14 Wolfscote Rise"
SIGN = "Wolfscote"
# What a reader goes by: changed, the whole answer would be refused and the probe would prove nothing.
STRUCTURE = re.compile(
    r"(resourceType|id|url|fullUrl|system|code|reference|status|mode|relation|type|gender|family|given|use|kind|intent"
    r"|fhirVersion|contentType|versionId|lastUpdated|access_token|token_type|div|criticality|severity|comparator"
    r"|.*[dD]ate|.*DateTime|.*[pP]eriod|.*[tT]ime|start|end|issued|authoredOn|onset|recorded|value)"
)
CODE_LIKE = re.compile(r"[\w.:/+|^-]{0,160}", re.ASCII)


def planted(value: Any, key: str = "") -> Any:
    """JSON with the place in every text, and in what no reader of it expects."""
    if isinstance(value, dict):
        made = {name: planted(part, name) for name, part in value.items()}
        if isinstance(value.get("display"), str) and has_published_displays(Coding(system=value.get("system"))):
            # The display of a standards body's code is shown: decision 0017 says why.
            made["display"] = value["display"]
        if isinstance(value.get("resourceType"), str) and value["resourceType"] not in ("Bundle", "OperationOutcome"):
            hidden = {"url": "https://example.org/ext", "valueString": PLACE}
            made["extension"] = [*made.get("extension", []), hidden]
            made["text"] = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{PLACE}</div>'}
            made["contained"] = [
                *made.get("contained", []),
                {"resourceType": "Organization", "id": "planted", "name": PLACE, "address": [{"line": [PLACE]}]},
            ]
            made["unheardOf"] = {PLACE: PLACE}
        if value.get("resourceType") == "Patient":
            made["address"] = [*made.get("address", []), {"use": "home", "line": [PLACE], "postalCode": SIGN}]
        return made
    if isinstance(value, list):
        return [planted(part, key) for part in value]
    if isinstance(value, str) and not (STRUCTURE.fullmatch(key) and CODE_LIKE.fullmatch(value)):
        return f"{value} {PLACE}"
    return value


def planted_csv(text: str) -> str:
    """A report with the place in every cell that is text of more than a word."""
    rows = list(csv.reader(io.StringIO(text)))
    out = io.StringIO()
    csv.writer(out).writerows(
        rows[:1] + [[f"{cell} {PLACE}" if " " in cell.strip() else cell for cell in row] for row in rows[1:]]
    )
    return out.getvalue()


def spoilt(response: TwinResponse) -> TwinResponse:
    kind = next((value for name, value in response.headers.items() if name.lower() == "content-type"), "")
    if "json" in kind:
        return replace(response, body=json.dumps(planted(json.loads(response.body))).encode())
    if "csv" in kind:
        return replace(response, body=planted_csv(response.body.decode()).encode())
    return response


@pytest.fixture(scope="module")
def planting(registry: PluginRegistry) -> Iterator[Sandbox]:
    names = [name for name in registry.twins if name != "sexual-health"]
    sandbox = Sandbox(registry, only=names)
    for twin in sandbox.twins.values():
        answer = twin.handle

        def handle(request: TwinRequest, answer: Callable[[TwinRequest], TwinResponse] = answer) -> TwinResponse:
            return spoilt(answer(request))

        twin.handle = handle  # type: ignore[method-assign]
    with sandbox:
        sandbox.twins["pds"].requests_per_second = 10_000  # type: ignore[attr-defined]
        yield sandbox


def where(text: str) -> str:
    """What stands before the place, so that a failure says which field leaked; empty if there is none."""
    at = text.find(SIGN)
    return text[max(0, at - 300) : at] if at >= 0 else ""


@pytest.mark.parametrize("role", ["restricted", "very-restricted", "silent"])
def test_a_planted_place_leaves_in_nothing(
    planting: Sandbox,
    open_hub: Callable[..., Hub],
    who: AccessContext,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    role: str,
) -> None:
    events: list[Event] = []
    hub = open_hub(of=planting, listeners=[events.append])
    someone = person("full" if role == "silent" else role)
    with caplog.at_level("DEBUG"), planting.faults["pds"].on(*([Fault.SERVER_ERROR] if role == "silent" else [])):
        record = hub.record(someone.nhs_number, who)
    assert record.is_restricted
    answered = {answer.system for answer in record.systems if answer.outcome in ("answered", "partly")}
    expected = {"rio"} if role == "very-restricted" else {"rio", "synthetic"}
    assert answered >= expected, (record.unmatched, record.systems)
    assert len(list(record.items())) >= 1

    told = {
        "json": record.to_json(),
        "fhir": dump_json(record.to_fhir()).decode(),
        "page": record_page(record),
        "text": summary(record, most=1000),
        "audit": str([entry.event for entry in hub.audit.entries()]),
        "privacy": str([entry.event for entry in hub.privacy.entries()]),
        "events": str(events),
        "log": caplog.text,
        "evidence": json.dumps([exchange.as_dict() for system in hub.systems for exchange in system.recorder.exchanges])
        + str([e.response_body for system in hub.systems for e in system.recorder.exchanges]),
        "files": " ".join(f"{file.name} {file.read_bytes()!r}" for file in tmp_path.rglob("*") if file.is_file()),
    }
    assert {name: where(text) for name, text in told.items() if SIGN in text} == {}
    # That the systems were asked at all is still on record.
    assert {exchange.system for system in hub.systems for exchange in system.recorder.exchanges} >= {"pds", "rio"}


def test_of_somebody_unrestricted_the_places_are_shown(
    planting: Sandbox, open_hub: Callable[..., Hub], who: AccessContext
) -> None:
    """The probe would notice: nothing but the restriction keeps the place away."""
    hub = open_hub(of=planting)
    record = hub.record(person("full").nhs_number, who)
    assert not record.is_restricted
    texts = (record.to_json(), dump_json(record.to_fhir()).decode(), record_page(record), summary(record, most=1000))
    assert all(SIGN in text for text in texts)
    told = [exchange for system in hub.systems for exchange in system.recorder.exchanges if exchange.response_body]
    assert any(SIGN in (exchange.response_body or b"").decode(errors="replace") for exchange in told)
