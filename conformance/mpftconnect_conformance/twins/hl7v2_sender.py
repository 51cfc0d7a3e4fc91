"""Stands in for a product that sends HL7 v2 over MLLP, with a fault for each check.

Written from HL7 2.4, chapters 2, 3 and 7, ITK HL7 v2 1.0.15 and DMS 1.1. Built for nobody it sends nothing.
"""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from mpftconnect.adapters import FaultSwitch, TriedAgainst, TwinRequest, TwinResponse, TwinSpec, json_response
from mpftconnect.hl7v2 import build
from mpftconnect.sandbox import Person

__all__ = ["SPEC", "SenderTwin"]

_START = datetime(2025, 9, 1, 9, 0, tzinfo=UTC)
_FAULTS = (
    *("structure-wrong", "version-old", "nhs-number-wrong-digit", "nhs-number-status-unsaid", "out-of-order"),
    *("merge-incomplete", "correction-unsaid", "result-status-unsaid", "unit-dropped", "range-dropped"),
    *("not-sent-again", "stray-bytes", "charset-unsaid", "ods-misshapen", "attachment-false"),
    *("processing-unknown", "type-mismatch", "control-id-empty", "result-unnamed", "date-impossible"),
)


class SenderTwin:
    """Sends the messages of one person in order, each when the one before it was answered.

    Args:
        people: Whom it knows; the full person is sent.
        tls: How it connects, if its line is not in clear.
    """

    def __init__(self, people: Sequence[Person], tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.faults = FaultSwitch()
        self._numbers = {person.role: str(person.nhs_number) for person in people if person.nhs_number}
        self._stopping = threading.Event()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        threading.Thread(target=self._work, name="twin-sender", daemon=True).start()

    def close(self) -> None:
        self._stopping.set()

    def handle(self, request: TwinRequest) -> TwinResponse:
        return json_response({"resourceType": "OperationOutcome"}, 404)

    def messages(self) -> list[bytes]:
        """What it sends, as the faults have it."""
        number = self._numbers.get("full")
        if number is None:
            return []
        on = self.faults
        pid = {
            "PID-3.1": number[:9] + str((int(number[9]) + 1) % 10) if "nhs-number-wrong-digit" in on else number,
            "PID-3.4": "NHS",
            "PID-3.5": "NH",
            "PID-5.1": "Quillfeather",
            "PID-5.2": "Siân",
            "PID-7": "19560312",
            "PID-8": "F",
            **({} if "nhs-number-status-unsaid" in on else {"PID-32": "01"}),
        }
        merge = {} if "merge-incomplete" in on else {"MRG-1.1": self._numbers.get("sparse", "OLD1"), "MRG-1.4": "NHS"}
        visit = {"PV1-2": "N"}
        place = {
            "PV1-2": "I",
            "PV1-3.1": "W1",
            "PV1-3.4": "zz 1!" if "ods-misshapen" in on else "ZZ101",
            "PV1-19.1": "V1",
        }
        return [
            self._made(0, "ADT^A28^ADT_A05", pid | visit),
            self._made(1, "ADT^A01^ADT_A01", pid | place),
            self._made(-60 if "out-of-order" in on else 2, "ADT^A31^ADT_A05", pid | visit),
            self._made(3, "ADT^A11^ADT_A09", pid | place),
            self._made(4, "ADT^A40^ADT_A39", pid | merge),
            self._made(5, "ORU^R01^ORU_R01", pid | self._result("7.1", "F")),
            self._made(6, "ORU^R01^ORU_R01", pid | self._result("9.8", "F" if "correction-unsaid" in on else "C")),
            self._made(7, "ORU^R01^ORU_R01", pid | self._letter()),
        ]

    def _result(self, value: str, status: str) -> dict[str, str]:
        on = self.faults
        return {
            "OBR-1": "1",
            "OBR-3": "F77",
            "OBR-4.1": "15074-8",
            "OBR-4.2": "Glucose",
            "OBR-4.3": "LN",
            "OBR-7": "20250901",
            "OBR-25": status,
            "OBX-1": "1",
            "OBX-2": "NM",
            "OBX-3.1": "15074-8",
            "OBX-3.2": "Glucose",
            "OBX-3.3": "LN",
            "OBX-5": value,
            **({} if "unit-dropped" in on else {"OBX-6.1": "mmol/L", "OBX-6.3": "UCUM"}),
            **({} if "range-dropped" in on else {"OBX-7": "3.5-5.5"}),
            "OBX-8": "H",
            **({} if "result-status-unsaid" in on else {"OBX-11": status}),
        }

    def _letter(self) -> dict[str, str]:
        content = b"no such thing" if "attachment-false" in self.faults else b"%PDF-1.4\n%%EOF\n"
        return {
            "OBR-1": "1",
            "OBR-3": "F78",
            "OBR-4.1": "11488-4",
            "OBR-4.2": "Letter",
            "OBR-4.3": "LN",
            "OBR-7": "20250901",
            "OBR-25": "F",
            "OBX-1": "1",
            "OBX-2": "ED",
            "OBX-3.1": "11488-4",
            "OBX-3.2": "Letter",
            "OBX-3.3": "LN",
            "OBX-5.2": "AP",
            "OBX-5.3": "PDF",
            "OBX-5.4": "Base64",
            "OBX-5.5": base64.b64encode(content).decode(),
            "OBX-11": "F",
        }

    def _made(self, minute: int, type_: str, values: dict[str, str]) -> bytes:
        at = _START + timedelta(minutes=minute)
        event = {"EVN-1": type_[4:7], "EVN-2": at.strftime("%Y%m%d%H%M%S")} if type_.startswith("ADT") else {}
        if "structure-wrong" in self.faults:
            event = {}
        message = build(
            type_,
            sending=("TWIN", "ZZ101"),
            receiving=("MPFTCONNECT", "ZZ999"),
            control_id=f"T{minute + 100}",
            at=at,
            processing="T",
            charset="UNICODE UTF-8",
            values={**event, **values},
        )
        if "charset-unsaid" in self.faults:
            message.set("MSH-18", None)
        if "control-id-empty" in self.faults:
            message.set("MSH-10", None)
        if "processing-unknown" in self.faults:
            message.set("MSH-11", "LIVE")
        if "type-mismatch" in self.faults:
            message.set("MSH-9.1", "ADTX")
        if "result-unnamed" in self.faults and "OBX" in message.names:
            message.set("OBX-3", None)
        if "date-impossible" in self.faults:
            message.set("MSH-7", "20260230")
        if "version-old" in self.faults:
            message.set("MSH-12", "2.2")
        return bytes(message)

    def _work(self) -> None:
        line: socket.socket | None = None
        while line is None and not self._stopping.wait(0.02):
            line = self._connected()
        waiting = self.messages()
        while waiting and line is not None and not self._stopping.is_set():
            if "stray-bytes" in self.faults:
                with suppress(OSError):
                    line.sendall(b"stray")
            answered = self._sent(line, waiting[0])
            if answered or "not-sent-again" in self.faults:
                waiting.pop(0)
            if not answered:
                line.close()
                line = self._connected()
        if line is not None:
            line.close()

    def _connected(self) -> socket.socket | None:
        with suppress(OSError):
            plain = socket.create_connection(("127.0.0.1", self.port), 1.0)
            return plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname="localhost")
        return None

    def _sent(self, line: socket.socket, message: bytes) -> bool:
        try:
            line.settimeout(2.0)
            line.sendall(b"\x0b" + message + b"\x1c\r")
            return bool(line.recv(65_536))
        except OSError:
            return False


def _configure(twin: Any, base_url: str) -> dict[str, Any]:
    return {
        "adapter": "fhir-r4",
        "endpoint": f"{base_url}/fhir",
        "mllp": {"sender": {"port": twin.port, "seconds": 3.0, "quiet_seconds": 0.3}},
    }


SPEC = TwinSpec(
    name="hl7v2-sender",
    adapter="fhir-r4",
    written_from="HL7 2.4, chapters 2, 3 and 7; ITK HL7 v2 1.0.15, DMS 1.1; MLLP, Release 1",
    tried_against=TriedAgainst("nothing", "built for this SDK"),
    build=SenderTwin,
    configure=_configure,
    faults=frozenset(_FAULTS),
    supplier={
        "product": {"actors": ["sender"], "offers": ["hl7v2-sender"]},
        "people": {"full": {"entered": "2025-09-01"}},
    },
    default=False,
)
