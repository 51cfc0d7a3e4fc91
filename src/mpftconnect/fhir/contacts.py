"""Encounters, appointments, care teams, documents and progress notes.

Element names and cardinalities: FHIR R4 (4.0.1), the page of each resource.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from mpftconnect.fhir import extensions as ext
from mpftconnect.fhir.codecs import DATE_TIME, FLAG, INSTANT, TEXT, WHOLE, Codec
from mpftconnect.fhir.datatypes import (
    ACTOR,
    ATTACHMENT,
    CONCEPT,
    NOTE,
    ORGANIZATION_ACTOR,
    PERIOD,
    REFERENCE,
    reference_type,
)
from mpftconnect.fhir.extensions import DATA_ABSENT_ELEMENT, data_absent
from mpftconnect.fhir.fields import Ext, Extensions, ExtStruct, Field, First, Head, Many, Nested, One, Skip, Struct
from mpftconnect.fhir.reading import Reading, Unreadable, join
from mpftconnect.fhir.resource import Resource, clinical
from mpftconnect.model import (
    Actor,
    Appointment,
    CareTeam,
    DocumentReference,
    Encounter,
    Item,
    NoteHeading,
    Participant,
    ProgressNote,
)

__all__ = [
    "APPOINTMENT",
    "CARE_TEAM",
    "DOCUMENT_REFERENCE",
    "ENCOUNTER",
    "NO_ACTOR",
    "PROGRESS_NOTE",
    "TEAM_MEMBER",
    "BookedPeople",
    "DocumentContent",
    "EncounterClass",
    "EncounterLocation",
    "is_note",
    "stated_actor",
]

_STATUS: Final = One("status", "status", TEXT, required=True)
_PARTICIPANT_STATUS: Final = Ext("status", ext.PARTICIPANT_STATUS, {"String": TEXT})
NO_ACTOR: Final = {"actor": Actor()}


def stated_actor(participant: Participant) -> Actor | None:
    return None if participant.actor == Actor() else participant.actor


# --- encounters ------------------------------------------------------------------------------------------------

# HL7 v3 ActCode, value set ActEncounterCode, to which FHIR R4 binds Encounter.class (extensible).
_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_CLASSES: Final = {
    "AMB": "ambulatory",
    "EMER": "emergency",
    "FLD": "field",
    "HH": "home health",
    "IMP": "inpatient encounter",
    "ACUTE": "inpatient acute",
    "NONAC": "inpatient non-acute",
    "OBSENC": "observation encounter",
    "PRENC": "pre-admission",
    "SS": "short stay",
    "VR": "virtual",
}


class EncounterClass(Codec):
    """`Encounter.class`: a code of ActEncounterCode as such, other words as the display of a Coding."""

    primitive = False

    def read(self, raw: Any, path: str, ctx: Reading) -> str:
        if type(raw) is not dict:
            raise Unreadable
        code, display = raw.get("code"), raw.get("display")
        value = code if type(code) is str else display
        if type(value) is not str:
            raise Unreadable
        written = self.write(value)
        for key, part in raw.items():
            if key not in written or written[key] != part:
                ctx.keep(join(path, key), part)
        return value

    def write(self, value: str) -> dict[str, Any]:
        if value in _CLASSES:
            return {"system": _ACT_CODE, "code": value, "display": _CLASSES[value]}
        return {"display": value}


class EncounterLocation(Codec):
    primitive = False

    def read(self, raw: Any, path: str, ctx: Reading) -> Actor:
        if type(raw) is not dict or type(raw.get("location")) is not dict:
            raise Unreadable
        for key, value in raw.items():
            if key != "location":
                ctx.keep(join(path, key), value)
        actor: Actor = ACTOR.read(raw["location"], join(path, "location"), ctx)
        return actor

    def write(self, value: Actor) -> dict[str, Any]:
        return {"location": ACTOR.write(value)}


ENCOUNTER: Final = clinical(
    "Encounter",
    Encounter,
    _STATUS,
    One("encounter_class", "class", EncounterClass(), required=True),
    Many("type", "type", CONCEPT),
    Many(
        "participants",
        "participant",
        Struct(
            Participant,
            Extensions(_PARTICIPANT_STATUS),
            First("role", "type", CONCEPT),
            One("period", "period", PERIOD),
            One("actor", "individual", ACTOR, get=stated_actor),
            defaults=NO_ACTOR,
        ),
    ),
    One("period", "period", PERIOD),
    Many("reason", "reasonCode", CONCEPT),
    Many("location", "location", EncounterLocation()),
    One("provider", "serviceProvider", ORGANIZATION_ACTOR),
    subject=One("subject", "subject", REFERENCE),
    based_on=Many("based_on", "basedOn", REFERENCE),
    service=One("service", "serviceType", CONCEPT),
)


# --- appointments ----------------------------------------------------------------------------------------------

_BOOKED: Final = Struct(
    Participant,
    First("role", "type", CONCEPT),
    One("actor", "actor", ACTOR, get=stated_actor),
    One("status", "status", TEXT, required=True),
    One("period", "period", PERIOD),
    defaults=NO_ACTOR,
)
_KINDS: Final = ("subject", "participant", "location")


class BookedPeople(Field):
    """`Appointment.participant`, where R4 puts the patient and the place among the people.

    What the reference names decides; where it does not, or says otherwise than the model, our extension does.
    """

    keys = ("participant",)
    # R4 demands a participant, and of a participant a status.
    _NOBODY: Final = [{**data_absent(), "_status": data_absent()}]

    @staticmethod
    def _derived(entry: Any, has_subject: bool) -> str:
        actor = entry.get("actor")
        actor = actor if type(actor) is dict else {}
        reference, kind = actor.get("reference"), actor.get("type")
        named = reference_type(reference) if type(reference) is str else None
        named = named or (kind if type(kind) is str else None)
        if named == "Patient" and not has_subject:
            return "subject"
        return "location" if named == "Location" else "participant"

    @staticmethod
    def _stated(entry: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
        """The kind that our extension states, and the entry without it."""
        extensions = entry.get("extension")
        if type(extensions) is not list:
            return None, entry
        for index, one in enumerate(extensions):
            kind = next((kind for kind in _KINDS if one == {"url": ext.PARTICIPANT_KIND, "valueCode": kind}), None)
            if kind is not None:
                rest = extensions[:index] + extensions[index + 1 :]
                without = {key: value for key, value in entry.items() if key != "extension"}
                return kind, without | ({"extension": rest} if rest else {})
        return None, entry

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw = obj["participant"]
        if raw == self._NOBODY:
            return
        if type(raw) is not list:
            ctx.keep("participant", raw)
            return
        participants: list[Participant] = []
        places: list[Actor] = []
        for index, sent in enumerate(raw):
            place = f"participant[{index}]"
            if type(sent) is not dict:
                ctx.keep(place, sent)
                continue
            stated, entry = self._stated(sent)
            kind = stated or self._derived(entry, "subject" in into)
            if kind == "participant":
                participants.append(_BOOKED.read(entry, place, ctx))
                continue
            actor = entry.get("actor")
            if type(actor) is not dict or (kind == "subject" and "subject" in into):
                ctx.keep(place, sent)
                continue
            if kind == "subject":
                into["subject"] = REFERENCE.read(actor, f"{place}.actor", ctx)
            else:
                places.append(ACTOR.read(actor, f"{place}.actor", ctx))
            for key, value in entry.items():
                if key != "actor" and (key, value) != ("_status", DATA_ABSENT_ELEMENT):
                    ctx.keep(join(place, key), value)
        if participants:
            into["participants"] = tuple(participants)
        if places:
            into["location"] = tuple(places)

    def write(self, model: Appointment, out: dict[str, Any]) -> None:
        entries: list[tuple[str, dict[str, Any]]] = []
        if model.subject is not None:
            entries.append(("subject", {"actor": REFERENCE.write(model.subject), "_status": data_absent()}))
        entries += [("participant", _BOOKED.write(participant)) for participant in model.participants]
        entries += [("location", {"actor": ACTOR.write(place), "_status": data_absent()}) for place in model.location]
        written: list[dict[str, Any]] = []
        has_subject = False
        for kind, entry in entries:
            stated = {}
            if self._derived(entry, has_subject) != kind:
                mark = {"url": ext.PARTICIPANT_KIND, "valueCode": kind}
                stated = {"extension": [mark, *entry.get("extension", ())]}
            written.append(stated | {key: value for key, value in entry.items() if key not in stated})
            has_subject = has_subject or kind == "subject"
        out["participant"] = written or deepcopy(self._NOBODY)


APPOINTMENT: Final = clinical(
    "Appointment",
    Appointment,
    _STATUS,
    One("cancellation_reason", "cancelationReason", CONCEPT),
    One("type", "appointmentType", CONCEPT),
    Many("reason", "reasonCode", CONCEPT),
    One("description", "description", TEXT),
    One("start", "start", INSTANT),
    One("end", "end", INSTANT),
    One("minutes", "minutesDuration", WHOLE),
    One("created", "created", DATE_TIME),
    Head("note", "comment", TEXT),
    One("patient_instruction", "patientInstruction", TEXT),
    subject=BookedPeople(),
    based_on=Many("based_on", "basedOn", REFERENCE),
    service=First("service", "serviceType", CONCEPT),
    note=Ext("note", ext.NOTE, {"Annotation": NOTE}, tail=True),
)


# --- care teams ------------------------------------------------------------------------------------------------

TEAM_MEMBER: Final = Struct(
    Participant,
    Extensions(_PARTICIPANT_STATUS),
    First("role", "role", CONCEPT),
    One("actor", "member", ACTOR, get=stated_actor),
    One("period", "period", PERIOD),
    defaults=NO_ACTOR,
)
CARE_TEAM: Final = clinical(
    "CareTeam",
    CareTeam,
    One("status", "status", TEXT),
    Many("category", "category", CONCEPT),
    One("name", "name", TEXT),
    One("period", "period", PERIOD),
    Many("participants", "participant", TEAM_MEMBER),
    Many("organization", "managingOrganization", ORGANIZATION_ACTOR),
    subject=One("subject", "subject", REFERENCE),
    encounter=One("encounter", "encounter", REFERENCE),
    note=Many("note", "note", NOTE),
)


# --- documents and notes ---------------------------------------------------------------------------------------

# US Core, CodeSystem us-core-documentreference-category: the published code for a clinical note; UK Core has none.
_NOTE_SYSTEM = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"
_NOTE_CATEGORY: Final = {"coding": [{"system": _NOTE_SYSTEM, "code": "clinical-note"}]}
_PLAIN: Final = "text/plain; charset=utf-8"


def _note_text(content: Any) -> str | None:
    """The text of a single inline plain-text attachment; None if it is anything else."""
    attachment = (
        content[0].get("attachment")
        if type(content) is list and len(content) == 1 and type(content[0]) is dict
        else None
    )
    if type(attachment) is not dict or type(attachment.get("data")) is not str:
        return None
    media_type = attachment.get("contentType")
    if type(media_type) is not str or media_type.partition(";")[0].strip().lower() != "text/plain":
        return None
    try:
        return base64.b64decode(attachment["data"], validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def is_note(resource: Mapping[str, Any]) -> bool:
    """Whether a DocumentReference is a progress note: category clinical-note and one inline plain text."""
    category = resource.get("category")
    named = type(category) is list and any(
        type(one) is dict
        and type(one.get("coding")) is list
        and any(
            type(coding) is dict and coding.get("system") == _NOTE_SYSTEM and coding.get("code") == "clinical-note"
            for coding in one["coding"]
        )
        for one in category
    )
    marked = type(resource.get("extension")) is list and any(
        type(one) is dict and one.get("url") == ext.NOT_A_NOTE and one.get("valueBoolean") is True
        for one in resource["extension"]
    )
    return named and not marked and _note_text(resource.get("content")) is not None


class _NoteCategory(Field):
    keys = ("category",)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw = obj["category"]
        if raw != [_NOTE_CATEGORY]:
            ctx.keep("category", raw)

    def write(self, model: ProgressNote, out: dict[str, Any]) -> None:
        out["category"] = [deepcopy(_NOTE_CATEGORY)]


class _NoteText(Field):
    keys = ("content",)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        text = _note_text(obj["content"])
        into["text"] = text
        written = self._attachment(text or "")
        content = obj["content"][0]
        for key, value in content["attachment"].items():
            if key not in written or written[key] != value:
                ctx.keep(f"content[0].attachment.{key}", value)
        for key, value in content.items():
            if key != "attachment":
                ctx.keep(f"content[0].{key}", value)

    @staticmethod
    def _attachment(text: str) -> dict[str, Any]:
        return {"contentType": _PLAIN, "data": base64.b64encode(text.encode()).decode()}

    def write(self, model: ProgressNote, out: dict[str, Any]) -> None:
        out["content"] = [{"attachment": self._attachment(model.text)}]


_HEADING: Final = ExtStruct(
    NoteHeading,
    Ext("title", "title", {"String": TEXT}),
    Ext("topic", "topic", {"String": TEXT}),
    Ext("problems", "problem", {"Reference": REFERENCE}, many=True),
    Ext("items", "item", {"Reference": REFERENCE}, many=True),
)
PROGRESS_NOTE: Final = clinical(
    "DocumentReference",
    ProgressNote,
    _STATUS,
    One("type", "type", CONCEPT),
    _NoteCategory(),
    One("date", "date", INSTANT),
    _NoteText(),
    Nested("context", First("encounter", "encounter", REFERENCE)),
    subject=One("subject", "subject", REFERENCE),
    encounter=Skip(),
    author=First("author", "author", ACTOR),
    extensions=[Ext("headings", ext.NOTE_HEADING, _HEADING, many=True)],
)


class DocumentContent(Codec):
    primitive = False

    def read(self, raw: Any, path: str, ctx: Reading) -> Any:
        if type(raw) is not dict or type(raw.get("attachment")) is not dict:
            raise Unreadable
        for key, value in raw.items():
            if key != "attachment":
                ctx.keep(join(path, key), value)
        return ATTACHMENT.read(raw["attachment"], join(path, "attachment"), ctx)

    def write(self, value: Any) -> dict[str, Any]:
        return {"attachment": ATTACHMENT.write(value)}


class _Contents(Many):
    """`content`, of which R4 demands one: where there is none, a reason for absence stands in its attachment."""

    _NONE: Final = [{"attachment": DATA_ABSENT_ELEMENT}]

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        if obj["content"] != self._NONE:
            super().read(obj, path, ctx, into)

    def write(self, model: DocumentReference, out: dict[str, Any]) -> None:
        super().write(model, out)
        out.setdefault("content", deepcopy(self._NONE))


class _DocumentResource(Resource):
    def write_item(self, item: Item) -> dict[str, Any]:
        out = super().write_item(item)
        if is_note(out):
            out["extension"] = [{"url": ext.NOT_A_NOTE, "valueBoolean": True}, *out.get("extension", ())]
        return out

    def finish(self, into: dict[str, Any], raw: Mapping[str, Any], path: str, ctx: Reading) -> None:
        into.pop("not_a_note", None)


DOCUMENT_REFERENCE: Final = clinical(
    "DocumentReference",
    DocumentReference,
    _STATUS,
    One("doc_status", "docStatus", TEXT),
    One("type", "type", CONCEPT),
    Many("category", "category", CONCEPT),
    One("date", "date", INSTANT),
    One("custodian", "custodian", ORGANIZATION_ACTOR),
    One("description", "description", TEXT),
    _Contents("attachments", "content", DocumentContent()),
    Nested(
        "context",
        First("encounter", "encounter", REFERENCE),
        One("period", "period", PERIOD),
        One("practice_setting", "practiceSetting", CONCEPT),
    ),
    subject=One("subject", "subject", REFERENCE),
    encounter=Skip(),
    author=First("author", "author", ACTOR),
    extensions=[Ext("not_a_note", ext.NOT_A_NOTE, {"Boolean": FLAG}, get=lambda _: None)],
    kind=_DocumentResource,
)
