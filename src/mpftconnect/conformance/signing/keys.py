"""Ed25519 keys in files: made, and read again only if nobody else can read them.

Key files are PKCS #8 in PEM (RFC 5958, RFC 8410), encrypted where a passphrase is given. A key's id is the sha256 of
its 32 raw public bytes, so that two people can compare it on the telephone.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpftconnect.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["KeyFile", "key_id", "load_key", "make_key", "public_from", "public_text"]

INSTALL = "signing needs pip install 'mpftconnect[sign]'"
_LARGEST = 20_000


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A private key and where it stands.

    Args:
        id: sha256 of the public key, in hexadecimal.
        public: The public key's 32 bytes, in base64: what a trust file holds.
    """

    path: Path
    id: str
    public: str
    private: Any = field(repr=False)  # Ed25519PrivateKey; the library is an extra


def make_key(path: Path, *, passphrase: str | None = None) -> KeyFile:
    """A new key, in a file that its owner alone can read.

    Args:
        path: Of the file; it must not be there.
        passphrase: Encrypts the file.
    Raises:
        UsageError: The file is there or cannot be written, or the extra is not installed.
    """
    serialization, ed25519 = _library()
    private = ed25519.Ed25519PrivateKey.generate()
    lock = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    data = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except FileExistsError:
        raise UsageError(f"{path.name} is there already: a key is never overwritten") from None
    except OSError as error:
        raise UsageError(f"{path.name} cannot be written ({type(error).__name__})") from None
    return _key_file(path, private)


def load_key(path: Path, *, passphrase: str | None = None) -> KeyFile:
    """The private key of a file.

    Raises:
        UsageError: Others can read the file, it holds no Ed25519 key, the passphrase is missing or wrong, or the extra
            is not installed.
    """
    serialization, ed25519 = _library()
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_LARGEST)
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read ({type(error).__name__})") from None
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise UsageError(f"{path.name} can be read by others: chmod 600 it, and think of the key as known to them")
    try:
        private = serialization.load_pem_private_key(data, passphrase.encode() if passphrase else None)
    except TypeError:
        said = "is encrypted: give its passphrase" if not passphrase else "is not encrypted: give no passphrase"
        raise UsageError(f"{path.name} {said}") from None
    except Exception as error:  # noqa: BLE001 - whatever a damaged file makes the library raise
        raise UsageError(f"{path.name} holds no key that this passphrase opens ({type(error).__name__})") from None
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise UsageError(f"{path.name} holds a key of another kind; expected Ed25519")
    return _key_file(path, private)


def key_id(public: Ed25519PublicKey) -> str:
    """The id of a key: sha256 of its raw public bytes."""
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()


def public_text(public: Ed25519PublicKey) -> str:
    """A public key as trust files hold it: its raw bytes in base64."""
    return base64.b64encode(public.public_bytes_raw()).decode()


def public_from(text: str) -> Ed25519PublicKey:
    """The public key that a trust file names.

    Raises:
        UsageError: It is none, or the extra is not installed.
    """
    _, ed25519 = _library()
    try:
        raw = base64.b64decode(text, validate=True)
        public: Ed25519PublicKey = ed25519.Ed25519PublicKey.from_public_bytes(raw)
    except ValueError:
        raise UsageError("expected the 32 bytes of an Ed25519 public key in base64, as `keys show` prints") from None
    return public


def _key_file(path: Path, private: Ed25519PrivateKey) -> KeyFile:
    public = private.public_key()
    return KeyFile(path, key_id(public), public_text(public), private)


def _library() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise UsageError(INSTALL) from None
    return serialization, ed25519
