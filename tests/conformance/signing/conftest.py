"""A small pack, a small system and the report of a run: for the tests of signatures."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import responses
from requests import PreparedRequest

from mpftconnect.conformance import Catch, Cause, CauseKind, Check, Evidence, Finding, Outcome, Pack, Probe
from mpftconnect.conformance.catalog import Catalog, Chosen
from mpftconnect.conformance.pack_file import read_pack
from mpftconnect.conformance.reporting.document import report_of
from mpftconnect.conformance.reporting.folder import write_folder
from mpftconnect.conformance.run import Run
from mpftconnect.conformance.signing import Challenge, KeyFile, Trust, make_key, read_trust
from mpftconnect.conformance.signing.challenge import FILE as CHALLENGE_FILE
from mpftconnect.conformance.supplier_file import supplier_from

BASE_URL = "https://wardline.invalid/fhir"
PACK = """
version = 1
name = "ward-feed"
title = "Ward feed"
revision = "2026.11.25"
summary = "What our wards need of a feed."
[standard]
title = "Ward feed specification"
publisher = "An integrated care board"
version = "1.2"
date = "2026-03-01"
[[requirement]]
id = 1
ref = "WARD-01"
level = "must"
severity = "critical"
title = "Says which FHIR version it speaks"
text = "The capability statement states fhirVersion 4.0.1."
source = { document = "Ward feed specification", section = "3.1", date = "2026-03-01" }
hazard = "A consumer reads the wrong version's elements and misses an allergy."
verified_by = "check"
[[erratum]]
id = "e1"
requirement = 1
revisions = ["2026.11.25"]
date = "2026-11-25"
text = "The check read the version of the software."
effect = "note"
"""

SUPPLIER = {
    "version": 1,
    "product": {"name": "Wardline", "version": "4.2", "supplier": "Northmere Software", "ods": "ZZ901"},
    "target": {"environment": "test", "base_url": BASE_URL},
    "authorised_by": {
        "name": "A. Tester",
        "organisation": "Northmere Software",
        "date": datetime(2026, 11, 1, tzinfo=UTC).date(),
        "scope": "the test system",
    },
    "exception": [
        {
            "requirement": "WARD-01",
            "reason": "the next release states it",
            "owner": "A. Owner",
            "expires": datetime(2027, 1, 31, tzinfo=UTC).date(),
            "hazard": "NM-7",
        }
    ],
}
STARTED = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


class System:
    """Answers /metadata with that FHIR version, and keeps the headers of every request."""

    def __init__(self, fhir_version: str) -> None:
        self.fhir_version = fhir_version
        self.heard: list[dict[str, str]] = []

    def answer(self, request: PreparedRequest) -> tuple[int, dict[str, str], str]:
        self.heard.append(dict(request.headers))
        statement = {
            "resourceType": "CapabilityStatement",
            "fhirVersion": self.fhir_version,
            "software": {"name": "Wardline", "version": "4.1"},
        }
        return 200, {}, json.dumps(statement)


def ask(probe: Probe) -> None:
    probe.get("metadata", step="metadata")


def judge(evidence: Evidence) -> Outcome:
    statement = evidence.json("metadata")
    if statement.get("fhirVersion") == "4.0.1":
        return Outcome.passed(1, "1 capability statement")
    finding = Finding(rule="fhir-version", message="fhirVersion is not 4.0.1", exchange=evidence.one("metadata").id)
    cause = Cause(kind=CauseKind.SUPPLIER, because="it states another", ruled_out="the statement came whole")
    return Outcome.failed([finding], cause)


CHECK = Check(name="ward-feed#1", probe=ask, judge=judge, catches=(Catch("ward-feed", "wrong"),), patient=False)


def _pack(folder: Path) -> Pack:
    path = folder / "ward-feed.toml"
    path.write_text(PACK, encoding="utf-8")
    return read_pack(path)


def _run_report(
    folder: Path, *, fhir_version: str = "4.0.1", challenge: Challenge | None = None, sealed: bytes = b""
) -> System:
    """Run the pack and write the report to `folder`."""
    made = _pack(folder.parent)
    system = System(fhir_version)
    supplier = supplier_from(SUPPLIER)
    checks = {CHECK.name: CHECK}
    with responses.RequestsMock() as http:
        http.add_callback(responses.GET, f"{BASE_URL}/metadata", system.answer, content_type="application/fhir+json")
        result = Run(
            supplier,
            Chosen((made,), made.requirements),
            checks,
            clock=lambda: STARTED,
            mark=challenge.mark if challenge else None,
        ).go()
    document = report_of(result, checks, challenge=challenge.digest if challenge else "")
    write_folder(
        folder,
        document,
        supplier=result.supplier,
        exchanges=result.exchanges,
        preflight=[each.as_dict() for each in result.preflight],
        today=STARTED.date().isoformat(),
        formats=(),
        attached={CHALLENGE_FILE: sealed} if challenge else None,
    )
    return system


@pytest.fixture
def run_report() -> Callable[..., System]:
    """Runs the small pack against the small system and writes the report to a folder."""
    return _run_report


@pytest.fixture
def ward_feed(tmp_path: Path) -> Pack:
    return _pack(tmp_path)


@dataclass
class Keys:
    """Keys of a supplier, a buyer and a stranger, and a trust file that knows the first two."""

    supplier: KeyFile
    buyer: KeyFile
    stranger: KeyFile
    path: Path

    def trust(self, extra: str = "") -> Trust:
        rows = "".join(
            f'[[key]]\nname = "{name}"\norganisation = "{organisation}"\nrole = "{role}"\n'
            f'public = "{key.public}"\nfrom = 2026-01-01\n'
            for name, organisation, role, key in (
                ("Releases", "Northmere Software", "supplier", self.supplier),
                ("Digital team", "An integrated care board", "buyer", self.buyer),
            )
        )
        self.path.write_text(f"version = 1\n{rows}{extra}", encoding="utf-8")
        return read_trust(self.path)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    made = {name: make_key(tmp_path / "keys" / f"{name}.key") for name in ("supplier", "buyer", "stranger")}
    return Keys(**made, path=tmp_path / "trust.toml")


@pytest.fixture
def started() -> datetime:
    """When every run of these tests began."""
    return STARTED


@pytest.fixture
def ward_catalog(ward_feed: Pack) -> Catalog:
    """The small pack and its check, as if they were installed."""
    return Catalog({ward_feed.name: ward_feed}, {CHECK.name: CHECK})
