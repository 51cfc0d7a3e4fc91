"""Things and the changes to them: each stands as the fold over its changes leaves it (see `fold`).

A thing belongs to one system and one person: the same number used for somebody else is another thing, which is why a
result that was filed under the wrong person and is sent again under the right one shows in both, withdrawn or not as
its sender says. Things hang together by their names: a message that gives two names joins what stands under either.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from mpftconnect.hl7v2.changes import is_older
from mpftconnect.inbox.change_text import from_text, to_text
from mpftconnect.inbox.fold import ItemChange, Standing, after, folded, in_order
from mpftconnect.inbox.naming import name_digest
from mpftconnect.inbox.protection import Protection
from mpftconnect.inbox.store import Settlement
from mpftconnect.model import SECTION_TYPES, Item, Patient

__all__ = ["change_thing", "forget_changes", "forget_thing", "ground_thing", "opened"]


def change_thing(
    db: sqlite3.Connection,
    protection: Protection,
    settlement: Settlement,
    person: str,
    ordinal: int,
    change: ItemChange,
) -> None:
    system, seq = settlement.system, settlement.seq
    names = [name_digest(protection, key.reference) for key in (change.key, *change.aliases)]
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
    return opened(protection, row[0]) if row else None


def _refold(db: sqlite3.Connection, protection: Protection, thing: str, system: str, person: str) -> None:
    """Make a thing anew from all its changes; it goes if there are none."""
    row = db.execute("SELECT ground FROM things WHERE id = ?", (thing,)).fetchone()
    ground = opened(protection, row[0]) if row and row[0] is not None else None
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
    at = name_digest(protection, encounter.reference) if encounter is not None and encounter.reference else None
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


def opened(protection: Protection, body: bytes) -> Standing:
    item, stated, seq, withdrawn, restricted, mentioned = from_text(protection.open(body, "thing").decode())
    return Standing(item=item, stated=stated, seq=seq, withdrawn=withdrawn, restricted=restricted, mentioned=mentioned)


def forget_changes(db: sqlite3.Connection, protection: Protection, seq: int) -> None:
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
    standing = folded(in_order(old), opened(protection, ground) if ground is not None else None)
    if standing is not None:
        db.execute("UPDATE things SET ground = ? WHERE id = ?", (_sealed(protection, standing), thing))
    db.executemany("DELETE FROM changes WHERE thing = ? AND seq = ?", [(thing, seq) for seq in {seq for seq, _ in old}])
    _refold(db, protection, thing, system, person)


def forget_thing(db: sqlite3.Connection, thing: str) -> None:
    """Remove a thing and all that is known of it."""
    for table, column in (("things", "id"), ("names", "thing"), ("changes", "thing")):
        db.execute(f"DELETE FROM {table} WHERE {column} = ?", (thing,))  # noqa: S608 - ours
