"""The characters that divide a message: MSH-1 and MSH-2 say them, and each message may use its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from mpftconnect.errors import MessageUnreadable

__all__ = ["STANDARD", "Delimiters", "read_delimiters"]


@dataclass(frozen=True)
class Delimiters:
    r"""MSH-1 and MSH-2 (HL7 2.5.1 chapter 2, 2.5.4 Message delimiters; the truncation character: 2.7, 2.5.5.2).

    A character that the sender left out is None, and then nothing is divided by it.

    >>> STANDARD.encoding_characters
    '^~\\&'
    """

    field: str = "|"
    component: str | None = "^"
    repetition: str | None = "~"
    escape: str | None = "\\"
    subcomponent: str | None = "&"
    truncation: str | None = None

    @property
    def encoding_characters(self) -> str:
        """MSH-2 as it is written. A character that stands after one that is left out cannot be written."""
        listed = (self.component, self.repetition, self.escape, self.subcomponent, self.truncation)
        return "".join(listed[: listed.index(None)] if None in listed else listed)  # type: ignore[arg-type]


STANDARD = Delimiters()


@lru_cache(maxsize=256)
def _delimiters(field: str, characters: str) -> Delimiters:
    if not characters:
        return STANDARD if field == "|" else Delimiters(field=field)
    given: list[str | None] = [*characters[:5], *(None for _ in range(5 - len(characters)))]
    # A character that is there twice divides at the higher level only: else one value would be cut two ways.
    known: set[str | None] = {field}
    for place, character in enumerate(given):
        if character in known:
            given[place] = None
        known.add(character)
    return Delimiters(field, *given)


def read_delimiters(header: str) -> Delimiters:
    r"""The delimiters that a header segment (MSH, BHS, FHS) states.

    Args:
        header: The segment's text, or the beginning of it.
    Raises:
        MessageUnreadable: The character after the segment's name cannot be a field separator.

    MSH-2 left empty is read as the characters that the standard recommends; `check` says that it was empty.

    >>> read_delimiters("MSH|^~\\&|").repetition
    '~'
    >>> read_delimiters("MSH#*+").subcomponent is None
    True
    """
    field = header[3:4]
    if not field:
        raise MessageUnreadable("header-cut-short", "MSH-1", "nothing follows the segment's name: no field separator")
    if field.isalnum() or field.isspace() or field < " " or "\ud800" <= field <= "\udfff":
        raise MessageUnreadable(
            "field-separator", "MSH-1", "the field separator is a letter, a digit, white space or a control character"
        )
    end = header.find(field, 4)
    return _delimiters(field, header[4 : end if end >= 0 else min(len(header), 12)])
