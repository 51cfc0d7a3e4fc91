"""The twin and the adapter against what NHS England and the suppliers published: directory, outcomes, documents."""

from __future__ import annotations

import base64
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.adapters import json_response
from mpftconnect.errors import AdapterError, AnswerRejected, NotShown, SystemFailed
from mpftconnect.model import NHS_NUMBER_SYSTEM, Attachment, DocumentReference, SectionName
from mpftconnect_gpconnect.documents import document_content
from mpftconnect_gpconnect.outcomes import failure

DOCUMENTS = SectionName.DOCUMENTS


def material_folder(name: str) -> Path:
    beside = Path(__file__).resolve().parents[4] / "shared" / "material"
    folders = [Path(os.environ["MPFT_MATERIAL"])] if os.environ.get("MPFT_MATERIAL") else [beside]
    found = next((folder for folder in folders if (folder / name).is_file()), None)
    if found is None:
        pytest.skip(f"no published material: set MPFT_MATERIAL to the folder that holds {name}")
    return found / name


def members(archive: str, ending: str) -> Iterator[tuple[str, Any]]:
    with tarfile.open(material_folder(archive)) as tar:
        for member in tar:
            if member.isfile() and ending in member.name and member.name.endswith(".json"):
                held = tar.extractfile(member)
                assert held is not None
                try:
                    yield member.name, json.loads(held.read())
                except ValueError:
                    continue


@pytest.fixture(scope="session")
def gp_files() -> list[tuple[str, Any]]:
    return [
        *members("uk-fhir.tgz", "gpc-consumer-support/"),
        *members("uk-fhir.tgz", "integration-adaptor-gp2gp/"),
    ]


def test_published_directory_answers(line_to: Any) -> None:
    """SDS publishes a Device and an Endpoint (their Bundles refer to these): both lead to the proxy."""
    found = {
        name.rpartition("/")[2]: body for name, body in members("api.tgz", "sds/specification/components/examples/")
    }
    device, endpoint = found["Device.json"], found["Endpoint.json"]
    # The published ones are of other interactions: what is not registered for ours must not be used.
    made = {
        name: {"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [{"resource": resource}]}
        for name, resource in (("Device", device), ("Endpoint", endpoint))
    }
    line = line_to(answers=made)
    with pytest.raises(NotShown, match="not registered"):
        line.adapter.find_patient(line.reading("full", SectionName.ALLERGIES))
    ours = "urn:nhs:names:services:gpconnect:fhir:operation:gpc.getstructuredrecord-1"
    for resource in (device, endpoint):
        for extension in resource["extension"]:
            if "valueReference" in extension and "InteractionId" in extension["url"]:
                extension["valueReference"]["identifier"]["value"] = ours
    line = line_to(answers=made)
    with pytest.raises(AdapterError):  # the twin's proxy does not know that address
        line.adapter.find_patient(line.reading("full", SectionName.ALLERGIES))
    (request,) = line.practices()
    assert request.headers["Ssp-To"] == "200000000985"
    assert request.path.startswith("/ssp/https://msg.int.spine2.ncrs.nhs.uk/reliablemessaging/reliablerequest/Patient/")


def test_published_outcomes(gp_files: list[tuple[str, Any]]) -> None:
    expected = {
        "INVALID_PARAMETER": AnswerRejected, "INTERNAL_SERVER_ERROR": SystemFailed, "PATIENT_NOT_FOUND": NotShown,
        "NO_RECORD_FOUND": NotShown, "INVALID_NHS_NUMBER": AnswerRejected, "BAD_REQUEST": AnswerRejected,
        "INVALID_RESOURCE": AnswerRejected,
    }  # fmt: skip
    seen = set()
    for name, body in gp_files:
        if not isinstance(body, dict) or body.get("resourceType") != "OperationOutcome":
            continue
        codes = {c.get("code") for i in body["issue"] for c in i.get("details", {}).get("coding", [])}
        for code in codes & expected.keys():
            assert type(failure(400, body, "gp")) is expected[code], name
            seen.add(code)
    assert seen


def test_published_binaries(gp_files: list[tuple[str, Any]], line_to: Any) -> None:
    """Every published Binary comes out as it went in, and under no other type than its own.

    But for two, which hold no base64: a template of a test server, and one that was cut short.
    """
    binaries = [
        (name, body)
        for name, body in gp_files
        if isinstance(body, dict) and body.get("resourceType") == "Binary" and isinstance(body.get("content"), str)
    ]
    assert len(binaries) > 10
    base = "https://gp-systems.example/ZZ101/STU3/1/GPConnect/Documents"
    for number, (name, body) in enumerate(binaries):
        line = line_to(answers={f"b{number}": json_response(body)}, most_document_bytes=50_000_000)
        if name.rpartition("/")[2] in ("correct30MBDocumentResponse.json", "correctPatientLargeDocumentResponse.json"):
            with pytest.raises(AnswerRejected, match="not base64"):
                attachment = Attachment(url=f"{base}/Binary/b{number}")
                document_content(line.adapter._spine, line.reading(), attachment, most_bytes=50_000_000)
            continue
        kind = body.get("contentType")
        for promised in (kind, None, "application/x-other"):
            attachment = Attachment(url=f"{base}/Binary/b{number}", content_type=promised)
            reading = line.reading("full", DOCUMENTS)
            if promised == "application/x-other":
                with pytest.raises(AnswerRejected, match="promised"):
                    document_content(line.adapter._spine, reading, attachment, most_bytes=50_000_000)
                continue
            content = document_content(line.adapter._spine, reading, attachment, most_bytes=50_000_000)
            assert content.data == base64.b64decode(body["content"]), name
            assert content.content_type == kind


def test_published_searches_for_documents(gp_files: list[tuple[str, Any]], line_to: Any) -> None:
    """Every published search is read: each document once, none refused, all of the person asked for."""
    searches = [
        (name, body)
        for name, body in gp_files
        if isinstance(body, dict)
        and body.get("type") == "searchset"
        and any(e.get("resource", {}).get("resourceType") == "DocumentReference" for e in body.get("entry", []))
    ]
    assert searches
    read = 0
    for name, body in searches:
        patients = [e["resource"] for e in body["entry"] if e["resource"]["resourceType"] == "Patient"]
        if len(patients) != 1:
            continue
        (number,) = [i["value"] for i in patients[0]["identifier"] if i["system"] == NHS_NUMBER_SYSTEM]
        found = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": patients[0]}]}
        line = line_to(answers={"Patient": found, "DocumentReference": body})
        reading = line.reading("full", DOCUMENTS, nhs_number=number, former_numbers=())
        held = list(line.adapter.read_documents(reading.found(line.adapter.find_patient(reading))))
        sent = [e["resource"]["id"] for e in body["entry"] if e["resource"]["resourceType"] == "DocumentReference"]
        ids = [one.source.id.rpartition("/")[2] for one in held if isinstance(one, DocumentReference)]
        assert sorted(ids) == sorted(set(sent)), name
        read += len(ids)
    assert read > 20
