"""Who is who: which people hospital numbers stand for, and the merges, moves and links that senders told of."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

from mpftconnect.inbox.naming import identifier_digest
from mpftconnect.inbox.protection import Protection
from mpftconnect.inbox.store import LinkRow, Settlement

__all__ = ["UNLINK", "known_people", "links", "moves_of", "owner_of", "put_link", "wake"]

_MERGES = ("merge", "move-identifier", "change-identifier")
# A row that says that a pair was told apart; it is no link of its own.
UNLINK = "unlink"


def wake(db: sqlite3.Connection, identifiers: Sequence[str]) -> None:
    """Whoever was unknown by these hospital numbers, or by what merges hold together with them, may be known now."""
    if (
        not identifiers
        or not db.execute("SELECT 1 FROM log WHERE state = 'parked' AND reason = 'person-unknown' LIMIT 1").fetchone()
    ):
        return
    for each in _component(db, identifiers)[0]:
        for (seq,) in db.execute(
            "SELECT l.seq FROM log l JOIN subjects s ON s.seq = l.seq WHERE s.identifier = ? AND l.state = 'parked' "
            "AND l.reason = 'person-unknown'",
            (each,),
        ).fetchall():
            db.execute("UPDATE log SET state = 'received', reason = NULL WHERE seq = ?", (seq,))
            # What waits is looked for beyond this mark.
            db.execute(
                "UPDATE about SET value = ? WHERE name = 'mark' AND cast(value AS INTEGER) >= ?", (str(seq - 1), seq)
            )


def put_link(
    db: sqlite3.Connection,
    protection: Protection,
    settlement: Settlement,
    id_: str,
    kind: str,
    one: Sequence[str],
    other: Sequence[str],
    things: Sequence[str],
) -> None:
    name = protection.digest(f"link|{settlement.system}|{id_}".encode())[:32]
    state = "undone" if db.execute("SELECT 1 FROM undone WHERE id = ?", (name,)).fetchone() else "in-force"
    # Told again, it stands as it was told last: by arrival, not by when somebody could be found whom it is about.
    db.execute(
        "INSERT INTO links VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET one = excluded.one, "
        "other = excluded.other, things = excluded.things, state = excluded.state, seq = excluded.seq "
        "WHERE excluded.seq > seq",
        (
            *(name, settlement.system, kind, json.dumps(sorted(one)), json.dumps(sorted(other))),
            *(json.dumps(sorted(things)), state, settlement.seq),
        ),
    )
    if kind in _MERGES and state == "in-force":
        wake(db, [*one, *other])
    elif kind in ("link", UNLINK):
        _take_back(db, settlement.system, {json.dumps(sorted(one)), json.dumps(sorted(other))})


def _take_back(db: sqlite3.Connection, system: str, pair: set[str]) -> None:
    """The links of a pair are taken back while the last that arrived about it is an `Unlink`."""
    rows = [
        (id_, kind, seq)
        for id_, kind, one, other, seq in db.execute(
            "SELECT id, kind, one, other, seq FROM links WHERE system = ? AND kind IN ('link', ?)", (system, UNLINK)
        )
        if {one, other} == pair
    ]
    apart = max((seq for _, kind, seq in rows if kind == UNLINK), default=0)
    for id_, kind, seq in rows:
        if kind == "link":
            state = "taken-back" if apart > seq else "in-force"
            db.execute("UPDATE links SET state = ? WHERE id = ? AND state <> 'undone'", (state, id_))


def _component(db: sqlite3.Connection, start: Iterable[str]) -> tuple[set[str], set[str]]:
    """All identifiers that merges in force hold together with these, and the merges."""
    merges = [
        (id_, set(json.loads(one)) | set(json.loads(other)))
        for id_, one, other in db.execute(
            f"SELECT id, one, other FROM links WHERE state = 'in-force' AND kind IN ({', '.join('?' * len(_MERGES))})",  # noqa: S608 - marks alone
            _MERGES,
        )
    ]
    found, used = set(start), set()
    grew = True
    while grew:
        grew = False
        for id_, both in merges:
            if id_ not in used and both & found:
                used.add(id_)
                found |= both
                grew = True
    return found, used


def known_people(
    db: sqlite3.Connection, protection: Protection, identifiers: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """NHS numbers that hospital numbers stand for, by themselves or by merges in force."""
    direct = _people(db, protection, [identifier_digest(protection, each) for each in identifiers])
    if direct:
        return dict.fromkeys(direct, ())
    wider, used = _component(db, [identifier_digest(protection, each) for each in identifiers])
    return dict.fromkeys(_people(db, protection, wider), tuple(sorted(used)))


def _people(db: sqlite3.Connection, protection: Protection, identifiers: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    for each in sorted(identifiers):
        for (number,) in db.execute("SELECT number FROM numbers WHERE identifier = ? ORDER BY person", (each,)):
            found[protection.open(number, "number").decode()] = None
    return list(found)


def links(db: sqlite3.Connection) -> list[LinkRow]:
    return [
        LinkRow(id=id_, system=system, kind=kind, state=state, seq=seq)
        for id_, system, kind, state, seq in db.execute(
            "SELECT id, system, kind, state, seq FROM links WHERE kind <> ? ORDER BY seq, id", (UNLINK,)
        )
    ]


def moves_of(db: sqlite3.Connection, system: str) -> dict[tuple[str, frozenset[str]], set[str]]:
    """What moved: to whom, from which identifiers, and under which names; later moves come later."""
    found = db.execute(
        "SELECT one, other, things FROM links WHERE system = ? AND kind IN ('visit', 'account') AND state = 'in-force' "
        "ORDER BY seq, id",
        (system,),
    )
    return {(json.loads(one)[0], frozenset(json.loads(other))): set(json.loads(things)) for one, other, things in found}


def owner_of(
    db: sqlite3.Connection, moves: dict[tuple[str, frozenset[str]], set[str]], own: str, names: set[str]
) -> str:
    for (to, from_), things in moves.items():
        if things & names and own != to:
            people = {
                person
                for each in from_
                for (person,) in db.execute("SELECT person FROM numbers WHERE identifier = ?", (each,))
            }
            # Recorded for whom the sender names, or for whom it names by a number that nobody here knows.
            if own in people or not people:
                own = to
    return own
