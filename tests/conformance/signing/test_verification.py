from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.conformance import Pack
from mpftconnect.conformance.reporting.folder import read_folder
from mpftconnect.conformance.signing import (
    grant_exception,
    make_challenge,
    read_challenge,
    sign_report,
    verify_report,
    witness_report,
)
from mpftconnect.conformance.signing.decisions import sign_document, signers_of
from mpftconnect.errors import UsageError

TODAY = date(2026, 12, 1)
SIGNED = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)


@pytest.fixture
def report(tmp_path: Path, run_report: Callable[..., Any], keys: Any) -> Path:
    """A report that the supplier has signed."""
    run_report(tmp_path / "report")
    sign_report(tmp_path / "report", keys.supplier, now=SIGNED)
    return tmp_path / "report"


def test_a_signed_report_is_unaltered_and_says_no_more_than_that(report: Path, keys: Any) -> None:
    found = verify_report(report, keys.trust(), today=TODAY)
    assert (found.verdict, found.mismatches, found.run_by) == ("unaltered", (), "self-run")
    assert found.sentence == (
        "Unaltered since signed by Releases (Northmere Software, supplier); not a judgement that the run was honest."
    )
    assert (found.age_days, found.expires, found.expired) == (5, "2027-11-26", False)


def test_the_target_and_the_version_that_it_reports_are_shown(report: Path, keys: Any) -> None:
    notes = verify_report(report, keys.trust(), today=TODAY).notes
    assert "target: wardline.invalid, certificate not seen" in notes
    assert "the system reports version 4.1, and the supplier declares 4.2" in notes


def test_every_file_that_is_changed_is_named_and_no_other(report: Path, keys: Any) -> None:
    files = sorted(p for p in report.rglob("*") if p.is_file() and p.name != "attestation.dsse.json")
    assert len(files) >= 4
    for path in files:
        whole = path.read_bytes()
        name = path.relative_to(report).as_posix()
        path.write_bytes(whole + b"\n")
        found = verify_report(report, keys.trust(), today=TODAY)
        path.write_bytes(whole)
        assert found.verdict == "altered"
        assert {m.place for m in found.mismatches} == {name}
    assert verify_report(report, keys.trust(), today=TODAY).verdict == "unaltered"


def test_a_file_that_is_gone_or_added_is_named(report: Path, keys: Any) -> None:
    (report / "evidence" / "more.json").write_text("{}", encoding="utf-8")
    found = verify_report(report, keys.trust(), today=TODAY)
    assert {m.place for m in found.mismatches} == {"evidence/more.json"}
    (report / "evidence" / "more.json").unlink()


def test_a_whole_new_report_under_an_old_signature_is_found(
    report: Path, tmp_path: Path, run_report: Callable[..., Any], keys: Any
) -> None:
    run_report(tmp_path / "better", fhir_version="3.0.2")
    shutil.copy(report / "attestation.dsse.json", tmp_path / "better")
    found = verify_report(tmp_path / "better", keys.trust(), today=TODAY)
    places = {m.place for m in found.mismatches}
    assert found.verdict == "altered"
    assert {"report.json", "manifest.json"} <= places


def test_nobody_has_signed(tmp_path: Path, run_report: Callable[..., Any], keys: Any) -> None:
    run_report(tmp_path / "report")
    found = verify_report(tmp_path / "report", keys.trust(), today=TODAY)
    assert (found.verdict, found.sentence) == (
        "unsigned",
        "Not signed: nothing shows whether it was altered.",
    )


def test_a_stranger_has_signed(tmp_path: Path, run_report: Callable[..., Any], keys: Any) -> None:
    run_report(tmp_path / "report")
    sign_report(tmp_path / "report", keys.stranger, now=SIGNED)
    found = verify_report(tmp_path / "report", keys.trust(), today=TODAY)
    assert (found.verdict, found.doubts) == ("not-trusted", ("1 signature is of a key that is not in the trust file",))


