"""What a terminology plugin may say: whether two concepts mean the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mpftconnect.model.coded import Concept
from mpftconnect.model.sections import SectionName

__all__ = ["SamenessSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SamenessSpec:
    """One source of opinions on sameness, as a plugin registers it; `[hub] sameness` switches it on by name.

    Args:
        name: What the configuration and `record.explain` call it.
        same: A pure function of two concepts and the section they stand in: True if they mean the same, False if
            they do not, None where it cannot say. It must answer the same for (a, b) and (b, a).
        words: What it goes by, in a few words, for people: "UK dm+d, release 2026-10".

    >>> from mpftconnect.model import concept
    >>> spec = SamenessSpec(name="mine", same=lambda one, other, section: None, words="nothing")
    >>> print(spec.same(concept("a"), concept("b"), SectionName.PROBLEMS))
    None
    """

    name: str
    same: Callable[[Concept, Concept, SectionName], bool | None]
    words: str
