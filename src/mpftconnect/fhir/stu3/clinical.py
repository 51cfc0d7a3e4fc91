"""Problems, allergies, immunisations and alerts of FHIR STU3.

Element names and cardinalities: HL7 FHIR STU3 (3.0.2), the page of each resource. Extensions: Care Connect and GP
Connect 1.x (CareConnect-GPC-ProblemHeader-Condition-1, CareConnect-GPC-AllergyIntolerance-1,
CareConnect-GPC-Immunization-1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mpftconnect.fhir.clinical import AGES, NO_CODE, REACTION, RELATED_PROBLEM, WHEN_OR_WORDS, RecordedBy, stated
from mpftconnect.fhir.codecs import DATE, DATE_TIME, FLAG, TEXT
from mpftconnect.fhir.datatypes import ACTOR, CONCEPT, NOTE, ORGANIZATION_ACTOR, PERIOD, QUANTITY, REFERENCE
from mpftconnect.fhir.fields import Choice, Ext, Field, First, Head, Many, Nested, One
from mpftconnect.fhir.reading import ABSENT, Reading, join
from mpftconnect.fhir.resource import clinical
from mpftconnect.fhir.stu3 import urls
from mpftconnect.fhir.stu3.elements import ActorInRole, BareCode, under
from mpftconnect.model import AllergyIntolerance, Concept, Condition, Flag, Immunization, When

__all__ = [
    "ALLERGY_INTOLERANCE",
    "CODE",
    "CONDITION",
    "CONTEXT",
    "FLAG_RESOURCE",
    "IMMUNIZATION",
    "NOTES",
    "STATUS",
]

CONTEXT: Final = One("encounter", "context", REFERENCE)
NOTES: Final = Many("note", "note", NOTE)
STATUS: Final = One("status", "status", TEXT, required=True)
CODE: Final = One("code", "code", CONCEPT, required=True, get=lambda item: stated(item.code))
_PATIENT: Final = One("subject", "patient", REFERENCE, required=True)
_R4: Final = "http://terminology.hl7.org/CodeSystem/"

# FHIR STU3, value sets condition-clinical and condition-ver-status: bare codes, of which `unknown` is not in R4.
CONDITION: Final = clinical(
    "Condition",
    Condition,
    One(
        "clinical_status",
        "clinicalStatus",
        BareCode(_R4 + "condition-clinical", ("active", "recurrence", "inactive", "remission", "resolved")),
    ),
    One(
        "verification_status",
        "verificationStatus",
        BareCode(
            _R4 + "condition-ver-status",
            ("provisional", "differential", "confirmed", "refuted", "entered-in-error"),
        ),
    ),
    Many("category", "category", CONCEPT),
    One("severity", "severity", CONCEPT),
    CODE,
    Many("body_site", "bodySite", CONCEPT),
    Choice("onset", "onset", WHEN_OR_WORDS, also_read=AGES),
    Choice("abatement", "abatement", WHEN_OR_WORDS, also_read=AGES),
    encounter=CONTEXT,
    author=One("author", "asserter", ACTOR),
    note=NOTES,
    recorded=One("recorded", "assertedDate", DATE_TIME),
    extensions=[
        *under(urls.PROBLEM_SIGNIFICANCE, "significance", {"Code": TEXT}),
        *under(urls.CONDITION_EPISODE, "episode", {"Code": BareCode(None)}),
        *under(urls.ACTUAL_PROBLEM, "actual", {"Reference": REFERENCE}),
        *under(urls.RELATED_CLINICAL_CONTENT, "content", {"Reference": REFERENCE}, many=True),
        *under(urls.RELATED_PROBLEM_HEADER, "related", RELATED_PROBLEM, many=True),
    ],
    defaults=NO_CODE,
)

ALLERGY_INTOLERANCE: Final = clinical(
    "AllergyIntolerance",
    AllergyIntolerance,
    One(
        "clinical_status",
        "clinicalStatus",
        BareCode(_R4 + "allergyintolerance-clinical", ("active", "inactive", "resolved")),
    ),
    One(
        "verification_status",
        "verificationStatus",
        BareCode(_R4 + "allergyintolerance-verification", ("unconfirmed", "confirmed", "refuted", "entered-in-error")),
    ),
    One("type", "type", TEXT),
    Many("category", "category", TEXT),
    One("criticality", "criticality", TEXT),
    CODE,
    Choice("onset", "onset", WHEN_OR_WORDS, also_read=AGES),
    One("last_occurrence", "lastOccurrence", DATE_TIME),
    Many("reactions", "reaction", REACTION),
    subject=_PATIENT,
    encounter=Ext("encounter", urls.ASSOCIATED_ENCOUNTER[0], {"Reference": REFERENCE}),
    author=RecordedBy(),
    note=NOTES,
    recorded=One("recorded", "assertedDate", DATE_TIME),
    extensions=[
        *under(
            urls.ALLERGY_INTOLERANCE_END,
            "",
            [Ext("ended", "endDate", {"DateTime": DATE_TIME}), Ext("reason_ended", "reasonEnded", {"String": TEXT})],
        ),
    ],
    defaults=NO_CODE,
)


class _Given(Field):
    """`status` and `notGiven`, a modifier: FHIR STU3, Immunization.notGiven; R4 made it the status `not-done`.

    A vaccination that was not given must never read as one that was.
    """

    keys = ("status", "notGiven")

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        status, not_given = obj.get("status", ABSENT), obj.get("notGiven", ABSENT)
        if type(status) is str:
            into["status"] = status
        elif status is not ABSENT:
            ctx.keep("status", status)
        if not_given is ABSENT or not_given is False:
            return
        in_error = into.get("status") == "entered-in-error"
        if in_error or not_given is not True:
            ctx.keep("notGiven", not_given)
        if in_error or not_given is None:
            return
        if into.get("status", "completed") != "completed":
            ctx.keep("status", into["status"])
        into["status"] = "not-done"

    def write(self, model: Immunization, out: dict[str, Any]) -> None:
        not_done = model.status == "not-done"
        if model.status is not None:
            # FHIR STU3 calls the record of a vaccination that was not given completed, too.
            out["status"] = "completed" if not_done else model.status
        out["notGiven"] = not_done


class _DoseSequence(Field):
    """`doseSequence`, a positive number, as the model's dose number."""

    keys = ("doseSequence",)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw = obj["doseSequence"]
        if type(raw) is int:
            into["dose_number"] = str(raw)
        else:
            ctx.keep(join(path, "doseSequence"), raw)

    def write(self, model: Immunization, out: dict[str, Any]) -> None:
        number = model.dose_number
        if number is not None and number.isascii() and number.removeprefix("-").isdigit():
            out["doseSequence"] = int(number)


