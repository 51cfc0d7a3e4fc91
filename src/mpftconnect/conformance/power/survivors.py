"""What no check noticed, sorted into classes that somebody reviewed: data beside a pack, one reason for each class.

A class takes changes by their kind, never one by one, and says why nothing noticed them. What belongs to no class is
new: somebody has to look at it, and mend a check or name a class.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mpftconnect.errors import ConfigurationError

__all__ = ["WHY", "Classes", "SurvivorClass", "read_classes"]

WHY: Mapping[str, str] = {
    "outside": "outside what the pack requires",
    "unread": "an element that no requirement of the pack reads",
    "equivalent": "as good as the original under what is required",
    "elsewhere": "another answer of the same run, or another pack, carries what is required",
    "limit": "what nothing here can tell, as the limits of the requirements say",
    "hole": "a hole in a check, known and not yet mended",
}
"""The kinds of reason for which a change may survive."""

_FIELDS = {"name", "why", "reason", "changes", "steps"}


@dataclass(frozen=True, slots=True)
class SurvivorClass:
    """One class.

    Args:
        why: One of `WHY`.
        changes: Patterns of `operator place`, as shells write them: `drop-element *.meta.versionId`.
        steps: Patterns of the steps in which a change belongs to it; empty: any.
    """

    name: str
    why: str
    reason: str
    changes: tuple[str, ...]
    steps: tuple[str, ...] = ()

    def takes(self, change: str, step: str) -> bool:
        return any(fnmatchcase(change, each) for each in self.changes) and (
            not self.steps or any(fnmatchcase(step, each) for each in self.steps)
        )


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of a pack, in the order in which they are tried."""

    classes: tuple[SurvivorClass, ...] = ()

    def of(self, change: str, step: str) -> SurvivorClass | None:
        return next((each for each in self.classes if each.takes(change, step)), None)

    def sorted_out(self, survived: Mapping[tuple[str, str], int]) -> dict[str, Any]:
        """How many survivors each class took, and the kinds that none did.

        Args:
            survived: Change and step, to how many of it survived.
        Returns:
            `classes` (name, why, reason, survived) and `without_class` (change, step, survived).

        >>> meta = SurvivorClass("version", "equivalent", "any version will do", ("alter-text *.versionId",))
        >>> Classes((meta,)).sorted_out({("alter-text A.versionId", "s"): 2, ("drop-element A.b", "s"): 1})
        ... # doctest: +NORMALIZE_WHITESPACE
        {'classes': [{'name': 'version', 'why': 'equivalent', 'reason': 'any version will do', 'survived': 2}],
         'without_class': [{'change': 'drop-element A.b', 'step': 's', 'survived': 1}]}
        """
        counted = dict.fromkeys(self.classes, 0)
        without = []
        for (change, step), number in sorted(survived.items()):
            found = self.of(change, step)
            if found is None:
                without.append({"change": change, "step": step, "survived": number})
            else:
                counted[found] += number
        told = [
            {"name": each.name, "why": each.why, "reason": each.reason, "survived": number}
            for each, number in counted.items()
        ]
        return {"classes": told, "without_class": without}


def read_classes(path: Path | None) -> Classes:
    """The classes of a pack's file; none if the pack has no file.

    Raises:
        ConfigurationError: Every mistake, at once.
    """
    if path is None or not path.is_file():
        return Classes()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError([f"{path.name}: cannot be read ({type(error).__name__})"]) from None
    problems: list[str] = []
    if content.get("version") != 1:
        problems.append(f"{path.name}: version: 1 is expected")
    given = content.get("class", [])
    made: list[SurvivorClass] = []
    for number, each in enumerate(given if isinstance(given, list) else [None], start=1):
        wrong = _mistakes(each)
        problems += [f"{path.name}: class {number}: {mistake}" for mistake in wrong]
        if not wrong:
            texts = {name: " ".join(each[name].split()) for name in ("name", "why", "reason")}
            made.append(SurvivorClass(**texts, changes=tuple(each["changes"]), steps=tuple(each.get("steps", ()))))
    names = [each.name for each in made]
    problems += [f"{path.name}: class {name}: stands twice" for name in set(names) if names.count(name) > 1]
    if problems:
        raise ConfigurationError(problems)
    return Classes(tuple(made))


def _mistakes(given: Any) -> list[str]:
    if not isinstance(given, Mapping):
        return ["a table is expected"]
    problems = [f"{name}: is not known" for name in given if name not in _FIELDS]
    problems += [
        f"{name}: a text is expected"
        for name in ("name", "why", "reason")
        if not isinstance(given.get(name), str) or not given[name].strip()
    ]
    if isinstance(given.get("why"), str) and given["why"] not in WHY:
        problems.append(f"why: one of {', '.join(WHY)} is expected")
    for name in ("changes", "steps"):
        if name == "steps" and name not in given:
            continue
        if not _texts(given.get(name)):
            problems.append(f"{name}: a list of texts is expected")
    if _texts(given.get("changes")) and "steps" not in given:
        problems += [
            f"changes: {each} would take everything: name a place, or steps"
            for each in given["changes"]
            if not any(char.isalnum() for char in each.partition(" ")[2])
        ]
    return problems


def _texts(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(each, str) and each.strip() for each in value)
    )
