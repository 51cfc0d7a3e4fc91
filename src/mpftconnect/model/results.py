"""What is a result: something that was ordered, and that waits for whoever ordered it to acknowledge it.

What is in doubt counts as a result: the sentence beside a letter too many misleads nobody.

Source: HL7 FHIR R4 (4.0.1), code systems observation-category (section 4.3.14.232) and v2-0074; HL7 v2.5.1, tables
0074 (chapter 7, OBR-24) and 0270 (chapter 9, TXA-2); LOINC and SNOMED CT (record artefacts) as named below.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from mpftconnect.model.coded import SNOMED, Coding, Concept

__all__ = ["NOT_ACKNOWLEDGED", "is_ordered", "is_result_document"]

# Stands beside every result, wherever results are shown: who sent it waits for an acknowledgement that reading is not.
# It says nothing of whether somebody acknowledged it: that is not known here.
NOT_ACKNOWLEDGED: Final = "Viewing is not acknowledging: acknowledge a result where it was ordered."

# Categories of what is asked, seen or measured at the bedside. Those left out are `imaging`, `laboratory`, `procedure`.
_AT_THE_BEDSIDE: Final = frozenset({"activity", "exam", "social-history", "survey", "therapy", "vital-signs"})

_V2: Final = "http://terminology.hl7.org/CodeSystem/v2-"
# Table 0074 names departments that examine, but for these, which care.
_CARING_SECTIONS: Final = frozenset({"ICU", "NRS", "OT", "OTH", "PHR", "PHY", "PT", "RC", "RT"})
# Table 0270: autopsy report, cardiodiagnostics, diagnostic imaging, surgical pathology.
_TXA_TYPES: Final = frozenset({"AR", "CD", "DI", "SP"})
_TYPES: Final = {
    # Laboratory report, pathology study, diagnostic imaging study; and the sets of laboratory, pathology and radiology.
    "http://loinc.org": frozenset({"11502-2", "11526-1", "18748-4", "26436-6", "27898-6", "18726-0"}),
    # Laboratory, pathology, imaging and radiology report.
    SNOMED: frozenset({"4241000179101", "371528001", "4201000179104", "371527006"}),
}
# Not haematology or immunology: clinics of these write letters too.
_WORDS: Final = re.compile(
    r"\b(?:histo|cyto)?patholog|\b(?:histo|cyto|micro-?bio|radio)log|\bbiochem|\blaborator|\bimaging|\bx-?rays?\b"
    r"|\bultraso|\bmammogra|\btomogra|\b(?:ct|mri?|pet|bone) scan|\b(?:ct|mri|ecg)\b|\b(?:electro|echo)cardiogra",
    re.IGNORECASE,
)


def is_ordered(category: Iterable[Concept]) -> bool:
    """Whether an observation of these categories is a result: its source does not say that it is something else.

    >>> is_ordered([Concept(coding=(Coding(code="vital-signs"),))]), is_ordered([])
    (False, True)
    """
    stated = [{coding.code for coding in each.coding} for each in category]
    return not stated or not all(codes and codes <= _AT_THE_BEDSIDE for codes in stated)


def is_result_document(said: Iterable[Concept | str | None]) -> bool:
    """Whether a document is a result, by what its source says of its kind and of where it comes from.

    >>> is_result_document(["Letter", Concept(text="Radiology report")]), is_result_document(["Discharge letter"])
    (True, False)
    """
    return any(_names_a_result(each) for each in said if each is not None)


def _names_a_result(said: Concept | str) -> bool:
    if isinstance(said, str):
        return _WORDS.search(said) is not None
    texts = (said.text, *(coding.display for coding in said.coding))
    return any(text is not None and _WORDS.search(text) for text in texts) or any(map(_codes_a_result, said.coding))


def _codes_a_result(coding: Coding) -> bool:
    if coding.system == f"{_V2}0074":
        return coding.code not in _CARING_SECTIONS
    if coding.system in (None, f"{_V2}0270"):
        # Messages name no system beside a document's type.
        return coding.code in _TXA_TYPES
    return coding.code in _TYPES.get(coding.system, ())
