"""Says at a glance which items need no closer look: those whose JSON holds none of the words that matter.

Nearly every item of nearly every record is of that sort, and a walk through its parts costs several times as much. The
glance may be wrong in one direction alone: it lets nothing pass that a walk would find. Its cost does not grow with
the number of codes, since the licensed lists have thousands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mpftconnect.model import Model

__all__ = ["Glance"]

# A whole number in a left-over value stands for the code of the same digits (RFC 8259, section 6).
_NUMBER = re.compile(r"-?[1-9][0-9]*|0")


class Glance:
    """Looks for whole strings and for phrases anywhere in a model's JSON.

    Args:
        wholes: Codes and names that are looked for as whole strings, whatever their case and white space.
        phrases: What is looked for within strings too.

    >>> from mpftconnect.model import concept
    >>> glance = Glance(["195967001", "Quiet Service"])
    >>> glance.might_hold(concept("Asthma", "195967001")), glance.might_hold(concept("quiet  SERVICE"))
    (True, True)
    >>> glance.might_hold(concept("Quiet Service for Bats", "1959670012"))
    False
    """

    def __init__(self, wholes: Iterable[str], phrases: Iterable[str] = ()) -> None:
        self._wholes = frozenset(_longest_piece(whole) for whole in wholes)
        self._phrases = frozenset(_longest_piece(phrase) for phrase in phrases)
        # A word of which nothing is left to look for can be anywhere.
        self._anywhere = "" in self._wholes or "" in self._phrases

    def might_hold(self, value: Model) -> bool:
        """False only if none of the words is anywhere in the value."""
        if self._anywhere:
            return True
        text = value.model_dump_json(exclude_none=True)
        if "\\" in text:
            # JSON escapes (RFC 8259, section 7). These four are everyday; what has others left is looked at closely.
            text = text.replace("\\n", " ").replace("\\r", " ").replace("\\t", " ").replace('\\"', '"')
            if "\\" in text:
                return True
        text = _folded(text)
        # Pydantic writes no white space of its own, so what stands beside a quotation mark is a string's edge.
        pieces = text.replace('" ', '"').replace(' "', '"').split('"')
        if not self._wholes.isdisjoint(pieces) or any(phrase in text for phrase in self._phrases):
            return True
        return "json_text" in text and not self._wholes.isdisjoint(_NUMBER.findall(text))


def _folded(text: str) -> str:
    folded = text.casefold()
    # White space other than single blanks is rare and does not count as printable.
    return folded if folded.isprintable() and "  " not in folded else " ".join(folded.split())


def _longest_piece(word: str) -> str:
    """What must stand in the text between quotation marks for the whole word to be there."""
    return max((piece.strip() for piece in _folded(" ".join(word.split())).split('"')), key=len)
