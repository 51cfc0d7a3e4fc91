"""The second figure: recorded answers are changed by operators that know no check, and the changes that no check sees
are listed.

A mutant is one exchange changed in one place: a header or an element dropped, a status, text, code, number or truth
value altered. A mutant is noticed if any outcome changes. Those that survive are listed by what was changed and where,
and sorted into the classes of the pack (`survivors`), each with its reason: a display that nobody compares is another
thing than a dropped dose.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.check import decide
from mpftconnect.conformance.evidence import Evidence, Recorded
from mpftconnect.conformance.outcome import Status
from mpftconnect.conformance.power.er7_mutations import er7_changes
from mpftconnect.conformance.power.survivors import Classes
from mpftconnect.conformance.run import RunResult
from mpftconnect.errors import MpftConnectError
from mpftconnect.fhir.json_text import dump_json

__all__ = ["Mutant", "MutationPower", "mutants_of", "mutation_power"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed exchange.

    Args:
        operator: `drop-element`, `alter-code`, ...
        place: Where, as a path without indexes: `Observation.valueQuantity.code`; for headers, the name.
    """

    operator: str
    place: str
    exchange: Recorded

    @property
    def kind(self) -> str:
        return f"{self.operator} {self.place}"


@dataclass(frozen=True, slots=True)
class MutationPower:
    """How many mutants there were, how many were tried, and which of those no check noticed.

    Args:
        survivors: Kind of mutant to how many of it survived.
        tried_of: Kind to how many of it were tried.
        survived: Kind and the step of the exchange that was changed, to how many survived.
    """

    made: int
    tried: int
    noticed: int
    survivors: Mapping[str, int]
    tried_of: Mapping[str, int]
    survived: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def as_dict(self, classes: Classes | None = None) -> dict[str, Any]:
        """Figures, every surviving kind, and how many survivors each class took; see `Classes.sorted_out`."""
        return {
            "mutants": self.made,
            "tried": self.tried,
            "noticed": self.noticed,
            "survivors": [
                {"change": kind, "survived": number, "tried": self.tried_of[kind]}
                for kind, number in sorted(self.survivors.items(), key=lambda pair: (-pair[1], pair[0]))
            ],
            **(classes or Classes()).sorted_out(self.survived),
        }


def mutation_power(
    result: RunResult,
    catalog: Catalog,
    *,
    most: int = 400,
    seed: int = 1,
    tell: Callable[[str], None] = lambda text: None,
) -> MutationPower:
    """Mutate the exchanges of a run and judge each mutant again.

    Args:
        result: Of the clean twin.
        most: Tried mutants at most: spread over all kinds, the same for the same seed.
    """
    mutants = list(mutants_of(result.exchanges))
    chosen = _spread(mutants, most, random.Random(seed))  # noqa: S311 - a sample, no secret
    users = {j.requirement.id: set(j.exchanges) for j in result.judged}
    before = {j.requirement.id: j.outcome.status for j in result.judged}
    survivors: Counter[str] = Counter()
    survived: Counter[tuple[str, str]] = Counter()
    tried: Counter[str] = Counter()
    noticed = 0
    for number, mutant in enumerate(chosen, start=1):
        tried[mutant.kind] += 1
        if _notices(mutant, result, catalog, users, before):
            noticed += 1
        else:
            survivors[mutant.kind] += 1
            survived[mutant.kind, mutant.exchange.step] += 1
        if number % 50 == 0:
            tell(f"{number} of {len(chosen)} mutants")
    return MutationPower(len(mutants), len(chosen), noticed, dict(survivors), dict(tried), dict(survived))


def _notices(
    mutant: Mutant,
    result: RunResult,
    catalog: Catalog,
    users: Mapping[str, set[str]],
    before: Mapping[str, Status],
) -> bool:
    exchanges = [mutant.exchange if each.id == mutant.exchange.id else each for each in result.exchanges]
    kept = result.evidence
    for id_, used in users.items():
        check = catalog.checks.get(id_)
        if check is None or mutant.exchange.id not in used:
            continue
        evidence = Evidence(
            exchanges,
            subject=kept.subject,
            people=kept.people,
            files=kept.files,
            answers=kept.answers,
            outcomes=before,
            definitions=kept.definitions,
            today=kept.today,
        )
        if decide(check, evidence).status is not before[id_]:
            return True
    return False


