"""The answers in which PDS says no, with the status, issue type and words that it uses.

Status and code: PDS FHIR API specification, components/paths/*.yaml, table of `4XX`. Issue type, severity and
display, which the tables leave out: the published stubs and proxy policies of the repository
NHSDigital/personal-demographics-service-api (karate-tests/.../errorResponses, proxies/live/apiproxy/policies).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mpftconnect.adapters import TwinResponse, json_response
from mpftconnect_pds.outcomes import PdsCode

__all__ = ["TABLE", "Refused"]

_SYSTEM = "https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode"


@dataclass(frozen=True, slots=True)
class _Row:
    status: int
    issue: str
    display: str
    severity: str = "error"


TABLE: Mapping[PdsCode, _Row] = {
    PdsCode.ACCESS_DENIED: _Row(401, "forbidden", "Access Denied - Unauthorised"),
    PdsCode.ADDITIONAL_PROPERTIES: _Row(400, "invariant", "Additional properties should not be included"),
    PdsCode.FORBIDDEN_UPDATE: _Row(403, "forbidden", "Update is forbidden", "information"),
    PdsCode.INVALIDATED_RESOURCE: _Row(
        404,
        "processing",
        "Resource that has been marked as invalid was requested - invalid resources cannot be retrieved",
    ),
    PdsCode.INVALID_METHOD: _Row(403, "forbidden", "Cannot update resource with Application-Restricted access token"),
    PdsCode.INVALID_RESOURCE_ID: _Row(400, "value", "Resource Id is invalid"),
    PdsCode.INVALID_SEARCH_DATA: _Row(400, "value", "Search data is invalid"),
    PdsCode.INVALID_UPDATE: _Row(400, "structure", "Update is invalid"),
    PdsCode.INVALID_VALUE: _Row(400, "value", "Provided value is invalid"),
    PdsCode.MISSING_VALUE: _Row(400, "required", "Required value is missing"),
    PdsCode.PRECONDITION_FAILED: _Row(412, "structure", "Required condition was not fulfilled"),
    PdsCode.RESOURCE_NOT_FOUND: _Row(404, "not-found", "Resource not found", "information"),
    PdsCode.RESOURCE_VERSION_MISMATCH: _Row(409, "conflict", "Resource version supplied does not match actual version"),
    PdsCode.SERVICE_UNAVAILABLE: _Row(503, "timeout", "Service unavailable"),
    PdsCode.TOO_MANY_MATCHES: _Row(200, "multiple-matches", "Too Many Matches", "information"),
    PdsCode.TOO_MANY_REQUESTS: _Row(429, "value", "Too many requests"),
    PdsCode.UNABLE_TO_CALL_SERVICE: _Row(408, "timeout", "Unable to call Service"),
    PdsCode.UNSUPPORTED_SERVICE: _Row(400, "processing", "Unsupported Service"),
}


class Refused(Exception):
    """Ends the handling of a request with one of the answers of the table.

    Args:
        code: Which answer.
        diagnostics: As PDS words it. It repeats the caller's values, as the real one does.
        status: In place of the table's, where one code comes under several statuses.
        headers: Such as `Retry-After`.
    """

    def __init__(
        self,
        code: PdsCode,
        diagnostics: str | None = None,
        *,
        status: int | None = None,
        display: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code, self.diagnostics, self.status, self.display = code, diagnostics, status, display
        self.headers = dict(headers or {})

    def response(self) -> TwinResponse:
        row = TABLE[self.code]
        coding = {"system": _SYSTEM, "version": "1", "code": self.code, "display": self.display or row.display}
        issue = {"severity": row.severity, "code": row.issue, "details": {"coding": [coding]}}
        if self.diagnostics is not None:
            issue["diagnostics"] = self.diagnostics
        return json_response(
            {"resourceType": "OperationOutcome", "issue": [issue]}, self.status or row.status, self.headers
        )
