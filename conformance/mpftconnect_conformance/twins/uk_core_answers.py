"""What the UK Core twin answers on the DTAC form, and its documents, all invented.

Documents that run out are left out: a demonstration would fail by the calendar, and so those questions stay not-tested.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["ANSWERS", "EVIDENCE"]

ANSWERS: dict[str, Any] = {
    "form": "2.0",
    "A2": "Twin uk-core",
    "A3": "1",
    "C1.1.1": "no",
    "C1.1.2": False,
    "C1.2": "Yes",
    "C1.2.2": True,
    "C1.2.5": {"name": "Dr A. Invented", "profession": "Nurse", "registration": "NMC 00X0000Z"},
    "C2.1": "confirmed",
    "C2.2": "yes",
    "C2.2.5": "UK only",
    "C3.2": "no",
    "C3.4": "confirmed",
    "C3.5": "yes",
    "C3.5.1": "n/a",
    "C3.6": "yes",
    "C4.1": "yes",
    "C4.1.1": "FHIR R4, because this twin stands in for a system that serves it",
    "C4.1.2": "confirmed",
    "C4.2": "yes",
    "C4.2.1": "yes",
    "C4.2.2": "yes",
    "C4.2.4": "n/a",
    "C4.2.5": "n/a",
}

_FOLDER = Path(__file__).parent / "evidence"
EVIDENCE: list[dict[str, Any]] = [
    # They are made up, and do not run out.
    {"kind": kind, "file": str(_FOLDER / name), "expires": "2099-12-31"}
    for kind, name in (
        ("api-documentation", "documentation.md"),
        ("access-terms", "documentation.md"),
        ("api-catalogue-entry", "catalogue.md"),
        ("service-level", "catalogue.md"),
    )
]
