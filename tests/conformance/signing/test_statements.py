"""What a statement says is held against the folder: a right signature over wrong words is named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.conformance import EvidenceFile, Pack
from mpftconnect.conformance.reporting.document import as_bytes
from mpftconnect.conformance.signing import make_challenge, read_challenge, sign_report, verify_report
from mpftconnect.conformance.signing.attestation import FILE, PREDICATE
from mpftconnect.conformance.signing.decisions import sign_document, with_signers
from mpftconnect.conformance.signing.envelope import seal, statement_of
from mpftconnect.errors import UsageError

TODAY = date(2026, 12, 1)
SIGNED = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)


@pytest.fixture
def report(tmp_path: Path, run_report: Callable[..., Any], keys: Any) -> Path:
    """A signed report with one more file, which nothing reads."""
    run_report(tmp_path / "report")
    _put(tmp_path / "report", "extra.txt", b"more")
    sign_report(tmp_path / "report", keys.supplier, now=SIGNED)
    return tmp_path / "report"


def _put(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    (folder / "manifest.json").write_bytes(as_bytes(manifest))


def _signed_again(folder: Path, keys: Any, subjects: Any = None, **predicate: Any) -> set[tuple[str, str]]:
    """What verify names when the supplier signs another statement over the same folder."""
    (folder / FILE).unlink()
    statement = dict(sign_report(folder, keys.supplier, now=SIGNED))
    stated = [(each["name"], each["digest"]["sha256"]) for each in statement["subject"]]
    made = statement_of(PREDICATE, {**statement["predicate"], **predicate}, subjects(stated) if subjects else stated)
    (folder / FILE).write_bytes(seal(made, keys.supplier))
    return {(m.place, m.says) for m in verify_report(folder, keys.trust(), today=TODAY).mismatches}


def test_a_signed_file_that_is_gone_is_named(report: Path, keys: Any) -> None:
    (report / "extra.txt").unlink()
    found = {(m.place, m.says) for m in verify_report(report, keys.trust(), today=TODAY).mismatches}
    assert ("extra.txt", "was signed, and is not there") in found


def test_the_statement_as_it_was_made_matches(report: Path, keys: Any) -> None:
    assert _signed_again(report, keys) == set()


@pytest.mark.parametrize("name", ["manifest.json", "report.json"])
def test_a_statement_must_speak_of_the_report_and_the_manifest(report: Path, keys: Any, name: str) -> None:
    found = _signed_again(report, keys, lambda stated: [each for each in stated if each[0] != name])
    assert found == {(FILE, f"does not speak of {name}")}


def test_a_statement_reaches_nothing_outside_the_folder(report: Path, keys: Any) -> None:
    outside = report.parent / "outside.txt"
    outside.write_bytes(b"x")
    digest = hashlib.sha256(b"x").hexdigest()
    found = _signed_again(report, keys, lambda stated: [*stated, ("../outside.txt", digest)])
    assert found == {(FILE, "speaks of a file outside the folder")}


@pytest.mark.parametrize("name", ["product", "target", "run", "packs", "judge"])
def test_a_statement_repeats_the_report(report: Path, keys: Any, name: str) -> None:
    found = _signed_again(report, keys, **{name: {"another": "thing"}})
    assert found == {("report.json", f"its {name} is not that of the statement that was signed")}


def test_an_altered_file_of_the_evidence_is_not_signed(
    tmp_path: Path, run_report: Callable[..., Any], keys: Any
) -> None:
    run_report(tmp_path / "report")
    file = tmp_path / "report" / "evidence" / "exchanges.har"
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(UsageError, match=r"exchanges\.har"):
        sign_report(tmp_path / "report", keys.supplier)


def test_a_second_key_does_not_sign_another_state(report: Path, keys: Any) -> None:
    _put(report, "extra.txt", b"changed, and the manifest with it")
    with pytest.raises(UsageError, match="another state"):
        sign_report(report, keys.buyer)


@pytest.mark.parametrize(("revoked", "run_by"), [("", "challenged"), ("compromised", "self-run")])
def test_a_challenge_by_a_buyers_key_that_is_not_believed_does_not_count(
    tmp_path: Path, run_report: Callable[..., Any], keys: Any, ward_feed: Pack, revoked: str, run_by: str
) -> None:
    path = tmp_path / "challenge.dsse.json"
    path.write_bytes(
        make_challenge(
            keys.buyer,
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
    row = f'[[revoked]]\nkey = "{keys.buyer.id}"\non = 2026-11-30\nbecause = "{revoked}"\n' if revoked else ""
    assert verify_report(tmp_path / "report", keys.trust(row), today=TODAY).run_by == run_by


def test_a_supplier_is_no_assessor_of_its_own_documents(tmp_path: Path, keys: Any) -> None:
    path = tmp_path / "assessment.toml"
    path.write_text("version = 1\n", encoding="utf-8")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    def signers(key: Any) -> tuple[str, ...]:
        sealed = sign_document(path, key, now=SIGNED).read_text(encoding="utf-8")
        given = EvidenceFile(kind="assessment", name=path.name, sha256=digest, size=1, signature=sealed)
        (made,) = with_signers({"assessment": (given,)}, keys.trust())["assessment"]
        return made.signed_by

    assert signers(keys.supplier) == ()
    (tmp_path / "assessment.toml.dsse.json").unlink()
    assert signers(keys.buyer) == ("Digital team (An integrated care board, buyer)",)
