"""How people and things are named in the tables: by digests alone (see `protection`)."""

from __future__ import annotations

from mpftconnect.hl7v2.changes import Subject
from mpftconnect.inbox.protection import Protection
from mpftconnect.model import Identifier

__all__ = ["identifier_digest", "identifier_text", "name_digest", "person_digest", "subject_digests"]


def identifier_text(identifier: Identifier) -> str | None:
    """An identifier with its authority, in one text; None where it lacks either and so names nobody."""
    if not identifier.system or not identifier.value:
        return None
    return f"{identifier.system}|{identifier.value}"


def local_texts(subject: Subject) -> list[str]:
    texts = (identifier_text(each) for each in subject.identifiers if not each.is_nhs_number)
    return list(dict.fromkeys(text for text in texts if text))


def person_digest(protection: Protection, number: str) -> str:
    return protection.digest(f"nhs|{number}".encode())


def name_digest(protection: Protection, text: str) -> str:
    return protection.digest(f"name|{text}".encode())


def identifier_digest(protection: Protection, identifier: str) -> str:
    return protection.digest(f"id|{identifier}".encode())


def subject_digests(protection: Protection, subject: Subject) -> list[str]:
    return sorted(identifier_digest(protection, each) for each in local_texts(subject))
