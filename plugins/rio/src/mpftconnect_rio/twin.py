"""The twin of a RiO that writes report extracts: CSV over HTTP, or files in a folder.

Assumed: no specification of RiO's reports is public. The columns are those of `layout.py`, which are ours; the form is
that of RFC 4180. What the columns cannot say (codes, intent, references) a report would not say either, so it is left
out here, and a person read from extracts shows less than one read from a FHIR interface.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from mpftconnect.adapters import Fault, FaultSwitch, TwinRequest, TwinResponse
from mpftconnect.model import (
    DEFAULT_ZONE,
    Actor,
    Appointment,
    CarePlan,
    Concept,
    ContactPoint,
    Encounter,
    Flag,
    Item,
    Line,
    PartialDate,
    Patient,
    Period,
    ProgressNote,
    When,
)
from mpftconnect_rio.layout import LAYOUTS, LINE_TYPES
from mpftconnect_rio.settings import ExtractSettings

if TYPE_CHECKING:
    from mpftconnect.sandbox import Person, SystemView

__all__ = ["DATE_FORMATS", "ORGANISATION", "TOKEN", "RioExtractTwin", "configure", "render", "tables"]

ORGANISATION = "RRE"
TOKEN = "rio-extract-sandbox"  # noqa: S105 - of the twin alone, and published with it
# Written by the twin: partial dates too, since people remember a year and no more.
DATE_FORMATS = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y", "%m/%Y", "%Y")
TRAILER = "END OF REPORT"
# When the twin says its reports were cut; fixed, so that every run answers the same.
WRITTEN = datetime(2025, 9, 1, 5, 0, tzinfo=UTC)

Table = list[dict[str, str]]
T = TypeVar("T", bound=Item)


class RioExtractTwin:
    """Serves `/<extract>.csv`, each with every person's rows; wants a bearer token.

    Args:
        people: Whose rows; those without a view named `rio` are not known to it.
        written: What `Last-Modified` says.
    """

    def __init__(self, people: Sequence[Person], *, written: datetime = WRITTEN) -> None:
        self.faults = FaultSwitch()
        self._tables = tables(people)
        self._written = written

    def handle(self, request: TwinRequest) -> TwinResponse:
        if Fault.STALE_TOKEN in self.faults or request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return TwinResponse(401, {"WWW-Authenticate": "Bearer"})
        if request.method != "GET":
            return TwinResponse(405, {"Allow": "GET"})
        name = request.path.strip("/").removesuffix(".csv")
        if not name:
            listing = "\n".join(f"{extract}.csv" for extract in self._tables)
            return TwinResponse(200, {"Content-Type": "text/plain; charset=utf-8"}, listing.encode())
        if name not in self._tables:
            return TwinResponse(404)
        headers = {
            "Content-Type": "text/csv; charset=utf-8",
            "Last-Modified": format_datetime(self._written, usegmt=True),
        }
        return TwinResponse(200, headers, render(name, self._rows(name), settings_of(name)))

    def write(self, folder: Path) -> dict[str, Path]:
        """The same extracts as files, by name."""
        written = {}
        for name, rows in self._tables.items():
            written[name] = folder / f"{name}.csv"
            written[name].write_bytes(render(name, rows, settings_of(name)))
        return written

    def _rows(self, name: str) -> Table:
        rows = self._tables[name]
        if Fault.WRONG_PATIENT not in self.faults or name == "client_index":
            return rows
        # Every row under the number of the person behind: client id and number then name two people.
        numbers = list(dict.fromkeys(row["nhs_number"] for row in rows))
        behind = dict(zip(numbers, [*numbers[1:], *numbers[:1]], strict=True))
        return [{**row, "nhs_number": behind[row["nhs_number"]]} for row in rows]


def settings_of(name: str) -> ExtractSettings:
    """How the twin writes the extract of that name: everything by default."""
    return ExtractSettings(url=f"{name}.csv", date_formats=DATE_FORMATS, trailer=TRAILER)


def configure(twin: Any, base_url: str) -> dict[str, Any]:
    """The system's table of a configuration that reads this twin."""
    extracts = {
        name: {
            "url": f"{name}.csv",
            "date_formats": list(DATE_FORMATS),
            "trailer": TRAILER,
            # The twin's reports are never cut anew.
            "maximum_age_hours": 24 * 365 * 100,
        }
        for name in LAYOUTS
    }
    return {
        "adapter": "rio-extract",
        "endpoint": base_url,
        "settings": {"organisation": ORGANISATION, "bearer": True, "extracts": extracts},
        "secrets": {"token": TOKEN},
    }


