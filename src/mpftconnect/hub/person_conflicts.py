"""What joined systems say of the person that differs from the tracing service's word; never a value.

A difference here does not set a system apart: that is decided by `match`, or by people who overruled it. It says that
somebody should look, and more so where nothing but a name tells two people apart.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from mpftconnect.hub.match import family_names, given_names
from mpftconnect.hub.record import Conflict
from mpftconnect.model import PartialDate, Patient, When

__all__ = ["PERSON_KINDS", "patient_conflicts"]


def patient_conflicts(
    traced: Patient, others: Mapping[str, Patient], numbers: Collection[str] = ()
) -> tuple[Conflict, ...]:
    """Demographics in which joined systems differ from the tracing service; the values stand in the systems.

    Args:
        traced: The person by the tracing service.
        others: The person as each other joined system holds them.
        numbers: All NHS numbers of the person: a former one is no disagreement.
    """
    found = []
    for system, patient in sorted(others.items()):
        for kind, (what, differs) in _FIELDS.items():
            if differs(traced, patient):
                found.append(_conflict(kind, system, traced, f"disagree on the person's {what}."))
        if _number_differs(traced, patient, numbers):
            found.append(_conflict("nhs-number-differs", system, traced, "disagree on the person's NHS number."))
        if traced.restriction == "U" and patient.restriction not in (None, "U"):
            text = "disagree on whether the person is restricted. Treat them as restricted until this is settled."
            found.append(_conflict("restriction-differs", system, traced, text))
    return tuple(found)


def _conflict(kind: str, system: str, traced: Patient, text: str) -> Conflict:
    tracer = traced.source.system
    return Conflict(kind=kind, text=f"{system} and {tracer} {text}", systems=tuple(sorted((system, tracer))))


def _disjoint(one: Collection[str], other: Collection[str]) -> bool:
    return bool(one) and bool(other) and not set(one) & set(other)


def _family(traced: Patient, other: Patient) -> bool:
    return _disjoint(family_names(traced), family_names(other))


def _given(traced: Patient, other: Patient) -> bool:
    ours, theirs = given_names(traced), given_names(other)
    # An initial says nothing against a name that begins with it.
    return _disjoint(ours, theirs) and not any(
        long.startswith(short) for one, two in ((ours, theirs), (theirs, ours)) for short in one if len(short) == 1
        for long in two
    )  # fmt: skip


def _birth_date(traced: Patient, other: Patient) -> bool:
    return _dates_differ(traced.birth_date, other.birth_date)


def _dates_differ(one: PartialDate | None, other: PartialDate | None) -> bool:
    """As far as both go."""
    if one is None or other is None:
        return False
    shorter = min(len(one.text), len(other.text))
    return one.text[:shorter] != other.text[:shorter]


def _gender(traced: Patient, other: Patient) -> bool:
    return len({traced.gender, other.gender} - {None, "", "unknown"}) > 1


def _death(traced: Patient, other: Patient) -> bool:
    if traced.deceased is None or other.deceased is None:
        return False
    dates = [PartialDate(p.deceased.date_text) if isinstance(p.deceased, When) else None for p in (traced, other)]
    return bool(traced.deceased) != bool(other.deceased) or _dates_differ(*dates)


def _address(traced: Patient, other: Patient) -> bool:
    """Only of somebody whom all call unrestricted: even that addresses differ could help to find a person."""
    if traced.restriction != "U" or other.restriction not in (None, "U"):
        return False
    ours, theirs = (
        {"".join(a.postal_code.split()).casefold() for a in p.addresses if a.postal_code and a.use != "old"}
        for p in (traced, other)
    )
    return _disjoint(ours, theirs)


def _number_differs(traced: Patient, other: Patient, numbers: Collection[str]) -> bool:
    known = {*numbers, *(i.value for i in traced.identifiers if i.is_nhs_number)}
    return bool(traced.nhs_number and other.nhs_number) and other.nhs_number not in known


_FIELDS: dict[str, tuple[str, Callable[[Patient, Patient], bool]]] = {
    "family-name-differs": ("family name", _family),
    "given-name-differs": ("given name", _given),
    "birth-date-differs": ("date of birth", _birth_date),
    "gender-differs": ("gender", _gender),
    "death-differs": ("death", _death),
    "address-differs": ("address", _address),
}
PERSON_KINDS: tuple[str, ...] = (*_FIELDS, "nhs-number-differs", "restriction-differs")
