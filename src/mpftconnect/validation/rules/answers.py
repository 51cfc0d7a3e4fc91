"""One answer against its question: type, options, limits."""

from __future__ import annotations

import re
from base64 import b64decode
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.check.limits import compare
from mpftconnect.validation.check.references import implied_type
from mpftconnect.validation.places import Place
from mpftconnect.validation.shown import address_shown
from mpftconnect.validation.terminology.code_systems import UCUM

if TYPE_CHECKING:
    from mpftconnect.validation.check.run import Run

__all__ = ["check_answer", "value_of"]

EXT = "http://hl7.org/fhir/StructureDefinition/"
_TYPES = {
    "boolean": ("boolean",),
    "decimal": ("decimal",),
    "integer": ("integer",),
    "date": ("date",),
    "dateTime": ("dateTime",),
    "time": ("time",),
    "string": ("string",),
    "text": ("string",),
    "url": ("uri",),
    "attachment": ("Attachment",),
    "reference": ("Reference",),
    "quantity": ("Quantity",),
}
_UNSAFE = re.compile(r"[*+}]\)+[*+{]|\|[^)]*\)[*+]")


def value_of(holder: dict[str, Any], url: str) -> Any:
    """The value of an extension, the first of that url."""
    for value in values_of(holder, url):
        return value
    return None


def values_of(holder: dict[str, Any], url: str) -> list[Any]:
    """The values of all extensions of a url."""
    found = []
    listed = holder.get("extension")
    for extension in listed if isinstance(listed, list) else ():
        if isinstance(extension, dict) and extension.get("url") == url:
            found += [v for k, v in extension.items() if k.startswith("value")]
    return found


def check_answer(
    question: dict[str, Any],
    answer: dict[str, Any],
    answers: list[Any],
    questionnaire: dict[str, Any],
    place: Place,
    run: Run,
) -> None:
    """Judge one answer."""
    found = next(((k[5:], v) for k, v in answer.items() if k.startswith("value")), None)
    if found is None:
        return
    kind = (
        found[0][:1].lower() + found[0][1:]
        if found[0] in ("Boolean", "Decimal", "Integer", "Date", "DateTime", "Time", "String", "Uri")
        else found[0]
    )
    if not run.checks.trees.has_type(kind):
        return  # no type, and said to be none where the answer itself is judged
    value = found[1]
    label = f"value.ofType({kind})"
    here = (place, "value" + found[0], None, label)
    allowed = _allowed(question)
    if allowed and kind not in allowed:
        words = " or ".join(code for code in allowed if run.checks.trees.has_type(code))
        run.error("questionnaire-answer", here, f"must be of type {words or 'another'}, not {kind}")
        return
    _options(question, kind, value, answers, questionnaire, place, run)
    _limits(question, kind, value, here, run)
    if kind == "Quantity":
        _units(question, value, here, run)
    elif kind == "Reference":
        _reference(question, value, here, run)
    elif kind == "Attachment":
        _attachment(question, value, place, run)


def _option_list(question: dict[str, Any]) -> list[tuple[str, Any, dict[str, Any]]]:
    listed = question.get("answerOption", question.get("option"))
    found = []
    for option in listed if isinstance(listed, list) else ():
        if isinstance(option, dict):
            held = next(((k[5:], v) for k, v in option.items() if k.startswith("value")), None)
            if held is not None:
                found.append((held[0], held[1], option))
    return found


def _allowed(question: dict[str, Any]) -> tuple[str, ...]:
    kind = str(question.get("type"))
    if kind in ("choice", "open-choice"):
        options = {
            name if name in ("Coding", "Reference") else name[:1].lower() + name[1:]
            for name, _, _ in _option_list(question)
        }
        if not options and "answerValueSet" not in question and "options" not in question:
            return ()  # a choice of nothing that is stated: any answer
        return tuple(sorted((options or {"Coding"}) | ({"string"} if kind == "open-choice" else set())))
    return _TYPES.get(kind, ())


def _same(kind: str, value: Any, option: Any) -> bool:
    if isinstance(value, dict) and isinstance(option, dict):
        if "reference" in option:
            return bool(value.get("reference") == option["reference"])
        return bool(value.get("code") == option.get("code") and value.get("system") == option.get("system"))
    return bool(value == option)


def _options(
    question: dict[str, Any],
    kind: str,
    value: Any,
    answers: list[Any],
    questionnaire: dict[str, Any],
    place: Place,
    run: Run,
) -> None:
    options = _option_list(question)
    open_ = question.get("type") == "open-choice" and kind == "string"
    if options and not open_:
        matching = [option for _, held, option in options if _same(kind, value, held)]
        if not matching:
            run.error("questionnaire-answer", place, "must be one of the options of its question")
        elif len(answers) > 1 and any(
            value_of(option, EXT + "questionnaire-optionExclusive") is True for option in matching
        ):
            run.error("questionnaire-answer", place, "is an option that excludes any other answer")
        return
    value_set = question.get(
        "answerValueSet",
        (question.get("options") or {}).get("reference") if isinstance(question.get("options"), dict) else None,
    )
    if not isinstance(value_set, str) or open_ or kind != "Coding" or not isinstance(value, dict):
        return
    if not isinstance(value.get("code"), str):
        return
    member = _member(value, value_set, questionnaire, run)
    if member is False:
        run.error(
            "questionnaire-answer", place, f"must be a code of {address_shown(value_set)}, the options of its question"
        )
    elif member is None:
        run.not_checked(
            "questionnaire-answer",
            place,
            f"value set {address_shown(value_set)} is not loaded far enough",
            decisive=True,
        )


