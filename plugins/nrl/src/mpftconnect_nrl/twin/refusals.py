"""The answers in which the locator says yes or no without a resource, with the status and words that it uses.

Source: NRL producer and consumer specifications, tables of `4XX` and their examples; NHSDigital/NRLF,
layer/nrlf/core/codes.py and response.py, for displays and issue types, which the tables leave out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mpftconnect.adapters import TwinResponse, json_response
from mpftconnect_nrl.line import MEDIA_TYPE
from mpftconnect_nrl.outcomes import NrlCode

__all__ = ["TABLE", "Refused", "answer", "success"]

_ERRORS = "https://fhir.nhs.uk/CodeSystem/Spine-ErrorOrWarningCode"
_SUCCESSES = "https://fhir.nhs.uk/CodeSystem/NRLF-ResponseCode"


@dataclass(frozen=True, slots=True)
class _Row:
    status: int
    issue: str
    display: str
    # As it is spelt in answers, where that differs from the code's name here.
    spelt: str | None = None


TABLE: Mapping[NrlCode, _Row] = {
    NrlCode.ACCESS_DENIED: _Row(
        403, "forbidden", "Access has been denied to process this request", spelt="ACCESS DENIED"
    ),
    NrlCode.AUTHOR_CREDENTIALS_ERROR: _Row(403, "forbidden", "Author credentials error"),
    NrlCode.BAD_REQUEST: _Row(400, "invalid", "Bad request"),
    NrlCode.INTERNAL_SERVER_ERROR: _Row(500, "exception", "Unexpected internal server error"),
    NrlCode.INVALID_CODE_SYSTEM: _Row(400, "code-invalid", "Invalid code system"),
    NrlCode.INVALID_CODE_VALUE: _Row(400, "value", "Invalid code value"),
    NrlCode.INVALID_IDENTIFIER_SYSTEM: _Row(400, "invalid", "Invalid identifier system"),
    NrlCode.INVALID_IDENTIFIER_VALUE: _Row(400, "invalid", "Invalid identifier value"),
    NrlCode.INVALID_NHS_NUMBER: _Row(400, "invalid", "Invalid NHS number"),
    NrlCode.INVALID_PARAMETER: _Row(400, "invalid", "Invalid parameter"),
    NrlCode.INVALID_RESOURCE: _Row(400, "invalid", "Invalid validation of resource"),
    NrlCode.MESSAGE_NOT_WELL_FORMED: _Row(400, "invalid", "Message not well formed"),
    NrlCode.MISSING_OR_INVALID_HEADER: _Row(400, "invalid", "There is a required header missing or invalid"),
    NrlCode.NO_RECORD_FOUND: _Row(404, "not-found", "No record found"),
    NrlCode.TOO_MANY_REQUESTS: _Row(429, "throttled", "Too many requests"),
}


class Refused(Exception):
    """Ends the handling of a request with one of the answers of the table.

    Args:
        diagnostics: As the locator words it. It repeats the caller's values, as the real one does.
        place: Which field.
        status: In place of the table's, where one code comes under several statuses.
    """

    def __init__(self, code: NrlCode, diagnostics: str, *, place: str | None = None, status: int | None = None) -> None:
        super().__init__(code)
        self.code, self.diagnostics, self.place, self.status = code, diagnostics, place, status

    def response(self) -> TwinResponse:
        row = TABLE[self.code]
        coding = {"system": _ERRORS, "version": "1", "code": row.spelt or str(self.code), "display": row.display}
        issue: dict[str, Any] = {
            "severity": "error",
            "code": row.issue,
            "details": {"coding": [coding]},
            "diagnostics": self.diagnostics,
        }
        if self.place:
            issue["expression"] = [self.place]
        return answer({"resourceType": "OperationOutcome", "issue": [issue]}, self.status or row.status)


def success(
    code: NrlCode, display: str, diagnostics: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> TwinResponse:
    """A write that was done."""
    coding = {"system": _SUCCESSES, "code": str(code), "display": display}
    issue = {
        "severity": "information",
        "code": "informational",
        "details": {"coding": [coding]},
        "diagnostics": diagnostics,
    }
    return answer({"resourceType": "OperationOutcome", "issue": [issue]}, status, headers)


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> TwinResponse:
    return json_response(body, status, headers, content_type=MEDIA_TYPE)
