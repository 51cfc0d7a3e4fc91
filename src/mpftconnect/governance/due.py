"""What runs out, so that somebody renews it before a system falls silent."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mpftconnect.governance.register import ConnectedSystem

__all__ = ["Due", "due_agreements", "due_certificates", "due_proposals"]

Proposal = tuple[str, str, str, datetime.datetime]


@dataclass(frozen=True, slots=True)
class Due:
    """Something that runs out.

    Args:
        name: What it is called: the agreement's name, the proposal's id, the certificate's file.
        on: Its last day.
        days_left: Until then; negative once it is over.
    """

    what: Literal["agreement", "identity-proposal", "client-certificate"]
    name: str
    system: str
    on: datetime.date
    days_left: int

    def words(self) -> str:
        """In one line.

        >>> Due("agreement", "ISA-7", "rio", datetime.date(2026, 3, 31), -2).words()
        'agreement ISA-7 (rio): over since 31 Mar 2026; the system is not asked'
        """
        day = f"{self.on:%d %b %Y}"
        head = f"{self.what.replace('-', ' ')} {self.name} ({self.system})"
        if self.days_left < 0:
            ends = {"agreement": "the system is not asked", "client-certificate": "the system refuses us"}
            return f"{head}: over since {day}; {ends.get(self.what, 'propose it again')}"
        return f"{head}: until {day}, {self.days_left} days left"


def due_agreements(systems: Iterable[ConnectedSystem], today: datetime.date, days: int) -> Iterator[Due]:
    """Agreements that have ended, or end within so many days."""
    for system in systems:
        agreement = system.agreement
        if agreement.standing(today, days) != "in-force":
            yield Due("agreement", agreement.name, system.name, agreement.expires, agreement.days_left(today))


def due_proposals(proposals: Iterable[Proposal], today: datetime.date, days: int) -> Iterator[Due]:
    """Identity proposals that nobody will be able to approve after so many days."""
    for id, _kind, system, expires in proposals:
        left = (expires.date() - today).days
        if left <= days:
            yield Due("identity-proposal", id, system, expires.date(), left)


def due_certificates(files: Iterable[tuple[str, Path]], today: datetime.date, days: int) -> Iterator[Due]:
    """Client certificates that have ended, or end within so many days. Needs the extra `jwt`.

    Args:
        files: System and PEM file.
    Raises:
        ImportError: The extra is not installed.
        ValueError, OSError: A file is no certificate, or cannot be read.
    """
    from cryptography import x509

    for system, path in files:
        on = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.date()
        if (left := (on - today).days) <= days:
            yield Due("client-certificate", path.name, system, on, left)
