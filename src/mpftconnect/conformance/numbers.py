"""Numbers of things, in words that agree with them."""

from __future__ import annotations

__all__ = ["many"]


def many(number: int, what: str, plural: str = "") -> str:
    """A number of things, in words that agree with it.

    >>> many(1, "requirement"), many(2, "entry", "entries")
    ('1 requirement', '2 entries')
    """
    return f"{number} {what if number == 1 else plural or what + 's'}"
