"""A RiO that pushes ADT messages. What it sends is *assumed*, since no specification of RiO's feed is public.

Assumed: version 2.4 with the British conventions (HSCIC ITK HL7 v2 Message Specifications 1.0.15); MSH-3 `RIO`, MSH-4
the trust; in PID-3 the client id under the trust's code with type PI beside the NHS number; PV1-19 the stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from mpftconnect.adapters import FaultSwitch, Sent, TwinRequest, TwinResponse, json_response
from mpftconnect.hl7v2 import build
from mpftconnect.model import Patient
from mpftconnect.sandbox import Person

__all__ = ["RioAdtTwin", "configure"]

_TRUST: Final = "RRE"
_ZONE: Final = ZoneInfo("Europe/London")
_EXPECTED_MINUTES: Final = 120
# HL7 v2.4, table 0354: the structure of each event's message.
_STRUCTURES: Final = {
    **dict.fromkeys(("A01", "A04", "A08", "A13"), "ADT_A01"),
    **dict.fromkeys(("A05", "A28", "A31"), "ADT_A05"),
    **dict.fromkeys(("A06", "A07"), "ADT_A06"),
    "A02": "ADT_A02",
    "A03": "ADT_A03",
    "A11": "ADT_A09",
    "A12": "ADT_A09",
    "A40": "ADT_A39",
}
_SEX: Final = {"male": "M", "female": "F", "other": "O"}  # Table 0001
_WARD, _OTHER_WARD = "WILLOW", "ROWAN"
# What happens in a day, to whom: hour and minute, event, class, ward, which stay.
_STORIES: Final[dict[str, tuple[tuple[str, str, str, str, int], ...]]] = {
    "full": (
        ("08:00", "A04", "O", "CLINIC1", 1),
        ("09:10", "A06", "I", _WARD, 1),
        ("10:00", "A02", "I", _OTHER_WARD, 1),
        ("10:20", "A12", "I", _WARD, 1),
        ("11:00", "A08", "I", _WARD, 1),
        ("13:00", "A03", "I", _WARD, 1),
        ("13:15", "A13", "I", _WARD, 1),
        ("14:30", "A05", "I", _OTHER_WARD, 2),
    ),
    "sparse": (("09:00", "A01", "I", _WARD, 1), ("09:25", "A11", "I", _WARD, 1)),
    "conflicting": (("08:30", "A01", "I", _WARD, 1), ("12:00", "A07", "O", "CLINIC1", 1)),
    "restricted": (("10:40", "A01", "I", _WARD, 1),),
}
# Registered a second time, without an NHS number, before the two records were found to be one.
_TWICE: Final = "sparse"
_SECOND_ID: Final = "RX7499026"


class RioAdtTwin:
    """A RiO that tells a day of whom it holds.

    Args:
        people: The synthetic people; it holds those who have a view of `rio`.
    """

    def __init__(self, people: Sequence[Person]) -> None:
        self.faults = FaultSwitch()
        self._people = [each for each in people if "rio" in each.systems and each.patient_at("rio").names]

    def handle(self, request: TwinRequest) -> TwinResponse:
        """A feed is asked nothing."""
        return json_response({"message": "this system pushes, and answers nothing"}, 404)

    def sent(self, now: datetime) -> list[Sent]:
        """Yesterday's messages in order of arrival, and one a few minutes old: the feed is heard."""
        sent = self.day((now.astimezone(_ZONE) - timedelta(days=1)).date())
        if self._people:
            at = now - timedelta(minutes=9)
            sent.append(Sent(at, _message("A31", at, "NOW", self._people[0], _local(self._people[0]))))
        return sent

    def day(self, on: date) -> list[Sent]:
        """One day's messages; the same day gives the same bytes."""
        told: list[tuple[datetime, str, Person, dict[str, Any]]] = []
        for person in self._people:
            told.append((_at(on, "06:00"), "A28", person, {}))
            story = _STORIES.get(person.role, ())
            begun = {stay: _at(on, clock) for clock, *_, stay in reversed(story)}
            for clock, trigger, kind, ward, stay in story:
                visit = {"kind": kind, "ward": ward, "stay": f"{_local(person)}-{stay}", "begun": begun[stay]}
                told.append((_at(on, clock), trigger, person, visit))
            if person.role == _TWICE:
                told.append((_at(on, "07:00"), "A28", person, {"local": _SECOND_ID, "traced": False}))
                told.append((_at(on, "12:30"), "A40", person, {"retired": _SECOND_ID}))
        told.sort(key=lambda one: one[0])
        return [
            Sent(at, _message(trigger, at, f"{on:%y%m%d}{number:04}", person, **{"local": _local(person), **more}))
            for number, (at, trigger, person, more) in enumerate(told, 1)
        ]