def render(name: str, rows: Table, settings: ExtractSettings, order: Sequence[str] | None = None) -> bytes:
    """An extract as bytes, in the dialect of `settings`.

    Args:
        order: Fields in the order of their columns; that of the layout if None.
    """
    headings = settings.headings(name)
    fields = [field for field in order or headings if field in headings]
    backslash = settings.quoting == "backslash"
    text = io.StringIO(newline="")
    writer = csv.writer(
        text,
        delimiter=settings.delimiter,
        doublequote=not backslash,
        escapechar="\\" if backslash else None,
        lineterminator="\r\n",
    )
    writer.writerow([headings[field] for field in fields])
    for row in rows:
        writer.writerow([row.get(field, "") for field in fields])
    if settings.trailer:
        writer.writerow([settings.trailer, str(len(rows))])
    return text.getvalue().encode(settings.encoding)


def tables(people: Sequence[Person]) -> dict[str, Table]:
    """Every extract's rows, by field, in the order of the people."""
    found: dict[str, Table] = {name: [] for name in LAYOUTS}
    for person in people:
        view = person.systems.get("rio")
        if view is None:
            continue
        patient = person.patient_at("rio")
        # RiO may still have a number that was superseded, or none.
        who = {"client_id": view.local_id, "nhs_number": patient.nhs_number or ""}
        found["client_index"].append({**who, **_client(patient)})
        for name, rows in _MAKERS.items():
            found[name] += [{**who, **row} for row in rows(view)]
    return found


def _client(patient: Patient) -> dict[str, str]:
    name = patient.name
    previous = next((n.family for n in patient.names if n.use in ("old", "maiden")), None)
    address = patient.addresses[0] if patient.addresses else None
    lines = [*(address.line if address else ()), "", "", ""]
    need = patient.communication[0] if patient.communication else None
    gp = patient.general_practitioner[0] if patient.general_practitioner else Actor()
    return {
        "nhs_number_status": patient.verification_status or "",
        "title": " ".join(name.prefix) if name else "",
        "given_names": " ".join(name.given) if name else "",
        "family_name": (name.family if name else None) or "",
        "previous_family_name": previous or "",
        "birth_date": _date(patient.birth_date),
        "death_date": _when(patient.deceased) if isinstance(patient.deceased, When) else "",
        "gender": patient.gender or "",
        "address_line_1": lines[0],
        "address_line_2": lines[1],
        "address_line_3": ", ".join(line for line in lines[2:] if line),
        "town": (address.city if address else None) or "",
        "postcode": (address.postal_code if address else None) or "",
        "home_phone": _telecom(patient.telecom, "phone", "home"),
        "mobile_phone": _telecom(patient.telecom, "phone", "mobile"),
        "email": _telecom(patient.telecom, "email", None),
        "gp_name": gp.name or "",
        "gp_practice_code": gp.organization_code or "",
        "gp_practice_name": gp.organization or "",
        "ethnic_category": _words(patient.ethnic_category),
        "language": _words(need.language) if need else "",
        "interpreter": {True: "Yes", False: "No", None: ""}[need.interpreter_required if need else None],
        "reasonable_adjustments": "; ".join(_words(adjustment) for adjustment in patient.reasonable_adjustments),
    }


def _caseload(view: SystemView) -> Iterator[dict[str, str]]:
    # Referrals to the trust's own teams; the sandbox's people have them beside their items.
    for entry in view.settings.get("caseload", ()):
        yield {
            "referral_id": f"{view.local_id}-{entry['team_code']}",
            "team_code": entry["team_code"],
            "team_name": entry["team"],
            "staff_name": entry.get("practitioner") or "",
            "referred": _when(When(entry["opened"])),
            "discharged": _when(When(entry["closed"])) if entry.get("closed") else "",
            "status": "Closed" if entry.get("closed") else "Open",
        }


