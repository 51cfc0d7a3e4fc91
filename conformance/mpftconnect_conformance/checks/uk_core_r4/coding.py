"""UKC-11 and UKC-12: codes say what they mean, in the systems and units that UK Core asks for.

Source: UK Core, UKCore-Observation-VitalSigns and its profiles (STU3 sequence, June 2025): LOINC and SNOMED CT codes,
fixed UCUM units; Observation-Lab: category laboratory. SNOMED CT, Technical Implementation Guide 3.1.4.2: check digit
of an SCTID (Verhoeff). The few displays compared are those of the SNOMED CT UK Edition, June 2025.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mpftconnect.conformance import Evidence, Finding, Outcome
from mpftconnect_conformance.checks.uk_core_r4.gathered import Held, gathered, supplier

__all__ = ["is_sctid", "judge_codes", "judge_observations"]

SNOMED, LOINC, UCUM = "http://snomed.info/sct", "http://loinc.org", "http://unitsofmeasure.org"
DMD = ("https://dmd.nhs.uk", SNOMED)

# Concepts of the full person's sheet and terms that are right for them, in lower case.
KNOWN: Mapping[str, frozenset[str]] = {
    "44054006": frozenset({"type 2 diabetes mellitus", "diabetes mellitus type 2", "type ii diabetes mellitus"}),
    "195967001": frozenset({"asthma"}),
    "95344007": frozenset({"ulcer of lower extremity", "leg ulcer", "lower limb ulcer"}),
    "91936005": frozenset({"allergy to penicillin", "penicillin allergy"}),
    "27113001": frozenset({"body weight", "weight"}),
    "364075005": frozenset({"heart rate", "cardiac rate"}),
    "75367002": frozenset({"blood pressure", "systemic blood pressure"}),
    "271649006": frozenset({"systolic blood pressure"}),
    "271650006": frozenset({"diastolic blood pressure"}),
    "734163000": frozenset({"care plan"}),
}
# LOINC code to UCUM code that the UK Core profile fixes; None where it has components instead.
VITAL_SIGNS: Mapping[str, str | None] = {
    "29463-7": "kg",
    "39156-5": "kg/m2",
    "8310-5": "Cel",
    "8867-4": "/min",
    "9279-1": "/min",
    "2708-6": "%",
    "9843-4": "cm",
    "85354-9": None,
    "8480-6": "mm[Hg]",
    "8462-4": "mm[Hg]",
}
_LABORATORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def judge_codes(evidence: Evidence) -> Outcome:
    """Codes are well formed, have a display or text, and no display of the sheet's concepts is another's."""
    found = gathered(evidence, "full")
    findings: list[Finding] = []
    codes = compared = 0
    for held in found.held:
        for place, concept in _concepts(held.resource, held.type):
            codings = [c for c in concept.get("coding") or [] if isinstance(c, Mapping)]
            clinical = [c for c in codings if c.get("system") in DMD]
            for coding in clinical:
                codes += 1
                code, display = str(coding.get("code", "")), coding.get("display")
                where = f"{held.place}: {place}"
                if not is_sctid(code):
                    findings.append(_finding("sctid", "a SNOMED CT or dm+d code is no SCTID", held, where))
                if isinstance(display, str) and code in KNOWN:
                    compared += 1
                    if display.strip().lower().partition(" (")[0] not in KNOWN[code]:
                        findings.append(
                            _finding("display", f"the display of {code} is that of another concept", held, where)
                        )
            said = concept.get("text") or any(c.get("display") for c in codings)
            if clinical and not said:
                findings.append(
                    _finding("words", "a coded concept has neither display nor text", held, f"{held.place}: {place}")
                )
    observed = f"{codes} SNOMED CT and dm+d codes, {compared} displays compared"
    notes = [f"{codes - compared} displays not compared: no terminology is loaded"] if codes > compared else []
    if findings:
        cause = supplier(
            "codes and words contradict each other, or one is missing",
            "send the term that the terminology gives for the code, and keep the words that were written",
        )
        return Outcome.failed(findings, cause, observations=codes, observed=observed, notes=notes)
    return found.whole(Outcome.passed(codes, observed, notes=notes))


def judge_observations(evidence: Evidence) -> Outcome:
    """Vital signs have LOINC, SNOMED CT and the UCUM unit; laboratory results say that they are."""
    found = gathered(evidence, "full")
    findings: list[Finding] = []
    vital = laboratory = 0
    for held in found.of("Observation"):
        categories = {str(c.get("code")) for _, k in _under(held.resource, "category") for c in _codings(k)}
        systems = {c.get("system") for c in _codings(held.resource.get("code"))}
        if "vital-signs" in categories:
            vital += 1
            findings += _vital_sign(held, systems)
        elif _is_laboratory(held.resource):
            laboratory += 1
            if "laboratory" not in categories:
                findings.append(
                    _finding(
                        "laboratory",
                        "an Observation of a specimen has no category laboratory",
                        held,
                        f"{held.place}.category",
                    )
                )
    observed = f"{vital} vital signs, {laboratory} laboratory results"
    if findings:
        cause = supplier(
            "codes or units of Observations are not those that UK Core fixes", "send them as UK Core fixes"
        )
        return Outcome.failed(findings, cause, observations=vital + laboratory, observed=observed)
    return found.whole(Outcome.passed(vital + laboratory, observed))


def _vital_sign(held: Held, systems: set[Any]) -> Iterator[Finding]:
    for system, name in ((LOINC, "LOINC"), (SNOMED, "SNOMED CT")):
        if system not in systems:
            yield _finding(
                f"vital-{name[:5].lower().strip()}", f"a vital sign has no {name} code", held, f"{held.place}.code"
            )
    parts = [("", held.resource)]
    components = held.resource.get("component")
    parts += [
        (f".component[{index}]", part)
        for index, part in enumerate(components if isinstance(components, list) else [])
        if isinstance(part, Mapping)
    ]
    for place, part in parts:
        unit = next((VITAL_SIGNS[c] for c in _loinc(part) if c in VITAL_SIGNS), None)
        quantity = part.get("valueQuantity")
        if unit is None or not isinstance(quantity, Mapping):
            continue
        if quantity.get("system") != UCUM or quantity.get("code") != unit:
            yield _finding(
                "vital-unit", f"the unit is not UCUM {unit}", held, f"{held.place}{place}.valueQuantity.code"
            )


def _is_laboratory(observation: Mapping[str, Any]) -> bool:
    return "specimen" in observation


def is_sctid(code: str) -> bool:
    """Whether the text is an SCTID: 6 to 18 digits without leading zero, with Verhoeff's check digit.

    >>> is_sctid("44054006"), is_sctid("44054007"), is_sctid("44O54006")
    (True, False, False)
    """
    if not (code.isascii() and code.isdigit() and 6 <= len(code) <= 18 and code[0] != "0"):
        return False
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = _times(check, _turned(place, int(digit)))
    return check == 0


def _times(a: int, b: int) -> int:
    """Multiplication in the dihedral group D5, on which Verhoeff's check stands."""
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5


