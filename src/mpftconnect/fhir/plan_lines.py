"""The lines of a care plan as the FHIR resources and elements that carry them.

Needs are contained Conditions, goals contained Goals, statements (about me, strengths, formulation, triggers, early
signs) contained Observations, other plans contained DocumentReferences; actions are `CarePlan.activity`.
Sources: FHIR R4 (4.0.1), CarePlan, Goal, Condition, Observation; PRSB Personalised Care and Support Plan v2.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from mpftconnect.fhir import extensions as ext
from mpftconnect.fhir.codecs import DATE, DATE_TIME, INSTANT, TEXT, Codec
from mpftconnect.fhir.datatypes import (
    ACTOR,
    CONCEPT,
    PERIOD,
    REFERENCE,
    WORDS,
    CodedText,
    DisplayOnly,
    NearWords,
    timing_words,
)
from mpftconnect.fhir.extensions import DATA_ABSENT_ELEMENT, data_absent
from mpftconnect.fhir.fields import Choice, Const, Ext, Extensions, Field, First, Many, Nested, One, Skip, Struct
from mpftconnect.fhir.reading import ABSENT, Reading, Unreadable, join
from mpftconnect.fhir.resource import ID
from mpftconnect.model import Action, AdditionalPlan, Concept, Goal, Line, Need, Period, Reference, When

__all__ = [
    "ACTION",
    "ADDITIONAL",
    "GENERATED_ID",
    "GOAL",
    "INSTRUCTION",
    "NEED",
    "SECTIONS",
    "STATEMENTS",
    "ActionCodec",
    "IdCodec",
    "Statement",
    "SubjectOfPlan",
    "category_of",
    "is_category",
    "may_be_contained_id",
]

# Ids that we give to contained resources whose own id is not known or cannot be a FHIR id.
GENERATED_ID: Final = re.compile(r"mpftconnect-[a-z-]+-\d+", re.ASCII)


def category_of(system: str, code: str) -> list[dict[str, Any]]:
    """The category that tells which part of a plan a contained resource is."""
    return [{"coding": [{"system": system, "code": code}]}]


def is_category(resource: Mapping[str, Any], system: str, code: str) -> bool:
    return bool(resource.get("category") == category_of(system, code))


class SubjectOfPlan(Field):
    """`subject` of a contained resource, which repeats the plan's.

    R4 demands it of Condition, Goal and CarePlan. The plan's writer puts it there.
    """

    keys = ("subject",)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        expected = DATA_ABSENT_ELEMENT if ctx.subject is ABSENT else ctx.subject
        if obj["subject"] != expected:
            ctx.keep(join(path, "subject"), obj["subject"])

    def write(self, model: Any, out: dict[str, Any]) -> None:
        out["subject"] = data_absent()


class _ContainedId(Field):
    """`id` of a contained resource: the line's own id, unless we made it up or an extension has the true one."""

    keys = ("id",)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw = obj["id"]
        if type(raw) is str and not GENERATED_ID.fullmatch(raw):
            if "id" in into:
                ctx.keep(join(path, "id"), raw)
            else:
                into["id"] = raw

    def write(self, model: Any, out: dict[str, Any]) -> None:
        pass


