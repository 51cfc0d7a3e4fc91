"""What a FHIR server says that it offers: its capability statement, asked for once and then remembered.

Source: HL7 FHIR R4 (4.0.1), RESTful API, `capabilities`; CapabilityStatement, `rest.mode`, `rest.resource.type`,
`rest.resource.interaction.code`. HL7 UK, UK Core Access 0.1.0 (draft), "Server Metadata": a consumer may read it at
run time, since a provider may be without some of its capabilities for a while.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from mpftconnect.adapters import Reading
from mpftconnect.errors import AnswerRejected

__all__ = ["Statement"]


class Statement:
    """Which resource types a server says may be searched. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._types: frozenset[str] | None = None

    def searched(self, reading: Reading) -> frozenset[str]:
        """The types, asked for at the first call that succeeds, and once by one reading whatever threads it has.

        Args:
            reading: Its wire is asked, signed.
        Raises:
            AnswerRejected: What came is no capability statement.
            AdapterError: As `Wire.get_json` does; the next reading asks again.
        """
        with self._lock:
            known = self._types
        if known is None:
            known = reading.once("capability-statement", lambda: _searched(_asked(reading)))
            with self._lock:
                self._types = known
        return known


def _asked(reading: Reading) -> Any:
    return reading.wire.get_json("metadata", label="metadata")


def _searched(statement: Any) -> frozenset[str]:
    if not isinstance(statement, Mapping) or statement.get("resourceType") != "CapabilityStatement":
        raise AnswerRejected("is not a CapabilityStatement", place="metadata")
    rest = statement.get("rest")
    if not isinstance(rest, list):
        raise AnswerRejected("does not say what it offers", place="metadata.rest")
    servers = [each for each in rest if isinstance(each, Mapping) and each.get("mode") == "server"]
    resources = [each for server in servers for each in _mappings(server.get("resource"))]
    return frozenset(
        type_
        for resource in resources
        if isinstance(type_ := resource.get("type"), str)
        and any(each.get("code") == "search-type" for each in _mappings(resource.get("interaction")))
    )


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
