"""A RiO of three synthetic clients, and the ways to read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.adapters import (
    AdapterContext,
    Deadline,
    Endpoint,
    Found,
    MemoryRecorder,
    Reading,
    Refusal,
    Wire,
)
from mpftconnect.errors import AdapterError
from mpftconnect.events import EventStream
from mpftconnect.model import AccessContext, Item, NhsNumber, Notice
from mpftconnect_rio.adapter import RioExtractAdapter
from mpftconnect_rio.layout import LAYOUTS
from mpftconnect_rio.settings import ExtractSettings, RioExtractSettings
from mpftconnect_rio.twin import render

NOW = datetime(2025, 9, 1, 9, 0, tzinfo=UTC)
OURS, OTHER, THIRD = NhsNumber("9990000018"), NhsNumber("9990000026"), NhsNumber("9990000034")
FORMER = NhsNumber("9990000107")
CLIENT, OTHER_CLIENT, THIRD_CLIENT = "RX100", "RX200", "RX300"

Rows = list[dict[str, str]]

WHO = AccessContext(
    user="jane.doe",
    name="Jane Doe",
    role="community-nurse",
    organisation="RRE",
    purpose="direct-care",
    relationship="caseload",
    practitioner_id="555000001",
)


def person_rows(number: str, client: str, mark: str) -> dict[str, Rows]:
    """One row of everything for one client; `mark` stands in every text, so that a stranger's is known at once."""
    who = {"client_id": client, "nhs_number": number}
    team = {"team_code": "T1", "team_name": "Larkfield Community Team"}
    staff = {"staff_code": "555000001", "staff_name": f"Nurse {mark}", "staff_role": "nurse"}
    return {
        "client_index": [
            {
                **who,
                "nhs_number_status": "01",
                "title": "Mx",
                "given_names": f"Given {mark}",
                "family_name": f"Family {mark}",
                "birth_date": "02/03/1950",
                "gender": "F",
                "address_line_1": f"1 {mark} Row",
                "postcode": "ZZ99 3CZ",
                "home_phone": "01632 960001",
                "interpreter": "Yes",
                "language": "Polish",
            }
        ],
        "caseload": [
            {**who, **team, **staff, "referral_id": f"R{client}", "referred": "14/06/2021", "status": "Open"},
            {
                **who,
                "team_code": "T2",
                "team_name": "Podiatry",
                "referral_id": f"Q{client}",
                "referred": "01/02/2020",
                "discharged": "01/03/2020",
                "status": "Closed",
            },
        ],
        "contacts": [
            {
                **who,
                **team,
                **staff,
                "contact_id": f"C{client}",
                "start": "20/08/2025 14:00",
                "end": "20/08/2025 14:50",
                "type": f"Home visit {mark}",
                "outcome": "Attended",
                "referral_id": f"R{client}",
            }
        ],
        "progress_notes": [
            {
                **who,
                **team,
                **staff,
                "note_id": f"N{client}",
                "date": "20/08/2025 15:10",
                "validated": "Yes",
                "contact_id": f"C{client}",
                "text": f'Seen at home {mark}.\nSaid: "better, thank you".',
            }
        ],
        "care_plans": [
            {
                **who,
                **team,
                "plan_id": f"P{client}",
                "title": f"Plan {mark}",
                "status": "Active",
                "created": "20/05/2025",
                "coordinator": f"Nurse {mark}",
                "agreed": "Yes",
                "agreed_date": "20/05/2025",
                **line,
            }
            for line in (
                {"line_type": "About me", "text": f"Likes the garden {mark}"},
                {"line_type": "Goal", "line_id": "g1", "text": f"To sleep {mark}", "when": "01/12/2025"},
                {"line_type": "Action", "text": f"Weekly visit {mark}", "who": "Nurse", "when": "every Monday"},
                {"line_type": "Crisis: trigger", "text": f"January {mark}", "phone": "01632 960077"},
                {"line_type": "Crisis: whom to call", "text": "Crisis line", "phone": "01632 960099"},
            )
        ],
        "alerts": [
            {
                **who,
                **team,
                "alert_id": f"A{client}",
                "text": f"Dog at home {mark}",
                "status": "Active",
                "start": "2021",
            }
        ],
        "appointments": [
            {
                **who,
                **team,
                **staff,
                "appointment_id": f"B{client}",
                "start": "20/11/2025 10:30",
                "minutes": "45",
                "type": f"Review {mark}",
                "status": "Booked",
            }
        ],
    }


