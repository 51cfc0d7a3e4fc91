"""Opens a configured extract and picks one person's rows out of it. Nobody else's rows are kept.

A row says whose it is by NHS number, by RiO client id, or both, and both are checked. A row that cannot say is not
passed over: it becomes a `Refusal`, so that the section is known to be incomplete. Mapping `client_id` spares most of
these, since every row of RiO has one.
"""

from __future__ import annotations

import io
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO

from mpftconnect.adapters import Answer, Reading, Refusal, Wire
from mpftconnect.errors import AdapterError, AnswerRejected, NotAnNhsNumber, NotShown, Unreachable
from mpftconnect.model import Notice, nhs_number
from mpftconnect_rio.settings import ExtractSettings
from mpftconnect_rio.table import Heading, Row, as_text, read_table

__all__ = ["MAX_KEPT", "MAX_REFUSED", "Keys", "PersonRow", "Selection", "select"]

# One person's rows of one extract, and rows that do not say whose they are. Beyond these the rest is refused aloud:
# a report that large is wrong, and memory is everybody's.
MAX_KEPT = 50_000
MAX_REFUSED = 200
MAX_CHARACTERS = 50_000_000
_LOOK_UP_EVERY = 2_000
_TWO_PEOPLE = "its NHS number and its client id name two people"


@dataclass(frozen=True, slots=True)
class Keys:
    """By what a row may name the person; None for what is not known yet, while the client index is read."""

    numbers: frozenset[str] | None
    client_ids: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One row of the person's: cells by field, and by heading those that no field asks for."""

    number: int
    cells: Mapping[str, str] = field(repr=False)
    others: Mapping[str, str] = field(repr=False)
    headings: Mapping[str, str] = field(repr=False)

    def content(self) -> dict[str, str]:
        """The row as it was sent, by heading."""
        return {self.headings[name]: cell for name, cell in self.cells.items()} | dict(self.others)


@dataclass(slots=True)
class Selection:
    """What one extract says of one person.

    Args:
        as_of: When the report was written, as far as is known.
        total: How many rows were read, of whomever.
        unusable: Places of the person's own rows that could not be taken.
        error: Why reading stopped early; what was read before stands.
    """

    name: str
    rows: list[PersonRow] = field(default_factory=list, repr=False)
    refusals: list[Refusal] = field(default_factory=list, repr=False)
    notices: list[Notice] = field(default_factory=list)
    as_of: datetime | None = None
    total: int = 0
    unusable: list[str] = field(default_factory=list)
    error: AdapterError | None = None

    def raise_error(self) -> None:
        if self.error is not None:
            raise self.error


def select(
    reading: Reading, name: str, settings: ExtractSettings | None, keys: Keys, *, wire: Wire, folder: Path
) -> Selection:
    """Read the extract through and keep the rows of the person whom `keys` name.

    Args:
        wire: The reading's wire, with the credentials that an extract over HTTP needs.
        folder: What a relative path is relative to.
    Raises:
        NotShown: No such extract is configured.
        AdapterError: It could not be fetched or opened. What goes wrong while it is read is kept in
            `Selection.error`, with the rows that stood before.
    """
    if settings is None:
        raise NotShown(f"no {name} extract is configured")
    selection = Selection(name)
    with _opened(wire, name, settings, folder) as opened, as_text(opened.stream, settings) as text:
        selection.as_of = opened.as_of
        selection.notices.extend(_age(reading, name, settings, opened.as_of))
        try:
            heading, rows = read_table(text, settings, name)
            _pick(reading, selection, heading, rows, settings, keys)
            if opened.changed():
                selection.error = AnswerRejected(f"the {name} extract was written while it was read")
        except AdapterError as error:
            selection.error = error
        except OSError:
            selection.error = Unreachable(f"the {name} extract could not be read to its end")
    return selection


def _pick(
    reading: Reading,
    selection: Selection,
    heading: Heading,
    rows: Iterator[Row],
    settings: ExtractSettings,
    keys: Keys,
) -> None:
    name = selection.name
    headings = settings.headings(name)
    undecided = kept = 0
    for row in rows:
        selection.total = row.number
        if row.number % _LOOK_UP_EVERY == 0:
            reading.deadline.check(f"reading the {name} extract")
        mine, rule, wrong_person = _whose(row, heading, keys)
        if rule is None and not mine:
            continue
        found = _named(row, heading, headings)
        rule = rule or row.broken
        kept += sum(map(len, row.cells))
        if kept > MAX_CHARACTERS or len(selection.rows) >= MAX_KEPT:
            raise AnswerRejected(f"the {name} extract has more rows for one person than can be taken")
        if rule is not None:
            undecided += 1
            if undecided <= MAX_REFUSED:
                refusal = Refusal(f"{name} row {row.number}", rule, wrong_person, content=found.content())
                selection.refusals.append(refusal)
                selection.unusable += [refusal.place] * mine
        else:
            selection.rows.append(found)
    if undecided > MAX_REFUSED:
        raise AnswerRejected(f"the {name} extract has more than {MAX_REFUSED} rows that cannot be taken")