def _contacts(view: SystemView) -> Iterator[dict[str, str]]:
    for item in _held(view, Encounter):
        yield {
            "contact_id": _key(item.source.id),
            **_team(item.service),
            **_staff(item.participants[0].actor if item.participants else item.author),
            **_from_to(item.period),
            "type": _words(item.type[0]) if item.type else "",
            "outcome": {"finished": "Attended"}.get(item.status or "", item.status or ""),
            "reason": "; ".join(_words(reason) for reason in item.reason),
            "location": ", ".join(place.words() for place in item.location),
        }


def _notes(view: SystemView) -> Iterator[dict[str, str]]:
    for item in _held(view, ProgressNote):
        yield {
            "note_id": _key(item.source.id),
            **_team(item.service),
            **_staff(item.author),
            "date": _when(item.date),
            "entered": _when(item.recorded),
            "type": _words(item.type),
            "contact_id": _key(item.encounter.reference or "") if item.encounter else "",
            "text": item.text,
        }


def _alerts(view: SystemView) -> Iterator[dict[str, str]]:
    for item in _held(view, Flag):
        yield {
            "alert_id": _key(item.source.id),
            **_team(item.service),
            **_staff(item.author),
            **_from_to(item.period),
            "category": ", ".join(_words(category) for category in item.category),
            "text": _words(item.code),
            "detail": "; ".join(item.note),
            "status": _status(item.status),
            "recorded": _when(item.recorded),
        }


def _appointments(view: SystemView) -> Iterator[dict[str, str]]:
    for item in _held(view, Appointment):
        yield {
            "appointment_id": _key(item.source.id),
            **_team(item.service),
            **_staff(item.participants[0].actor if item.participants else None),
            "start": _when(item.start),
            "end": _when(item.end),
            "minutes": str(item.minutes) if item.minutes is not None else "",
            "type": item.description or _words(item.type),
            "status": {"fulfilled": "Attended", "noshow": "Did not attend"}.get(item.status or "", item.status or ""),
            "reason": "; ".join(_words(reason) for reason in item.reason),
            "location": ", ".join(place.words() for place in item.location),
            "instruction": item.patient_instruction or "",
            "cancellation_reason": _words(item.cancellation_reason),
            "created": _when(item.created),
        }


def _care_plans(view: SystemView) -> Iterator[dict[str, str]]:
    for plan in _held(view, CarePlan):
        whole = {
            "plan_id": _key(plan.source.id),
            "title": plan.title or "",
            "category": ", ".join(_words(category) for category in plan.category),
            "status": _status(plan.status),
            "created": _when(plan.created),
            **_from_to(plan.period),
            "review": _when(plan.review),
            **_team(plan.service),
            "author": plan.author.words() if plan.author else "",
            "coordinator": (plan.coordinator.name if plan.coordinator else None) or "",
            "coordinator_phone": _telecom(plan.coordinator.telecom, "phone", None) if plan.coordinator else "",
        }
        if plan.agreement:
            whole |= {
                "agreed": {True: "Yes", False: "No", None: ""}[plan.agreement.agreed],
                "agreed_by": plan.agreement.by.words() if plan.agreement.by else "",
                "agreed_date": _when(plan.agreement.date),
            }
        lines = list(_lines(plan))
        yield from ({**whole, **line} for line in lines or [{"line_type": "", "text": ""}])


# The report's word for each kind of line: the first of `LINE_TYPES` that goes there.
_TYPE_OF = {kind: word.capitalize() for word, kind in reversed(list(LINE_TYPES.items()))}


