"""The Spine directory, the Spine Secure Proxy and the practices' systems, as a consumer meets them.

Source: GP Connect API 1.5 (nhsconnect/gpconnect): "Spine Secure Proxy" (headers, address), "Retrieve a patient's
structured record", Access Document ("Find a patient", "Search for a patient's documents", "Retrieve a document",
"Get the FHIR capability statement") and "Error handling". That a practice checks that the proxy's `Ssp-From` belongs
to the organisation of the token is ours: the specification asks consumers to see to it.
"""

from __future__ import annotations

import base64
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from mpftconnect.adapters import Fault, FaultSwitch, TwinRequest, TwinResponse, json_response
from mpftconnect.model import DocumentReference, NhsNumber, SectionName
from mpftconnect.sandbox import Person
from mpftconnect_gpconnect.twin.claims import checked_claims, organisation_of
from mpftconnect_gpconnect.twin.entries import document_bytes
from mpftconnect_gpconnect.twin.practices import DIRECTORY_PATH, HOST, Directory, Service, services_of
from mpftconnect_gpconnect.twin.record import SYSTEM, document_bundle, patient_bundle, structured_bundle
from mpftconnect_gpconnect.twin.refusals import ProxyRefused, Refused
from mpftconnect_gpconnect.twin.requested import identifier_number, requested
from mpftconnect_gpconnect.twin.writing import tail

__all__ = ["PROXY_PATH", "GpConnectTwin", "configure"]

PROXY_PATH = "/ssp"
_NO_STORE = {"Cache-Control": "no-store"}
_FHIR = ("application/fhir+json", "application/json", "*/*", "application/fhir+json;charset=utf-8")
# Consuming organisations with their system identifiers, as the Spine knows them.
CONSUMERS: Mapping[str, str] = {"RRE": "200000000359", "ZZ210": "200000000360"}
NAMES: Mapping[str, str] = {
    "RRE": "Midlands Partnership University NHS Foundation Trust",
    "ZZ210": "Northmere Pathology Service",
}
_INCLUDES = frozenset(
    {
        ("_include", "DocumentReference:subject:Patient"),
        ("_include", "DocumentReference:custodian:Organization"),
        ("_include", "DocumentReference:author:Organization"),
        ("_include", "DocumentReference:author:Practitioner"),
        ("_revinclude:recurse", "PractitionerRole:practitioner"),
    }
)
_DOCUMENT_FILTERS = frozenset({"created", "facility", "author", "type", "description"})


@dataclass(frozen=True, slots=True)
class _Call:
    """A request as it reaches a practice: whose system, which path below its base URL."""

    service: Service
    path: str
    address: str
    request: TwinRequest


