"""What the locator lets nobody publish: the shape of a pointer, field by field, and the rules beside the shape.

Source: NRL producer specification (nrl-producer-api at ec0303b, producer.yaml), schemas below
`components/schemas/DocumentReference` and the text of `POST /DocumentReference`; which code each failure gets, and that
fields beyond the schema are refused ("The resource contains extra fields"): NHSDigital/NRLF,
layer/nrlf/core/validators.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mpftconnect.errors import NotAnNhsNumber
from mpftconnect.model import NHS_NUMBER_SYSTEM, ODS_ORGANIZATION_SYSTEM, SNOMED, nhs_number
from mpftconnect_nrl.following import ASID_SYSTEM
from mpftconnect_nrl.outcomes import NrlCode
from mpftconnect_nrl.pointer_types import CATEGORIES, TYPES
from mpftconnect_nrl.twin.refusals import Refused

__all__ = ["check_pointer"]

_ENGLAND = "https://fhir.nhs.uk/England"
_STABILITY = f"{_ENGLAND}/StructureDefinition/Extension-England-ContentStability"
_MECHANISM = f"{_ENGLAND}/StructureDefinition/Extension-England-NRLRetrievalMechanism"
# Extension: the code system of its value, and which code has which display.
_EXTENSIONS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    _STABILITY: (
        f"{_ENGLAND}/CodeSystem/England-NRLContentStability",
        {"static": "Static", "dynamic": "Dynamic"},
    ),
    _MECHANISM: (
        f"{_ENGLAND}/CodeSystem/England-NRLRetrievalMechanism",
        {
            "SSP": "Spine Secure Proxy",
            "Direct": "Direct",
            "LDR": "Large Document Retrieval",
            "InContext": "Direct using In-Context",
        },
    ),
}
_FORMATS = {
    "urn:nhs-ic:record-contact": "Contact details (HTTP Unsecured)",
    "urn:nhs-ic:unstructured": "Unstructured Document",
}
_RELATIONS = frozenset({"replaces", "transforms", "signs", "appends", "incorporates", "summarizes"})
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][\w!#$&^.+-]{0,126}/[A-Za-z0-9][\w!#$&^.+-]{0,126}(;.*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Shape:
    """An object: its fields, each with the shape of what it holds (None: a string, number or boolean)."""

    fields: Mapping[str, Any]
    needed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _List:
    of: Any
    least: int = 0
    most: int | None = None


_TEXT = None
_PERIOD = _Shape(dict.fromkeys(("id", "start", "end")))
_CODING = _Shape(dict.fromkeys(("id", "system", "version", "code", "display", "userSelected")))
_FULL_CODING = _Shape(_CODING.fields, ("system", "code", "display"))
_CONCEPT = _Shape({"id": _TEXT, "coding": _List(_CODING), "text": _TEXT})
_KIND = _Shape({"id": _TEXT, "coding": _List(_FULL_CODING), "text": _TEXT}, ("coding",))
_IDENTIFIER = _Shape({**dict.fromkeys(("id", "use", "system", "value")), "type": _CONCEPT, "period": _PERIOD})
_REFERENCE = _Shape({**dict.fromkeys(("id", "reference", "type", "display")), "identifier": _IDENTIFIER})
_ORGANISATION = _Shape(
    {
        "id": _TEXT,
        "identifier": _Shape(
            {**dict.fromkeys(("id", "use", "system", "value")), "period": _PERIOD}, ("system", "value")
        ),
        "display": _TEXT,
    },
    ("identifier",),
)
_SUBJECT = _Shape(
    {"id": _TEXT, "identifier": _Shape(dict.fromkeys(("id", "use", "system", "value")), ("system", "value"))},
    ("identifier",),
)
_ATTACHMENT = _Shape(
    dict.fromkeys(("id", "contentType", "language", "data", "url", "size", "hash", "title", "creation")),
    ("contentType", "url"),
)
_CONTENT = _Shape(
    {
        "id": _TEXT,
        "attachment": _ATTACHMENT,
        "format": _FULL_CODING,
        "extension": _List(_Shape({"url": _TEXT, "valueCodeableConcept": _CONCEPT}), 1),
    },
    ("attachment", "format", "extension"),
)
_CONTEXT = _Shape(
    {
        "id": _TEXT,
        "encounter": _List(_REFERENCE),
        "event": _List(_CONCEPT),
        "period": _PERIOD,
        "facilityType": _CONCEPT,
        "practiceSetting": _KIND,
        "sourcePatientInfo": _REFERENCE,
        "related": _List(_REFERENCE),
    },
    ("practiceSetting",),
)
_META = _Shape(
    {
        **dict.fromkeys(("id", "versionId", "lastUpdated", "source")),
        "profile": _List(_TEXT),
        "security": _List(_CODING),
        "tag": _List(_CODING),
    }
)
_POINTER = _Shape(
    {
        **dict.fromkeys(
            ("resourceType", "id", "implicitRules", "language", "status", "docStatus", "date", "description")
        ),
        "meta": _META,
        "masterIdentifier": _IDENTIFIER,
        "identifier": _List(_IDENTIFIER),
        "type": _KIND,
        "category": _List(_KIND),
        "subject": _SUBJECT,
        "author": _List(_ORGANISATION, 1, 1),
        "authenticator": _REFERENCE,
        "custodian": _ORGANISATION,
        "relatesTo": _List(_Shape({"id": _TEXT, "code": _TEXT, "target": _REFERENCE}, ("code", "target"))),
        "securityLabel": _List(_CONCEPT),
        "content": _List(_CONTENT, 1),
        "context": _CONTEXT,
    },
    ("resourceType", "status", "content", "author", "custodian", "context", "category", "type", "subject"),
)


def check_pointer(resource: Any, organisation: str) -> None:
    """Refuse a pointer that breaks a rule.

    Args:
        organisation: ODS code of the caller.
    Raises:
        Refused: With the code and the place that the locator would give.
    """
    _check(resource, _POINTER, "DocumentReference")
    if resource["resourceType"] != "DocumentReference":
        raise _invalid("it is not a DocumentReference", "resourceType")
    if resource["status"] != "current":
        raise _invalid("status must be current", "status")
    if resource.get("docStatus") not in (None, "entered-in-error", "amended", "preliminary", "final"):
        raise _invalid("docStatus is not a known value", "docStatus")
    _check_people(resource, organisation)
    _check_kind(resource)
    for index, content in enumerate(resource["content"]):
        _check_content(content, f"content[{index}]")
    _check_asid(resource)
    _check_relations(resource)


def _check(value: Any, shape: Any, path: str) -> None:
    if isinstance(shape, _List):
        if not isinstance(value, list):
            raise _invalid("a list is expected", path)
        if len(value) < shape.least or (shape.most is not None and len(value) > shape.most):
            raise _invalid("the list has too few or too many entries", path)
        for index, each in enumerate(value):
            _check(each, shape.of, f"{path}[{index}]")
    elif isinstance(shape, _Shape):
        if not isinstance(value, dict):
            raise _invalid("an object is expected", path)
        missing = [name for name in shape.needed if value.get(name) in (None, "", [], {})]
        if missing:
            raise _invalid(f"The required field '{missing[0]}' is missing", f"{path}.{missing[0]}")
        if set(value) - set(shape.fields):
            raise _invalid("The resource contains extra fields", path)
        for name, each in value.items():
            _check(each, shape.fields[name], f"{path}.{name}")
    elif not isinstance(value, str | int | bool):
        raise _invalid("a simple value is expected", path)
    elif value == "":
        raise _invalid("an empty value is not allowed", path)


def _check_people(resource: Mapping[str, Any], organisation: str) -> None:
    subject, custodian = resource["subject"]["identifier"], resource["custodian"]["identifier"]
    for name, identifier, system in (
        ("custodian", custodian, ODS_ORGANIZATION_SYSTEM),
        ("subject", subject, NHS_NUMBER_SYSTEM),
        ("author[0]", resource["author"][0]["identifier"], ODS_ORGANIZATION_SYSTEM),
    ):
        if identifier["system"] != system:
            raise Refused(
                NrlCode.INVALID_IDENTIFIER_SYSTEM,
                f"Provided {name} identifier system is not the expected one (expected: '{system}')",
                place=f"{name}.identifier.system",
            )
    try:
        valid = nhs_number(str(subject["value"])) == subject["value"]
    except NotAnNhsNumber:
        valid = False
    if not valid:
        raise Refused(NrlCode.INVALID_NHS_NUMBER, "A valid NHS number is required", place="subject.identifier.value")
    if custodian["value"] != organisation:
        raise Refused(
            NrlCode.BAD_REQUEST,
            "The custodian of the provided DocumentReference does not match the ODS code of this organisation",
            place="custodian.identifier.value",
        )


def _check_kind(resource: Mapping[str, Any]) -> None:
    if len(resource["category"]) != 1 or len(resource["category"][0]["coding"]) != 1:
        raise _invalid("Category must only contain a single value", "category")
    category, codings = resource["category"][0]["coding"][0], resource["type"]["coding"]
    if len(codings) != 1:
        raise _invalid("Type must only contain a single value", "type.coding")
    for name, coding in (("category[0]", category), ("type", codings[0])):
        if coding["system"] != SNOMED:
            raise _invalid(f"{name} system must be '{SNOMED}'", f"{name}.coding[0].system")
    known = TYPES.get(str(codings[0]["code"]))
    if known is None:
        raise Refused(
            NrlCode.AUTHOR_CREDENTIALS_ERROR,
            "The type of the provided DocumentReference is not in the list of allowed types for this organisation",
            place="type.coding[0].code",
        )
    if codings[0]["display"] != known[0]:
        raise _invalid("type display does not go with its code", "type.coding[0].display")
    if category["code"] not in CATEGORIES:
        raise _invalid("Category is not a member of the value set", "category[0].coding[0].code")
    if category["display"] != CATEGORIES[category["code"]]:
        raise _invalid("category display does not go with its code", "category[0].coding[0].display")
    if category["code"] != known[1]:
        raise _invalid("The category code is not right for the type", "category[0].coding[0].code")
    setting = resource["context"]["practiceSetting"]["coding"]
    if len(setting) != 1 or setting[0]["system"] != SNOMED:
        raise _invalid("practiceSetting must be one SNOMED CT code", "context.practiceSetting.coding")


def _check_content(content: Mapping[str, Any], path: str) -> None:
    attachment, form = content["attachment"], content["format"]
    if not _MEDIA_TYPE.fullmatch(str(attachment["contentType"])):
        raise _invalid("contentType is not a media type", f"{path}.attachment.contentType")
    if not str(attachment["url"]).startswith(("https://", "http://", "ssp://")):
        raise _invalid("url is not one that can be followed", f"{path}.attachment.url")
    if form["system"] != f"{_ENGLAND}/CodeSystem/England-NRLFormatCode" or (
        _FORMATS.get(str(form["code"])) != form["display"]
    ):
        raise _invalid("format is not a known code with its display", f"{path}.format.code")
    if (form["code"] == "urn:nhs-ic:record-contact") != str(attachment["contentType"]).startswith("text/html"):
        raise _invalid("format does not go with the content type", f"{path}.format.code")
    stated = [extension.get("url") for extension in content["extension"]]
    if stated.count(_STABILITY) != 1:
        raise _invalid("one content stability extension is needed", f"{path}.extension")
    for index, extension in enumerate(content["extension"]):
        where = f"{path}.extension[{index}].valueCodeableConcept.coding"
        known = _EXTENSIONS.get(extension.get("url"))
        codings = extension.get("valueCodeableConcept", {}).get("coding", [])
        if known is None:
            raise _invalid("the extension is not known", f"{path}.extension[{index}].url")
        if len(codings) != 1:
            raise _invalid("exactly one coding is expected", where)
        if codings[0].get("system") != known[0] or known[1].get(codings[0].get("code")) != codings[0].get("display"):
            raise _invalid("the extension's code and display do not go together", where)


def _check_asid(resource: Mapping[str, Any]) -> None:
    by_proxy = any(str(content["attachment"]["url"]).startswith("ssp://") for content in resource["content"])
    related = resource["context"].get("related", [])
    asids = [
        (index, each.get("identifier", {}).get("value"))
        for index, each in enumerate(related)
        if each.get("identifier", {}).get("system") == ASID_SYSTEM
    ]
    if by_proxy and not asids:
        raise Refused(
            NrlCode.INVALID_RESOURCE,
            "Missing ASID identifier. context.related must contain a single valid ASID identifier when content "
            "contains an SSP URL",
            place="context.related",
        )
    if len(asids) > 1:
        raise _invalid("Multiple ASID identifiers provided", "context.related")
    if asids and not re.fullmatch(r"\d{12}", str(asids[0][1]), re.ASCII):
        raise Refused(
            NrlCode.INVALID_IDENTIFIER_VALUE,
            "Invalid ASID value. A single ASID consisting of 12 digits can be provided",
            place=f"context.related[{asids[0][0]}].identifier.value",
        )


def _check_relations(resource: Mapping[str, Any]) -> None:
    for index, relation in enumerate(resource.get("relatesTo", ())):
        if relation["code"] not in _RELATIONS:
            raise Refused(NrlCode.INVALID_CODE_VALUE, "Invalid relatesTo code", place=f"relatesTo[{index}].code")
        if relation["code"] == "replaces" and not relation["target"].get("identifier", {}).get("value"):
            raise Refused(
                NrlCode.INVALID_IDENTIFIER_VALUE,
                "relatesTo code 'replaces' must have a target identifier",
                place=f"relatesTo[{index}].target.identifier.value",
            )


def _invalid(diagnostics: str, place: str) -> Refused:
    return Refused(NrlCode.INVALID_RESOURCE, diagnostics, place=place.removeprefix("DocumentReference."))