def configure() -> dict[str, Any]:
    """The system's table, and its feed's."""
    feed = {
        "senders": [{"application": "RIO", "facility": _TRUST}],
        "expected_minutes": _EXPECTED_MINUTES,
        "sections": ["encounters"],
    }
    return {"feeds": {"rio-adt": feed}}


def _local(person: Person) -> str:
    return person.systems["rio"].local_id


def _at(on: date, clock: str) -> datetime:
    return datetime.combine(on, time.fromisoformat(clock), _ZONE).astimezone(UTC)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(_ZONE):%Y%m%d%H%M%S}"


def _message(
    trigger: str,
    at: datetime,
    number: str,
    person: Person,
    local: str,
    *,
    traced: bool = True,
    retired: str = "",
    kind: str = "N",
    ward: str = "",
    stay: str = "",
    begun: datetime | None = None,
) -> bytes:
    patient = person.patient_at("rio")
    message = build(
        f"ADT^{trigger}^{_STRUCTURES[trigger]}",
        sending=("RIO", _TRUST),
        receiving=("MPFTCONNECT", _TRUST),
        control_id=f"RIO{number}",
        at=at.astimezone(_ZONE).replace(tzinfo=None),
        charset="UNICODE UTF-8",
    ).set("MSH-17", "GBR")
    message.set("EVN-1", trigger).set("EVN-2", _moment(at))
    message.set("PID-1", "1")
    numbers = [(local, _TRUST, "PI"), *([(person.nhs_number, "NHS", "NH")] if traced else [])]
    for place, (value, authority, sort) in enumerate(numbers, 1):
        message.set(f"PID-3[{place}].1", value).set(f"PID-3[{place}].4.1", authority).set(f"PID-3[{place}].5", sort)
    _describe(message, patient)
    if traced:
        message.set("PID-32", "01")
    if retired:
        message.set("MRG-1.1", retired).set("MRG-1.4.1", _TRUST).set("MRG-1.5", "PI")
        return message.raw
    message.set("PV1-1", "1").set("PV1-2", kind)
    if stay:
        message.set("PV1-3.1", ward).set("PV1-3.4.1", _TRUST)
        message.set("PV1-19.1", stay).set("PV1-19.4.1", _TRUST).set("PV1-19.5", "VN")
    if begun is not None and trigger != "A05":
        message.set("PV1-44", _moment(begun))
    if trigger == "A03":
        message.set("PV1-45", _moment(at))
    return message.raw


def _describe(message: Any, patient: Patient) -> None:
    name = patient.names[0]
    message.set("PID-5.1.1", name.family).set("PID-5.2", " ".join(name.given) or None).set("PID-5.7", "L")
    if patient.birth_date is not None:
        message.set("PID-7", patient.birth_date.text.replace("-", ""))
    message.set("PID-8", _SEX.get(patient.gender or "", "U"))
    if patient.addresses:
        home = patient.addresses[0]
        message.set("PID-11.1.1", home.line[0] if home.line else None).set("PID-11.3", home.city)
        message.set("PID-11.5", home.postal_code).set("PID-11.7", "H")