def _member(value: dict[str, Any], value_set: str, questionnaire: dict[str, Any], run: Run) -> bool | None:
    if value_set.startswith("#"):
        held = questionnaire.get("contained")
        own = next(
            (
                r
                for r in (held if isinstance(held, list) else ())
                if isinstance(r, dict) and r.get("id") == value_set[1:]
            ),
            None,
        )
        if own is None and run.frame is not None:
            own = run.frame.container.contained.get(value_set[1:])
        return run.checks.coded.member_of_given(value, own) if own is not None else None
    return run.checks.coded.member(value, value_set)


def _limits(question: dict[str, Any], kind: str, value: Any, here: Place, run: Run) -> None:
    for url, wrong, words in ((EXT + "minValue", -1, "at least"), (EXT + "maxValue", 1, "at most")):
        for limit in values_of(question, url):
            _limit(value, limit, wrong, words, here, run)
    least = value_of(question, "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-minQuantity")
    most = value_of(question, "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-maxQuantity")
    for limit, wrong, words in ((least, -1, "at least"), (most, 1, "at most")):
        if limit is not None:
            _limit(value, limit, wrong, words, here, run)
    places = value_of(question, EXT + "maxDecimalPlaces")
    if isinstance(places, int) and isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and -exponent > places:
            run.error("questionnaire-answer", here, f"must have at most {places} decimal places")
    if isinstance(value, str):
        _text(question, value, here, run)


def _limit(value: Any, limit: Any, wrong: int, words: str, here: Place, run: Run) -> None:
    if (
        isinstance(value, dict)
        and isinstance(limit, dict)
        and value.get("unit") == limit.get("unit")
        and "code" not in value
        and "code" not in limit
    ):
        run.error(
            "questionnaire-answer",
            here,
            f"must be {words} a limit, with which it cannot be compared: neither has a coded unit",
        )
        return
    order = compare(value, limit)
    if order is None:
        run.error("questionnaire-answer", here, f"must be {words} a limit, with which it cannot be compared")
    elif order == wrong:
        run.error("questionnaire-answer", here, f"must be {words} the limit of its question")


def _text(question: dict[str, Any], value: str, here: Place, run: Run) -> None:
    most = question.get("maxLength")
    if isinstance(most, int) and len(value) > most:
        run.error("questionnaire-answer", here, f"must have at most {most} characters, and has {len(value)}")
    least = value_of(question, EXT + "minLength")
    if isinstance(least, int) and len(value) < least:
        run.error("questionnaire-answer", here, f"must have at least {least} characters, and has {len(value)}")
    pattern = value_of(question, EXT + "regex")
    if isinstance(pattern, str):
        if len(pattern) > 500 or len(value) > 2000 or _UNSAFE.search(pattern):
            run.not_checked(
                "questionnaire-answer", here, "the pattern of its question cannot be run safely", decisive=True
            )
            return
        try:
            held = re.fullmatch(pattern, value) is not None
        except re.error:
            run.not_checked("questionnaire-answer", here, "the pattern of its question cannot be read", decisive=True)
            return
        if not held:
            run.error("questionnaire-answer", here, "must have the form that its question demands")


def _units(question: dict[str, Any], value: Any, here: Place, run: Run) -> None:
    if not isinstance(value, dict):
        return
    options = [o for o in values_of(question, EXT + "questionnaire-unitOption") if isinstance(o, dict)]
    if options and not any(
        value.get("code") == o.get("code") and value.get("system", UCUM) == o.get("system", UCUM) for o in options
    ):
        run.error("questionnaire-answer", here, "must have one of the units that its question offers")
    value_set = value_of(question, EXT + "questionnaire-unitValueSet")
    if isinstance(value_set, str):
        member = run.checks.coded.member(value, value_set) if isinstance(value.get("code"), str) else False
        if member is False:
            run.error("questionnaire-answer", here, f"must have a unit of {address_shown(value_set)}")
        elif member is None:
            run.not_checked(
                "questionnaire-answer",
                here,
                f"value set {address_shown(value_set)} is not loaded far enough",
                decisive=True,
            )


def _reference(question: dict[str, Any], value: Any, here: Place, run: Run) -> None:
    reference = value.get("reference") if isinstance(value, dict) else None
    if not isinstance(reference, str) or reference.startswith(("#", "urn:")):
        return
    implied = implied_type(reference)
    if implied is not None and not run.checks.is_resource(implied):
        run.error("questionnaire-answer", here, "must lead to a resource of a type that FHIR has")
        return
    allowed = [t for t in values_of(question, EXT + "questionnaire-referenceResource") if isinstance(t, str)]
    if implied is not None and allowed and implied not in allowed:
        run.error("questionnaire-answer", here, f"must lead to another type than {implied}, as its question says")


def _attachment(question: dict[str, Any], value: Any, place: Place, run: Run) -> None:
    if not isinstance(value, dict):
        return
    allowed = [t for t in values_of(question, EXT + "mimeType") if isinstance(t, str)]
    if allowed and value.get("contentType") not in allowed:
        run.error("questionnaire-answer", place, "must be of a media type that its question allows")
    most = value_of(question, EXT + "maxSize")
    if isinstance(most, int | Decimal):
        size = value.get("size")
        if isinstance(value.get("data"), str):
            try:
                size = len(b64decode("".join(value["data"].split()), validate=True))
            except ValueError:
                return
        if isinstance(size, int) and size > most * 1024 * 1024:
            run.error("questionnaire-answer", place, f"must be at most {most} MB")
