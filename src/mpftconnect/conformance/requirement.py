"""Requirements and the packs that they come in. A requirement is a sentence of a standard; a check is our code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mpftconnect.conformance.evidence import EvidenceFile

__all__ = [
    "Effect",
    "Erratum",
    "Level",
    "Pack",
    "PackSource",
    "Preset",
    "Requirement",
    "RequirementSource",
    "Severity",
    "Standard",
    "VerifiedBy",
]


class Level(StrEnum):
    """How the standard words it (RFC 2119)."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"


class Severity(StrEnum):
    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"


class VerifiedBy(StrEnum):
    """How it is verified, strongest first: the strength that `coverage` shows."""

    CHECK = "check"  # our code looks at every answer that it gets
    SAMPLE = "sample"  # our code looks at a part of what the requirement speaks of; `limits` says which
    EVIDENCE = "evidence"  # a document is located and its dates read; a named assessor decides
    ATTESTATION = "attestation"  # a named person says so
    RECORDED = "recorded"  # taken down and not judged
    UNTESTABLE = "untestable"  # `not_tested_because` says why


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementSource:
    """Where the sentence stands: document, section and its date (ISO); `note` for how it was read."""

    document: str
    section: str
    date: str
    url: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One requirement of a pack.

    Args:
        id: Permanent: `uk-core-r4#3`. Never used again for another.
        ref: The reference that people use: `UKC-03`.
        level: `must`, `should` or `may`, as the standard words it.
        severity: What breaking it means for care.
        title: A few words for a list.
        text: What is required, in our own words.
        source: Where it stands.
        hazard: What can happen to a person if it is not met, in one sentence.
        verified_by: How.
        needs: Capabilities that the product must offer for it: `fhir-server`. Not offered: `not-offered`.
        actors: Whom it binds: `server`, `consumer`, `sender`, `receiver`; empty for everybody. Another actor:
            `not-applicable`.
        not_tested_because: Why it is not tested; required for `untestable`.
        limits: What the check does not see; required for `sample`.
        advisory: It is judged and never decides the pack's verdict.
        group: Under which heading of the standard it stands.
        due: The day from which it binds, or by which it must be done, ISO; `due_note` says which.
    """

    id: str
    pack: str
    ref: str
    level: Level
    severity: Severity
    title: str
    text: str
    source: RequirementSource
    hazard: str
    verified_by: VerifiedBy
    needs: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    not_tested_because: str = ""
    limits: str = ""
    advisory: bool = False
    group: str = ""
    due: str = ""
    due_note: str = ""

    @property
    def decides(self) -> bool:
        """Whether the pack's verdict depends on it."""
        return self.level is Level.MUST and not self.advisory

    def as_dict(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value not in ("", (), False)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """What the pack speaks of."""

    title: str
    publisher: str
    version: str
    date: str
    url: str = ""


class Effect(StrEnum):
    """What a known mistake of ours does to outcomes that were given before it was mended."""

    NOTE = "note"  # said beside the outcome
    UNRELIABLE = "unreliable"  # the outcome is not-tested, and why
    WITHDRAWN = "withdrawn"  # the requirement does not stand in the standard: not-applicable


@dataclass(frozen=True, slots=True, kw_only=True)
class Erratum:
    """A mistake of a pack or its check that is known now.

    Args:
        id: Permanent, within the pack: `e1`.
        requirement: Id.
        revisions: The revisions of the pack that have it.
        date: When it became known, ISO.
        text: What was wrong.
    """

    id: str
    requirement: str
    revisions: tuple[str, ...]
    date: str
    text: str
    effect: Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """The requirements of this pack that belong to a use. Packs share presets by name."""

    name: str
    title: str
    requirements: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """Requirements that are judged together.

    Args:
        name: Permanent: `uk-core-r4`.
        revision: Of the pack itself, by date: `2026.11.25`. Not the standard's version.
        decides_standard: False for rules of our own, which never decide the verdict of a standard.
    """

    name: str
    title: str
    revision: str
    summary: str
    standard: Standard
    requirements: tuple[Requirement, ...]
    presets: tuple[Preset, ...] = ()
    errata: tuple[Erratum, ...] = ()
    decides_standard: bool = True

    def requirement(self, name: str) -> Requirement | None:
        """By id, reference or number: `uk-core-r4#3`, `UKC-03`, `3`."""
        return next((r for r in self.requirements if name in (r.id, r.ref, r.id.partition("#")[2])), None)

    @property
    def digest(self) -> str:
        """Of the requirements as they are, whatever the layout of the file."""
        text = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, default=str)
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackSource:
    """A pack as a plugin registers it: the file is opened when the pack is used, not in the hook.

    Args:
        power: What `conform power NAME --write FILE` wrote, for reports to quote; None if it was never measured.
        survivors: Classes of the changes that no check notices, with their reasons; None if the pack has none.
        due: The last day on which a document of the evidence is in date, ISO; empty if the pack knows none.
    """

    name: str
    path: Path
    power: Path | None = None
    survivors: Path | None = None
    due: Callable[[EvidenceFile], str] | None = None

    def load(self) -> Pack:
        """The pack.

        Raises:
            ConfigurationError: Every mistake of the file, at once.
        """
        from mpftconnect.conformance.pack_file import read_pack

        return read_pack(self.path, expected_name=self.name)
