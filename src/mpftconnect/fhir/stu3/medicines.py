"""Medicines of FHIR STU3: MedicationStatement and MedicationRequest.

Element names and cardinalities: HL7 FHIR STU3 (3.0.2), the page of each resource. Extensions: GP Connect 1.x,
CareConnect-GPC-MedicationStatement-1 and CareConnect-GPC-MedicationRequest-1, where a statement is what is authorised,
a request of intent `plan` its authorisation, and one of intent `order` an issue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mpftconnect.fhir import extensions as ext
from mpftconnect.fhir.clinical import EFFECTIVE, NO_MEDICATION, MedicationChoice, MedicationResource
from mpftconnect.fhir.codecs import DATE_TIME, TEXT, WHOLE
from mpftconnect.fhir.datatypes import ACTOR, CONCEPT, PERIOD, QUANTITY, REFERENCE
from mpftconnect.fhir.fields import Choice, Ext, Field, Head, Many, Nested, One, OneExtended
from mpftconnect.fhir.reading import ABSENT, Reading, join
from mpftconnect.fhir.resource import clinical
from mpftconnect.fhir.stu3 import urls
from mpftconnect.fhir.stu3.clinical import CONTEXT, NOTES, STATUS
from mpftconnect.fhir.stu3.elements import DOSAGE, Requested, under
from mpftconnect.model import MedicationStatement, Period, When

__all__ = ["MEDICATION_REQUEST", "MEDICATION_STATEMENT"]

_BASED_ON: Final = Many("based_on", "basedOn", REFERENCE)


class _Taken(Field):
    """`status` and `taken`, a modifier: FHIR STU3, MedicationStatement.taken; R4 made `n` the status `not-taken`.

    A medicine that is not taken must never read as one that is. `unk` says no more than nothing does.
    """

    keys = ("status", "_status", "taken")

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        STATUS.read(obj, path, ctx, into)
        taken = obj.get("taken", ABSENT)
        if taken is ABSENT or taken == "unk":
            return
        if taken != "n":
            ctx.keep("taken", taken)
            return
        if "status" in into:
            ctx.keep("status", into["status"])
        into["status"] = "not-taken"

    def write(self, model: MedicationStatement, out: dict[str, Any]) -> None:
        not_taken = model.status == "not-taken"
        if not not_taken:
            STATUS.write(model, out)
        out["taken"] = "n" if not_taken else "unk"


class _Stu3Medication(MedicationResource):
    def finish(self, into: dict[str, Any], raw: Mapping[str, Any], path: str, ctx: Reading) -> None:
        native = into.pop("repeats_native", None)
        if native is not None:
            into.setdefault("repeats_allowed", native)
        super().finish(into, raw, path, ctx)


class _RepeatsNative(Field):
    """`numberOfRepeatsAllowed`, which gives way to GP Connect's own extension and is kept as sent."""

    keys = ("numberOfRepeatsAllowed",)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw = obj["numberOfRepeatsAllowed"]
        ctx.keep(join(path, "numberOfRepeatsAllowed"), raw)
        if type(raw) is int:
            into["repeats_native"] = raw

    def write(self, model: MedicationStatement, out: dict[str, Any]) -> None:
        pass


# The profile says positiveInt, of which some systems make unsignedInt to say that none was issued yet.
_COUNT: Final = {"PositiveInt": WHOLE, "UnsignedInt": WHOLE}
_CHANGED_AND_WHERE: Final = (
    *under(urls.DOSAGE_LAST_CHANGED, "dosage_changed", {"DateTime": DATE_TIME}),
    *under(urls.PRESCRIBING_AGENCY, "agency", {"CodeableConcept": CONCEPT}),
)

MEDICATION_STATEMENT: Final = clinical(
    "MedicationStatement",
    MedicationStatement,
    _Taken(),
    Head("category", "category", CONCEPT),
    MedicationChoice(),
    Choice("effective", "effective", EFFECTIVE),
    Many("status_reason", "reasonNotTaken", CONCEPT),
    Many("reason", "reasonCode", CONCEPT),
    Many("dosage", "dosage", DOSAGE),
    encounter=CONTEXT,
    based_on=_BASED_ON,
    author=One("author", "informationSource", ACTOR),
    note=NOTES,
    recorded=One("recorded", "dateAsserted", DATE_TIME),
    extensions=[
        *under(urls.LAST_ISSUE_DATE, "last_issued", {"DateTime": DATE_TIME}),
        *_CHANGED_AND_WHERE,
        Ext("course", ext.MEDICATION_COURSE, {"CodeableConcept": CONCEPT}),
    ],
    defaults=NO_MEDICATION,
    kind=_Stu3Medication,
)
MEDICATION_REQUEST: Final = clinical(
    "MedicationRequest",
    MedicationStatement,
    STATUS,
    One("intent", "intent", TEXT, required=True),
    Head("category", "category", CONCEPT),
    MedicationChoice(),
    One("authored", "authoredOn", DATE_TIME),
    Many("reason", "reasonCode", CONCEPT),
    Many("dosage", "dosageInstruction", DOSAGE),
    Nested(
        "dispenseRequest",
        One("validity", "validityPeriod", PERIOD),
        _RepeatsNative(),
        OneExtended(
            "quantity",
            "quantity",
            QUANTITY,
            *under(urls.MEDICATION_QUANTITY_TEXT, "quantity_text", {"String": TEXT}),
        ),
        One("supply", "expectedSupplyDuration", QUANTITY),
    ),
    encounter=CONTEXT,
    based_on=_BASED_ON,
    author=Requested(recorder=True),
    note=NOTES,
    extensions=[
        *under(urls.PRESCRIPTION_TYPE, "course", {"CodeableConcept": CONCEPT}),
        *under(
            urls.MEDICATION_REPEAT_INFORMATION,
            "",
            [
                Ext("repeats_allowed", "numberOfRepeatPrescriptionsAllowed", _COUNT),
                Ext("repeats_issued", "numberOfRepeatPrescriptionsIssued", _COUNT),
                Ext("authorised_until", "authorisationExpiryDate", {"DateTime": DATE_TIME}),
            ],
        ),
        *under(
            urls.MEDICATION_STATUS_REASON,
            "",
            [
                Ext("status_reason", "statusReason", {"CodeableConcept": CONCEPT}, many=True),
                Ext("status_changed", "statusChangeDate", {"DateTime": DATE_TIME}),
            ],
        ),
        *_CHANGED_AND_WHERE,
        Ext(
            "effective",
            ext.MEDICATION_EFFECTIVE,
            {"DateTime": DATE_TIME, "Period": PERIOD},
            kinds={When: "DateTime", Period: "Period"},
        ),
        Ext("last_issued", ext.MEDICATION_LAST_ISSUED, {"DateTime": DATE_TIME}),
    ],
    defaults=NO_MEDICATION,
    kind=_Stu3Medication,
)
