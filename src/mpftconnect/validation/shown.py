"""What a message may repeat of a document: nothing that could be about somebody.

The name of a property, a type or a profile is written by whoever made the document, and may be a patient's name or
number as well as a slip of the pen. A message gives its length, and the known name that it is near to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["address_shown", "name_told", "near"]

# The address of a definition is what a reader needs to get it, and is made of words of its publisher: a host and a
# plain path, or an OID. A query, a fragment, a user, an escape or a number as long as an NHS number is none of that.
_DEFINITION = re.compile(
    r"(?:https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*/?|urn:oid:[0-9.]+|urn:(?:ietf|iso)[a-z0-9:.-]*)"
    r"(?:\|[A-Za-z0-9._-]+)?"
)
_NUMBER = re.compile(r"[0-9]{8,}")
_LONGEST = 250


def address_shown(text: str) -> str:
    """The address of a definition, or its length if it is anything else.

    >>> address_shown("https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient|2.4.0")
    'https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient|2.4.0'
    >>> address_shown("https://zz.example.test/?name=Quibble")
    '(an address of 37 characters that is not shown)'
    """
    if len(text) <= _LONGEST and _DEFINITION.fullmatch(text) and not _NUMBER.search(text):
        return text
    return f"(an address of {len(text)} characters that is not shown)"


def name_told(name: str, known: Iterable[str] = (), *, cutoff: float = 0.7) -> str:
    """What may be said of a name that is not known.

    >>> name_told("famly", ["family", "given"])
    'of 5 characters; did you mean family?'
    """
    return f"of {len(name)} characters{near(name, known, cutoff=cutoff)}"


def near(text: str, known: Iterable[str], *, cutoff: float) -> str:
    """A question after the known text that another is near to; nothing if there is none.

    >>> near("femal", ["male", "female"], cutoff=0.75)
    '; did you mean female?'
    """
    # Comparing takes memory for each letter, and what is that long is near to nothing.
    if len(text) > _LONGEST:
        return ""
    import difflib

    close = difflib.get_close_matches(text, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {close[0]}?" if close else ""
