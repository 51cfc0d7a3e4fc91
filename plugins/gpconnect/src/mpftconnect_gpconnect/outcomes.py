"""What an error of GP Connect, or of the proxy before it, means: by table, in our words.

Source: GP Connect API 1.5, "Error handling": identity, security, duplicate, resource validation, malformed request,
internal server and Spine Secure Proxy errors (HTTP code, issue type, Spine error code). Nothing that an error answer
says is repeated or kept but a code of this table: its diagnostics hold whatever a system wrote there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mpftconnect.adapters import Answer
from mpftconnect.errors import AdapterError, AnswerRejected, NotPermitted, NotShown, RateLimited, SystemFailed

__all__ = ["CODES", "NOT_SHOWN", "PROXY", "Meaning", "failure", "judged"]

# "PATIENT_NOT_FOUND" is what a practice answers for sensitive, deceased, inactive, temporary and unverified people
# alike ("Retrieve a patient's structured record", Error handling), so it never means "no such person".
NOT_SHOWN = "the GP practice's system does not show this person"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an error becomes.

    Args:
        status: The HTTP status that the specification gives it.
        issue: The issue type that it gives it.
        kind: Which error it is here.
        words: In our words.
    """

    status: int
    issue: str
    kind: type[AdapterError]
    words: str


_REFUSED = "the practice's system does not accept the request"

CODES: Mapping[str, Meaning] = {
    "INVALID_IDENTIFIER_SYSTEM": Meaning(400, "value", AnswerRejected, f"{_REFUSED}: identifier system"),
    "INVALID_IDENTIFIER_VALUE": Meaning(400, "value", AnswerRejected, f"{_REFUSED}: identifier"),
    "INVALID_NHS_NUMBER": Meaning(400, "value", AnswerRejected, f"{_REFUSED}: NHS number"),
    "INVALID_PATIENT_DEMOGRAPHICS": Meaning(
        400, "business-rule", NotShown, "the practice's system could not confirm the person's demographics"
    ),
    "PATIENT_NOT_FOUND": Meaning(404, "not-found", NotShown, NOT_SHOWN),
    "ORGANISATION_NOT_FOUND": Meaning(404, "not-found", AnswerRejected, f"{_REFUSED}: organisation"),
    "PRACTITIONER_NOT_FOUND": Meaning(404, "not-found", AnswerRejected, f"{_REFUSED}: practitioner"),
    "NO_RECORD_FOUND": Meaning(404, "not-found", NotShown, "the practice's system does not show what was asked for"),
    "NO_PATIENT_CONSENT": Meaning(403, "forbidden", NotShown, "not shared by the source"),
    "NO_ORGANISATION_CONSENT": Meaning(
        403, "forbidden", NotPermitted, "the practice does not share with the user's organisation"
    ),
    "ACCESS_DENIED": Meaning(
        403, "forbidden", NotPermitted, "access denied: GP Connect may not be enabled at the practice for this"
    ),
    "DUPLICATE_REJECTED": Meaning(409, "duplicate", AnswerRejected, f"{_REFUSED}: taken for a duplicate"),
    "INVALID_RESOURCE": Meaning(422, "invalid", AnswerRejected, f"{_REFUSED}: resource"),
    "INVALID_PARAMETER": Meaning(422, "invalid", AnswerRejected, f"{_REFUSED}: parameter"),
    "REFERENCE_NOT_FOUND": Meaning(422, "invalid", AnswerRejected, f"{_REFUSED}: reference"),
    "BAD_REQUEST": Meaning(400, "invalid", AnswerRejected, f"{_REFUSED}: malformed, or its token or headers"),
    "NOT_IMPLEMENTED": Meaning(501, "not-supported", SystemFailed, "the practice's system does not offer this"),
    "INTERNAL_SERVER_ERROR": Meaning(500, "processing", SystemFailed, "the practice's system failed"),
}
# The specification's tables also write it with a space.
_ALSO_WRITTEN = {"ACCESS DENIED": "ACCESS_DENIED"}

# Errors of the proxy carry their status as code, in a code system of their own.
PROXY: Mapping[int, Meaning] = {
    400: Meaning(400, "invalid", AnswerRejected, "the Spine proxy refuses: the address is not the registered one"),
    403: Meaning(403, "forbidden", NotPermitted, "the Spine proxy refuses: this system may not ask that one for this"),
    405: Meaning(405, "not-supported", AnswerRejected, "the Spine proxy refuses the method"),
    415: Meaning(415, "not-supported", AnswerRejected, "the Spine proxy refuses the media type"),
    502: Meaning(502, "transient", SystemFailed, "the Spine proxy cannot reach the practice's system"),
    504: Meaning(504, "transient", SystemFailed, "the practice's system did not answer the Spine proxy in time"),
}
# By the last part of its URI: published answers say `ValueSet` and `CodeSystem`; the second is its former name.
_CODE_SYSTEMS = frozenset({"Spine-ErrorOrWarningCode-1", "gpconnect-error-or-warning-code-1"})
_PROXY_SYSTEMS = frozenset({"gpconnect-schedule-response-code-1-0"})


def judged(answer: Answer) -> Mapping[str, Any]:
    """The resource that an answer holds.

    Raises:
        AdapterError: It is an error, under whatever status, or no FHIR resource. Codes say more than the status.
    """
    try:
        body = answer.json()
    except AnswerRejected:
        if answer.status == 200:
            raise
        body = None
    is_resource = isinstance(body, Mapping) and isinstance(body.get("resourceType"), str)
    if answer.status == 200 and is_resource and body["resourceType"] != "OperationOutcome":
        resource: Mapping[str, Any] = body
        return resource
    raise failure(answer.status, body, answer.system)


def failure(status: int, body: Any, system: str | None) -> AdapterError:
    """The error that an answer stands for. Never raises, whatever the body."""
    codes = frozenset(_codes(body, _CODE_SYSTEMS))
    if len(codes) == 1:
        (code,) = codes
        known = CODES.get(_ALSO_WRITTEN.get(code, code))
        if known is not None:
            return known.kind(known.words, system=system)
    if not codes and status in PROXY and str(status) in _codes(body, _PROXY_SYSTEMS):
        known = PROXY[status]
        return known.kind(known.words, system=system)
    # Unknown codes stay unsaid: what a stranger writes there may be a value.
    if status == 200:
        what = "an error in place of an answer" if codes or _is_outcome(body) else "is not a FHIR resource"
    else:
        what = "with an error that is not known here" if codes else "without a known error"
        what = f"status {status}, {what}"
    return _kind_of(status)(what, system=system)


def _kind_of(status: int) -> type[AdapterError]:
    if status in (401, 403):
        return NotPermitted
    if status == 429:
        return RateLimited
    return SystemFailed if status >= 500 else AnswerRejected


def _is_outcome(body: Any) -> bool:
    return isinstance(body, Mapping) and body.get("resourceType") == "OperationOutcome"


def _codes(body: Any, systems: frozenset[str]) -> Iterator[str]:
    if not _is_outcome(body):
        return
    for issue in _objects(body.get("issue")):
        details = issue.get("details")
        for coding in _objects(details.get("coding") if isinstance(details, Mapping) else None):
            code, system = coding.get("code"), coding.get("system")
            if isinstance(code, str) and isinstance(system, str) and system.rpartition("/")[2] in systems:
                yield code


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, Mapping))
