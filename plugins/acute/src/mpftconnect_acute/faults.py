"""What can go wrong with a hospital's feeds, beside what a usual day has in it: names of faults of the twin."""

from __future__ import annotations

from typing import Final

__all__ = ["BROKEN_STRUCTURE", "FAULTS", "OTHER_CONTENT", "SILENT", "UNKNOWN_PERSON", "WRONG_PATIENT"]

SILENT: Final = "silent-feed"  # the laboratory says nothing after 14:02
WRONG_PATIENT: Final = "result-of-another"  # a result comes under somebody else's number, is withdrawn, and sent anew
UNKNOWN_PERSON: Final = "unknown-person"  # a message is about a number that nobody has
OTHER_CONTENT: Final = "same-id-other-content"  # a control id comes again with another content
BROKEN_STRUCTURE: Final = "broken-structure"  # a message has lost its PID

FAULTS: Final = frozenset({SILENT, WRONG_PATIENT, UNKNOWN_PERSON, OTHER_CONTENT, BROKEN_STRUCTURE})
