"""A supplier's configuration as the engine holds it: what is tested, where, by whose leave, with which people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mpftconnect.adapters import Endpoint
from mpftconnect.conformance.evidence import EvidenceFile, Subject, TestPerson
from mpftconnect.conformance.mllp_lines import MllpLines

__all__ = ["AuthSettings", "Authorisation", "ExceptionRequest", "Response", "Supplier"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorisation:
    """Who allowed the run: without it nothing is sent."""

    name: str
    organisation: str
    date: str
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    """How requests are signed: see `mpftconnect.adapters.auth_from`."""

    kind: Literal["none", "bearer", "client-credentials", "signed-jwt"] = "none"
    token_url: str | None = None
    key_id: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionRequest:
    """What a supplier asks a buyer to accept. The outcome stands until a buyer's key grants it.

    Args:
        requirement: Id.
        owner: Who answers for it.
        expires: ISO date.
        hazard: Id in the supplier's hazard log.
        granted_by: Name of the buyer's key that signed it; empty until then. Filled by verification, never by a file.
    """

    requirement: str
    reason: str
    owner: str
    expires: str
    hazard: str
    granted_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A supplier's signed answer to a requirement, shown beside its outcome everywhere.

    Args:
        text: In the supplier's words.
        signed_by: Name of the key, after verification; empty: not signed.
    """

    requirement: str
    text: str
    by: str
    date: str
    signed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplier:
    """All of a supplier.toml.

    Args:
        endpoint: Where the product is; None if only documents and answers are judged.
        files: Evidence documents by kind.
        paths: Where they are, by name; never in a report.
        settings: `[target.settings]`, for packs: `{"path": ...}`.
        mllp: The product's MLLP lines.
        folder: Of the file: relative paths start there.
    """

    subject: Subject
    endpoint: Endpoint | None
    auth: AuthSettings
    authorised_by: Authorisation
    people: Mapping[str, TestPerson] = field(default_factory=dict)
    files: Mapping[str, tuple[EvidenceFile, ...]] = field(default_factory=dict)
    paths: Mapping[str, Path] = field(default_factory=dict, repr=False)
    answers: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    exceptions: tuple[ExceptionRequest, ...] = ()
    responses: tuple[Response, ...] = ()
    package_path: tuple[Path, ...] = ()
    folder: Path = Path()
    mllp: MllpLines = field(default_factory=MllpLines)