def everyone() -> dict[str, Rows]:
    """Every extract's rows for all three clients."""
    found: dict[str, Rows] = {name: [] for name in LAYOUTS}
    for number, client, mark in (
        (OURS, CLIENT, "ours"),
        (OTHER, OTHER_CLIENT, "other"),
        (THIRD, THIRD_CLIENT, "third"),
    ):
        for name, rows in person_rows(number, client, mark).items():
            found[name] += rows
    return found


@dataclass
class Section:
    """What one read method gave."""

    items: list[Any] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    error: AdapterError | None = None

    @property
    def item(self) -> Any:
        [item] = self.items
        return item


class Rio:
    """The extract adapter over files in a folder, read as the hub would."""

    def __init__(self, folder: Path, settings: RioExtractSettings, max_bytes: int = 20_000_000) -> None:
        self.folder = folder
        self.wire = Wire(
            "rio",
            Endpoint(environment="test", max_bytes=max_bytes),
            events=EventStream(),
            recorder=MemoryRecorder(limit=100),
        )
        self.adapter = RioExtractAdapter(
            AdapterContext(
                name="rio",
                environment="test",
                settings=settings,
                secret=lambda name: "secret",
                wire=self.wire,
                events=EventStream(),
                folder=folder,
            )
        )

    def reading(self, number: NhsNumber = OURS, **more: Any) -> Reading:
        deadline = Deadline.after(20)
        given = {"system": "rio", "who": WHO, "nhs_number": number, "now": lambda: NOW} | more
        return Reading(wire=self.wire.bound(deadline=deadline), deadline=deadline, **given)

    def found(self, number: NhsNumber = OURS, **more: Any) -> Reading:
        """A reading that knows the person as RiO does."""
        reading = self.reading(number, **more)
        patient = self.adapter.find_patient(reading)
        assert patient is not None
        return reading.found(patient)

    def read(self, section: str, reading: Reading | None = None) -> Section:
        return collect(lambda: getattr(self.adapter, f"read_{section}")(reading or self.found()))


def collect(read: Callable[[], Any]) -> Section:
    """Everything that was yielded, and what was raised."""
    section = Section()
    try:
        found: Found
        for found in read():
            kind = section.items if isinstance(found, Item) else section.notices if isinstance(found, Notice) else None
            (section.refusals if kind is None else kind).append(found)  # type: ignore[arg-type]
    except AdapterError as error:
        section.error = error
    return section


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Rio]]:
    """Makes a RiO: `make(rows, contacts={"delimiter": "|"}, raw={"alerts": b"..."}, settings={...})`."""
    made: list[Rio] = []

    def build(
        rows: Mapping[str, Rows] | None = None,
        *,
        raw: Mapping[str, bytes | None] | None = None,
        settings: Mapping[str, Any] | None = None,
        max_bytes: int = 20_000_000,
        **extracts: Mapping[str, Any],
    ) -> Rio:
        folder = tmp_path / f"rio{len(made)}"
        folder.mkdir()
        tables = rows or everyone()
        written: dict[str, ExtractSettings] = {}
        for name in LAYOUTS:
            defaults = {"path": f"{name}.csv", "maximum_age_hours": None}
            written[name] = ExtractSettings(**(defaults | dict(extracts.get(name, {}))))
            body = render(name, tables[name], written[name])
            if raw is not None and name in raw:
                given = raw[name]
                if given is None:
                    continue
                body = given
            (folder / f"{name}.csv").write_bytes(body)
        own = RioExtractSettings(**({"organisation": "RRE", "extracts": written} | dict(settings or {})))
        made.append(Rio(folder, own, max_bytes))
        return made[-1]

    yield build
    for rio in made:
        rio.wire.close()


@pytest.fixture
def rio(make: Callable[..., Rio]) -> Rio:
    return make()


def with_relationship(who: AccessContext = WHO, **changes: Any) -> AccessContext:
    return who.model_copy(update=changes)


__all__ = ["collect", "everyone", "person_rows", "replace", "with_relationship"]
