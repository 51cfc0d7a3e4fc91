"""The errors of a practice's system and of the Spine Secure Proxy, as they are published.

Source: GP Connect API 1.5, "Error handling": HTTP code, issue type, Spine error code and display of each; Spine
Secure Proxy errors, whose codes are their statuses.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from mpftconnect.adapters import TwinResponse, json_response

__all__ = ["ERRORS", "PROXY_ERRORS", "ProxyRefused", "Refused", "error_response", "proxy_response"]

# By Spine error code: HTTP status, issue type, display.
ERRORS: Mapping[str, tuple[int, str, str]] = {
    "INVALID_IDENTIFIER_SYSTEM": (400, "value", "Invalid identifier system"),
    "INVALID_IDENTIFIER_VALUE": (400, "value", "Invalid identifier value"),
    "INVALID_NHS_NUMBER": (400, "value", "Invalid NHS number"),
    "INVALID_PATIENT_DEMOGRAPHICS": (400, "business-rule", "Invalid patient demographics"),
    "ORGANISATION_NOT_FOUND": (404, "not-found", "Organisation record not found"),
    "PATIENT_NOT_FOUND": (404, "not-found", "Patient record not found"),
    "PRACTITIONER_NOT_FOUND": (404, "not-found", "Practitioner record not found"),
    "NO_RECORD_FOUND": (404, "not-found", "No record found"),
    "NO_PATIENT_CONSENT": (403, "forbidden", "Patient has not provided consent to share data"),
    "NO_ORGANISATION_CONSENT": (403, "forbidden", "Organisation has not provided consent to share data"),
    "ACCESS_DENIED": (403, "forbidden", "Access denied"),
    "DUPLICATE_REJECTED": (409, "duplicate", "Create would lead to creation of a duplicate resource"),
    "INVALID_RESOURCE": (422, "invalid", "Submitted resource is not valid."),
    "INVALID_PARAMETER": (422, "invalid", "Submitted parameter is not valid."),
    "REFERENCE_NOT_FOUND": (422, "invalid", "Referenced resource not found."),
    "BAD_REQUEST": (400, "invalid", "Submitted request is malformed/invalid."),
    "NOT_IMPLEMENTED": (501, "not-supported", "FHIR resource or operation not implemented at server"),
    "INTERNAL_SERVER_ERROR": (500, "processing", "Unexpected internal server error."),
}
# By status: issue type, and what the proxy writes.
PROXY_ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("invalid", "ENDPOINT_VARIES_FROM_TARGETURL"),
    403: ("forbidden", "ASID_CHECK_FAILED_MESSAGESENDER"),
    405: ("not-supported", "Method_Not_Allowed"),
    415: ("not-supported", "Unsupported_Media_Type"),
    502: ("transient", "ERROR_COMMUNICATING_TO_ENDPOINT_URL"),
    504: ("transient", "ENDPOINT_TIMED_OUT"),
}
_CODE_SYSTEM = "https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1"
_PROXY_CODE_SYSTEM = "http://fhir.nhs.net/ValueSet/gpconnect-schedule-response-code-1-0"
_PROFILE = "https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-OperationOutcome-1"
_NO_STORE = {"Cache-Control": "no-store"}


class Refused(Exception):
    """A practice's system answers with an error.

    Args:
        code: Spine error code.
        diagnostics: Further words.
    """

    def __init__(self, code: str, diagnostics: str = "") -> None:
        super().__init__(code)
        self.code, self.diagnostics = code, diagnostics

    def response(self) -> TwinResponse:
        return error_response(self.code, self.diagnostics)


class ProxyRefused(Exception):
    """The proxy answers in place of the practice's system."""

    def __init__(self, status: int, diagnostics: str | None = None) -> None:
        super().__init__(str(status))
        self.status, self.diagnostics = status, diagnostics

    def response(self) -> TwinResponse:
        return proxy_response(self.status, self.diagnostics)


def error_response(code: str, diagnostics: str = "", status: int | None = None) -> TwinResponse:
    """The error as it is published; another `status` for what a careless system might answer."""
    usual, issue_type, display = ERRORS[code]
    coding = {"system": _CODE_SYSTEM, "code": code, "display": display}
    issue = {"severity": "error", "code": issue_type, "details": {"coding": [coding], "text": display}}
    if diagnostics:
        issue["diagnostics"] = diagnostics
    body = {"resourceType": "OperationOutcome", "meta": {"profile": [_PROFILE]}, "issue": [issue]}
    return json_response(body, usual if status is None else status, _NO_STORE)


def proxy_response(status: int, diagnostics: str | None = None) -> TwinResponse:
    issue_type, words = PROXY_ERRORS[status]
    said = diagnostics or words
    coding = {"system": _PROXY_CODE_SYSTEM, "code": str(status), "display": said}
    issue = {"severity": "error", "code": issue_type, "details": {"coding": [coding]}, "diagnostics": said}
    return json_response({"resourceType": "OperationOutcome", "id": str(uuid.uuid4()), "issue": [issue]}, status)