def _date_given(item: Immunization) -> When | None:
    return item.occurrence if isinstance(item.occurrence, When) else None


_RECORDED, *_OTHER_RECORDED = under(urls.DATE_RECORDED, "recorded", {"DateTime": DATE_TIME})
IMMUNIZATION: Final = clinical(
    "Immunization",
    Immunization,
    _Given(),
    One("vaccine", "vaccineCode", CONCEPT, required=True, get=lambda item: stated(item.vaccine)),
    One("occurrence", "date", DATE_TIME, get=_date_given),
    One("primary_source", "primarySource", FLAG),
    One("location", "location", ACTOR),
    One("manufacturer", "manufacturer", ORGANIZATION_ACTOR),
    One("lot_number", "lotNumber", TEXT),
    One("expiration", "expirationDate", DATE),
    One("site", "site", CONCEPT),
    One("route", "route", CONCEPT),
    One("dose", "doseQuantity", QUANTITY),
    Many("performers", "practitioner", ActorInRole()),
    Nested("explanation", Many("reason", "reason", CONCEPT), First("status_reason", "reasonNotGiven", CONCEPT)),
    Nested("vaccinationProtocol", Many("target_disease", "targetDisease", CONCEPT), _DoseSequence(), first=True),
    subject=_PATIENT,
    encounter=One("encounter", "encounter", REFERENCE),
    note=NOTES,
    recorded=_RECORDED,
    extensions=[
        *under(urls.VACCINATION_PROCEDURE, "procedure", {"CodeableConcept": CONCEPT}),
        *under(urls.PARENT_PRESENT, "parent_present", {"Boolean": FLAG}),
        *_OTHER_RECORDED,
    ],
    defaults={"vaccine": Concept()},
)

FLAG_RESOURCE: Final = clinical(
    "Flag",
    Flag,
    STATUS,
    Head("category", "category", CONCEPT),
    CODE,
    One("period", "period", PERIOD),
    encounter=One("encounter", "encounter", REFERENCE),
    author=One("author", "author", ACTOR),
    defaults=NO_CODE,
)
