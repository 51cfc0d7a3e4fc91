r"""Escape sequences: decoded when a value is asked for, written when one is set.

HL7 2.5.1 chapter 2, section 2.7 (Use of escape sequences in text fields); `\P\` is of 2.7 (2.7.1, truncation).
"""

from __future__ import annotations

import re
from functools import lru_cache

from mpftconnect.errors import NotWritable
from mpftconnect.hl7v2.delimiters import STANDARD, Delimiters

__all__ = ["escape", "is_known_escape", "malformed_escapes", "unescape"]

# A sequence is short but for \X..\ and \Z..\; what is longer is text with two stray escape characters in it.
_FORMATTING = re.compile(r"\.(?:br|fi|nf|ce|(?:sp|sk|in|ti)[+-]?\d{0,2})\Z")
_HEXADECIMAL = re.compile(r"X(?:[0-9A-Fa-f]{2})+\Z")
_SHIFT = re.compile(r"(?:C[0-9A-Fa-f]{4}|M[0-9A-Fa-f]{4}(?:[0-9A-Fa-f]{2})?)\Z")


def is_known_escape(body: str) -> bool:
    """Whether what stands between two escape characters is a sequence that the standard has. `Z...` is the site's own.

    >>> [is_known_escape(body) for body in ("F", "X0D", "X0", ".br", ".sp3", "Zab", "Q", "")]
    [True, True, False, True, True, True, False, False]
    """
    if body in _SINGLE:
        return True
    return bool(
        body
        and (
            (body[0] == "." and _FORMATTING.match(body))
            or (body[0] == "X" and _HEXADECIMAL.match(body))
            or (body[0] in "CM" and _SHIFT.match(body))
            or body[0] == "Z"
        )
    )


_SINGLE = frozenset("FSTREPHN")


@lru_cache(maxsize=256)
def _pattern(character: str) -> re.Pattern[str]:
    mark = re.escape(character)
    return re.compile(f"{mark}([^{mark}]*){mark}")


def _formatting(body: str) -> str:
    command, digits = body[1:3], body[3:].lstrip("+-")
    if command in ("br", "ce"):
        return "\n"
    if command == "sp":
        return "\n" * int(digits or 1)
    # An indentation says how a line looks, and the words are the same without it; a skip stands between words.
    return " " * int(digits or 1) if command == "sk" else ""


def _shifted(text: str, character: str) -> str | None:
    r"""Text with \C..\ or \M..\ in it, decoded by ISO 2022; None where it cannot be."""
    try:
        shifts = _pattern(character).sub(
            lambda found: "\x1b" + bytes.fromhex(found[1][1:]).decode("ascii") if _SHIFT.match(found[1]) else found[0],
            text,
        )
        return shifts.encode("ascii").decode("iso2022_jp_2")
    except ValueError:
        return None


def unescape(text: str, delimiters: Delimiters = STANDARD, codec: str = "utf-8") -> str:
    r"""Text as it is meant. A sequence that is not known, or not closed, stays as it was sent.

    Args:
        text: One sub-component's ER7 text.
        delimiters: Those of the message.
        codec: Of the message: what the bytes of `\X..\` are read by. Bytes that it cannot read stay a sequence.

    Highlighting (`\H\`, `\N\`) marks words and is no part of them. `\.br\`, `\.ce\` and `\.sp\` end a line.

    >>> unescape(r"Smith \T\ Sons\.br\Leeds \X263A\ \Q\ ", codec="iso8859-1")
    'Smith & Sons\nLeeds &: \\Q\\ '
    """
    character = delimiters.escape
    if character is None or character not in text:
        return text
    if (f"{character}C" in text or f"{character}M" in text) and (whole := _shifted(text, character)) is not None:
        text = whole
    meanings = {
        "F": delimiters.field,
        "S": delimiters.component,
        "T": delimiters.subcomponent,
        "R": delimiters.repetition,
        "E": character,
        "P": delimiters.truncation,
        "H": "",
        "N": "",
    }

    def meant(found: re.Match[str]) -> str:
        body = found[1]
        single = meanings.get(body)
        if single is not None:
            return single
        if body[:1] == "X" and _HEXADECIMAL.match(body):
            try:
                return bytes.fromhex(body[1:]).decode("utf-8" if codec.startswith("utf-") else codec)
            except ValueError:
                return found[0]
        if body[:1] == "." and _FORMATTING.match(body):
            return _formatting(body)
        return found[0]

    return _pattern(character).sub(meant, text)


@lru_cache(maxsize=256)
def _written(delimiters: Delimiters) -> dict[int, str]:
    mark = delimiters.escape
    named: dict[str | None, str] = {
        delimiters.field: "F",
        delimiters.component: "S",
        delimiters.subcomponent: "T",
        delimiters.repetition: "R",
        mark: "E",
        delimiters.truncation: "P",
        # Control characters: among them are the ends of segments and the frame of MLLP.
        **{chr(code): f"X{code:02X}" for code in range(32) if code != 9},
        "\n": ".br",
    }
    return {ord(character): f"{mark}{name}{mark}" for character, name in named.items() if character is not None}


def escape(text: str, delimiters: Delimiters = STANDARD) -> str:
    r"""Text as it is written into a sub-component. `unescape` of it is the text again.

    Raises:
        NotWritable: The text holds a delimiter, and the message has no escape character.

    >>> escape("a|b & c")
    'a\\F\\b \\T\\ c'
    """
    table = _written(delimiters)
    if delimiters.escape is None:
        if any(ord(character) in table for character in text):
            raise NotWritable("the text holds a delimiter or a line's end, and the message has no escape character")
        return text
    return text.translate(table)


def malformed_escapes(text: str, delimiters: Delimiters = STANDARD) -> int:
    r"""How many sequences of a text are unknown or not closed.

    >>> malformed_escapes(r"a\T\b \Q\ c\d")
    2
    """
    character = delimiters.escape
    if character is None or character not in text:
        return 0
    pieces = text.split(character)
    bad = sum(1 for body in pieces[1 : len(pieces) - 1 : 2] if not is_known_escape(body))
    return bad + (len(pieces) % 2 == 0)
