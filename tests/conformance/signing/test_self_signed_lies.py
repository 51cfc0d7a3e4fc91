"""A report whose digests all match and whose signature is right, and which does not follow from what it holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.conformance import Pack
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.formats import ReportFormat
from mpftconnect.conformance.reporting.document import as_bytes, exchanges_shown
from mpftconnect.conformance.reporting.folder import read_folder
from mpftconnect.conformance.reporting.forms import csv_bytes
from mpftconnect.conformance.reporting.summary import summary_of
from mpftconnect.conformance.signing import Verification, sign_report, verify_report

TODAY = date(2026, 12, 1)
SIGNED = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def told(
    tmp_path: Path, run_report: Callable[..., Any], keys: Any, ward_feed: Pack, ward_catalog: Catalog
) -> Callable[..., Verification]:
    """Writes a report of a failed must, changes it, makes all digests right, signs it and verifies it."""

    def tell(change: Change, *, judge: bool = False, packs: bool = True) -> Verification:
        folder = tmp_path / "report"
        run_report(folder, fhir_version="3.0.2")
        report = json.loads((folder / "report.json").read_bytes())
        change(report)
        put(folder, "report.json", as_bytes(report))
        sign_report(folder, keys.supplier, now=SIGNED)
        catalog = ward_catalog if judge else None
        return verify_report(folder, keys.trust(), packs=[ward_feed] if packs else [], catalog=catalog, today=TODAY)

    return tell


def put(folder: Path, name: str, data: bytes) -> None:
    """A file, and its digest in the manifest."""
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    (folder / "manifest.json").write_bytes(as_bytes(manifest))


def verdict_met(report: dict[str, Any]) -> None:
    report["packs"][0] |= {"verdict": "met-the-checks-run", "because": "1 must passed"}


def counts_better(report: dict[str, Any]) -> None:
    report["packs"][0]["counts"] = {"pass": 1}


def levels_better(report: dict[str, Any]) -> None:
    report["packs"][0]["counts_by_level"] = {"must": {"pass": 1}}


def failure_dropped(report: dict[str, Any]) -> None:
    report["results"] = []
    report["packs"][0] |= {"judged": 0, "counts": {}, "counts_by_level": {}, "verdict": "undetermined"}
    report["packs"][0] |= {"because": "no must was observed to be met"}


def not_deciding(report: dict[str, Any]) -> None:
    report["results"][0] |= {"decides": False}


def advisory(report: dict[str, Any]) -> None:
    report["results"][0] |= {"decides": False, "advisory": True}
    report["packs"][0]["counts_by_level"] = {"advisory": {"fail": 1}}
    report["packs"][0] |= {"verdict": "undetermined", "because": "no must was observed to be met"}


def passed(report: dict[str, Any], **outcome: Any) -> None:
    verdict_met(report)
    report["packs"][0] |= {"counts": {"pass": 1}, "counts_by_level": {"must": {"pass": 1}}}
    report["results"][0]["outcome"] = {"status": "pass", "observations": 1, **outcome}
    report["results"][0].pop("reproduce", None)


def passed_unseen(report: dict[str, Any]) -> None:
    passed(report, observations=0)


def passed_without_judge(report: dict[str, Any]) -> None:
    passed(report)
    report["results"][0]["decided_by"] = "run"


def twice(report: dict[str, Any]) -> None:
    report["results"].append(report["results"][0])


def other_product(report: dict[str, Any]) -> None:
    report["subject"]["version"] = "5.0"


def other_target(report: dict[str, Any]) -> None:
    report["target"] |= {"version_reported": "4.2", "version_agrees": True}


def other_words(report: dict[str, Any]) -> None:
    report["results"][0]["text"] = "The capability statement states some version."


def no_such_exchange(report: dict[str, Any]) -> None:
    report["results"][0]["exchanges"] = ["x999"]


def demonstration(report: dict[str, Any]) -> None:
    report["demonstration"] = "DEMONSTRATION: says nothing about any product"


def challenged(report: dict[str, Any]) -> None:
    report["run"]["by"] = "challenged"


def a_document(report: dict[str, Any]) -> None:
    report["files"] = [{"kind": "cyber-essentials", "name": "ce.pdf", "sha256": "0" * 64}]


def of_no_shape(report: dict[str, Any]) -> None:
    report["results"] = [{"outcome": 3}]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            verdict_met,
            "the verdict of ward-feed does not follow from its outcomes, which give not-met: 1 must failed: WARD-01",
        ),
        (counts_better, "the counts of ward-feed are not those of its outcomes"),
        (levels_better, "the counts of ward-feed are not those of its outcomes"),
        (failure_dropped, "what of ward-feed was not run is not as it says"),
        (not_deciding, "ward-feed#1: whether it decides the verdict is not as its level says"),
        (advisory, "ward-feed#1: whether it decides the verdict is not as the pack says"),
        (passed_unseen, "ward-feed#1: a pass needs at least one observation"),
        (passed_without_judge, "ward-feed#1: says pass, and no judge decided it"),
        (twice, "ward-feed#1 stands in it 2 times"),
        (other_product, "its product is not that of evidence/evidence.json"),
        (other_target, "its target is not that of the exchanges in the evidence"),
        (other_words, "ward-feed#1: is not the requirement of that pack"),
        (no_such_exchange, "ward-feed#1: names an exchange that is not in the evidence"),
        (demonstration, "whether it is a demonstration is not as the evidence says"),
        (challenged, "who ran it does not follow from the challenge that it names"),
        (a_document, "its documents are not those of the evidence"),
        (of_no_shape, "is not whole"),
    ],
)
def test_a_signed_report_that_contradicts_itself_is_named(
    told: Callable[..., Verification], change: Change, says: str
) -> None:
    found = told(change)
    assert found.verdict == "altered"
    assert ("report.json", says) in [(m.place, m.says) for m in found.mismatches]


@pytest.mark.parametrize("change", [verdict_met, counts_better, failure_dropped, not_deciding, passed_unseen])
def test_it_is_named_without_the_pack_too(told: Callable[..., Verification], change: Change) -> None:
    assert told(change, packs=False).verdict == "altered"


def test_what_was_not_altered_follows(told: Callable[..., Verification]) -> None:
    found = told(lambda report: None, judge=True)
    assert (found.verdict, found.mismatches) == ("unaltered", ())


def test_a_pass_that_the_evidence_does_not_give_is_named(told: Callable[..., Verification]) -> None:
    """All of the summary follows from the outcomes: only judging again shows it."""
    assert told(passed).verdict == "unaltered"
    found = told(passed, judge=True)
    assert [(m.place, m.says) for m in found.mismatches] == [
        ("report.json", "ward-feed#1: the evidence gives fail, and the report says pass")
    ]


def test_a_finding_that_the_evidence_does_not_give_is_named(told: Callable[..., Verification]) -> None:
    def milder(report: dict[str, Any]) -> None:
        report["results"][0]["outcome"]["findings"][0]["message"] = "nothing much"

    assert [m.says for m in told(milder, judge=True).mismatches] == [
        "ward-feed#1: what it says of it is not what the evidence gives"
    ]


def test_another_judge_is_said_and_is_no_alteration(told: Callable[..., Verification]) -> None:
    def other(report: dict[str, Any]) -> None:
        passed(report)
        report["judge"]["engine"] = f"sha256:{'0' * 64}"

    found = told(other, judge=True)
    assert found.verdict == "unaltered"
    assert "the judge here is another than the report's: its outcomes were not judged again" in found.notes


def test_a_form_that_says_otherwise_than_the_report_is_named(
    tmp_path: Path, run_report: Callable[..., Any], keys: Any
) -> None:
    folder = tmp_path / "report"
    run_report(folder, fhir_version="3.0.2")
    stored = read_folder(folder)
    summary = summary_of(stored.report, exchanges_shown(stored.exchanges))
    form = ReportFormat(name="csv", file="requirements.csv", write=csv_bytes)
    put(folder, form.file, csv_bytes(summary))
    sign_report(folder, keys.supplier, now=SIGNED)
    assert verify_report(folder, keys.trust(), formats=[form], today=TODAY).verdict == "unaltered"
    (folder / "attestation.dsse.json").unlink()
    put(folder, form.file, csv_bytes(summary).replace(b"Failed", b"Passed"))
    sign_report(folder, keys.supplier, now=SIGNED)
    found = verify_report(folder, keys.trust(), formats=[form], today=TODAY)
    assert [(m.place, m.says) for m in found.mismatches] == [("requirements.csv", "is not what report.json gives")]


def test_what_was_left_out_of_a_run_leaves_its_pack_undetermined(ward_feed: Pack) -> None:
    from mpftconnect.conformance.outcome import Status
    from mpftconnect.conformance.reporting.scope import left_out, musts_left_out, partial_words
    from mpftconnect.conformance.reporting.verdict import Counted, verdict_of
    from mpftconnect.conformance.requirement import Preset

    (first,) = ward_feed.requirements
    second = replace(first, id="ward-feed#2", ref="WARD-02")
    third = replace(first, id="ward-feed#3", ref="WARD-03")
    use = Preset(name="minimum", title="Minimum", requirements=("ward-feed#1", "ward-feed#2"))
    pack = replace(ward_feed, requirements=(first, second, third), presets=(use,))
    row = Counted("WARD-01", "must", True, Status.PASS)
    assert left_out(pack, {"ward-feed#1"}) == {"not_run": ["WARD-02", "WARD-03"]}
    told = left_out(pack, {"ward-feed#1"}, "minimum")
    assert told == {"not_run": ["WARD-02"], "outside_preset": 1}
    musts = musts_left_out(pack, told)
    assert verdict_of([row], musts) == ("undetermined", "1 must was not run here: WARD-02")
    told = left_out(pack, {"ward-feed#1", "ward-feed#2"}, "minimum")
    assert verdict_of([row, row], musts_left_out(pack, told))[0] == "met-the-checks-run"
    said = {"run": {"only_failed": "r1"}, "packs": [{"name": "p", "judged": 1, "requirements": 2, "not_run": ["A"]}]}
    assert partial_words(said) == "Only 1 of 2 requirements of p was run, after report r1; not run here: A."
