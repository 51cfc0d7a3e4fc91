"""The hazard log: reads `docs/safety/hazards.toml`, checks its form and renders it for the site.

The scoring scheme is the example matrix of NHS England's clinical risk management standards (DCB0129 v4.2 and its
implementation guidance, risk matrix and its categories), as the UK Core hazard log publishes it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

SEVERITIES = ("minor", "significant", "considerable", "major", "catastrophic")
LIKELIHOODS = ("very low", "low", "medium", "high", "very high")

# Rows: likelihood from very low to very high. Columns: severity from minor to catastrophic.
MATRIX = (
    (1, 1, 2, 2, 3),
    (1, 2, 2, 3, 4),
    (2, 2, 3, 3, 4),
    (2, 3, 3, 4, 5),
    (3, 4, 4, 5, 5),
)


@dataclass(frozen=True, slots=True)
class Control:
    """What is done about a hazard.

    Args:
        status: `tested` or `planned`.
        tests: pytest node ids that prove it; at least one if tested, none if planned.
    """

    id: str
    text: str
    status: str
    tests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hazard:
    """One hazard; severity and likelihood are proposals, before controls."""

    id: str
    title: str
    causes: tuple[str, ...]
    effect: str
    harm: str
    severity: str
    likelihood: str
    transferred: tuple[str, ...]
    controls: tuple[Control, ...]

    @property
    def rating(self) -> int:
        """1 (acceptable) to 5 (unacceptable), before controls."""
        return MATRIX[LIKELIHOODS.index(self.likelihood)][SEVERITIES.index(self.severity)]

    @property
    def planned(self) -> tuple[Control, ...]:
        return tuple(control for control in self.controls if control.status == "planned")

    @property
    def state(self) -> str:
        """In words: a hazard with a planned control is not yet controlled."""
        return "not yet controlled" if self.planned else "controls tested"


class HazardLogError(ValueError):
    """The log breaks its own form; the message lists every mistake."""


def load(path: Path) -> tuple[Hazard, ...]:
    """The hazards of a log.

    Raises:
        HazardLogError: The file is not in the form that its head states; every mistake is named.
    """
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    problems = [] if document.get("version") == 1 else ["version: 1 is expected"]
    hazards = tuple(_hazard(table, problems) for table in document.get("hazard", ()))
    ids = [hazard.id for hazard in hazards] + [control.id for hazard in hazards for control in hazard.controls]
    problems += [f"{id}: used twice" for id in sorted({id for id in ids if ids.count(id) > 1})]
    if not hazards:
        problems.append("hazard: at least one is expected")
    if problems:
        raise HazardLogError("\n".join(problems))
    return hazards


def _hazard(table: dict[str, Any], problems: list[str]) -> Hazard:
    where = str(table.get("id", "a hazard without id"))
    controls = tuple(_control(control, problems, where) for control in table.get("control", ()))
    scale = {"severity": SEVERITIES, "likelihood": LIKELIHOODS}
    problems += [
        f"{where}.{name}: one of {', '.join(values)}" for name, values in scale.items() if table.get(name) not in values
    ]
    if not controls:
        problems.append(f"{where}: at least one control is expected")
    known = {field.name for field in fields(Hazard)} - {"controls"} | {"control"}
    problems += [f"{where}.{name}: not a field of a hazard" for name in sorted(set(table) - known)]
    return Hazard(
        id=_text(table, "id", problems, where),
        title=_text(table, "title", problems, where),
        causes=_texts(table, "causes", problems, where),
        effect=_text(table, "effect", problems, where),
        harm=_text(table, "harm", problems, where),
        severity=str(table.get("severity")),
        likelihood=str(table.get("likelihood")),
        transferred=_texts(table, "transferred", problems, where),
        controls=controls,
    )


def _control(table: dict[str, Any], problems: list[str], hazard: str) -> Control:
    where = str(table.get("id", f"a control of {hazard} without id"))
    texts = {name: _text(table, name, problems, where) for name in ("id", "text", "status")}
    tests = tuple(str(test) for test in table.get("tests", ()))
    if not where.startswith(f"{hazard}-"):
        problems.append(f"{where}: the id of a control of {hazard} begins with it")
    if texts["status"] not in ("tested", "planned"):
        problems.append(f"{where}.status: tested or planned")
    if texts["status"] == "tested" and not tests:
        problems.append(f"{where}: a tested control names its tests")
    if texts["status"] == "planned" and tests:
        problems.append(f"{where}: a planned control has no tests yet")
    known = {field.name for field in fields(Control)}
    problems += [f"{where}.{name}: not a field of a control" for name in sorted(set(table) - known)]
    return Control(**texts, tests=tests)


def _text(table: dict[str, Any], name: str, problems: list[str], where: str) -> str:
    value = table.get(name)
    if isinstance(value, str) and value.strip():
        return value
    problems.append(f"{where}.{name}: text is expected")
    return ""


def _texts(table: dict[str, Any], name: str, problems: list[str], where: str) -> tuple[str, ...]:
    value = table.get(name)
    if isinstance(value, list) and value and all(isinstance(text, str) and text.strip() for text in value):
        return tuple(value)
    problems.append(f"{where}.{name}: a list of texts is expected")
    return ()


def render(hazards: tuple[Hazard, ...]) -> str:
    """The log as Markdown: the scheme, a summary, then one section a hazard."""
    return "\n".join([*_scheme(), *_summary(hazards), *(line for hazard in hazards for line in _section(hazard))])


def _scheme() -> Iterator[str]:
    yield "## How severity and likelihood make a rating"
    yield ""
    yield "| Likelihood | " + " | ".join(severity.capitalize() for severity in SEVERITIES) + " |"
    yield "|---|" + "---|" * len(SEVERITIES)
    for likelihood, row in reversed(list(zip(LIKELIHOODS, MATRIX, strict=True))):
        yield f"| {likelihood.capitalize()} | " + " | ".join(str(rating) for rating in row) + " |"
    yield ""


def _summary(hazards: tuple[Hazard, ...]) -> Iterator[str]:
    controls = [control for hazard in hazards for control in hazard.controls]
    tested = sum(control.status == "tested" for control in controls)
    open_hazards = sum(bool(hazard.planned) for hazard in hazards)
    yield "## Summary"
    yield ""
    yield (
        f"{len(hazards)} hazards with {len(controls)} controls. {tested} controls are tested, "
        f"{len(controls) - tested} are planned. {open_hazards} hazards are not yet controlled."
    )
    yield ""
    yield "| Hazard | Title | Proposed rating before controls | State |"
    yield "|---|---|---|---|"
    for hazard in hazards:
        yield f"| [{hazard.id}](#{hazard.id.lower()}) | {hazard.title} | {hazard.rating} | {hazard.state} |"
    yield ""


def _section(hazard: Hazard) -> Iterator[str]:
    yield f"## {hazard.id}: {hazard.title} {{ #{hazard.id.lower()} }}"
    yield ""
    if hazard.planned:
        yield '!!! warning "Not yet controlled"'
        yield f"    Planned, without a test so far: {', '.join(control.id for control in hazard.planned)}."
        yield ""
    yield "**Causes**"
    yield ""
    yield from (f"- {cause}" for cause in hazard.causes)
    yield ""
    yield f"**Effect.** {hazard.effect}"
    yield ""
    yield f"**Harm.** {hazard.harm}"
    yield ""
    yield (
        f"**Proposed before controls.** Severity {hazard.severity}, likelihood {hazard.likelihood}, "
        f"rating {hazard.rating}. **After controls:** to be scored by the clinical safety officer."
    )
    yield ""
    yield "| Control | What it does | Proved by |"
    yield "|---|---|---|"
    for control in hazard.controls:
        proof = "<br>".join(f"`{test}`" for test in control.tests) or "not yet: planned"
        yield f"| {control.id} | {control.text} | {proof} |"
    yield ""
    yield "**Transferred to the deploying organisation**"
    yield ""
    yield from (f"- {task}" for task in hazard.transferred)
    yield ""
