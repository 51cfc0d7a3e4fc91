"""A hospital's day, as its feeds tell it: for each person a few stories, and all of them in the order of arrival.

A usual day has in it what feeds do on usual days: a result that comes preliminary, final and corrected; one that is
withdrawn; a message that comes twice, one that comes late and one that overtakes another; two numbers of one person
that are found to be one. One seed gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from mpftconnect.adapters import Sent
from mpftconnect_acute import messages
from mpftconnect_acute.messages import Hospital, Line, Result, Subject

__all__ = ["Day", "Told", "day_of"]

_ZONE: Final = ZoneInfo("Europe/London")
_LATER: Final = timedelta(minutes=2)

_BLOOD_COUNT: Final = (
    Line("HB", "Haemoglobin", "118", "g/L", "120-150", "L"),
    Line("WBC", "White cell count", "11.4", "10*9/L", "4.0-11.0", "H"),
    Line("PLT", "Platelet count", "264", "10*9/L", "150-400", "N"),
)
_KIDNEY: Final = (
    Line("NA", "Sodium", "139", "mmol/L", "133-146", "N"),
    Line("K", "Potassium", "6.1", "mmol/L", "3.5-5.3", "H"),
    Line("CREA", "Creatinine", "96", "umol/L", "45-84", "H"),
)
_FOUND: Final = ("AL1|1|DA|PENIC^Penicillin^L|SV|Rash", "DG1|1||J18.9^Pneumonia^I10|||A")
_CLINIC: Final = "Respiratory clinic"
_CHEST: Final = Line("CXR", "Chest X-ray", "Lung fields are clear. The heart is not enlarged. No fracture is seen.")


@dataclass(frozen=True, slots=True)
class Told:
    """A message of the day.

    Args:
        at: When it arrives.
        feed: Which feed brings it: `pas`, `lab`, `docs`.
        control: Its control id.
        body: Its bytes.
    """

    at: datetime
    feed: str
    control: str
    body: bytes = field(repr=False)

    def sent(self) -> Sent:
        return Sent(self.at, self.body)


class Day:
    """The telling of one day.

    Args:
        hospital: Whose day.
        on: Which day.
        seed: Of everything that is left to chance.
    """

    def __init__(self, hospital: Hospital, on: date, seed: int) -> None:
        self.hospital, self.on = hospital, on
        self.random = Random(f"{hospital.code} {on.isoformat()} {seed}")  # noqa: S311 - a story, not a secret
        self.told: list[Told] = []
        self._count = 0

    def at(self, hour: int, minute: int = 0) -> datetime:
        """A time of the day, in the hospital's zone."""
        return datetime.combine(self.on, time(hour, minute), _ZONE).astimezone(UTC)

    def control(self) -> str:
        """The next control id."""
        self._count += 1
        return f"{self.hospital.prefix}{self.on:%y%m%d}{self._count:05}"

    def tell(self, feed: str, make: Callable[[str], bytes], at: datetime) -> Told:
        """One message, made with its control id, that arrives at `at`."""
        control = self.control()
        told = Told(at, feed, control, make(control))
        self.told.append(told)
        return told

    def again(self, told: Told, at: datetime) -> None:
        """The same bytes once more: a repeat, which changes nothing."""
        self.told.append(replace(told, at=at))

    def adt(self, trigger: str, who: Subject, stated: datetime, arrives: datetime | None = None, **more: Any) -> Told:
        def make(control: str) -> bytes:
            return messages.adt(self.hospital, trigger, who, stated, control, **more)

        return self.tell("pas", make, arrives or stated + _LATER)

    def oru(
        self, who: Subject, result: Result, stated: datetime, arrives: datetime | None = None, application: str = "LIMS"
    ) -> Told:
        def make(control: str) -> bytes:
            return messages.oru(self.hospital, application, who, result, stated, control)

        return self.tell("lab", make, arrives or stated + _LATER)


# --- stories ---------------------------------------------------------------------------------------------------