def _lines(plan: CarePlan) -> Iterator[dict[str, str]]:
    for kind in ("about_me", "strengths", "formulation"):
        yield from (_line(kind, line) for line in getattr(plan, kind))
    for need in plan.needs:
        yield {**_line("needs", need), "line_status": need.status or "", "priority": need.priority or ""}
    for goal in plan.goals:
        yield {
            **_line("goals", goal),
            "line_status": goal.status or "",
            "priority": goal.importance or "",
            "who": goal.expressed_by.words() if goal.expressed_by else "",
            "when": _when(goal.target),
            "outcome": _words(goal.achievement),
        }
    for action in plan.actions:
        yield {
            **_line("actions", action),
            "line_status": action.status or "",
            "who": "; ".join(who.words() for who in action.who),
            "when": _scheduled(action.scheduled),
            "outcome": action.outcome or "",
        }
    for contingency in plan.contingency:
        for part in ("triggers", "early_signs", "what_to_do", "what_not_to_do", "other"):
            yield from (_line(f"{contingency.kind}.{part}", line) for line in getattr(contingency, part))
        for actor in contingency.whom_to_call:
            name = actor.name or actor.organization or ""
            line = {
                "line_type": _TYPE_OF[f"{contingency.kind}.whom_to_call"],
                "heading": actor.role or "",
                "text": name,
            }
            yield {**line, "phone": _telecom(actor.telecom, "phone", None)}
    for additional in plan.additional_plans:
        said = "; ".join(part for part in (additional.description, additional.location) if part)
        line = {"line_type": _TYPE_OF["additional_plans"], "heading": _words(additional.type), "text": said}
        yield {**line, "line_date": _when(additional.date)}


def _line(kind: str, line: Line) -> dict[str, str]:
    return {
        "line_type": _TYPE_OF[kind],
        "line_id": line.id or "",
        "heading": line.heading or "",
        "text": line.description,
        "line_author": line.author.words() if line.author else "",
        "line_date": _when(line.recorded),
    }


_MAKERS = {
    "caseload": _caseload,
    "contacts": _contacts,
    "progress_notes": _notes,
    "care_plans": _care_plans,
    "alerts": _alerts,
    "appointments": _appointments,
}


def _held(view: SystemView, kind: type[T]) -> Iterator[T]:
    for items in view.items.values():
        yield from (item for item in items if isinstance(item, kind))


def _key(id: str) -> str:
    return id.rpartition("/")[2]


def _words(concept: Concept | None) -> str:
    return concept.words() if concept else ""


def _status(code: str | None) -> str:
    """A FHIR code as a report's word."""
    return (code or "").replace("-", " ").capitalize()


def _team(service: Concept | None) -> dict[str, str]:
    code = next((coding.code for coding in service.coding if coding.code), None) if service else None
    return {"team_code": code or "", "team_name": _words(service)}


def _staff(actor: Actor | None) -> dict[str, str]:
    code = actor.identifier.value if actor and actor.identifier else None
    return {
        "staff_code": code or "",
        "staff_name": (actor.name if actor else None) or "",
        "staff_role": (actor.role if actor else None) or "",
    }


def _telecom(points: Sequence[ContactPoint], system: str, use: str | None) -> str:
    found = [p.value for p in points if p.system == system and (use is None or p.use == use) and p.value]
    return found[0] if found else ""


def _from_to(period: Period | None) -> dict[str, str]:
    return {"start": _when(period.start), "end": _when(period.end)} if period else {"start": "", "end": ""}


def _scheduled(scheduled: When | Period | str | None) -> str:
    if isinstance(scheduled, When):
        return _when(scheduled)
    return scheduled.words() if isinstance(scheduled, Period) else scheduled or ""


def _date(date: PartialDate | None) -> str:
    return "/".join(reversed(date.text.split("-"))) if date else ""


def _when(when: When | None) -> str:
    """As a report prints it: local time, day first."""
    if when is None:
        return ""
    text, instant = when.text, when.instant
    if when.mark == "stated" and instant is not None:
        text = instant.astimezone(ZoneInfo(DEFAULT_ZONE)).strftime("%Y-%m-%dT%H:%M:%S")
    day, _, time = text.partition("T")
    return " ".join(part for part in ("/".join(reversed(day.split("-"))), time[:8]) if part)
