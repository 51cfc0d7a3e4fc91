"""Stands in for a product that receives HL7 v2 over MLLP and shows people over FHIR, with a fault for each check.

Written from HL7 2.4, chapters 2 and 3, and UK Core, Patient. Built for nobody it refuses everything.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Sequence
from typing import Any

from mpftconnect.adapters import FaultSwitch, TriedAgainst, TwinRequest, TwinResponse, TwinSpec, json_response
from mpftconnect.errors import MpftConnectError, NotAnNhsNumber
from mpftconnect.hl7v2 import Message, ack, parse
from mpftconnect.model import NHS_NUMBER_SYSTEM, nhs_number
from mpftconnect.sandbox import Person
from mpftconnect_conformance.twins.hl7v2_chart import Chart
from mpftconnect_conformance.twins.mllp_line import WIRE, Line

__all__ = ["SPEC", "ReceiverTwin"]

_TYPES = ("ADT", "ORU")
_GENDERS = {"F": "female", "M": "male", "O": "other"}
_FAULTS = (
    *("any-version-accepted", "any-type-accepted", "wrong-control-id", "broken-accepted", "long-dropped"),
    *("older-update-applied", "one-read-one-frame", "repeat-refused", "unknown-created", "utf8-refused"),
    *("z-segment-refused", "birth-date-lost", "attachment-dropped", "wrong-number-kept", "merge-lost"),
    *(
        "merge-undone",
        "withdrawal-lost",
        "correction-lost",
        "comment-lost",
        "unit-lost",
        "acknowledgement-header-empty",
    ),
)


class ReceiverTwin:
    """Takes messages about anybody whose name and date of birth they say; results only of people who are known.

    Args:
        people: Nobody: then it is not set up, and refuses.
        tls: Of its line, if that is not in clear.
    """

    def __init__(self, people: Sequence[Person], tls: ssl.SSLContext | None = None) -> None:
        self.faults = FaultSwitch()
        self._set_up = bool(people)
        self._held: dict[str, dict[str, str]] = {}
        self._merged: dict[str, str] = {}
        self._chart = Chart(self.faults)
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self.line = Line(self._answer, self.faults, tls)

    def close(self) -> None:
        self.line.close()

    def handle(self, request: TwinRequest) -> TwinResponse:
        if request.path.endswith("/metadata"):
            return json_response({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "kind": "instance"})
        number = str(request.first("identifier") or "").partition("|")[2]
        with self._lock:
            if request.path.endswith(("/Encounter", "/Observation")):
                kind = request.path.rpartition("/")[2]
                about = str(request.first("patient") or "").removeprefix("p")
                entry = [{"resource": each} for each in self._chart.shown(kind, about)]
            else:
                number = self._merged.get(number, number)
                held = self._held.get(number)
                entry = [] if held is None else [{"resource": self._patient(number, held)}]
        return json_response({"resourceType": "Bundle", "type": "searchset", "total": len(entry), "entry": entry})

    def _patient(self, number: str, held: dict[str, str]) -> dict[str, Any]:
        made: dict[str, Any] = {
            "resourceType": "Patient",
            "id": f"p{number}",
            "identifier": [{"system": NHS_NUMBER_SYSTEM, "value": number}],
            "name": [{"family": held["family"]}],
            "gender": held["gender"],
        }
        if held["born"] and "birth-date-lost" not in self.faults:
            made["birthDate"] = held["born"]
        return made

    def _answer(self, raw: bytes) -> bytes | None:
        try:
            message = parse(raw)
        except MpftConnectError:
            return None
        on = self.faults
        if "long-dropped" in on and len(raw) > 100_000:
            return None
        if "attachment-dropped" in on and any(segment[2] == "ED" for segment in message.segments("OBX")):
            return b""
        with self._lock:
            good = self._set_up and self._takes(message)
        answer = ack(message, "AA" if good else "AE")
        if "wrong-control-id" in on:
            answer.set("MSA-2", "OTHER")
        if "acknowledgement-header-empty" in on:
            answer.set("MSH-10", None)
        return bytes(answer)

    def _takes(self, message: Message) -> bool:
        on, kind = self.faults, str(message["MSH-9.1"] or "")
        if not kind:
            return "broken-accepted" in on
        if kind not in _TYPES and "any-type-accepted" not in on:
            return False
        if message.version not in ("2.4", "2.5.1") and "any-version-accepted" not in on:
            return False
        if "utf8-refused" in on and not message.raw.isascii():
            return False
        if "z-segment-refused" in on and any(name.startswith("Z") for name in message.names):
            return False
        control = str(message.control_id)
        if control in self._seen:
            return "repeat-refused" not in on
        self._seen.add(control)
        self._store(message)
        return True

    def _store(self, message: Message) -> None:
        number, family = str(message["PID-3.1"] or ""), str(message["PID-5.1"] or "")
        born, made = str(message["PID-7"] or ""), str(message["MSH-7"] or "")[:14]
        if not _is_valid(number) and "wrong-number-kept" not in self.faults:
            return
        old = str(message["MRG-1.1"] or "")
        if old and "merge-lost" not in self.faults:
            self._held.pop(old, None)
            self._merged[old] = number
        if number in self._merged:
            if "merge-undone" not in self.faults:
                return
            del self._merged[number]
        if number in self._held:
            self._chart.take(number, message)
        if not (family and born) and "unknown-created" not in self.faults:
            return
        held = self._held.get(number)
        if held is not None and made < held["made"] and "older-update-applied" not in self.faults:
            return
        self._held[number] = {
            "family": family,
            "born": f"{born[:4]}-{born[4:6]}-{born[6:8]}" if len(born) >= 8 else "",
            "gender": _GENDERS.get(str(message["PID-8"] or ""), "unknown"),
            "made": made,
        }


def _is_valid(number: str) -> bool:
    try:
        nhs_number(number)
    except NotAnNhsNumber:
        return False
    return True


def _configure(twin: Any, base_url: str) -> dict[str, Any]:
    return {
        "adapter": "fhir-r4",
        "endpoint": f"{base_url}/fhir",
        "mllp": {"receiver": {"host": "127.0.0.1", "port": twin.line.port, "answer_seconds": 0.6}},
    }


SPEC = TwinSpec(
    name="hl7v2-receiver",
    adapter="fhir-r4",
    written_from="HL7 2.4, chapters 2 and 3; MLLP, Release 1; UK Core, Patient",
    tried_against=TriedAgainst("nothing", "built for this SDK"),
    build=ReceiverTwin,
    configure=_configure,
    faults=frozenset({*_FAULTS, *WIRE}),
    supplier={
        "product": {"actors": ["receiver"], "offers": ["hl7v2-receiver"]},
        "target": {"allow_writes": True},
        "people": {"full": {"entered": "2025-09-01"}},
    },
    default=False,
)
