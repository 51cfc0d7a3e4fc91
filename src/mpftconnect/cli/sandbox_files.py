"""Writes a configuration for a running sandbox, so that other programs can connect to it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import tomli_w

from mpftconnect.cli.options import SANDBOX_USER
from mpftconnect.hub import sandbox_table
from mpftconnect.sandbox import Sandbox

__all__ = ["write_configuration"]


def write_configuration(sandbox: Sandbox, folder: Path) -> Path:
    """Write `mpftconnect.toml` and the twins' secrets, as files of mode 0600, into `folder`.

    Returns:
        The path of the configuration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = sandbox_table(sandbox, folder.resolve() / "state")
    keep = folder / "secrets"
    keep.mkdir(mode=0o700, exist_ok=True)
    for name, system in table["systems"].items():
        for key, reference in system.get("secrets", {}).items():
            system["secrets"][key] = _kept(keep / f"{name}-{key}", reference["value"])
    for trail in ("audit", "privacy"):
        table[trail]["key"] = _kept(keep / trail, secrets.token_hex(32))
    table["who"] = SANDBOX_USER.model_dump(exclude_none=True)
    path = folder / "mpftconnect.toml"
    path.write_text(tomli_w.dumps(_plain(table)), encoding="utf-8")
    return path


def _kept(path: Path, value: str) -> dict[str, str]:
    path.write_text(value, encoding="utf-8")
    path.chmod(0o600)
    return {"file": str(path.resolve())}


def _plain(value: Any) -> Any:
    """TOML has no null and no tuples."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items() if part is not None}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
