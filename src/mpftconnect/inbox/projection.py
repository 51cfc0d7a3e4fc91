"""The tables projected from the log: things and the changes to them, who is who, merges, moves and links.

Every function works within a transaction of the caller's. Whatever names a person or a thing stands in the tables as
a digest (see `protection`), what it says as a sealed text.

A thing belongs to one system and one person: the same number used for somebody else is another thing, which is why a
result that was filed under the wrong person and is sent again under the right one shows in both, withdrawn or not as
its sender says. Things hang together by their names: a message that gives two names joins what stands under either.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace

from mpftconnect.hl7v2.changes import Link, MergePerson, Move, Replace, Retract, Subject, Unlink, Upsert, is_older
from mpftconnect.inbox.change_text import from_text, to_text
from mpftconnect.inbox.fold import ItemChange, Standing, after, folded, in_order
from mpftconnect.inbox.protection import Protection
from mpftconnect.inbox.store import LinkRow, Projected, Settlement
from mpftconnect.model import SECTION_TYPES, Identifier, Item, Patient

__all__ = [
    "TABLES",
    "apply",
    "clear",
    "digest",
    "forget_message",
    "forget_person",
    "ground_thing",
    "identifier_text",
    "items",
    "known_people",
    "links",
    "undo_link",
]

TABLES = (
    "CREATE TABLE things (id TEXT PRIMARY KEY, system TEXT NOT NULL, person TEXT NOT NULL, kind TEXT NOT NULL, "
    "encounter TEXT, body BLOB NOT NULL, ground BLOB) WITHOUT ROWID",
    "CREATE INDEX things_by_person ON things (person, system, kind)",
    "CREATE TABLE names (system TEXT NOT NULL, person TEXT NOT NULL, name TEXT NOT NULL, thing TEXT NOT NULL, "
    "PRIMARY KEY (system, person, name)) WITHOUT ROWID",
    "CREATE INDEX names_by_thing ON names (thing)",
    "CREATE TABLE changes (thing TEXT NOT NULL, seq INTEGER NOT NULL, ordinal INTEGER NOT NULL, body BLOB NOT NULL, "
    "PRIMARY KEY (thing, seq, ordinal)) WITHOUT ROWID",
    "CREATE INDEX changes_by_seq ON changes (seq)",
    # Whom each message is about; also of messages that are parked.
    "CREATE TABLE subjects (identifier TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (identifier, seq)) "
    "WITHOUT ROWID",
    "CREATE INDEX subjects_by_seq ON subjects (seq)",
    # Which people a hospital number was seen with; usable while that is one.
    "CREATE TABLE numbers (identifier TEXT NOT NULL, person TEXT NOT NULL, number BLOB NOT NULL, "
    "kept INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (identifier, person)) WITHOUT ROWID",
    "CREATE TABLE links (id TEXT PRIMARY KEY, system TEXT NOT NULL, kind TEXT NOT NULL, one TEXT NOT NULL, "
    "other TEXT NOT NULL, things TEXT NOT NULL, state TEXT NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID",
    # What two people decided outlives a replay.
    "CREATE TABLE undone (id TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE proposals (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
)
_MERGES = ("merge", "move-identifier", "change-identifier")


def identifier_text(identifier: Identifier) -> str | None:
    """An identifier with its authority, in one text; None where it lacks either and so names nobody."""
    if not identifier.system or not identifier.value:
        return None
    return f"{identifier.system}|{identifier.value}"


def _identifiers(subject: Subject) -> list[str]:
    texts = (identifier_text(each) for each in subject.identifiers if not each.is_nhs_number)
    return list(dict.fromkeys(text for text in texts if text))


def _person(protection: Protection, number: str) -> str:
    return protection.digest(f"nhs|{number}".encode())


def _name(protection: Protection, text: str) -> str:
    return protection.digest(f"name|{text}".encode())


def _id(protection: Protection, identifier: str) -> str:
    return protection.digest(f"id|{identifier}".encode())


# --- applying ---


def apply(db: sqlite3.Connection, protection: Protection, settlement: Settlement) -> None:
    """Write whom a message is about and, if it is processed, apply its changes."""
    seq = settlement.seq
    local = [_id(protection, each) for each in settlement.identifiers]
    about = [*local, *([_person(protection, settlement.person)] if settlement.person else [])]
    db.executemany("INSERT OR IGNORE INTO subjects VALUES (?, ?)", [(each, seq) for each in about])
    if settlement.person is None:
        return
    if db.execute("SELECT 1 FROM changes WHERE seq = ? LIMIT 1", (seq,)).fetchone():
        # Released after a part of it was applied: it is applied anew, as if for the first time.
        _forget_changes(db, protection, seq)
    person = _person(protection, settlement.person)
    if settlement.learns:
        number = protection.seal(settlement.person.encode(), "number")
        learned = [
            each
            for each in local
            if db.execute(
                "INSERT OR IGNORE INTO numbers (identifier, person, number) VALUES (?, ?, ?)", (each, person, number)
            ).rowcount
        ]
        _wake(db, learned)
    for ordinal, change in enumerate(settlement.changes):
        if isinstance(change, Upsert | Replace | Retract):
            _change(db, protection, settlement, person, ordinal, change)
        elif isinstance(change, MergePerson):
            _link(
                db,
                protection,
                settlement,
                change.id,
                change.kind,
                _ids(protection, change.survivor),
                _ids(protection, change.retired),
                (),
            )
        elif isinstance(change, Move):
            _link(
                db,
                protection,
                settlement,
                change.id,
                change.kind,
                [person],
                _ids(protection, change.from_),
                [_name(protection, key.reference) for key in change.keys],
            )
        elif isinstance(change, Link):
            _link(
                db,
                protection,
                settlement,
                change.id,
                "link",
                _ids(protection, change.subject),
                _ids(protection, change.other),
                (),
            )
        elif isinstance(change, Unlink):
            pair = {json.dumps(sorted(_ids(protection, each))) for each in (change.subject, change.other)}
            for id_, one, other in db.execute("SELECT id, one, other FROM links WHERE kind = 'link'").fetchall():
                if {one, other} == pair:
                    db.execute("UPDATE links SET state = 'taken-back' WHERE id = ?", (id_,))


def _wake(db: sqlite3.Connection, identifiers: Sequence[str]) -> None:
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


def _ids(protection: Protection, subject: Subject) -> list[str]:
    return sorted(_id(protection, each) for each in _identifiers(subject))


def _link(
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
    db.execute(
        "INSERT OR REPLACE INTO links VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(name, settlement.system, kind, json.dumps(sorted(one)), json.dumps(sorted(other))),
            *(json.dumps(sorted(things)), state, settlement.seq),
        ),
    )
    if kind in _MERGES and state == "in-force":
        _wake(db, [*one, *other])


def _change(
    db: sqlite3.Connection,
    protection: Protection,
    settlement: Settlement,
    person: str,
    ordinal: int,
    change: ItemChange,
) -> None:
    system, seq = settlement.system, settlement.seq
    names = [_name(protection, key.reference) for key in (change.key, *change.aliases)]
    marks = ", ".join("?" for _ in names)
    found = [
        thing
        for (thing,) in db.execute(
            f"SELECT DISTINCT thing FROM names WHERE system = ? AND person = ? AND name IN ({marks}) ORDER BY thing",  # noqa: S608 - marks alone
            (system, person, *names),
        )
    ]
    thing = found[0] if found else protection.digest(f"thing|{system}|{person}|{names[0]}".encode())
    for joined in found[1:]:
        _join(db, thing, joined)
    db.executemany("INSERT OR IGNORE INTO names VALUES (?, ?, ?, ?)", [(system, person, name, thing) for name in names])
    standing = None if len(found) > 1 else _standing(db, protection, thing)
    # Whatever is not the newest in both arrival and statement is put in its place among all of them.
    (newest,) = db.execute("SELECT max(seq) FROM changes WHERE thing = ?", (thing,)).fetchone()
    late = standing is not None and ((newest or 0) > seq or is_older(change.stated, standing.stated) is True)
    received = _as_received(change, settlement)
    body = protection.seal(to_text(received).encode(), "change")
    db.execute("INSERT OR REPLACE INTO changes VALUES (?, ?, ?, ?)", (thing, seq, ordinal, body))
    if len(found) > 1 or late:
        _refold(db, protection, thing, system, person)
    else:
        _put(db, protection, thing, system, person, after(standing, seq, received))


def _as_received(change: ItemChange, settlement: Settlement) -> ItemChange:
    """The change with an item that says which feed's system gave it, and when: not when it happened to be mapped."""
    source = change.item.source.model_copy(
        update={"system": settlement.system, "mode": "feed"}
        | ({"fetched": settlement.at} if settlement.at is not None else {})
    )
    return replace(change, item=change.item.model_copy(update={"source": source}))


