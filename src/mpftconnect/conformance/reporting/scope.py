"""What of its packs a report holds: what a run left out is said, and a must that was left out is not decided."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mpftconnect.conformance.numbers import many
from mpftconnect.conformance.requirement import Pack

__all__ = ["left_out", "musts_left_out", "partial_words", "preset_words"]


def left_out(pack: Pack, judged: Collection[str], preset: str = "") -> dict[str, Any]:
    """What of a pack was not judged.

    Args:
        judged: Ids of what was.
        preset: The use to which the run was narrowed; empty if it was not.
    Returns:
        `not_run`: references of what belongs to the run and is not in it; `outside_preset`: how many requirements do
        not belong to it. What is empty is left out.
    """
    scope = next((set(p.requirements) for p in pack.presets if preset and p.name == preset), None)
    missing = [r for r in pack.requirements if r.id not in judged]
    not_run = [r.ref for r in missing if scope is None or r.id in scope]
    outside = len(missing) - len(not_run)
    return {**({"not_run": not_run} if not_run else {}), **({"outside_preset": outside} if outside else {})}


def musts_left_out(pack: Pack, told: Mapping[str, Any]) -> list[str]:
    """Of what was left out, the references on which the verdict depends."""
    not_run = set(told.get("not_run", ()))
    return [r.ref for r in pack.requirements if r.decides and r.ref in not_run]


def partial_words(report: Mapping[str, Any]) -> str:
    """Why a report is partial, in sentences; empty if it is whole.

    >>> partial_words({"run": {"partial": "interrupted"}, "packs": []})
    'The run did not come to its end (interrupted): what is missing is listed as not tested.'
    """
    run = report["run"]
    said = []
    if run.get("partial"):
        said.append(f"The run did not come to its end ({run['partial']}): what is missing is listed as not tested.")
    for pack in report["packs"]:
        if pack.get("not_run"):
            earlier = f", after report {run['only_failed']}" if run.get("only_failed") else ""
            said.append(
                f"Only {pack['judged']} of {many(pack['requirements'], 'requirement')} of {pack['name']} "
                f"{'was' if pack['judged'] == 1 else 'were'} run{earlier}; "
                f"not run here: {', '.join(pack['not_run'])}."
            )
    return " ".join(said)


def preset_words(report: Mapping[str, Any]) -> str:
    """To which use the run was narrowed, in a sentence; empty if it was not.

    >>> preset_words({"run": {"preset": "patient-app"}, "packs": [{"outside_preset": 1}, {}]})
    'Only what belongs to the use patient-app was asked: 1 requirement is outside it, and nobody looked.'
    """
    preset = report["run"].get("preset")
    if not preset:
        return ""
    outside = sum(pack.get("outside_preset", 0) for pack in report["packs"])
    verb = "is" if outside == 1 else "are"
    return (
        f"Only what belongs to the use {preset} was asked: {many(outside, 'requirement')} {verb} outside it, "
        "and nobody looked."
    )
