"""Who asks, as every practice's audit trail shall have it: the unsigned token of each request.

Source: GP Connect API 1.5, "Cross-organisation audit and provenance": JWT generation (header `alg` none, `typ` JWT,
empty signature, trailing dot; a new one for each request) and JWT payload (ten claims; `exp` five minutes after
`iat`; `sub` = `requesting_practitioner.id`; no fixed values or generic "system" users). RFC 7515, section 2
(base64url without padding); RFC 7519, section 6 (unsecured JWT).
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib import metadata
from typing import Any

from mpftconnect.adapters import Deadline
from mpftconnect.errors import NotPermitted
from mpftconnect.fhir import dump_json
from mpftconnect.model import ODS_ORGANIZATION_SYSTEM, AccessContext
from mpftconnect_gpconnect.interactions import Interaction
from mpftconnect_gpconnect.settings import ConsumingOrganisation

__all__ = ["LIFETIME_SECONDS", "Consumer", "UnsignedToken", "claims", "name_of"]

# "The expiration time SHALL be set to 5 minutes after the token creation time": neither more nor less.
LIFETIME_SECONDS = 300

_SDS_USER = "https://fhir.nhs.uk/Id/sds-user-id"
_SDS_ROLE_PROFILE = "https://fhir.nhs.uk/Id/sds-role-profile-id"
# "or the value UNK if the user is not logged on with an NHS smartcard"
_UNKNOWN = "UNK"
_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
_TITLES = frozenset(
    ("mr", "mrs", "ms", "miss", "mx", "dr", "prof", "professor", "sir", "dame", "rev", "sister", "matron", "nurse")
)
# A user of one of these names is nobody: "SHALL NOT be populated with fixed values or a generic "system" user".
_GENERIC = frozenset(
    {
        *("admin", "administrator", "anonymous", "api", "application", "batch", "default", "generic", "gpconnect"),
        *("guest", "integration", "mpftconnect", "nobody", "none", "portal", "robot", "root", "scheduler", "service"),
        *("svc", "system", "sysadmin", "test", "unk", "unknown", "user"),
    }
)
_SEPARATORS = re.compile(r"[\s._\-]+")


@dataclass(frozen=True, slots=True)
class Consumer:
    """The consuming system.

    Args:
        issuer: Its own address.
        device: What it is called where the user's own device is not known.
        organisations: By ODS code.
    """

    issuer: str
    device: str
    organisations: Mapping[str, ConsumingOrganisation]

    def organisation(self, who: AccessContext, system: str) -> ConsumingOrganisation:
        """The organisation that the user acts for.

        Raises:
            NotPermitted: It has no system identifier of its own here, and another's must not be used for it.
        """
        found = self.organisations.get(who.organisation)
        if found is None:
            raise NotPermitted(
                "the user's organisation has no system identifier (ASID) of its own in the settings", system=system
            )
        return found

    def identifier_system(self, kind: str) -> str:
        return f"{self.issuer.rstrip('/')}/Id/{kind}"


def name_of(text: str) -> dict[str, Any] | None:
    """A user's name as FHIR STU3 `HumanName`; None if it holds no family and given name.

    >>> name_of("Dr Claire Jones")
    {'family': 'Jones', 'given': ['Claire'], 'prefix': ['Dr']}
    >>> name_of("OKAFOR, Grace (Mrs)")
    {'family': 'OKAFOR', 'given': ['Grace'], 'prefix': ['Mrs']}
    >>> print(name_of("system"))
    None
    """
    bare, _, bracketed = text.partition("(")
    prefix = [bracketed.strip(" )")] if bracketed.strip(" )") else []
    family, comma, rest = bare.partition(",")
    words = (rest if comma else bare).split()
    while words and words[0].rstrip(".").casefold() in _TITLES:
        prefix.append(words.pop(0))
    if not comma:
        family = words.pop() if words else ""
    if not words or not family.strip():
        return None
    return {"family": family.strip(), "given": words, **({"prefix": prefix} if prefix else {})}


def claims(
    who: AccessContext, consumer: Consumer, interaction: Interaction, *, audience: str, now: datetime, system: str
) -> dict[str, Any]:
    """The ten claims.

    Args:
        audience: The practice's base URL, exactly as the directory gave it.
    Raises:
        NotPermitted: The user is nobody in particular, or acts for an organisation that is not known here.
    """
    organisation = consumer.organisation(who, system)
    name = name_of(who.name)
    if _is_generic(who.user) or name is None or _is_generic(who.name):
        raise NotPermitted(
            "GP Connect wants the person who asks, by user id, given name and family name: not a system user",
            system=system,
        )
    issued = int(now.timestamp())
    user = _logical_id(who.user, consumer)
    return {
        "iss": consumer.issuer,
        "sub": user,
        "aud": audience,
        "exp": issued + LIFETIME_SECONDS,
        "iat": issued,
        "reason_for_request": "directcare",
        "requested_scope": interaction.scope,
        "requesting_device": {
            "resourceType": "Device",
            "identifier": [_identifier(consumer.identifier_system("device"), who.device or consumer.device)],
            "model": "mpftconnect",
            "version": _version(),
        },
        "requesting_organization": {
            "resourceType": "Organization",
            "identifier": [_identifier(ODS_ORGANIZATION_SYSTEM, who.organisation)],
            "name": organisation.name,
        },
        "requesting_practitioner": {
            "resourceType": "Practitioner",
            "id": user,
            "identifier": [
                _identifier(_SDS_USER, who.practitioner_id or _UNKNOWN),
                _identifier(_SDS_ROLE_PROFILE, who.role_profile_id or _UNKNOWN),
                _identifier(consumer.identifier_system("user"), who.user),
            ],
            "name": [name],
        },
    }


class UnsignedToken:
    """Puts a new token on each attempt at a request, retries included."""

    def __init__(
        self,
        who: AccessContext,
        consumer: Consumer,
        interaction: Interaction,
        *,
        audience: str,
        now: Callable[[], datetime],
        system: str,
    ) -> None:
        self._who, self._consumer, self._interaction = who, consumer, interaction
        self._audience, self._now, self._system = audience, now, system

    def apply(self, headers: Mapping[str, str], deadline: Deadline | None = None) -> dict[str, str]:
        said = claims(
            self._who,
            self._consumer,
            self._interaction,
            audience=self._audience,
            now=self._now(),
            system=self._system,
        )
        token = f"{_encoded({'alg': 'none', 'typ': 'JWT'})}.{_encoded(said)}."
        return {**headers, "Authorization": f"Bearer {token}"}

    def renew(self, refused: Mapping[str, str]) -> bool:
        return False  # another token would say the same


def _encoded(part: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(dump_json(part)).rstrip(b"=").decode("ascii")


def _identifier(system: str, value: str) -> dict[str, str]:
    return {"system": system, "value": value}


def _is_generic(text: str) -> bool:
    words = [word for word in _SEPARATORS.split(text.casefold()) if word]
    return not words or all(word.rstrip("0123456789") in {*_GENERIC, ""} for word in words)


def _logical_id(user: str, consumer: Consumer) -> str:
    """The user id if it is a FHIR id, else a UUID that is always the same for the same user of the same consumer."""
    return user if _FHIR_ID.fullmatch(user) else str(uuid.uuid5(uuid.NAMESPACE_URL, f"{consumer.issuer}#{user}"))


@lru_cache(maxsize=1)
def _version() -> str:
    return metadata.version("mpftconnect")
