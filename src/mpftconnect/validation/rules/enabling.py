"""Whether an item of a questionnaire is enabled, by the answers that were given.

FHIR R4 Questionnaire.item.enableWhen and enableBehavior; STU3: `hasAnswer` or one answer, any of them enough.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from mpftconnect.errors import FhirPathError
from mpftconnect.validation.check.limits import compare
from mpftconnect.validation.fhirpath import compile_expression
from mpftconnect.validation.fhirpath.types import Version

__all__ = ["Enabling"]

_MOST_ANSWERS = 1000
_KANTA = "http://phr.kanta.fi/StructureDefinition/fiphr-ext-questionnaire-enablewhen"
_SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-enableWhenExpression"


class Enabling:
    """Looks answers up in one response."""

    def __init__(self, response: dict[str, Any], version: Version) -> None:
        self._response = response
        self._version = version
        # Identity of what holds answers -> question -> answers; each part of the response is gone through once for each
        # level around it, and not once for each question.
        self._indexed: dict[int, dict[str, list[Any]]] = {}

    def enabled(self, question: dict[str, Any], trail: list[dict[str, Any]]) -> bool | None:
        """Whether a question is enabled; None where its conditions cannot be worked out.

        Args:
            trail: The response and the items and answers around the question, outermost first.
        """
        expression = _expression(question)
        if expression is not None:
            return self._evaluate(expression)
        conditions = question.get("enableWhen")
        if not isinstance(conditions, list) or not conditions:
            return True
        verdicts = [self._holds(c, trail) if isinstance(c, dict) else None for c in conditions]
        if question.get("enableBehavior") == "all":
            return False if False in verdicts else None if None in verdicts else True
        return True if True in verdicts else None if None in verdicts else False

    def _holds(self, condition: dict[str, Any], trail: list[dict[str, Any]]) -> bool | None:
        answers = self._answers(str(condition.get("question")), trail)
        if "hasAnswer" in condition:  # STU3
            return bool(answers) == (condition["hasAnswer"] is True)
        wanted = next(((k[6:], v) for k, v in condition.items() if k.startswith("answer")), None)
        if wanted is None:
            return None
        operator = condition.get("operator", "=")
        if operator == "exists":
            return bool(answers) == (wanted[1] is True)
        if len(answers) > _MOST_ANSWERS:  # each is compared for each question
            return None
        verdicts = [_compared(answer, wanted[1], str(operator)) for answer in answers]
        return True if True in verdicts else None if None in verdicts else False

    def _evaluate(self, expression: str) -> bool | None:
        try:
            found = compile_expression(expression, version=self._version).evaluate(self._response)
        except FhirPathError:
            return None
        return found == [True]

    def _answers(self, link: str, trail: list[dict[str, Any]]) -> list[Any]:
        """Answers to a question: the nearest around the item, else anywhere."""
        for holder in (*reversed(trail), self._response):
            found = self._index(holder).get(link)
            if found is not None:
                return found
        return []

    def _index(self, holder: dict[str, Any]) -> dict[str, list[Any]]:
        known = self._indexed.get(id(holder))
        if known is None:
            known = self._indexed[id(holder)] = _answers_in(holder)
        return known


def _expression(question: dict[str, Any]) -> str | None:
    """An enabling expression in FHIRPath, of Structured Data Capture or of the Finnish PHR before it."""
    listed = question.get("extension")
    for extension in listed if isinstance(listed, list) else ():
        url = extension.get("url") if isinstance(extension, dict) else None
        if url == _KANTA and isinstance(extension.get("valueString"), str):
            return str(extension["valueString"])
        if url == _SDC:
            value = extension.get("valueExpression")
            if (
                isinstance(value, dict)
                and value.get("language") == "text/fhirpath"
                and isinstance(value.get("expression"), str)
            ):
                return str(value["expression"])
    return None


def _answers_in(holder: dict[str, Any]) -> dict[str, list[Any]]:
    """Answers to each question of a part of a response, level by level."""
    found: dict[str, list[Any]] = {}
    queue: deque[Any] = deque([holder])
    while queue:
        one = queue.popleft()
        if not isinstance(one, dict):
            continue
        answers, link = one.get("answer"), one.get("linkId")
        if isinstance(link, str):
            held = found.setdefault(link, [])
            for answer in answers if isinstance(answers, list) else ():
                if isinstance(answer, dict):
                    held += [v for k, v in answer.items() if k.startswith("value")]
        for key in ("item", "answer"):
            inner = one.get(key)
            queue.extend(inner if isinstance(inner, list) else ())
    return found


def _compared(answer: Any, wanted: Any, operator: str) -> bool | None:
    if (
        isinstance(answer, dict)
        and isinstance(wanted, dict)
        and ("code" in wanted or "system" in wanted)
        and "value" not in wanted
    ):
        same = answer.get("code") == wanted.get("code") and (
            "system" not in wanted or answer.get("system") == wanted.get("system")
        )
        return same if operator == "=" else not same if operator == "!=" else None
    if isinstance(answer, dict) and isinstance(wanted, dict) and "reference" in wanted:
        same = answer.get("reference") == wanted["reference"]
        return same if operator == "=" else not same
    order = compare(answer, wanted)
    if order is None:
        if isinstance(answer, bool) and isinstance(wanted, bool):
            order = 0 if answer is wanted else 1
        elif type(answer) is not type(wanted):
            return operator == "!="
        else:
            return None
    return {
        "=": order == 0,
        "!=": order != 0,
        ">": order > 0,
        "<": order < 0,
        ">=": order >= 0,
        "<=": order <= 0,
    }.get(operator)
