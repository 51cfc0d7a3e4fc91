"""A named assessor's decisions: `assessment.toml`, which counts only if a key that is believed has signed it.

```toml
version = 1
form = "2.0"
product = "Wardline"
product_version = "4.2"

[assessor]
name = "R. Okafor"
organisation = "An integrated care board"
role = "Chief clinical information officer"

[[decision]]
code = "C3.1"
decision = "met"                       # met, not-met
date = 2026-11-20
reason = "certificate seen on the register"
seen = ["4f6c..."]                     # sha256 of the documents that were looked at; optional
```
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from mpftconnect.conformance import Evidence, EvidenceFile
from mpftconnect_conformance.dtac.form import FORM_VERSION

__all__ = ["KIND", "Decision", "Decisions", "decisions_in"]

KIND = "assessment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What an assessor decided of one question.

    Args:
        by: Name, role and organisation, as the file says them.
        signed_by: Whose key signed the file, as the trust file says it.
        seen: sha256 of the documents that were looked at.
    """

    code: str
    met: bool
    day: str
    reason: str
    by: str
    signed_by: str
    seen: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decisions:
    """All decisions that count, by code, and why others do not."""

    by_code: Mapping[str, Decision]
    refused: tuple[str, ...]

    def of(self, code: str, files: Sequence[EvidenceFile]) -> Decision | None:
        """The decision on a question, if it was made of these documents."""
        found = self.by_code.get(code)
        if found is None or (found.seen and not {f.sha256 for f in files} <= set(found.seen)):
            return None
        return found


def decisions_in(evidence: Evidence) -> Decisions:
    """The decisions of every assessment among the documents."""
    by_code: dict[str, Decision] = {}
    refused: list[str] = []
    for file in evidence.files.get(KIND, ()):
        problem = _read(file, evidence, by_code)
        if problem:
            refused.append(f"{file.name}: {problem}")
    return Decisions(by_code, tuple(refused))


def _read(file: EvidenceFile, evidence: Evidence, by_code: dict[str, Decision]) -> str:
    if not file.signed_by:
        return "no key that is believed has signed it, so its decisions do not count"
    try:
        table = tomllib.loads(file.text or "")
        assessor = table["assessor"]
        by = f"{assessor['name']}, {assessor['role']}, {assessor['organisation']}"
        stated = (table["version"], table["form"], table["product"], table["product_version"])
        rows = list(_rows(table, by, ", ".join(file.signed_by)))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError):
        return "is no whole assessment: expected version, form, product, product_version, [assessor] and [[decision]]"
    subject = evidence.subject
    if subject is None or stated != (1, FORM_VERSION, subject.product, subject.version):
        return "speaks of another form, product or version"
    by_code.update({row.code: row for row in rows})
    return ""


def _rows(table: Mapping[str, Any], by: str, signed_by: str) -> Iterator[Decision]:
    for row in table["decision"]:
        day = row["date"]
        if row["decision"] not in ("met", "not-met") or not isinstance(day, date) or not str(row["reason"]).strip():
            raise ValueError
        yield Decision(
            code=str(row["code"]),
            met=row["decision"] == "met",
            day=day.isoformat(),
            reason=str(row["reason"]),
            by=by,
            signed_by=signed_by,
            seen=tuple(map(str, row.get("seen", ()))),
        )
