"""A FHIR R4 terminology service, asked about codes that nothing on this machine can judge.

FHIR R4 "Terminology Service": CodeSystem/$validate-code and ValueSet/$validate-code, one by one or as a Bundle of
type `batch` (FHIR R4 "RESTful API", 3.1.0.11). It is sent a code, its system, a value set's address and a version: no
display (it may be free text that somebody typed) and nothing else of a resource. Certificates are checked, redirects
are not followed, and nothing is taken from the environment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import requests

from mpftconnect.adapters.deadline import Deadline
from mpftconnect.adapters.endpoint import Endpoint, is_cleartext
from mpftconnect.adapters.http_attempt import Attempt, WatchedTransport
from mpftconnect.errors import AnswerRejected, NotPermitted, RateLimited, SystemFailed, UsageError
from mpftconnect.validation import Asked, Question

__all__ = ["FhirTerminologyService"]

_MOST_IN_A_BATCH = 100
# What a server that has no batch answers (FHIR R4 3.1.0.11: support is optional).
_NO_BATCH = {400, 404, 405, 415, 422, 501}
# FHIR R4 IssueType: the server says that it cannot say, rather than that the code is wrong.
_CANNOT_SAY = {
    "not-found", "not-supported", "too-costly", "exception", "timeout", "transient", "incomplete", "throttled",
    "lock-error", "no-store", "security", "login", "forbidden", "expired", "processing", "deleted", "unknown",
}  # fmt: skip
_UNKNOWN = re.compile(
    r"(unknown|unsupported|missing)\s+(code\s?system|value\s?set)"
    r"|(code\s?system|value\s?set)\b.{0,300}\b(unknown|not\s+known|not\s+found|could\s+not\s+be\s+found|cannot\s+be\s+found"
    r"|not\s+supported|not\s+available|can.?t\s+be\s+validated)",
    re.IGNORECASE | re.DOTALL,
)


class FhirTerminologyService:
    """Asks a FHIR R4 server `$validate-code`; to be given to `Validator(terminology_service=...)`. Thread-safe.

    Args:
        where: Base address, or an `Endpoint` with limits, proxy and certificates. Its `deadline_seconds` is for all
            that one validation asks at a time, however slowly bytes come.
        token: Bearer token, or what gives one.
    Raises:
        UsageError: The address is not https (http only on this machine).
    """

    def __init__(self, where: str | Endpoint, *, token: str | Callable[[], str] | None = None) -> None:
        endpoint = where if isinstance(where, Endpoint) else Endpoint(base_url=where, max_bytes=5_000_000)
        if not endpoint.base_url.lower().startswith(("https://", "http://")) or is_cleartext(endpoint.base_url):
            raise UsageError("a terminology service is asked over https")
        self._endpoint = endpoint
        self._base = endpoint.base_url.rstrip("/")
        self._token = token
        self._transport = WatchedTransport()
        self._batches = True

    def __repr__(self) -> str:
        return "FhirTerminologyService()"

    def validate_codes(self, questions: Sequence[Question], /) -> list[Asked]:
        """One answer for each question.

        Raises:
            AdapterError: Unreachable, too late, failed, not permitted, or an answer that is not FHIR.
        """
        deadline = Deadline.after(self._endpoint.deadline_seconds)
        answers: list[Asked] = []
        for start in range(0, len(questions), _MOST_IN_A_BATCH):
            part = questions[start : start + _MOST_IN_A_BATCH]
            batched = self._batch(part, deadline) if self._batches and len(part) > 1 else None
            answers += batched if batched is not None else [self._one(question, deadline) for question in part]
        return answers

    def _one(self, question: Question, deadline: Deadline) -> Asked:
        status, body = self._post(f"{self._base}/{_operation(question)}", _parameters(question), deadline)
        return _answer(status, body)

    def _batch(self, questions: Sequence[Question], deadline: Deadline) -> list[Asked] | None:
        """The answers to a batch; None if the server has no batches."""
        bundle = {
            "resourceType": "Bundle",
            "type": "batch",
            "entry": [
                {"resource": _parameters(question), "request": {"method": "POST", "url": _operation(question)}}
                for question in questions
            ],
        }
        status, body = self._post(self._base, bundle, deadline)
        if status in _NO_BATCH:
            self._batches = False
            return None
        entries = body.get("entry")
        if body.get("resourceType") != "Bundle" or not isinstance(entries, list) or len(entries) != len(questions):
            raise AnswerRejected("the answer to a batch has not one entry for each question")
        return [_entry(entry) for entry in entries]

    def _post(self, url: str, resource: Mapping[str, Any], deadline: Deadline) -> tuple[int, dict[str, Any]]:
        deadline.check("asking the terminology service")
        headers = {
            **self._endpoint.headers,
            "Accept": "application/fhir+json",
            "Content-Type": "application/fhir+json",
            "Accept-Encoding": "gzip",
        }
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token if isinstance(self._token, str) else self._token()}"
        request = requests.Request("POST", url, headers=headers, data=json.dumps(resource).encode()).prepare()
        received = Attempt().make(self._transport, request, self._endpoint, deadline)
        status = received.status or 0
        if status == 429:
            raise RateLimited("the terminology service asks for fewer questions")
        if status in (401, 403):
            raise NotPermitted(f"the terminology service refused access with status {status}")
        if status >= 500 and status != 501:
            raise SystemFailed(f"the terminology service failed with status {status}")
        if status != 200 and status not in _NO_BATCH:
            raise AnswerRejected(f"the terminology service answered with status {status}")
        try:
            body = json.loads(bytes(received.body))
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            if status in _NO_BATCH:
                return status, {}
            raise AnswerRejected("the terminology service's answer is not FHIR JSON")
        return status, body


def _operation(question: Question) -> str:
    return f"{'ValueSet' if question.value_set else 'CodeSystem'}/$validate-code"


def _parameters(question: Question) -> dict[str, Any]:
    """FHIR R4 input parameters: `url` is the code system's or the value set's."""
    if question.value_set:
        url, _, version = question.value_set.partition("|")
        parts = [
            ("url", "valueUri", url),
            ("code", "valueCode", question.code),
            ("system", "valueUri", question.system),
        ]
        if version:
            parts.append(("valueSetVersion", "valueString", version))
        if question.version:
            parts.append(("systemVersion", "valueString", question.version))
    else:
        parts = [("url", "valueUri", question.system), ("code", "valueCode", question.code)]
        if question.version:
            parts.append(("version", "valueString", question.version))
    return {"resourceType": "Parameters", "parameter": [{"name": name, kind: value} for name, kind, value in parts]}


def _entry(entry: Any) -> Asked:
    response = entry.get("response") if isinstance(entry, dict) else None
    status = response.get("status") if isinstance(response, dict) else None
    match = re.match(r"[0-9]{3}", status) if isinstance(status, str) else None
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict) and isinstance(response, dict):
        resource = response.get("outcome")
    return _answer(int(match[0]) if match else 0, resource if isinstance(resource, dict) else {})


def _answer(status: int, body: Mapping[str, Any]) -> Asked:
    """What an answer says: only a boolean `result` of Parameters says yes or no."""
    if status not in (200, 201) or body.get("resourceType") != "Parameters":
        return Asked(None, f"the terminology service cannot say (status {status})")
    listed = body.get("parameter")
    parameters = [p for p in listed if isinstance(p, dict)] if isinstance(listed, list) else []
    results = [p.get("valueBoolean") for p in parameters if p.get("name") == "result"]
    if len(results) != 1 or not isinstance(results[0], bool):
        return Asked(None, "the terminology service's answer has no result")
    if results[0]:
        return Asked(True)
    if _is_about_what_it_lacks(parameters):
        return Asked(None, "the terminology service does not know the code system or value set")
    return Asked(False)


def _is_about_what_it_lacks(parameters: Sequence[Mapping[str, Any]]) -> bool:
    """Whether "no" means that the server has not the code system or value set, not that the code is wrong."""
    said: list[str] = []
    sure = False
    for parameter in parameters:
        name = parameter.get("name")
        if name in ("x-unknown-system", "x-caused-by-unknown-system"):
            return True
        if name == "message" and isinstance(parameter.get("valueString"), str):
            said.append(parameter["valueString"][:2000])
        resource = parameter.get("resource")
        issues = resource.get("issue") if name == "issues" and isinstance(resource, dict) else None
        for issue in issues if isinstance(issues, list) else ():
            if isinstance(issue, dict) and issue.get("severity") in ("error", "fatal"):
                if issue.get("code") in _CANNOT_SAY:
                    return True
                sure = sure or issue.get("code") in ("code-invalid", "invalid")
    return not sure and any(_UNKNOWN.search(text) for text in said)
