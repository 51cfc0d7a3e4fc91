"""Package and artefact versions: their order, and the ranges that FHIR packages use.

FHIR NPM packages use exact versions, `1.0.x`, `latest`, `current`, `dev` and `*` (FHIR NPM package
specification, "Dependencies"). Versions themselves are semantic versions, with exceptions in the wild
(`0.0.0-gh62781c56`, `20200101`): every string has a place in the order, so nothing here raises.
"""

from __future__ import annotations

import re

__all__ = ["matches", "newest", "order"]

_PART = re.compile(r"\d+|[A-Za-z]+")
_ANY = {"", "*", "latest", "x", "current", "dev"}


def order(version: str) -> tuple[object, ...]:
    """A key to sort versions by; a release comes after its own pre-releases.

    >>> sorted(["1.10.0", "1.9.0", "1.10.0-beta"], key=order)
    ['1.9.0', '1.10.0-beta', '1.10.0']
    """
    release, _, label = version.partition("-")
    numbers = tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in _PART.findall(release))
    labels = tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in _PART.findall(label))
    return (numbers, not label, labels)


def matches(version: str, wanted: str) -> bool:
    """Whether a version answers to what was asked for.

    >>> matches("1.0.4", "1.0.x"), matches("1.1.0", "1.0.x"), matches("1.0.4", "1.0"), matches("2.0.0", "latest")
    (True, False, True, True)
    """
    if wanted in _ANY or version == wanted:
        return True
    if wanted.startswith(("^", "~")):
        floor = wanted[1:]
        kept = 1 if wanted[0] == "^" else 2
        return version.split(".")[:kept] == floor.split(".")[:kept] and order(version) >= order(floor)
    parts = wanted.split(".")
    if "x" in parts or "*" in parts:
        stop = min(parts.index(wild) for wild in ("x", "*") if wild in parts)
        return version.split("-")[0].split(".")[:stop] == parts[:stop]
    # "1.0" means any patch of 1.0; "4.0.1" was compared above.
    return len(parts) < 3 and "-" not in version and version.split(".")[: len(parts)] == parts


def newest(versions: list[str]) -> str | None:
    """The newest of some versions, a release before any pre-release."""
    if not versions:
        return None
    releases = [version for version in versions if "-" not in version]
    return max(releases or versions, key=order)
