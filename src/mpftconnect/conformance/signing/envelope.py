"""DSSE envelopes (Dead Simple Signing Envelope, v1.0.2) around in-toto statements (in-toto attestation framework, v1).

The envelope is securesystemslib's; it is imported where it is used, since signing is an extra.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpftconnect.conformance.signing.keys import INSTALL, KeyFile, public_from
from mpftconnect.errors import UsageError

__all__ = ["PAYLOAD_TYPE", "STATEMENT_TYPE", "Opened", "seal", "seal_again", "unseal"]

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_LARGEST = 50_000_000


@dataclass(frozen=True, slots=True)
class Opened:
    """What an envelope holds.

    Args:
        statement: The payload, whoever signed it; nothing in it is to be believed before `signed_by` says so.
        signed_by: Ids of those of the given keys whose signature is right.
        wrong: Ids of those whose signature is not.
        unknown: How many signatures are of keys that were not given.
    """

    statement: Mapping[str, Any]
    signed_by: tuple[str, ...]
    wrong: tuple[str, ...]
    unknown: int


def seal(statement: Mapping[str, Any], key: KeyFile) -> bytes:
    """The statement in an envelope that the key has signed, as it is written to a file."""
    payload = json.dumps(statement, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    return _signed(payload, PAYLOAD_TYPE, {}, key)


def seal_again(data: bytes, key: KeyFile) -> bytes:
    """The same envelope, with the key's signature beside those that it has.

    Raises:
        UsageError: It is no envelope.
    """
    dsse, _, _ = _library()
    envelope = _envelope(dsse, data)
    return _signed(envelope.payload, envelope.payload_type, envelope.signatures, key)


def unseal(data: bytes, keys: Mapping[str, str], *, name: str = "the envelope") -> Opened:
    """Open an envelope and try its signatures.

    Args:
        keys: Public keys in base64, by id.
        name: Of the file, for messages.
    Raises:
        UsageError: It is no envelope around an in-toto statement; or the extra is not installed.
    """
    dsse, signer, exceptions = _library()
    envelope = _envelope(dsse, data, name)
    if envelope.payload_type != PAYLOAD_TYPE:
        raise UsageError(f"{name}: holds something else than an in-toto statement")
    right, wrong = [], []
    for id_, signature in envelope.signatures.items():
        if id_ not in keys:
            continue
        key = signer.SSlibKey.from_crypto(public_from(keys[id_]), keyid=id_)
        alone = dsse.Envelope(envelope.payload, envelope.payload_type, {id_: signature})
        try:
            alone.verify([key], 1)
        except exceptions.Error:
            wrong.append(id_)
        else:
            right.append(id_)
    try:
        statement = json.loads(envelope.payload)
    except (ValueError, RecursionError):
        statement = None
    if not isinstance(statement, dict) or statement.get("_type") != STATEMENT_TYPE:
        raise UsageError(f"{name}: holds something else than an in-toto statement")
    unknown = len(envelope.signatures) - len(right) - len(wrong)
    return Opened(statement, tuple(right), tuple(wrong), unknown)


def read_sealed(path: Path) -> bytes:
    """The bytes of an envelope's file.

    Raises:
        UsageError: It cannot be read, or is larger than is allowed.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"{path.name}: is larger than is allowed")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path.name}: cannot be read ({type(error).__name__})") from None


def statement_of(
    predicate_type: str, predicate: Mapping[str, Any], subjects: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """An in-toto statement.

    Args:
        subjects: Name and sha256, in hexadecimal, of each thing that is spoken of.
    """
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in subjects],
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }


def _signed(payload: bytes, payload_type: str, signatures: Mapping[str, Any], key: KeyFile) -> bytes:
    dsse, signer, _ = _library()
    public = signer.SSlibKey.from_crypto(key.private.public_key(), keyid=key.id)
    envelope = dsse.Envelope(payload, payload_type, dict(signatures))
    envelope.sign(signer.CryptoSigner(key.private, public))
    return (json.dumps(envelope.to_dict(), indent=1) + "\n").encode()


def _envelope(dsse: Any, data: bytes, name: str = "the envelope") -> Any:
    try:
        return dsse.Envelope.from_dict(json.loads(data))
    except Exception as error:  # noqa: BLE001 - whatever a stranger's file makes the library raise
        raise UsageError(f"{name}: is no signed envelope ({type(error).__name__})") from None


def _library() -> tuple[Any, Any, Any]:
    try:
        from securesystemslib import dsse, exceptions, signer
    except ImportError:
        raise UsageError(INSTALL) from None
    return dsse, signer, exceptions
