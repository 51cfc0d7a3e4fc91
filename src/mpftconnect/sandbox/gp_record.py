"""What a GP's system holds of the synthetic people, as GP Connect gives it."""

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
