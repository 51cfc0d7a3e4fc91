"""The care plan: one CarePlan with what it contains.

- needs: `addresses` -> contained Condition
- goals: `goal` -> contained Goal
- actions: `activity`
- about me, strengths, formulation: `supportingInfo` -> contained Observation, whose category says which
- contingency and crisis plans: `supportingInfo` -> contained CarePlan; what to do and not to do are its `activity`,
  triggers and early signs its `supportingInfo`, whom to call its `careTeam`, a team for each
- other plans: `supportingInfo` -> contained DocumentReference
- team: `careTeam` -> contained CareTeam
- agreement, review, coordinator: our extensions

A need or goal that is only a pointer stays a pointer. What other systems contain in another form stays in `extra`,
whole, unless it is a Goal or Condition that the plan points to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any, Final

from mpftconnect.fhir import extensions as ext
from mpftconnect.fhir.codecs import DATE_TIME, FLAG, TEXT, Codec
from mpftconnect.fhir.contacts import TEAM_MEMBER
from mpftconnect.fhir.datatypes import ACTOR, CONCEPT, CONTACT_POINT, NOTE, ORGANIZATION_ACTOR, PERIOD, REFERENCE
from mpftconnect.fhir.extensions import data_absent
from mpftconnect.fhir.fields import Const, Ext, ExtStruct, Many, Nested, One, Skip, Struct
from mpftconnect.fhir.plan_lines import (
    ACTION,
    ADDITIONAL,
    GENERATED_ID,
    GOAL,
    INSTRUCTION,
    NEED,
    SECTIONS,
    STATEMENTS,
    IdCodec,
    Statement,
    SubjectOfPlan,
    category_of,
    is_category,
    may_be_contained_id,
)
from mpftconnect.fhir.reading import ABSENT, Reading, Unreadable
from mpftconnect.fhir.resource import Resource, clinical
from mpftconnect.model import (
    Actor,
    Agreement,
    CarePlan,
    ContingencyPlan,
    Goal,
    Item,
    Line,
    Need,
    Participant,
)

__all__ = ["CARE_PLAN", "CARE_PLAN_EXTENSIONS", "CARE_PLAN_FIELDS", "CarePlanResource"]

_AGREEMENT: Final = ExtStruct(
    Agreement,
    Ext("agreed", "agreed", {"Boolean": FLAG}),
    Ext("by", "by", {"Reference": ACTOR}),
    Ext("date", "date", {"DateTime": DATE_TIME}),
    Ext("note", "note", {"String": TEXT}),
)


# --- pointers --------------------------------------------------------------------------------------------------


def _local(raw: Any) -> str | None:
    """The id that a bare reference to a contained resource has."""
    if type(raw) is dict and len(raw) == 1 and type(raw.get("reference")) is str and raw["reference"].startswith("#"):
        return str(raw["reference"][1:])
    return None


class _Container:
    """What a plan being written contains."""

    def __init__(self, subject: dict[str, Any] | None) -> None:
        self.resources: list[dict[str, Any]] = []
        self.own_ids: dict[str, set[str]] = {}
        self._subject = subject

    def ids(self, resource_type: str) -> IdCodec:
        """Writes ids of lines, now that those of this type are contained."""
        return IdCodec(resource_type, frozenset(self.own_ids.get(resource_type, ())))

    def add(self, resource_type: str, name: str, body: dict[str, Any], line_id: str | None = None) -> dict[str, Any]:
        """Contain a resource, under the line's own id where FHIR can carry it and no other has it.

        Returns:
            The reference to it.
        """
        used = {resource["id"] for resource in self.resources}
        if line_id is not None and may_be_contained_id(line_id) and line_id not in used:
            own_id = line_id
            self.own_ids.setdefault(resource_type, set()).add(line_id)
        else:
            own_id = f"mpftconnect-{name}-{len(self.resources) + 1}"
            if line_id is not None:
                known = {"url": ext.LINE_ID, "valueString": line_id}
                body = {"extension": [known, *body.get("extension", ())]} | {
                    key: value for key, value in body.items() if key != "extension"
                }
        if "subject" in body and self._subject is not None:
            body["subject"] = deepcopy(self._subject)
        self.resources.append({"resourceType": resource_type, "id": own_id} | body)
        return {"reference": f"#{own_id}"}


def _contained(raw: Any, resource_type: str, ctx: Reading) -> tuple[int, dict[str, Any]] | None:
    """The contained resource that `raw` points to, if it is of the type and not yet read."""
    own_id = _local(raw)
    index, resource = ctx.contained.get(own_id, (-1, None)) if own_id is not None else (-1, None)
    if resource is None or index in ctx.taken or resource.get("resourceType") != resource_type:
        return None
    return index, resource


def _read_contained(codec: Codec, found: tuple[int, dict[str, Any]], ctx: Reading) -> Any:
    """Read a contained resource; ABSENT if it cannot be, which leaves it to be kept whole."""
    index, resource = found
    mark = len(ctx.extra)
    ctx.taken.add(index)
    try:
        return codec.read(resource, f"contained[{index}]", ctx)
    except Unreadable:
        del ctx.extra[mark:]
        ctx.taken.discard(index)
        return ABSENT


class _Linked:
    """Needs and goals: contained, or pointers to resources elsewhere."""

    def __init__(self, element: str, resource_type: str, model: type[Need] | type[Goal], codec: Struct) -> None:
        self._element, self._type, self._model, self._codec = element, resource_type, model, codec

    def read(self, plan: Mapping[str, Any], ctx: Reading) -> tuple[Any, ...]:
        raw = plan.get(self._element, ABSENT)
        if raw is ABSENT:
            return ()
        if type(raw) is not list:
            ctx.keep(self._element, raw)
            return ()
        lines = []
        for index, pointer in enumerate(raw):
            found = _contained(pointer, self._type, ctx)
            line = _read_contained(self._codec, found, ctx) if found else ABSENT
            if line is ABSENT:
                line = self._elsewhere(pointer, f"{self._element}[{index}]", ctx)
            if line is not ABSENT:
                lines.append(line)
        return tuple(lines)

    def _elsewhere(self, pointer: Any, place: str, ctx: Reading) -> Any:
        if type(pointer) is not dict:
            ctx.keep(place, pointer)
            return ABSENT
        reference, display = pointer.get("reference"), pointer.get("display")
        literal = reference if type(reference) is str else None
        found = ctx.resolve(literal) if literal else None
        words = display if type(display) is str else literal
        if found and found.get("resourceType") == self._type:
            line = self._codec.read(found, "", ctx.aside()).model_copy(update={"id": literal})
        elif words is None:
            ctx.keep(place, pointer)
            return ABSENT
        else:
            line = self._model(id=literal, description=words)
        if self._pointer(line) != pointer:
            ctx.keep(place, pointer)
        return line

    def _pointer(self, line: Line) -> dict[str, Any] | None:
        """The line as a mere pointer, if it is no more than that."""
        if not IdCodec.is_literal(line.id) or line != self._model(id=line.id, description=line.description):
            return None
        plain = {"reference": line.id}
        return plain if line.description == line.id else plain | {"display": line.description}

    def write(self, lines: tuple[Any, ...], container: _Container) -> list[dict[str, Any]]:
        written = []
        for line in lines:
            pointer = self._pointer(line)
            if pointer is None:
                body = self._codec.write(line)
                if isinstance(line, Goal) and line.addresses:
                    ids = container.ids("Condition")
                    body["addresses"] = [ids.write(need) for need in line.addresses]
                pointer = container.add(self._type, self._model.__name__.lower(), body, line.id)
            written.append(pointer)
        return written


_NEEDS: Final = _Linked("addresses", "Condition", Need, NEED)
_GOALS: Final = _Linked("goal", "Goal", Goal, GOAL)


# --- teams -----------------------------------------------------------------------------------------------------

# A team that holds one actor: everything that `Actor` says has an element of CareTeam.
_CALLED: Final = Struct(
    Actor,
    Skip("resourceType", "id"),
    Nested(
        "participant",
        Nested("role", One("role", "text", TEXT), first=True),
        One("member", "member", ACTOR, get=lambda actor: _person_of(actor)),
        One("employer", "onBehalfOf", ORGANIZATION_ACTOR, get=lambda actor: _organization_of(actor)),
        first=True,
    ),
    Many("telecom", "telecom", CONTACT_POINT),
)


def _person_of(actor: Actor) -> Actor | None:
    person = Actor(name=actor.name, identifier=actor.identifier, reference=actor.reference)
    return None if person == Actor() else person


def _organization_of(actor: Actor) -> Actor | None:
    organization = Actor(organization=actor.organization, organization_code=actor.organization_code)
    return None if organization == Actor() else organization


class _Called(Codec):
    """Whom to call, as a contained CareTeam."""

    primitive = False

    def read(self, raw: Any, path: str, ctx: Reading) -> Actor:
        into: dict[str, Any] = {}
        _CALLED.read_fields(raw, path, ctx, into)
        member, employer = into.pop("member", Actor()), into.pop("employer", Actor())
        said = {attr: getattr(member, attr) for attr in ("name", "identifier", "reference")}
        said |= {attr: getattr(employer, attr) for attr in ("organization", "organization_code")}
        actor = Actor(**{attr: value for attr, value in said.items() if value is not None} | into)
        if self.write(actor) != {key: value for key, value in raw.items() if key not in ("resourceType", "id")}:
            raise Unreadable
        return actor

    def write(self, value: Actor) -> dict[str, Any]:
        written = _CALLED.write(value)
        return {} if "participant" not in written and "telecom" not in written else written


_CALLED_CODEC: Final = _Called()

_TEAM: Final = Struct(
    dict, Skip("resourceType", "id"), Many("participants", "participant", TEAM_MEMBER, get=lambda team: team)
)


# --- contingency plans -----------------------------------------------------------------------------------------

_KINDS: Final = ("contingency", "crisis")


class _Contingency:
    """A contingency or crisis plan as a contained CarePlan. Nothing of it may be dropped (rule 8)."""

    _SECTIONS: Final = ("triggers", "early_signs", "other")
    _SHELL: Final = Struct(
        dict,
        Skip("resourceType", "id", "category", "supportingInfo", "careTeam", "activity"),
        Const("status", "unknown"),
        Const("intent", "plan"),
        SubjectOfPlan(),
    )

    def read(self, found: tuple[int, dict[str, Any]], kind: str, ctx: Reading) -> ContingencyPlan:
        index, resource = found
        ctx.taken.add(index)
        place = f"contained[{index}]"
        self._SHELL.read_fields(resource, place, ctx, {})
        into: dict[str, Any] = {"kind": kind}
        for name, read in (
            ("supportingInfo", self._read_statement),
            ("careTeam", self._read_called),
            ("activity", self._read_instruction),
        ):
            raw = resource.get(name, ABSENT)
            if raw is ABSENT:
                continue
            if type(raw) is not list:
                ctx.keep(f"{place}.{name}", raw)
                continue
            for number, part in enumerate(raw):
                section, value = read(part, f"{place}.{name}[{number}]", ctx)
                if value is ABSENT:
                    ctx.keep(f"{place}.{name}[{number}]", part)
                else:
                    into[section] = (*into.get(section, ()), value)
        return ContingencyPlan(**into)

    def _read_statement(self, raw: Any, path: str, ctx: Reading) -> tuple[str, Any]:
        return _read_statement(raw, self._SECTIONS, ctx)

    @staticmethod
    def _read_called(raw: Any, path: str, ctx: Reading) -> tuple[str, Any]:
        found = _contained(raw, "CareTeam", ctx)
        if not found or not GENERATED_ID.fullmatch(str(found[1].get("id"))):
            return "", ABSENT
        return "whom_to_call", _read_contained(_CALLED_CODEC, found, ctx)

    @staticmethod
    def _read_instruction(raw: Any, path: str, ctx: Reading) -> tuple[str, Any]:
        detail = raw.get("detail") if type(raw) is dict else None
        if type(detail) is not dict:
            return "", ABSENT
        forbids = detail.get("doNotPerform", False)
        if type(forbids) is not bool:
            return "", ABSENT
        plain = raw | {"detail": {key: value for key, value in detail.items() if key != "doNotPerform" or not forbids}}
        mark = len(ctx.extra)
        try:
            line = INSTRUCTION.read(plain, path, ctx)
        except Unreadable:
            del ctx.extra[mark:]
            return "", ABSENT
        return "what_not_to_do" if forbids else "what_to_do", line

    def write(self, plan: ContingencyPlan, container: _Container) -> dict[str, Any]:
        statements = _write_statements(plan, self._SECTIONS, container)
        teams = [container.add("CareTeam", "call", _CALLED_CODEC.write(actor)) for actor in plan.whom_to_call]
        activity = [INSTRUCTION.write(line) for line in plan.what_to_do]
        for line in plan.what_not_to_do:
            forbidden = INSTRUCTION.write(line)
            forbidden["detail"]["doNotPerform"] = True
            activity.append(forbidden)
        body: dict[str, Any] = {
            "status": "unknown",
            "intent": "plan",
            "category": category_of(ext.PLAN_KIND, plan.kind),
            "subject": data_absent(),
            "careTeam": teams,
            "supportingInfo": statements,
            "activity": activity,
        }
        return container.add("CarePlan", "contingency", {key: value for key, value in body.items() if value != []})


def _read_statement(raw: Any, sections: Iterable[str], ctx: Reading) -> tuple[str, Any]:
    found = _contained(raw, "Observation", ctx)
    for section in sections if found else ():
        codec: Statement = STATEMENTS[section]
        if found and is_category(found[1], ext.LINE_KIND, codec.kind):
            return section, _read_contained(codec, found, ctx)
    return "", ABSENT


def _write_statements(holder: Any, sections: Iterable[str], container: _Container) -> list[dict[str, Any]]:
    return [
        container.add("Observation", STATEMENTS[section].kind, STATEMENTS[section].write(line), line.id)
        for section in sections
        for line in getattr(holder, section)
    ]


_CONTINGENCY: Final = _Contingency()


# --- the plan --------------------------------------------------------------------------------------------------


class CarePlanResource(Resource):
    def finish(self, into: dict[str, Any], raw: Mapping[str, Any], path: str, ctx: Reading) -> None:
        sections: dict[str, tuple[Any, ...]] = {"needs": _NEEDS.read(raw, ctx), "goals": _GOALS.read(raw, ctx)}
        for name, read in (("supportingInfo", self._read_supporting), ("careTeam", self._read_team)):
            parts = raw.get(name, ABSENT)
            if type(parts) is list:
                for index, part in enumerate(parts):
                    read(part, f"{name}[{index}]", ctx, sections)
            elif parts is not ABSENT:
                ctx.keep(name, parts)
        # Last, since actions may serve goals that are contained.
        if "activity" in raw:
            self.ACTIVITY.read(raw, "", ctx, sections)
        into.update({section: values for section, values in sections.items() if values})

    ACTIVITY = Many("actions", "activity", ACTION)

    @staticmethod
    def _read_supporting(raw: Any, place: str, ctx: Reading, into: dict[str, tuple[Any, ...]]) -> None:
        section, value = _read_statement(raw, SECTIONS, ctx)
        plan = _contained(raw, "CarePlan", ctx)
        if plan and _is_generated(plan):
            kind = next((kind for kind in _KINDS if is_category(plan[1], ext.PLAN_KIND, kind)), None)
            if kind is not None:
                section, value = "contingency", _CONTINGENCY.read(plan, kind, ctx)
        document = _contained(raw, "DocumentReference", ctx)
        if document and _is_generated(document) and is_category(document[1], ext.PLAN_KIND, "additional"):
            section, value = "additional_plans", _read_contained(ADDITIONAL, document, ctx)
        if value is ABSENT:
            ctx.keep(place, raw)
        else:
            into[section] = (*into.get(section, ()), value)

    @staticmethod
    def _read_team(raw: Any, place: str, ctx: Reading, into: dict[str, tuple[Any, ...]]) -> None:
        found = _contained(raw, "CareTeam", ctx)
        if found and _is_generated(found):
            index, resource = found
            ctx.taken.add(index)
            read: dict[str, Any] = {}
            _TEAM.read_fields(resource, f"contained[{index}]", ctx, read)
            members = read.get("participants", ())
        else:
            # A team held elsewhere or in another form: its members are shown, and all of it is kept as sent.
            ctx.keep(place, raw)
            members = _members(raw, ctx)
        if members:
            into["team"] = (*into.get("team", ()), *members)

    def write_item(self, item: Item) -> dict[str, Any]:
        out = super().write_item(item)
        assert isinstance(item, CarePlan)  # noqa: S101 - tells the type checker; tables are chosen by type
        container = _Container(out.get("subject"))
        elements: dict[str, list[dict[str, Any]]] = {"addresses": _NEEDS.write(item.needs, container)}
        elements["supportingInfo"] = [
            *_write_statements(item, SECTIONS, container),
            *(_CONTINGENCY.write(plan, container) for plan in item.contingency),
            *(container.add("DocumentReference", "plan", ADDITIONAL.write(plan)) for plan in item.additional_plans),
        ]
        elements["goal"] = _GOALS.write(item.goals, container)
        if item.team:
            elements["careTeam"] = [container.add("CareTeam", "team", _TEAM.write(item.team))]
        ids = container.ids("Goal")
        elements["activity"] = []
        for action in item.actions:
            written = ACTION.write(action)
            if action.goals:
                written["detail"]["goal"] = [ids.write(goal) for goal in action.goals]
            elements["activity"].append(written)
        ordered: dict[str, Any] = {}
        for key, value in out.items():
            if key == "extension" and container.resources:
                ordered["contained"] = container.resources
            ordered[key] = value
        if container.resources:
            ordered.setdefault("contained", container.resources)
        return ordered | {name: values for name, values in elements.items() if values}


def _is_generated(found: tuple[int, dict[str, Any]]) -> bool:
    return GENERATED_ID.fullmatch(str(found[1].get("id"))) is not None


def _members(raw: Any, ctx: Reading) -> tuple[Participant, ...]:
    if type(raw) is not dict:
        return ()
    reference = raw.get("reference")
    team = ctx.resolve(reference) if type(reference) is str else None
    sent = team.get("participant") if team else None
    if type(sent) is list and sent:
        return tuple(TEAM_MEMBER.read(part, "", ctx.aside()) for part in sent if type(part) is dict)
    actor = ACTOR.read(raw, "", ctx.aside())
    return () if actor == Actor() else (Participant(actor=actor),)


CARE_PLAN_FIELDS: Final = (
    Many("replaces", "replaces", REFERENCE),
    Many("part_of", "partOf", REFERENCE),
    One("status", "status", TEXT, required=True),
    One("intent", "intent", TEXT, required=True),
    Many("category", "category", CONCEPT),
    One("title", "title", TEXT),
    One("description", "description", TEXT),
    One("period", "period", PERIOD),
    Skip("addresses", "supportingInfo", "goal", "careTeam", "activity"),
)
CARE_PLAN_EXTENSIONS: Final = (
    Ext("agreement", ext.AGREEMENT, _AGREEMENT),
    Ext("review", ext.REVIEW, {"DateTime": DATE_TIME}),
    Ext("coordinator", ext.COORDINATOR, {"Reference": ACTOR}),
)
CARE_PLAN: Final = clinical(
    "CarePlan",
    CarePlan,
    *CARE_PLAN_FIELDS,
    One("created", "created", DATE_TIME),
    Many("contributors", "contributor", ACTOR),
    encounter=One("encounter", "encounter", REFERENCE),
    based_on=Many("based_on", "basedOn", REFERENCE),
    author=One("author", "author", ACTOR),
    note=Many("note", "note", NOTE),
    extensions=CARE_PLAN_EXTENSIONS,
    kind=CarePlanResource,
)
