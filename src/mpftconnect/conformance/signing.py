"""What a signature over a report says: an in-toto statement, and the bytes of a DSSE envelope that are signed.

No key is touched here. Making keys, signing and verifying stand on this module and bring their own dependency; the
envelope goes into the report's folder as `attestation.dsse.json`, beside the manifest that it covers.

Source: in-toto Attestation Framework, Statement v1 (`_type`, `subject`, `predicateType`, `predicate`); DSSE v1,
protocol: pre-authentication encoding.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mpftconnect.conformance.reporting.folder import MANIFEST, REPORT
from mpftconnect.errors import UsageError

__all__ = ["ENVELOPE", "PAYLOAD_TYPE", "PREDICATE_TYPE", "pre_authentication", "statement_of"]

ENVELOPE = "attestation.dsse.json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
PREDICATE_TYPE = "https://mpftconnect.example/conformance-report/v1"


def statement_of(folder: Path, *, challenge: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The statement over a report's folder: every file by digest, and what the report speaks of.

    Args:
        challenge: A buyer's nonce, product version, pack digests and expiry, if the run was made to one.
    Raises:
        UsageError: The folder is no report.
    """
    try:
        manifest_bytes = (folder / MANIFEST).read_bytes()
        manifest = json.loads(manifest_bytes)
        report = json.loads((folder / REPORT).read_bytes())
        files = {name: row["sha256"] for name, row in manifest["files"].items()}
        predicate: dict[str, Any] = {
            "product": report["subject"]["product"],
            "version": report["subject"]["version"],
            "entity": report["subject"]["entity"],
            "entity_code": report["subject"].get("entity_code", ""),
            "run": {name: report["run"][name] for name in ("id", "started", "finished", "by")},
            "target": report["target"],
            "packs": [
                {name: pack[name] for name in ("name", "revision", "digest", "verdict")} for pack in report["packs"]
            ],
            "judge": report["judge"],
            "demonstration": report.get("demonstration", ""),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{folder.name}: is no report that could be signed") from None
    if challenge is not None:
        predicate["challenge"] = dict(challenge)
    subjects = {MANIFEST: hashlib.sha256(manifest_bytes).hexdigest(), **files}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(subjects.items())],
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }


def pre_authentication(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """The bytes that a signature is made over.

    >>> pre_authentication(b"hello world", "http://example.com/HelloWorld")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
