"""The Bundle of mapped items: valid FHIR R4, each thing once, references that lead somewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpftconnect.fhir import READS_TYPES, dump_json, read_resource
from mpftconnect.hl7v2 import Mapped, map_message, parse
from mpftconnect.hl7v2.bundle import to_bundle
from mpftconnect.validation import Options, Validator

Mapper = Callable[..., Mapped]
# Our own extensions and UK Core's need no package here. A sender's words for a code are kept as sent, so a display
# may differ from the code system's.
OPTIONS = Options(
    allowed_extension_domain=(
        "https://mpftconnect.example/",
        "https://fhir.hl7.org.uk/",
        "http://hl7.org/fhir/5.0/",
    ),
    check_display="warning",
)
# A stay that its sender ends before it begins is kept as sent, and FHIR has no place for that.
AS_SENT = {"per-1"}


def errors(validator: Validator, bundle: dict[str, Any]) -> list[str]:
    text = dump_json(bundle)
    report = validator.validate(text if isinstance(text, bytes) else text.encode(), ())
    return [
        f"{finding.expression}: {finding.message}"
        for finding in report.findings
        if finding.severity in ("error", "fatal") and finding.rule not in AS_SENT
    ]


def test_the_published_messages_give_valid_bundles(published: list[tuple[dict[str, Any], bytes]]) -> None:
    validator = Validator(options=OPTIONS)
    count = 0
    for row, raw in published[::4]:
        mapped = map_message(parse(raw))
        if mapped.items:
            assert errors(validator, to_bundle([mapped])) == [], row["id"]
            count += 1
    assert count > 80


def test_an_invalid_bundle_would_be_found(mapped: Mapper) -> None:
    bundle = to_bundle([mapped("ADT^A28", "PID|1||77^^^RRE||DOE")])
    assert errors(Validator(options=OPTIONS), bundle) == []
    bundle["entry"][0]["resource"]["gender"] = "femal"
    assert errors(Validator(options=OPTIONS), bundle) != []


def test_references_lead_to_entries(mapped: Mapper) -> None:
    obr = "OBR|1||F1^LAB|FBC"
    bundle = to_bundle([mapped("ORU^R01", "PID|1||77 7^^^RRE/PAS||DOE", obr, "OBX|1|ST|A||x||||||F")])
    addresses = {f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in bundle["entry"]}
    observation = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Observation")
    report = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "DiagnosticReport")
    assert observation["subject"]["reference"] in addresses
    assert {result["reference"] for result in report["result"]} <= addresses


def test_a_thing_is_there_once_as_the_last_message_left_it(mapped: Mapper) -> None:
    person = "PID|1||77^^^RRE||DOE^Jane"
    bundle = to_bundle([mapped("ADT^A28", person + "||19500301|F"), mapped("ADT^A31", person.replace("DOE", "ROE"))])
    (entry,) = bundle["entry"]
    assert entry["resource"]["name"][0]["family"] == "ROE" and entry["resource"]["gender"] == "female"


def test_items_come_back_from_their_resources(published: list[tuple[dict[str, Any], bytes]]) -> None:
    from mpftconnect.fhir import write_resource

    for _, raw in published[::20]:
        for item in map_message(parse(raw)).items:
            resource = write_resource(item)
            assert resource["resourceType"] in READS_TYPES
            assert read_resource(resource) == item
