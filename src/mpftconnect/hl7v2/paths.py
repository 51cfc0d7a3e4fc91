"""Paths: `PID-3[2].1.2` is a place in a message. All counting is from 1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from mpftconnect.errors import NotAnHl7Path

__all__ = ["Path", "read_path"]

_PATH = re.compile(
    r"(?P<segment>[A-Z][A-Z0-9]{2})(?:\[(?P<occurrence>[1-9]\d{0,5})\])?"
    r"(?:-(?P<field>[1-9]\d{0,2})(?:\[(?P<repetition>[1-9]\d{0,4})\])?"
    r"(?:\.(?P<component>[1-9]\d{0,2})(?:\.(?P<subcomponent>[1-9]\d{0,2}))?)?)?"
)


@dataclass(frozen=True)
class Path:
    """A place: which segment, and what of it. What was not written is 0."""

    segment: str
    occurrence: int = 0
    field: int = 0
    repetition: int = 0
    component: int = 0
    subcomponent: int = 0


@lru_cache(maxsize=4096)
def read_path(text: str) -> Path:
    """Read a path.

    Args:
        text: `OBX`, `OBX[3]`, `OBX[3]-5`, `PID-3[2]`, `PID-3[2].1`, `PID-3[2].1.2`.
    Raises:
        NotAnHl7Path: Written in another way.

    >>> read_path("PID-3[2].1.2")
    Path(segment='PID', occurrence=0, field=3, repetition=2, component=1, subcomponent=2)
    """
    found = _PATH.fullmatch(text)
    if found is None:
        raise NotAnHl7Path("a path is written like PID-5, PID-3[2].1.2 or OBX[3]-5, counted from 1")
    numbers = (int(found[name] or 0) for name in ("occurrence", "field", "repetition", "component", "subcomponent"))
    return Path(found["segment"], *numbers)
