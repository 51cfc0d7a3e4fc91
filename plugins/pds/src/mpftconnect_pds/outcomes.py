"""The error codes of the PDS FHIR API, and how to find them in an OperationOutcome.

Source: PDS FHIR API specification, the tables of `4XX` and `200` answers in components/paths/patient-get.yaml,
patient-search.yaml, patient-patch.yaml and relatedpersons-get.yaml. The code, not the HTTP status, says what
happened: TOO_MANY_MATCHES arrives under 200, and both RESOURCE_NOT_FOUND and INVALIDATED_RESOURCE under 404.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

__all__ = ["PdsCode", "codes_of"]


class PdsCode(StrEnum):
    """A code of the code system Spine-ErrorOrWarningCode that the PDS FHIR API may answer with."""

    ACCESS_DENIED = "ACCESS_DENIED"
    ADDITIONAL_PROPERTIES = "ADDITIONAL_PROPERTIES"
    FORBIDDEN_UPDATE = "FORBIDDEN_UPDATE"
    INVALIDATED_RESOURCE = "INVALIDATED_RESOURCE"
    INVALID_METHOD = "INVALID_METHOD"
    INVALID_RESOURCE_ID = "INVALID_RESOURCE_ID"
    INVALID_SEARCH_DATA = "INVALID_SEARCH_DATA"
    INVALID_UPDATE = "INVALID_UPDATE"
    INVALID_VALUE = "INVALID_VALUE"
    MISSING_VALUE = "MISSING_VALUE"
    PRECONDITION_FAILED = "PRECONDITION_FAILED"
    RESOURCE_NOT_FOUND = "RESOURCE_NOT_FOUND"
    RESOURCE_VERSION_MISMATCH = "RESOURCE_VERSION_MISMATCH"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    TOO_MANY_MATCHES = "TOO_MANY_MATCHES"
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    UNABLE_TO_CALL_SERVICE = "UNABLE_TO_CALL_SERVICE"
    UNSUPPORTED_SERVICE = "UNSUPPORTED_SERVICE"


# The specification writes https://fhir.nhs.uk/R4/CodeSystem/..., the published stubs of its tests also
# https://fhir.hl7.org.uk/CodeSystem/...; the name of the code system is the same.
_CODE_SYSTEM_NAME = "Spine-ErrorOrWarningCode"


def codes_of(body: Any) -> frozenset[PdsCode]:
    """The PDS codes in an OperationOutcome; empty for anything else. Never raises, whatever the body.

    >>> codes_of({"resourceType": "OperationOutcome", "issue": [{"details": {"coding": [
    ...     {"system": "https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode", "code": "TOO_MANY_MATCHES"}]}}]})
    frozenset({<PdsCode.TOO_MANY_MATCHES: 'TOO_MANY_MATCHES'>})
    >>> codes_of("Bad gateway")
    frozenset()
    """
    if not isinstance(body, Mapping) or body.get("resourceType") != "OperationOutcome":
        return frozenset()
    known = {str(code): code for code in PdsCode}
    found = (
        known.get(coding["code"])
        for issue in _objects(body.get("issue"))
        for coding in _objects(_object(issue.get("details")).get("coding"))
        if isinstance(coding.get("code"), str) and str(coding.get("system", "")).endswith(f"/{_CODE_SYSTEM_NAME}")
    )
    return frozenset(code for code in found if code is not None)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, Mapping))
