"""What the locator's answers mean: its success and error codes, read from status and body together.

Source: NRL consumer and producer specifications (nrl-consumer-api at 25d6f5b, nrl-producer-api at ec0303b), tables of
`4XX` and examples; the codes and their spelling that those tables leave out: NHSDigital/NRLF, layer/nrlf/core/codes.py
and response.py. There `ACCESS DENIED` has a space, and the code system has one of several names, so that the code alone
decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from mpftconnect.adapters import Answer
from mpftconnect.errors import (
    AdapterError,
    AnswerRejected,
    NotPermitted,
    OutcomeUnknown,
    RateLimited,
    SystemFailed,
)

__all__ = ["NrlCode", "codes_of", "failure_of_answer", "resource_of", "succeeded"]


class NrlCode(StrEnum):
    """A code that the locator may answer with."""

    RESOURCE_CREATED = "RESOURCE_CREATED"
    RESOURCE_SUPERSEDED = "RESOURCE_SUPERSEDED"
    RESOURCE_UPDATED = "RESOURCE_UPDATED"
    # The specification's example says REMOVED, NRLF says DELETED.
    RESOURCE_REMOVED = "RESOURCE_REMOVED"
    RESOURCE_DELETED = "RESOURCE_DELETED"

    ACCESS_DENIED = "ACCESS_DENIED"
    ACCESS_DENIED_LEVEL = "ACCESS_DENIED_LEVEL"
    AUTHOR_CREDENTIALS_ERROR = "AUTHOR_CREDENTIALS_ERROR"
    BAD_REQUEST = "BAD_REQUEST"
    DUPLICATE_REJECTED = "DUPLICATE_REJECTED"
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"
    INVALID_CODE_SYSTEM = "INVALID_CODE_SYSTEM"
    INVALID_CODE_VALUE = "INVALID_CODE_VALUE"
    INVALID_IDENTIFIER_SYSTEM = "INVALID_IDENTIFIER_SYSTEM"
    INVALID_IDENTIFIER_VALUE = "INVALID_IDENTIFIER_VALUE"
    INVALID_NHS_NUMBER = "INVALID_NHS_NUMBER"
    INVALID_PARAMETER = "INVALID_PARAMETER"
    INVALID_RESOURCE = "INVALID_RESOURCE"
    MESSAGE_NOT_WELL_FORMED = "MESSAGE_NOT_WELL_FORMED"
    MISSING_OR_INVALID_HEADER = "MISSING_OR_INVALID_HEADER"
    NO_RECORD_FOUND = "NO_RECORD_FOUND"
    RESOURCE_NOT_FOUND = "RESOURCE_NOT_FOUND"
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    UNPROCESSABLE_ENTITY = "UNPROCESSABLE_ENTITY"
    VALIDATION_ERROR = "VALIDATION_ERROR"


_KNOWN = {str(code): code for code in NrlCode}
# A FHIRPath of element names: what an issue says of *where* can then be no value.
_PLACE = re.compile(r"[a-zA-Z]{2,30}(?:\[\d{1,2}\])?(?:\.[a-zA-Z]{2,30}(?:\[\d{1,2}\])?){0,8}", re.ASCII)


def codes_of(body: Any) -> frozenset[NrlCode]:
    """The locator's codes in an OperationOutcome; empty for anything else. Never raises, whatever the body.

    >>> sorted(codes_of({"resourceType": "OperationOutcome", "issue": [
    ...     {"details": {"coding": [{"code": "ACCESS DENIED"}]}}]}))
    [<NrlCode.ACCESS_DENIED: 'ACCESS_DENIED'>]
    >>> codes_of("Bad gateway")
    frozenset()
    """
    found = (
        _KNOWN.get(coding["code"].strip().replace(" ", "_"))
        for issue in _issues(body)
        for coding in _objects(_object(issue.get("details")).get("coding"))
        if isinstance(coding.get("code"), str)
    )
    return frozenset(code for code in found if code is not None)


def resource_of(answer: Answer) -> Mapping[str, Any]:
    """The resource that a read or a search answers with.

    Raises:
        AdapterError: There is none, and why.
    """
    try:
        body = answer.json()
    except AnswerRejected:
        if answer.ok:
            raise
        body = None
    if answer.status == 200 and isinstance(body, Mapping) and body.get("resourceType") != "OperationOutcome":
        return body
    raise failure_of_answer(answer, body)


def succeeded(answer: Answer, *codes: NrlCode) -> bool:
    """Whether a write was done, by its answer: True, or False where the locator plainly refused it.

    Raises:
        OutcomeUnknown: The answer leaves open whether it was done.
    """
    try:
        body = answer.json()
    except AnswerRejected:
        body = None
    if answer.ok:
        if codes_of(body) & set(codes):
            return True
        raise OutcomeUnknown(
            f"status {answer.status} without a word that it was done: check before sending it again",
            system=answer.system,
        )
    if answer.status >= 500:
        # Whatever failed may have failed after the work: nothing says that nothing was done.
        raise OutcomeUnknown(f"status {answer.status}: check before sending it again", system=answer.system)
    return False


def failure_of_answer(answer: Answer, body: Any) -> AdapterError:
    """What an answer that is no success stands for. Only codes and places that we know are repeated."""
    known = ", ".join(sorted(codes_of(body))) or "no known code"
    places = (where for issue in _issues(body) for where in _list(issue.get("expression")))
    place = next((where for where in places if isinstance(where, str) and _PLACE.fullmatch(where)), None)
    return _kind(answer.status)(f"status {answer.status}, {known}", system=answer.system, place=place)


def _kind(status: int) -> type[AdapterError]:
    if status in (401, 403):
        return NotPermitted
    if status == 429:
        return RateLimited
    return SystemFailed if status >= 500 else AnswerRejected


def _issues(body: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(body, Mapping) and body.get("resourceType") == "OperationOutcome":
        yield from _objects(body.get("issue"))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    yield from (item for item in _list(value) if isinstance(item, Mapping))
