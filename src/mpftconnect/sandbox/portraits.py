"""Demographics of a synthetic person in one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mpftconnect.model import (
    Actor,
    Address,
    ContactPoint,
    HumanName,
    Identifier,
    PartialDate,
    Patient,
    nhs_number,
)
from mpftconnect.sandbox.chart import placeholder
from mpftconnect.sandbox.people import Person, SystemView
from mpftconnect.sandbox.services import GP

__all__ = ["known_as", "portrait"]


def portrait(
    *,
    role: str,
    number: str,
    family: str,
    given: str,
    gender: str,
    birth_date: str,
    street: str,
    postal_code: str,
    mobile: str,
    former_numbers: tuple[str, ...] = (),
    practice: Actor = GP,
    systems: Mapping[str, SystemView] | None = None,
    **further: Any,
) -> Person:
    """A person as the tracing service knows them.

    Args:
        further: Fields of `Patient` beside or in place of those that follow from the other arguments.

    >>> someone = portrait(role="sparse", number="9990000026", family="Winterbottle", given="Ottoline",
    ...                    gender="female", birth_date="1988", street="1 Foxglove Rise", postal_code="ZZ99 1AA",
    ...                    mobile="07700 900026")
    >>> someone.patient.words(), someone.patient.restriction
    ('WINTERBOTTLE, Ottoline', 'U')
    """
    current = nhs_number(number)
    fields: dict[str, Any] = {
        "identifiers": (Identifier.nhs(current, "01"),),
        "names": (HumanName(use="usual", family=family, given=(given,)),),
        "gender": gender,
        "birth_date": PartialDate(birth_date),
        "addresses": (
            Address(use="home", line=(street,), city="Mossbridge", district="Northmereshire", postal_code=postal_code),
        ),
        "telecom": (ContactPoint(system="phone", value=mobile, use="mobile"),),
        "general_practitioner": (practice,),
        "active": True,
        "restriction": "U",
    }
    return Person(
        role,
        current,
        Patient(source=placeholder(f"Patient/{current}"), **fields | further),
        tuple(nhs_number(former) for former in former_numbers),
        {"pds": SystemView(current), **(systems or {})},
    )


def known_as(person: Person, **different: Any) -> Patient:
    """The person's demographics as another system has them; it knows nothing of restrictions."""
    return person.patient.model_copy(update={"restriction": None} | different)