def _join(db: sqlite3.Connection, into: str, thing: str) -> None:
    db.execute("UPDATE OR REPLACE changes SET thing = ? WHERE thing = ?", (into, thing))
    db.execute("UPDATE OR REPLACE names SET thing = ? WHERE thing = ?", (into, thing))
    db.execute("DELETE FROM things WHERE id = ?", (thing,))


def _standing(db: sqlite3.Connection, protection: Protection, thing: str) -> Standing | None:
    row = db.execute("SELECT body FROM things WHERE id = ?", (thing,)).fetchone()
    return _opened(protection, row[0]) if row else None


def _refold(db: sqlite3.Connection, protection: Protection, thing: str, system: str, person: str) -> None:
    """Make a thing anew from all its changes; it goes if there are none."""
    row = db.execute("SELECT ground FROM things WHERE id = ?", (thing,)).fetchone()
    ground = _opened(protection, row[0]) if row and row[0] is not None else None
    changes = [
        (seq, from_text(protection.open(body, "change").decode()))
        for seq, body in db.execute("SELECT seq, body FROM changes WHERE thing = ? ORDER BY seq, ordinal", (thing,))
    ]
    if ground is not None:
        changes = [each for each in changes if is_older(each[1].stated, ground.stated) is not True]
    standing = folded(in_order(changes), ground)
    if standing is None:
        db.execute("DELETE FROM things WHERE id = ?", (thing,))
        db.execute("DELETE FROM names WHERE thing = ?", (thing,))
    else:
        _put(db, protection, thing, system, person, standing)


