"""How what is kept is protected at rest: AES-GCM under a key that is kept elsewhere, or not at all, and said so.

What must be found again (identifiers, keys of things) stands in the store only as a keyed digest where it is
encrypted. Without a key it stands as a plain digest, which whoever reads the store could guess.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Protocol

from mpftconnect.errors import ConfigurationError

__all__ = ["Encrypted", "Protection", "Unencrypted", "Unreadable"]


class Unreadable(Exception):
    """Sealed under another key, or damaged. Holds nothing of the content."""


class Protection(Protocol):
    """Seals what is kept."""

    @property
    def name(self) -> str:
        """`aes-256-gcm` or `none`; written into the store, so that the wrong key is noticed."""

    def seal(self, data: bytes, about: str) -> bytes: ...

    def open(self, data: bytes, about: str) -> bytes:
        """The opposite of `seal`, with the same `about`. Raises `Unreadable`."""

    def digest(self, data: bytes) -> str:
        """Names content without telling it, as far as the protection goes."""


class Unencrypted:
    """Nothing is encrypted: put the store on an encrypted volume.

    >>> Unencrypted().open(Unencrypted().seal(b"x", "log"), "log")
    b'x'
    """

    name = "none"

    def seal(self, data: bytes, about: str) -> bytes:
        return data

    def open(self, data: bytes, about: str) -> bytes:
        return data

    def digest(self, data: bytes) -> str:
        return hashlib.sha256(data).hexdigest()


class Encrypted:
    """AES-256-GCM, a fresh nonce for each record (NIST SP 800-38D), keys by HKDF-SHA-256 (RFC 5869).

    Args:
        key: At least 32 random bytes, kept elsewhere than the store.
    Raises:
        ConfigurationError: The key is too short, or the extra `encryption` is not installed.
    """

    name = "aes-256-gcm"

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ConfigurationError(["inbox.key: expected at least 32 bytes"])
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError:
            raise ConfigurationError(
                ["inbox.key: encryption needs the extra `encryption` (pip install mpftconnect[encryption])"]
            ) from None
        self._cipher = AESGCM(_derived(key, b"mpftconnect inbox body"))
        self._index = _derived(key, b"mpftconnect inbox index")
        self._invalid = InvalidTag

    def seal(self, data: bytes, about: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, data, about.encode())

    def open(self, data: bytes, about: str) -> bytes:
        try:
            return self._cipher.decrypt(data[:12], data[12:], about.encode())
        except (self._invalid, ValueError):
            pass
        raise Unreadable("sealed under another key, or damaged")

    def digest(self, data: bytes) -> str:
        return hmac.new(self._index, data, hashlib.sha256).hexdigest()


def _derived(key: bytes, purpose: bytes) -> bytes:
    """RFC 5869 with an empty salt, one block."""
    extracted = hmac.new(bytes(32), key, hashlib.sha256).digest()
    return hmac.new(extracted, purpose + b"\x01", hashlib.sha256).digest()
