"""Conditions, allergies, medicines, results, reports, alerts, referrals, consents, immunisations, legal status.

Element names and cardinalities: FHIR R4 (4.0.1), the page of each resource; UK Core (STU3 sequence) where named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from mpftconnect.fhir import extensions as ext
from mpftconnect.fhir.codecs import DATE, DATE_TIME, FLAG, INSTANT, TEXT, WHOLE, Codec
from mpftconnect.fhir.datatypes import (
    ACTOR,
    ATTACHMENT,
    CONCEPT,
    DOSAGE,
    IDENTIFIER,
    NOTE,
    ORGANIZATION_ACTOR,
    PERIOD,
    QUANTITY,
    REFERENCE,
    VALUES,
    NearWords,
)
from mpftconnect.fhir.extensions import DATA_ABSENT_ELEMENT, data_absent
from mpftconnect.fhir.fields import (
    Choice,
    Const,
    Ext,
    ExtNested,
    ExtStruct,
    Field,
    First,
    Head,
    Many,
    Nested,
    One,
    OneExtended,
    Skip,
    Struct,
)
from mpftconnect.fhir.reading import ABSENT, NotMapped, Reading, Unreadable, join
from mpftconnect.fhir.resource import Resource, clinical
from mpftconnect.model import (
    AllergyIntolerance,
    Concept,
    Condition,
    Consent,
    DiagnosticReport,
    Flag,
    Immunization,
    LegalStatus,
    MedicationStatement,
    Observation,
    ObservationComponent,
    Period,
    ProblemLink,
    Reaction,
    ReferenceRange,
    ServiceRequest,
    Specimen,
    When,
)

__all__ = [
    "AGES",
    "ALLERGY_INTOLERANCE",
    "COMPONENT",
    "CONDITION",
    "CONSENT",
    "DIAGNOSTIC_REPORT",
    "EFFECTIVE",
    "FLAG_RESOURCE",
    "IMMUNIZATION",
    "LEGAL_STATUS",
    "MEDICATION_REQUEST",
    "MEDICATION_STATEMENT",
    "NO_CODE",
    "NO_MEDICATION",
    "OBSERVATION",
    "REACTION",
    "REFERENCE_RANGE",
    "RELATED_PROBLEM",
    "SERVICE_REQUEST",
    "SPECIMEN",
    "WHEN_OR_WORDS",
    "ImmunizationPerformer",
    "MedicationChoice",
    "MedicationResource",
    "RecordedBy",
    "ServiceRequestResource",
    "stated",
]

_PATIENT: Final = One("subject", "patient", REFERENCE, required=True)
_NOTES: Final = Many("note", "note", NOTE)
_ENCOUNTER: Final = One("encounter", "encounter", REFERENCE)
_BASED_ON: Final = Many("based_on", "basedOn", REFERENCE)
_STATUS: Final = One("status", "status", TEXT, required=True)
_CODE: Final = One("code", "code", CONCEPT, required=True, get=lambda item: stated(item.code))
NO_CODE: Final = {"code": Concept()}


def stated(code: Concept) -> Concept | None:
    """A concept that the model demands, or None where the source gave nothing."""
    return None if code == Concept() else code


# --- conditions and allergies ----------------------------------------------------------------------------------

WHEN_OR_WORDS: Final[dict[type, tuple[str, Codec]]] = {
    When: ("DateTime", DATE_TIME),
    Period: ("Period", PERIOD),
    str: ("String", TEXT),
}


def _age_words(raw: Any) -> str | None:
    """An Age in words, number and unit as sent."""
    if type(raw) is not dict or "value" not in raw:
        return None
    parts = [raw.get("comparator"), raw["value"], raw.get("unit") or raw.get("code")]
    return "age " + " ".join(str(part) for part in parts if part is not None and type(part) not in (dict, list))


def _age_range_words(raw: Any) -> str | None:
    if type(raw) is not dict:
        return None
    ends = [_age_words(raw.get(end)) for end in ("low", "high")]
    return " to ".join(end for end in ends if end) or None


AGES: Final[dict[str, Codec]] = {"Age": NearWords(_age_words), "Range": NearWords(_age_range_words)}


class RecordedBy(Field):
    """`recorder` is the author; where only an `asserter` is named, it is, and the element is kept as sent."""

    keys = ("recorder", "asserter")

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        for key in self.keys:
            raw = obj.get(key, ABSENT)
            if raw is ABSENT:
                continue
            if key == "recorder" and type(raw) is dict:
                into["author"] = ACTOR.read(raw, key, ctx)
                continue
            ctx.keep(key, raw)
            if "author" not in into and type(raw) is dict:
                into["author"] = ACTOR.read(raw, key, ctx.aside())

    def write(self, model: Any, out: dict[str, Any]) -> None:
        if model.author is not None:
            out["recorder"] = ACTOR.write(model.author)


RELATED_PROBLEM: Final = ExtStruct(
    ProblemLink,
    Ext("type", "type", {"Code": TEXT}),
    Ext("problem", "target", {"Reference": REFERENCE}),
)
CONDITION: Final = clinical(
    "Condition",
    Condition,
    One("clinical_status", "clinicalStatus", CONCEPT),
    One("verification_status", "verificationStatus", CONCEPT),
    Many("category", "category", CONCEPT),
    One("severity", "severity", CONCEPT),
    _CODE,
    Many("body_site", "bodySite", CONCEPT),
    Choice("onset", "onset", WHEN_OR_WORDS, also_read=AGES),
    Choice("abatement", "abatement", WHEN_OR_WORDS, also_read=AGES),
    encounter=_ENCOUNTER,
    author=RecordedBy(),
    note=_NOTES,
    recorded=One("recorded", "recordedDate", DATE_TIME),
    extensions=[
        Ext("significance", ext.PROBLEM_SIGNIFICANCE, {"Code": TEXT}),
        Ext("episode", ext.CONDITION_EPISODE, {"CodeableConcept": CONCEPT}),
        Ext("actual", ext.ACTUAL_PROBLEM, {"Reference": REFERENCE}),
        Ext("content", ext.PROBLEM_CONTENT, {"Reference": REFERENCE}, many=True),
        Ext("related", ext.RELATED_PROBLEM_HEADER, RELATED_PROBLEM, many=True),
    ],
    defaults=NO_CODE,
)


REACTION: Final = Struct(
    Reaction,
    One("substance", "substance", CONCEPT),
    Many("manifestation", "manifestation", CONCEPT, required=True),
    One("description", "description", TEXT),
    One("onset", "onset", DATE_TIME),
    One("severity", "severity", TEXT),
)
ALLERGY_INTOLERANCE: Final = clinical(
    "AllergyIntolerance",
    AllergyIntolerance,
    # UK Core puts on the status when and why the source stopped taking it for an allergy.
    OneExtended(
        "clinical_status",
        "clinicalStatus",
        CONCEPT,
        ExtNested(
            ext.ALLERGY_INTOLERANCE_END,
            Ext("ended", "endDate", {"DateTime": DATE_TIME}),
            Ext("reason_ended", "reasonEnded", {"String": TEXT}),
        ),
    ),
    One("verification_status", "verificationStatus", CONCEPT),
    One("type", "type", TEXT),
    Many("category", "category", TEXT),
    One("criticality", "criticality", TEXT),
    _CODE,
    Choice("onset", "onset", WHEN_OR_WORDS, also_read=AGES),
    One("last_occurrence", "lastOccurrence", DATE_TIME),
    Many("reactions", "reaction", REACTION),
    subject=_PATIENT,
    encounter=_ENCOUNTER,
    author=RecordedBy(),
    note=_NOTES,
    recorded=One("recorded", "recordedDate", DATE_TIME),
    defaults=NO_CODE,
)


# --- medicines -------------------------------------------------------------------------------------------------


class MedicationChoice(Field):
    """`medication[x]`: a concept, or a reference that is followed and also kept as sent."""

    keys = ("medicationCodeableConcept", "medicationReference")

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw = obj.get("medicationCodeableConcept", ABSENT)
        if raw is not ABSENT and raw != DATA_ABSENT_ELEMENT:
            if type(raw) is dict:
                into["medication"] = CONCEPT.read(raw, "medicationCodeableConcept", ctx)
            else:
                ctx.keep("medicationCodeableConcept", raw)
        pointer = obj.get("medicationReference", ABSENT)
        if pointer is ABSENT:
            return
        ctx.keep("medicationReference", pointer)
        if type(pointer) is not dict or "medication" in into:
            return
        reference, display = pointer.get("reference"), pointer.get("display")
        found = ctx.resolve(reference) if type(reference) is str else None
        if found and type(found.get("code")) is dict:
            into["medication"] = CONCEPT.read(found["code"], "", ctx.aside())
        elif type(display) is str:
            into["medication"] = Concept(text=display)

    def write(self, model: MedicationStatement, out: dict[str, Any]) -> None:
        medication = stated(model.medication)
        out["medicationCodeableConcept"] = CONCEPT.write(medication) if medication else data_absent()


class MedicationResource(Resource):
    """Both resources of medicines give one type of the model, told apart by `kind`."""

    def finish(self, into: dict[str, Any], raw: Mapping[str, Any], path: str, ctx: Reading) -> None:
        # FHIR R4, MedicationRequest.doNotPerform, a modifier element: the item means the opposite. The model cannot
        # say so, and a medicine that must not be given must never be shown as one that is.
        if raw.get("doNotPerform") not in (None, False):
            raise NotMapped("says what must not be done, which cannot be shown as a medicine", place="doNotPerform")
        into["kind"] = "request" if self.resource_type == "MedicationRequest" else "statement"


EFFECTIVE: Final[dict[type, tuple[str, Codec]]] = {When: ("DateTime", DATE_TIME), Period: ("Period", PERIOD)}
NO_MEDICATION: Final = {"medication": Concept()}
# What neither of the two resources has an element for.
_ON_BOTH: Final = (
    Ext("status_changed", ext.MEDICATION_STATUS_CHANGED, {"DateTime": DATE_TIME}),
    Ext("quantity_text", ext.MEDICATION_QUANTITY_TEXT, {"String": TEXT}),
    Ext("dosage_changed", ext.MEDICATION_DOSAGE_CHANGED, {"DateTime": DATE_TIME}),
    Ext("agency", ext.MEDICATION_AGENCY, {"CodeableConcept": CONCEPT}),
)

MEDICATION_STATEMENT: Final = clinical(
    "MedicationStatement",
    MedicationStatement,
    _STATUS,
    Many("status_reason", "statusReason", CONCEPT),
    Head("category", "category", CONCEPT),
    MedicationChoice(),
    Choice("effective", "effective", EFFECTIVE),
    Many("reason", "reasonCode", CONCEPT),
    Many("dosage", "dosage", DOSAGE),
    encounter=One("encounter", "context", REFERENCE),
    based_on=_BASED_ON,
    author=One("author", "informationSource", ACTOR),
    note=_NOTES,
    recorded=One("recorded", "dateAsserted", DATE_TIME),
    extensions=[
        Ext("last_issued", ext.MEDICATION_LAST_ISSUE_DATE, {"DateTime": DATE_TIME}),
        Ext("intent", ext.MEDICATION_INTENT, {"Code": TEXT}),
        Ext("category", ext.MEDICATION_CATEGORY, {"CodeableConcept": CONCEPT}, tail=True),
        Ext("course", ext.MEDICATION_COURSE, {"CodeableConcept": CONCEPT}),
        Ext("authored", ext.MEDICATION_AUTHORED, {"DateTime": DATE_TIME}),
        Ext("quantity", ext.MEDICATION_QUANTITY, {"Quantity": QUANTITY}),
        Ext("repeats_allowed", ext.MEDICATION_REPEATS_ALLOWED, {"Integer": WHOLE}),
        ExtNested(
            ext.MEDICATION_REPEATS,
            Ext("repeats_issued", "issued", {"Integer": WHOLE}),
            Ext("authorised_until", "authorisedUntil", {"DateTime": DATE_TIME}),
        ),
        Ext("supply", ext.MEDICATION_SUPPLY, {"Duration": QUANTITY}),
        Ext("validity", ext.MEDICATION_VALIDITY, {"Period": PERIOD}),
        *_ON_BOTH,
    ],
    defaults=NO_MEDICATION,
    kind=MedicationResource,
)
MEDICATION_REQUEST: Final = clinical(
    "MedicationRequest",
    MedicationStatement,
    _STATUS,
    Head("status_reason", "statusReason", CONCEPT),
    One("intent", "intent", TEXT, required=True),
    Many("category", "category", CONCEPT),
    MedicationChoice(),
    One("authored", "authoredOn", DATE_TIME),
    Many("reason", "reasonCode", CONCEPT),
    One("course", "courseOfTherapyType", CONCEPT),
    Many("dosage", "dosageInstruction", DOSAGE),
    Nested(
        "dispenseRequest",
        One("validity", "validityPeriod", PERIOD),
        One("repeats_allowed", "numberOfRepeatsAllowed", WHOLE),
        One("quantity", "quantity", QUANTITY),
        One("supply", "expectedSupplyDuration", QUANTITY),
    ),
    encounter=_ENCOUNTER,
    based_on=_BASED_ON,
    author=One("author", "requester", ACTOR),
    note=_NOTES,
    extensions=[
        Ext(
            "effective",
            ext.MEDICATION_EFFECTIVE,
            {"DateTime": DATE_TIME, "Period": PERIOD},
            kinds={When: "DateTime", Period: "Period"},
        ),
        Ext("last_issued", ext.MEDICATION_LAST_ISSUED, {"DateTime": DATE_TIME}),
        Ext("status_reason", ext.MEDICATION_STATUS_REASON, {"CodeableConcept": CONCEPT}, tail=True),
        ExtNested(
            ext.MEDICATION_REPEAT_INFORMATION,
            Ext("repeats_issued", "numberOfPrescriptionsIssued", {"UnsignedInt": WHOLE}),
            Ext("authorised_until", "authorisationExpiryDate", {"DateTime": DATE_TIME}),
        ),
        *_ON_BOTH,
    ],
    defaults=NO_MEDICATION,
    kind=MedicationResource,
)


# --- results and reports ---------------------------------------------------------------------------------------

REFERENCE_RANGE: Final = Struct(
    ReferenceRange,
    One("low", "low", QUANTITY),
    One("high", "high", QUANTITY),
    One("type", "type", CONCEPT),
    One("text", "text", TEXT),
)
COMPONENT: Final = Struct(
    ObservationComponent,
    _CODE,
    Choice("value", "value", VALUES),
    One("data_absent_reason", "dataAbsentReason", CONCEPT),
    Many("interpretation", "interpretation", CONCEPT),
    Many("reference_ranges", "referenceRange", REFERENCE_RANGE),
    defaults=NO_CODE,
)
OBSERVATION: Final = clinical(
    "Observation",
    Observation,
    _STATUS,
    Many("category", "category", CONCEPT),
    _CODE,
    Choice("effective", "effective", EFFECTIVE, also_read={"Instant": INSTANT}),
    One("issued", "issued", INSTANT),
    Many("performers", "performer", ACTOR),
    Choice("value", "value", VALUES),
    One("data_absent_reason", "dataAbsentReason", CONCEPT),
    Many("interpretation", "interpretation", CONCEPT),
    One("body_site", "bodySite", CONCEPT),
    One("method", "method", CONCEPT),
    One("specimen", "specimen", REFERENCE),
    Many("reference_ranges", "referenceRange", REFERENCE_RANGE),
    Many("members", "hasMember", REFERENCE),
    Many("components", "component", COMPONENT),
    subject=One("subject", "subject", REFERENCE),
    encounter=_ENCOUNTER,
    based_on=_BASED_ON,
    note=_NOTES,
    defaults=NO_CODE,
)
SPECIMEN: Final = clinical(
    "Specimen",
    Specimen,
    One("accession", "accessionIdentifier", IDENTIFIER),
    One("status", "status", TEXT),
    One("type", "type", CONCEPT),
    One("received", "receivedTime", DATE_TIME),
    Nested(
        "collection",
        One("author", "collector", ACTOR),
        Choice("collected", "collected", EFFECTIVE),
        One("quantity", "quantity", QUANTITY),
        One("body_site", "bodySite", CONCEPT),
    ),
    subject=One("subject", "subject", REFERENCE),
    based_on=Many("based_on", "request", REFERENCE),
    author=Skip(),
    note=_NOTES,
)
DIAGNOSTIC_REPORT: Final = clinical(
    "DiagnosticReport",
    DiagnosticReport,
    _STATUS,
    Many("category", "category", CONCEPT),
    _CODE,
    Choice("effective", "effective", EFFECTIVE),
    One("issued", "issued", INSTANT),
    Many("performers", "performer", ACTOR),
    Many("specimens", "specimen", REFERENCE),
    Many("results", "result", REFERENCE),
    One("conclusion", "conclusion", TEXT),
    Many("conclusion_codes", "conclusionCode", CONCEPT),
    Many("attachments", "presentedForm", ATTACHMENT),
    subject=One("subject", "subject", REFERENCE),
    encounter=_ENCOUNTER,
    based_on=_BASED_ON,
    note=Ext("note", ext.DIAGNOSTIC_REPORT_NOTE, {"Annotation": NOTE}, many=True),
    defaults=NO_CODE,
)


# --- referrals and alerts --------------------------------------------------------------------------------------


class ServiceRequestResource(Resource):
    def finish(self, into: dict[str, Any], raw: Mapping[str, Any], path: str, ctx: Reading) -> None:
        # FHIR R4, ServiceRequest.doNotPerform, a modifier element; as with medicines.
        if raw.get("doNotPerform") not in (None, False):
            raise NotMapped("says what must not be done, which cannot be shown as a referral", place="doNotPerform")


SERVICE_REQUEST: Final = clinical(
    "ServiceRequest",
    ServiceRequest,
    _STATUS,
    One("intent", "intent", TEXT, required=True),
    Many("category", "category", CONCEPT),
    One("priority", "priority", TEXT),
    One("code", "code", CONCEPT),
    Choice("occurrence", "occurrence", EFFECTIVE),
    One("authored", "authoredOn", DATE_TIME),
    Many("performers", "performer", ACTOR),
    Many("reason", "reasonCode", CONCEPT),
    encounter=_ENCOUNTER,
    based_on=_BASED_ON,
    author=One("author", "requester", ACTOR),
    note=_NOTES,
    extensions=[Ext("description", ext.REQUEST_DESCRIPTION, {"String": TEXT})],
    kind=ServiceRequestResource,
)
FLAG_RESOURCE: Final = clinical(
    "Flag",
    Flag,
    _STATUS,
    Many("category", "category", CONCEPT),
    _CODE,
    One("period", "period", PERIOD),
    encounter=_ENCOUNTER,
    author=One("author", "author", ACTOR),
    defaults=NO_CODE,
)


# --- consent ---------------------------------------------------------------------------------------------------

_URI = re.compile(r"(?:https?://|urn:)\S+", re.ASCII)


class _Policy(Field):
    """The policy: a URI as `policy.uri`, words as the text of `policyRule`."""

    keys = ("policy", "policyRule")

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw = obj.get("policy", ABSENT)
        if type(raw) is list and raw and type(raw[0]) is dict and _is_uri(raw[0].get("uri")):
            into["policy"] = raw[0]["uri"]
            for key, value in raw[0].items():
                if key != "uri":
                    ctx.keep(f"policy[0].{key}", value)
            for index, part in enumerate(raw[1:], 1):
                ctx.keep(f"policy[{index}]", part)
        elif raw is not ABSENT:
            ctx.keep("policy", raw)
        rule = obj.get("policyRule", ABSENT)
        if rule is ABSENT:
            return
        words = rule.get("text") if type(rule) is dict else None
        plain = type(rule) is dict and len(rule) == 1 and type(words) is str and not _is_uri(words)
        if "policy" in into or not plain:
            ctx.keep("policyRule", rule)
        if "policy" not in into and type(rule) is dict:
            concept = CONCEPT.read(rule, "", ctx.aside())
            said = concept.text if concept.text is not None else concept.words() if concept.coding else None
            if said is not None:
                into["policy"] = said

    def write(self, model: Consent, out: dict[str, Any]) -> None:
        if model.policy is not None:
            if _is_uri(model.policy):
                out["policy"] = [{"uri": model.policy}]
            else:
                out["policyRule"] = {"text": model.policy}


def _is_uri(value: Any) -> bool:
    return type(value) is str and _URI.fullmatch(value) is not None


# FHIR R4, ConsentProvisionType.
_PROVISIONS: Final = ("permit", "deny")


class _Provision(Codec):
    def read(self, raw: Any, path: str, ctx: Reading) -> str:
        if raw not in _PROVISIONS or type(raw) is not str:
            raise Unreadable
        return raw


CONSENT: Final = clinical(
    "Consent",
    Consent,
    _STATUS,
    One("scope", "scope", CONCEPT, required=True),
    Many("category", "category", CONCEPT, required=True),
    One("given", "dateTime", DATE_TIME),
    Head("attachments", "sourceAttachment", ATTACHMENT),
    _Policy(),
    Nested(
        "provision",
        One("decision", "type", _Provision(), get=lambda c: c.decision if c.decision in _PROVISIONS else None),
        One("period", "period", PERIOD),
    ),
    subject=One("subject", "patient", REFERENCE),
    author=First("author", "performer", ACTOR),
    extensions=[
        Ext(
            "decision",
            ext.CONSENT_DECISION,
            {"String": TEXT},
            get=lambda c: c.decision if c.decision not in _PROVISIONS else None,
        ),
        Ext("attachments", ext.CONSENT_ATTACHMENT, {"Attachment": ATTACHMENT}, tail=True),
    ],
)


# --- immunisations ---------------------------------------------------------------------------------------------


class ImmunizationPerformer(Codec):
    primitive = False

    def read(self, raw: Any, path: str, ctx: Reading) -> Any:
        if type(raw) is not dict or type(raw.get("actor")) is not dict:
            raise Unreadable
        for key, value in raw.items():
            if key != "actor":
                ctx.keep(join(path, key), value)
        return ACTOR.read(raw["actor"], join(path, "actor"), ctx)

    def write(self, value: Any) -> dict[str, Any]:
        return {"actor": ACTOR.write(value)}


# FHIR R4 (4.0.1), data types: positiveInt.
_POSITIVE = re.compile(r"[1-9]\d{0,8}", re.ASCII)


class _DoseNumber(Field):
    """`doseNumber[x]`, which R4 demands in `protocolApplied`: digits as a number, anything else as words."""

    keys = ("doseNumberPositiveInt", "doseNumberString", "_doseNumberString")

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        for key in self.keys:
            raw = obj.get(key, ABSENT)
            if raw is ABSENT:
                continue
            if key.startswith("_"):
                if raw != DATA_ABSENT_ELEMENT or "dose_number" in into:
                    ctx.keep(join(path, key), raw)
                continue
            number = type(raw) is int and key == self.keys[0] and _POSITIVE.fullmatch(str(raw))
            words = type(raw) is str and key == self.keys[1]
            if "dose_number" in into or not (number or words):
                ctx.keep(join(path, key), raw)
                continue
            into["dose_number"] = str(raw)
            if words and _POSITIVE.fullmatch(raw):
                ctx.keep(join(path, key), raw)

    def write(self, model: Immunization, out: dict[str, Any]) -> None:
        if model.dose_number is None:
            if model.target_disease:
                out["_doseNumberString"] = data_absent()
        elif _POSITIVE.fullmatch(model.dose_number):
            out["doseNumberPositiveInt"] = int(model.dose_number)
        else:
            out["doseNumberString"] = model.dose_number


IMMUNIZATION: Final = clinical(
    "Immunization",
    Immunization,
    _STATUS,
    One("status_reason", "statusReason", CONCEPT),
    One("vaccine", "vaccineCode", CONCEPT, required=True, get=lambda item: stated(item.vaccine)),
    Choice(
        "occurrence",
        "occurrence",
        {When: ("DateTime", DATE_TIME), str: ("String", TEXT)},
        required="DateTime",
    ),
    One("primary_source", "primarySource", FLAG),
    One("location", "location", ACTOR),
    One("manufacturer", "manufacturer", ORGANIZATION_ACTOR),
    One("lot_number", "lotNumber", TEXT),
    One("expiration", "expirationDate", DATE),
    One("site", "site", CONCEPT),
    One("route", "route", CONCEPT),
    One("dose", "doseQuantity", QUANTITY),
    Many("performers", "performer", ImmunizationPerformer()),
    Many("reason", "reasonCode", CONCEPT),
    Nested("protocolApplied", Many("target_disease", "targetDisease", CONCEPT), _DoseNumber(), first=True),
    subject=_PATIENT,
    encounter=_ENCOUNTER,
    note=_NOTES,
    recorded=One("recorded", "recorded", DATE_TIME),
    extensions=[
        Ext("procedure", ext.VACCINATION_PROCEDURE, {"CodeableConcept": CONCEPT}),
        Ext("parent_present", ext.PARENT_PRESENT, {"Boolean": FLAG}),
    ],
    defaults={"vaccine": Concept()},
)


# --- legal status ----------------------------------------------------------------------------------------------

# FHIR R4 has no resource for a legal status. UK Core's extension LegalStatus says only that an encounter had one, and
# has neither period nor review nor authority; Consent and Flag would claim that the person consented or that somebody
# raised an alert. So it is `Basic`, the resource for what R4 has no other for, with our extensions, which are plain.
LEGAL_STATUS_KIND: Final = {"coding": [{"system": ext.BASIC_KIND, "code": "legal-status"}]}


class _LegalStatusResource(Resource):
    def read_fields(self, raw: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        if raw.get("code") != LEGAL_STATUS_KIND:
            raise NotMapped("is not a kind of Basic that is known", place="Basic.code")
        super().read_fields(raw, path, ctx, into)


LEGAL_STATUS: Final = clinical(
    "Basic",
    LegalStatus,
    Const("code", LEGAL_STATUS_KIND),
    subject=One("subject", "subject", REFERENCE),
    author=One("author", "author", ACTOR),
    recorded=One("recorded", "created", DATE),
    extensions=[
        Ext("code", ext.LEGAL_STATUS, {"CodeableConcept": CONCEPT}, get=lambda item: stated(item.code)),
        Ext("status", ext.LEGAL_STATUS_STATUS, {"String": TEXT}),
        Ext("period", ext.LEGAL_STATUS_PERIOD, {"Period": PERIOD}),
        Ext("review", ext.LEGAL_STATUS_REVIEW, {"DateTime": DATE_TIME}),
        Ext("authority", ext.LEGAL_STATUS_AUTHORITY, {"Reference": ACTOR}),
        Ext("conditions", ext.LEGAL_STATUS_CONDITIONS, {"String": TEXT}),
    ],
    defaults=NO_CODE,
    kind=_LegalStatusResource,
)
