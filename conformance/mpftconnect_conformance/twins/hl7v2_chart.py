"""What the receiving twin keeps of visits and results, and shows as Encounter and Observation."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from mpftconnect.adapters import FaultSwitch
from mpftconnect.hl7v2 import Message

__all__ = ["Chart"]

_VISITS = {"A01": "in-progress", "A02": "in-progress", "A03": "finished", "A11": "cancelled", "A12": "in-progress"}
_VISITS |= {"A13": "in-progress"}
_TAKES_BACK = ("A11", "A12", "A13")
_STATUSES = {"F": "final", "C": "corrected", "P": "preliminary"}


class Chart:
    def __init__(self, faults: FaultSwitch) -> None:
        self._faults = faults
        self._visits: dict[tuple[str, str], dict[str, Any]] = {}
        self._results: dict[tuple[str, str, str], dict[str, Any]] = {}

    def take(self, number: str, message: Message) -> None:
        event, visit = str(message["MSH-9.2"] or ""), str(message["PV1-19.1"] or "")
        if event in _VISITS and visit and not (event in _TAKES_BACK and "withdrawal-lost" in self._faults):
            self._visits[number, visit] = {
                "resourceType": "Encounter",
                "identifier": [{"value": visit}],
                "status": _VISITS[event],
                "location": [{"location": {"identifier": {"value": str(message["PV1-3.1"] or "")}}}],
            }
        if message["MSH-9.1"] == "ORU":
            for made in self._measured(message):
                order, status = str(message["OBR-3"] or ""), made["status"]
                kept = order if "correction-lost" not in self._faults else f"{order}{status}"
                self._results[number, kept, str(message["OBX-3.1"] or "")] = made

    def _measured(self, message: Message) -> Iterator[dict[str, Any]]:
        on = self._faults
        for segment in message.segments("OBX"):
            if segment[2] != "NM":
                continue
            try:
                value = Decimal(str(segment[5] or ""))
            except InvalidOperation:
                continue
            notes = [str(each[3] or "") for each in message.segments("NTE")]
            yield {
                "resourceType": "Observation",
                "status": _STATUSES.get(str(segment[11] or ""), "unknown"),
                "valueQuantity": {"value": value}
                | ({} if "unit-lost" in on else {"unit": str(message["OBX-6.1"] or "")}),
                "referenceRange": [{"text": str(segment[7] or "")}] if segment[7] else [],
                "interpretation": [{"coding": [{"code": str(segment[8])}]}] if segment[8] else [],
                "note": [{"text": text} for text in notes if "comment-lost" not in on][:5],
            }

    def shown(self, kind: str, number: str) -> list[dict[str, Any]]:
        held = self._visits if kind == "Encounter" else self._results
        return [each for key, each in held.items() if key[0] == number]
