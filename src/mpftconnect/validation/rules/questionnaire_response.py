"""A QuestionnaireResponse against its Questionnaire.

FHIR R4 and STU3 "Questionnaire" and "QuestionnaireResponse" (structure, required, enableWhen, answer options), and
the core extensions that limit answers (minValue, maxValue, minOccurs, maxOccurs, maxDecimalPlaces, maxSize, mimeType,
unitOption, unitValueSet, optionExclusive, referenceResource, regex, minLength).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mpftconnect.validation.definitions.store import split_canonical
from mpftconnect.validation.lists import listed
from mpftconnect.validation.places import Place
from mpftconnect.validation.rules.answers import check_answer, value_of
from mpftconnect.validation.rules.enabling import Enabling
from mpftconnect.validation.shown import address_shown

if TYPE_CHECKING:
    from mpftconnect.validation.check.run import Run

__all__ = ["questionnaire_response_rules"]

_DEEPEST = 60


def questionnaire_response_rules(value: dict[str, Any], place: Place, run: Run) -> None:
    """Judge the answers by the questionnaire, if it can be found."""
    named = value.get("questionnaire")
    if isinstance(named, dict):  # STU3: a Reference
        named = named.get("reference")
    if not isinstance(named, str) or not named:
        run.not_checked(
            "questionnaire-missing", place, "it does not say which questionnaire it answers", decisive=False
        )
        return
    here = (place, "questionnaire", None, None)
    loaded = _loaded(named, run)
    questionnaire = loaded or _beside(named, run)
    if questionnaire is None:
        run.not_checked(
            "questionnaire-missing", here, f"questionnaire {address_shown(named)} is not loaded", decisive=True
        )
        return
    if questionnaire.get("resourceType") != "Questionnaire":
        run.error(
            "questionnaire-missing",
            here,
            "must be the address of a Questionnaire, and is that of another resource",
        )
        return
    _Response(questionnaire, value, run, published=loaded is not None).check(place)


def _loaded(named: str, run: Run) -> dict[str, Any] | None:
    """A questionnaire of the definitions."""
    if named.startswith("#"):
        return None
    definitions = run.checks.definitions
    entry = definitions.find(named, "Questionnaire") or definitions.find(named)
    if entry is None and ":" not in named:
        entry = definitions.by_reference(named)
    return entry.resource if entry is not None else None


def _beside(named: str, run: Run) -> dict[str, Any] | None:
    """A questionnaire that comes in the same document."""
    frame = run.frame
    if named.startswith("#"):
        return frame.container.contained.get(named[1:]) if frame else None
    from mpftconnect.validation.check.references import find_target

    target = find_target(split_canonical(named)[0], run)
    if target is not None:
        return target.resource
    for bundle in frame.bundles() if frame else ():
        for held in listed(bundle.resource.get("entry")):
            resource = held.get("resource") if isinstance(held, dict) else None
            if isinstance(resource, dict) and resource.get("url") == split_canonical(named)[0]:
                return resource
    return None


def _items(holder: Any) -> list[dict[str, Any]]:
    listed = holder.get("item") if isinstance(holder, dict) else None
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


class _Response:
    def __init__(self, questionnaire: dict[str, Any], response: dict[str, Any], run: Run, *, published: bool) -> None:
        self._questionnaire = questionnaire
        self._response = response
        self._run = run
        self._finished = response.get("status") not in ("in-progress", "stopped", "entered-in-error")
        self._all_ids: set[str] = set()
        stack = _items(questionnaire)
        while stack:
            item = stack.pop()
            self._all_ids.add(str(item.get("linkId")))
            stack.extend(_items(item))
        # A questionnaire that comes with its answers may say anything, as they may.
        self._published = published
        self._enabling = Enabling(response, "3.0" if run.checks.version == "3.0" else "4.0")

    def _link(self, question: dict[str, Any]) -> str:
        """A question's linkId for a message, if it is of a questionnaire that was loaded."""
        return f" {str(question.get('linkId'))[:64]!r}" if self._published else ""

    def check(self, place: Place) -> None:
        self._level(_items(self._questionnaire), self._response, place, [self._response], 0)

    def _level(
        self,
        questions: list[dict[str, Any]],
        holder: dict[str, Any],
        place: Place,
        trail: list[dict[str, Any]],
        depth: int,
    ) -> None:
        """The items of one level against the questions of that level."""
        run = self._run
        if depth > _DEEPEST:
            run.not_checked("questionnaire-item", place, "items are nested too deep", decisive=True)
            return
        listed = holder.get("item")
        order = {str(q.get("linkId")): index for index, q in enumerate(questions)}
        given: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        latest = -1
        for number, item in enumerate(listed if isinstance(listed, list) else ()):
            if not isinstance(item, dict):
                continue
            link = str(item.get("linkId"))
            here = (place, "item", number, None)
            if link not in order:
                if link in self._all_ids:
                    run.error("questionnaire-item", here, "stands in the wrong place of the questionnaire")
                else:
                    run.error("questionnaire-item", here, "has a linkId that the questionnaire does not have")
                continue
            if order[link] < latest:
                run.error("questionnaire-item", here, "is out of the order of the questionnaire")
            latest = max(latest, order[link])
            given.setdefault(link, []).append((number, item))
        for question in questions:
            self._question(question, given.get(str(question.get("linkId")), []), place, trail, depth)

    def _question(
        self,
        question: dict[str, Any],
        given: list[tuple[int, dict[str, Any]]],
        place: Place,
        trail: list[dict[str, Any]],
        depth: int,
    ) -> None:
        run = self._run
        enabled = self._enabling.enabled(question, trail)
        kind = question.get("type")
        if enabled is False:
            for number, item in given:
                if _has_answer(item):
                    run.error(
                        "questionnaire-enabled",
                        (place, "item", number, None),
                        "must have no answer, because its item is not enabled",
                    )
            return
        if enabled is None:
            run.not_checked(
                "questionnaire-enabled", place, "whether an item is enabled could not be worked out", decisive=True
            )
            return
        if not given:
            if question.get("required") is True and self._finished and kind != "display":
                run.error(
                    "questionnaire-required", place, f"must have an answer for the required item{self._link(question)}"
                )
            return
        if len(given) > 1 and question.get("repeats") is not True:
            run.error(
                "questionnaire-item", (place, "item", given[1][0], None), "must stand once: its item does not repeat"
            )
        elif len(given) > 1 and kind not in ("group", None):
            run.error(
                "questionnaire-item",
                (place, "item", given[1][0], None),
                "must stand once: answers repeat inside one item",
            )
        for number, item in given:
            self._item(question, item, (place, "item", number, None), trail, depth)

    def _item(
        self, question: dict[str, Any], item: dict[str, Any], here: Place, trail: list[dict[str, Any]], depth: int
    ) -> None:
        run = self._run
        kind = question.get("type")
        text, wanted = item.get("text"), question.get("text")
        if isinstance(text, str) and isinstance(wanted, str) and text != wanted:
            run.error("questionnaire-item", here, "must have the text of its question, if it has a text")
        answers = item.get("answer")
        answers = answers if isinstance(answers, list) else []
        inside = [*trail, item]
        if kind in ("group", "display", "question"):
            if answers:
                run.error("questionnaire-answer", here, f"must have no answer, because its item is of type {kind}")
            if kind == "group":
                self._level(_items(question), item, here, inside, depth + 1)
            elif _items(item):
                run.error("questionnaire-item", here, f"must have no items, because its item is of type {kind}")
            elif kind == "question":
                self._level(_items(question), item, here, inside, depth + 1)
            return
        if _items(item):
            run.error(
                "questionnaire-item", here, "must have items only inside its answers, because its item is no group"
            )
        if not any(_answered(a) for a in answers):
            if question.get("required") is True and self._finished:
                run.error(
                    "questionnaire-required", here, f"must have an answer for the required item{self._link(question)}"
                )
            return
        if len(answers) > 1 and question.get("repeats") is not True:
            run.error("questionnaire-answer", here, "must have one answer: its item does not repeat")
        self._occurrences(question, answers, here)
        for number, answer in enumerate(answers):
            if not isinstance(answer, dict):
                continue
            where = (here, "answer", number, None)
            check_answer(question, answer, answers, self._questionnaire, where, run)
            if _items(question) or _items(answer):
                self._level(_items(question), answer, where, [*inside, answer], depth + 1)

    def _occurrences(self, question: dict[str, Any], answers: list[Any], here: Place) -> None:
        least = value_of(question, "http://hl7.org/fhir/StructureDefinition/questionnaire-minOccurs")
        most = value_of(question, "http://hl7.org/fhir/StructureDefinition/questionnaire-maxOccurs")
        if isinstance(least, int) and len(answers) < least and self._finished:
            self._run.error("questionnaire-answer", here, f"must have at least {least} answers")
        if isinstance(most, int) and len(answers) > most:
            self._run.error("questionnaire-answer", here, f"must have at most {most} answers")


def _answered(answer: Any) -> bool:
    return isinstance(answer, dict) and any(key.startswith(("value", "_value")) for key in answer)


def _has_answer(item: dict[str, Any]) -> bool:
    stack = [item]
    while stack:
        one = stack.pop()
        answers = one.get("answer")
        if isinstance(answers, list) and any(_answered(a) for a in answers):
            return True
        stack.extend(_items(one))
    return False
