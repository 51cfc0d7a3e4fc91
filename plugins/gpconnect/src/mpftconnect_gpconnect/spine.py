"""One request to one practice's system: by the Spine Secure Proxy, or directly where a site allows that.

Source: GP Connect API 1.5, "Spine Secure Proxy": Constructing a request (the proxy's address, a slash, then the
whole address at the practice) and HTTP headers.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mpftconnect.adapters import ApiKeyHeader, Auth, Reading, Wire, origin
from mpftconnect.errors import NotPermitted, NotShown
from mpftconnect_gpconnect.directory import Practice, look_up, registered_asids
from mpftconnect_gpconnect.interactions import Interaction
from mpftconnect_gpconnect.outcomes import judged
from mpftconnect_gpconnect.settings import GpConnectSettings
from mpftconnect_gpconnect.token import Consumer, UnsignedToken

__all__ = ["Spine"]

_JSON = "application/fhir+json;charset=utf-8"


@dataclass(frozen=True, slots=True)
class Spine:
    """The way to every practice.

    Args:
        settings: Of the configured GP Connect.
        directory_auth: What the directory knows the application by.
    """

    settings: GpConnectSettings
    directory_auth: Auth

    @classmethod
    def of(cls, settings: GpConnectSettings, api_key: str) -> Spine:
        return cls(settings, ApiKeyHeader(api_key))

    @property
    def consumer(self) -> Consumer:
        return Consumer(self.settings.issuer, self.settings.device, self.settings.organisations)

    def practice(self, reading: Reading, interaction: Interaction) -> Practice:
        """The system of the person's practice for this interaction: looked up once for this reading, then forgotten.

        Raises:
            NotShown: No practice is known, or it must not be asked.
            AdapterError: As `look_up` does.
        """
        organisation = practice_of(reading)
        key = f"gpconnect.directory.{organisation}.{interaction.id}"
        return reading.once(key, lambda: look_up(reading, self._directory(reading.wire), organisation, interaction.id))

    def practice_at(self, reading: Reading, organisation: str, interaction: Interaction) -> Practice:
        """The same for a practice that is named: for checks of the connection, which are about nobody."""
        return look_up(reading, self._directory(reading.wire), organisation, interaction.id)

    def own_asids(self, reading: Reading, organisation: str, interaction: Interaction) -> frozenset[str]:
        return registered_asids(reading, self._directory(reading.wire), organisation, interaction.id)

    def get(
        self,
        reading: Reading,
        practice: Practice,
        interaction: Interaction,
        path: str,
        params: Sequence[tuple[str, str]] = (),
    ) -> Mapping[str, Any]:
        """What the practice's system answers to a GET below its base URL.

        Raises:
            AdapterError: No resource came; see `outcomes`.
        """
        wire, prefix = self._way(reading, practice, interaction)
        headers = {"Accept": _JSON, **self._headers(reading, practice, interaction)}
        return judged(wire.get(f"{prefix}/{path}", tuple(params), headers=headers, label=interaction.label))

    def post(
        self, reading: Reading, practice: Practice, interaction: Interaction, path: str, body: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """What the practice's system answers to a read by POST."""
        wire, prefix = self._way(reading, practice, interaction)
        headers = {"Accept": _JSON, "Content-Type": _JSON, **self._headers(reading, practice, interaction)}
        answer = wire.post(f"{prefix}/{path}", json=body, headers=headers, safe=True, label=interaction.label)
        return judged(answer)

    def _directory(self, wire: Wire) -> Wire:
        return wire.bound(auth=self.directory_auth)

    def _headers(self, reading: Reading, practice: Practice, interaction: Interaction) -> dict[str, str]:
        sender = self.consumer.organisation(reading.who, reading.system)
        return {
            "Ssp-TraceID": str(uuid.uuid4()),
            "Ssp-From": sender.asid,
            "Ssp-To": practice.asid,
            "Ssp-InteractionID": interaction.id,
        }

    def _way(self, reading: Reading, practice: Practice, interaction: Interaction) -> tuple[Wire, str]:
        """A wire to whoever takes the request, and what stands there before the path."""
        token = UnsignedToken(
            reading.who,
            self.consumer,
            interaction,
            audience=practice.address,
            now=reading.now,
            system=reading.system,
        )
        if self.settings.spine_secure_proxy is not None:
            # The practice's address is part of the path: whatever the directory says, the proxy is spoken to.
            proxy = reading.wire.elsewhere(self.settings.spine_secure_proxy, client_certificate=True)
            return proxy.bound(auth=token), f"/{practice.base}"
        if not self._may_be_spoken_to(reading, practice):
            raise NotPermitted(
                "the practice's system is not among those that may be spoken to directly", system=reading.system
            )
        return reading.wire.elsewhere(practice.base, client_certificate=True).bound(auth=token), ""

    def _may_be_spoken_to(self, reading: Reading, practice: Practice) -> bool:
        """Whether a host that only the directory named may be sent anything: the directory could be wrong."""
        if reading.wire.endpoint.environment == "test":
            return True
        allowed = {origin(urlsplit(each)) for each in self.settings.direct_origins}
        return origin(urlsplit(practice.address)) in allowed


def practice_of(reading: Reading) -> str:
    """ODS code of the person's GP practice, by the trace.

    Raises:
        NotShown: There is no trace; it names no practice, or several; or it does not say that the person is
            unrestricted: a practice tells where somebody lives, and is never guessed.
    """
    traced = reading.traced
    if traced is None or traced.restriction != "U":
        raise NotShown("the person's GP practice is not told by the tracing service", system=reading.system)
    codes = {actor.organization_code for actor in traced.general_practitioner if actor.organization_code}
    if len(codes) != 1:
        raise NotShown("the tracing service names no one GP practice of the person", system=reading.system)
    return codes.pop()
