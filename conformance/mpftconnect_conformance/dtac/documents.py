"""What can be said of a document without judging it: that it is there, in date, and where its topics stand."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from mpftconnect.conformance import EvidenceFile

__all__ = ["DocumentRule", "Located", "due_of", "look_at", "rules"]

_LONGEST_HEADING = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRule:
    """What a kind of document must show.

    Args:
        months: How old it may be; 0 for any age.
        expires: Whether a day on which it runs out must be stated.
        stated: What supplier.toml must say of it.
        sections: Topics, each with words of which one must stand in a heading.
        names_version: Whether it must name the product's version.
    """

    kind: str
    title: str
    months: int = 0
    expires: bool = False
    stated: tuple[str, ...] = ()
    sections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names_version: bool = False


@dataclass(frozen=True, slots=True)
class Located:
    """What was seen of one document.

    Args:
        wrong: What is so and may not be: out of date, a finding too high. Any of it fails.
        unclear: What could not be seen. It decides nothing.
        seen: What was seen, in a few words.
    """

    wrong: tuple[str, ...]
    unclear: tuple[str, ...]
    seen: str


@cache
def rules() -> Mapping[str, DocumentRule]:
    """Every kind of document by name."""
    table = tomllib.loads((Path(__file__).parent / "documents.toml").read_text(encoding="utf-8"))
    made = {}
    for kind, row in table.items():
        if isinstance(row, dict):
            sections = {topic: tuple(words) for topic, words in row.pop("sections", {}).items()}
            row["stated"] = tuple(row.get("stated", ()))
            made[kind] = DocumentRule(kind=kind, sections=sections, **row)
    return made


def look_at(found: EvidenceFile, *, today: str, entity: str, version: str) -> Located:
    """What a document shows.

    Args:
        today: Day of the run, ISO.
        entity: The legal entity that answers for the product.
        version: Of the product.
    """
    rule = rules().get(found.kind) or DocumentRule(kind=found.kind, title=found.kind)
    wrong: list[str] = []
    unclear: list[str] = []
    _dates(found, rule, date.fromisoformat(today), wrong, unclear)
    unclear += [f"evidence.stated.{name} is not given" for name in rule.stated if name not in found.stated]
    _stated(found, date.fromisoformat(today), entity, wrong, unclear)
    located = _sections(found, rule, unclear)
    if rule.names_version and found.text is not None and version not in found.text:
        unclear.append(f"version {version} is not named in what could be read")
    parts = [rule.title, *([f"{located} of {len(rule.sections)} topics located"] if rule.sections else [])]
    return Located(tuple(wrong), tuple(unclear), ", ".join(parts))


def due_of(found: EvidenceFile) -> str:
    """The last day on which the document is in date, ISO; empty if it has none."""
    rule = rules().get(found.kind)
    days = [found.expires] if found.expires else []
    if rule is not None and rule.months and found.issued:
        days.append(_months_after(date.fromisoformat(found.issued), rule.months).isoformat())
    return min(days, default="")


def _dates(found: EvidenceFile, rule: DocumentRule, today: date, wrong: list[str], unclear: list[str]) -> None:
    if found.issued and date.fromisoformat(found.issued) > today:
        wrong.append(f"it is dated {found.issued}, after the day of the run")
    if found.expires and date.fromisoformat(found.expires) < today:
        wrong.append(f"it ran out on {found.expires}")
    elif rule.expires and not found.expires:
        unclear.append("the day on which it runs out is not stated")
    if rule.months and not found.issued:
        unclear.append("the day on which it was issued is not stated")
    elif rule.months and _months_after(date.fromisoformat(found.issued), rule.months) < today:
        wrong.append(f"it was issued on {found.issued}, more than {rule.months} months before the run")


def _stated(found: EvidenceFile, today: date, entity: str, wrong: list[str], unclear: list[str]) -> None:
    stated: Mapping[str, Any] = found.stated
    name = stated.get("legal_name")
    if isinstance(name, str) and _plain(name) != _plain(entity):
        wrong.append("it is of another legal entity than the product's")
    if found.kind == "penetration-test":
        score = stated.get("max_cvss")
        if isinstance(score, bool) or not isinstance(score, (int, float)) or not 0 <= score <= 10:
            if score is not None:
                unclear.append("evidence.stated.max_cvss: expected a number from 0 to 10")
        elif score >= 7.0:
            wrong.append(f"it has a finding at CVSS {score}")
        if stated.get("third_party") is False:
            wrong.append("it was not made by a third party")
        if stated.get("owasp_top_10") is False:
            wrong.append("it does not cover the OWASP Top 10")
    if found.kind == "code-review" and isinstance(stated.get("open_critical"), int) and stated["open_critical"] > 0:
        wrong.append(f"it leaves {stated['open_critical']} critical findings open")
    if found.kind == "dspt":
        _toolkit(stated, today, wrong, unclear)


def _toolkit(stated: Mapping[str, Any], today: date, wrong: list[str], unclear: list[str]) -> None:
    """Standards Met or Exceeded for this toolkit year or the last; a year runs from July to June."""
    standard = str(stated.get("standard", "")).strip().lower().replace("-", " ")
    if standard and standard not in ("standards met", "standards exceeded"):
        wrong.append("it says neither Standards Met nor Standards Exceeded")
    year = re.fullmatch(r"(20\d\d)[-/](\d\d)", str(stated.get("year", "")))
    if stated.get("year") and (year is None or (int(year[1]) + 1) % 100 != int(year[2])):
        unclear.append("evidence.stated.year: expected a toolkit year, such as 2025-26")
    elif year is not None:
        current = today.year if today.month >= 7 else today.year - 1
        if int(year[1]) not in (current, current - 1):
            wrong.append(f"it is of the toolkit year {year[0]}, neither this year nor the last")


def _sections(found: EvidenceFile, rule: DocumentRule, unclear: list[str]) -> int:
    if not rule.sections:
        return 0
    if found.text is None:
        unclear.append(
            "its text cannot be read here (a scan, locked, damaged, or no extra pdf): no topic was looked for"
        )
        return 0
    headings = [line.lower() for line in _headings(found.text)]
    missing = [topic for topic, words in rule.sections.items() if not any(w in h for w in words for h in headings)]
    if missing:
        unclear.append(f"no heading was found for: {', '.join(missing)}")
    return len(rule.sections) - len(missing)


def _headings(text: str) -> Sequence[str]:
    """Lines that are short enough to be a heading or the head of a column."""
    return [line for raw in text.splitlines() if (line := raw.strip()) and len(line) <= _LONGEST_HEADING]


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", text.lower().replace("limited", "ltd")).strip()


def _months_after(day: date, months: int) -> date:
    """The same day of a later month, or the last of it if it has none such.

    >>> _months_after(date(2024, 2, 29), 12)
    datetime.date(2025, 2, 28)
    """
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month, min(day.day, last))
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")
