"""A buyer's challenge: a nonce that nobody knew before, bound into every request, the evidence and the signature.

It shows that the evidence was made after the challenge was issued, for the product version and packs that it names. It
does not show that the product answered: who holds the harness can make up answers (see the threat model in the docs).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from mpftconnect.conformance.probe import MARK as HEADER
from mpftconnect.conformance.signing.envelope import Opened, read_sealed, seal, statement_of, unseal
from mpftconnect.conformance.signing.keys import KeyFile
from mpftconnect.errors import UsageError

__all__ = ["FILE", "HEADER", "PREDICATE", "Challenge", "challenge_from", "make_challenge", "read_challenge"]

PREDICATE = "urn:mpftconnect:attestation:challenge:1"
FILE = "evidence/challenge.dsse.json"
"""Where a report keeps the challenge that it was run for."""

# Letters alone, so that no digit of it looks like anybody's number to a redactor.
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a buyer asks a supplier to run.

    Args:
        nonce: 32 random bytes in base64.
        packs: Digest of each pack by name: the run must judge by these.
        issued: ISO date and time, UTC; `expires` is the last day, ISO.
        buyer: The organisation that asks.
        signed_by: Ids of the keys that signed the file, as the file says; `verify` holds them against the trust file.
    """

    nonce: str
    product: str
    version: str
    packs: Mapping[str, str]
    issued: str
    expires: str
    buyer: str
    signed_by: tuple[str, ...] = ()

    def mark(self, step: str) -> str:
        """What the header says in the requests of a step: a keyed digest, in letters.

        >>> challenge = Challenge(
        ...     nonce="AAAA", product="P", version="1", packs={}, issued="", expires="", buyer="B"
        ... )
        >>> challenge.mark("metadata") == challenge.mark("metadata") != challenge.mark("Patient of full")
        True
        """
        key = base64.b64decode(self.nonce)
        return hmac.new(key, step.encode(), hashlib.sha256).hexdigest()[:32].translate(_LETTERS)

    @property
    def digest(self) -> str:
        """By which reports and signatures name it."""
        return f"sha256:{hashlib.sha256(f'{self.nonce}|{self.product}|{self.version}'.encode()).hexdigest()}"

    def refuses(self, *, product: str, version: str, packs: Mapping[str, str], today: date) -> list[str]:
        """Why a run would not answer it; empty if it would."""
        found = []
        if (product, version) != (self.product, self.version):
            found.append(f"the challenge is for {self.product} {self.version}, and the run for {product} {version}")
        for name, digest in self.packs.items():
            if name not in packs:
                found.append(f"the challenge asks for the pack {name}, which was not run")
            elif packs[name] != digest:
                found.append(f"the pack {name} is not the one that the challenge names")
        if today > date.fromisoformat(self.expires):
            found.append(f"the challenge ran out on {self.expires}")
        return found


def make_challenge(
    key: KeyFile,
    *,
    product: str,
    version: str,
    packs: Mapping[str, str],
    expires: date,
    buyer: str,
    now: datetime | None = None,
) -> bytes:
    """A challenge, signed by a buyer's key, as it is written to a file."""
    challenge = Challenge(
        nonce=base64.b64encode(secrets.token_bytes(32)).decode(),
        product=product,
        version=version,
        packs=dict(packs),
        issued=(now or datetime.now(UTC)).isoformat(timespec="seconds"),
        expires=expires.isoformat(),
        buyer=buyer,
    )
    names = ("nonce", "product", "version", "packs", "issued", "expires", "buyer")
    predicate = {name: getattr(challenge, name) for name in names}
    subject = [(f"{product} {version}", challenge.digest.removeprefix("sha256:"))]
    return seal(statement_of(PREDICATE, predicate, subject), key)


def read_challenge(path: Path, trusted: Mapping[str, str] | None = None) -> tuple[Challenge, bytes]:
    """The challenge of a file, and the file's bytes.

    Args:
        trusted: Public keys by id, of whom a signature counts.
    Raises:
        UsageError: It is none.
    """
    data = read_sealed(path)
    return challenge_from(unseal(data, trusted or {}, name=path.name), name=path.name), data


def challenge_from(opened: Opened, *, name: str = "the challenge") -> Challenge:
    """The challenge that an envelope holds.

    Raises:
        UsageError: It holds something else.
    """
    predicate: Any = opened.statement.get("predicate")
    if opened.statement.get("predicateType") != PREDICATE or not isinstance(predicate, dict):
        raise UsageError(f"{name}: is no challenge")
    try:
        made = Challenge(
            **{key: predicate[key] for key in ("nonce", "product", "version", "packs", "issued", "expires", "buyer")},
            signed_by=opened.signed_by,
        )
        whole = _whole(made)
    except (KeyError, TypeError, ValueError, AttributeError):
        whole = False
    if not whole:
        raise UsageError(f"{name}: is no whole challenge")
    return made


def _whole(made: Challenge) -> bool:
    texts = (made.nonce, made.product, made.version, made.issued, made.buyer, *made.packs, *made.packs.values())
    date.fromisoformat(made.expires)
    aware = datetime.fromisoformat(made.issued).tzinfo is not None
    nonce = base64.b64decode(made.nonce, validate=True)
    digests = all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in made.packs.values())
    return aware and digests and len(nonce) == 32 and all(isinstance(text, str) and text for text in texts)
