"""The form's questions, and which of them an answered form reaches.

The routing is that of DTAC form 2.0 (NHS England, 24 February 2026), read from a transcription: C1.1.2 = Yes leads to
C2, C3.2 = Yes past C3.3 to C3.6, C4.2 = No to "C4.3", which does not exist and is read as the end of C4.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["CHARTER", "FORM_VERSION", "Answers", "Question", "answers_in", "questions"]

FORM_VERSION = "2.0"
CHARTER = "Charter signed; no penetration test seen"
"""The words for what a signed charter excuses (C3.2)."""

_YES = frozenset({"yes", "y", "true"})
_NO = frozenset({"no", "n", "false"})
_NOT_APPLICABLE = frozenset({"n/a", "na", "not applicable", "not-applicable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question.

    Args:
        code: As the form has it: `C1.2.4`.
        requirement: Its number in the pack.
        kind: `text`, `file`, `yes-no`, `confirm`, `enum`, `url`, `number`.
        when: Conditions that must all hold for it to be reached: `C1.2 = yes`; `A = x or B = y` within one.
        passes: Answers with which it can be met; empty: any.
        or_else: A question whose answer makes up for another answer to this one.
        files: Kinds of evidence that it asks for; `KIND if ANSWER` only with that answer.
        also: Names of further things that are looked at.
    """

    code: str
    requirement: int
    kind: str
    options: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    or_else: str = ""
    files: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    note: str = ""

    @property
    def scored(self) -> bool:
        """Whether the form passes or fails it: C1 to C4 alone."""
        return self.code.startswith("C")

    @property
    def closed(self) -> tuple[str, ...]:
        """The answers that the form offers; empty if it is open."""
        if self.kind == "yes-no":
            return ("yes", "no")
        return ("confirmed", "cannot-confirm") if self.kind == "confirm" else self.options


@cache
def questions() -> Mapping[str, Question]:
    """Every question by its code, in the order of the form."""
    table = tomllib.loads((Path(__file__).parent / "form-2.0.toml").read_text(encoding="utf-8"))
    made = {}
    for row in table["question"]:
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in row.items()}
        made[str(row["code"])] = Question(**values)
    return made


@dataclass(frozen=True, slots=True)
class Answers:
    """A filled form.

    Args:
        form: The version that it says it is of; empty if it says none.
        given: By code, as they were given.
        unknown: Codes that the form does not have.
        history: Answers on form 1.0, by code.
    """

    form: str
    given: Mapping[str, Any]
    unknown: tuple[str, ...]
    history: Mapping[str, Any]

    def word(self, code: str) -> str:
        """The answer to a closed question as one of its options; empty if it was not answered."""
        given = self.given.get(code)
        if isinstance(given, bool):
            return "yes" if given else "no"
        if isinstance(given, Mapping):
            given = given.get("answer", "")
        text = str(given).strip().lower() if given is not None else ""
        question = questions().get(code)
        if text in _YES:
            text = "confirmed" if question is not None and "confirmed" in question.closed else "yes"
        elif text in _NO:
            text = "cannot-confirm" if question is not None and "cannot-confirm" in question.closed else "no"
        elif text in _NOT_APPLICABLE:
            text = "n/a"
        return text.replace(" ", "-")

    def answered(self, code: str) -> bool:
        """Whether anything was answered."""
        given = self.given.get(code)
        return bool(given) if isinstance(given, (str, Mapping, list)) else given is not None

    def skipped_by(self, code: str) -> str:
        """The condition for which the form skips a question; empty if it is reached.

        A condition on a question that was not answered skips nothing: what is not known is not excused.
        """
        for condition in questions()[code].when:
            choices = [part.partition(" = ")[::2] for part in condition.split(" or ")]
            known = [(asked, wanted) for asked, wanted in choices if self.word(asked)]
            if known and len(known) == len(choices) and all(self.word(asked) != wanted for asked, wanted in known):
                return condition
        return ""

    def reached(self, code: str) -> bool:
        """Whether the form asks it, as far as the answers before it say."""
        return not self.skipped_by(code)


def answers_in(answers: Mapping[str, Any]) -> Answers | None:
    """The filled form among a supplier's answers: `[answers.dtac]`, and `[answers.dtac-1-0]` for history.

    Returns:
        None if there is none.
    """
    table, history = answers.get("dtac"), answers.get("dtac-1-0")
    if not isinstance(table, Mapping) and not isinstance(history, Mapping):
        return None
    table = table if isinstance(table, Mapping) else {}
    known = questions()
    given = {code: value for code, value in table.items() if code in known}
    unknown = tuple(code for code in table if code not in known and code != "form")
    form = table.get("form", "")
    return Answers(str(form), given, unknown, history if isinstance(history, Mapping) else {})
