"""UKC-05: organisations and sites are identified by ODS code, in the systems that UK Core fixes.

Source: UK Core, UKCore-Organization (identifier:odsOrganisationCode, :odsSiteCode) and UKCore-Location; NHS Data
Dictionary, ORGANISATION CODE: an.. of capitals and digits, 3 to 10 characters as ODS issues them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mpftconnect.conformance import Evidence, Finding, Outcome
from mpftconnect.model import ODS_ORGANIZATION_SYSTEM, ODS_SITE_SYSTEM
from mpftconnect_conformance.checks.uk_core_r4.gathered import gathered, supplier

__all__ = ["judge_ods"]

_SYSTEMS = (ODS_ORGANIZATION_SYSTEM, ODS_SITE_SYSTEM)
_MEANT = re.compile(r"\bods\b|ods[-_]|organi[sz]ation-?code|site-?code", re.I)
_CODE = re.compile(r"[A-Z0-9]{3,10}")


def judge_ods(evidence: Evidence) -> Outcome:
    found = gathered(evidence, "full")
    findings: list[Finding] = []
    good = 0
    for held in found.all:
        for place, identifier in _identifiers(held.resource, held.type):
            system, value = identifier.get("system"), identifier.get("value")
            where = f"{held.place}: {place}"
            if system in _SYSTEMS:
                if isinstance(value, str) and _CODE.fullmatch(value):
                    good += 1
                else:
                    findings.append(
                        Finding(
                            rule="ods-code-form",
                            message="an ODS code is 3 to 10 capitals and digits; the value is not, or is absent",
                            exchange=held.exchange.id,
                            place=f"{where}.value",
                        )
                    )
            elif isinstance(system, str) and _MEANT.search(system):
                findings.append(
                    Finding(
                        rule="ods-system",
                        message=f"the system means ODS and is neither {_SYSTEMS[0]} nor {_SYSTEMS[1]}",
                        exchange=held.exchange.id,
                        place=f"{where}.system",
                    )
                )
    observed = f"{good} ODS identifiers"
    if findings:
        cause = supplier(
            "identifiers that mean ODS were received in another form",
            "use the systems that UK Core fixes, letter by letter",
        )
        return Outcome.failed(findings, cause, observations=good + len(findings), observed=observed)
    return found.whole(Outcome.passed(good, observed))


def _identifiers(resource: Mapping[str, Any], type_: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every identifier, of the resource and of its references."""
    waiting: list[tuple[Any, str]] = [(resource, type_)]
    while waiting:
        value, place = waiting.pop(0)
        if not isinstance(value, Mapping):
            continue
        for key, part in value.items():
            parts = part if isinstance(part, list) else [part]
            for index, each in enumerate(parts):
                at = f"{place}.{key if key.isalpha() and len(key) < 40 else '?'}"
                at = f"{at}[{index}]" if isinstance(part, list) else at
                if key == "identifier" and isinstance(each, Mapping):
                    yield at, each
                waiting.append((each, at))
