"""The JSON Schema of `report.json`, which is published in the wheel beside this module."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

__all__ = ["report_schema"]


def report_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12)."""
    text = (files(__package__ or "") / "report.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
