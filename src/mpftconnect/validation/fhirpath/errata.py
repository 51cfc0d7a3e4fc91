"""Constraints that FHIR published with a mistake, as a later publication mends them.

An invariant whose text cannot mean what its words say would be a false alarm, or would pass what it should not. Each
line gives where the right text stands, or the rule of FHIRPath that the text overlooks. Nothing else is changed.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ERRATA", "Erratum", "corrected"]

_REF_1 = "reference.startsWith('#').not() or (reference.substring(1).trace('url') in {}.contained.id.trace('ids'))"
_NAME = "name.matches('[A-Z]([A-Za-z0-9_]){0,254}')"
_PART = r"""[^\\s\\.,:;\\\'"\\/|?!@#$%&*()\\[\\]{}]{1,64}"""
_EMPTY = "an absent element makes it empty, which is not true"
_ANCHORS = "matches() finds a part (FHIRPath 2.0.0 as the official suite reads it); the whole is meant"


class Erratum(NamedTuple):
    """One published text: the versions and the key under which it stands, the text that is meant, and why."""

    versions: tuple[str, ...]
    key: str
    published: str
    meant: str
    reason: str


ERRATA = (
    Erratum(
        ("3.0",),
        "ele-1",
        "hasValue() | (children().count() > id.count())",
        "hasValue() or (children().count() > id.count())",
        "a union of two booleans is no boolean (N1, 4.5); FHIR R4 (4.0.1), Element, ele-1",
    ),
    Erratum(
        ("4.0",),
        "ref-1",
        _REF_1.format("%rootResource"),
        f"reference.exists() implies (reference = '#' or ({_REF_1.format('%rootResource')}))",
        f"{_EMPTY}; FHIR R5 (5.0.0), Reference, ref-1",
    ),
    Erratum(
        ("3.0",),
        "ref-1",
        _REF_1.format("%resource"),
        f"reference.exists() implies (reference = '#' or ({_REF_1.format('%rootResource')}))",
        f"{_EMPTY}; a contained resource may refer to its container's others; FHIR R5 (5.0.0), Reference, ref-1",
    ),
    Erratum(
        ("3.0", "4.0"),
        "bdl-8",
        "fullUrl.contains('/_history/').not()",
        "fullUrl.exists() implies fullUrl.contains('/_history/').not()",
        f"{_EMPTY}; HL7 Jira FHIR-25525; FHIR R5 (5.0.0), Bundle, bdl-8",
    ),
    Erratum(
        ("4.0",),
        "csd-0, sdf-0, vsd-0 and others",
        _NAME,
        "name.exists() implies name.matches('^[A-Z]([A-Za-z0-9_]){0,254}$')",
        f"{_EMPTY}; {_ANCHORS}; FHIR R5 (5.0.0), CanonicalResource, cnl-0",
    ),
    Erratum(
        ("4.0",),
        "eld-19",
        rf"path.matches('{_PART}(\\.{_PART}(\\[x\\])?(\\:[^\\s\\.]+)?)*')",
        rf"path.matches('^{_PART}(\\.{_PART}(\\[x\\])?(\\:[^\\s\\.]+)?)*$')",
        f"{_ANCHORS}; FHIR R5 (5.0.0), ElementDefinition, eld-19",
    ),
    Erratum(
        ("4.0",),
        "eld-20",
        r"path.matches('[A-Za-z][A-Za-z0-9]*(\\.[a-z][A-Za-z0-9]*(\\[x])?)*')",
        r"path.matches('^[A-Za-z][A-Za-z0-9]*(\\.[a-z][A-Za-z0-9]*(\\[x])?)*$')",
        f"{_ANCHORS}; FHIR R5 (5.0.0), ElementDefinition, eld-20",
    ),
    Erratum(
        ("4.0",),
        "que-7",
        "operator = 'exists' implies (answer is Boolean)",
        "operator = 'exists' implies (answer is boolean)",
        "Boolean is System's type and no FHIR element has it; FHIR R5 (5.0.0), Questionnaire, que-7",
    ),
    Erratum(
        ("4.0",),
        "que-12",
        "enableWhen.count() > 2 implies enableBehavior.exists()",
        "enableWhen.count() >= 2 implies enableBehavior.exists()",
        "its words say more than one; FHIR R5 (5.0.0), Questionnaire, que-12",
    ),
    Erratum(
        ("4.0",),
        "ras-2",
        "probability is decimal implies (probability as decimal) <= 100",
        "probability.exists() implies (probability is decimal implies (probability as decimal) <= 100)",
        f"{_EMPTY}; HL7 Jira FHIR-25796",
    ),
    Erratum(
        ("3.0",),
        "ras-2",
        "probability is decimal implies probability.as(decimal) <= 100",
        "probability.exists() implies (probability is decimal implies probability.as(decimal) <= 100)",
        f"{_EMPTY}; HL7 Jira FHIR-25796",
    ),
    Erratum(
        ("4.0",),
        "pd-1 (US Core 3.1.1)",
        "telecom or endpoint",
        "telecom.exists() or endpoint.exists()",
        "several items are no boolean (N1, 4.5); US Core 4.0.0, PractitionerRole, pd-1",
    ),
    Erratum(
        ("3.0",),
        "obs-7",
        "value.empty() or code!=component.code",
        "value.empty() or component.code.where(coding.intersect(%resource.code.coding).exists()).empty()",
        f"{_EMPTY}; FHIR R4 (4.0.1), Observation, obs-7",
    ),
    Erratum(
        ("3.0",),
        "opd-2",
        "searchType implies type = 'string'",
        "searchType.exists() implies type = 'string'",
        f"{_EMPTY}; FHIR R4 (4.0.1), OperationDefinition, opd-2",
    ),
    Erratum(
        ("3.0",),
        "eld-12",
        "valueSet.is(uri).not() or valueSet.as(uri).startsWith('http:') or valueSet.as(uri).startsWith('https') or "
        "valueSet.as(uri).startsWith('urn:')",
        "valueSet.exists() implies (valueSet.is(uri).not() or valueSet.as(uri).startsWith('http:') or "
        "valueSet.as(uri).startsWith('https') or valueSet.as(uri).startsWith('urn:'))",
        f"{_EMPTY}; FHIR R4 (4.0.1), ElementDefinition, eld-12",
    ),
    Erratum(
        ("3.0",),
        "nsd-1",
        "kind != 'root' or uniqueId.type = 'uuid'",
        "kind != 'root' or uniqueId.all(type != 'uuid')",
        "it demands what its words forbid; FHIR R4 (4.0.1), NamingSystem, nsd-1",
    ),
    Erratum(
        ("3.0",),
        "csd-1",
        "(concept.code | descendants().concept.code).isDistinct()",
        "concept.code.combine($this.descendants().concept.code).isDistinct()",
        "a union is always distinct; FHIR R4 (4.0.1), CodeSystem, csd-1",
    ),
    Erratum(
        ("3.0",),
        "sdf-8",
        "(%resource.kind = #39;.logical#39;. or element.first().path = %resource.type) and "
        "element.tail().all(path.startsWith(%resource.snapshot.element.first().path&'.'))",
        "(%resource.kind = 'logical' or element.first().path = %resource.type) and "
        "element.tail().all(path.startsWith(%resource.snapshot.element.first().path&'.'))",
        "quotes garbled by escaping in one copy of the package; FHIR R4 (4.0.1), StructureDefinition, sdf-8",
    ),
)
_BY_TEXT = {(version, each.published): each.meant for each in ERRATA for version in each.versions}


def corrected(expression: str, version: str) -> str:
    """The expression as it was meant."""
    return _BY_TEXT.get((version, expression), expression)
