"""Finds a person first, and with them the group of linked records that the other operations are asked by.

What decides (published: linked records are records of one person; the rest is ours): a group must hold together. If
what came falls into groups that are not linked with each other, several people have the number and none is chosen; if
records of one group state different dates of birth or somebody else's NHS number, the link itself is in doubt, and
since any detail id of the group gives what there is for all of them, nothing of it is taken.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpftconnect.adapters import Reading
from mpftconnect.errors import AnswerRejected, NotAnNhsNumber, WrongPerson
from mpftconnect.model import (
    Actor,
    Address,
    ContactPoint,
    HumanName,
    Identifier,
    Patient,
    extra_from,
)
from mpftconnect_icr.layout import FIND
from mpftconnect_icr.row import Row
from mpftconnect_icr.settings import CcapiSettings

__all__ = ["Group", "group_of"]

_DETAIL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_ID_PLACE = f"{FIND}.PatientDetailId"


@dataclass(frozen=True, slots=True)
class Group:
    """One person's linked records.

    Args:
        patient: The person, as the first of the records has them; the others are kept in `extra`.
        detail_ids: Patient detail ids, of this record first.
        numbers: NHS numbers that a row may name.
    """

    patient: Patient
    detail_ids: tuple[str, ...]
    numbers: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Record:
    detail_id: str
    content: Mapping[str, Any]
    linked: tuple[str, ...]


def group_of(
    answers: Sequence[Sequence[Any]], reading: Reading, numbers: Collection[str], settings: CcapiSettings
) -> Group | None:
    """The one group that was found; None if nobody was.

    Args:
        answers: The rows of Find Patient, by what it was asked: the current number, then the superseded ones, which
            the tracing service says to be one person's.
        numbers: The NHS numbers that were asked for; empty if it was asked by something else.
    Raises:
        WrongPerson: A record of somebody else came.
        AnswerRejected: Several people came, or records that are linked and contradict each other.
    """
    places = settings.places(FIND)
    records: dict[str, _Record] = {}
    ids: set[str] = set()
    for answer in answers:
        found = [_record(content, places) for content in answer]
        for record in found:
            known = records.setdefault(record.detail_id, record)
            if known.content != record.content:
                raise AnswerRejected("one patient detail id stands for two records", place=_ID_PLACE)
        groups = _groups(found)
        if len(groups) > 1:
            raise AnswerRejected("several people, or records that nobody linked, fit what was asked for", place=FIND)
        ids |= set().union(*groups)
    if not records:
        return None
    taken = sorted(records.values(), key=lambda record: _order(record.detail_id))
    patients = [_patient(record, reading, settings) for record in taken]
    _check_numbers(patients, numbers)
    if len({patient.birth_date for patient in patients if patient.birth_date}) > 1:
        raise AnswerRejected("linked records state different dates of birth", place=f"{FIND}.DateOfBirth")
    stated = {number for patient in patients if (number := patient.nhs_number)} | set(numbers)
    if {re.sub(r"\D", "", id_) for id_ in ids} & stated:
        # It would stand in an address.
        raise AnswerRejected("a patient detail id is an NHS number", place=_ID_PLACE)
    # One entry for each, with its organisation in it, so that a policy can judge it as a whole.
    also = tuple(extra_from(f"{FIND}.linked", record.content) for record in taken[1:])
    patient = patients[0].model_copy(update={"extra": tuple(dict.fromkeys((*patients[0].extra, *also)))})
    first = taken[0].detail_id
    rest = sorted(ids - {first}, key=_order)
    return Group(patient, (first, *rest), frozenset(stated))


def _order(detail_id: str) -> tuple[int, str]:
    return len(detail_id), detail_id


def _record(content: Any, places: Mapping[str, str]) -> _Record:
    if not isinstance(content, Mapping):
        raise AnswerRejected("is not an object", place=FIND)
    linked = content.get(places.get("linked", ""))
    if linked is not None and not isinstance(linked, list):
        raise AnswerRejected("is not a list", place=f"{FIND}.linked")
    ids = [_detail_id(each.get(places["detail_id"]) if isinstance(each, Mapping) else each) for each in linked or ()]
    return _Record(_detail_id(content.get(places["detail_id"])), content, tuple(ids))


def _detail_id(value: Any) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _DETAIL_ID.fullmatch(text):
        raise AnswerRejected("is not a patient detail id", place=_ID_PLACE)
    return text


def _groups(records: Iterable[_Record]) -> list[set[str]]:
    """The ids that hang together, however many steps apart."""
    groups: list[set[str]] = []
    for record in records:
        joined = {record.detail_id, *record.linked}
        apart = []
        for group in groups:
            if group & joined:
                joined |= group
            else:
                apart.append(group)
        groups = [*apart, joined]
    return groups


def _check_numbers(patients: Sequence[Patient], numbers: Collection[str]) -> None:
    stated = [patient.nhs_number for patient in patients]
    if numbers:
        if any(number is not None and number not in numbers for number in stated):
            raise WrongPerson("a record that came is not of the person who was asked for", place=f"{FIND}.NhsNumber")
        if not any(stated):
            raise WrongPerson("no record that came says whose it is", place=f"{FIND}.NhsNumber")
    elif len(set(stated) - {None}) > 1:
        raise AnswerRejected("linked records state different NHS numbers", place=f"{FIND}.NhsNumber")


def _patient(record: _Record, reading: Reading, settings: CcapiSettings) -> Patient:
    row = Row(FIND, record.content, settings, reading.zone)
    row.text("detail_id")
    identifiers = [
        Identifier(system=settings.patient_number_system, value=value, use="secondary")
        for value in row.notes("patient_number")
    ]
    number, status = row.text("nhs_number"), row.text("nhs_number_status")
    if number:
        try:
            identifiers.insert(0, Identifier.nhs(number, status))
        except NotAnNhsNumber as error:
            raise AnswerRejected(str(error), place=f"{FIND}.NhsNumber") from None
    elif status:
        row.put_back("nhs_number_status", status)
    practice = Actor(
        name=row.text("gp_name"),
        identifier=Identifier(value=code) if (code := row.text("gp_code")) else None,
        organization=row.text("practice_name"),
        organization_code=row.text("practice_code"),
    )
    organisation = row.text("organisation")
    # Each linked record by itself: a policy that takes one must not have to take all.
    linked = tuple(extra_from(f"{FIND}.linked", each) for each in row.rows("linked"))
    return Patient(
        source=reading.source(f"Patient/{record.detail_id}"),
        identifiers=tuple(identifiers),
        names=_names(row),
        gender=row.word("gender", "gender"),
        birth_date=row.date("birth_date"),
        deceased=row.when("death_date"),
        addresses=_addresses(row),
        telecom=_telecom(row),
        general_practitioner=(practice,) if practice != Actor() else (),
        managing_organization=Actor(organization=organisation) if organisation else None,
        extra=(*row.extra(), *linked),
    )


def _names(row: Row) -> tuple[HumanName, ...]:
    given = row.notes("forename", "middle_names")
    name = HumanName(use="usual", family=row.text("surname"), given=given, prefix=row.notes("title"))
    found = [name] if name != HumanName(use="usual") else []
    if known_as := row.text("known_as"):
        found.append(HumanName(use="nickname", text=known_as))
    if previous := row.text("previous_surname"):
        found.append(HumanName(use="old", family=previous))
    return tuple(found)


def _addresses(row: Row) -> tuple[Address, ...]:
    found = Address(
        use="home",
        line=row.notes("address_line_1", "address_line_2", "address_line_3"),
        city=row.text("town"),
        district=row.text("district"),
        postal_code=row.text("postcode"),
    )
    return (found,) if found != Address(use="home") else ()


def _telecom(row: Row) -> tuple[ContactPoint, ...]:
    fields = (("home_phone", "phone", "home"), ("mobile_phone", "phone", "mobile"), ("email", "email", None))
    return tuple(
        ContactPoint(system=system, value=value, use=use)
        for field, system, use in fields
        if (value := row.text(field)) is not None
    )
