"""Encounters, appointments, requests, documents, care teams and care plans of FHIR STU3.

Element names and cardinalities: HL7 FHIR STU3 (3.0.2), the page of each resource. Extensions: GP Connect 1.x,
CareConnect-GPC-Encounter-1 and GPConnect-Appointment-1.
"""

from __future__ import annotations

from typing import Any, Final

from mpftconnect.fhir import extensions as ext
from mpftconnect.fhir.care_plan import CARE_PLAN_EXTENSIONS, CARE_PLAN_FIELDS, CarePlanResource
from mpftconnect.fhir.clinical import EFFECTIVE, ServiceRequestResource
from mpftconnect.fhir.codecs import DATE_TIME, INSTANT, TEXT, WHOLE, Codec
from mpftconnect.fhir.contacts import (
    NO_ACTOR,
    BookedPeople,
    DocumentContent,
    EncounterClass,
    EncounterLocation,
    stated_actor,
)
from mpftconnect.fhir.datatypes import ACTOR, CONCEPT, NOTE, ORGANIZATION_ACTOR, PERIOD, REFERENCE
from mpftconnect.fhir.fields import Choice, Ext, First, Head, Many, Nested, One, Skip, Struct
from mpftconnect.fhir.plan_lines import ActionCodec
from mpftconnect.fhir.reading import Reading
from mpftconnect.fhir.resource import clinical
from mpftconnect.fhir.stu3 import urls
from mpftconnect.fhir.stu3.clinical import CONTEXT, NOTES, STATUS
from mpftconnect.fhir.stu3.elements import Requested
from mpftconnect.model import (
    Action,
    Appointment,
    CarePlan,
    CareTeam,
    Concept,
    DocumentReference,
    Encounter,
    Participant,
    ServiceRequest,
)

__all__ = [
    "APPOINTMENT",
    "CARE_PLAN",
    "CARE_TEAM",
    "DOCUMENT_REFERENCE",
    "ENCOUNTER",
    "PROCEDURE_REQUEST",
    "REFERRAL_REQUEST",
]

_SUBJECT: Final = One("subject", "subject", REFERENCE)
_BASED_ON: Final = Many("based_on", "basedOn", REFERENCE)

ENCOUNTER: Final = clinical(
    "Encounter",
    Encounter,
    STATUS,
    One("encounter_class", "class", EncounterClass()),
    Many("type", "type", CONCEPT),
    Many(
        "participants",
        "participant",
        Struct(
            Participant,
            First("role", "type", CONCEPT),
            One("period", "period", PERIOD),
            One("actor", "individual", ACTOR, get=stated_actor),
            defaults=NO_ACTOR,
        ),
    ),
    One("period", "period", PERIOD),
    Many("reason", "reason", CONCEPT),
    Many("location", "location", EncounterLocation()),
    One("provider", "serviceProvider", ORGANIZATION_ACTOR),
    subject=_SUBJECT,
    based_on=Many("based_on", "incomingReferral", REFERENCE),
    service=Ext("service", urls.SERVICE_TYPE[0], {"CodeableConcept": CONCEPT}),
)


class _Words(Codec):
    """Words where the model has a concept: the concept's text."""

    def read(self, raw: Any, path: str, ctx: Reading) -> Concept:
        return Concept(text=TEXT.read(raw, path, ctx))

    def write(self, value: Concept) -> str:
        return value.words()


APPOINTMENT: Final = clinical(
    "Appointment",
    Appointment,
    STATUS,
    One("type", "appointmentType", CONCEPT),
    Many("reason", "reason", CONCEPT),
    One("description", "description", TEXT),
    One("start", "start", INSTANT),
    One("end", "end", INSTANT),
    One("minutes", "minutesDuration", WHOLE),
    One("created", "created", DATE_TIME),
    Head("note", "comment", TEXT),
    subject=BookedPeople(),
    based_on=Many("based_on", "incomingReferral", REFERENCE),
    service=First("service", "serviceType", CONCEPT),
    note=Ext("note", ext.NOTE, {"Annotation": NOTE}, tail=True),
    extensions=[Ext("cancellation_reason", urls.CANCELLATION_REASON[0], {"String": _Words()})],
)

