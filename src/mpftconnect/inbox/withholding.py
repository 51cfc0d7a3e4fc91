"""Which messages are acknowledged and never kept: those of excluded sources, and those that speak of excluded things.

It reuses the silent policy of governance: its organisations, services and codes. Codes count only where HL7 v2 has a
code, so that a result of 360 is not taken for the service numbered 360, nor a hospital number for a diagnosis. What
this cannot see (codes that only the mapping understands, phrases) the policy sees when the message is processed; then
it is taken out of the log too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from mpftconnect.governance.exclusion import Exclusion
from mpftconnect.governance.policies import Policy
from mpftconnect.inbox.header import Header

__all__ = ["Withholding"]

# Fields of a coded type, and of PL, XON or XCN where a service or place stands: HL7 v2.5.1, chapters 3, 4, 6, 7, 8, 9,
# 10 and 11. OBX-5 is looked at where OBX-2 says that it is coded.
_CODED: dict[str, tuple[int, ...]] = {
    "AIG": (3, 4),
    "AIL": (3, 4),
    "AIS": (3,),
    "AL1": (3,),
    "DG1": (3, 4),
    "DRG": (1,),
    "EVN": (4,),
    "IAM": (3,),
    "OBR": (4, 15, 24, 31, 44),
    "OBX": (3,),
    "ORC": (16, 17),
    "PR1": (3, 4),
    "PRB": (3,),
    "PV1": (3, 6, 10, 11, 42),
    "PV2": (3,),
    "RF1": (3, 10),
    "RXA": (5,),
    "RXE": (2,),
    "RXO": (1,),
    "SCH": (6, 7, 8),
    "SPM": (4,),
    "TXA": (2,),
}
_CODED_VALUES = frozenset({"CE", "CWE", "CNE", "CF", "IS", "ID"})
_FREE_TEXT = frozenset({"NTE"})
_PIECES = re.compile(rb"[0-9a-z]+")
# Bytes of pieces in lower case, all others as a space.
_PLAIN = bytes(byte if _PIECES.match(bytes((byte,))) else 32 for byte in bytes(range(256)).lower())


class Withholding:
    """Judges messages by the silent policies of a configuration.

    Args:
        policies: Silent policies.
        systems: Which system each feed belongs to.
    """

    def __init__(self, policies: Sequence[Policy], systems: dict[str, str]) -> None:
        self._policies, self._systems = tuple(policies), systems
        exclusions = [policy for policy in policies if isinstance(policy, Exclusion)]
        self._codes = frozenset(code for each in exclusions for code in each.codes)
        self._names = frozenset(name for each in exclusions for name in (*each.organisations, *each.services))
        # A number is a service only where a code stands.
        self._numbers = frozenset(name for name in self._names if name.isdigit())
        self._words = self._names - self._numbers
        words = (*self._words, *self._numbers, *(code.casefold() for code in self._codes))
        pieces = [sorted(_PIECES.findall(word.encode()), key=len) for word in words]
        # The longest plain piece of each: what holds none of them holds none of the words.
        self._glance = frozenset(found[-1] for found in pieces if found)
        self._always = not all(pieces)

    def withholds(self, feed: str | None, header: Header, raw: bytes) -> bool:
        """Whether the message must not be kept."""
        system = self._systems.get(feed or "", feed or "")
        for policy in self._policies:
            if policy.withholds_system(system):
                return True
        # One cheap look at all words; only where one of them occurs is the place looked at.
        if not self._always and self._glance.isdisjoint(raw.translate(_PLAIN).split()):
            return False
        return any(self._excluded(place, text) for place, text in _components(header, raw))

    def _excluded(self, coded: bool, text: str) -> bool:
        folded = " ".join(text.split()).casefold()
        return folded in self._words or (coded and (text.strip() in self._codes or folded in self._numbers))


def _components(header: Header, raw: bytes) -> Iterator[tuple[bool, str]]:
    """Every component outside free text, and whether a code stands there. Escapes stay: no name holds one."""
    bar, marks = header.separators[0], header.separators[1:]
    split = re.compile("[" + re.escape("".join(mark for mark in (marks[:2] + marks[3:4]) if mark) or "^") + "]")
    for encoding in _readings(raw):
        for line in re.split(r"[\r\n]+", encoding):
            fields = line.split(bar)
            name = fields[0]
            if name in _FREE_TEXT:
                continue
            coded = _CODED.get(name, ())
            shift = 1 if name == "MSH" else 0
            for number, field in enumerate(fields[1:], 1 + shift):
                is_code = number in coded
                if name == "OBX" and number == 5:
                    is_code = len(fields) > 2 and fields[2] in _CODED_VALUES
                    if not is_code:
                        continue
                for component in split.split(field):
                    yield is_code, component


def _readings(raw: bytes) -> Iterable[str]:
    """The text in the two encodings in which names that are not ASCII could be written."""
    yield raw.decode("latin-1")
    if not raw.isascii():
        yield raw.decode("utf-8", errors="replace")
