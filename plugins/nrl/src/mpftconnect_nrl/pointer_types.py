"""The types of document that the locator points at, each with its display and its category.

Source: NRL producer specification (NHSDigital/nrl-producer-api at ec0303b, specification/record-locator/producer.yaml),
"Overview", table of categories and types; displays of the categories as in its parameter `category`, which spells them
as `DocumentReference.category` must. HDTAP, which is no SNOMED CT code, is left out: the same file's schema allows no
other system.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mpftconnect.model import SNOMED, Coding

__all__ = ["CATEGORIES", "TYPES", "category_of", "coding_of"]

_CARE_PLAN, _OBSERVATIONS, _NOTE = "734163000", "1102421000000108", "823651000000106"
_ARTIFACT, _HEADINGS, _DOCUMENT = "419891008", "716931000000107", "423876004"

CATEGORIES: Mapping[str, str] = MappingProxyType(
    {
        _CARE_PLAN: "Care plan",
        _OBSERVATIONS: "Observations",
        _NOTE: "Clinical note",
        _ARTIFACT: "Record artifact",
        _HEADINGS: "Record headings",
        _DOCUMENT: "Clinical document",
    }
)

# Code: display, category.
TYPES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "736253002": ("Mental health crisis plan", _CARE_PLAN),
        "1382601000000107": (
            "ReSPECT (Recommended Summary Plan for Emergency Care and Treatment) form",
            _CARE_PLAN,
        ),
        "325691000000100": ("Contingency plan", _CARE_PLAN),
        "736373009": ("End of life care plan", _CARE_PLAN),
        "861421000000109": ("End of life care coordination summary", _CARE_PLAN),
        "887701000000100": ("Emergency health care plan", _CARE_PLAN),
        "736366004": ("Advance care plan", _CARE_PLAN),
        "735324008": ("Treatment escalation plan", _CARE_PLAN),
        "2181441000000107": ("Personalised Care and Support Plan", _CARE_PLAN),
        "16521000000101": ("Lloyd George record folder", _CARE_PLAN),
        "1363501000000100": (
            "Royal College of Physicians NEWS2 (National Early Warning Score 2) chart",
            _OBSERVATIONS,
        ),
        "824321000000109": ("Summary record", _NOTE),
        "749001000000101": ("Appointment", _ARTIFACT),
        "887181000000106": ("Clinical summary", _HEADINGS),
        "1515851000000101": ("About me", _DOCUMENT),
    }
)


def coding_of(code: str) -> Coding | None:
    """The type as the locator spells it; None for one that it does not point at.

    >>> coding_of("736253002").display
    'Mental health crisis plan'
    """
    found = TYPES.get(code)
    return Coding(system=SNOMED, code=code, display=found[0]) if found else None


def category_of(code: str) -> Coding | None:
    """The category that goes with a type.

    >>> category_of("1515851000000101").display
    'Clinical document'
    """
    found = TYPES.get(code)
    return Coding(system=SNOMED, code=found[1], display=CATEGORIES[found[1]]) if found else None
