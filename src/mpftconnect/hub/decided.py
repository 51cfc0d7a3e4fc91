"""What people decided about whose record it is, over what matching says (rule 5). No input or output.

| A decision | the source gives | outcome |
|---|---|---|
| unlinks it from this person | anything | set apart: `unlinked-by-decision` |
| links it to another person | anything | set apart: `linked-elsewhere-by-decision` |
| links it to this person | the person's number, or none | joined: `linked-by-decision` |
| links it to this person, naming the other number | that other number | joined: `linked-by-decision` |
| links it to this person | a number that the decision does not name | set apart: `link-not-confirmed` |
| links it to this person, and nobody traced them | anything | as matching says |
| the store cannot be believed | anything | set apart: `identity-decisions-unsound` |

Silent policies have taken theirs before this, and a restricted person's places go after it: a decision reaches neither.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from mpftconnect.errors import NotAnNhsNumber
from mpftconnect.governance.decision import Decisions
from mpftconnect.hub.match import Match
from mpftconnect.model import Notice, Patient, nhs_number

__all__ = ["decision_notices", "joined_by_decision", "names_another", "set_apart_by_decision"]

_NUMBER = re.compile(r"(?<![0-9])[0-9]{10}(?![0-9])")
UNSOUND = (
    "nothing joins, because what was decided about identity cannot be read or believed; mend that store "
    "(mpftconnect identity verify)"
)


def set_apart_by_decision(found: Patient, numbers: Collection[str], decisions: Decisions) -> Match | None:
    """Why this contribution may not join, whatever matching would say; None if nothing was decided against it."""
    if decisions.unsound is not None:
        return Match(False, "identity-decisions-unsound", UNSOUND)
    source = found.source
    one = decisions.unlinking(source.system, source.id, numbers)
    if one is None:
        return None
    if one.kind == "link":
        return Match(False, "linked-elsewhere-by-decision", f"decided to be somebody else's record ({one.words()})")
    return Match(False, "unlinked-by-decision", f"decided not to be this person's record ({one.words()})")


def joined_by_decision(found: Patient, numbers: Collection[str], decisions: Decisions, ordinary: Match) -> Match:
    """What matching says, unless a decision joins what it would set apart."""
    source = found.source
    one = decisions.linking(source.system, source.id, numbers)
    if one is None or ordinary.joins:
        return ordinary
    stated = {i.value for i in found.identifiers if i.is_nhs_number and i.value}
    # A number that the decision does not name may be a third person's, so that nobody has looked at them.
    if stated - set(numbers) - {one.other_number}:
        text = f"decided to be this person's record ({one.words()}), but it gives an NHS number that nobody confirmed"
        return Match(False, "link-not-confirmed", text)
    return Match(True, "linked-by-decision", f"decided to be this person's record ({one.words()})")


def decision_notices(held: Collection[tuple[Patient, Match | None]], decisions: Decisions) -> tuple[Notice, ...]:
    """What the reader must see: records that a decision alone joined, and proposals about records that are held.

    Args:
        held: Each record that policies left, and whether it joins.
    """
    said = []
    for patient, why in held:
        system, record = patient.source.system, patient.source.id
        if why is not None and why.rule == "linked-by-decision":
            text = f"This system's record would not join by itself; it was {why.text}."
            said.append(Notice("linked-by-decision", text, system))
        for one in decisions.disputed:
            if (one.system, one.record) == (system, record):
                text = (
                    f"Somebody has proposed to {one.kind} this system's record of the person; nobody approved it yet."
                )
                said.append(Notice("identity-disputed", text, system))
    return tuple(said)


def names_another(record: str, numbers: Collection[str]) -> bool:
    """Whether a system's own id of its record holds the NHS number of somebody else, whom nobody asked about.

    >>> names_another("Patient/9990000026", {"9990000018"}), names_another("Patient/9990000018", {"9990000018"})
    (True, False)
    """
    return any(_is_number(found) and found not in numbers for found in _NUMBER.findall(record))


def _is_number(text: str) -> bool:
    try:
        nhs_number(text)
    except NotAnNhsNumber:
        return False
    return True
