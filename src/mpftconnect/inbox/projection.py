"""The tables projected from the log: things and the changes to them, who is who, merges, moves and links.

Every function works within a transaction of the caller's. Whatever names a person or a thing stands in the tables as
a digest (see `naming`), what it says as a sealed text (see `things`). Who is who is `linking`'s.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence

from mpftconnect.hl7v2.changes import Link, MergePerson, Move, Replace, Retract, Unlink, Upsert
from mpftconnect.inbox.linking import UNLINK, known_people, links, moves_of, owner_of, put_link, wake
from mpftconnect.inbox.naming import identifier_digest, identifier_text, name_digest, person_digest, subject_digests
from mpftconnect.inbox.protection import Protection
from mpftconnect.inbox.store import Projected, Settlement
from mpftconnect.inbox.things import change_thing, forget_changes, forget_thing, ground_thing, opened

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


def apply(db: sqlite3.Connection, protection: Protection, settlement: Settlement) -> None:
    """Write whom a message is about and, if it is processed, apply its changes."""
    seq = settlement.seq
    local = [identifier_digest(protection, each) for each in settlement.identifiers]
    about = [*local, *([person_digest(protection, settlement.person)] if settlement.person else [])]
    db.executemany("INSERT OR IGNORE INTO subjects VALUES (?, ?)", [(each, seq) for each in about])
    if settlement.person is None:
        return
    if db.execute("SELECT 1 FROM changes WHERE seq = ? LIMIT 1", (seq,)).fetchone():
        # Released after a part of it was applied: it is applied anew, as if for the first time.
        forget_changes(db, protection, seq)
    person = person_digest(protection, settlement.person)
    if settlement.learns:
        number = protection.seal(settlement.person.encode(), "number")
        learned = [
            each
            for each in local
            if db.execute(
                "INSERT OR IGNORE INTO numbers (identifier, person, number) VALUES (?, ?, ?)", (each, person, number)
            ).rowcount
        ]
        wake(db, learned)
    for ordinal, change in enumerate(settlement.changes):
        if isinstance(change, Upsert | Replace | Retract):
            change_thing(db, protection, settlement, person, ordinal, change)
        elif isinstance(change, MergePerson):
            put_link(
                db,
                protection,
                settlement,
                change.id,
                change.kind,
                subject_digests(protection, change.survivor),
                subject_digests(protection, change.retired),
                (),
            )
        elif isinstance(change, Move):
            put_link(
                db,
                protection,
                settlement,
                change.id,
                change.kind,
                [person],
                subject_digests(protection, change.from_),
                [name_digest(protection, key.reference) for key in change.keys],
            )
        elif isinstance(change, Link):
            put_link(
                db,
                protection,
                settlement,
                change.id,
                "link",
                subject_digests(protection, change.subject),
                subject_digests(protection, change.other),
                (),
            )
        elif isinstance(change, Unlink):
            one, other = (subject_digests(protection, each) for each in (change.subject, change.other))
            pair = "|".join(sorted(json.dumps(sorted(each)) for each in (one, other)))
            put_link(db, protection, settlement, f"{UNLINK}|{pair}", UNLINK, one, other, ())


def forget_message(db: sqlite3.Connection, protection: Protection, seq: int) -> None:
    """Take back what a message changed, as if it had never come."""
    forget_changes(db, protection, seq)
    db.execute("DELETE FROM subjects WHERE seq = ?", (seq,))
    db.execute("DELETE FROM links WHERE seq = ?", (seq,))


def forget_person(
    db: sqlite3.Connection, protection: Protection, number: str, identifiers: Sequence[str]
) -> tuple[set[int], list[str]]:
    """Remove what is projected of a person.

    Returns:
        The numbers of their messages, and the digests of the hospital numbers that are theirs alone.
    """
    person = person_digest(protection, number)
    own = {identifier_digest(protection, each) for each in identifiers}
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


def items(
    db: sqlite3.Connection, protection: Protection, systems: Sequence[str], number: str, kind: str
) -> list[Projected]:
    """What stands of a person; what was moved to or from them by A44 and A45 counted as moved."""
    person = person_digest(protection, number)
    out = []
    for system in systems:
        moves = moves_of(db, system)
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
            if owner_of(db, moves, own, {*names, *([encounter] if encounter else [])}) == person:
                standing = opened(protection, body)
                out.append(
                    Projected(
                        item=standing.item,
                        withdrawn=standing.withdrawn,
                        restricted=standing.restricted,
                        seq=standing.seq,
                    )
                )
    return out


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