class _Worded(Struct):
    """A line whose words stand in a CodeableConcept, beside or as its code.

    FHIR's own form is the rule: a code with codings is written as it is, words alone as the concept's text. Our
    extensions stand in where that would be ambiguous: `line-words` if the words are not the code's own, `line-code`
    for a code that has no codings and would be taken for the words.

    Args:
        element: The CodeableConcept.
        attr: The words' attribute: `description`, or `heading`.
    """

    def __init__(
        self,
        model: type[Line],
        element: str,
        attr: str,
        *fields: Field,
        extensions: tuple[Ext, ...] = (),
        heading: bool = True,
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        self._words = attr
        self._element = element
        self._required = attr == "description"
        lines = [
            Ext("id", ext.LINE_ID, {"String": TEXT}, get=lambda _: None),
            Ext("+words", ext.LINE_WORDS, {"String": TEXT}, get=self._spare_words),
            Ext("+code", ext.LINE_CODE, {"CodeableConcept": CONCEPT}, get=self._spare_code),
        ]
        if heading:
            lines.append(Ext("heading", ext.LINE_HEADING, {"String": TEXT}))
        super().__init__(
            model,
            Skip("resourceType"),
            _ContainedId(),
            Extensions(*lines, *extensions),
            One("+concept", element, CONCEPT, required=True, get=self._concept),
            *fields,
            defaults=defaults or {},
        )

    def _natural(self, code: Concept) -> str | None:
        return code.words() if self._required else None

    def _concept(self, line: Line) -> Concept | None:
        if line.code is not None and line.code.coding:
            return line.code
        words = getattr(line, self._words)
        return Concept(text=words) if words is not None else None

    def _spare_words(self, line: Line) -> str | None:
        words: str | None = getattr(line, self._words)
        coded = line.code is not None and line.code.coding
        return words if coded and line.code is not None and words != self._natural(line.code) else None

    def _spare_code(self, line: Line) -> Concept | None:
        return line.code if line.code is not None and not line.code.coding else None

    def finish(self, into: dict[str, Any], raw: Mapping[str, Any], path: str, ctx: Reading) -> None:
        concept: Concept | None = into.pop("+concept", None)
        words, code = into.pop("+words", None), into.pop("+code", None)
        if concept is not None and concept.coding:
            into["code"] = concept
            words = words if words is not None else self._natural(concept)
        else:
            if code is not None:
                into["code"] = code
            if concept is not None and concept.text is not None:
                words = concept.text
        if words is not None:
            into[self._words] = words


_NOT_STATED: Final = {"description": Concept().words()}
_AUTHOR: Final = Ext("author", ext.LINE_AUTHOR, {"Reference": ACTOR})
_RECORDED: Final = Ext("recorded", ext.RECORDED, {"DateTime": DATE_TIME})

# FHIR R4, CodeSystem condition-clinical.
_CLINICAL: Final = CodedText(
    "http://terminology.hl7.org/CodeSystem/condition-clinical",
    ("active", "recurrence", "relapse", "inactive", "remission", "resolved"),
)

# FHIR R4, CodeSystem condition-ver-status: a modifier element, which turns the meaning of a Condition round.
_NOT_TRUE: Final = ("refuted", "entered-in-error")


class _Need(_Worded):
    def finish(self, into: dict[str, Any], raw: Mapping[str, Any], path: str, ctx: Reading) -> None:
        super().finish(into, raw, path, ctx)
        verification = raw.get("verificationStatus")
        codings = verification.get("coding") if type(verification) is dict else None
        for coding in codings if type(codings) is list else ():
            code = coding.get("code") if type(coding) is dict else None
            if code in _NOT_TRUE:  # what is not so must never read as a need; both elements are kept as sent
                if "status" in into:
                    ctx.keep(join(path, "clinicalStatus"), raw["clinicalStatus"])
                into["status"] = code
                return


NEED: Final = _Need(
    Need,
    "code",
    "description",
    One("status", "clinicalStatus", _CLINICAL),
    SubjectOfPlan(),
    One("recorded", "recordedDate", DATE_TIME),
    One("author", "recorder", ACTOR),
    extensions=(Ext("priority", ext.NEED_PRIORITY, {"String": TEXT}),),
    defaults=_NOT_STATED,
)


class IdCodec(Codec):
    """The id of a need or goal as a Reference: to what the plan contains, to a resource, or by identifier.

    Args:
        resource_type: Condition or Goal: what carries such a line when the plan contains it.
        contained: Ids of those that the plan contains; the plan's writer knows them.
    """

    primitive = False
    _LITERAL: Final = re.compile(r"(?:https?://|urn:)\S+|[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}", re.ASCII)

    def __init__(self, resource_type: str, contained: frozenset[str] = frozenset()) -> None:
        self._type, self._contained = resource_type, contained

    @classmethod
    def is_literal(cls, text: str | None) -> bool:
        """Whether an id is a reference that may stand in FHIR as it is."""
        return text is not None and cls._LITERAL.fullmatch(text) is not None

    def read(self, raw: Any, path: str, ctx: Reading) -> str:
        if type(raw) is not dict:
            raise Unreadable
        reference, identifier = raw.get("reference"), raw.get("identifier")
        if type(reference) is str:
            found = reference.removeprefix("#")
        elif type(identifier) is dict and type(identifier.get("value")) is str:
            found = identifier["value"]
        else:
            raise Unreadable
        if self.write(found) != raw and not (raw == {"reference": f"#{found}"} and self._is_line(found, ctx)):
            ctx.keep(path, raw)
        return found

    def _is_line(self, contained_id: str, ctx: Reading) -> bool:
        """Whether a contained resource was read as such a line, and the line keeps the id."""
        index, resource = ctx.contained.get(contained_id, (-1, {}))
        read = index in ctx.taken and resource.get("resourceType") == self._type
        return read and may_be_contained_id(contained_id)

    def write(self, value: str) -> dict[str, Any]:
        if value in self._contained:
            return {"reference": f"#{value}"}
        if self.is_literal(value):
            return {"reference": value}
        return {"identifier": {"system": ext.LINE_ID_SYSTEM, "value": value}}


def may_be_contained_id(line_id: str) -> bool:
    """Whether a line's own id can be the id of the contained resource that carries it."""
    return ID.fullmatch(line_id) is not None and GENERATED_ID.fullmatch(line_id) is None


GOAL: Final = _Worded(
    Goal,
    "description",
    "description",
    One("status", "lifecycleStatus", TEXT, required=True),
    One("achievement", "achievementStatus", CONCEPT),
    SubjectOfPlan(),
    One("start", "startDate", DATE),
    Nested("target", One("target", "dueDate", DATE), first=True),
    One("expressed_by", "expressedBy", ACTOR),
    Many("addresses", "addresses", IdCodec("Condition")),
    extensions=(
        _AUTHOR,
        _RECORDED,
        Ext("importance", ext.GOAL_IMPORTANCE, {"String": TEXT}),
        Ext("confidence", ext.GOAL_CONFIDENCE, {"String": TEXT}),
    ),
    defaults=_NOT_STATED,
)


# --- statements ------------------------------------------------------------------------------------------------

# Attribute of the model -> code of LINE_KIND.
SECTIONS: Final = {"about_me": "about-me", "strengths": "strength", "formulation": "formulation"}
_CONTINGENCY_SECTIONS: Final = {"triggers": "trigger", "early_signs": "early-sign", "other": "other"}


class Statement(_Worded):
    """A statement as a contained Observation. Its status is `unknown`: a plan says nothing of it."""

    def __init__(self, code: str) -> None:
        self.kind = code
        super().__init__(
            Line,
            "code",
            "heading",
            Const("status", "unknown"),
            Const("category", category_of(ext.LINE_KIND, code)),
            First("author", "performer", ACTOR),
            One("description", "valueString", TEXT),
            extensions=(_RECORDED,),
            heading=False,
            defaults=_NOT_STATED,
        )


STATEMENTS: Final = {attr: Statement(code) for attr, code in (SECTIONS | _CONTINGENCY_SECTIONS).items()}


# --- other plans -----------------------------------------------------------------------------------------------

ADDITIONAL: Final = Struct(
    AdditionalPlan,
    Skip("resourceType", "id"),
    Extensions(Ext("location", ext.PLAN_LOCATION, {"String": TEXT})),
    Const("status", "current"),
    One("type", "type", CONCEPT, required=True, get=lambda plan: None if plan.type == Concept() else plan.type),
    Const("category", category_of(ext.PLAN_KIND, "additional")),
    One("date", "date", INSTANT),
    One("description", "description", TEXT),
    Const("content", [{"attachment": DATA_ABSENT_ELEMENT}]),
    Nested("context", First("reference", "related", REFERENCE)),
    defaults={"type": Concept()},
)


# --- actions ---------------------------------------------------------------------------------------------------


class _ElementId(Field):
    """`id` of an element (FHIR R4, Element.id): the line's id, where it may stand there."""

    keys = ("id",)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw = obj["id"]
        if type(raw) is str and ID.fullmatch(raw) and "id" not in into:
            into["id"] = raw
        else:
            ctx.keep(join(path, "id"), raw)

    def write(self, model: Line, out: dict[str, Any]) -> None:
        if model.id is not None and ID.fullmatch(model.id):
            out["id"] = model.id


_SPARE_ID: Final = Ext(
    "id", ext.LINE_ID, {"String": TEXT}, get=lambda line: None if line.id is None or ID.fullmatch(line.id) else line.id
)
_DETAIL_LINES: Final = (Ext("heading", ext.LINE_HEADING, {"String": TEXT}), _AUTHOR, _RECORDED)

INSTRUCTION: Final = Struct(
    Line,
    _ElementId(),
    Extensions(_SPARE_ID),
    Nested(
        "detail",
        Extensions(*_DETAIL_LINES),
        One("code", "code", CONCEPT),
        Const("_status", DATA_ABSENT_ELEMENT),
        One("description", "description", TEXT),
    ),
    defaults=_NOT_STATED,
)


class _Once(Codec):
    """A single moment as a Timing: its `event`."""

    primitive = False

    def read(self, raw: Any, path: str, ctx: Reading) -> When:
        if type(raw) is not dict or not set(raw) <= {"event", "_event"}:
            raise Unreadable
        events, sides = raw.get("event"), raw.get("_event", [ABSENT])
        if type(events) is not list or type(sides) is not list or len(events) != 1 or len(sides) != 1:
            raise Unreadable
        return DATE_TIME.read_pair(events[0], sides[0], f"{path}.event[0]", f"{path}._event[0]", ctx)

    def write(self, value: When) -> dict[str, Any]:
        raw, side = DATE_TIME.write_pair(value)
        return {"event": [raw]} | ({} if side is ABSENT else {"_event": [side]})


_ACTION_DETAIL: Final = Struct(
    Action,
    _ElementId(),
    Extensions(_SPARE_ID, Ext("reference", ext.ACTION_REFERENCE, {"Reference": REFERENCE})),
    First("outcome", "outcomeCodeableConcept", WORDS),
    Skip("reference"),
    Nested(
        "detail",
        Extensions(*_DETAIL_LINES),
        One("code", "code", CONCEPT),
        One("status_reason", "statusReason", WORDS),
        Many("goals", "goal", IdCodec("Goal")),
        One("status", "status", TEXT, required=True),
        Skip("doNotPerform"),
        Choice(
            "scheduled",
            "scheduled",
            {When: ("Timing", _Once()), Period: ("Period", PERIOD), str: ("String", TEXT)},
            also_read={"Timing": NearWords(timing_words)},
        ),
        One("location", "location", DisplayOnly()),
        Many("who", "performer", ACTOR),
        One("description", "description", TEXT),
    ),
)


def _reference_words(reference: Reference) -> str:
    """How a linked action reads where the source says nothing else of it."""
    identified = reference.identifier.value if reference.identifier else None
    return reference.display or reference.reference or identified or Concept().words()


def _resource_words(resource: Mapping[str, Any], ctx: Reading) -> str | None:
    """The words of a request, task or appointment that carries an action."""
    code = resource.get("code")
    if type(code) is dict and ("text" in code or "coding" in code):
        return str(CONCEPT.read(code, "", ctx.aside()).words())
    return next((text for key in ("description", "title") if type(text := resource.get(key)) is str), None)


class ActionCodec(Codec):
    """`CarePlan.activity`: a reference alone or a detail, of which R4 allows one (CarePlan, constraint cpl-3).

    Where the model holds both, the reference stands in our extension beside the detail.
    """

    primitive = False

    def read(self, raw: Any, path: str, ctx: Reading) -> Action:
        if type(raw) is not dict:
            raise Unreadable
        into: dict[str, Any] = {}
        _ACTION_DETAIL.read_fields(raw, path, ctx, into)
        pointer, detail = raw.get("reference", ABSENT), raw.get("detail")
        place = join(path, "reference")
        if type(pointer) is dict and "reference" not in into:
            reference = into["reference"] = REFERENCE.read(pointer, place, ctx)
            if "description" not in into:
                found = ctx.resolve(reference.reference) if reference.reference else None
                told = _resource_words(found, ctx) if found else None
                into["description"] = told or _reference_words(reference)
            if not self._is_link(Action(**into)):
                ctx.keep(place, pointer)
        elif pointer is not ABSENT:
            ctx.keep(place, pointer)
        if type(detail) is dict and "doNotPerform" in detail:
            # A modifier element (FHIR R4, CarePlan.activity.detail.doNotPerform): what is to be avoided must never
            # read as what is to be done, so it heads the line.
            ctx.keep(f"{path}.detail.doNotPerform", detail["doNotPerform"])
            if detail["doNotPerform"] is not False:
                into["heading"] = f"Do not do this ({into['heading']})" if into.get("heading") else "Do not do this"
        if "description" not in into:
            code = into.get("code")
            into["description"] = (code or Concept()).words()
        return Action(**into)

    @staticmethod
    def _is_link(action: Action) -> bool:
        """Whether the action is a reference and what may stand beside it."""
        if action.reference is None or action.description != _reference_words(action.reference):
            return False
        lean = Action(id=action.id, description=action.description, outcome=action.outcome, reference=action.reference)
        return action == lean

    def write(self, value: Action) -> dict[str, Any]:
        if value.reference is None or not self._is_link(value):
            return _ACTION_DETAIL.write(value)
        bare = _ACTION_DETAIL.write(value.model_copy(update={"reference": None}))
        del bare["detail"]
        return bare | {"reference": REFERENCE.write(value.reference)}


ACTION: Final = ActionCodec()
