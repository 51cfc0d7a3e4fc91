"""A form in which a report is written, as a plugin registers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpftconnect.conformance.reporting.summary import Summary

__all__ = ["ReportFormat"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFormat:
    """One file of a report.

    Args:
        name: `html`.
        file: `report.html`.
        write: Makes its bytes from the report's view model; deterministic.
        always: Whether every run writes it; otherwise `report export NAME` does.
        needs: The extra of pip that it needs, if any: its absence is said, and costs no other file.
    """

    name: str
    file: str
    write: Callable[[Summary], bytes]
    always: bool = True
    needs: str = ""
