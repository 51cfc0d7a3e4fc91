"""The NHS content of the conformance suite: packs of requirements, checks, profiles, and twins to try them on.

It registers through the same hooks as anybody's pack. A pack is `packs/NAME.toml` and `checks/NAME.py` (hyphens as
underscores), listed here.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mpftconnect.conformance import Check, EvidenceFile, PackSource
from mpftconnect.hookspecs import hookimpl

if TYPE_CHECKING:
    from mpftconnect.adapters import TwinSpec

__all__ = ["mpft_checks", "mpft_packs", "mpft_twins"]

PACKS = ("uk-core-r4", "mpft-safety", "open-api", "hl7v2-uk", "dtac-2.0", "mpft-local")
TWINS = ("uk_core", "hl7v2_receiver", "hl7v2_sender")

_HERE = Path(__file__).parent


@hookimpl
def mpft_packs() -> Sequence[PackSource]:
    packs = _HERE / "packs"
    return [
        PackSource(
            name=name,
            path=packs / f"{name}.toml",
            power=packs / f"{name}.power.json",
            survivors=packs / f"{name}.survivors.toml",
            due=_due,
        )
        for name in PACKS
    ]


def _due(file: EvidenceFile) -> str:
    from mpftconnect_conformance.dtac.documents import due_of  # reads a table of rules: not in every command

    return due_of(file)


@hookimpl
def mpft_checks() -> Sequence[Check]:
    found: list[Check] = []
    for name in PACKS:
        module = importlib.import_module(f"{__name__}.checks.{name.replace('-', '_').replace('.', '_')}")
        found.extend(module.CHECKS)
    return found


@hookimpl
def mpft_twins() -> Sequence[TwinSpec]:
    return [importlib.import_module(f"{__name__}.twins.{name}").SPEC for name in TWINS]
