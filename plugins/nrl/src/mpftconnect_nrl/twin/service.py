"""The locator's two APIs as an application meets them: who may call, and what each address answers.

Source: NRL consumer and producer specifications (nrl-consumer-api at 25d6f5b, nrl-producer-api at ec0303b); the order
of checks, and what they leave open: NHSDigital/NRLF, api/consumer and api/producer.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from mpftconnect.adapters import Fault, FaultSwitch, TwinRequest, TwinResponse
from mpftconnect.errors import AnswerRejected, NotAnNhsNumber
from mpftconnect.fhir import parse_json
from mpftconnect.model import NHS_NUMBER_SYSTEM, ODS_ORGANIZATION_SYSTEM, SNOMED, NhsNumber, nhs_number
from mpftconnect.sandbox import AuthorisationServer, Person
from mpftconnect_nrl.outcomes import NrlCode
from mpftconnect_nrl.twin.documents import CONSUMER_ASID, HOST, PROVIDER_ASID, PROXY_PATH, Library
from mpftconnect_nrl.twin.held import Held, documents_of, held, held_pointers
from mpftconnect_nrl.twin.refusals import Refused, answer, success
from mpftconnect_nrl.twin.rules import check_pointer

__all__ = ["BASE_PATH", "NrlTwin", "configure"]

BASE_PATH = "/record-locator"
_SYSTEM = "nrl"
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_ODS = re.compile(r"[A-Za-z0-9]{2,12}", re.ASCII)
_MIRRORED = ("X-Request-ID", "X-Correlation-ID")
_SEARCHED = {
    "consumer": ("subject:identifier", "custodian:identifier", "type", "category", "_summary"),
    "producer": ("subject:identifier", "type", "category"),
}


class NrlTwin:
    """Answers as the locator does, for the pointers of the synthetic people and those that are written to it.

    Faults of its own: `WRONG_PATIENT` answers with somebody else's pointers; `STALE_TOKEN` takes every token for an
    expired one; `LYING_TOTAL` states more pointers than come; `WRONG_DOCUMENT` gives another type of document than the
    pointer promises; `LOST_ANSWER` does what it is asked to write and answers 504.

    Args:
        people: Those with a system `nrl`.
        token_lifetime_seconds: How long a token is good for.
        now: Time of day, seconds since 1970.

    Attributes:
        written: Bodies that were published, oldest first; for tests.
    """

    def __init__(
        self,
        people: Sequence[Person],
        *,
        token_lifetime_seconds: float = 599,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.faults = FaultSwitch()
        self.authorisation = AuthorisationServer(token_lifetime_seconds=token_lifetime_seconds, now=now)
        self.written: list[bytes] = []
        self._library = Library(documents_of(people, _SYSTEM), now)
        self._now = now
        self._lock = threading.Lock()
        self._held: dict[str, Held] = {each.id: each for each in held_pointers(people, _SYSTEM)}
        self._forced: NrlCode | None = None

    @contextmanager
    def answering(self, code: NrlCode, status: int | None = None) -> Iterator[None]:
        """Answer every request to the APIs with this code, for tests of answers that need a broken locator."""
        self._forced = code
        self._forced_status = status
        try:
            yield
        finally:
            self._forced = None

    @property
    def pointers(self) -> tuple[Mapping[str, Any], ...]:
        """All pointers that it holds now."""
        with self._lock:
            return tuple(each.resource for each in self._held.values())

    def handle(self, request: TwinRequest) -> TwinResponse:
        if request.path == AuthorisationServer.path and request.method == "POST":
            return self.authorisation.handle(request)
        if self._library.serves(request.path):
            return self._library.handle(request, wrong=Fault.WRONG_DOCUMENT in self.faults)
        if not request.path.startswith(f"{BASE_PATH}/"):
            return TwinResponse(404, {"Content-Type": "text/plain"}, b"Not found")
        try:
            organisation = self._admit(request)
            response = self._route(request, organisation)
        except Refused as refused:
            response = refused.response()
        is_write = request.method in ("POST", "DELETE") and not request.path.endswith("/_search")
        if Fault.LOST_ANSWER in self.faults and is_write and response.status in (200, 201):
            return TwinResponse(504, {"Content-Type": "text/plain"}, b"Gateway Timeout")
        mirrored = {name: request.headers[name] for name in _MIRRORED if request.headers.get(name)}
        return replace(response, headers={**response.headers, **mirrored})

    def _admit(self, request: TwinRequest) -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        known = scheme.casefold() == "bearer" and self.authorisation.knows(token.strip())
        if not known or Fault.STALE_TOKEN in self.faults:
            raise Refused(NrlCode.ACCESS_DENIED, "The access token is missing, wrong or expired", status=401)
        if not _UUID.fullmatch(request.headers.get("X-Request-ID", "")):
            raise Refused(NrlCode.MISSING_OR_INVALID_HEADER, "The X-Request-Id header is missing or invalid")
        if self._forced is not None:
            raise Refused(self._forced, "as it was told to", status=self._forced_status)
        organisation = request.headers.get("NHSD-End-User-Organisation-ODS", "")
        if not _ODS.fullmatch(organisation):
            raise Refused(
                NrlCode.MISSING_OR_INVALID_HEADER, "The NHSD-End-User-Organisation-ODS header is missing or invalid"
            )
        return organisation

    def _route(self, request: TwinRequest, organisation: str) -> TwinResponse:
        parts = [unquote(part) for part in request.path.removeprefix(f"{BASE_PATH}/").split("/")]
        match request.method, parts:
            case "GET", ["consumer" | "producer" as api, "FHIR", "R4", "DocumentReference"]:
                return self._search(api, _once(request.query), request, organisation)
            case "POST", ["consumer" | "producer" as api, "FHIR", "R4", "DocumentReference", "_search"]:
                return self._search(api, _object(request.body), request, organisation)
            case "GET", ["consumer" | "producer" as api, "FHIR", "R4", "DocumentReference", pointer_id]:
                return answer(self._shown(self._find(pointer_id, api, organisation, "read"), request))
            case "POST", ["producer", "FHIR", "R4", "DocumentReference"]:
                return self._create(request, organisation)
            case "DELETE", ["producer", "FHIR", "R4", "DocumentReference", pointer_id]:
                return self._delete(pointer_id, organisation)
            case _:
                raise Refused(NrlCode.BAD_REQUEST, "no such interaction", status=405)

    # Reading

    def _search(self, api: str, asked: Mapping[str, Any], request: TwinRequest, organisation: str) -> TwinResponse:
        if set(asked) - set(_SEARCHED[api]) or not all(isinstance(value, str) for value in asked.values()):
            raise Refused(NrlCode.INVALID_PARAMETER, "Invalid query parameter")
        number = _subject(asked)
        kinds, categories = (_codes(asked.get(name), name) for name in ("type", "category"))
        custodian = organisation if api == "producer" else _custodian(asked.get("custodian:identifier"))
        if asked.get("_summary") not in (None, "count"):
            raise Refused(NrlCode.INVALID_PARAMETER, "The only supported value of _summary is count")
        found = [
            each
            for each in self._of(number)
            if (not kinds or each.kind in kinds)
            and (not categories or each.category in categories)
            and (custodian is None or each.organisation == custodian)
        ]
        total = len(found) + (3 if Fault.LYING_TOTAL in self.faults else 0)
        bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "total": total}
        if "_summary" not in asked:
            bundle["entry"] = [{"resource": self._shown(each, request)} for each in found]
        return answer(bundle)

    def _of(self, number: NhsNumber) -> list[Held]:
        with self._lock:
            if Fault.WRONG_PATIENT in self.faults:
                others = sorted({each.number for each in self._held.values()} - {number})
                number = others[0] if others else number
            return [each for each in self._held.values() if each.number == number]

    def _find(self, pointer_id: str, api: str, organisation: str, doing: str) -> Held:
        if api == "producer" and pointer_id.partition("-")[0] != organisation:
            raise Refused(
                NrlCode.AUTHOR_CREDENTIALS_ERROR,
                f"The requested document pointer cannot be {doing} because it belongs to another organisation",
            )
        with self._lock:
            found = self._held.get(pointer_id)
        if found is None:
            raise Refused(NrlCode.NO_RECORD_FOUND, "The requested DocumentReference could not be found")
        return found

    @staticmethod
    def _shown(pointer: Held, request: TwinRequest) -> Any:
        written = json.dumps(pointer.resource)
        return json.loads(written.replace("{base}", request.base_url.rstrip("/")))

    # Writing

    def _create(self, request: TwinRequest, organisation: str) -> TwinResponse:
        resource = _object(request.body)
        check_pointer(resource, organisation)
        number = nhs_number(resource["subject"]["identifier"]["value"])
        stamp = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        pointer_id = f"{organisation}-{uuid.uuid4()}"
        new = held(
            number,
            {**resource, "id": pointer_id, "date": stamp, "meta": {**resource.get("meta", {}), "lastUpdated": stamp}},
        )
        with self._lock:
            replaced = self._replaced(new, organisation)
            for old in replaced:
                del self._held[old]
            self._held[pointer_id] = new
            self.written.append(request.body)
        where = {"Location": f"/producer/FHIR/R4/DocumentReference/{pointer_id}"}
        if replaced:
            words = "The document has been superseded by a new version"
            return success(NrlCode.RESOURCE_SUPERSEDED, "Resource created and resource(s) deleted", words, 201, where)
        return success(NrlCode.RESOURCE_CREATED, "Resource created", "The document has been created", 201, where)

    def _replaced(self, new: Held, organisation: str) -> list[str]:
        """Ids of the pointers that go when this one comes."""
        replaced = []
        for index, relation in enumerate(new.resource.get("relatesTo", ())):
            if relation["code"] != "replaces":
                continue
            old_id = relation["target"]["identifier"]["value"]
            place = f"relatesTo[{index}].target.identifier.value"
            if old_id.partition("-")[0] != organisation:
                raise Refused(NrlCode.BAD_REQUEST, "The target does not include the expected ODS code", place=place)
            old = self._held.get(old_id)
            if old is None:
                raise Refused(NrlCode.BAD_REQUEST, "The relatesTo target document does not exist", place=place)
            if (old.number, old.kind) != (new.number, new.kind):
                raise Refused(NrlCode.BAD_REQUEST, "The target's NHS number or type does not match", place=place)
            replaced.append(old_id)
        return replaced

    def _delete(self, pointer_id: str, organisation: str) -> TwinResponse:
        found = self._find(pointer_id, "producer", organisation, "deleted")
        with self._lock:
            self._held.pop(found.id, None)
        return success(NrlCode.RESOURCE_REMOVED, "Resource removed", "Resource removed")


def configure(twin: NrlTwin, base_url: str) -> dict[str, Any]:
    """The table of a configuration that reaches the twin."""
    root = base_url.rstrip("/")
    return {
        "adapter": "nrl",
        "endpoint": f"{root}{BASE_PATH}",
        # Made-up people only, and gone with the process.
        "allow_writes": True,
        "settings": {
            "token_url": root + twin.authorisation.path,
            "key_id": twin.authorisation.key_id,
            "document_hosts": [root.partition("://")[2]],
            "ssp": {
                "url": f"{root}{PROXY_PATH}",
                "asid": CONSUMER_ASID,
                "issuer": "https://consumer.sandbox.invalid",
                "hosts": [HOST],
            },
            "publish": {
                "document_url": f"ssp://{HOST}/plans/{{reference}}.pdf",
                "asid": PROVIDER_ASID,
                "practice_setting": {"code": "788002001", "display": "Adult mental health service"},
            },
        },
        "secrets": {"api_key": twin.authorisation.api_key, "private_key": twin.authorisation.private_key_pem},
    }


def _once(query: tuple[tuple[str, str], ...]) -> dict[str, str]:
    asked = dict(query)
    if len(asked) < len(query):
        raise Refused(NrlCode.INVALID_PARAMETER, "A parameter is given twice")
    return asked


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = parse_json(body)
    except AnswerRejected:
        content = None
    if not isinstance(content, dict):
        raise Refused(NrlCode.MESSAGE_NOT_WELL_FORMED, "Request body could not be parsed")
    return content


def _subject(asked: Mapping[str, str]) -> NhsNumber:
    if "subject:identifier" not in asked:
        raise Refused(NrlCode.INVALID_PARAMETER, "subject:identifier is needed", place="subject:identifier")
    system, _, value = asked["subject:identifier"].partition("|")
    try:
        number = nhs_number(value) if system == NHS_NUMBER_SYSTEM and value.isdigit() else None
    except NotAnNhsNumber:
        number = None
    if number is None:
        raise Refused(
            NrlCode.INVALID_NHS_NUMBER,
            "A valid NHS number is required to search for document references",
            place="subject:identifier",
        )
    return number


def _codes(text: str | None, name: str) -> frozenset[str]:
    pairs = [each.partition("|") for each in text.split(",")] if text else []
    if any(system != SNOMED for system, _, _ in pairs):
        raise Refused(NrlCode.INVALID_CODE_SYSTEM, f"Invalid {name}", place=name)
    return frozenset(code for _, _, code in pairs)


def _custodian(text: str | None) -> str | None:
    if text is None:
        return None
    system, _, code = text.partition("|")
    if system != ODS_ORGANIZATION_SYSTEM or not _ODS.fullmatch(code):
        raise Refused(NrlCode.INVALID_PARAMETER, "Invalid custodian", place="custodian:identifier")
    return code
