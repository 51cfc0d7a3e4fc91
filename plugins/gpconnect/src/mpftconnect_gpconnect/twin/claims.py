"""A provider's check of the token that comes with every request.

Source: GP Connect API 1.5, "Cross-organisation audit and provenance" (JWT generation, JWT payload), "Security
guidance" (authorisation of access to endpoints) and "Error handling": a token that is missing, malformed or holds
an invalid value is BAD_REQUEST, a claim that is no valid FHIR resource INVALID_RESOURCE.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from mpftconnect.errors import AnswerRejected
from mpftconnect.fhir import parse_json
from mpftconnect_gpconnect.twin.refusals import Refused

__all__ = ["checked_claims", "organisation_of"]

_ODS = "https://fhir.nhs.uk/Id/ods-organization-code"
_SDS_USER, _SDS_ROLE = "https://fhir.nhs.uk/Id/sds-user-id", "https://fhir.nhs.uk/Id/sds-role-profile-id"
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_CLAIMS = (
    *("iss", "sub", "aud", "exp", "iat", "reason_for_request", "requested_scope"),
    *("requesting_device", "requesting_organization", "requesting_practitioner"),
)
_LIFETIME_SECONDS = 300
# Clocks differ a little; a token of the future beyond that is refused.
_SKEW_SECONDS = 10
_CONFIDENTIALITY = frozenset({"conf/N", "conf/R"})


def checked_claims(authorization: str | None, *, audience: str, scope: str, now: float) -> Mapping[str, Any]:
    """The claims of a good token.

    Args:
        authorization: The header.
        audience: The base URL under which the directory lists this provider.
        scope: What this request needs, such as `patient/*.read`.
        now: Seconds since 1970.
    Raises:
        Refused: Anything is wrong with it.
    """
    claims = _decoded(authorization)
    for name in _CLAIMS:
        if claims.get(name) in (None, "", {}, []):
            raise Refused("BAD_REQUEST", f"Empty JWT {name} claim")
    _check_times(claims, now)
    if claims["aud"] != audience:
        raise Refused("BAD_REQUEST", "JWT aud claim is not this server")
    if not isinstance(claims["iss"], str) or not claims["iss"].startswith(("https://", "http://")):
        raise Refused("BAD_REQUEST", "JWT iss claim is not a URL")
    if claims["reason_for_request"] != "directcare":
        raise Refused("BAD_REQUEST", "JWT reason_for_request claim")
    asked = claims["requested_scope"].split(" ") if isinstance(claims["requested_scope"], str) else []
    if asked[:1] != [scope] or not set(asked[1:]) <= _CONFIDENTIALITY:
        raise Refused("BAD_REQUEST", "JWT requested_scope claim")
    _check_device(_resource(claims, "requesting_device", "Device"))
    _check_organization(_resource(claims, "requesting_organization", "Organization"))
    _check_practitioner(_resource(claims, "requesting_practitioner", "Practitioner"), claims["sub"])
    return claims


def organisation_of(claims: Mapping[str, Any]) -> str:
    """ODS code of the organisation that asks, by its token."""
    identifiers = claims["requesting_organization"]["identifier"]
    return next(str(each["value"]) for each in identifiers if each.get("system") == _ODS)


def _decoded(authorization: str | None) -> Mapping[str, Any]:
    if authorization is None or not authorization.startswith("Bearer "):
        raise Refused("BAD_REQUEST", "no bearer token")
    parts = authorization.removeprefix("Bearer ").split(".")
    # Two dots, and nothing after the second: an unsecured token has an empty signature.
    if len(parts) != 3 or parts[2]:
        raise Refused("BAD_REQUEST", "not an unsecured JWT")
    header, claims = (_json(part) for part in parts[:2])
    if header.get("alg") != "none" or header.get("typ") != "JWT":
        raise Refused("BAD_REQUEST", "JWT header")
    return claims


def _json(part: str) -> Mapping[str, Any]:
    if not _BASE64URL.fullmatch(part):
        raise Refused("BAD_REQUEST", "JWT is not base64url")
    try:
        found = parse_json(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, AnswerRejected):
        raise Refused("BAD_REQUEST", "JWT is not base64url encoded JSON") from None
    if not isinstance(found, Mapping):
        raise Refused("BAD_REQUEST", "JWT part is no object")
    return found


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    issued, expires = claims["iat"], claims["exp"]
    if not all(isinstance(each, int) and not isinstance(each, bool) for each in (issued, expires)):
        raise Refused("BAD_REQUEST", "JWT iat or exp claim is not an integer")
    if expires - issued != _LIFETIME_SECONDS:
        raise Refused("BAD_REQUEST", "JWT exp claim is not 5 minutes after iat")
    if issued > now + _SKEW_SECONDS:
        raise Refused("BAD_REQUEST", "JWT iat claim is in the future")
    if expires <= now:
        raise Refused("BAD_REQUEST", "JWT has expired")


def _resource(claims: Mapping[str, Any], name: str, kind: str) -> Mapping[str, Any]:
    resource = claims[name]
    if not isinstance(resource, Mapping) or resource.get("resourceType") != kind:
        raise Refused("BAD_REQUEST", f"JWT {name} claim is not a {kind}")
    identifiers = resource.get("identifier")
    if not isinstance(identifiers, list) or not all(
        isinstance(each, Mapping) and _is_text(each.get("system")) and _is_text(each.get("value"))
        for each in identifiers
    ):
        raise Refused("INVALID_RESOURCE", f"JWT {name} claim has no identifiers")
    return resource


def _check_device(device: Mapping[str, Any]) -> None:
    if not device["identifier"] or not _is_text(device.get("model")) or not _is_text(device.get("version")):
        raise Refused("INVALID_RESOURCE", "JWT requesting_device claim")


def _check_organization(organization: Mapping[str, Any]) -> None:
    if not _is_text(organization.get("name")) or not any(each["system"] == _ODS for each in organization["identifier"]):
        raise Refused("INVALID_RESOURCE", "JWT requesting_organization claim")


def _check_practitioner(practitioner: Mapping[str, Any], subject: Any) -> None:
    if not _is_text(practitioner.get("id")) or practitioner["id"] != subject:
        raise Refused("BAD_REQUEST", "JWT sub claim is not requesting_practitioner.id")
    systems = [each["system"] for each in practitioner["identifier"]]
    if _SDS_USER not in systems or _SDS_ROLE not in systems or len(systems) < 3:
        raise Refused("INVALID_RESOURCE", "JWT requesting_practitioner claim lacks identifiers")
    names = practitioner.get("name")
    name = names[0] if isinstance(names, list) and names and isinstance(names[0], Mapping) else {}
    given = name.get("given")
    if not _is_text(name.get("family")) or not isinstance(given, list) or not given or not all(map(_is_text, given)):
        raise Refused("INVALID_RESOURCE", "JWT requesting_practitioner claim lacks a name")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
