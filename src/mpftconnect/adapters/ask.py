"""One request before it is tried, and what may be done with what comes back."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse
from urllib3.util.retry import Retry

from mpftconnect.adapters.endpoint import Endpoint, origin
from mpftconnect.adapters.failures import adapter_error
from mpftconnect.adapters.http_attempt import Received
from mpftconnect.errors import AdapterError, AnswerRejected, UsageError

__all__ = [
    "CORRELATION_ID",
    "PASSING",
    "REQUEST_ID",
    "Ask",
    "Params",
    "address",
    "checked_label",
    "fault",
    "is_lost",
    "pause_seconds",
    "prepared",
    "with_body",
]

Params = Mapping[str, Any] | Sequence[tuple[str, str]]

REQUEST_ID, CORRELATION_ID = "X-Request-ID", "X-Correlation-ID"

# RFC 9110, section 15: what may pass by itself. A gateway's 502 or 504 leaves open whether a write was done.
PASSING = frozenset({429, 502, 503, 504})
_GATEWAY_LOST_THE_ANSWER = frozenset({502, 504})

# Labels reach logs and reports: words, and no run of digits that could be a number of a person.
_LABEL = re.compile(r"(?!.*\d{5})[A-Za-z][\w .:/$-]{0,59}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request.

    Args:
        repeatable: It may be sent again.
        write: It changes something, so a lost answer is an unknown outcome.
        secret: Its bodies are never recorded, not even in test.
    """

    method: str
    url: str
    label: str
    request_id: str
    headers: CaseInsensitiveDict[str]
    body: bytes | None = None
    repeatable: bool = True
    write: bool = False
    secret: bool = False


def checked_label(label: str) -> str:
    """The label, if it may be shown.

    Raises:
        UsageError: It could hold a value.

    >>> checked_label("Patient.search")
    'Patient.search'
    """
    if not _LABEL.fullmatch(label):
        raise UsageError("a label is up to 60 letters, digits and . : / $ - beginning with a letter, and no number")
    return label


def address(endpoint: Endpoint, method: str, path: str, params: Params | None) -> str:
    """The whole URL for a path below the base URL, or for a link of the same origin.

    Raises:
        AnswerRejected: The path climbs out of the base, or the link is no URL or leads elsewhere. (What a server
            gave as an id or a link is what can be wrong with it.)
        UsageError: The system has no HTTP address.

    >>> address(Endpoint(base_url="https://x.example/fhir/"), "GET", "Patient/1", {"_count": 2})
    'https://x.example/fhir/Patient/1?_count=2'
    """
    if not endpoint.base_url or urlsplit(endpoint.base_url).scheme == "file":
        raise UsageError("the system has no HTTP address")
    try:
        split = urlsplit(path)
        where = origin(split)
    except ValueError:
        raise AnswerRejected("a link is not a URL") from None
    if any(part.lower().replace("%2e", ".") in (".", "..") for part in re.split(r"[/\\]", split.path)):
        raise AnswerRejected("a path holds dot segments")
    if not split.scheme and not split.netloc:
        url = f"{endpoint.base_url.rstrip('/')}/{path.lstrip('/')}"
    elif where == origin(urlsplit(endpoint.base_url)) and split.username is None:
        url = path
    else:
        raise AnswerRejected("a link leads to another origin, where credentials must not go")
    if not params:
        return url
    try:
        return _with_query(url, params)
    except (TypeError, ValueError):
        raise AdapterError("the parameters cannot be written as a URL") from None


def _with_query(url: str, params: Params) -> str:
    # As requests does it, of which this is a small part: preparing a whole request here costs as much as sending it.
    pairs = [
        (name, one)
        for name, value in (params.items() if isinstance(params, Mapping) else params)
        for one in (value if isinstance(value, list | tuple | set | frozenset) else (value,))
        if one is not None
    ]
    split = urlsplit(url)
    query = "&".join(part for part in (split.query, urlencode(pairs)) if part)
    return urlunsplit(split._replace(query=query))


def with_body(ask: Ask, json: Any, data: bytes | str | Mapping[str, Any] | None) -> Ask:
    """The request with a body: JSON, a form if `data` is a mapping, else `data` as it is."""
    headers: CaseInsensitiveDict[str] = CaseInsensitiveDict(ask.headers)
    if json is not None:
        from mpftconnect.fhir.json_text import dump_json  # here, since most of that room is not needed to speak HTTP

        body: bytes = dump_json(json)
        headers.setdefault("Content-Type", "application/json")
    elif isinstance(data, Mapping):
        body = urlencode(data, doseq=True).encode()
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    else:
        body = data.encode() if isinstance(data, str) else data or b""
    return replace(ask, headers=headers, body=body)


def prepared(ask: Ask, headers: Mapping[str, str]) -> requests.PreparedRequest:
    """The request as requests would send it, without what its sessions add: cookies, ~/.netrc, default headers.

    Raises:
        AdapterError: It cannot be written as HTTP.
    """
    try:
        return requests.Request(ask.method, ask.url, headers=dict(headers), data=ask.body).prepare()
    except (requests.RequestException, ValueError) as error:
        failure = adapter_error(error) or AdapterError("the request cannot be written as HTTP")
    # Raised here, outside the handler, so that it carries no context.
    raise failure


def fault(received: Received, ask: Ask) -> AdapterError | None:
    """What is wrong with an answer that came whole."""
    status = received.status or 0
    if 300 <= status < 400:
        return AnswerRejected(f"status {status}: redirects are not followed")
    mirrored = received.headers.get(REQUEST_ID)
    if mirrored is not None and mirrored.strip().lower() != ask.request_id:
        return AnswerRejected("the answer names another request: its X-Request-ID is not ours")
    return None


def is_lost(failure: AdapterError | None, received: Received) -> bool:
    """Whether the answer to a write that was sent leaves open what became of it."""
    if failure is None:
        return received.status in _GATEWAY_LOST_THE_ANSWER
    # A redirect is a whole answer, which says that nothing was done here.
    return not (received.status is not None and 300 <= received.status < 400)


def pause_seconds(retry: Retry, received: Received) -> float:
    """How long to wait: as `Retry-After` says (RFC 9110, section 10.2.3), else longer each time, with jitter."""
    if received.status is not None and "Retry-After" in received.headers:
        shell = HTTPResponse(status=received.status, headers=dict(received.headers))
        try:
            return max(0.0, float(retry.get_retry_after(shell) or 0.0))
        except HTTPError:
            pass  # neither a number nor a date: as if it had not been sent
        except (ValueError, OverflowError):
            return math.inf  # a number or a date that no clock reaches
    return retry.get_backoff_time()
