"""The practices of the synthetic people, as they are registered with the Spine, and the directory that tells of them.

Source: Spine Directory Service FHIR API (NHSDigital/spine-directory-service-api at dc9c89d7): paths /Device and
/Endpoint, components/schemas and examples; GP Connect API 1.5, "Registering endpoints": a service root URL for each
capability. System identifiers, party keys and addresses are made up.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpftconnect.adapters import TwinRequest, TwinResponse, json_response
from mpftconnect.model import ODS_ORGANIZATION_SYSTEM
from mpftconnect.sandbox import Person

__all__ = ["DIRECTORY_PATH", "HOST", "Directory", "Service", "services_of"]

DIRECTORY_PATH = "/spine-directory/FHIR/R4"
HOST = "https://gp-systems.example"

_BASE = "urn:nhs:names:services:gpconnect:"
# By capability: the last part of its address, and its interactions, each with what its token must ask for.
CAPABILITIES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "structured": (
        "STU3/1/GPConnect/Structured",
        {
            f"{_BASE}fhir:operation:gpc.getstructuredrecord-1": "patient/*.read",
            f"{_BASE}structured:fhir:rest:read:metadata-1": "organization/*.read",
        },
    ),
    "documents": (
        "STU3/1/GPConnect/Documents",
        {
            f"{_BASE}documents:fhir:rest:search:patient-1": "patient/*.read",
            f"{_BASE}documents:fhir:rest:search:documentreference-1": "patient/*.read",
            f"{_BASE}documents:fhir:rest:read:binary-1": "patient/*.read",
            f"{_BASE}documents:fhir:rest:read:metadata-1": "organization/*.read",
        },
    ),
}
_SYSTEM = "https://fhir.nhs.uk/Id/"
_EXTENSION = "https://fhir.nhs.uk/StructureDefinition/Extension-SDS-"
_NAMESPACE = uuid.UUID("5f1c0f3e-7a52-4d0e-9b7e-0d7f3b1c9a10")


@dataclass(frozen=True, slots=True)
class Service:
    """One capability of one practice."""

    practice: str
    capability: str

    @property
    def asid(self) -> str:
        return f"2{zlib.crc32(f'{self.practice}/{self.capability}'.encode()) % 10**11:011d}"

    @property
    def party_key(self) -> str:
        return f"{self.practice}-8{zlib.crc32(self.capability.encode()) % 10**5:05d}"

    @property
    def path(self) -> str:
        return f"{self.practice}/{CAPABILITIES[self.capability][0]}"

    @property
    def interactions(self) -> Mapping[str, str]:
        return CAPABILITIES[self.capability][1]

    def address(self, host: str) -> str:
        return f"{host}/{self.path}"


def services_of(people: Iterable[Person], system: str) -> tuple[Service, ...]:
    """Every capability of every practice at which somebody is registered."""
    codes = {
        actor.organization_code
        for person in people
        if system in person.systems
        for actor in person.patient_at(system).general_practitioner
        if actor.organization_code
    }
    return tuple(Service(code, capability) for code in sorted(codes) for capability in CAPABILITIES)


class Directory:
    """The Spine Directory Service.

    Args:
        services: What practices offer.
        consumers: ASID of each consuming organisation, by ODS code.
        api_key: What an application must send.
    """

    def __init__(self, services: Sequence[Service], consumers: Mapping[str, str], api_key: str) -> None:
        self._services, self._consumers, self._api_key = services, consumers, api_key

    def handle(self, request: TwinRequest, host: str) -> TwinResponse:
        """Answer.

        Args:
            host: Where practices' addresses begin.
        """
        if request.headers.get("apikey") != self._api_key:
            return _outcome(401, "login", "ACCESS_DENIED")
        kind = request.path.removeprefix(f"{DIRECTORY_PATH}/")
        if kind not in ("Device", "Endpoint"):
            return _outcome(404, "not-found", "RESOURCE_NOT_FOUND")
        if request.method != "GET":
            return _outcome(405, "not-supported", "INVALID_METHOD")
        identifiers = dict(_token(one) for one in request.all("identifier"))
        system, organisation = _token(request.first("organization") or "")
        interaction = identifiers.get(f"{_SYSTEM}nhsServiceInteractionId")
        if system != ODS_ORGANIZATION_SYSTEM or not organisation or not interaction:
            return _outcome(400, "required", "MISSING_VALUE")
        party_key = identifiers.get(f"{_SYSTEM}nhsMhsPartyKey")
        made = [
            _device(one, organisation) if kind == "Device" else _endpoint(one, host)
            for one in self._services
            if one.practice == organisation and interaction in one.interactions and party_key in (None, one.party_key)
        ]
        if kind == "Device" and organisation in self._consumers and party_key is None:
            made.append(self._consumer(organisation))
        base = f"{request.base_url}{DIRECTORY_PATH}"
        return json_response(
            {
                "resourceType": "Bundle",
                "id": str(uuid.uuid4()).upper(),
                "type": "searchset",
                "total": len(made),
                "link": [{"relation": "self", "url": f"{base}/{kind}"}],
                "entry": [
                    {"fullUrl": f"{base}/{kind}/{one['id']}", "resource": one, "search": {"mode": "match"}}
                    for one in made
                ],
            }
        )

    def _consumer(self, organisation: str) -> dict[str, Any]:
        every = [interaction for _, interactions in CAPABILITIES.values() for interaction in interactions]
        return _device_resource(organisation, self._consumers[organisation], f"{organisation}-900001", every)


def _device(service: Service, organisation: str) -> dict[str, Any]:
    return _device_resource(organisation, service.asid, service.party_key, list(service.interactions))


def _device_resource(organisation: str, asid: str, party_key: str, interactions: Sequence[str]) -> dict[str, Any]:
    return {
        "resourceType": "Device",
        "id": str(uuid.uuid5(_NAMESPACE, f"device/{asid}")).upper(),
        "identifier": [
            {"system": f"{_SYSTEM}nhsSpineASID", "value": asid},
            {"system": f"{_SYSTEM}nhsMhsPartyKey", "value": party_key},
        ],
        "extension": [_interaction(each) for each in interactions],
        "owner": {"identifier": {"system": ODS_ORGANIZATION_SYSTEM, "value": organisation}},
    }


def _endpoint(service: Service, host: str) -> dict[str, Any]:
    return {
        "resourceType": "Endpoint",
        "id": str(uuid.uuid5(_NAMESPACE, f"endpoint/{service.asid}")).upper(),
        "status": "active",
        "connectionType": {
            "system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type",
            "code": "hl7-fhir-rest",
        },
        "payloadType": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/endpoint-payload-type", "code": "any"}]}
        ],
        "address": service.address(host),
        "managingOrganization": {"identifier": {"system": ODS_ORGANIZATION_SYSTEM, "value": service.practice}},
        "identifier": [{"system": f"{_SYSTEM}nhsMhsPartyKey", "value": service.party_key}],
        "extension": [_interaction(each) for each in service.interactions],
    }


def _interaction(value: str) -> dict[str, Any]:
    return {
        "url": f"{_EXTENSION}NhsServiceInteractionId",
        "valueReference": {"identifier": {"system": f"{_SYSTEM}nhsServiceInteractionId", "value": value}},
    }


def _token(text: str) -> tuple[str, str]:
    system, _, value = text.partition("|")
    return system, value


def _outcome(status: int, issue_type: str, code: str) -> TwinResponse:
    coding = {"system": "https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode", "code": code}
    issue = {"severity": "error", "code": issue_type, "details": {"coding": [coding]}}
    return json_response({"resourceType": "OperationOutcome", "issue": [issue]}, status)
