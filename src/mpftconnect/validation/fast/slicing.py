"""Slices."""

from __future__ import annotations

from typing import Any

__all__ = ["quick_slices"]


def quick_slices(slices: Any) -> Any:
    """The check of slices."""
    return slices.check