def _put(
    db: sqlite3.Connection, protection: Protection, thing: str, system: str, person: str, standing: Standing
) -> None:
    encounter = getattr(standing.item, "encounter", None)
    at = _name(protection, encounter.reference) if encounter is not None and encounter.reference else None
    db.execute(
        "INSERT INTO things (id, system, person, kind, encounter, body) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, encounter = excluded.encounter, body = excluded.body",
        (thing, system, person, _kind(standing.item), at, _sealed(protection, standing)),
    )


def _kind(item: Item) -> str:
    if isinstance(item, Patient):
        return "patient"
    return next((str(name) for name, kind in SECTION_TYPES.items() if isinstance(item, kind)), type(item).__name__)


def _sealed(protection: Protection, standing: Standing) -> bytes:
    parts = (
        *(standing.item, standing.stated, standing.seq, standing.withdrawn, standing.restricted, standing.mentioned),
    )
    return protection.seal(to_text(parts).encode(), "thing")


def _opened(protection: Protection, body: bytes) -> Standing:
    item, stated, seq, withdrawn, restricted, mentioned = from_text(protection.open(body, "thing").decode())
    return Standing(item=item, stated=stated, seq=seq, withdrawn=withdrawn, restricted=restricted, mentioned=mentioned)


def forget_message(db: sqlite3.Connection, protection: Protection, seq: int) -> None:
    """Take back what a message changed, as if it had never come."""
    _forget_changes(db, protection, seq)
    db.execute("DELETE FROM subjects WHERE seq = ?", (seq,))
    db.execute("DELETE FROM links WHERE seq = ?", (seq,))


def _forget_changes(db: sqlite3.Connection, protection: Protection, seq: int) -> None:
    touched = db.execute(
        "SELECT DISTINCT t.id, t.system, t.person FROM changes c JOIN things t ON t.id = c.thing WHERE c.seq = ?",
        (seq,),
    ).fetchall()
    db.execute("DELETE FROM changes WHERE seq = ?", (seq,))
    for thing, system, person in touched:
        _refold(db, protection, thing, system, person)