def _spread(mutants: Sequence[Mutant], most: int, chance: random.Random) -> list[Mutant]:
    """One of each kind before a second of any."""
    by_kind: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        by_kind.setdefault(mutant.kind, []).append(mutant)
    for each in by_kind.values():
        chance.shuffle(each)
    chosen: list[Mutant] = []
    kinds = sorted(by_kind)
    chance.shuffle(kinds)
    while len(chosen) < most and any(by_kind.values()):
        for kind in kinds:
            if by_kind[kind] and len(chosen) < most:
                chosen.append(by_kind[kind].pop())
    return chosen


def mutants_of(exchanges: Sequence[Recorded]) -> Iterator[Mutant]:
    """Every mutant of those exchanges that were answered."""
    for each in exchanges:
        if each.protocol == "mllp":
            yield from _of_messages(each)
            continue
        if not each.ok:
            continue
        for status in (404, 500):
            yield Mutant(f"status-{status}", each.method, replace(each, status=status))
        for index, (name, value) in enumerate(each.response_headers):
            others = (*each.response_headers[:index], *each.response_headers[index + 1 :])
            yield Mutant("drop-header", name, replace(each, response_headers=others))
            altered = (*each.response_headers[:index], (name, f"{value}x"), *each.response_headers[index + 1 :])
            yield Mutant("alter-header", name, replace(each, response_headers=altered))
        try:
            body = each.json()
        except MpftConnectError:
            continue
        if each.response_body:
            cut = each.response_body[: len(each.response_body) // 2]
            yield Mutant("cut-body", each.method, replace(each, response_body=cut))
        for operator, place, changed in _changes(body):
            yield Mutant(operator, place, replace(each, response_body=dump_json(changed)))


def _of_messages(each: Recorded) -> Iterator[Mutant]:
    """What the product said, changed: its messages where it began, its acknowledgements where we did."""
    came = each.direction == "received"
    body = each.request_body if came else each.response_body
    for operator, place, changed in er7_changes(body or b""):
        made = replace(each, request_body=changed) if came else replace(each, response_body=changed)
        yield Mutant(operator, place, made)


def _changes(body: Any) -> Iterator[tuple[str, str, Any]]:
    for path in _paths(body):
        place = _place(body, path)
        value = _at(body, path)
        yield "drop-element", place, _without(body, path)
        if isinstance(value, str):
            name = str(path[-1])
            operator = "alter-code" if name in ("code", "system", "status", "url", "unit") else "alter-text"
            yield operator, place, _with(body, path, f"{value}x")
        elif isinstance(value, bool):
            yield "alter-truth", place, _with(body, path, not value)
        elif isinstance(value, int | Decimal):
            yield "alter-number", place, _with(body, path, value + 1)


Path = tuple[str | int, ...]


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _paths(part, (*path, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _paths(part, (*path, index))


def _place(body: Any, path: Path) -> str:
    """The path from the nearest resource, without indexes: the same element of every resource is one kind."""
    named: list[str] = []
    value = body
    if isinstance(value, Mapping) and isinstance(value.get("resourceType"), str):
        named = [value["resourceType"]]
    for step in path:
        value = value[step]
        if isinstance(step, str):
            named.append(step)
        if isinstance(value, Mapping) and isinstance(value.get("resourceType"), str):
            named = [value["resourceType"]]
    return ".".join(named)


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _without(value: Any, path: Path) -> Any:
    first, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        if not rest:
            return {key: part for key, part in value.items() if key != first}
        return {key: (_without(part, rest) if key == first else part) for key, part in value.items()}
    if not rest:
        return [part for index, part in enumerate(value) if index != first]
    return [(_without(part, rest) if index == first else part) for index, part in enumerate(value)]


def _with(value: Any, path: Path, made: Any) -> Any:
    if not path:
        return made
    first, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        return {key: (_with(part, rest, made) if key == first else part) for key, part in value.items()}
    return [(_with(part, rest, made) if index == first else part) for index, part in enumerate(value)]
