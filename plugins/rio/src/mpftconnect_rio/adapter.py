"""`rio-extract`: RiO by report extracts, CSV files that the trust's own reports write. The interface is *assumed*.

Each configured extract is read once per reading and shared by all sections that need it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mpftconnect.adapters import (
    AdapterContext,
    BasicAuth,
    BearerToken,
    Found,
    Reading,
    Refusal,
    Step,
    Verified,
    Wire,
)
from mpftconnect.errors import AdapterError, AnswerRejected, NotAnNhsNumber
from mpftconnect.model import (
    Identifier,
    Item,
    NhsNumber,
    Patient,
    extra_from,
    nhs_number,
)
from mpftconnect_rio import mapping
from mpftconnect_rio.cells import Cells
from mpftconnect_rio.extracts import Keys, PersonRow, Selection, select
from mpftconnect_rio.layout import LAYOUTS
from mpftconnect_rio.mapping import Told
from mpftconnect_rio.plans import care_plan, line_of, merged
from mpftconnect_rio.settings import ExtractSettings, RioExtractSettings
from mpftconnect_rio.table import as_text, read_table

__all__ = ["RioExtractAdapter"]

_Mapping = Callable[[Cells, Told], Item | None]


class RioExtractAdapter:
    """Reads one person from the configured extracts."""

    def __init__(self, context: AdapterContext) -> None:
        self._settings: RioExtractSettings = context.settings
        self._folder = context.folder
        self._auth: BasicAuth | BearerToken | None = None
        if self._settings.user is not None:
            self._auth = BasicAuth(self._settings.user, context.secret("password"))
        elif self._settings.bearer:
            self._auth = BearerToken(context.secret("token"))

    # Who it is

    def find_patient(self, reading: Reading) -> Patient | None:
        """The person's row of the client index; None if it holds no such number.

        Raises:
            AnswerRejected: Their row cannot be taken, or the index gives the number to people of different names or
                birth dates.
            AdapterError: The index could not be read to its end. It alone says who is who, so a part of it is not
                enough: the person may be registered a second time further down.
        """
        index = self._index(reading)
        index.raise_error()
        clients = [self._client(reading, index, row, id) for row, id in self._named(index)]
        if not clients:
            if index.unusable:
                raise AnswerRejected("the person's row cannot be taken", place=index.unusable[0])
            return None
        first = clients[0]
        if len({_name_and_birth(client) for client in clients}) > 1:
            raise AnswerRejected("the client index gives one NHS number to people of different names or birth dates")
        if len(clients) == 1:
            return first
        # One person registered twice. Both ids count, and what the second registration says is kept.
        more = [i for client in clients[1:] for i in client.identifiers if i not in first.identifiers]
        kept = [extra_from("client_index.also", client.model_dump(mode="json")) for client in clients[1:]]
        return first.model_copy(update={"identifiers": (*first.identifiers, *more), "extra": (*first.extra, *kept)})

    def resolve_identifier(self, reading: Reading, identifier: Identifier) -> NhsNumber | None:
        """The NHS number of a RiO client id; None for another namespace, an unknown client, or one without a number.

        Raises:
            AnswerRejected: The client's row cannot be taken, or its number is not an NHS number.
        """
        if identifier.system != self._settings.client_id_system or not identifier.value:
            return None
        keys = Keys(None, frozenset({identifier.value.strip()}))
        index = self._select(reading, "client_index", keys)
        index.raise_error()
        if not index.rows:
            if index.unusable:
                raise AnswerRejected("the client's row cannot be taken", place=index.unusable[0])
            return None
        stated = {(row.number, row.cells["nhs_number"].strip()) for row in index.rows}
        numbers: set[NhsNumber] = set()
        for row, text in stated:
            try:
                numbers |= {nhs_number(text)} if text else set()
            except NotAnNhsNumber as error:
                raise AnswerRejected(str(error), place=f"client_index row {row}") from None
        if len(numbers) > 1:
            raise AnswerRejected("the client index gives one client id to several NHS numbers")
        return next(iter(numbers), None)

    def verify_relationship(self, reading: Reading) -> Verified | None:
        """Whether the caseload has an open referral that joins the person to the user; see the README for what
        counts. The answer names the user's own team or trust, and never a team that the user does not belong to.
        """
        if reading.who.relationship not in ("caseload", "referral"):
            return None
        caseload = self._caseload(reading)
        rows = [row for row in caseload.rows if self._counts(row, reading)]
        by, who = self._settings.caseload_by, reading.who
        if by == "organisation":
            if rows and who.organisation == self._settings.organisation:
                return Verified(f"an open referral on the RiO caseload of organisation {who.organisation}")
        elif by == "team":
            codes = sorted({row.cells["team_code"].strip() for row in rows})
            for code in codes:
                if {who.user, who.practitioner_id} & set(self._settings.teams.get(code, ())):
                    return Verified(f"on the RiO caseload of team {code}")
        elif who.practitioner_id and any(
            row.cells.get("staff_code", "").strip() == who.practitioner_id for row in rows
        ):
            return Verified("on the RiO caseload of this practitioner")
        # No open referral in a caseload that was cut short does not say that there is none.
        caseload.raise_error()
        return None

    def _counts(self, row: PersonRow, reading: Reading) -> bool:
        settings = self._settings.extracts.caseload
        hidden = row.cells["team_code"].strip() in self._settings.teams_not_counted
        return settings is not None and not hidden and mapping.is_open(row, settings, _today(reading))

    # What it says

    def read_referrals(self, reading: Reading) -> Iterable[Found]:
        return self._read(reading, "caseload", mapping.referral)

    def read_care_team(self, reading: Reading) -> Iterable[Found]:
        """A team for each open referral of the caseload."""
        settings = self._settings.extracts.caseload
        caseload = self._caseload(reading)
        yield from caseload.notices
        for row, id in self._named(caseload):
            if settings is not None and mapping.is_open(row, settings, _today(reading)):
                cells = self._cells(row, "caseload", reading)
                found = mapping.referral(cells, self._told(reading, caseload, id))
                told = self._told(reading, caseload, id.replace("caseload#", "caseload-team#", 1))
                team = mapping.care_team(found, told)
                yield team
                yield from _unread(cells, team)
        yield from (_refused_for_key(row, "caseload") for row in caseload.rows if not _key(row, "caseload"))
        yield from caseload.refusals
        caseload.raise_error()

    def read_encounters(self, reading: Reading) -> Iterable[Found]:
        return self._read(reading, "contacts", mapping.contact)

    def read_notes(self, reading: Reading) -> Iterable[Found]:
        return self._read(reading, "progress_notes", mapping.progress_note)

    def read_alerts(self, reading: Reading) -> Iterable[Found]:
        return self._read(reading, "alerts", mapping.alert)

    def read_appointments(self, reading: Reading) -> Iterable[Found]:
        return self._read(reading, "appointments", mapping.appointment)

    def read_care_plans(self, reading: Reading) -> Iterable[Found]:
        """One plan for each plan id, of however many rows, in whatever order they stand."""
        selection = self._mine(reading, "care_plans")
        yield from selection.notices
        plans: dict[str, list[PersonRow]] = {}
        for row in selection.rows:
            plans.setdefault(row.cells["plan_id"].strip(), []).append(row)
        for key, rows in plans.items():
            if not key:
                yield from (_refused_for_key(row, "care_plans") for row in rows)
                continue
            whole_row, more, disagree = merged(rows)
            whole = self._cells(whole_row, "care_plans", reading)
            whole.text("plan_id")  # stands in the source id
            lines = [self._cells(line_of(row), "care_plans", reading) for row in rows]
            told = self._told(reading, selection, f"care_plans#{key}")
            plan = care_plan(whole, lines, told, self._settings, more)
            yield plan
            if disagree:
                yield Refusal(
                    f"care_plans row {rows[0].number}",
                    "rows of one plan say different things of it; the first is shown and the others are kept",
                    content=plan,
                )
            for cells in (whole, *lines):
                yield from _unread(cells, plan)
        yield from selection.refusals
        selection.raise_error()

    def _read(self, reading: Reading, name: str, build: _Mapping) -> Iterator[Found]:
        selection = self._caseload(reading) if name == "caseload" else self._mine(reading, name)
        yield from selection.notices
        for row, id in self._named(selection):
            cells = self._cells(row, name, reading)
            cells.text(LAYOUTS[name].key)  # stands in the source id
            item = build(cells, self._told(reading, selection, id))
            if item is None:
                yield Refusal(cells.place, "a row without any text", content=row.content())
                continue
            yield item
            yield from _unread(cells, item)
        yield from (_refused_for_key(row, name) for row in selection.rows if not _key(row, name))
        yield from selection.refusals
        selection.raise_error()

    def _named(self, selection: Selection) -> Iterator[tuple[PersonRow, str]]:
        """Each row once, with the id that it has for ever. A row repeated word for word is the same fact."""
        seen: dict[str, list[dict[str, str]]] = {}
        for row in selection.rows:
            key = _key(row, selection.name)
            if not key:
                continue
            before = seen.setdefault(key, [])
            content = row.content()
            if content in before:
                continue
            before.append(content)
            yield row, f"{selection.name}#{key}" + (f"~{len(before)}" if len(before) > 1 else "")

    # Where it comes from

    def _index(self, reading: Reading) -> Selection:
        return reading.once(
            "rio-extract:client_index", lambda: self._select(reading, "client_index", Keys(_numbers(reading)))
        )

    def _client(self, reading: Reading, index: Selection, row: PersonRow, id: str) -> Patient:
        return mapping.client(self._cells(row, "client_index", reading), self._told(reading, index, id))

    def _keys(self, reading: Reading) -> Keys:
        patient = reading.patient or self.find_patient(reading)
        identifiers = patient.identifiers if patient else ()
        ids = {i.value for i in identifiers if i.system == self._settings.client_id_system and i.value}
        return Keys(_numbers(reading), frozenset(ids) or None)

    def _mine(self, reading: Reading, name: str) -> Selection:
        return reading.once(f"rio-extract:{name}", lambda: self._select(reading, name, self._keys(reading)))

    def _caseload(self, reading: Reading) -> Selection:
        return self._mine(reading, "caseload")

    def _select(self, reading: Reading, name: str, keys: Keys) -> Selection:
        wire = reading.wire.bound(auth=self._auth) if self._auth else reading.wire
        return select(reading, name, self._settings.extracts.of(name), keys, wire=wire, folder=self._folder)

    def _cells(self, row: PersonRow, name: str, reading: Reading) -> Cells:
        settings = self._settings.extracts.of(name)
        if settings is None:
            raise TypeError("a row comes from a configured extract")
        return Cells(row, name, settings, reading.zone)

    def _told(self, reading: Reading, selection: Selection, id: str) -> Told:
        source = reading.source(id, mode="extract", as_of=selection.as_of)
        identifiers = reading.patient.identifiers if reading.patient else ()
        numbers = frozenset(i.value for i in identifiers if i.is_nhs_number and i.value)
        return Told(source, self._settings.organisation, self._settings.client_id_system, numbers)

    # Whether it works

    def check_connection(self, wire: Wire) -> Iterable[Step]:
        """For each file: is it there, and has it the columns? Of extracts over HTTP only the server is asked, since
        fetching one would fetch patients."""
        extracts = {name: self._settings.extracts.of(name) for name in LAYOUTS}
        for name, settings in extracts.items():
            if settings is None:
                yield Step(f"extract {name}", False, "not configured: what it would tell is missing from every record")
            elif settings.path is not None:
                yield self._check_file(name, settings)
        if any(settings is not None and settings.url is not None for settings in extracts.values()):
            yield self._check_server(wire)

    def _check_file(self, name: str, settings: ExtractSettings) -> Step:
        step = f"extract {name}"
        try:
            with as_text((self._folder / (settings.path or "")).open("rb"), settings) as text:
                read_table(text, settings, name)
        except OSError as error:
            return Step(step, False, f"the file cannot be opened ({type(error).__name__}): check path and permission")
        except AdapterError as error:
            return Step(step, False, error.rule)
        return Step(step, True)

    def _check_server(self, wire: Wire) -> Step:
        bound = wire.bound(auth=self._auth) if self._auth else wire
        try:
            answer = bound.get("", label="server of the extracts")
            if answer.status in (401, 403) or answer.status >= 500:
                answer.require_ok()
        except AdapterError as error:
            return Step("server of the extracts", False, error.rule)
        return Step("server of the extracts", True)


def _key(row: PersonRow, name: str) -> str:
    return row.cells[LAYOUTS[name].key].strip()


def _refused_for_key(row: PersonRow, name: str) -> Refusal:
    heading = row.headings[LAYOUTS[name].key]
    return Refusal(f"{name} row {row.number}", f"the column {heading!r} is empty", content=row.content())


def _unread(cells: Cells, item: Item) -> Iterator[Refusal]:
    for heading in cells.unread_dates:
        yield Refusal(
            f"{cells.place}, column {heading!r}", "not a date that exists: kept as text beside the item", content=item
        )


def _numbers(reading: Reading) -> frozenset[str]:
    return frozenset(number for number in (reading.nhs_number, *reading.former_numbers) if number)


def _today(reading: Reading) -> str:
    return reading.now().date().isoformat()


def _name_and_birth(client: Patient) -> tuple[str, str]:
    family = (client.name.family or "").casefold() if client.name else ""
    return family, client.birth_date.text if client.birth_date else ""
