"""What the National Record Locator points at for the synthetic people."""

from __future__ import annotations

from collections.abc import Mapping

from mpftconnect.sandbox.people import SystemView

__all__ = ["views"]


def views(*, with_excluded: bool = True) -> Mapping[str, Mapping[str, SystemView]]:
    """By system, then by the person's role.

    Args:
        with_excluded: Whether what a silent policy hides was ever written down.
    """
    return {}
