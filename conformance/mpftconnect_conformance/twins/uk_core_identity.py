"""Faults of the UK Core twin in whom its resources speak of: the pack mpft-safety must catch them.

Each takes a resource and changes it in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mpftconnect.model import NHS_NUMBER_SYSTEM

__all__ = ["PATIENT_FAULTS"]

Resource = dict[str, Any]

# UK Core, Extension-UKCore-NHSNumberVerificationStatus.
VERIFICATION = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus"


def _numbers(body: Resource) -> Iterator[Resource]:
    return (each for each in body.get("identifier", ()) if each.get("system") == NHS_NUMBER_SYSTEM)


def _system_misspelt(body: Resource) -> None:
    for number in _numbers(body):
        number["system"] = "https://fhir.nhs.uk/Id/nhs-no"


def _wrong_digit(body: Resource) -> None:
    for number in _numbers(body):
        number["value"] = f"{number['value'][:9]}{(int(number['value'][9]) + 1) % 10}"


def _spaced(body: Resource) -> None:
    for number in _numbers(body):
        value = number["value"]
        number["value"] = f"{value[:3]} {value[3:6]} {value[6:]}"


def _status_unsaid(body: Resource) -> None:
    for number in _numbers(body):
        number.pop("extension", None)


def _status(code: str) -> Callable[[Resource], None]:
    def change(body: Resource) -> None:
        for number in _numbers(body):
            for extension in number.get("extension", ()):
                if extension["url"] == VERIFICATION:
                    extension["valueCodeableConcept"]["coding"][0]["code"] = code

    return change


PATIENT_FAULTS: dict[str, Callable[[Resource], None]] = {
    "nhs-number-system-misspelt": _system_misspelt,
    "nhs-number-wrong-digit": _wrong_digit,
    "nhs-number-spaced": _spaced,
    "verification-unsaid": _status_unsaid,
    "verification-code-unknown": _status("11"),
    "verification-contradicts": _status("07"),
    "unverified-shared": _status("02"),
}