def test_a_stranger_cannot_sign_in_anothers_name(report: Path, keys: Any) -> None:
    """The signature is the stranger's, and names the supplier's key."""
    path = report / "attestation.dsse.json"
    envelope = json.loads(path.read_bytes())
    path.unlink()
    sign_report(report, keys.stranger, now=SIGNED)
    forged = json.loads(path.read_bytes())
    forged["signatures"][0]["keyid"] = keys.supplier.id
    path.write_text(json.dumps(forged), encoding="utf-8")
    found = verify_report(report, keys.trust(), today=TODAY)
    assert found.verdict == "altered"
    assert [m.says for m in found.mismatches] == [f"the signature of key {keys.supplier.id[:16]} is wrong"]
    assert envelope["signatures"][0]["keyid"] == keys.supplier.id


def test_a_statement_that_is_changed_is_found(report: Path, keys: Any) -> None:
    path = report / "attestation.dsse.json"
    envelope = json.loads(path.read_bytes())
    statement = json.loads(base64.b64decode(envelope["payload"]))
    statement["predicate"]["expires"] = "2099-01-01"
    envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    path.write_text(json.dumps(envelope), encoding="utf-8")
    assert verify_report(report, keys.trust(), today=TODAY).verdict == "altered"


@pytest.mark.parametrize(
    ("revoked", "verdict"),
    [
        ("compromised", "not-trusted"),
        ("lost", "unaltered"),
        ("replaced", "unaltered"),
    ],
)
def test_a_key_that_was_revoked_after_it_signed(report: Path, keys: Any, revoked: str, verdict: str) -> None:
    trust = keys.trust(f'[[revoked]]\nkey = "{keys.supplier.id}"\non = 2026-11-30\nbecause = "{revoked}"\n')
    assert verify_report(report, trust, today=TODAY).verdict == verdict


def test_a_key_that_was_replaced_before_it_signed_is_not_believed(report: Path, keys: Any) -> None:
    trust = keys.trust(f'[[revoked]]\nkey = "{keys.supplier.id}"\non = 2026-11-26\nbecause = "replaced"\n')
    found = verify_report(report, trust, today=TODAY)
    assert (found.verdict, found.doubts) == ("not-trusted", ("Releases: the key was revoked on 2026-11-26: replaced",))


def test_the_day_that_the_signer_named_passes(report: Path, keys: Any) -> None:
    assert verify_report(report, keys.trust(), today=date(2027, 11, 27)).expired


def test_a_second_key_signs_beside_the_first(report: Path, keys: Any) -> None:
    sign_report(report, keys.buyer)
    found = verify_report(report, keys.trust(), today=TODAY)
    assert {key.role for key in found.signed_by} == {"supplier", "buyer"}


def test_an_altered_report_is_not_signed(tmp_path: Path, run_report: Callable[..., Any], keys: Any) -> None:
    run_report(tmp_path / "report")
    (tmp_path / "report" / "report.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match=r"report\.json"):
        sign_report(tmp_path / "report", keys.supplier)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"payload": 3, "payloadType": null, "signatures": 4}',
        b'{"payload": "!!", "payloadType": "application/vnd.in-toto+json", "signatures": []}',
        b'{"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": []}',
        b'{"payload": "e30=", "payloadType": "text/plain", "signatures": [{"keyid": "a", "sig": "zz"}]}',
        b"[" * 100_000,
    ],
)
def test_an_envelope_that_is_none_is_a_mismatch_and_no_crash(report: Path, keys: Any, content: bytes) -> None:
    (report / "attestation.dsse.json").write_bytes(content)
    found = verify_report(report, keys.trust(), today=TODAY)
    assert [m.place for m in found.mismatches] == ["attestation.dsse.json"]


def test_known_errata_are_shown_with_an_old_report(report: Path, keys: Any, ward_feed: Pack) -> None:
    notes = verify_report(report, keys.trust(), packs=[ward_feed], today=TODAY).notes
    assert "known since 2026-11-25 of ward-feed#1 (note): The check read the version of the software." in notes


