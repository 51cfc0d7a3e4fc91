"""Value sets that have no definition because their address says what they hold.

FHIR R4 "Using SNOMED CT with FHIR" (4.3.1.0.6, "Implicit Value Sets") and "Using LOINC with FHIR" (4.3.15). STU3 binds
`contentType` to the address of BCP 13 itself and defines no value set of it, as R4 does (`ValueSet/mimetypes`).
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from mpftconnect.validation.terminology.code_systems import LOINC, SNOMED

__all__ = ["implicit_value_set"]

_SNOMED = re.compile(
    r"(?P<edition>http://snomed\.info/sct(?:/[0-9]{6,18}(?:/version/[0-9]{8})?)?)\?fhir_vs(?:=(?P<what>.*))?", re.DOTALL
)
_LOINC = re.compile(r"http://loinc\.org/vs(?:/(?P<part>LP[0-9]+-[0-9]))?")
_MIME_TYPES = "http://hl7.org/fhir/ValueSet/mimetypes"
_REFERENCE_SETS = "900000000000455006"


def implicit_value_set(canonical: str) -> dict[str, Any] | None:
    """The definition that an address stands for; None if it is none of those addresses.

    >>> implicit_value_set("http://snomed.info/sct?fhir_vs=isa/404684003")["compose"]["include"][0]["filter"]
    [{'property': 'concept', 'op': 'is-a', 'value': '404684003'}]
    """
    if match := _SNOMED.fullmatch(canonical):
        include: dict[str, Any] = {"system": SNOMED}
        if match["edition"] != SNOMED:
            include["version"] = match["edition"]
        if match["what"]:
            filter_ = _snomed_filter(match["what"])
            if filter_ is None:
                return None
            include["filter"] = [filter_]
    elif match := _LOINC.fullmatch(canonical):
        include = {"system": LOINC}
        if match["part"]:
            include["filter"] = [{"property": "concept", "op": "is-a", "value": match["part"]}]
    elif canonical == _MIME_TYPES:
        include = {"system": "urn:ietf:bcp:13"}
    else:
        return None
    return {"resourceType": "ValueSet", "url": canonical, "compose": {"include": [include]}}


def _snomed_filter(what: str) -> dict[str, str] | None:
    sort, _, value = what.partition("/")
    if sort == "isa" and value.isdigit():
        return {"property": "concept", "op": "is-a", "value": value}
    if sort == "refset" and not value:
        return {"property": "concept", "op": "descendent-of", "value": _REFERENCE_SETS}
    if sort == "refset" and value.isdigit():
        return {"property": "concept", "op": "in", "value": value}
    if sort == "ecl" and value:
        return {"property": "constraint", "op": "=", "value": unquote(value)}
    return None