def _named(row: Row, heading: Heading, headings: Mapping[str, str]) -> PersonRow:
    size = len(row.cells)
    cells = {name: row.cells[index] for name, index in heading.columns.items() if index < size}
    others = {shown: row.cells[index] for index, shown in heading.others.items() if index < size}
    others |= {f"column {index + 1}": row.cells[index] for index in range(heading.width, size)}
    return PersonRow(row.number, cells, {k: v for k, v in others.items() if v.strip()}, headings)


def _whose(row: Row, heading: Heading, keys: Keys) -> tuple[bool, str | None, bool]:
    """Whether the row is the person's, which rule keeps it from being taken, and whether it is somebody else's."""

    def cell(name: str) -> str:
        index = heading.columns.get(name)
        return row.cells[index].strip() if index is not None and index < len(row.cells) else ""

    stated, client_id = cell("nhs_number"), cell("client_id")
    known_client = keys.client_ids is not None and client_id in keys.client_ids
    if keys.numbers is None:
        return known_client, None, False
    if client_id and not known_client and stated.replace(" ", "").replace("-", "") not in keys.numbers:
        return False, None, False  # nearly every row: somebody else's, by all that it says
    if not stated:
        if known_client:
            return True, None, False
        return False, row.broken or "the row does not say whose it is", False
    try:
        number = nhs_number(stated)
    except NotAnNhsNumber as error:
        return False, str(error), False
    other_client = bool(client_id) and keys.client_ids is not None and not known_client
    if number in keys.numbers:
        return not other_client, _TWO_PEOPLE if other_client else None, other_client
    return False, _TWO_PEOPLE if known_client else None, known_client


@dataclass(frozen=True, slots=True)
class _Opened:
    stream: IO[bytes]
    as_of: datetime | None
    path: Path | None = None
    stamp: tuple[float, int] | None = None

    def changed(self) -> bool:
        """Whether the file was written to since it was opened."""
        return self.path is not None and _stamp(self.path) != self.stamp


def _stamp(path: Path) -> tuple[float, int]:
    found = path.stat()
    return found.st_mtime, found.st_size


@contextmanager
def _opened(wire: Wire, name: str, settings: ExtractSettings, folder: Path) -> Iterator[_Opened]:
    if settings.path is None:
        yield _fetched(wire, name, settings.url or "")
        return
    path = folder / settings.path
    missing = f"the {name} extract is not where the configuration says"
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise Unreachable(missing)
        stamp = (found.st_mtime, found.st_size)
        # Too large to hold, such as every contact of a trust: read as it goes, without the wire's evidence.
        stream = path.open("rb") if found.st_size > wire.endpoint.max_bytes else None
    except OSError:
        # `from None`: the operating system's message holds the path.
        raise Unreachable(missing) from None
    if stream is None:
        yield _answered(wire.read_file(path))
        return
    with stream:
        yield _Opened(stream, datetime.fromtimestamp(stamp[0], UTC), path, stamp)


def _fetched(wire: Wire, name: str, url: str) -> _Opened:
    answer = wire.get(url, label=f"extract {name}")
    if answer.status in (404, 410):
        raise Unreachable(f"the {name} extract is not where the configuration says: status {answer.status}")
    answer.require_ok()
    if answer.content_type in ("text/html", "application/xhtml+xml"):
        raise AnswerRejected(f"an HTML page came in place of the {name} extract")
    return _answered(answer)


def _answered(answer: Answer) -> _Opened:
    as_of: datetime | None = None
    with suppress(KeyError, ValueError, TypeError):
        as_of = parsedate_to_datetime(answer.headers["Last-Modified"])
    if as_of is not None and as_of.tzinfo is None:
        as_of = as_of.replace(tzinfo=UTC)
    return _Opened(io.BytesIO(answer.body), as_of)


def _age(reading: Reading, name: str, settings: ExtractSettings, as_of: datetime | None) -> Iterator[Notice]:
    if settings.maximum_age_hours is None:
        return
    words = name.replace("_", " ")
    if as_of is None or as_of > reading.now() + timedelta(minutes=5):
        yield Notice("extract-age-unknown", f"The {words} extract does not say when it was written.")
    elif reading.now() - as_of > timedelta(hours=settings.maximum_age_hours):
        hours = int((reading.now() - as_of).total_seconds() // 3600)
        yield Notice("extract-is-old", f"The {words} extract was written {hours} hours ago; newer facts are not in it.")