_REQUEST: Final = (
    STATUS,
    One("intent", "intent", TEXT, required=True),
    One("priority", "priority", TEXT),
    Choice("occurrence", "occurrence", EFFECTIVE),
    One("authored", "authoredOn", DATE_TIME),
    Many("reason", "reasonCode", CONCEPT),
)
# FHIR STU3 has a resource for referrals and one for everything else that is asked for; R4 made one of both.
REFERRAL_REQUEST: Final = clinical(
    "ReferralRequest",
    ServiceRequest,
    *_REQUEST,
    Head("category", "type", CONCEPT),
    First("code", "serviceRequested", CONCEPT),
    Many("performers", "recipient", ACTOR),
    One("description", "description", TEXT),
    encounter=CONTEXT,
    based_on=_BASED_ON,
    author=Requested(),
    service=One("service", "specialty", CONCEPT),
    note=NOTES,
)
PROCEDURE_REQUEST: Final = clinical(
    "ProcedureRequest",
    ServiceRequest,
    *_REQUEST,
    Many("category", "category", CONCEPT),
    One("code", "code", CONCEPT),
    Head("performers", "performer", ACTOR),
    encounter=CONTEXT,
    based_on=_BASED_ON,
    author=Requested(),
    note=NOTES,
    extensions=[Ext("description", ext.REQUEST_DESCRIPTION, {"String": TEXT})],
    kind=ServiceRequestResource,
)

DOCUMENT_REFERENCE: Final = clinical(
    "DocumentReference",
    DocumentReference,
    STATUS,
    One("doc_status", "docStatus", TEXT),
    One("type", "type", CONCEPT),
    Head("category", "class", CONCEPT),
    One("date", "indexed", INSTANT),
    One("custodian", "custodian", ORGANIZATION_ACTOR),
    One("description", "description", TEXT),
    Many("attachments", "content", DocumentContent()),
    Nested(
        "context",
        One("encounter", "encounter", REFERENCE),
        One("period", "period", PERIOD),
        One("practice_setting", "practiceSetting", CONCEPT),
    ),
    subject=_SUBJECT,
    encounter=Skip(),
    author=First("author", "author", ACTOR),
    recorded=One("recorded", "created", DATE_TIME),
)

_TEAM_MEMBER: Final = Struct(
    Participant,
    One("role", "role", CONCEPT),
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
    Many("participants", "participant", _TEAM_MEMBER),
    Many("organization", "managingOrganization", ORGANIZATION_ACTOR),
    subject=_SUBJECT,
    encounter=CONTEXT,
    note=NOTES,
)


class _Activity(ActionCodec):
    """An activity of a plan. What is prohibited must never read as what is to be done.

    FHIR STU3, CarePlan.activity.detail.prohibited, a modifier; R4 made it `doNotPerform`.
    """

    def read(self, raw: Any, path: str, ctx: Reading) -> Action:
        action = super().read(raw, path, ctx)
        detail = raw.get("detail")
        prohibited = detail.get("prohibited") if type(detail) is dict else None
        if prohibited in (None, False):
            return action
        heading = f"Do not do this ({action.heading})" if action.heading else "Do not do this"
        return action.model_copy(update={"heading": heading})


class _CarePlanResource(CarePlanResource):
    ACTIVITY = Many("actions", "activity", _Activity())


CARE_PLAN: Final = clinical(
    "CarePlan",
    CarePlan,
    *CARE_PLAN_FIELDS,
    encounter=CONTEXT,
    based_on=_BASED_ON,
    author=First("author", "author", ACTOR),
    note=NOTES,
    extensions=CARE_PLAN_EXTENSIONS,
    kind=_CarePlanResource,
)