class GpConnectTwin:
    """Answers as GP Connect does, for the synthetic people whom a practice holds.

    Faults of its own: `WRONG_PATIENT` answers with the next person's record; `NO_CONSENT` says that the person does
    not share; `LYING_TOTAL` states one document too many.

    Args:
        people: Those with a system `gpconnect`. Of the view's settings it understands `confidential` (clinical areas
            of which something is kept back), `in_transit_since` (a day in words), `dissents` and `temporary`.
        direct: Whether practices are reached without the proxy, at addresses of this twin's own.
        not_enabled: Capabilities (`structured`, `documents`) that the practices have not switched on.
        now: Time of day, seconds since 1970.
    """

    def __init__(
        self,
        people: Sequence[Person],
        *,
        direct: bool = False,
        not_enabled: Sequence[str] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self.faults = FaultSwitch()
        self.api_key = str(uuid.uuid4())
        self.direct = direct
        self._not_enabled, self._now = frozenset(not_enabled), now
        self._people = {person.nhs_number: person for person in people if SYSTEM in person.systems}
        self._services = services_of(people, SYSTEM)
        self._directory = Directory(self._services, CONSUMERS, self.api_key)
        self._forced: TwinResponse | None = None

    @property
    def practices(self) -> tuple[str, ...]:
        return tuple(sorted({service.practice for service in self._services}))

    @contextmanager
    def answering(self, response: TwinResponse) -> Iterator[None]:
        """Answer every request to a practice so, for tests of answers that need a broken system."""
        self._forced = response
        try:
            yield
        finally:
            self._forced = None

    def handle(self, request: TwinRequest) -> TwinResponse:
        host = request.base_url.rstrip("/") if self.direct else HOST
        if request.path.startswith(f"{DIRECTORY_PATH}/"):
            return self._directory.handle(request, host)
        try:
            call = self._direct(request, host) if self.direct else self._proxied(request)
            if call is None:
                return TwinResponse(404, {"Content-Type": "text/plain"}, b"Not found")
            return self._answer(call)
        except (Refused, ProxyRefused) as refused:
            return refused.response()

    # The proxy

    def _proxied(self, request: TwinRequest) -> _Call | None:
        if not request.path.startswith(f"{PROXY_PATH}/"):
            return None
        headers = {name: request.headers.get(name) for name in ("Ssp-TraceID", "Ssp-From", "Ssp-To")}
        if request.method not in ("GET", "POST"):
            raise ProxyRefused(405)
        if not _is_uuid(headers["Ssp-TraceID"]) or request.headers.get("Ssp-InteractionID") is None:
            raise ProxyRefused(400, "SSP_HEADER_MISSING_OR_INVALID")
        if headers["Ssp-From"] not in CONSUMERS.values():
            raise ProxyRefused(403)
        if request.method == "POST" and "json" not in request.headers.get("Content-Type", ""):
            raise ProxyRefused(415)
        # Addresses tell capitals from small letters: nothing is folded here.
        target = request.path.removeprefix(f"{PROXY_PATH}/")
        call = self._called(request, target, HOST)
        if call is None or request.headers["Ssp-InteractionID"] not in call.service.interactions:
            raise ProxyRefused(400)
        if headers["Ssp-To"] != call.service.asid:
            raise ProxyRefused(403, "FOT_CHECK_FAILED_MESSAGESENDER_MESSAGERECEIVER")
        return call

    def _direct(self, request: TwinRequest, host: str) -> _Call | None:
        return self._called(request, f"{host}{request.path}", host)

    def _called(self, request: TwinRequest, target: str, host: str) -> _Call | None:
        for service in self._services:
            address = service.address(host)
            if target.startswith(f"{address}/"):
                return _Call(service, target.removeprefix(f"{address}/"), address, request)
        return None

    # A practice's system

    def _answer(self, call: _Call) -> TwinResponse:
        request = call.request
        if self._forced is not None:
            return self._forced
        interaction = request.headers.get("Ssp-InteractionID", "")
        if interaction not in call.service.interactions:
            raise Refused("BAD_REQUEST", "Ssp-InteractionID")
        scope = call.service.interactions[interaction]
        claims = checked_claims(
            request.headers.get("Authorization"), audience=call.address, scope=scope, now=self._now()
        )
        if CONSUMERS.get(organisation_of(claims)) != request.headers.get("Ssp-From"):
            raise Refused("BAD_REQUEST", "Ssp-From is not the requesting organisation's")
        accepted = [part.partition(";")[0].strip() for part in request.headers.get("Accept", "*/*").split(",")]
        if not set(accepted) & set(_FHIR):
            return TwinResponse(406, {"Content-Type": "text/plain"}, b"Not acceptable")
        routes: Mapping[str, tuple[str, re.Pattern[str], Callable[[_Call, re.Match[str]], Any]]] = {
            "gpc.getstructuredrecord-1": ("POST", re.compile(r"Patient/\$gpc\.getstructuredrecord"), self._structured),
            "metadata-1": ("GET", re.compile("metadata"), self._metadata),
            "patient-1": ("GET", re.compile("Patient"), self._find),
            "documentreference-1": ("GET", re.compile("Patient/([^/]+)/DocumentReference"), self._documents),
            "binary-1": ("GET", re.compile("Binary/([^/]+)"), self._binary),
        }
        method, path, answer = routes[interaction.rpartition(":")[2]]
        matched = path.fullmatch(call.path)
        if request.method != method or matched is None:
            raise Refused("BAD_REQUEST", "the request is not the interaction's")
        if call.service.capability in self._not_enabled and not interaction.endswith(":metadata-1"):
            raise Refused("ACCESS_DENIED")
        return json_response(answer(call, matched), headers=_NO_STORE)

    def _structured(self, call: _Call, _: re.Match[str]) -> dict[str, Any]:
        asked = requested(call.request.body, self._today)
        person = self._shown(asked.number, call.service.practice)
        return structured_bundle(person, asked, self._document_address(call))

    def _find(self, call: _Call, _: re.Match[str]) -> dict[str, Any]:
        given = call.request.all("identifier")
        if len(given) != 1:
            raise Refused("INVALID_PARAMETER", "identifier")
        system, _bar, value = given[0].partition("|")
        number = identifier_number({"system": system, "value": value})
        try:
            return patient_bundle(self._shown(number, call.service.practice))
        except Refused as refused:
            if refused.code != "PATIENT_NOT_FOUND":
                raise
            return patient_bundle(None)

    def _documents(self, call: _Call, matched: re.Match[str]) -> dict[str, Any]:
        query = set(call.request.query)
        if not query >= _INCLUDES or not {name for name, _ in query - _INCLUDES} <= _DOCUMENT_FILTERS:
            raise Refused("INVALID_PARAMETER", "mandatory _include parameters")
        bundle = document_bundle(self._filed_under(matched[1], call.service.practice), self._document_address(call))
        if Fault.LYING_TOTAL in self.faults:
            bundle["total"] += 1
        return bundle

    def _binary(self, call: _Call, matched: re.Match[str]) -> dict[str, Any]:
        for person in self._people.values():
            for item in person.systems[SYSTEM].items.get(SectionName.DOCUMENTS, ()):
                if not isinstance(item, DocumentReference) or tail(item.source.id) != matched[1]:
                    continue
                self._shown(person.nhs_number, call.service.practice, substitute=False)
                data = document_bytes(item)
                if data is not None:
                    kind = item.attachments[0].content_type or "application/octet-stream"
                    return {
                        "resourceType": "Binary",
                        "id": matched[1],
                        "meta": {"versionId": "1"},
                        "contentType": kind,
                        "content": base64.b64encode(data).decode("ascii"),
                    }
        raise Refused("NO_RECORD_FOUND")

    def _metadata(self, call: _Call, _: re.Match[str]) -> dict[str, Any]:
        return {
            "resourceType": "CapabilityStatement",
            "version": "1.5.0",
            "name": f"GP Connect API - {call.service.capability}",
            "status": "active",
            "date": "2020-02-10",
            "kind": "capability",
            "fhirVersion": "3.0.1",
            "acceptUnknown": "both",
            "format": ["application/fhir+json"],
            "rest": [{"mode": "server"}],
        }

    def _shown(self, number: NhsNumber, practice: str, *, substitute: bool = True) -> Person:
        """The person, if this practice shows them to anybody.

        Raises:
            Refused: PATIENT_NOT_FOUND for everybody who is not shown, for whatever reason; NO_PATIENT_CONSENT.
        """
        person = self._people.get(number)
        if person is None or not _is_regular(person, practice):
            raise Refused("PATIENT_NOT_FOUND")
        if person.systems[SYSTEM].settings.get("dissents") or Fault.NO_CONSENT in self.faults:
            raise Refused("NO_PATIENT_CONSENT")
        if substitute and Fault.WRONG_PATIENT in self.faults:
            others = sorted(other for other in self._people if other != number)
            return self._people[next((other for other in others if other > number), others[0])]
        return person

    def _filed_under(self, local_id: str, practice: str) -> Person:
        for person in self._people.values():
            if person.systems[SYSTEM].local_id == local_id:
                return self._shown(person.nhs_number, practice)
        raise Refused("PATIENT_NOT_FOUND")

    def _document_address(self, call: _Call) -> str:
        host = call.address.removesuffix(f"/{call.service.path}")
        return Service(call.service.practice, "documents").address(host)

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now(), ZoneInfo("Europe/London")).date()


