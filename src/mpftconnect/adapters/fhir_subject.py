"""Is a resource about the person who was asked for? Everything else is somebody else's data.

Source: HL7 FHIR R4 (4.0.1), References between resources (literal references, resolving them in a Bundle, logical
references by identifier), section 2.3.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mpftconnect.adapters.contract import Reading
from mpftconnect.model import NHS_NUMBER_SYSTEM

__all__ = ["SubjectFault", "subject_fault"]

Resolve = Callable[[str], Mapping[str, Any] | None]

# The elements by which R4 resources name whom they are about. `for` is Task's, `beneficiary` Coverage's.
_SUBJECT_ELEMENTS = ("subject", "patient", "beneficiary", "for")

# [base]/Type/id[/_history/version], the form of a literal reference.
_LITERAL = re.compile(
    r"(?:(?P<base>https?://.+)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?"
)


@dataclass(frozen=True, slots=True)
class SubjectFault:
    """Why a resource is not taken; `wrong_person` only where it certainly names somebody else."""

    rule: str
    wrong_person: bool


_SOMEBODY_ELSE = SubjectFault("is about somebody else", wrong_person=True)
_NOBODY = SubjectFault("does not say whom it is about", wrong_person=False)
_UNKNOWABLE = SubjectFault("names its subject in a way that cannot be checked", wrong_person=False)


def subject_fault(
    resource: Mapping[str, Any], reading: Reading, *, full_url: str | None = None, resolve: Resolve = lambda _: None
) -> SubjectFault | None:
    """What keeps the resource from being taken as about the reading's person; None if it is about them alone.

    It must name the person at least once, by the id under which this system knows them or by their NHS number
    (current or former), and nobody else as subject.

    Args:
        resource: R4 resource as sent.
        reading: Says who is meant.
        full_url: Of its Bundle entry: relative references are to the same server.
        resolve: Finds a resource that came in the same Bundle.
    """
    if resource.get("resourceType") == "Patient":
        return None if _is_the_person(resource, reading) else _SOMEBODY_ELSE
    person = _Person(reading, resource, _base(full_url), resolve)
    verdicts = [person.judge(reference) for reference in _subjects(resource)]
    if not verdicts:
        return _NOBODY
    return next((fault for fault in verdicts if fault is not None), None)


def _subjects(resource: Mapping[str, Any]) -> Iterator[Any]:
    yield from (resource[name] for name in _SUBJECT_ELEMENTS if name in resource)
    participants = resource.get("participant")
    if resource.get("resourceType") == "Appointment" and isinstance(participants, list):
        actors = (each.get("actor") for each in participants if isinstance(each, Mapping))
        yield from (actor for actor in actors if _is_patient_reference(actor))


def _is_patient_reference(actor: Any) -> bool:
    if not isinstance(actor, Mapping):
        return False
    literal = _LITERAL.fullmatch(actor["reference"]) if isinstance(actor.get("reference"), str) else None
    identifier = actor.get("identifier")
    return bool(
        (literal and literal["type"] == "Patient")
        or actor.get("type") == "Patient"
        or (isinstance(identifier, Mapping) and identifier.get("system") == NHS_NUMBER_SYSTEM)
    )


def _base(full_url: str | None) -> str | None:
    match = _LITERAL.fullmatch(full_url) if full_url else None
    return match["base"] if match else None


@dataclass(frozen=True, slots=True)
class _Person:
    reading: Reading
    resource: Mapping[str, Any]
    base: str | None
    resolve: Resolve

    def judge(self, reference: Any) -> SubjectFault | None:
        """A reference may name its target twice, literally and by identifier: neither may be somebody else."""
        if not isinstance(reference, Mapping):
            return _UNKNOWABLE
        said: list[bool | None] = []
        if isinstance(reference.get("reference"), str):
            said.append(self._literally(reference["reference"]))
        if isinstance(reference.get("identifier"), Mapping):
            said.append(_identifies(reference["identifier"], self.reading))
        if False in said:
            return _SOMEBODY_ELSE
        return None if True in said else _UNKNOWABLE

    def _literally(self, text: str) -> bool | None:
        """Whether a literal reference leads to the person; None if one cannot tell."""
        if text.startswith("#"):
            contained = self.resource.get("contained")
            held = [each for each in contained if isinstance(each, Mapping)] if isinstance(contained, list) else []
            target: Mapping[str, Any] | None = next((each for each in held if each.get("id") == text[1:]), None)
            # The id of a contained resource means nothing outside it.
            return _by_identifiers(target, self.reading) if target else None
        match = _LITERAL.fullmatch(text)
        if match is None:
            target = self.resolve(text)
            return _is_the_person(target, self.reading) if target else None
        if match["type"] != "Patient" or (match["base"] is not None and match["base"] not in self._our_bases()):
            return False
        local = _local_id(self.reading)
        if local is not None:
            return match["id"] == local
        return match["id"] in _numbers(self.reading) or None

    def _our_bases(self) -> tuple[str | None, str]:
        return self.base, self.reading.wire.endpoint.base_url.rstrip("/")


def _is_the_person(patient: Mapping[str, Any], reading: Reading) -> bool:
    local = _local_id(reading)
    if patient.get("resourceType") != "Patient" or (local is not None and patient.get("id") != local):
        return False
    said = _by_identifiers(patient, reading)
    return said if said is not None else local is not None


def _by_identifiers(patient: Mapping[str, Any], reading: Reading) -> bool | None:
    identifiers = patient.get("identifier")
    held = [each for each in identifiers if isinstance(each, Mapping)] if isinstance(identifiers, list) else []
    said = {_identifies(each, reading) for each in held if each.get("use") != "old"}
    return None if said <= {None} else False not in said


def _identifies(identifier: Mapping[str, Any], reading: Reading) -> bool | None:
    """Whether it is the person's; None where one cannot tell: people have several local numbers, one NHS number."""
    system, value = identifier.get("system"), identifier.get("value")
    if system == NHS_NUMBER_SYSTEM:
        numbers = _numbers(reading)
        if not isinstance(value, str) or not numbers:
            return None
        return value.replace(" ", "").replace("-", "") in numbers
    known = {each.value for each in (reading.patient.identifiers if reading.patient else ()) if each.system == system}
    return True if system and value in known else None


def _numbers(reading: Reading) -> frozenset[str]:
    return frozenset(number for number in (reading.nhs_number, *reading.former_numbers) if number)


def _local_id(reading: Reading) -> str | None:
    return reading.patient.source.id.rpartition("/")[2] or None if reading.patient else None
