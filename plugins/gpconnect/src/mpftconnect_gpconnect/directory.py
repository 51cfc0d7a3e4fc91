"""Where a practice's system is and what it is called, by the Spine Directory Service: asked anew for every reading.

Source: Spine Directory Service FHIR API (NHSDigital/spine-directory-service-api at dc9c89d7), paths /Device and
/Endpoint with `organization` and `identifier`; GP Connect API 1.5, "Overview and querying SDS": results are not used
again for another patient encounter, and each capability is looked up by its own interaction id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from mpftconnect.adapters import Reading, Wire, is_cleartext, origin
from mpftconnect.adapters.fhir_r4 import search
from mpftconnect.errors import AnswerRejected, NotShown
from mpftconnect.model import ODS_ORGANIZATION_SYSTEM

__all__ = ["NotRegistered", "Practice", "look_up", "registered_asids"]

_INTERACTION = "https://fhir.nhs.uk/Id/nhsServiceInteractionId"
_PARTY_KEY = "https://fhir.nhs.uk/Id/nhsMhsPartyKey"
_ASID = "https://fhir.nhs.uk/Id/nhsSpineASID"
_INTERACTION_EXTENSION = "https://fhir.nhs.uk/StructureDefinition/Extension-SDS-NhsServiceInteractionId"
_TWELVE_DIGITS = re.compile(r"[0-9]{12}", re.ASCII)
# What may stand in an address that goes into another address: no blanks, quotes, backslashes or control characters.
_URL = re.compile(r"[A-Za-z0-9\-._~:/%!$&'()*+,;=@]{1,500}", re.ASCII)
_LONGEST_KEY = 100


class NotRegistered(NotShown):
    """The practice offers no such service: it has not registered any."""


@dataclass(frozen=True, slots=True)
class Practice:
    """One practice's system, for one interaction.

    Args:
        asid: Its accredited system identifier.
        address: Its base URL, exactly as the directory gives it: addresses tell capitals from small letters.
    """

    asid: str
    address: str

    @property
    def base(self) -> str:
        return self.address.rstrip("/")


def look_up(reading: Reading, directory: Wire, organisation: str, interaction: str) -> Practice:
    """The one system that a practice has registered for the interaction.

    Raises:
        NotRegistered: The practice has registered none.
        AnswerRejected: It has registered several, or what the directory says cannot be used.
        AdapterError: The directory did not answer.
    """
    asked = replace(reading, wire=directory)
    asids = {found for device in _found(asked, "Device", organisation, interaction) for found in _registrations(device)}
    if not asids:
        raise NotRegistered("the person's GP practice is not registered in the Spine directory for this")
    if len(asids) > 1:
        raise _rejected(reading, "Device", "more than one system is registered, and nothing says which to ask")
    ((asid, party_key),) = asids
    endpoints = {
        str(endpoint.get("address"))
        for endpoint in _found(asked, "Endpoint", organisation, interaction, party_key)
        if endpoint.get("status") in (None, "active")
    }
    if not endpoints:
        raise NotRegistered("the person's GP practice has no address in the Spine directory for this")
    if len(endpoints) > 1:
        raise _rejected(reading, "Endpoint", "more than one address is registered, and nothing says which to ask")
    return Practice(asid, _checked(reading, endpoints.pop()))


def registered_asids(reading: Reading, directory: Wire, organisation: str, interaction: str) -> frozenset[str]:
    """The system identifiers that an organisation has registered for the interaction."""
    asked = replace(reading, wire=directory)
    return frozenset(
        asid for device in _found(asked, "Device", organisation, interaction) for asid, _ in _registrations(device)
    )


def _found(
    reading: Reading, resource_type: str, organisation: str, interaction: str, party_key: str | None = None
) -> Iterator[Mapping[str, Any]]:
    identifiers = [("identifier", f"{_INTERACTION}|{interaction}")]
    if party_key is not None:
        identifiers.append(("identifier", f"{_PARTY_KEY}|{party_key}"))
    params = [("organization", f"{ODS_ORGANIZATION_SYSTEM}|{organisation}"), *identifiers]
    for resource in search(reading, resource_type, params):
        # A notice that the directory attached is about the directory, and no section's.
        if isinstance(resource, Mapping) and _is_for(resource, interaction):
            yield resource


def _is_for(resource: Mapping[str, Any], interaction: str) -> bool:
    """Whether it is registered for that interaction: the answer to one is never used for another."""
    stated = {
        identifier.get("value")
        for extension in _objects(resource.get("extension"))
        if extension.get("url") == _INTERACTION_EXTENSION
        and isinstance(extension.get("valueReference"), Mapping)
        and isinstance(identifier := extension["valueReference"].get("identifier"), Mapping)
    }
    return interaction in stated if stated else True


def _registrations(device: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    held = _objects(device.get("identifier"))
    asids = {str(each.get("value")) for each in held if each.get("system") == _ASID}
    keys = {str(each.get("value")) for each in held if each.get("system") == _PARTY_KEY}
    if len(asids) != 1 or len(keys) != 1 or not _TWELVE_DIGITS.fullmatch(next(iter(asids))):
        raise AnswerRejected("is not one system identifier with one party key", place="Device.identifier")
    key = keys.pop()
    if not key.isprintable() or len(key) > _LONGEST_KEY:
        raise AnswerRejected("is not a party key", place="Device.identifier")
    yield asids.pop(), key


def _checked(reading: Reading, address: str) -> str:
    try:
        split = urlsplit(address)
        scheme, host, _ = origin(split)
    except ValueError:
        raise _rejected(reading, "Endpoint.address", "is not a URL") from None
    parts = split.path.replace("%2e", ".").replace("%2E", ".").split("/")
    if scheme not in ("https", "http") or not host or split.username is not None or "." in parts or ".." in parts:
        raise _rejected(reading, "Endpoint.address", "is not the base URL of a system")
    if split.query or split.fragment or not _URL.fullmatch(address):
        raise _rejected(reading, "Endpoint.address", "is not the base URL of a system")
    if reading.wire.endpoint.environment == "live" and is_cleartext(address):
        raise _rejected(reading, "Endpoint.address", "is not encrypted")
    return address


def _rejected(reading: Reading, place: str, rule: str) -> AnswerRejected:
    return AnswerRejected(rule, system=reading.system, place=place)


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