def ground_thing(db: sqlite3.Connection, protection: Protection, thing: str, through: Sequence[int]) -> None:
    """Make what these messages left of a thing its ground, from which it is made without them; or let it go."""
    gone = set(through)
    system, person, ground = db.execute("SELECT system, person, ground FROM things WHERE id = ?", (thing,)).fetchone()
    changes = db.execute("SELECT seq, body FROM changes WHERE thing = ? ORDER BY seq, ordinal", (thing,)).fetchall()
    if all(seq in gone for seq, _ in changes):
        forget_thing(db, thing)
        return
    old = [(seq, from_text(protection.open(body, "change").decode())) for seq, body in changes if seq in gone]
    standing = folded(in_order(old), _opened(protection, ground) if ground is not None else None)
    if standing is not None:
        db.execute("UPDATE things SET ground = ? WHERE id = ?", (_sealed(protection, standing), thing))
    db.executemany("DELETE FROM changes WHERE thing = ? AND seq = ?", [(thing, seq) for seq in {seq for seq, _ in old}])
    _refold(db, protection, thing, system, person)


def forget_thing(db: sqlite3.Connection, thing: str) -> None:
    """Remove a thing and all that is known of it."""
    for table, column in (("things", "id"), ("names", "thing"), ("changes", "thing")):
        db.execute(f"DELETE FROM {table} WHERE {column} = ?", (thing,))  # noqa: S608 - ours


def forget_person(
    db: sqlite3.Connection, protection: Protection, number: str, identifiers: Sequence[str]
) -> tuple[set[int], list[str]]:
    """Remove what is projected of a person.

    Returns:
        The numbers of their messages, and the digests of the hospital numbers that are theirs alone.
    """
    person = _person(protection, number)
    own = {_id(protection, each) for each in identifiers}
    own |= {each for (each,) in db.execute("SELECT identifier FROM numbers WHERE person = ?", (person,))}
    shared = {
        each
        for each in own
        if db.execute("SELECT 1 FROM numbers WHERE identifier = ? AND person <> ?", (each, person)).fetchone()
    }
    seqs = {
        seq
        for each in (person, *sorted(own - shared))
        for (seq,) in db.execute("SELECT seq FROM subjects WHERE identifier = ?", (each,))
    }
    for seq in sorted(seqs):
        forget_message(db, protection, seq)
    for (thing,) in db.execute("SELECT id FROM things WHERE person = ?", (person,)).fetchall():
        forget_thing(db, thing)
    db.execute("DELETE FROM numbers WHERE person = ?", (person,))
    for id_, one, other in db.execute("SELECT id, one, other FROM links").fetchall():
        if {*json.loads(one), *json.loads(other)} & {person, *(own - shared)}:
            db.execute("DELETE FROM links WHERE id = ?", (id_,))
    return seqs, sorted(own - shared)


def clear(db: sqlite3.Connection) -> None:
    """Forget all projections but the ground that purged messages left, and what two people decided."""
    db.execute("DELETE FROM changes")
    db.execute("DELETE FROM things WHERE ground IS NULL")
    db.execute("UPDATE things SET body = ground")
    db.execute("DELETE FROM names WHERE thing NOT IN (SELECT id FROM things)")
    db.execute("DELETE FROM subjects WHERE seq IN (SELECT seq FROM log WHERE person IS NOT NULL)")
    db.execute("DELETE FROM numbers WHERE kept = 0")
    db.execute("DELETE FROM links WHERE seq IN (SELECT seq FROM log)")


# --- who is who ---


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
    direct = _people(db, protection, [_id(protection, each) for each in identifiers])
    if direct:
        return dict.fromkeys(direct, ())
    wider, used = _component(db, [_id(protection, each) for each in identifiers])
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
            "SELECT id, system, kind, state, seq FROM links ORDER BY seq, id"
        )
    ]