def admission(day: Day, who: Subject, number: str) -> None:
    """Admitted, said twice; moved; seen; the discharge is taken back, and then happens, told late."""
    ward, other = day.hospital.wards[0], day.hospital.wards[1]
    came, visit = day.at(8, 40), f"V{number}"
    here: dict[str, Any] = {"visit": visit, "admitted": came}
    first = day.adt("A01", who, came, ward=ward, more=_FOUND, **here)
    day.again(first, first.at + timedelta(minutes=6))
    # The move is told after the update that follows it.
    day.adt("A02", who, day.at(11, 15), day.at(11, 52), ward=other, before=ward, **here)
    day.adt("A08", who, day.at(11, 48), ward=other, **here)
    day.adt("A03", who, day.at(12, 30), ward=other, discharged=day.at(12, 30), **here)
    day.adt("A13", who, day.at(12, 41), ward=other, **here)


def bloods(day: Day, who: Subject, number: str) -> None:
    """A blood count: preliminary, final, and one value corrected."""
    count = Result(f"B{number}", "FBC", "Full blood count", day.at(9, 5), _BLOOD_COUNT, "F")
    early = replace(count, status="P", lines=[replace(line, status="P") for line in _BLOOD_COUNT])
    day.oru(who, early, day.at(9, 30))
    day.oru(who, count, day.at(10, 20))
    mended = replace(_BLOOD_COUNT[0], value="108", status="C")
    day.oru(who, replace(count, status="C", lines=[mended, *_BLOOD_COUNT[1:]]), day.at(13, 10))


def overtaken(day: Day, who: Subject, number: str) -> None:
    """The final result arrives before the preliminary one."""
    test = Result(f"O{number}", "CRP", "C-reactive protein", day.at(9, 40), (), "F", "CH")
    line = Line("CRP", "C-reactive protein", "42", "mg/L", "0-5", "H")
    early = replace(test, status="P", lines=[replace(line, value="40", status="P")])
    day.oru(who, early, day.at(10, 5), day.at(10, 58))
    day.oru(who, replace(test, lines=[line]), day.at(10, 50), day.at(10, 52))


def withdrawn(day: Day, who: Subject, number: str) -> None:
    """A result that the laboratory takes back: the sample was another person's."""
    test = Result(f"K{number}", "UE", "Urea and electrolytes", day.at(9, 15), _KIDNEY, "F", "CH")
    day.oru(who, test, day.at(9, 50))
    day.oru(who, replace(test, status="C", lines=[replace(line, status="W") for line in _KIDNEY]), day.at(12, 5))


def imaging(day: Day, who: Subject, number: str) -> None:
    """A report of radiology, in words."""
    test = Result(f"X{number}", "XCHES", "Chest X-ray", day.at(10, 0), [_CHEST], "F", "RAD")
    day.oru(who, test, day.at(11, 25), application="RIS")


def discharge_letter(day: Day, who: Subject, number: str) -> None:
    """A letter, and the one that replaces it."""
    hospital, first = day.hospital, f"D{number}"
    words = "Seen today. Observations were stable. Please check the blood count in one week."

    def make(control: str) -> bytes:
        return messages.letter(hospital, who, first, "Discharge summary", words, day.at(12, 15), control)

    def mend(control: str) -> bytes:
        more = f"{words} Ramipril was stopped."
        return messages.letter(
            hospital,
            who,
            f"{first}B",
            "Discharge summary, amended",
            more,
            day.at(13, 30),
            control,
            trigger="T08",
            parent=first,
        )

    day.tell("docs", make, day.at(12, 17))
    day.tell("docs", mend, day.at(13, 32))


