"""UKC-11 and UKC-12: codes say what they mean, in the systems and units that UK Core asks for.

Source: UK Core, UKCore-Observation-VitalSigns and its profiles (STU3 sequence, June 2025): LOINC and SNOMED CT codes,
fixed UCUM units; Observation-Lab: category laboratory. SNOMED CT: partition and check digit of an SCTID. Displays are
compared with the releases of SNOMED CT and dm+d that the user imported, which are licensed; without them with a few
terms that stand so in published UK Core examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mpftconnect.conformance import Evidence, Finding, Outcome, Probe
from mpftconnect.validation import is_concept_id
from mpftconnect_conformance.checks.uk_core_r4.gathered import Held, gathered, supplier
from mpftconnect_conformance.checks.uk_core_r4.made_up import (
    WORDS,
    heart_rate,
    id_of,
    kept_as,
    subject_of_full,
    take_away,
)
from mpftconnect_conformance.checks.uk_core_r4.must_support import ask_full

__all__ = ["ask_codes", "judge_codes", "judge_observations"]

SNOMED, LOINC, UCUM = "http://snomed.info/sct", "http://loinc.org", "http://unitsofmeasure.org"
DMD = ("https://dmd.nhs.uk", SNOMED)
_WRITTEN, _READ = "create with words of its own", "read what was made with words"

# Some concepts and their terms, in lower case. A term that stands nowhere here proves nothing: concepts have many.
KNOWN: Mapping[str, frozenset[str]] = {
    "44054006": frozenset({"type 2 diabetes mellitus"}),
    "195967001": frozenset({"asthma"}),
    "27113001": frozenset({"body weight"}),
    "364075005": frozenset({"heart rate"}),
    "75367002": frozenset({"blood pressure"}),
    "271649006": frozenset({"systolic blood pressure"}),
    "271650006": frozenset({"diastolic blood pressure"}),
    "734163000": frozenset({"care plan"}),
}
_TERMS = frozenset(term for terms in KNOWN.values() for term in terms)
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


def ask_codes(probe: Probe) -> None:
    """All of the full person; where writes are allowed, also an Observation with words of its own, read back."""
    ask_full(probe)
    if not probe.may_write:
        return
    who = subject_of_full(probe)
    if who is None:
        return
    made = probe.post("Observation", json=heart_rate(who, words=True), step=_WRITTEN, person="full")
    if (id_ := id_of(made)) is not None:
        probe.get(f"Observation/{id_}", step=_READ, person="full")
    take_away(probe, made)


def judge_codes(evidence: Evidence) -> Outcome:
    """Codes are well formed, have a display or text that is their own, and words that were written are kept."""
    found = gathered(evidence, "full")
    findings: list[Finding] = []
    codes = compared = inactive = 0
    for held in found.held:
        for place, concept in _concepts(held.resource, held.type):
            codings = [c for c in concept.get("coding") or [] if isinstance(c, Mapping)]
            clinical = [c for c in codings if str(c.get("system")) in DMD]
            where = f"{held.place}: {place}"
            for coding in clinical:
                codes += 1
                code = str(coding.get("code", ""))
                if not is_concept_id(code):
                    findings.append(
                        _finding("sctid", "a SNOMED CT or dm+d code is no identifier of a concept", held, where)
                    )
                    continue
                told = _told(evidence, str(coding.get("system")), code)
                if told.exists is False:
                    findings.append(_finding("code-exists", f"{told.release} has no such code", held, where))
                inactive += told.inactive
                agrees = _display_agrees(coding.get("display"), code, told.names)
                compared += agrees is not None
                if agrees is False:
                    message = f"the display of {code} is " + (
                        f"no term that {told.release} gives" if told.names else "that of another concept"
                    )
                    findings.append(_finding("display", message, held, where))
            said = concept.get("text") or any(c.get("display") for c in codings)
            if clinical and not said:
                findings.append(_finding("words", "a coded concept has neither display nor text", held, where))
    observed = f"{codes} SNOMED CT and dm+d codes, {compared} displays compared"
    notes = (
        [f"{codes - compared} displays not compared: no release that is imported has the code"]
        if codes > compared
        else []
    )
    if inactive:
        notes.append(f"{inactive} codes are inactive in the release that is imported")
    kept, note = _words_kept(evidence)
    notes += [note] if note else []
    if findings + kept:
        cause = supplier(
            "codes and words contradict each other, or one is missing",
            "send the term that the terminology gives for the code, and keep the words that were written",
            "the imported release is older than the one that the product uses",
        )
        return Outcome.failed(findings + kept, cause, observations=codes, observed=observed, notes=notes)
    return found.whole(Outcome.passed(codes, observed, notes=notes))


class _Told(NamedTuple):
    """What an imported release says of a code; nothing where none is imported or it does not cover the code."""

    exists: bool | None = None
    inactive: bool = False
    names: tuple[str, ...] = ()
    release: str = ""


def _told(evidence: Evidence, system: str, code: str) -> _Told:
    release = evidence.definitions.code_system(system) if evidence.definitions is not None else None
    if release is None:
        return _Told()
    called = f"the imported {'dm+d' if system != SNOMED else 'SNOMED CT'} {release.version}"
    exists = release.has(code)
    return _Told(exists, exists is True and release.active(code) is False, release.names(code), called)


def _display_agrees(display: Any, code: str, names: Sequence[str]) -> bool | None:
    """Whether a display is one of the concept's terms; None where there is nothing to compare."""
    if not isinstance(display, str) or not display.strip():
        return None
    term = _term(display)
    if names:
        # A fully specified name ends with its kind in brackets, which a display may leave out.
        return any(term == _term(name) or term == _term(name.rpartition(" (")[0]) for name in names)
    bare = term.partition(" (")[0]
    return bare in KNOWN[code] if code in KNOWN and bare in _TERMS else None


def _term(text: str) -> str:
    return " ".join(text.split()).casefold()


def _words_kept(evidence: Evidence) -> tuple[list[Finding], str]:
    """Whether an Observation that was made has the words with which it was made; else why that was not seen."""
    kept = kept_as(evidence, _READ)
    if not isinstance(kept, Mapping):
        return [], "that words which were written are kept was not seen: nothing was written and read back"
    code = kept.get("code")
    text = code.get("text") if isinstance(code, Mapping) else None
    if isinstance(text, str) and text.strip() == WORDS:
        return [], ""
    message = "the text of a code was written and is not what is read back"
    return [
        Finding(rule="words-kept", message=message, exchange=evidence.one(_READ).id, place="Observation.code.text")
    ], ""


def judge_observations(evidence: Evidence) -> Outcome:
    """Vital signs have LOINC, SNOMED CT and the UCUM unit; laboratory results say that they are."""
    found = gathered(evidence, "full")
    findings: list[Finding] = []
    vital = laboratory = 0
    for held in found.of("Observation"):
        categories = {str(c.get("code")) for _, k in _under(held.resource, "category") for c in _codings(k)}
        systems = {str(c.get("system")) for c in _codings(held.resource.get("code"))}
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