def undo_link(db: sqlite3.Connection, protection: Protection, id_: str) -> int:
    """Take a merge or a move out of force; what was taken for the person by that merge alone is parked anew."""
    changed = db.execute("UPDATE links SET state = 'undone' WHERE id = ? AND state = 'in-force'", (id_,)).rowcount
    if not changed:
        return 0
    db.execute("INSERT OR IGNORE INTO undone VALUES (?)", (id_,))
    relied = [
        seq
        for seq, via in db.execute(
            "SELECT seq, via FROM log WHERE state IN ('processed', 'parked') AND via <> ''"
        ).fetchall()
        if id_ in via.split()
    ]
    for seq in relied:
        local = db.execute("SELECT identifier FROM subjects WHERE seq = ?", (seq,)).fetchall()
        forget_message(db, protection, seq)
        db.executemany("INSERT OR IGNORE INTO subjects VALUES (?, ?)", [(each, seq) for (each,) in local])
        db.execute(
            "UPDATE log SET state = 'parked', reason = 'merge-undone', person = NULL, via = '' WHERE seq = ?", (seq,)
        )
    return len(relied)


# --- reading ---


def items(
    db: sqlite3.Connection, protection: Protection, systems: Sequence[str], number: str, kind: str
) -> list[Projected]:
    """What stands of a person; what was moved to or from them by A44 and A45 counted as moved."""
    person = _person(protection, number)
    out = []
    for system in systems:
        moves = _moves(db, system)
        rows = db.execute(
            "SELECT id, person, encounter, body FROM things WHERE system = ? AND kind = ? AND person = ? ORDER BY id",
            (system, kind, person),
        ).fetchall()
        for moved in sorted({name for names in moves.values() for name in names}) if moves else ():
            rows += db.execute(
                "SELECT t.id, t.person, t.encounter, t.body FROM things t WHERE t.system = ? AND t.kind = ? AND "
                "t.person <> ? AND (t.encounter = ? OR t.id IN (SELECT thing FROM names WHERE name = ?)) ORDER BY t.id",
                (system, kind, person, moved, moved),
            ).fetchall()
        seen = set()
        for thing, own, encounter, body in rows:
            if thing in seen:
                continue
            seen.add(thing)
            names = (
                {name for (name,) in db.execute("SELECT name FROM names WHERE thing = ?", (thing,))} if moves else ()
            )
            if _owner(db, moves, own, {*names, *([encounter] if encounter else [])}) == person:
                standing = _opened(protection, body)
                out.append(
                    Projected(
                        item=standing.item,
                        withdrawn=standing.withdrawn,
                        restricted=standing.restricted,
                        seq=standing.seq,
                    )
                )
    return out


def _moves(db: sqlite3.Connection, system: str) -> dict[tuple[str, frozenset[str]], set[str]]:
    """What moved: to whom, from which identifiers, and under which names; later moves come later."""
    found = db.execute(
        "SELECT one, other, things FROM links WHERE system = ? AND kind IN ('visit', 'account') AND state = 'in-force' "
        "ORDER BY seq, id",
        (system,),
    )
    return {(json.loads(one)[0], frozenset(json.loads(other))): set(json.loads(things)) for one, other, things in found}


def _owner(db: sqlite3.Connection, moves: dict[tuple[str, frozenset[str]], set[str]], own: str, names: set[str]) -> str:
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


def digest(db: sqlite3.Connection, protection: Protection) -> str:
    """Names all that is projected."""
    whole = hashlib.sha256()
    things = []
    for thing, system, person, kind, encounter, body in db.execute(
        "SELECT id, system, person, kind, encounter, body FROM things"
    ):
        names = [name for (name,) in db.execute("SELECT name FROM names WHERE thing = ? ORDER BY name", (thing,))]
        things.append(json.dumps([system, person, kind, encounter, names, protection.open(body, "thing").decode()]))
    for text in sorted(things):
        whole.update(text.encode())
    for table, columns in (
        ("subjects", "identifier, seq"),
        ("numbers", "identifier, person"),
        ("links", "id, system, kind, one, other, things, state, seq"),
    ):
        for row in db.execute(f"SELECT {columns} FROM {table} ORDER BY {columns}"):  # noqa: S608 - ours
            whole.update(json.dumps([table, *row]).encode())
    return whole.hexdigest()
