"""UKC-06 and UKC-08: must-support by behaviour. What is known is sent, and what is not known is left out.

Source: UK Core, MustSupport guidance. The must-support elements are those of `profiles/ukcore_rules/profiles.toml`,
which restates the profiles of the STU3 sequence, June 2025.
"""

from __future__ import annotations

import importlib.resources
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from mpftconnect.conformance import Cause, CauseKind, Evidence, Finding, Outcome, Probe
from mpftconnect_conformance.checks.uk_core_r4.gathered import ask_person, gathered, supplier
from mpftconnect_conformance.checks.uk_core_r4.validity import DRAFTS

__all__ = ["ask_full", "ask_sparse", "judge_fillers", "judge_must_support", "must_support_of"]

PUBLISHED = "https://fhir.hl7.org.uk/StructureDefinition/"
# Words that say "not known" in place of leaving out: each has been seen in the place of a name, number or line.
_FILLERS = frozenset(
    {
        *("unknown", "unk", "not known", "not recorded", "not stated", "not specified", "not available", "not given"),
        *("n/a", "na", "nil", "none", "null", "tbc", "tba", "dummy", "blank", "-", "--", ".", "?", "x", "xx", "xxx"),
        *("undefined", "no value", "no data", "missing"),
    }
)
# Where a filler can stand: what people write. Codes that mean "unknown" are FHIR's own way and are no fillers.
_WRITTEN = frozenset(
    {"family", "given", "prefix", "text", "value", "line", "city", "district", "postalCode", "display"}
)
_NAME = re.compile(r"_?[a-z][A-Za-z0-9]{0,39}")
_NO_DATES = ("0001-01-01", "1900-01-01", "9999-12-31", "1800-01-01")


def ask_full(probe: Probe) -> None:
    ask_person(probe, "full")


def ask_sparse(probe: Probe) -> None:
    ask_person(probe, "sparse")


@lru_cache(maxsize=1)
def _profiles() -> dict[str, Mapping[str, Any]]:
    folder = importlib.resources.files("mpftconnect_conformance") / "profiles" / "ukcore_rules"
    table = tomllib.loads((folder / "profiles.toml").read_text(encoding="utf-8"))
    return {row["name"]: row for row in table["profile"]}


def must_support_of(type_: str) -> tuple[str, ...]:
    """The must-support elements of UKCore-TYPE, as paths below the root; none where there is no such profile."""
    return tuple(_profiles().get(f"UKCore-{type_}", {}).get("must_support", ()))


def judge_must_support(evidence: Evidence) -> Outcome:
    """Every must-support element stands in at least one of the full person's resources of its type."""
    found = gathered(evidence, "full")
    types = dict.fromkeys(held.type for held in found.all if held.type not in DRAFTS)
    findings, empty, looked_at = [], [], 0
    for type_ in types:
        held = found.of(type_)
        for path in must_support_of(type_):
            looked_at += 1
            if not any(_stands(each.resource, path, type_) for each in held):
                findings.append(
                    Finding(
                        rule="must-support",
                        message=f"{type_}.{path} stands in none of the {len(held)} resources of the full person",
                        exchange=held[0].exchange.id,
                        place=f"{type_}.{path}",
                    )
                )
    empty = [type_ for type_ in found.types if type_ not in types and type_ not in DRAFTS and must_support_of(type_)]
    observed = f"{looked_at} must-support elements of {len(types)} types"
    notes = [f"the full person has no {', '.join(empty)}, so nothing of it was seen"] if empty else []
    if findings and not evidence.people["full"].entered:
        return Outcome.inconclusive(
            f"{len(findings)} must-support elements were not seen",
            Cause(
                kind=CauseKind.TEST_DATA,
                because="nobody confirms that the sheet of the full person was entered",
                otherwise="the product does not send them",
                mend="enter the sheet, and state the day in people.full.entered",
            ),
            findings=findings,
            notes=notes,
        )
    if findings:
        cause = Cause(
            kind=CauseKind.SUPPLIER,
            because="elements that the sheet has, and that the supplier confirms to have entered, were not sent",
            ruled_out=f"the sheet was entered by {evidence.people['full'].entered}, as supplier.toml states, and the "
            "answers came whole",
            otherwise="the sheet was not entered in full after all",
            mend="send every must-support element whose value is known",
        )
        return Outcome.failed(findings, cause, observations=looked_at, observed=observed, notes=notes)
    return found.whole(Outcome.passed(looked_at, observed, notes=notes))


def _stands(resource: Any, path: str, type_: str) -> bool:
    nodes: list[Any] = [resource]
    walked: list[str] = []
    for step in path.split("."):
        walked.append(step)
        name, _, slice_ = step.partition(":")
        nodes = [part for node in nodes for part in _children(node, name)]
        if name == "extension" and slice_:
            url = _extension(type_, ".".join(walked))
            nodes = [node for node in nodes if isinstance(node, Mapping) and (url is None or node.get("url") == url)]
        elif slice_ == "nhsNumber":
            nodes = [n for n in nodes if isinstance(n, Mapping) and str(n.get("system", "")).endswith("/Id/nhs-number")]
    return any(node not in (None, "", [], {}) for node in nodes)


def _extension(type_: str, at: str) -> str | None:
    """The address of the extension that a slice is for."""
    for rule in _profiles().get(f"UKCore-{type_}", {}).get("rules", ()):
        if rule.get("at") == at and "extension" in rule:
            name = str(rule["extension"])
            return name if ":" in name else PUBLISHED + name
    return None


def _children(node: Any, name: str) -> Iterator[Any]:
    if not isinstance(node, Mapping):
        return
    stem = name.removesuffix("[x]")
    for key, value in node.items():
        chosen = name.endswith("[x]") and key.startswith(stem) and key[len(stem) : len(stem) + 1].isupper()
        if key == name or chosen:
            yield from value if isinstance(value, list) else [value]


def judge_fillers(evidence: Evidence) -> Outcome:
    """Nothing stands in place of what is not known of the sparse person."""
    found = gathered(evidence, "sparse")
    findings, looked_at = [], 0
    for held in found.held:
        for place, name, value in _leaves(held.resource, held.type):
            looked_at += 1
            if _is_filler(name, value):
                findings.append(
                    Finding(
                        rule="filler",
                        message=f"a filler stands in {place} where nothing is known; the element is to be left out",
                        exchange=held.exchange.id,
                        place=f"{held.place}: {place}",
                    )
                )
    observed = f"{looked_at} values of {len(found.held)} resources"
    if findings:
        cause = supplier("values that say 'not known' were sent as if they were known", "leave the element out")
        return Outcome.failed(findings, cause, observations=looked_at, observed=observed)
    return found.whole(Outcome.passed(looked_at, observed))


def _is_filler(name: str, value: str) -> bool:
    text = value.strip().lower()
    if name in _WRITTEN and (text in _FILLERS or not text):
        return True
    return value[:10] in _NO_DATES


def _leaves(resource: Mapping[str, Any], type_: str) -> Iterator[tuple[str, str, str]]:
    waiting: list[tuple[Any, str, str]] = [(resource, type_, "")]
    while waiting:
        value, place, name = waiting.pop()
        if isinstance(value, Mapping):
            # A name that FHIR does not have came from the sender, and could itself be a patient's value.
            waiting.extend(
                (part, f"{place}.{key if _NAME.fullmatch(key) else '?'}"[:200], key)
                for key, part in value.items()
                if key != "div"
            )
        elif isinstance(value, list):
            waiting.extend((part, f"{place}[{index}]", name) for index, part in enumerate(value))
        elif isinstance(value, str):
            yield place, name, value
