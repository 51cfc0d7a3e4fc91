"""Twins of two hospitals, which push their days; and what a configuration says of their feeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from mpftconnect.adapters import FaultSwitch, Sent, TwinRequest, TwinResponse, json_response
from mpftconnect.sandbox import EXCLUDED_CODES, Person
from mpftconnect_acute import faults
from mpftconnect_acute.day import Day, Told, day_of
from mpftconnect_acute.messages import Hospital, Line, Result, Subject

__all__ = ["NORTHMERE", "WESTLEY", "HospitalTwin", "configure"]

NORTHMERE: Final = Hospital("Northmere General Hospital", "ZZ220", "NG", ("Heron Ward", "Kingfisher Ward"))
WESTLEY: Final = Hospital("Westley Infirmary", "ZZ230", "WI", ("Ward 4", "Ward 9"))

_LAST_RESULT: Final = (14, 2)
_FEEDS: Final = {
    "pas": (("PAS",), ("encounters", "appointments", "referrals", "allergies", "problems", "immunisations"), 60),
    "lab": (("LIMS", "RIS"), ("results", "reports"), 60),
    # Letters come once a day at most: the next day until evening, the last one may be a day and a half old.
    "docs": (("DOCS",), ("documents",), 2880),
}


class HospitalTwin:
    """A hospital that pushes a day of messages about whom it knows.

    Args:
        people: The synthetic people; it knows those who have a view of it, or all whom a tracing service would find.
        hospital: Which hospital it is.
        seed: Of everything that is left to chance.
    """

    def __init__(self, people: Sequence[Person], hospital: Hospital, seed: int = 0) -> None:
        self.faults = FaultSwitch()
        self.hospital, self.seed = hospital, seed
        self._people = [(person, _subject(person, hospital, place)) for place, person in enumerate(_known(people), 1)]

    def handle(self, request: TwinRequest) -> TwinResponse:
        """A hospital that pushes answers nothing."""
        return json_response({"message": "this system pushes, and answers nothing"}, 404)

    def sent(self, now: datetime) -> list[Sent]:
        """What its feeds have sent by now, in order of arrival: the latest day that had its last result at 14:02.

        After that the feeds go on until just before `now`, unless the fault `silent-feed` is on: then the laboratory
        was last heard at 14:02 of that day.
        """
        day = self.day(_latest(now))
        self._go_on(day, now)
        return [told.sent() for told in sorted(day.told, key=lambda told: told.at) if told.at <= now]

    def day(self, on: date) -> Day:
        """The messages of one day, faults included."""
        day = day_of(self.hospital, [(person.role, who) for person, who in self._people], on, seed=self.seed)
        self._excluded(day)
        for fault, story in (
            (faults.WRONG_PATIENT, self._wrong_patient),
            (faults.UNKNOWN_PERSON, self._unknown),
            (faults.OTHER_CONTENT, self._other_content),
            (faults.BROKEN_STRUCTURE, self._broken),
        ):
            if fault in self.faults:
                story(day)
        if self._people:
            who = self._people[0][1]
            line = Line("GLU", "Glucose", "5.4", "mmol/L", "3.0-6.0", "N")
            result = Result("LAST", "GLU", "Glucose", day.at(13, 20), [line], "F", "CH")
            day.oru(who, result, day.at(*_LAST_RESULT) - timedelta(minutes=1), day.at(*_LAST_RESULT))
        return day

    def _go_on(self, day: Day, now: datetime) -> None:
        if not self._people:
            return
        _, who = self._people[-1]
        stated = now - timedelta(minutes=9)
        day.adt("A31", who, stated)
        if faults.SILENT not in self.faults:
            line = Line("GLU", "Glucose", "4.9", "mmol/L", "3.0-6.0", "N")
            day.oru(who, Result("NOW", "GLU", "Glucose", stated - timedelta(minutes=30), [line], "F", "CH"), stated)

    # --- what is not usual -------------------------------------------------------------------------------------

    def _excluded(self, day: Day) -> None:
        """Somebody whose record holds what a silent policy excludes has it in the hospital's messages too."""
        for person, who in self._people:
            if _has_excluded(person):
                line = Line(EXCLUDED_CODES[0], "Gonorrhoea", "Detected")
                result = Result("S1", EXCLUDED_CODES[0], "Microbiology", day.at(9, 0), [line], "F", "MB")
                day.oru(who, result, day.at(12, 50))

    def _wrong_patient(self, day: Day) -> None:
        if len(self._people) < 2:
            return
        (_, right), (_, wrong) = self._people[:2]
        line = Line("HBA1C", "HbA1c", "71", "mmol/mol", "20-41", "H")
        result = Result("W1", "HBA1C", "HbA1c", day.at(8, 30), [line], "F", "CH")
        day.oru(wrong, result, day.at(9, 20))
        day.oru(wrong, replace(result, status="C", lines=[replace(line, status="W")]), day.at(10, 40))
        day.oru(right, result, day.at(10, 41))

    def _unknown(self, day: Day) -> None:
        nobody = replace(self._people[0][1], number="9990009996", local="X1")
        day.adt("A01", nobody, day.at(9, 9), visit="VX1", ward=self.hospital.wards[0], admitted=day.at(9, 5))

    def _other_content(self, day: Day) -> None:
        """The control id of the first message again, with another patient class in it."""
        first = day.told[0]
        day.told.append(
            Told(
                first.at + timedelta(minutes=30), first.feed, first.control, first.body.replace(b"PV1|1|I", b"PV1|1|O")
            )
        )

    def _broken(self, day: Day) -> None:
        whole = day.adt("A31", self._people[0][1], day.at(9, 31))
        kept = [line for line in whole.body.split(b"\r") if not line.startswith(b"PID")]
        day.told[-1] = replace(whole, body=b"\r".join(kept))


def configure(twin: HospitalTwin) -> dict[str, Any]:
    """The system's table, and its feeds'."""
    hospital = twin.hospital
    name = hospital.prefix.lower()
    return {
        "settings": {"site": hospital.name},
        "feeds": {
            f"{name}-{feed}": {
                "senders": [
                    {"application": f"{hospital.prefix}{application}", "facility": hospital.code}
                    for application in applications
                ],
                "expected_minutes": minutes,
                "sections": list(sections),
            }
            for feed, (applications, sections, minutes) in _FEEDS.items()
        },
    }


def _latest(now: datetime) -> date:
    """The latest day whose 14:02 is more than three hours ago: a feed that stopped then is overdue by now."""
    local = (now - timedelta(hours=3)).astimezone(UTC)
    return local.date() if (local.hour, local.minute) >= (15, 0) else local.date() - timedelta(days=1)


def _known(people: Sequence[Person]) -> list[Person]:
    """Whom a hospital could send messages about: somebody with a name, whose number may be used."""
    return [
        person
        for person in people
        if person.patient.names and not any("invalidated" in view.settings for view in person.systems.values())
    ]


def _subject(person: Person, hospital: Hospital, place: int) -> Subject:
    return Subject(person.patient, person.nhs_number, f"{hospital.prefix}{410000 + place}")


def _has_excluded(person: Person) -> bool:
    return any(
        code in item.model_dump_json()
        for view in person.systems.values()
        for items in view.items.values()
        for item in items
        for code in EXCLUDED_CODES
    )