def clinic(day: Day, who: Subject, number: str) -> None:
    """A booking that is moved."""
    hospital, starts = day.hospital, day.at(10, 0) + timedelta(days=9)

    def book(control: str) -> bytes:
        return messages.siu(hospital, "S12", who, f"A{number}", _CLINIC, starts, 20, day.at(9, 12), control)

    def move(control: str) -> bytes:
        later = starts + timedelta(days=7)
        return messages.siu(hospital, "S13", who, f"A{number}", _CLINIC, later, 20, day.at(11, 2), control)

    day.tell("pas", book, day.at(9, 14))
    day.tell("pas", move, day.at(11, 4))


def cancelled_clinic(day: Day, who: Subject, number: str) -> None:
    """A booking that is cancelled."""
    hospital, starts = day.hospital, day.at(14, 30) + timedelta(days=3)
    for trigger, hour in (("S12", 8), ("S15", 12)):

        def make(control: str, trigger: str = trigger, hour: int = hour) -> bytes:
            reason = "Eye clinic"
            return messages.siu(hospital, trigger, who, f"E{number}", reason, starts, 15, day.at(hour, 33), control)

        day.tell("pas", make, day.at(hour, 35))


def onward(day: Day, who: Subject, number: str) -> None:
    """A referral to the community."""

    def make(control: str) -> bytes:
        return messages.referral(day.hospital, who, f"R{number}", "Community nursing", day.at(13, 5), control)

    day.tell("pas", make, day.at(13, 7))


def vaccinated(day: Day, who: Subject, number: str) -> None:
    """A vaccination on the ward."""

    def make(control: str) -> bytes:
        return messages.vaccination(day.hospital, who, f"N{number}", day.at(11, 30), day.at(11, 40), control)

    day.tell("pas", make, day.at(11, 42))


def two_numbers(day: Day, who: Subject, number: str) -> None:
    """The emergency department made a second number for somebody it knew; it is merged two hours later."""
    second = replace(who, local=f"T{who.local}")
    day.adt(
        "A04", second, day.at(7, 55), visit=f"E{number}", ward="Emergency department", kind="E", admitted=day.at(7, 50)
    )
    test = Result(
        f"T{number}",
        "TROP",
        "Troponin T",
        day.at(8, 10),
        [Line("TROP", "Troponin T", "9", "ng/L", "0-14", "N")],
        "F",
        "CH",
    )
    day.oru(second, test, day.at(8, 45))
    day.tell(
        "pas", lambda control: messages.merge(day.hospital, who, second.local, day.at(10, 2), control), day.at(10, 3)
    )


def called_off(day: Day, who: Subject, number: str) -> None:
    """An admission that is cancelled."""
    more: dict[str, Any] = {"visit": f"C{number}", "ward": day.hospital.wards[1], "admitted": day.at(9, 0)}
    day.adt("A01", who, day.at(9, 0), **more)
    day.adt("A11", who, day.at(9, 25), **more)


Story = Callable[[Day, Subject, str], None]
FULL: Final[Sequence[Story]] = (admission, bloods, withdrawn, imaging, discharge_letter, clinic, onward, vaccinated)
OTHERS: Final[Sequence[Story]] = (
    admission,
    bloods,
    overtaken,
    withdrawn,
    imaging,
    discharge_letter,
    clinic,
    cancelled_clinic,
    two_numbers,
    called_off,
)


def day_of(hospital: Hospital, people: Sequence[tuple[str, Subject]], on: date, *, seed: int = 0, most: int = 2) -> Day:
    """A day of a hospital.

    Args:
        people: Each with their role; whoever is `full` has a day with everything in it.
        most: How many stories anybody else has at the most.
    """
    day = Day(hospital, on, seed)
    for place, (role, who) in enumerate(people, 1):
        own = FULL if role == "full" else _drawn(day.random, most, place)
        for story in own:
            story(day, who, f"{on:%y%m%d}{place:02}")
    return day


def _drawn(random: Random, most: int, place: int) -> list[Story]:
    # Every story is told by somebody, however the rest is drawn.
    first = OTHERS[place % len(OTHERS)]
    return [first, *random.sample([story for story in OTHERS if story is not first], random.randint(0, most - 1))]
