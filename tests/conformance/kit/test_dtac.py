"""The DTAC pack over invented forms: what each answer, date and section leads to, and that nothing passes by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpftconnect.conformance import Evidence, EvidenceFile, Outcome, Status, Subject
from mpftconnect.conformance.catalog import load_catalog
from mpftconnect.conformance.check import decide
from mpftconnect.plugins import load_plugins
from mpftconnect_conformance.dtac.documents import due_of, rules
from mpftconnect_conformance.dtac.form import CHARTER, answers_in, questions

CATALOG = load_catalog(load_plugins())
TODAY = "2026-11-25"

FORM: dict[str, Any] = {
    "form": "2.0",
    "A2": "Wardline",
    "A3": "4.2",
    "C1.1.1": "no",
    "C1.1.2": False,
    "C1.2": "Yes",
    "C1.2.2": True,
    "C1.2.5": {"name": "Dr A. Invented", "profession": "Nurse", "registration": "NMC 00X0000Z"},
    "C2.1": "confirmed",
    "C2.2": "yes",
    "C2.2.5": "UK only",
    "C3.2": "no",
    "C3.4": "confirmed",
    "C3.5": "yes",
    "C3.5.1": "n/a",
    "C3.6": "yes",
    "C4.1": "yes",
    "C4.1.1": "FHIR R4, because our customers read it",
    "C4.1.2": "confirmed",
    "C4.2": "yes",
    "C4.2.1": "yes",
    "C4.2.2": "yes",
    "C4.2.4": "n/a",
    "C4.2.5": "n/a",
}


def text_for(kind: str) -> str:
    """A document that has every section, as headings."""
    return "\n".join(f"# {words[0].capitalize()}" for words in rules()[kind].sections.values()) + "\nversion 4.2\n"


def file(kind: str, **changes: Any) -> EvidenceFile:
    stated: dict[str, dict[str, Any]] = {
        "cyber-essentials": {"legal_name": "Northmere Software Limited", "scope": "building and running"},
        "penetration-test": {"max_cvss": 5.3, "third_party": True, "owasp_top_10": True},
        "dspt": {"standard": "Standards Met", "year": "2025-26"},
        "load-test": {"peak_requests_per_second": 40, "error_rate_percent": 0.1},
        "code-review": {"third_party": True, "open_critical": 0},
    }
    text = changes.pop("text", text_for(kind) if kind in rules() else "")
    values: dict[str, Any] = {
        "kind": kind,
        "name": f"{kind}.md",
        "sha256": hashlib.sha256(kind.encode()).hexdigest(),
        "size": 100,
        "issued": "2026-06-01",
        "expires": "2027-05-31",
        "text": text,
        "stated": stated.get(kind, {}),
        **changes,
    }
    return EvidenceFile(**values)


ALL_FILES = {kind: (file(kind),) for kind in rules()}


def evidence(
    answers: Mapping[str, Any] | None = None,
    files: Mapping[str, tuple[EvidenceFile, ...]] | None = None,
    outcomes: Mapping[str, Status] | None = None,
    **more: Any,
) -> Evidence:
    return Evidence(
        (),
        subject=Subject(
            product="Wardline",
            version="4.2",
            entity="Northmere Software Ltd",
            entity_code="ods:ZZ901",
            environment="test",
            host="",
            adapter="fhir-r4",
        ),
        files=ALL_FILES if files is None else files,
        answers={"dtac": FORM if answers is None else answers, **more},
        outcomes=outcomes or {},
        today=TODAY,
    )


def judged(ref: str, found: Evidence) -> Outcome:
    requirement = CATALOG.requirement(ref)
    return decide(CATALOG.checks[requirement.id], found)


def every(found: Evidence) -> dict[str, Outcome]:
    return {r.ref: decide(CATALOG.checks[r.id], found) for r in CATALOG.pack("dtac-2.0").requirements}


def test_the_pack_has_every_question_once_and_no_blank() -> None:
    refs = [r.ref for r in CATALOG.pack("dtac-2.0").requirements]
    assert {f"DTAC-{code}" for code in questions()} <= set(refs)
    assert len(refs) == len(set(refs))
    for requirement in CATALOG.pack("dtac-2.0").requirements:
        question = questions().get(requirement.ref.removeprefix("DTAC-"))
        if question is not None:
            assert requirement.id == f"dtac-2.0#{question.requirement}"
            assert requirement.decides is question.scored
            assert requirement.source.note == "from a transcription"


def test_every_kind_of_evidence_that_a_question_asks_for_is_known() -> None:
    kinds = {kind.partition(" if ")[0] for q in questions().values() for kind in q.files}
    assert kinds <= set(rules())


def test_no_whole_form_passes_a_scored_question_by_itself() -> None:
    found = every(evidence())
    assert {o.status for ref, o in found.items() if ref.startswith("DTAC-C")} == {
        Status.EVIDENCE_FOUND,
        Status.ATTESTED,
        Status.NOT_APPLICABLE,
    }
    assert found["DTAC-FORM-1"].status is Status.PASS
    assert found["DTAC-A3"].status is found["DTAC-D1.2"].status is Status.RECORDED


def test_without_a_form_nothing_is_said_of_it() -> None:
    found = every(Evidence((), subject=evidence().subject, today=TODAY))
    assert all(o.status is Status.NOT_TESTED for ref, o in found.items() if ref.startswith(("DTAC-C", "DTAC-F")))


@pytest.mark.parametrize("form", ["1.0", "3.0", "", None])
def test_a_form_of_another_version_fails_and_decides_nothing(form: str | None) -> None:
    answers = {**FORM, "form": form} if form is not None else {k: v for k, v in FORM.items() if k != "form"}
    found = every(evidence(answers))
    assert found["DTAC-FORM-1"].status is Status.FAIL
    assert found["DTAC-FORM-1"].findings[0].rule == "form-version"
    assert found["DTAC-C3.1"].status is Status.NOT_TESTED


def test_answers_on_form_1_are_history() -> None:
    found = evidence({}, **{"dtac-1-0": {"C1.1.1": "yes", "C3.2": "yes"}})
    assert judged("DTAC-HISTORY", found).reason == "2 answers on form 1.0"
    assert judged("DTAC-C3.1", found).status is Status.NOT_TESTED


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"A3": "4.1"}, "product-version"),
        ({"C3.4": None}, "unanswered"),
        ({"C9.9": "yes"}, "unknown-code"),
        ({"C1.2.1": "because"}, "route"),
        ({"C3.2": "yes"}, "route"),
    ],
)
def test_a_form_that_is_not_legal(change: dict[str, Any], rule: str) -> None:
    answers = {code: value for code, value in {**FORM, **change}.items() if value is not None}
    found = judged("DTAC-FORM-1", evidence(answers))
    assert found.status is Status.FAIL
    assert {finding.rule for finding in found.findings} == {rule}


def test_a_standalone_device_skips_to_c2() -> None:
    answers = {**FORM, "C1.1.2": "yes"}
    for code in ("C1.2", "C1.2.2", "C1.2.3", "C1.2.4", "C1.2.5"):
        assert judged(f"DTAC-{code}", evidence(answers)).status is Status.NOT_APPLICABLE
    assert judged("DTAC-C2.1", evidence(answers)).status is Status.EVIDENCE_FOUND


def test_what_is_not_answered_excuses_nothing() -> None:
    answers = {code: value for code, value in FORM.items() if code != "C1.1.2"}
    assert judged("DTAC-C1.2.2", evidence(answers)).status is Status.ATTESTED
    assert judged("DTAC-C1.1.2", evidence(answers)).status is Status.NOT_TESTED


def test_a_signed_charter_is_never_a_test() -> None:
    answers = {code: v for code, v in FORM.items() if not code.startswith("C3.") or code == "C3.1"} | {"C3.2": "yes"}
    for code in ("C3.3", "C3.4", "C3.5", "C3.5.1", "C3.6"):
        found = judged(f"DTAC-{code}", evidence(answers))
        assert (found.status, found.reason) == (Status.NOT_ASKED, CHARTER)
    assert CHARTER == "Charter signed; no penetration test seen"
    assert judged("DTAC-C3.1", evidence(answers)).status is Status.EVIDENCE_FOUND


def test_no_exchange_of_patient_data_ends_c4_and_names_the_forms_mistake() -> None:
    answers = {code: v for code, v in FORM.items() if not code.startswith("C4.2.")} | {"C4.2": "no"}
    found = every(evidence(answers))
    assert found["DTAC-FORM-1"].notes == ("C4.2 = No leads to C4.3, which does not exist: read as the end of C4",)
    assert found["DTAC-C4.2.1"].status is Status.NOT_APPLICABLE
    assert found["DTAC-C4.2"].status is Status.ATTESTED


@pytest.mark.parametrize(
    ("kind", "ref", "changes", "says"),
    [
        ("cyber-essentials", "DTAC-C3.1", {"issued": "2025-11-24"}, "more than 12 months before the run"),
        ("cyber-essentials", "DTAC-C3.1", {"expires": "2026-11-24"}, "it ran out on 2026-11-24"),
        ("cyber-essentials", "DTAC-C3.1", {"issued": "2026-11-26"}, "after the day of the run"),
        (
            "cyber-essentials",
            "DTAC-C3.1",
            {"stated": {"legal_name": "Southmere Ltd", "scope": "all"}},
            "another legal entity",
        ),
        ("penetration-test", "DTAC-C3.3", {"issued": "2025-11-24"}, "more than 12 months"),
        (
            "penetration-test",
            "DTAC-C3.3",
            {"stated": {"max_cvss": 7.0, "third_party": True, "owasp_top_10": True}},
            "a finding at CVSS 7.0",
        ),
        (
            "penetration-test",
            "DTAC-C3.3",
            {"stated": {"max_cvss": 6.9, "third_party": False, "owasp_top_10": True}},
            "not made by a third party",
        ),
        (
            "penetration-test",
            "DTAC-C3.3",
            {"stated": {"max_cvss": 6.9, "third_party": True, "owasp_top_10": False}},
            "does not cover the OWASP Top 10",
        ),
        ("ico-registration", "DTAC-C2.2.1", {"expires": "2026-11-01"}, "it ran out on 2026-11-01"),
        ("dspt", "DTAC-C2.1", {"stated": {"standard": "Standards Met", "year": "2024-25"}}, "neither this year"),
        (
            "dspt",
            "DTAC-C2.1",
            {"stated": {"standard": "Approaching Standards", "year": "2025-26"}},
            "neither Standards",
        ),
    ],
)
def test_a_document_that_is_wrong_fails(kind: str, ref: str, changes: dict[str, Any], says: str) -> None:
    assert judged(ref, evidence()).status is Status.EVIDENCE_FOUND
    found = judged(ref, evidence(files={**ALL_FILES, kind: (file(kind, **changes),)}))
    assert found.status is Status.FAIL
    assert says in found.findings[0].message


@pytest.mark.parametrize(
    ("kind", "ref", "changes"),
    [
        ("cyber-essentials", "DTAC-C3.1", {"issued": "2025-11-25"}),
        ("penetration-test", "DTAC-C3.3", {"stated": {"max_cvss": 6.9, "third_party": True, "owasp_top_10": True}}),
        ("dspt", "DTAC-C2.1", {"stated": {"standard": "standards exceeded", "year": "2026/27"}}),
        ("ico-registration", "DTAC-C2.2.1", {"expires": TODAY}),
    ],
)
def test_the_last_day_and_the_highest_score_that_are_allowed(kind: str, ref: str, changes: dict[str, Any]) -> None:
    found = judged(ref, evidence(files={**ALL_FILES, kind: (file(kind, **changes),)}))
    assert found.status is Status.EVIDENCE_FOUND


@pytest.mark.parametrize(
    ("kind", "ref", "changes", "says"),
    [
        ("cyber-essentials", "DTAC-C3.1", {"issued": ""}, "issued is not stated"),
        ("cyber-essentials", "DTAC-C3.1", {"stated": {"legal_name": "Northmere Software Ltd"}}, "stated.scope"),
        ("ico-registration", "DTAC-C2.2.1", {"expires": ""}, "runs out is not stated"),
        ("penetration-test", "DTAC-C3.3", {"stated": {}}, "stated.max_cvss"),
        (
            "penetration-test",
            "DTAC-C3.3",
            {"stated": {"max_cvss": "low", "third_party": True, "owasp_top_10": True}},
            "a number from 0 to 10",
        ),
        ("dpia", "DTAC-C2.2.2", {"text": None}, "cannot be read here"),
        ("clinical-safety-case", "DTAC-C1.2.4", {"text": "# Hazards\n"}, "version 4.2 is not named"),
        ("dspt", "DTAC-C2.1", {"stated": {"standard": "Standards Met", "year": "2025-27"}}, "expected a toolkit year"),
    ],
)
def test_what_cannot_be_seen_decides_nothing(kind: str, ref: str, changes: dict[str, Any], says: str) -> None:
    found = judged(ref, evidence(files={**ALL_FILES, kind: (file(kind, **changes),)}))
    assert found.status is Status.INCONCLUSIVE
    assert says in found.reason


@pytest.mark.parametrize("topic", list(rules()["dpia"].sections))
def test_each_of_the_twelve_topics_is_missed_when_it_is_gone(topic: str) -> None:
    assert len(rules()["dpia"].sections) == 12
    text = "\n".join(f"## {words[0]}" for name, words in rules()["dpia"].sections.items() if name != topic)
    found = judged("DTAC-C2.2.2", evidence(files={**ALL_FILES, "dpia": (file("dpia", text=text),)}))
    assert found.status is Status.INCONCLUSIVE
    assert topic in found.reason


def test_a_document_that_is_not_there_is_not_tested() -> None:
    files = {kind: rows for kind, rows in ALL_FILES.items() if kind != "hazard-log"}
    found = judged("DTAC-C1.2.4", evidence(files=files))
    assert (found.status, "hazard-log" in found.reason) == (Status.NOT_TESTED, True)


@pytest.mark.parametrize(
    ("change", "ref", "rule"),
    [
        ({"C1.2.2": "no"}, "DTAC-C1.2.2", "C1.2.2-answer"),
        ({"C2.1": "cannot confirm"}, "DTAC-C2.1", "C2.1-answer"),
        ({"C3.4": "no"}, "DTAC-C3.4", "C3.4-answer"),
        ({"C3.5": "perhaps"}, "DTAC-C3.5", "C3.5-option"),
        ({"C4.1.2": "cannot-confirm"}, "DTAC-C4.1.2", "C4.1.2-answer"),
        ({"C4.2.1": "no"}, "DTAC-C4.2.1", "C4.2.1-answer"),
        ({"C4.2.4": "no"}, "DTAC-C4.2.4", "C4.2.4-answer"),
    ],
)
def test_an_answer_with_which_it_is_not_met(change: dict[str, Any], ref: str, rule: str) -> None:
    found = judged(ref, evidence({**FORM, **change}))
    assert found.status is Status.FAIL
    assert [finding.rule for finding in found.findings] == [rule]


@pytest.mark.parametrize(
    ("change", "ref"),
    [
        ({"C4.1.2": "cannot-confirm", "C4.1.3": "under licence"}, "DTAC-C4.1.2"),
        ({"C4.2.1": "no", "C4.2.3": "by local number and date of birth"}, "DTAC-C4.2.1"),
        ({"C4.2.4": "no", "C4.2.6": "hardware tokens"}, "DTAC-C4.2.4"),
    ],
)
def test_the_forms_other_way_to_meet_it(change: dict[str, Any], ref: str) -> None:
    assert judged(ref, evidence({**FORM, **change})).status is Status.ATTESTED


@pytest.mark.parametrize(
    ("ref", "other"),
    [("DTAC-C4.1.2", "open-api#1"), ("DTAC-C4.2.1", "mpft-safety#1"), ("DTAC-C4.2.2", "mpft-safety#1")],
)
def test_an_answer_that_what_was_observed_contradicts(ref: str, other: str) -> None:
    found = judged(ref, evidence(outcomes={other: Status.FAIL}))
    assert found.status is Status.FAIL
    assert other in found.findings[0].message
    assert judged(ref, evidence(outcomes={other: Status.INCONCLUSIVE})).status is Status.ATTESTED


def test_a_safety_officer_in_free_words_is_not_told_apart() -> None:
    found = judged("DTAC-C1.2.5", evidence({**FORM, "C1.2.5": "Dr A. Invented"}))
    assert found.status is Status.INCONCLUSIVE
    assert judged("DTAC-C1.2.5", evidence()).status is Status.ATTESTED


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ({"country": "Ireland", "mechanism": "adequacy"}, Status.ATTESTED),
        ({"country": "Atlantis", "mechanism": "IDTA", "transfer_risk_assessment": True}, Status.ATTESTED),
        ({"country": "Atlantis", "mechanism": "IDTA"}, Status.INCONCLUSIVE),
        ({"country": "Atlantis", "mechanism": "trust"}, Status.INCONCLUSIVE),
        ("Atlantis, by agreement", Status.INCONCLUSIVE),
    ],
)
def test_countries_outside_the_kingdom(row: Any, status: Status) -> None:
    answers = {**FORM, "C2.2.5": "outside-uk", "C2.2.6": [row]}
    assert judged("DTAC-C2.2.6", evidence(answers)).status is status


# Assessors


def assessment(
    code: str, decision: str, *, signed_by: tuple[str, ...] = ("Digital team",), **more: Any
) -> EvidenceFile:
    text = (
        f'version = 1\nform = "2.0"\nproduct = "Wardline"\nproduct_version = "{more.get("version", "4.2")}"\n'
        '[assessor]\nname = "R. Okafor"\norganisation = "An integrated care board"\nrole = "CCIO"\n'
        f'[[decision]]\ncode = "{code}"\ndecision = "{decision}"\ndate = 2026-11-20\nreason = "seen"\n'
        f"seen = {list(more.get('seen', ()))}\n"
    )
    return file("assessment", text=text, signed_by=tuple(signed_by), name="assessment.toml")


def test_only_a_named_assessors_decision_passes() -> None:
    files = {**ALL_FILES, "assessment": (assessment("C3.1", "met"),)}
    found = judged("DTAC-C3.1", evidence(files=files))
    assert (found.status, found.observations) == (Status.PASS, 2)
    assert "R. Okafor, CCIO, An integrated care board; signed by Digital team" in found.observed
    assert judged("DTAC-C3.3", evidence(files=files)).status is Status.EVIDENCE_FOUND


def test_an_assessor_may_decide_that_it_is_not_met() -> None:
    files = {**ALL_FILES, "assessment": (assessment("C3.1", "not-met"),)}
    assert judged("DTAC-C3.1", evidence(files=files)).status is Status.FAIL


@pytest.mark.parametrize(
    "file_",
    [
        assessment("C3.1", "met", signed_by=()),
        assessment("C3.1", "met", version="4.1"),
        assessment("C3.1", "met", seen=("0" * 64,)),
        assessment("C3.1", "perhaps"),
        file("assessment", text="not = [toml", signed_by=("Digital team",)),
        file("assessment", text="version = 1", signed_by=("Digital team",)),
    ],
)
def test_a_decision_that_does_not_count(file_: EvidenceFile) -> None:
    found = judged("DTAC-C3.1", evidence(files={**ALL_FILES, "assessment": (file_,)}))
    assert found.status is Status.EVIDENCE_FOUND


def test_no_decision_makes_up_for_a_document_that_ran_out() -> None:
    files = {
        **ALL_FILES,
        "cyber-essentials": (file("cyber-essentials", expires="2026-11-24"),),
        "assessment": (assessment("C3.1", "met"),),
    }
    assert judged("DTAC-C3.1", evidence(files=files)).status is Status.FAIL


# Related duties, and due days


def test_related_documents_end_at_evidence_found_and_never_decide() -> None:
    for requirement in CATALOG.pack("dtac-2.0").requirements:
        if requirement.ref.startswith("DTAC-REL-"):
            assert not requirement.decides
            assert requirement.due
            assert judged(requirement.ref, evidence()).status is Status.EVIDENCE_FOUND
            assert judged(requirement.ref, evidence(files={})).status is Status.NOT_TESTED


@pytest.mark.parametrize(
    ("changes", "day"),
    [({}, "2027-05-31"), ({"issued": "2026-01-31"}, "2027-01-31"), ({"issued": "", "expires": ""}, "")],
)
def test_when_a_document_runs_out(changes: dict[str, Any], day: str) -> None:
    assert due_of(file("cyber-essentials", **changes)) == day


def test_local_extras_decide_no_standard() -> None:
    pack = CATALOG.pack("mpft-local")
    assert not pack.decides_standard
    files = {**ALL_FILES, "openapi": (file("openapi", text='openapi: "3.0.3"\n'),)}
    assert {judged(r.ref, evidence(files=files)).status for r in pack.requirements} == {Status.EVIDENCE_FOUND}
    swagger = {**ALL_FILES, "openapi": (file("openapi", text='swagger: "2.0"\n'),)}
    assert judged("LOCAL-03", evidence(files=swagger)).status is Status.NOT_TESTED
    old = {**ALL_FILES, "load-test": (file("load-test", issued="2024-01-01"),)}
    assert judged("LOCAL-01", evidence(files=old)).status is Status.FAIL
    open_ = {**ALL_FILES, "code-review": (file("code-review", stated={"third_party": True, "open_critical": 2}),)}
    assert judged("LOCAL-02", evidence(files=open_)).status is Status.FAIL


_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
_VALUES = _LEAVES | st.lists(_LEAVES, max_size=2) | st.dictionaries(st.text(max_size=4), _LEAVES, max_size=2)


# How long an example takes is for a busy machine to say, and decides nothing here.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*questions(), "form", "C0", "X"]), _VALUES, max_size=12))
def test_whatever_is_answered_no_check_fails_by_itself_and_none_passes(answers: dict[str, Any]) -> None:
    for ref, outcome in every(evidence({**answers, "form": "2.0"})).items():
        assert outcome.status is not Status.ERROR, ref
        assert outcome.status is not Status.PASS or ref == "DTAC-FORM-1"
    assert answers_in({"dtac": answers}) is not None
