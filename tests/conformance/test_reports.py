"""The report's folder: whole, deterministic, checked against its schema, judged again, and safe to open."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.conformance import Evidence, Finding, Outcome, Status
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.definitions import Definitions
from mpftconnect.conformance.demonstration import supplier_of_twin
from mpftconnect.conformance.reporting.case import write_case
from mpftconnect.conformance.reporting.document import as_bytes, exchanges_shown, report_of
from mpftconnect.conformance.reporting.errata import corrected
from mpftconnect.conformance.reporting.folder import Stored, altered, read_folder, write_folder
from mpftconnect.conformance.reporting.rejudge import known_errata, rejudge
from mpftconnect.conformance.reporting.schema import report_schema
from mpftconnect.conformance.reporting.summary import Summary, summary_of
from mpftconnect.conformance.requirement import Effect, Erratum
from mpftconnect.conformance.run import Run, RunResult
from mpftconnect.conformance.supplier import ExceptionRequest, Response
from mpftconnect.errors import UsageError
from mpftconnect.plugins import PluginRegistry
from mpftconnect.sandbox import PEOPLE

PACK = "uk-core-r4"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def run(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions, *faults: str, **changes: Any
) -> RunResult:
    spec = registry.twins["uk-core"]
    twin = spec.build(PEOPLE)
    twin.faults.set(*faults)
    supplier = replace(supplier_of_twin(spec, twin, "http://twin.invalid", PEOPLE), **changes)
    transport = TwinTransport(twin, "http://twin.invalid")
    return Run(supplier, catalog.choose([PACK]), catalog.checks, transport=transport, definitions=definitions).go()


def write(result: RunResult, catalog: Catalog, registry: PluginRegistry, folder: Path) -> dict[str, Any]:
    document = report_of(result, catalog.checks, power=catalog.power)
    problems = write_folder(
        folder,
        document,
        supplier=result.supplier,
        exchanges=result.exchanges,
        preflight=[finding.as_dict() for finding in result.preflight],
        today="2026-11-25",
        formats=registry.report_formats.values(),
    )
    assert problems == []
    return document


@pytest.fixture(scope="module")
def failing(registry: PluginRegistry, catalog: Catalog, definitions: Definitions) -> RunResult:
    return run(registry, catalog, definitions, "vital-sign-unit", "wrong-display")


@pytest.fixture
def folder(failing: RunResult, catalog: Catalog, registry: PluginRegistry, tmp_path: Path) -> Path:
    write(failing, catalog, registry, tmp_path / "report")
    return tmp_path / "report"


def test_the_report_fits_its_published_schema(failing: RunResult, catalog: Catalog) -> None:
    schema = report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(as_bytes(report_of(failing, catalog.checks))), schema)


def test_a_report_that_breaks_a_promise_does_not_fit_the_schema(failing: RunResult, catalog: Catalog) -> None:
    document = report_of(failing, catalog.checks)
    passed = next(row for row in document["results"] if row["outcome"]["status"] == "pass")
    passed["outcome"]["observations"] = 0
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, report_schema())


def test_every_file_is_in_the_manifest_and_private(folder: Path) -> None:
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert {"report.json", "report.html", "junit.xml", "requirements.csv", "evidence/exchanges.har"} <= files
    assert altered(folder) == []
    if os.name == "posix":
        assert all(p.stat().st_mode & 0o077 == 0 for p in (folder, *folder.rglob("*")))


@pytest.mark.parametrize("name", ["report.json", "evidence/exchanges.har", "requirements.csv"])
def test_what_was_changed_after_the_run_is_named(folder: Path, name: str) -> None:
    file = folder / name
    file.write_bytes(file.read_bytes() + b" ")
    assert altered(folder) == [name]


def test_what_was_added_or_removed_is_named(folder: Path) -> None:
    (folder / "evidence" / "more.har").write_text("{}")
    (folder / "junit.xml").unlink()
    assert altered(folder) == ["evidence/more.har", "junit.xml"]


def test_a_folder_that_is_no_report_is_never_replaced(
    failing: RunResult, catalog: Catalog, registry: PluginRegistry, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="is no report"):
        write(failing, catalog, registry, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_judging_the_same_evidence_gives_the_same_bytes_but_for_the_run(folder: Path, catalog: Catalog) -> None:
    stored = read_folder(folder)
    made = rejudge(stored, catalog, now=NOW)
    assert made.differences == ()
    before, after = dict(stored.report), dict(json.loads(as_bytes(made.document)))
    assert before.pop("run")["id"] != after.pop("run")["id"]
    assert as_bytes(before) == as_bytes(after)


def test_a_run_that_asked_nothing_gives_the_same_again(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions, tmp_path: Path
) -> None:
    from mpftconnect.adapters import Fault

    result = run(registry, catalog, definitions, Fault.STALE_TOKEN)
    write(result, catalog, registry, tmp_path / "r")
    stored = read_folder(tmp_path / "r")
    made = rejudge(stored, catalog, now=NOW)
    assert made.differences == ()
    assert as_bytes({**made.document, "run": 0}) == as_bytes({**stored.report, "run": 0})


def test_a_partial_report_gives_the_same_again(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions, tmp_path: Path
) -> None:
    def stop(evidence: Evidence) -> Outcome:
        raise KeyboardInterrupt

    spec = registry.twins["uk-core"]
    twin = spec.build(PEOPLE)
    supplier = supplier_of_twin(spec, twin, "http://twin.invalid", PEOPLE)
    checks = {**catalog.checks, "uk-core-r4#5": replace(catalog.checks["uk-core-r4#5"], judge=stop)}
    transport = TwinTransport(twin, "http://twin.invalid")
    result = Run(supplier, catalog.choose([PACK]), checks, transport=transport, definitions=definitions).go()
    write(result, catalog, registry, tmp_path / "r")
    stored = read_folder(tmp_path / "r")
    made = rejudge(stored, catalog, now=NOW)
    assert stored.report["run"]["partial"] == made.document["run"]["partial"] == "interrupted"
    assert made.differences == ()
    assert as_bytes({**made.document, "run": 0}) == as_bytes({**stored.report, "run": 0})


def test_a_report_quotes_what_the_checks_catch(failing: RunResult, catalog: Catalog) -> None:
    power = report_of(failing, catalog.checks, power=catalog.power)["packs"][0]["power"]
    assert power["revision"] == catalog.packs[PACK].revision
    assert power["named"]["faults_caught"] == power["named"]["faults_named"] > 20
    assert power["mutations"]["uk-core"]["noticed"] > 0
    moved = {PACK: {**catalog.power[PACK], "checks_digest": "sha256:0"}}
    assert report_of(failing, catalog.checks, power=moved)["packs"][0]["power"]["current"] is False
    assert "power" not in report_of(failing, catalog.checks)["packs"][0]


def stored_of(folder: Path) -> Stored:
    return read_folder(folder)


def test_a_newer_judge_gives_another_outcome_and_says_why(folder: Path, catalog: Catalog) -> None:
    def strict(evidence: Evidence) -> Outcome:
        evidence.one("metadata")
        return Outcome.passed(1)

    checks = dict(catalog.checks)
    checks["uk-core-r4#12"] = replace(checks["uk-core-r4#12"], judge=strict)
    made = rejudge(stored_of(folder), Catalog(catalog.packs, checks), now=NOW)
    assert [(d.id, d.before, d.after) for d in made.differences] == [("uk-core-r4#12", "fail", "pass")]
    assert "the checks changed" in made.differences[0].because


def test_what_the_evidence_lacks_is_not_tested(folder: Path, catalog: Catalog) -> None:
    def later(evidence: Evidence) -> Outcome:
        evidence.one("a step of next year")
        return Outcome.passed(1)

    checks = dict(catalog.checks)
    checks["uk-core-r4#1"] = replace(checks["uk-core-r4#1"], judge=later)
    made = rejudge(stored_of(folder), Catalog(catalog.packs, checks), now=NOW)
    row = next(r for r in made.document["results"] if r["id"] == "uk-core-r4#1")
    assert row["outcome"]["status"] == "not-tested"
    assert row["outcome"]["reason"] == "not in evidence: a step of next year"
    assert "not in evidence" in made.differences[0].because


def test_known_errata_of_an_old_report_are_said(folder: Path, catalog: Catalog) -> None:
    pack = catalog.packs[PACK]
    erratum = Erratum(
        id="e1",
        requirement="uk-core-r4#12",
        revisions=(pack.revision,),
        date="2027-01-01",
        text="It read stones as pounds.",
        effect=Effect.UNRELIABLE,
    )
    newer = replace(pack, revision="2027.01.01", errata=(erratum,))
    known = known_errata(stored_of(folder).report, Catalog({PACK: newer}, catalog.checks))
    assert known == [("uk-core-r4#12", "It read stones as pounds.", Effect.UNRELIABLE)]


@pytest.mark.parametrize(
    ("effect", "status"),
    [(Effect.UNRELIABLE, "not-tested"), (Effect.WITHDRAWN, "not-applicable"), (Effect.NOTE, "fail")],
)
def test_a_known_mistake_has_its_effect_on_an_old_report(
    folder: Path, catalog: Catalog, effect: Effect, status: str
) -> None:
    pack = catalog.packs[PACK]
    erratum = Erratum(
        id="e1",
        requirement="uk-core-r4#12",
        revisions=(pack.revision,),
        date="2027-01-01",
        text="It read stones as pounds.",
        effect=effect,
    )
    newer = replace(pack, revision="2027.01.01", errata=(erratum,))
    known = Catalog({PACK: newer}, catalog.checks)
    stored = stored_of(folder)
    made = rejudge(stored, known, now=NOW)
    for document in (made.document, rejudge(replace(stored, report=made.document), known, now=NOW).document):
        row = next(r for r in document["results"] if r["ref"] == "UKC-12")
        assert row["outcome"]["status"] == status
        assert "It read stones as pounds." in " ".join(
            [row["outcome"].get("reason", ""), *row["outcome"]["notes"]]
            if effect is Effect.NOTE
            else [row["outcome"]["reason"]]
        )
        assert row["errata"] == ["It read stones as pounds."]
        jsonschema.validate(json.loads(as_bytes(document)), report_schema())
    told = [d for d in made.differences if d.ref == "UKC-12"]
    assert [("a mistake of ours is known of it" in d.because) for d in told] == (
        [] if effect is Effect.NOTE else [True]
    )
    (row,) = corrected(stored.report, [newer])
    assert (row.before, row.after) == ("fail", status)


def test_an_exception_is_shown_and_changes_nothing(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions, tmp_path: Path
) -> None:
    asked = ExceptionRequest(requirement="UKC-12", reason="Scales", owner="A. Name", expires="2027-01-01", hazard="H-3")
    answer = Response(requirement="uk-core-r4#12", text="We disagree", by="A. Name", date="2026-11-25")
    result = run(registry, catalog, definitions, "vital-sign-unit", exceptions=(asked,), responses=(answer,))
    document = write(result, catalog, registry, tmp_path / "r")
    row = next(r for r in document["results"] if r["ref"] == "UKC-12")
    assert row["exception"]["reason"] == "Scales"
    assert row["response"]["text"] == "We disagree"
    assert row["outcome"]["status"] == "fail"
    assert document["packs"][0]["verdict"] == "not-met"
    for name in ("report.html", "requirements.csv"):
        text = (tmp_path / "r" / name).read_text(encoding="utf-8-sig")
        assert "Scales" in text, name
        assert "We disagree" in text, name


def test_a_demonstration_is_marked_in_every_form(folder: Path) -> None:
    for name in ("report.json", "report.html", "junit.xml", "requirements.csv"):
        text = (folder / name).read_text(encoding="utf-8-sig")
        assert "DEMONSTRATION: says nothing about any product" in text, name
        assert not re.search(r"\b(compliant|certified|conformant)\b", text, re.I), name


def test_a_failure_says_how_to_try_it_without_credentials(folder: Path) -> None:
    row = next(r for r in read_folder(folder).report["results"] if r["ref"] == "UKC-12")
    assert row["reproduce"][0].startswith("curl -sS -i ")
    assert ' -H "Authorization: $AUTHORIZATION" ' in row["reproduce"][0]
    assert row["outcome"]["cause"]["kind"] == "supplier"
    assert row["outcome"]["cause"]["mend"]


def test_a_small_case_can_be_sent(folder: Path, tmp_path: Path) -> None:
    names = write_case(read_folder(folder), "UKC-12", tmp_path / "case")
    text = (tmp_path / "case" / "case.txt").read_text()
    assert "exchanges.har" in names
    assert "the unit is not UCUM kg" in text
    assert "curl" in text
    assert "Threlkeld" not in text
    with pytest.raises(UsageError, match="no requirement"):
        write_case(read_folder(folder), "UKC-99", tmp_path / "other")


def test_a_baseline_shows_what_changed(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions, failing: RunResult
) -> None:
    before = report_of(failing, catalog.checks)
    after = report_of(run(registry, catalog, definitions, "filler"), catalog.checks, baseline=before)
    changed = {row["ref"]: row["changed"] for row in after["results"] if row["changed"]}
    assert changed == {"UKC-02": "resolved", "UKC-08": "worse", "UKC-11": "resolved", "UKC-12": "resolved"}


HOSTILE = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    '=HYPERLINK("http://x.example")',
    "+1+1",
    "@SUM(A1)",
    "a\x00b\x1b[8m\ufffe",
    "]]><!--",
)


def hostile_summary(document: dict[str, Any], result: RunResult) -> Summary:
    row = document["results"][0]
    findings = [Finding(rule="r", message=text, place=text).as_dict() for text in HOSTILE]
    row["outcome"] = {
        "status": "fail",
        "observations": 1,
        "reason": HOSTILE[3],
        "findings": findings,
        "cause": {"kind": "unclear", "because": HOSTILE[0], "mend": HOSTILE[4]},
        "notes": list(HOSTILE),
    }
    row["response"] = {"text": HOSTILE[1], "by": HOSTILE[5], "date": "2026", "signed_by": ""}
    document["subject"]["product"] = HOSTILE[0]
    return summary_of(document, exchanges_shown(result.exchanges))


def test_hostile_text_runs_nowhere(failing: RunResult, catalog: Catalog, registry: PluginRegistry) -> None:
    summary = hostile_summary(json.loads(as_bytes(report_of(failing, catalog.checks))), failing)
    forms = {name: form.write(summary) for name, form in registry.report_formats.items()}
    page = forms["html"].decode()
    assert page.count("<script") == 1  # its own, which the policy names by its hash
    assert "<script>document" not in page
    assert "<img" not in page
    assert "{{ 7 * 7 }}" in page  # text, and no template
    ET.fromstring(forms["junit"])
    for line in csv.reader(io.StringIO(forms["csv"].decode("utf-8-sig"))):
        assert not [cell for cell in line if cell.lstrip().startswith(("=", "+", "-", "@"))]


def test_a_form_that_fails_costs_no_other_file(failing: RunResult, catalog: Catalog, tmp_path: Path) -> None:
    from mpftconnect.conformance import ReportFormat

    def broken(summary: Summary) -> bytes:
        raise RuntimeError

    form = ReportFormat(name="pdf", file="report.pdf", write=broken, needs="pdf")
    problems = write_folder(
        tmp_path / "r",
        report_of(failing, catalog.checks),
        supplier=failing.supplier,
        exchanges=failing.exchanges,
        preflight=[],
        today="2026-11-25",
        formats=[form],
    )
    assert problems == ["report.pdf: could not be written (RuntimeError); it needs pip install 'mpftconnect[pdf]'"]
    assert (tmp_path / "r" / "report.json").is_file()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"log": 3}', '{"log": {"entries": [{}]}}', "[" * 100_000])
def test_evidence_that_is_none_is_refused(folder: Path, text: str) -> None:
    (folder / "evidence" / "exchanges.har").write_text(text)
    with pytest.raises(UsageError):
        read_folder(folder)


def test_verdicts_are_the_same_before_and_after_redaction(
    registry: PluginRegistry, catalog: Catalog, definitions: Definitions
) -> None:
    """The engine compares at every run; here every named fault is run, so that failures are compared too."""
    spec = registry.twins["uk-core"]
    for fault in sorted(spec.faults):
        result = run(registry, catalog, definitions, fault)
        assert [j.requirement.ref for j in result.judged if j.outcome.status is Status.ERROR] == [], fault
