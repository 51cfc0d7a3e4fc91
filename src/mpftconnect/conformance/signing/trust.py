"""The trust file: whose keys are whose, from when to when, and which are no longer to be believed.

```toml
version = 1

[[key]]
name = "Northmere Software, releases"
organisation = "Northmere Software"
role = "supplier"                       # supplier, buyer, assessor
public = "kTVyq8..."                    # as `mpftconnect keys show` prints it
from = 2026-11-01
until = 2027-11-01                      # optional
replaces = "3f2a..."                    # optional: the id of the key before it

[[revoked]]
key = "3f2a..."
on = 2026-11-01
because = "replaced"                    # replaced, lost, compromised
```

When a signature was made is the signer's own word. So a key that was compromised is believed for nothing, whatever day
its signatures name; one that was replaced or lost is believed for what names a day before.
"""

from __future__ import annotations

import base64
import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mpftconnect.errors import ConfigurationError

__all__ = ["Revocation", "Role", "Trust", "TrustedKey", "read_trust"]

FORMAT_VERSION = 1

Role = Literal["supplier", "buyer", "assessor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A key and whose it is.

    Args:
        id: sha256 of the public key.
        public: In base64.
        start: First day on which it signs; `end` the last, None for no end.
    """

    id: str
    name: str
    organisation: str
    role: Role
    public: str
    start: date
    end: date | None = None
    replaces: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    key: str
    on: date
    because: Literal["replaced", "lost", "compromised"]


@dataclass(frozen=True, slots=True)
class Trust:
    """All of a trust file."""

    keys: Mapping[str, TrustedKey] = field(default_factory=dict)
    revoked: Mapping[str, Revocation] = field(default_factory=dict)

    @property
    def public(self) -> dict[str, str]:
        """Public keys by id."""
        return {id_: key.public for id_, key in self.keys.items()}

    def doubt(self, id_: str, signed: date | None) -> str:
        """Why a signature of that key is not to be believed; empty if it is.

        Args:
            signed: The day that the signed statement names.
        """
        key = self.keys.get(id_)
        if key is None:
            return "the key is not in the trust file"
        revoked = self.revoked.get(id_)
        if revoked is not None:
            if revoked.because == "compromised":
                return f"the key was revoked on {revoked.on}: compromised"
            if signed is None or signed >= revoked.on:
                return f"the key was revoked on {revoked.on}: {revoked.because}"
        if signed is None:
            return "the statement names no day"
        if signed < key.start:
            return f"the key is trusted from {key.start} only"
        if key.end is not None and signed > key.end:
            return f"the key was trusted until {key.end}"
        return ""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class _Key(_Table):
    name: str = Field(min_length=1)
    organisation: str = Field(min_length=1)
    role: Role
    public: str
    start: date = Field(alias="from")
    until: date | None = None
    replaces: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")

    @field_validator("public")
    @classmethod
    def _public(cls, value: str) -> str:
        try:
            raw = base64.b64decode(value, validate=True)
        except ValueError:
            raw = b""
        if len(raw) != 32:
            raise ValueError("expected the 32 bytes of an Ed25519 public key in base64, as `keys show` prints")
        return value


class _Revoked(_Table):
    key: str = Field(pattern=r"^[0-9a-f]{64}$")
    on: date
    because: Literal["replaced", "lost", "compromised"]


class _File(_Table):
    version: Literal[1]
    key: tuple[_Key, ...] = ()
    revoked: tuple[_Revoked, ...] = ()


def read_trust(path: Path) -> Trust:
    """The trust file at that path.

    Raises:
        ConfigurationError: Every mistake, at once.
    """
    try:
        file = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigurationError([f"{path.name}: cannot be read ({type(error).__name__})"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        where = re.search(r"\(at line \d+, column \d+\)", str(error))
        raise ConfigurationError([f"{path.name}: is not TOML {where.group() if where else ''}".rstrip()]) from None
    except ValidationError as error:
        problems = [f"{path.name}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigurationError(problems) from None
    keys: dict[str, TrustedKey] = {}
    problems = []
    for index, row in enumerate(file.key):
        id_ = hashlib.sha256(base64.b64decode(row.public)).hexdigest()
        if id_ in keys:
            problems.append(f"{path.name}: key.{index}.public: stands above already, as {keys[id_].name}")
        if row.until is not None and row.until < row.start:
            problems.append(f"{path.name}: key.{index}.until: is before from")
        keys[id_] = TrustedKey(
            id=id_,
            name=row.name,
            organisation=row.organisation,
            role=row.role,
            public=row.public,
            start=row.start,
            end=row.until,
            replaces=row.replaces,
        )
    if problems:
        raise ConfigurationError(problems)
    revoked = {row.key: Revocation(key=row.key, on=row.on, because=row.because) for row in file.revoked}
    return Trust(keys, revoked)