_TURN = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _turned(times: int, digit: int) -> int:
    for _ in range(times % 8):
        digit = _TURN[digit]
    return digit


def _concepts(resource: Mapping[str, Any], type_: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    waiting: list[tuple[Any, str]] = [(resource, type_)]
    while waiting:
        value, place = waiting.pop(0)
        if isinstance(value, Mapping):
            if isinstance(value.get("coding"), list):
                yield place, value
            waiting += [
                (part, f"{place}.{key if key.isalnum() and len(key) < 40 else '?'}") for key, part in value.items()
            ]
        elif isinstance(value, list):
            waiting += [(part, f"{place}[{index}]") for index, part in enumerate(value)]


def _under(resource: Mapping[str, Any], name: str) -> Iterator[tuple[int, Any]]:
    value = resource.get(name)
    yield from enumerate(value if isinstance(value, list) else [value])


def _codings(concept: Any) -> list[Mapping[str, Any]]:
    if not isinstance(concept, Mapping) or not isinstance(concept.get("coding"), list):
        return []
    return [coding for coding in concept["coding"] if isinstance(coding, Mapping)]


def _loinc(part: Mapping[str, Any]) -> list[str]:
    return [str(c.get("code")) for c in _codings(part.get("code")) if c.get("system") == LOINC]


def _finding(rule: str, message: str, held: Held, place: str) -> Finding:
    return Finding(rule=rule, message=message, exchange=held.exchange.id, place=place)
