"""`icr-ccapi`: an integrated care record by its supplier's own interface, the CareCentric APIs. *Assumed*: only parts
of it are published (see `layout.py`), and nothing was tried against it.

Nothing is asked of a person before Find Patient has said, in this very reading, which patient detail ids are theirs.
The NHS number stands in the body of that one request and in no address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from mpftconnect.adapters import (
    AdapterContext,
    ApiKeyHeader,
    Deadline,
    Found,
    Reading,
    Refusal,
    Step,
    Together,
    Wire,
    auth_from,
)
from mpftconnect.errors import AdapterError, AnswerRejected, NotDeclared, NotPermitted, TimedOut, UsageError
from mpftconnect.model import (
    Extra,
    Identifier,
    NhsNumber,
    Notice,
    Patient,
    Reference,
    SectionName,
    extra_from,
    nhs_number,
)
from mpftconnect_icr.asking import rows_of
from mpftconnect_icr.finding import Group, group_of
from mpftconnect_icr.layout import FIND, FIND_PATH, OPERATIONS, PART, of_section
from mpftconnect_icr.mapping import BUILDERS, Told
from mpftconnect_icr.row import Row, fingerprint
from mpftconnect_icr.settings import CcapiSettings

__all__ = ["SUBSCRIPTION_HEADER", "CcapiAdapter"]

# Published: "API Introduction" of the developer portal.
SUBSCRIPTION_HEADER = "Ocp-Apim-Subscription-Key"


class CcapiAdapter:
    """Reads one person from one record. Safe between threads: it holds its settings and credentials."""

    def __init__(self, context: AdapterContext) -> None:
        self._settings: CcapiSettings = context.settings
        key = ApiKeyHeader(context.secret("subscription_key"), SUBSCRIPTION_HEADER)
        self._token = auth_from(self._settings.auth, context, token_url=self._settings.token_url) or Together()
        self._auth = Together(key, self._token)

    # Who it is

    def find_patient(self, reading: Reading) -> Patient | None:
        """The person by current or superseded NHS number; None if the record holds no such number.

        Raises:
            WrongPerson: A record of somebody else came.
            AnswerRejected: Several people came, or linked records that contradict each other.
        """
        group = self._group(reading)
        return group.patient if group else None

    def resolve_identifier(self, reading: Reading, identifier: Identifier) -> NhsNumber | None:
        """The NHS number of a local patient number; None for another namespace, or where the record knows none."""
        if identifier.system != self._settings.patient_number_system or not identifier.value:
            return None
        found = self._search(reading, {"PatientNumber": identifier.value.strip()})
        group = group_of([found], reading, (), self._settings)
        if group is None:
            return None
        numbers = group.numbers
        place = self._settings.places(FIND).get("patient_number", "")
        if not any(isinstance(row, Mapping) and str(row.get(place)) == identifier.value.strip() for row in found):
            raise AnswerRejected("the patient that came does not have the number that was asked for", place=FIND)
        return nhs_number(next(iter(numbers))) if numbers else None

    def _group(self, reading: Reading) -> Group | None:
        return reading.once("ccapi.find", lambda: self._find(reading))

    def _find(self, reading: Reading) -> Group | None:
        numbers = [number for number in (reading.nhs_number, *reading.former_numbers) if number]
        answers = [self._search(reading, {"NhsNumber": number}) for number in numbers]
        return group_of(answers, reading, numbers, self._settings)

    def _search(self, reading: Reading, criteria: Mapping[str, str]) -> list[Any]:
        settings, wire = self._settings, self._signed(reading.wire)
        path = settings.path(FIND, FIND_PATH)

        def page(number: int) -> Any:
            asked = {
                **criteria,
                "AllTenancies": True,
                "RetrieveMinorNumbers": True,
                "PageNumber": number,
                "PageSize": settings.page_size,
            }
            return wire.post(path, json=asked, safe=True, label="find-patient").require_ok().json()

        collection = settings.collection(FIND, "Patients")
        return list(rows_of(page, collection, size=settings.page_size, limit=settings.page_limit))

    # What is known of them

    def read_medications(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.MEDICATIONS)

    def read_problems(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.PROBLEMS)

    def read_allergies(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.ALLERGIES)

    def read_immunisations(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.IMMUNISATIONS)

    def read_results(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.RESULTS)

    def read_reports(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.REPORTS)

    def read_documents(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.DOCUMENTS)

    def read_encounters(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.ENCOUNTERS)

    def read_appointments(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.APPOINTMENTS)

    def read_alerts(self, reading: Reading) -> Iterable[Found]:
        return self._section(reading, SectionName.ALERTS)

    def _section(self, reading: Reading, section: SectionName) -> Iterator[Found]:
        """All operations that feed the section; the failure of one is raised when the others have told."""
        if reading.patient is None:
            raise UsageError("find_patient comes before any read")
        group = self._group(reading)
        if group is None or group.patient.source.id != reading.patient.source.id:
            raise AnswerRejected("the person is found under another record than before", place=FIND)
        failure: AdapterError | None = None
        for name in of_section(section):
            try:
                yield from self._operation(reading, group, name)
            except TimedOut:
                raise
            except AdapterError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def _operation(self, reading: Reading, group: Group, name: str) -> Iterator[Found]:
        if name in self._settings.not_offered:
            raise NotDeclared(f"{name} is not in the subscription", system=reading.system)
        rows, failure = self._rows(reading, group, name)
        yield from self._items(reading, group, name, rows)
        if failure is not None:
            raise failure

    def _rows(self, reading: Reading, group: Group, name: str) -> tuple[list[Any], AdapterError | None]:
        """What there is by each detail id, each entry as often as the answer that has it most often.

        Any id of a group should give what there is for all of its records; whether it does is not relied upon.
        """
        rows: list[Any] = []
        held: Counter[str] = Counter()
        failure: AdapterError | None = None
        for detail_id in group.detail_ids:
            counted: Counter[str] = Counter()
            try:
                for row in self._asked(reading, name, detail_id):
                    key = fingerprint(row)
                    counted[key] += 1
                    if counted[key] > held[key]:
                        held[key] += 1
                        rows.append(row)
            except AdapterError as error:
                failure = failure or error
                if isinstance(error, TimedOut):
                    break
        return rows, failure

    def _asked(self, reading: Reading, name: str, detail_id: str) -> Iterator[Any]:
        settings, wire, operation = self._settings, self._signed(reading.wire), OPERATIONS[name]
        path = settings.path(name, operation.path).replace("{detail_id}", detail_id)

        def page(number: int) -> Any:
            params = {"PageNumber": number, "PageSize": settings.page_size} if operation.paged else None
            return wire.get_json(path, params, label=name.replace("_", "-"))

        collection = settings.collection(name, operation.collection)
        size, limit = settings.page_size, settings.page_limit
        return rows_of(page, collection, size=size, limit=limit, paged=operation.paged)

    def _items(self, reading: Reading, group: Group, name: str, rows: Iterable[Any]) -> Iterator[Found]:
        names: Counter[str] = Counter()
        unread: set[str] = set()
        for index, content in enumerate(rows):
            place = f"{name}[{index}]"
            if not isinstance(content, Mapping):
                yield Refusal(place, "is not an object", content=content)
                continue
            for part, within in _parts(content, self._settings.places(name).get("investigations")):
                row = Row(name, part, self._settings, reading.zone, within)
                record = row.text("detail_id")
                fault = _fault(row, record, group)
                if fault is not None:
                    yield Refusal(place, fault, wrong_person=True, content=content)
                    break
                id_ = "/".join(filter(None, (name, record, row.id() or fingerprint(part))))
                names[id_] += 1
                # Two rows under one id are both shown, each under a name of its own.
                source = reading.source(id_ if names[id_] == 1 else f"{id_}.{names[id_]}")
                told = Told(source, Reference(reference=group.patient.source.id))
                item = BUILDERS[name](row, told)
                if item is None:
                    yield Refusal(place, "does not say what it is about", content=content)
                    continue
                yield item
                unread |= set(row.unread)
        if unread:
            text = f"Some dates could not be read and are kept as text: {', '.join(sorted(unread))}."
            yield Notice("dates-not-read", text)

    def _signed(self, wire: Wire) -> Wire:
        return wire.bound(auth=self._auth)

    # Whether it works

    def check_connection(self, wire: Wire) -> Iterator[Step]:
        """The token, and whether anything at the endpoint refuses it and the subscription key.

        No operation is known that names nobody, so that a bundle is in the subscription is not tried.
        """
        try:
            self._token.apply({}, Deadline.after(wire.endpoint.deadline_seconds))
        except AdapterError as error:
            yield Step("token", False, f"{error.rule}: check client_id, client_secret and token_url")
            return
        yield Step("token", True)
        try:
            answer = self._signed(wire).get("", label="endpoint")
            # Nothing need stand at the endpoint itself: that it answers so is an answer.
            answer.require_ok(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
        except NotPermitted as error:
            yield Step("permission", False, f"{error.rule}: check the subscription key, and what the token is good for")
        except AdapterError as error:
            yield Step("endpoint", False, f"{error.rule}: check the endpoint")
        else:
            yield Step("endpoint", True)


def _fault(row: Row, record: str | None, group: Group) -> str | None:
    """What shows that the row is about somebody else; None if nothing it says does.

    The rows of some bundles, all that are published of the GP bundle among them, say nothing of whose they are.
    """
    if record is not None and record not in group.detail_ids:
        return "is of a record that is not the person's"
    number = row.text("nhs_number")
    if number is not None and number.replace(" ", "").replace("-", "") not in group.numbers:
        return "names another NHS number"
    born, known = row.date("birth_date"), group.patient.birth_date
    if born and known and born.precision == known.precision == "day" and born.text != known.text:
        return "states another date of birth"
    return None


def _parts(content: Mapping[str, Any], place: str | None) -> Iterator[tuple[Mapping[str, Any], tuple[Extra, ...]]]:
    """A row for each object of the list at that place, with all that stands around the list; else the row itself."""
    *above, last = place.split(".") if place else ("",)
    holder: Any = content
    for name in above:
        holder = holder.get(name) if isinstance(holder, Mapping) else None
    listed = holder.get(last) if isinstance(holder, Mapping) else None
    taken = [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    if not taken or not isinstance(listed, list):
        yield content, ()
        return
    others = [each for each in listed if not isinstance(each, Mapping)]
    around = _with(content, [*above, last], others)
    # A member that is called as the part will be gives way, and is kept.
    within = (extra_from(f"{PART} as sent", around[PART]),) if PART in around else ()
    for each in taken:
        yield {**around, PART: each}, within


def _with(content: Mapping[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """A copy in which the member at that path has another value."""
    name, *rest = path
    return {**content, name: _with(content[name], rest, value) if rest else value}