# Challenges


@pytest.fixture
def challenge(tmp_path: Path, keys: Any, ward_feed: Pack) -> Path:
    data = make_challenge(
        keys.buyer,
        product="Wardline",
        version="4.2",
        packs={"ward-feed": ward_feed.digest},
        expires=date(2026, 12, 24),
        buyer="An integrated care board",
        now=datetime(2026, 11, 20, tzinfo=UTC),
    )
    path = tmp_path / "challenge.dsse.json"
    path.write_bytes(data)
    return path


def test_a_challenge_is_bound_into_requests_evidence_and_signature(
    tmp_path: Path, challenge: Path, run_report: Callable[..., Any], keys: Any
) -> None:
    read, sealed = read_challenge(challenge)
    system = run_report(tmp_path / "report", challenge=read, sealed=sealed)
    assert [heard["X-Conformance-Challenge"] for heard in system.heard] == [read.mark("metadata")]
    kept = read_folder(tmp_path / "report").exchanges
    assert [each.request_header("X-Conformance-Challenge") for each in kept] == [read.mark("metadata")]
    statement = sign_report(tmp_path / "report", keys.supplier, now=SIGNED)
    assert statement["predicate"]["run"]["challenge"] == read.digest
    found = verify_report(tmp_path / "report", keys.trust(), today=TODAY)
    assert (found.verdict, found.run_by) == ("unaltered", "challenged")


def test_evidence_from_before_the_challenge_does_not_answer_it(
    tmp_path: Path, challenge: Path, run_report: Callable[..., Any], keys: Any
) -> None:
    """A run whose requests carry no mark, dressed up as an answer."""
    read, sealed = read_challenge(challenge)
    other = replace(read, nonce=base64.b64encode(b"\1" * 32).decode())
    run_report(tmp_path / "report", challenge=other, sealed=sealed)
    sign_report(tmp_path / "report", keys.supplier, now=SIGNED)
    found = verify_report(tmp_path / "report", keys.trust(), today=TODAY)
    assert found.run_by == "self-run"
    assert {m.says for m in found.mismatches} == {
        "does not carry the challenge's mark",
        "does not name the challenge that is in the evidence",
    }


def test_a_challenge_by_nobody_whom_the_buyer_believes_does_not_count(
    tmp_path: Path, run_report: Callable[..., Any], keys: Any, ward_feed: Pack
) -> None:
    path = tmp_path / "challenge.dsse.json"
    path.write_bytes(
        make_challenge(
            keys.stranger,
            product="Wardline",
            version="4.2",
            packs={"ward-feed": ward_feed.digest},
            expires=date(2026, 12, 24),
            buyer="An integrated care board",
            now=datetime(2026, 11, 20, tzinfo=UTC),
        )
    )
    read, sealed = read_challenge(path)
    run_report(tmp_path / "report", challenge=read, sealed=sealed)
    sign_report(tmp_path / "report", keys.supplier, now=SIGNED)
    assert verify_report(tmp_path / "report", keys.trust(), today=TODAY).run_by == "self-run"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": "4.3"}, "the challenge is for Wardline 4.3, and the run for Wardline 4.2"),
        ({"packs": {"ward-feed": "sha256:" + "0" * 64}}, "the pack ward-feed is not the one that the challenge names"),
        ({"packs": {"other": "sha256:" + "0" * 64}}, "the challenge asks for the pack other, which was not run"),
        ({"expires": date(2026, 11, 24)}, "the challenge ran out on 2026-11-24"),
        ({"now": datetime(2026, 11, 26, tzinfo=UTC)}, "the run began before the challenge was issued"),
    ],
)
def test_a_report_that_answers_another_challenge(
    tmp_path: Path,
    run_report: Callable[..., Any],
    keys: Any,
    ward_feed: Pack,
    change: dict[str, Any],
    says: str,
) -> None:
    asked = {
        "product": "Wardline",
        "version": "4.2",
        "packs": {"ward-feed": ward_feed.digest},
        "expires": date(2026, 12, 24),
        "buyer": "An integrated care board",
        "now": datetime(2026, 11, 20, tzinfo=UTC),
        **change,
    }
    path = tmp_path / "challenge.dsse.json"
    path.write_bytes(make_challenge(keys.buyer, **asked))
    read, sealed = read_challenge(path)
    run_report(tmp_path / "report", challenge=read, sealed=sealed)
    sign_report(tmp_path / "report", keys.supplier, now=SIGNED)
    found = verify_report(tmp_path / "report", keys.trust(), today=TODAY)
    assert [m.says for m in found.mismatches] == [says]
    assert found.run_by == "self-run"


