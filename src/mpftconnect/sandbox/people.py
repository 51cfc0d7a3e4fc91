"""The synthetic people whom every twin knows. All numbers are of the 999 range, which is never issued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mpftconnect.model import Item, NhsNumber, Patient, SectionName

__all__ = ["Person", "SystemView"]


@dataclass(frozen=True, slots=True)
class SystemView:
    """What one system holds of a person.

    Args:
        local_id: The system's own number for the person.
        patient: Demographics as that system has them, where they differ from the person's; None if they do not.
        items: Items by section. Their `source.id` is the system's own id of the thing; the rest of `source` is a
            placeholder, since an adapter makes its own.
        settings: What only that twin understands: `caseload`, a tuple of open and closed referrals
            (`{"team", "team_code", "practitioner", "opened", "closed"}`, dates as ISO text or None), for a system
            that verifies relationships; `invalidated`, for a tracing service that must not give the number out.
    """

    local_id: str
    patient: Patient | None = None
    items: Mapping[SectionName, tuple[Item, ...]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Person:
    """One synthetic person.

    Args:
        role: Why they exist: `full`, `sparse`, `restricted`, `very-restricted`, `deceased`, `superseded`,
            `birth-date-differs`, `cross-border`, `sexual-health`, `twin-a`, `twin-b`, `father`, `son`,
            `changed-name`, `invalidated`, `unverified`, `conflicting`.
        nhs_number: The current number.
        former_numbers: Superseded numbers.
        patient: Demographics as the tracing service holds them; `patient.restriction` is set where it applies.
        systems: What each system holds, by the twin's name; a system that is absent does not know the person.
    """

    role: str
    nhs_number: NhsNumber
    patient: Patient
    former_numbers: tuple[NhsNumber, ...] = ()
    systems: Mapping[str, SystemView] = field(default_factory=dict)

    def patient_at(self, system: str) -> Patient:
        """The demographics as that system has them."""
        view = self.systems.get(system)
        return view.patient if view and view.patient else self.patient
