"""Null against absent: `""` says "delete what you hold", an empty field says nothing at all."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, TypeAlias

__all__ = ["NULL", "Null", "Value"]


class Null(Enum):
    """The type of `NULL`: what a sender writes as `""`.

    HL7 2.5.1 chapter 2, 2.5.3 (Fields): an empty field leaves the receiver's value as it is, `""` says that it is to be
    nullified. The two must never be taken for each other, so `NULL` is neither None nor a string. It is false, so that
    `message["PID-7"] or "unknown"` works; ask `is NULL` to tell it from None.

    >>> bool(NULL), NULL is None, NULL == '""'
    (False, False, False)
    """

    NULL = '""'

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "NULL"


NULL: Final = Null.NULL

Value: TypeAlias = str | Literal[Null.NULL] | None
"""What stands at a place of a message: decoded text, `NULL`, or None where nothing was sent."""
