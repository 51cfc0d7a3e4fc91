"""Results, reports and specimens of FHIR STU3.

Element names and cardinalities: HL7 FHIR STU3 (3.0.2), Observation, DiagnosticReport and Specimen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mpftconnect.fhir import extensions as ext
from mpftconnect.fhir.clinical import EFFECTIVE, NO_CODE, REFERENCE_RANGE
from mpftconnect.fhir.codecs import DATE_TIME, INSTANT, TEXT
from mpftconnect.fhir.datatypes import ACTOR, ATTACHMENT, CONCEPT, IDENTIFIER, NOTE, QUANTITY, REFERENCE, VALUES
from mpftconnect.fhir.fields import Choice, Ext, Field, Head, Many, Nested, One, Skip, Struct
from mpftconnect.fhir.reading import Reading
from mpftconnect.fhir.resource import clinical
from mpftconnect.fhir.stu3.clinical import CODE, CONTEXT, NOTES, STATUS
from mpftconnect.fhir.stu3.elements import ActorInRole
from mpftconnect.model import DiagnosticReport, Observation, ObservationComponent, Specimen

__all__ = ["DIAGNOSTIC_REPORT", "OBSERVATION", "SPECIMEN"]

_SUBJECT: Final = One("subject", "subject", REFERENCE)
_BASED_ON: Final = Many("based_on", "basedOn", REFERENCE)


class _Members(Field):
    """`related` of type has-member, which R4 made `hasMember`; other relations are kept."""

    keys = ("related",)

    def read(self, obj: Mapping[str, Any], path: str, ctx: Reading, into: dict[str, Any]) -> None:
        raw = obj["related"]
        if type(raw) is not list:
            ctx.keep("related", raw)
            return
        members = []
        for index, one in enumerate(raw):
            place = f"related[{index}]"
            if type(one) is dict and one.get("type") == "has-member" and type(one.get("target")) is dict:
                members.append(REFERENCE.read(one["target"], f"{place}.target", ctx))
                for key, value in one.items():
                    if key not in ("type", "target"):
                        ctx.keep(f"{place}.{key}", value)
            else:
                ctx.keep(place, one)
        if members:
            into["members"] = tuple(members)

    def write(self, model: Observation, out: dict[str, Any]) -> None:
        if model.members:
            out["related"] = [{"type": "has-member", "target": REFERENCE.write(one)} for one in model.members]


_COMPONENT: Final = Struct(
    ObservationComponent,
    CODE,
    Choice("value", "value", VALUES),
    One("data_absent_reason", "dataAbsentReason", CONCEPT),
    Head("interpretation", "interpretation", CONCEPT),
    Many("reference_ranges", "referenceRange", REFERENCE_RANGE),
    defaults=NO_CODE,
)
OBSERVATION: Final = clinical(
    "Observation",
    Observation,
    STATUS,
    Many("category", "category", CONCEPT),
    CODE,
    Choice("effective", "effective", EFFECTIVE),
    One("issued", "issued", INSTANT),
    Many("performers", "performer", ACTOR),
    Choice("value", "value", VALUES),
    One("data_absent_reason", "dataAbsentReason", CONCEPT),
    Head("interpretation", "interpretation", CONCEPT),
    Head("note", "comment", TEXT),
    One("body_site", "bodySite", CONCEPT),
    One("method", "method", CONCEPT),
    One("specimen", "specimen", REFERENCE),
    Many("reference_ranges", "referenceRange", REFERENCE_RANGE),
    _Members(),
    Many("components", "component", _COMPONENT),
    subject=_SUBJECT,
    encounter=CONTEXT,
    based_on=_BASED_ON,
    note=Ext("note", ext.NOTE, {"Annotation": NOTE}, tail=True),
    defaults=NO_CODE,
)
DIAGNOSTIC_REPORT: Final = clinical(
    "DiagnosticReport",
    DiagnosticReport,
    STATUS,
    Head("category", "category", CONCEPT),
    CODE,
    Choice("effective", "effective", EFFECTIVE),
    One("issued", "issued", INSTANT),
    Many("performers", "performer", ActorInRole()),
    Many("specimens", "specimen", REFERENCE),
    Many("results", "result", REFERENCE),
    One("conclusion", "conclusion", TEXT),
    Many("conclusion_codes", "codedDiagnosis", CONCEPT),
    Many("attachments", "presentedForm", ATTACHMENT),
    subject=_SUBJECT,
    encounter=CONTEXT,
    based_on=_BASED_ON,
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
    subject=_SUBJECT,
    based_on=Many("based_on", "request", REFERENCE),
    author=Skip(),
    note=NOTES,
)
