"""What judged, as digests: the engine, the checks and the validator apart, so that a reader sees which one changed."""

from __future__ import annotations

import hashlib
import importlib.metadata
import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from mpftconnect.conformance.check import Check

__all__ = ["harness_version", "judge_digests"]


def harness_version() -> str:
    """The distribution that brings engine and kit."""
    try:
        return importlib.metadata.version("mpftconnect")
    except importlib.metadata.PackageNotFoundError:  # run from a folder that was never installed
        return "unknown"


def judge_digests(checks: Iterable[Check], definitions: Iterable[str]) -> dict[str, Any]:
    """Digests of the engine's code, of the checks' code and of the validator's; the definitions that were used."""
    folders = sorted({folder for check in checks if (folder := _folder_of(check)) is not None})
    package = Path(__file__).parents[2]
    return {
        "harness": f"mpftconnect {harness_version()}",
        "engine": _digest((package / "conformance",)),
        "checks": _digest(tuple(folders)),
        "validator": _digest((package / "validation",)),
        "definitions": list(definitions),
    }


def _folder_of(check: Check) -> Path | None:
    """The package of the check: what it judges by may stand in any module of it."""
    name = getattr(check.judge, "__module__", None) or type(check.judge).__module__
    package = sys.modules.get(name.partition(".")[0])
    file = getattr(package, "__file__", None) or getattr(sys.modules.get(name), "__file__", None)
    if file is None:
        return None
    path = Path(file)
    return path.parent if path.name == "__init__.py" else path


@lru_cache(maxsize=32)
def _digest(folders: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for folder in folders:
        for file in [folder] if folder.is_file() else sorted(folder.rglob("*")):
            # Packs have digests of their own: a reader sees whether the requirements changed or the judge.
            if file.suffix not in (".py", ".toml") or file.parent.name == "packs":
                continue
            digest.update(file.relative_to(folder.parent).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return f"sha256:{digest.hexdigest()}"
