"""The PDS FHIR API as an application meets it: who may call, how often, and what each address answers.

Source: PDS FHIR API specification (repository NHSDigital/personal-demographics-service-api, specification/), in
particular personal-demographics.yaml ("Access modes", "Rate limits", header parameters) and components/paths/.
Order of the checks and words of the diagnostics: the published karate tests of the same repository.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import unquote

from mpftconnect.adapters import Fault, FaultSwitch, TwinRequest, TwinResponse, json_response
from mpftconnect.errors import AnswerRejected, NotADate, NotAnNhsNumber
from mpftconnect.fhir import parse_json
from mpftconnect.model import NhsNumber, PartialDate, Patient, RelatedPerson, SectionName, When, nhs_number
from mpftconnect.sandbox import AuthorisationServer, Person
from mpftconnect_pds.outcomes import PdsCode
from mpftconnect_pds.twin import searching
from mpftconnect_pds.twin.demographics import patient_resource, related_resources, search_resource
from mpftconnect_pds.twin.refusals import Refused

__all__ = ["BASE_PATH", "PdsTwin"]

BASE_PATH = "/personal-demographics/FHIR/R4"
_SYSTEM = "pds"
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_ETAG = re.compile(r'W/"([0-9]+)"', re.ASCII)
_MIRRORED = ("X-Request-ID", "X-Correlation-ID")
# What this twin can change by PATCH, enough for a version to move on: the element, the field, how it is read.
_REPLACEABLE: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "gender": ("gender", str),
    "birthDate": ("birth_date", PartialDate),
    "deceasedDateTime": ("deceased", When),
}

Access = Literal["application-restricted", "healthcare-worker"]


@dataclass(frozen=True, slots=True)
class _Record:
    number: NhsNumber
    patient: Patient
    contacts: tuple[RelatedPerson, ...]
    invalidated: bool
    version: int = 1

    @property
    def restricted(self) -> bool:
        return self.patient.restriction in ("R", "V")

    def resource(self) -> dict[str, Any]:
        return patient_resource(self.number, self.patient, self.contacts, version=self.version)

    def etag(self) -> dict[str, str]:
        return {"ETag": f'W/"{self.version}"'}


class PdsTwin:
    """Answers as PDS does, for the synthetic people that PDS knows.

    Faults of its own: `WRONG_PATIENT` answers with the next person's record; `STALE_TOKEN` takes every token for
    an expired one.

    Args:
        people: Those with a system `pds`. A `restriction` of REDACTED, or the setting `invalidated`, makes an
            invalidated number.
        access: The access mode that its application was onboarded with.
        requests_per_second: Of its application; further ones are answered 429.
        retry_after_seconds: What a 429 says to wait.
        token_lifetime_seconds: How long a token is good for.
        now: Time of day, seconds since 1970.
        monotonic: Clock of the rate limit, seconds.
    """

    def __init__(
        self,
        people: Sequence[Person],
        *,
        access: Access = "application-restricted",
        requests_per_second: int = 5,
        retry_after_seconds: int = 1,
        token_lifetime_seconds: float = 599,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.faults = FaultSwitch()
        self.authorisation = AuthorisationServer(token_lifetime_seconds=token_lifetime_seconds, now=now)
        self._access = access
        self.requests_per_second, self._retry_after = requests_per_second, retry_after_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._recent: deque[float] = deque()
        self._records = {person.nhs_number: _record(person) for person in people if _SYSTEM in person.systems}
        self._current = {
            former: person.nhs_number
            for person in people
            if _SYSTEM in person.systems
            for former in person.former_numbers
        }
        self._forced: PdsCode | None = None

    @contextmanager
    def answering(self, code: PdsCode) -> Iterator[None]:
        """Answer every request to the API with this code, for tests of answers that need a broken Spine."""
        self._forced = code
        try:
            yield
        finally:
            self._forced = None

    def handle(self, request: TwinRequest) -> TwinResponse:
        if request.path == AuthorisationServer.path and request.method == "POST":
            return self.authorisation.handle(request)
        if not request.path.startswith(f"{BASE_PATH}/"):
            return TwinResponse(404, {"Content-Type": "text/plain"}, b"Not found")
        try:
            self._admit(request)
            response = self._route(request)
        except Refused as refused:
            response = refused.response()
        mirrored = {name: request.headers[name] for name in _MIRRORED if request.headers.get(name)}
        return replace(response, headers={**response.headers, **mirrored})

    def _admit(self, request: TwinRequest) -> None:
        self._check_token(request.headers.get("Authorization"))
        self._check_rate()
        request_id = request.headers.get("X-Request-ID")
        if request_id is None:
            raise Refused(
                PdsCode.MISSING_VALUE,
                "Invalid request with error - X-Request-ID header must be supplied to access this resource",
            )
        if not _UUID.fullmatch(request_id):
            raise Refused(PdsCode.INVALID_VALUE, f"Invalid value - '{request_id}' in header 'X-Request-ID'")
        role = request.headers.get("NHSD-Session-URID")
        # personal-demographics.yaml, RoleId: ignored in application-restricted access.
        if role is not None and self._access != "application-restricted" and not re.fullmatch("[0-9]+", role):
            raise Refused(PdsCode.INVALID_VALUE, f"Invalid value - '{role}' in header 'NHSD-Session-URID'")
        if self._forced is not None:
            raise Refused(self._forced, headers=self._wait(self._forced))

    def _wait(self, code: PdsCode) -> dict[str, str]:
        waits = code in (PdsCode.TOO_MANY_REQUESTS, PdsCode.SERVICE_UNAVAILABLE)
        return {"Retry-After": str(self._retry_after)} if waits else {}

    def _check_token(self, authorization: str | None) -> None:
        if authorization is None:
            raise Refused(PdsCode.ACCESS_DENIED, "Missing Authorization header")
        if not authorization.strip():
            raise Refused(PdsCode.ACCESS_DENIED, "Empty Authorization header")
        scheme, _, token = authorization.partition(" ")
        if scheme.casefold() != "bearer" or not token.strip():
            raise Refused(PdsCode.ACCESS_DENIED, "Missing access token")
        if Fault.STALE_TOKEN in self.faults:
            raise Refused(PdsCode.ACCESS_DENIED, "Access Token expired")
        if not self.authorisation.knows(token.strip()):
            raise Refused(PdsCode.ACCESS_DENIED, "Invalid Access Token")

    def _check_rate(self) -> None:
        with self._lock:
            moment = self._monotonic()
            while self._recent and self._recent[0] <= moment - 1:
                self._recent.popleft()
            if len(self._recent) >= self.requests_per_second:
                raise Refused(
                    PdsCode.TOO_MANY_REQUESTS,
                    "You have exceeded your application's rate limit",
                    headers=self._wait(PdsCode.TOO_MANY_REQUESTS),
                )
            self._recent.append(moment)

    def _route(self, request: TwinRequest) -> TwinResponse:
        parts = [unquote(part) for part in request.path.removeprefix(f"{BASE_PATH}/").split("/")]
        match request.method, parts:
            case "GET", ["Patient"]:
                return self._search(request)
            case "GET", ["Patient", number] if number:
                record = self._find(number)
                return json_response(record.resource(), headers=record.etag())
            case "GET", ["Patient", number, "RelatedPerson"] if number:
                return self._related(self._find(number), request)
            case "PATCH", ["Patient", number] if number:
                return self._update(number, request)
            case "POST" | "PUT" | "DELETE", _:
                raise Refused(PdsCode.INVALID_METHOD)
            case _:
                raise Refused(PdsCode.UNSUPPORTED_SERVICE)

    def _find(self, text: str) -> _Record:
        """The record under a number, or the one that superseded it (patient-get.yaml, "Superseded patients")."""
        try:
            number = nhs_number(text) if re.fullmatch(r"\d{10}", text, re.ASCII) else None
        except NotAnNhsNumber:
            number = None
        if number is None:
            raise Refused(PdsCode.INVALID_RESOURCE_ID)
        with self._lock:
            record = self._records.get(self._current.get(number, number))
            if record is not None and Fault.WRONG_PATIENT in self.faults:
                known = sorted(number for number, other in self._records.items() if not other.invalidated)
                later = [number for number in known if number > record.number]
                record = self._records[later[0] if later else known[0]]
        if record is None:
            raise Refused(PdsCode.RESOURCE_NOT_FOUND)
        if record.invalidated:
            raise Refused(PdsCode.INVALIDATED_RESOURCE)
        return record

    def _search(self, request: TwinRequest) -> TwinResponse:
        query = searching.parse(request, self._access)
        with self._lock:
            records = [record for record in self._records.values() if not record.invalidated]
        scored = [(searching.match(query, record.patient), record) for record in records]
        found = sorted(
            ((score, record) for score, record in scored if score is not None),
            key=lambda pair: (-pair[0], pair[1].number),
        )
        if len(found) > query.max_results:
            raise Refused(PdsCode.TOO_MANY_MATCHES)
        entries = [
            {
                "fullUrl": f"{request.base_url}{BASE_PATH}/Patient/{record.number}",
                "search": {"score": score},
                "resource": search_resource(record.resource()),
            }
            for score, record in found
        ]
        return json_response(_searchset(entries))

    def _related(self, record: _Record, request: TwinRequest) -> TwinResponse:
        # relatedpersons-get.yaml: an empty bundle for a restricted patient.
        resources = [] if record.restricted else related_resources(record.number, record.contacts)
        root = f"{request.base_url}{BASE_PATH}/Patient/{record.number}/RelatedPerson"
        entries = [{"fullUrl": f"{root}/{resource['id']}", "resource": resource} for resource in resources]
        return json_response(_searchset(entries), headers=record.etag())

    def _update(self, number: str, request: TwinRequest) -> TwinResponse:
        if self._access == "application-restricted":
            raise Refused(
                PdsCode.INVALID_METHOD,
                "Your app has insufficient permissions to use this method. Please contact support.",
            )
        if request.headers.get("Content-Type", "").partition(";")[0].strip() != "application/json-patch+json":
            raise Refused(PdsCode.UNSUPPORTED_SERVICE)
        record = self._find(number)
        if_match = request.headers.get("If-Match")
        if if_match is None:
            raise Refused(
                PdsCode.PRECONDITION_FAILED,
                "Invalid update with error - If-Match header must be supplied to update this resource",
            )
        stated = _ETAG.fullmatch(if_match)
        if stated is None:
            raise Refused(PdsCode.INVALID_VALUE, f"Invalid value - '{if_match}' in header 'If-Match'")
        changed = _patched(record.patient, _patches(request.body))
        with self._lock:
            held = self._records[record.number]
            if str(held.version) != stated[1]:
                raise Refused(PdsCode.RESOURCE_VERSION_MISMATCH)
            held = self._records[record.number] = replace(held, patient=changed, version=held.version + 1)
        return json_response(held.resource(), headers=held.etag())


def _record(person: Person) -> _Record:
    view = person.systems[_SYSTEM]
    patient = person.patient_at(_SYSTEM)
    contacts = tuple(item for item in view.items.get(SectionName.CONTACTS, ()) if isinstance(item, RelatedPerson))
    invalidated = patient.restriction == "REDACTED" or bool(view.settings.get("invalidated"))
    return _Record(person.nhs_number, patient, contacts, invalidated)


def _searchset(entries: list[dict[str, Any]]) -> dict[str, Any]:
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "total": len(entries),
    }
    if entries:
        bundle["entry"] = entries
    return bundle


def _patches(body: bytes) -> list[Mapping[str, Any]]:
    try:
        content = parse_json(body)
    except AnswerRejected:
        content = None
    patches = content.get("patches") if isinstance(content, Mapping) else None
    if not isinstance(patches, list) or not patches or not all(isinstance(patch, Mapping) for patch in patches):
        raise Refused(PdsCode.INVALID_UPDATE, "Invalid update with error - No patches found")
    return patches


def _patched(patient: Patient, patches: list[Mapping[str, Any]]) -> Patient:
    changes: dict[str, Any] = {}
    for patch in patches:
        name, value = str(patch.get("path")).removeprefix("/"), patch.get("value")
        if patch.get("op") not in ("add", "replace") or name not in _REPLACEABLE or not isinstance(value, str):
            raise Refused(PdsCode.INVALID_UPDATE, "Invalid update with error - this twin replaces simple values only")
        field, read = _REPLACEABLE[name]
        try:
            changes[field] = read(value)
        except NotADate:
            raise Refused(PdsCode.INVALID_UPDATE, "Invalid update with error - not a date") from None
    return patient.model_copy(update=changes)
