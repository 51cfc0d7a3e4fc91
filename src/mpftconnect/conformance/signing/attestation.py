"""Signs a report: an in-toto statement over every file of its folder, naming product, packs, judge and target."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from mpftconnect.conformance.reporting.folder import MANIFEST, REPORT, altered, write_beside
from mpftconnect.conformance.signing.envelope import read_sealed, seal, seal_again, statement_of, unseal
from mpftconnect.conformance.signing.keys import KeyFile
from mpftconnect.errors import UsageError

__all__ = ["FILE", "PREDICATE", "SAYS", "claims_of", "sign_report"]

PREDICATE = "urn:mpftconnect:attestation:conformance-report:1"
FILE = "attestation.dsse.json"
SAYS = "unaltered since signed; not a judgement that the run was honest"
VALID_DAYS = 365


def sign_report(
    folder: Path, key: KeyFile, *, expires: date | None = None, now: datetime | None = None
) -> Mapping[str, Any]:
    """Sign a report's folder; a second key signs beside the first.

    Args:
        expires: Last day for which the signer stands by it; a year from now, if none is given.
    Returns:
        The statement that was signed.
    Raises:
        UsageError: The folder is no report, or is not what its manifest says: an altered report is not signed.
    """
    if wrong := altered(folder):
        raise UsageError(f"{folder.name}: is not what its manifest says, and is not signed: {', '.join(wrong)}")
    path = folder / FILE
    if path.exists():
        data = seal_again(read_sealed(path), key)
        # What the second key signs is what the first one said: it must still be so.
        statement = unseal(data, {key.id: key.public}, name=FILE).statement
        if statement.get("subject") != _subjects_as_stated(folder):
            raise UsageError(f"{FILE}: speaks of another state of the folder; remove it to sign anew")
    else:
        signed = now or datetime.now(UTC)
        until = expires or (signed.date() + timedelta(days=VALID_DAYS))
        statement = statement_of(PREDICATE, _predicate(folder, signed, until), _subjects(folder))
        data = seal(statement, key)
    write_beside(folder, FILE, data)
    return statement


def claims_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """What a report says of itself that its statement repeats: `verify` holds the two against each other."""
    run = report["run"]
    out: dict[str, Any] = {
        "product": dict(report["subject"]),
        "target": dict(report.get("target", {})),
        "authorised_by": dict(report.get("authorised_by", {})),
        "run": {
            name: run[name]
            for name in ("id", "started", "finished", "by", "challenge", "partial", "preset")
            if name in run
        },
        "packs": [{name: pack[name] for name in ("name", "revision", "digest", "verdict")} for pack in report["packs"]],
        "judge": dict(report["judge"]),
    }
    if report.get("demonstration"):
        out["demonstration"] = report["demonstration"]
    return out


def _predicate(folder: Path, signed: datetime, expires: date) -> dict[str, Any]:
    try:
        report = json.loads((folder / REPORT).read_bytes())
        claims = claims_of(report)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError(f"{folder.name}: {REPORT} is not whole") from None
    return {
        "says": SAYS,
        "signed": signed.isoformat(timespec="seconds"),
        "expires": expires.isoformat(),
        **claims,
    }


def _subjects(folder: Path) -> list[tuple[str, str]]:
    manifest = (folder / MANIFEST).read_bytes()
    stated = json.loads(manifest)["files"]
    files = [(name, stated[name]["sha256"]) for name in sorted(stated)]
    return [(MANIFEST, hashlib.sha256(manifest).hexdigest()), *files]


def _subjects_as_stated(folder: Path) -> list[dict[str, Any]]:
    return [{"name": name, "digest": {"sha256": digest}} for name, digest in _subjects(folder)]
