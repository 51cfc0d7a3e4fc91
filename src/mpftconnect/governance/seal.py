"""Keyed seals: what makes a change to the audit trail visible to whoever holds the key.

A seal is HMAC-SHA256 (RFC 2104; FIPS 198-1) over length-prefixed parts, so that no two different lists of parts give
the same bytes. The purpose and the trail's name are the first parts: a seal made for one place fits no other.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from mpftconnect.errors import ConfigurationError

__all__ = ["NOTHING_BEFORE", "SHORTEST_KEY_BYTES", "Seal", "canonical"]

NOTHING_BEFORE = "0" * 64  # stands for "previous seal" where there is none
SHORTEST_KEY_BYTES = 32  # RFC 2104, section 3: a key shorter than the hash's output weakens the function


class Seal:
    """Makes and checks the seals of one trail.

    Args:
        key: At least 32 random bytes, kept elsewhere than the trail.
        trail: The trail's name.
    Raises:
        ConfigurationError: The key is too short.

    >>> seal = Seal(bytes(range(32)), "audit")
    >>> made = seal.of("entry", 1, "text")
    >>> seal.fits(made, "entry", 1, "text"), seal.fits(made, "entry", 2, "text")
    (True, False)
    """

    def __init__(self, key: bytes, trail: str) -> None:
        if len(key) < SHORTEST_KEY_BYTES:
            raise ConfigurationError([f"key of the trail {trail}: at least {SHORTEST_KEY_BYTES} bytes are needed"])
        self._key = bytes(key)
        self._trail = trail

    def of(self, purpose: str, *parts: str | int) -> str:
        """The seal of these parts, 64 hexadecimal digits."""
        mac = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in (self._trail, purpose, *parts):
            # Lone surrogates stand for bytes that were not UTF-8 in a damaged file; sealing them must not raise.
            data = str(part).encode("utf-8", "surrogatepass")
            mac.update(len(data).to_bytes(8, "big") + data)
        return mac.hexdigest()

    def fits(self, seal: object, purpose: str, *parts: str | int) -> bool:
        """Whether `seal` is the seal of these parts; compared in constant time."""
        if not isinstance(seal, str) or not seal.isascii():
            return False
        return hmac.compare_digest(seal, self.of(purpose, *parts))

    def __repr__(self) -> str:
        return f"Seal(trail={self._trail!r})"


def canonical(value: Any) -> str:
    """JSON in one form only: sorted names, no spaces, ASCII.

    >>> canonical({"b": 1, "a": "\u00e9"})
    '{"a":"\\\\u00e9","b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
