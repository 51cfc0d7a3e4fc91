"""Two numbers of one person: merges, links and moves.

HL7 v2.5.1, sections 3.3.24 (A24), 3.3.34 (A34), 3.3.37 (A37), 3.3.40 (A40), 3.3.43 to 3.3.45 and 3.3.47, and 3.4.9
(MRG). A merge is what the sender says of its own numbers. It becomes a link that can be undone, never a rewriting.
"""

from __future__ import annotations

from typing import Final, Literal

from mpftconnect.hl7v2.changes import Key, Link, MergePerson, Move, Subject, Unlink
from mpftconnect.hl7v2.mapping.datatypes import identifier
from mpftconnect.hl7v2.mapping.draft import Draft, Row
from mpftconnect.hl7v2.mapping.leaves import Segment
from mpftconnect.hl7v2.mapping.work import Part, Person, Work, digest, key_of
from mpftconnect.model import Identifier

__all__ = ["MERGES", "MOVES", "read_link", "read_merge", "read_move"]

MERGES: Final[dict[str, Literal["merge", "move-identifier", "change-identifier"]]] = {
    "A34": "merge",
    "A40": "merge",
    "A43": "move-identifier",
    "A47": "change-identifier",
}
MOVES: Final[dict[str, Literal["account", "visit"]]] = {"A44": "account", "A45": "visit"}

_RETIRED: Final = (
    Row(1, "retired.identifiers", identifier, many=True, removable=False),
    Row(4, "retired.identifiers", identifier, many=True, removable=False),
)
_FORMER: Final = (
    Row(1, "from_.identifiers", identifier, many=True, removable=False),
    Row(4, "from_.identifiers", identifier, many=True, removable=False),
)


def _merges_of(work: Work, part: Part, last: Draft) -> list[Segment]:
    found = part.all("MRG")
    if not found:
        work.park("no-merge-identifier", "the message merges or moves and has no MRG", "MRG")
    for segment in found:
        work.own(last, segment)
    return found


def read_merge(work: Work, part: Part, someone: Person, last: Draft) -> None:
    """A34, A40, A43, A47: what stood under the numbers of MRG-1 is the person's of PID-3."""
    for segment in _merges_of(work, part, last):
        draft = work.draft(None)
        draft.fill(segment, _RETIRED)
        retired: list[Identifier] = draft.values.get("retired.identifiers", [])
        survivor = set(_names(someone.subject.identifiers))
        if not retired:
            work.undo(draft)
            work.park("no-merge-identifier", "the number that is merged cannot be read (MRG-1)", segment.where)
        elif not set(_names(retired)) - survivor:
            work.undo(draft)
            work.park("merge-into-itself", "the numbers of PID-3 and MRG-1 are the same", segment.where)
        else:
            change = MergePerson(
                subject=someone.subject,
                survivor=someone.subject,
                retired=Subject(identifiers=tuple(retired)),
                kind=MERGES[work.trigger],
                id=_id(work, "merge", someone.subject.identifiers, retired),
                stated=work.stated,
            )
            work.state(draft, change)


def read_move(work: Work, part: Part, someone: Person, last: Draft) -> None:
    """A44: the account of MRG-3 (or PID-18), A45: the visit of MRG-5 (or PV1-19), was recorded for MRG-1's person."""
    kind = MOVES[work.trigger]
    pid = part.first("PID")
    visits = part.all("PV1")
    for index, segment in enumerate(_merges_of(work, part, last)):
        draft = work.draft(None)
        draft.fill(segment, _FORMER)
        former: list[Identifier] = draft.values.get("from_.identifiers", [])
        field = 3 if kind == "account" else 5
        number = identifier(draft, segment, field, 1, "number")
        visit = visits[index] if index < len(visits) else None
        if number is None and kind == "visit" and visit is not None:
            number = identifier(draft, visit, 19, 1, "number")
        if number is None and kind == "account" and pid is not None:
            number = identifier(draft, pid, 18, 1, "number")
        if not former or number is None:
            work.undo(draft)
            missing = "MRG-1" if not former else f"MRG-{field}"
            work.park("no-move-identifier", f"what is moved, or from whom, cannot be read ({missing})", segment.where)
            continue
        key = key_of("Encounter", number)
        # The number of the key is not a field of the change: its leaves are kept as extra of the person.
        for segment, place, path, _ in draft.taken:
            if path.startswith("number"):
                segment.left[place] = segment.sent[place]
        draft.taken = [taken for taken in draft.taken if not taken[2].startswith("number")]
        change = Move(
            subject=someone.subject,
            from_=Subject(identifiers=tuple(former)),
            keys=(key,),
            kind=kind,
            id=_id(work, kind, someone.subject.identifiers, former, key),
            stated=work.stated,
        )
        work.state(draft, change)


def read_link(work: Work, parts: list[Part], people: list[tuple[Person, Draft]]) -> None:
    """A24 links the persons of two PID; A37 takes that back, and is no un-merge."""
    if len(people) != 2:
        if len(parts) != 2:
            work.park("not-two-patients", "a message that links two persons must have two PID", "PID")
        return
    (one, _), (other, _) = people
    if one.key == other.key:
        work.park("link-to-itself", "both PID have the same numbers", "PID[2]")
        return
    first, second = sorted((one.subject.identifiers, other.subject.identifiers), key=_names)
    name = _id(work, "link", first, second, when=False)
    kind = Link if work.trigger == "A24" else Unlink
    work.changes.append(kind(subject=one.subject, other=other.subject, id=name, stated=work.stated))


def _names(identifiers: tuple[Identifier, ...] | list[Identifier]) -> list[str]:
    return sorted(f"{known.system}|{known.value}" for known in identifiers)


def _id(
    work: Work,
    kind: str,
    one: tuple[Identifier, ...] | list[Identifier],
    other: tuple[Identifier, ...] | list[Identifier],
    key: Key | None = None,
    *,
    when: bool = True,
) -> str:
    """Names a link: the same for the same statement sent twice, and for an A37 the same as for its A24."""
    at = work.stated.at or work.stated.sent
    parts = [*_names(one), "", *_names(other), key.text if key else "", at.text if at and when else ""]
    return f"{kind}-{digest(*parts)}"
