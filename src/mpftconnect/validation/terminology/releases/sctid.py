"""SNOMED CT identifiers: what a number says of itself.

SNOMED CT Release File Specification, "SCTID Representation": 6 to 18 digits without leading zero; the last is a
Verhoeff check digit, the two before it are the partition (00 and 10: concepts; 01 and 11: descriptions; 02 and 12:
relationships), and where the partition begins with 1 the seven before that are the namespace of who issued it.
"""

from __future__ import annotations

import re

__all__ = ["INTERNATIONAL", "check_digit", "is_concept_id", "namespace_of"]

INTERNATIONAL = ""
_FORM = re.compile(r"[1-9][0-9]{5,17}")
# Verhoeff's dihedral multiplication and permutation, worked out rather than listed.
_TIMES = [
    [
        (i + j) % 5 if i < 5 and j < 5 else
        (i + j) % 5 + 5 if i < 5 else
        (i - j) % 5 + 5 if j < 5 else
        (i - j) % 5
        for j in range(10)
    ]
    for i in range(10)
]  # fmt: skip
_STEP = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]
_POWERS = [list(range(10))]
for _ in range(7):
    _POWERS.append([_STEP[digit] for digit in _POWERS[-1]])


def _sum(digits: str) -> int:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        total = _TIMES[total][_POWERS[place % 8][ord(digit) - 48]]
    return total


def check_digit(digits: str) -> str:
    """The digit that completes an identifier.

    >>> check_digit("40468400")
    '3'
    """
    return str(next(digit for digit in range(10) if _sum(f"{digits}{digit}") == 0))


def is_concept_id(code: str) -> bool:
    """Whether a code has the form, partition and check digit of a concept's identifier.

    >>> is_concept_id("404684003"), is_concept_id("404684004"), is_concept_id("1234567890123456789")
    (True, False, False)
    """
    return _FORM.fullmatch(code) is not None and code[-3:-1] in ("00", "10") and _sum(code) == 0


def namespace_of(code: str) -> str:
    """The namespace of a concept's identifier; empty for the international one.

    >>> namespace_of("404684003"), namespace_of("999000011000001104")
    ('', '1000001')
    """
    return code[-10:-3] if code[-3:-2] == "1" else INTERNATIONAL
