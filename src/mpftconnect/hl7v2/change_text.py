"""A change as plain JSON, for people and programs that look at what a message would do. It is patient data."""

from __future__ import annotations

from typing import Any

from mpftconnect.hl7v2.changes import Change, Key, Link, MergePerson, Move, Replace, Retract, Subject, Unlink, Upsert

__all__ = ["change_json"]


def change_json(change: Change) -> dict[str, Any]:
    """The change: its kind, whom it is about, its key, when it was stated, and its item.

    >>> from mpftconnect.hl7v2 import map_message, parse
    >>> message = parse("MSH|^~\\\\&|PAS|RRE|||20260301||ADT^A28|7|P|2.4\\rPID|||77^^^RRE||DOE^Jane\\r")
    >>> change_json(map_message(message).changes[0])["key"]
    'Patient/RRE/77'
    """
    out: dict[str, Any] = {"change": type(change).__name__, "subject": _subject(change.subject)}
    if isinstance(change, Upsert | Replace | Retract):
        out |= {"key": change.key.text, "aliases": [alias.text for alias in change.aliases]}
        if isinstance(change, Upsert):
            out |= {"removed": list(change.removed), "mentions": change.mentions}
        elif isinstance(change, Retract):
            out |= {"reason": change.reason, "code": change.code}
        item = change.item
        out |= {"type": type(item).__name__, "item": item.model_dump(mode="json", exclude_defaults=True)}
        if item.caution:
            out["caution"] = item.caution
    elif isinstance(change, MergePerson):
        out |= {"survivor": _subject(change.survivor), "retired": _subject(change.retired), "kind": change.kind}
    elif isinstance(change, Move):
        out |= {"from": _subject(change.from_), "keys": _keys(change.keys), "kind": change.kind}
    elif isinstance(change, Link | Unlink):
        out |= {"other": _subject(change.other)}
    if not isinstance(change, Upsert | Replace | Retract):
        out["id"] = change.id
    stated = change.stated
    out["stated"] = {"at": stated.at.text if stated.at else None, "basis": stated.basis}
    return out


def _subject(subject: Subject) -> dict[str, Any]:
    identifiers = [known.model_dump(exclude_none=True) for known in subject.identifiers]
    return {"identifiers": identifiers, "restricted": list(subject.restricted)}


def _keys(keys: tuple[Key, ...]) -> list[str]:
    return [key.text for key in keys]
