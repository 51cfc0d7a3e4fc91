"""The twin of the CareCentric APIs: a token endpoint, Find Patient, and the operations by patient detail id.

What is published of them and what is assumed: `layout.py`. As published, any patient detail id of a group of linked
records gives what there is for all of them. Assumed beyond: addresses, statuses of errors, and that an answer which is
paged holds one row.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from mpftconnect.adapters import Fault, FaultSwitch, TwinRequest, TwinResponse, json_response
from mpftconnect.sandbox import Person
from mpftconnect_icr.layout import FIND_PATH, OPERATIONS
from mpftconnect_icr.twin_rows import patient_rows, rows

__all__ = ["BASE_PATH", "SYSTEM", "CcapiTwin", "configure"]

SYSTEM = "icr"
BASE_PATH = "/ccapi"
_PAGE_SIZE = 1  # however many more `PageSize` asks for, so that whatever there are two of comes in pages
_JSON = "application/json"


class CcapiTwin:
    """Answers for the people who have a view named `icr`.

    Args:
        people: Whom it may know.
    """

    def __init__(self, people: Sequence[Person]) -> None:
        self.faults = FaultSwitch()
        self.subscription_key = secrets.token_hex(16)
        self.client_id, self.client_secret = "mpftconnect", secrets.token_urlsafe(24)
        self._tokens: set[str] = set()
        self._lock = threading.Lock()
        self._held = [person for person in people if SYSTEM in person.systems]
        self._by_detail_id = {
            row["PatientDetailId"]: person for person in self._held for row in patient_rows(person, SYSTEM)
        }
        self._paths = {
            operation.path.removesuffix("{detail_id}"): (name, operation) for name, operation in OPERATIONS.items()
        }

    def handle(self, request: TwinRequest) -> TwinResponse:
        if request.path == f"{BASE_PATH}/oauth/token":
            return self._token(request)
        refused = self._refused(request)
        if refused is not None:
            return refused
        path = request.path.removeprefix(f"{BASE_PATH}/")
        if path == FIND_PATH and request.method == "POST":
            return self._find(request)
        for prefix, (name, operation) in self._paths.items():
            if path.startswith(prefix) and request.method == "GET":
                return self._operation(name, operation.collection, path.removeprefix(prefix), request)
        return _error(HTTPStatus.NOT_FOUND, "Resource not found")

    def _token(self, request: TwinRequest) -> TwinResponse:
        """RFC 6749, section 4.4; the answer as on the developer portal, which states no `expires_in`."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode("latin-1")).items()}
        wanted = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.client_secret}
        if request.method != "POST" or form != wanted:
            return json_response({"error": "invalid_client"}, int(HTTPStatus.UNAUTHORIZED), content_type=_JSON)
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._tokens.add(token)
        return json_response({"token_type": "Bearer", "access_token": token, "refresh_token": None}, content_type=_JSON)

    def _refused(self, request: TwinRequest) -> TwinResponse | None:
        if request.headers.get("Ocp-Apim-Subscription-Key") != self.subscription_key:
            return _error(HTTPStatus.UNAUTHORIZED, "Access denied due to missing or invalid subscription key")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        with self._lock:
            good = scheme == "Bearer" and token in self._tokens
        if not good or Fault.STALE_TOKEN in self.faults:
            return _error(HTTPStatus.UNAUTHORIZED, "The access token is missing, wrong or expired")
        return None

    def _find(self, request: TwinRequest) -> TwinResponse:
        try:
            asked = json.loads(request.body)
        except ValueError:
            asked = None
        if not isinstance(asked, dict):
            return _error(HTTPStatus.BAD_REQUEST, "The search criteria are not JSON")
        criteria = {name: asked[name] for name in ("NhsNumber", "PatientNumber") if asked.get(name)}
        if not criteria:
            return _error(HTTPStatus.BAD_REQUEST, "No search criteria")
        found = [
            row
            for person in self._held
            for row in patient_rows(self._shown(person, criteria), SYSTEM)
            if any(all(each.get(n) == v for n, v in criteria.items()) for each in patient_rows(person, SYSTEM))
        ]
        return self._paged(found, "Patients", asked.get("PageNumber", 1))

    def _shown(self, person: Person, criteria: Mapping[str, Any]) -> Person:
        return self._neighbour(person) if Fault.WRONG_PATIENT in self.faults else person

    def _neighbour(self, person: Person) -> Person:
        """Somebody else, always the same."""
        others = [other for other in self._held if other is not person] or [person]
        return others[self._held.index(person) % len(others)]

    def _operation(self, name: str, collection: str, detail_id: str, request: TwinRequest) -> TwinResponse:
        person = self._by_detail_id.get(int(detail_id)) if detail_id.isdigit() and detail_id.isascii() else None
        if person is None:
            return _error(HTTPStatus.NOT_FOUND, "No such patient detail id")
        if Fault.WRONG_PATIENT in self.faults:
            person = self._neighbour(person)
        found = rows(person, SYSTEM, name)
        if not OPERATIONS[name].paged:
            if Fault.LYING_TOTAL in self.faults:
                return json_response({collection: found, "TotalItemCount": len(found) + 3}, content_type=_JSON)
            return json_response({collection: found}, content_type=_JSON)
        number = request.first("PageNumber") or "1"
        return self._paged(found, collection, int(number) if number.isdigit() and len(number) < 7 else 1)

    def _paged(self, found: Sequence[Any], collection: str, number: Any) -> TwinResponse:
        number = number if isinstance(number, int) and number > 0 else 1
        at = (number - 1) * _PAGE_SIZE
        page = list(found[at : at + _PAGE_SIZE])
        if Fault.DROPPED_PAGE in self.faults and (number == 2 or len(found) <= _PAGE_SIZE):
            page = []
        if Fault.REPEATED_PAGE in self.faults and number > 1:
            page = list(found[:_PAGE_SIZE])
        total = len(found) + (3 if Fault.LYING_TOTAL in self.faults else 0)
        return json_response({collection: page, "TotalItemCount": total}, content_type=_JSON)


def configure(twin: CcapiTwin, base_url: str) -> dict[str, Any]:
    """The system's table of a configuration that reads this twin."""
    endpoint = base_url.rstrip("/") + BASE_PATH
    return {
        "adapter": "icr-ccapi",
        "endpoint": endpoint,
        "settings": {"token_url": f"{endpoint}/oauth/token"},
        "secrets": {
            "subscription_key": twin.subscription_key,
            "client_id": twin.client_id,
            "client_secret": twin.client_secret,
        },
    }


def _error(status: HTTPStatus, message: str) -> TwinResponse:
    return json_response({"statusCode": int(status), "message": message}, int(status), content_type=_JSON)
