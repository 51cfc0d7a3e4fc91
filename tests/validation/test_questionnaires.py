"""Answers against their questionnaire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from judging import rules

from mpftconnect.validation import Validator

URL = "https://zz.example.test/Questionnaire/q"
EXT = "http://hl7.org/fhir/StructureDefinition/"


def judged(
    make: Callable[..., Validator], items: list[dict[str, Any]], given: list[dict[str, Any]], status: str = "completed"
) -> list[str]:
    questionnaire = {"resourceType": "Questionnaire", "url": URL, "status": "active", "item": items}
    response = {"resourceType": "QuestionnaireResponse", "questionnaire": URL, "status": status, "item": given}
    return rules(make(questionnaire).validate(response))


def question(kind: str, **more: Any) -> dict[str, Any]:
    return {"linkId": "q1", "text": "How?", "type": kind, **more}


def answer(*values: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"linkId": "q1", "answer": list(values), **more}


def test_a_good_response(make: Callable[..., Validator]) -> None:
    assert judged(make, [question("string", required=True)], [answer({"valueString": "well"})]) == []


@pytest.mark.parametrize(
    ("item", "given", "rule"),
    [
        (question("string", required=True), None, "questionnaire-required"),
        (question("boolean"), answer({"valueString": "yes"}), "questionnaire-answer"),
        (question("string"), answer({"valueString": "a"}, {"valueString": "b"}), "questionnaire-answer"),
        (question("group"), answer({"valueString": "a"}), "questionnaire-answer"),
        (question("string", maxLength=2), answer({"valueString": "abc"}), "questionnaire-answer"),
        (question("string"), answer({"valueString": "a"}, text="Why?"), "questionnaire-item"),
        (question("string"), answer({"valueString": "a"}, item=[{"linkId": "q1"}]), "questionnaire-item"),
        (question("string"), {"linkId": "q9"}, "questionnaire-item"),
        (
            question("date", answerOption=[{"valueDate": "2020-01-01"}]),
            answer({"valueDate": "2020-01-02"}),
            "questionnaire-answer",
        ),
        (
            question("integer", extension=[{"url": EXT + "maxValue", "valueInteger": 3}]),
            answer({"valueInteger": 4}),
            "questionnaire-answer",
        ),
        (question("reference"), answer({"valueReference": {"reference": "Chicken/1"}}), "questionnaire-answer"),
        (
            question("choice", answerValueSet="http://hl7.org/fhir/ValueSet/administrative-gender"),
            answer({"valueCoding": {"system": "http://hl7.org/fhir/administrative-gender", "code": "x"}}),
            "questionnaire-answer",
        ),
        (
            question("attachment", extension=[{"url": EXT + "mimeType", "valueCode": "image/gif"}]),
            answer({"valueAttachment": {"contentType": "application/pdf"}}),
            "questionnaire-answer",
        ),
    ],
)  # fmt: skip
def test_each_broken_rule_is_found(make: Callable[..., Validator], item: Any, given: Any, rule: str) -> None:
    assert rule in judged(make, [item], [given] if given else [{"linkId": "other"}])


def test_required_answers_may_lack_while_it_is_in_progress(make: Callable[..., Validator]) -> None:
    items = [question("string", required=True), {"linkId": "q2", "type": "string"}]
    given = [{"linkId": "q2", "answer": [{"valueString": "x"}]}]
    assert judged(make, items, given, "in-progress") == []
    assert judged(make, items, given) == ["questionnaire-required"]


def test_items_that_are_not_enabled_have_no_answer(make: Callable[..., Validator]) -> None:
    when = [{"question": "q1", "operator": "=", "answerBoolean": True}]
    items = [question("boolean"), {"linkId": "q2", "type": "string", "required": True, "enableWhen": when}]
    second = {"linkId": "q2", "answer": [{"valueString": "x"}]}
    assert judged(make, items, [answer({"valueBoolean": True}), second]) == []
    assert judged(make, items, [answer({"valueBoolean": False}), second]) == ["questionnaire-enabled"]
    assert judged(make, items, [answer({"valueBoolean": False})]) == []
    assert judged(make, items, [answer({"valueBoolean": True})]) == ["questionnaire-required"]


def test_order_and_repeats(make: Callable[..., Validator]) -> None:
    items = [question("string"), {"linkId": "q2", "type": "string"}]
    second = {"linkId": "q2", "answer": [{"valueString": "x"}]}
    assert judged(make, items, [second, answer({"valueString": "a"})]) == ["questionnaire-item"]
    assert judged(make, items, [answer({"valueString": "a"}), answer({"valueString": "b"})]) == ["questionnaire-item"]
    repeats = [question("string", repeats=True)]
    assert judged(make, repeats, [answer({"valueString": "a"}, {"valueString": "b"})]) == []


def test_a_questionnaire_that_nobody_has_leaves_it_undecided(core: Validator) -> None:
    report = core.validate({"resourceType": "QuestionnaireResponse", "questionnaire": URL, "status": "completed"})
    assert (report.verdict, report.not_checked[0].rule) == ("undecided", "questionnaire-missing")


@pytest.mark.parametrize(("behaviour", "enabled"), [("any", True), ("all", False)])
def test_any_or_all_conditions_enable(make: Callable[..., Validator], behaviour: str, enabled: bool) -> None:
    when = [
        {"question": "q1", "operator": "=", "answerInteger": 1},
        {"question": "q1", "operator": ">", "answerInteger": 1},
    ]
    items = [question("integer"), {"linkId": "q2", "type": "string", "enableWhen": when, "enableBehavior": behaviour}]
    given = [answer({"valueInteger": 2}), {"linkId": "q2", "answer": [{"valueString": "x"}]}]
    assert judged(make, items, given) == ([] if enabled else ["questionnaire-enabled"])
