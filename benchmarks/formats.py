"""FHIR read and written, and a large record given out as FHIR, JSON and a page."""

from __future__ import annotations

import json
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from generated import MADE, asked_systems, assembled, policies
from jinja2 import Environment
from result import Result
from size import Size
from timing import cpu_clock, interleaved

from mpftconnect.fhir import dump_json, parse_json, read_resource, write_resource
from mpftconnect.hub import Record
from mpftconnect.model import Item, SectionName, Source
from mpftconnect.pages import record_page

__all__ = ["run"]


def run(size: Size) -> list[Result]:
    record = assembled(asked_systems(max(size.items, 100)), policies())
    return [*_resources(size, record), *_given_out(size, record)]


def _resources(size: Size, record: Record) -> list[Result]:
    """One resource of each of some types, from its bytes to an item and back."""
    source = Source(system="benchmark", id="1", fetched=MADE)
    results = []
    for name in (SectionName.RESULTS, SectionName.MEDICATIONS, SectionName.CARE_PLANS):
        item: Item = record.section(name)[0]
        # As a stranger would send it: without our own account of where it was read.
        plain: dict[str, Any] = {k: v for k, v in write_resource(item).items() if k not in ("meta", "extension")}
        data = dump_json(plain)
        model = get_fhir_model_class(str(plain["resourceType"]))
        typed = model.model_validate(json.loads(data))
        reading = interleaved(
            {
                "ours": lambda data=data: read_resource(parse_json(data), source=source),  # type: ignore[misc]
                "peer": lambda data=data, model=model: model.model_validate(json.loads(data)),  # type: ignore[misc]
            },
            rounds=size.rounds,
            clock=cpu_clock,
        )
        writing = interleaved(
            {
                "ours": lambda item=item: dump_json(write_resource(item)),  # type: ignore[misc]
                "peer": lambda typed=typed: typed.model_dump_json(),  # type: ignore[misc]
            },
            rounds=size.rounds,
            clock=cpu_clock,
        )
        for verb, samples in (("read", reading), ("written", writing)):
            own, peer = samples["ours"], samples["peer"]
            what = f"{plain['resourceType']} {verb}"
            results.append(Result(what, own.least * 1e6, "us", "fhir.resources", peer.least * 1e6, own.spread))
    return results


def _given_out(size: Size, record: Record) -> list[Result]:
    template = Environment(autoescape=True).from_string(
        "{% for line in lines %}<tr><td>{{ line }}</td></tr>{% endfor %}"
    )
    samples = interleaved(
        {
            "to_fhir": lambda: dump_json(record.to_fhir()),
            "to_json": record.to_json,
            "page": lambda: record_page(record),
            "dump": lambda: json.dumps(record.model_dump(mode="json")),
            "rows": lambda: template.render(lines=[item.words() for item in record.items()]),
        },
        rounds=size.rounds,
        clock=cpu_clock,
    )
    count = sum(1 for _ in record.items())
    plain, rows = "pydantic's plain dump and json", "Jinja writes a table of the items' words"
    return [
        Result(f"{what} of {count:,} items", own.least * 1e3, "ms", peer, samples[beside].least * 1e3, own.spread)
        for what, own, peer, beside in (
            ("to_fhir and its JSON", samples["to_fhir"], plain, "dump"),
            ("to_json", samples["to_json"], plain, "dump"),
            ("record_page", samples["page"], rows, "rows"),
        )
    ]