def _is_regular(person: Person, practice: str) -> bool:
    """Active, alive, not sensitive, with a verified number, and registered at this practice for general care."""
    held = person.patient_at(SYSTEM)
    codes = {actor.organization_code for actor in held.general_practitioner}
    return not (
        person.patient.restriction in ("R", "V")
        or held.deceased
        or person.patient.deceased
        or (held.verification_status or "01") != "01"
        or person.systems[SYSTEM].settings.get("temporary")
        or practice not in codes
    )


def _is_uuid(text: str | None) -> bool:
    try:
        return text is not None and str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def configure(twin: GpConnectTwin, base_url: str) -> dict[str, Any]:
    """The system's table for a configuration."""
    root = base_url.rstrip("/")
    proxy = {} if twin.direct else {"spine_secure_proxy": root + PROXY_PATH}
    check = {
        "practice": twin.practices[0],
        "organisation": "RRE",
        "user": "sandbox.tester",
        "name": "Sandie Tester",
    }
    return {
        "adapter": SYSTEM,
        "endpoint": root + DIRECTORY_PATH,
        "settings": {
            **proxy,
            "issuer": "https://mpftconnect.example/",
            "organisations": {code: {"name": NAMES[code], "asid": asid} for code, asid in CONSUMERS.items()},
            **({"check": check} if twin.practices else {}),
        },
        "secrets": {"sds_api_key": twin.api_key},
    }
