"""Extensions of lists: GP Connect 1.x, CareConnect-GPC-List-1."""

from __future__ import annotations

from typing import Final

from mpftconnect.fhir.stu3 import both

__all__ = ["LIST_WARNING", "RELATED_PROBLEM_HEADER"]

LIST_WARNING: Final = both("ListWarningCode")
RELATED_PROBLEM_HEADER: Final = both("RelatedProblemHeader")
