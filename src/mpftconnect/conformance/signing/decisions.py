"""What others sign about a report: a buyer who grants an exception or was there, an assessor who decided.

Each is a statement of its own in a file beside the report: none changes the report, and none changes an outcome.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from mpftconnect.conformance.evidence import EvidenceFile
from mpftconnect.conformance.reporting.folder import REPORT, altered, read_folder, write_beside
from mpftconnect.conformance.signing.envelope import read_sealed, seal, statement_of, unseal
from mpftconnect.conformance.signing.keys import KeyFile
from mpftconnect.conformance.signing.trust import Role, Trust, TrustedKey
from mpftconnect.errors import UsageError

__all__ = [
    "DOCUMENT",
    "GRANT",
    "WITNESS",
    "grant_exception",
    "sign_document",
    "signers_of",
    "with_signers",
    "witness_report",
]

GRANT = "urn:mpftconnect:attestation:exception-granted:1"
WITNESS = "urn:mpftconnect:attestation:run-witnessed:1"
DOCUMENT = "urn:mpftconnect:attestation:document:1"
_LARGEST = 10_000_000


def grant_exception(
    folder: Path, requirement: str, key: KeyFile, *, until: date, reason: str, now: datetime | None = None
) -> str:
    """A buyer accepts, until a day, that a requirement is not met. The outcome stays; the grant stands beside it.

    Args:
        requirement: Id or reference of a requirement for which the report's supplier asked for an exception.
    Returns:
        The name of the file, in the report's folder.
    Raises:
        UsageError: No exception was asked for, or `until` is later than was asked.
    """
    report = _report(folder)
    row = next((r for r in report["results"] if requirement in (r["id"], r["ref"])), None)
    asked = (row or {}).get("exception")
    if row is None or not asked:
        raise UsageError(f"{requirement}: the report asks for no exception from it")
    if until > date.fromisoformat(asked["expires"]):
        raise UsageError(f"{requirement}: the supplier asks for it until {asked['expires']} only")
    predicate = {
        "requirement": row["id"],
        "granted_until": until.isoformat(),
        "reason": reason,
        "asked": dict(asked),
        "product": report["subject"]["product"],
        "version": report["subject"]["version"],
        "signed": (now or datetime.now(UTC)).isoformat(timespec="seconds"),
    }
    name = f"grant-{re.sub(r'[^A-Za-z0-9]+', '-', row['id'])}-{key.id[:8]}.dsse.json"
    write_beside(folder, name, seal(statement_of(GRANT, predicate, [_report_digest(folder)]), key))
    return name


def witness_report(folder: Path, key: KeyFile, *, says: str, now: datetime | None = None) -> str:
    """A buyer says to have been there when the run was made.

    Args:
        says: What was witnessed, in the buyer's words.
    Returns:
        The name of the file, in the report's folder.
    """
    report = _report(folder)
    predicate = {
        "says": says,
        "run": report["run"]["id"],
        "signed": (now or datetime.now(UTC)).isoformat(timespec="seconds"),
    }
    name = f"witness-{key.id[:8]}.dsse.json"
    write_beside(folder, name, seal(statement_of(WITNESS, predicate, [_report_digest(folder)]), key))
    return name


def sign_document(path: Path, key: KeyFile, *, now: datetime | None = None) -> Path:
    """Sign a file, such as an assessment; the signature stands beside it in `NAME.dsse.json`."""
    predicate = {"signed": (now or datetime.now(UTC)).isoformat(timespec="seconds")}
    data = seal(statement_of(DOCUMENT, predicate, [(path.name, hashlib.sha256(_bytes(path)).hexdigest())]), key)
    beside = path.with_name(f"{path.name}.dsse.json")
    try:
        beside.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{beside.name} cannot be written ({type(error).__name__})") from None
    return beside


def signers_of(sha256: str, envelope: bytes, trust: Trust, *, role: Role | None = None) -> tuple[TrustedKey, ...]:
    """Whose signature of that document is right and to be believed.

    Args:
        sha256: Of the document, in hexadecimal.
        role: Only those of that role.
    Raises:
        UsageError: It is no envelope.
    """
    opened = unseal(envelope, trust.public)
    if opened.statement.get("predicateType") != DOCUMENT or sha256 not in digests_in(opened.statement):
        return ()
    signed = day_signed(opened.statement)
    keys = [trust.keys[id_] for id_ in opened.signed_by if not trust.doubt(id_, signed)]
    return tuple(key for key in keys if role is None or key.role == role)


def with_signers(files: Mapping[str, tuple[EvidenceFile, ...]], trust: Trust) -> dict[str, tuple[EvidenceFile, ...]]:
    """Documents with whose signatures are believed under a trust file: by it, and never by what a report says."""

    def believed(file: EvidenceFile) -> EvidenceFile:
        names: tuple[str, ...] = ()
        if file.signature and trust.keys:
            try:
                keys = signers_of(file.sha256, file.signature.encode(), trust)
            except UsageError:
                keys = ()
            names = tuple(f"{key.name} ({key.organisation}, {key.role})" for key in keys if key.role != "supplier")
        return replace(file, signed_by=names)

    return {kind: tuple(believed(file) for file in rows) for kind, rows in files.items()}


def digests_in(statement: Mapping[str, Any]) -> set[str]:
    """Every sha256 that a statement speaks of."""
    found = set()
    subjects = statement.get("subject")
    for each in subjects if isinstance(subjects, list) else ():
        digest = each.get("digest") if isinstance(each, dict) else None
        if isinstance(digest, dict) and isinstance(digest.get("sha256"), str):
            found.add(digest["sha256"])
    return found


def day_signed(statement: Mapping[str, Any]) -> date | None:
    """The day that a statement says it was signed; None if it says none."""
    predicate = statement.get("predicate")
    given = predicate.get("signed") if isinstance(predicate, dict) else None
    try:
        return datetime.fromisoformat(given).date() if isinstance(given, str) else None
    except ValueError:
        return None


def _report(folder: Path) -> Mapping[str, Any]:
    if wrong := altered(folder):
        raise UsageError(f"{folder.name}: is not what its manifest says: {', '.join(wrong)}")
    return read_folder(folder).report


def _report_digest(folder: Path) -> tuple[str, str]:
    return REPORT, hashlib.sha256(read_sealed(folder / REPORT)).hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read ({type(error).__name__})") from None
    if len(data) > _LARGEST:
        raise UsageError(f"{path.name} is larger than is allowed")
    return data