def test_what_is_no_challenge_is_refused(tmp_path: Path, report: Path) -> None:
    with pytest.raises(UsageError, match="is no challenge"):
        read_challenge(report / "attestation.dsse.json")


# Buyers


def test_a_buyer_who_was_there_is_shown(report: Path, keys: Any) -> None:
    witness_report(report, keys.buyer, says="watched the run on site")
    found = verify_report(report, keys.trust(), today=TODAY)
    assert (found.verdict, found.run_by) == ("unaltered", "buyer-witnessed")
    assert "witnessed by Digital team (An integrated care board): watched the run on site" in found.notes


def test_a_supplier_cannot_witness_its_own_run(report: Path, keys: Any) -> None:
    witness_report(report, keys.supplier, says="watched it")
    assert verify_report(report, keys.trust(), today=TODAY).run_by == "self-run"


def test_an_exception_stands_only_when_a_buyers_key_grants_it(report: Path, keys: Any) -> None:
    grant_exception(report, "WARD-01", keys.supplier, until=date(2027, 1, 1), reason="we would like it")
    assert verify_report(report, keys.trust(), today=TODAY).grants == ()
    grant_exception(report, "WARD-01", keys.buyer, until=date(2027, 1, 1), reason="until the next release")
    (granted,) = verify_report(report, keys.trust(), today=TODAY).grants
    assert granted == {
        "requirement": "ward-feed#1",
        "granted_by": "Digital team (An integrated care board)",
        "until": "2027-01-01",
        "expired": "",
        "reason": "until the next release",
    }
    (later,) = verify_report(report, keys.trust(), today=date(2027, 1, 2)).grants
    assert later["expired"] == "yes"


def test_a_grant_for_another_report_does_not_count(
    report: Path, tmp_path: Path, run_report: Callable[..., Any], keys: Any
) -> None:
    name = grant_exception(report, "WARD-01", keys.buyer, until=date(2027, 1, 1), reason="until the next release")
    run_report(tmp_path / "other")
    shutil.copy(report / name, tmp_path / "other")
    assert verify_report(tmp_path / "other", keys.trust(), today=TODAY).grants == ()


@pytest.mark.parametrize(
    ("requirement", "until", "says"),
    [("WARD-02", date(2027, 1, 1), "asks for no exception"), ("WARD-01", date(2027, 6, 1), "until 2027-01-31 only")],
)
def test_a_grant_of_what_was_not_asked_for(report: Path, keys: Any, requirement: str, until: date, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        grant_exception(report, requirement, keys.buyer, until=until, reason="r")


def test_a_document_is_signed_as_it_is(tmp_path: Path, keys: Any) -> None:
    path = tmp_path / "assessment.toml"
    path.write_text("version = 1\n", encoding="utf-8")
    sealed = sign_document(path, keys.buyer, now=SIGNED).read_bytes()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert [key.organisation for key in signers_of(digest, sealed, keys.trust(), role="buyer")] == [
        "An integrated care board"
    ]
    assert signers_of(digest, sealed, keys.trust(), role="assessor") == ()
    assert signers_of(hashlib.sha256(b"other").hexdigest(), sealed, keys.trust()) == ()
