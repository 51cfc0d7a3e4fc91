"""Agreement with the reference validator on the published cases, and the page that says so.

    python benchmarks/validation_parity.py [--write] [--list] [--only TEXT]

Reads `validator-cases` of the test material (`MPFT_MATERIAL`, or `../shared/material` beside the repository),
runs every row under its own stated options, and prints the whole denominator. `--write` writes
`docs/validation-parity.md`; `--list` prints every row that disagrees with its findings.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import os
import re
import tarfile
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mpftconnect.errors import MpftConnectError
from mpftconnect.validation import Options, Report, Validator

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "validation-parity.md"
# Outside the bar: another rule language, cryptography, or a comparison tool.
APART = {"matchetype": "matchetype", "measure": "MeasureReport and CQL", "dsig": "signatures", "shc": "signatures"}
# The reference has these loaded for every row (README of the material); R4 only.
R4_PACKAGES = ["hl7.fhir.r4.core@4.0.1", "hl7.fhir.uv.extensions.r4@5.3.0"]
R3_PACKAGES = ["hl7.fhir.r3.core@3.0.2", "hl7.fhir.r3.expansions@3.0.2"]


def material() -> Path:
    """The folder of test material."""
    return Path(os.environ.get("MPFT_MATERIAL") or REPOSITORY.parent / "shared" / "material")


def unpacked(name: str, into: Path) -> Path:
    """A case set of the material, unpacked."""
    folder = into / name
    if not folder.exists():
        with tarfile.open(material() / f"{name}.tgz") as archive:
            archive.extractall(into, filter="data")
    return folder


@dataclasses.dataclass(slots=True)
class Outcome:
    row: dict[str, Any]
    verdict: str
    report: Report | None
    reason: str
    excused: bool
    same_element: bool | None
    milliseconds: float

    @property
    def expected(self) -> str:
        return "valid" if self.row["expected"]["valid"] else "invalid"

    @property
    def agrees(self) -> bool:
        return self.verdict == self.expected

    @property
    def apart(self) -> str | None:
        return APART.get(self.row["module"])


class Runner:
    """Runs rows; validators of the same packages share what they loaded."""

    def __init__(self, folder: Path) -> None:
        self.files = folder / "files"
        self._validators: dict[tuple[str, ...], Validator] = {}

    def _validator(self, row: Mapping[str, Any]) -> Validator:
        names = list(R3_PACKAGES if row["fhirVersion"] == "3.0" else R4_PACKAGES)
        for package in row["packages"]:
            if package.endswith(".tgz") and (self.files / package).exists():
                names.append(str(self.files / package))
            elif (material() / "packages" / f"{package.replace('#', '-')}.tgz").exists():
                names.append(package.replace("#", "@"))
        key = tuple(names)
        if key not in self._validators:
            self._validators[key] = Validator(names, search_path=[material() / "packages"])
        return self._validators[key]

    def run(self, row: dict[str, Any]) -> Outcome:
        start = time.perf_counter()
        try:
            validator = self._validator(row)
            given = list(dict.fromkeys([*row["supportingFiles"], *(row["options"].get("supporting5") or ())]))
            wanted = []
            for profile in row["profiles"]:
                if profile.startswith("file:") and profile[5:] not in given:
                    given.append(profile[5:])
            usable = [self.files / name for name in given if (self.files / name).exists() and not name.endswith(".map")]
            validator = validator.with_resources(usable)
            for profile in row["profiles"]:
                if profile.startswith("file:"):
                    definition = validator._read_definition(self.files / profile[5:])
                    wanted.append(str(definition["url"]))
                else:
                    wanted.append(profile)
            options, _ = options_of(row["options"])
            data = (self.files / row["file"]).read_bytes()
            report = validator.validate(data, wanted, options=options)
        except Exception as error:  # noqa: BLE001 - a crash is a disagreement like any other, and is shown
            took = (time.perf_counter() - start) * 1000
            where = "" if isinstance(error, MpftConnectError) else traceback.format_exc(limit=-4)
            return Outcome(row, "error", None, f"{type(error).__name__}: {error} {where}", False, None, took)
        took = (time.perf_counter() - start) * 1000
        absent = [name for name in given if not (self.files / name).exists()]
        excused = (report.verdict != row_verdict(row) and bool(absent)) or (
            report.verdict == "undecided"
            and all(
                "not loaded" in item.reason
                or "no loaded package" in item.reason
                or "was not found" in item.reason
                or "but not in version" in item.reason
                for item in report.not_checked
                if item.decisive
            )
        )
        return Outcome(row, report.verdict, report, "", excused, same_element(row, report), took)


def options_of(words: Mapping[str, Any]) -> tuple[Options, list[str]]:
    """The row's options; what this validator has no option for is named."""
    taken, unknown = {}, []
    for key, value in words.items():
        try:
            Options.from_mapping({key: value})
        except MpftConnectError:
            unknown.append(key)
            continue
        taken[key] = value
    return Options.from_mapping(taken), unknown


def row_verdict(row: Mapping[str, Any]) -> str:
    """What the reference says."""
    return "valid" if row["expected"]["valid"] else "invalid"


_COMMENT = re.compile(r"/\*.*?\*/")
_CHOICE = re.compile(r"\.ofType\([^)]*\)")
_FILTER = re.compile(r"\[[a-z]+=.*?\]")


def plain(expression: str | None) -> tuple[str, ...]:
    """An expression's steps without comments and choice notation."""
    if not expression:
        return ()
    if expression.startswith("/f:"):
        expression = expression[3:].replace("/f:", ".")
    expression = _FILTER.sub("", _CHOICE.sub("", _COMMENT.sub("", expression)))
    steps = []
    for step in expression.split("."):
        step = re.sub(r"([a-z])([A-Z][A-Za-z]+)$", r"\1\2", step)
        steps.append(step)
    return tuple(steps)


def near(left: tuple[str, ...], right: tuple[str, ...]) -> bool:
    """Equal, or direct parent and child."""
    left = tuple(re.sub(r"\[0\]$", "", s) for s in left)
    right = tuple(re.sub(r"\[0\]$", "", s) for s in right)
    return left == right or left[:-1] == right or right[:-1] == left


def same_element(row: Mapping[str, Any], report: Report) -> bool | None:
    """Where both say invalid: whether an error of ours is at an element of theirs."""
    theirs = [plain(e.get("expression")) for e in row["expected"]["errors"]]
    ours = [plain(f.expression) for f in report.findings if f.severity in ("error", "fatal")]
    if row["expected"]["valid"] or not ours:
        return None
    return any(near(a, b) for a in ours for b in theirs)


def percentage(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def summary(outcomes: list[Outcome]) -> dict[str, Any]:
    agree = [o for o in outcomes if o.agrees]
    excused = [o for o in outcomes if not o.agrees and o.excused]
    invalid = [o for o in outcomes if o.expected == "invalid"]
    caught = [o for o in invalid if o.verdict == "invalid"]
    valid = [o for o in outcomes if o.expected == "valid"]
    placed = [o for o in caught if o.same_element is not None]
    return {
        "rows": len(outcomes),
        "agree": len(agree),
        "undecided_excused": len(excused),
        "disagree": len(outcomes) - len(agree) - len(excused),
        "agreement": percentage(len(agree), len(outcomes)),
        "agreement_or_excused": percentage(len(agree) + len(excused), len(outcomes)),
        "recall": percentage(len(caught), len(invalid)),
        "false_alarms": sum(o.verdict == "invalid" for o in valid),
        "always_valid": percentage(len(valid), len(outcomes)),
        "same_element": percentage(sum(bool(o.same_element) for o in placed), len(placed)),
    }


def groups(outcomes: list[Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    inside = [o for o in outcomes if not o.apart]
    local = [o for o in inside if o.row["runnableLocalFiles"]]
    yield "R4, runnable with local files", [o for o in local if o.row["fhirVersion"] == "4.0"]
    yield "R4, strict", [o for o in local if o.row["fhirVersion"] == "4.0" and o.row["strict"]]
    yield "STU3, runnable with local files", [o for o in local if o.row["fhirVersion"] == "3.0"]
    yield "STU3, strict", [o for o in local if o.row["fhirVersion"] == "3.0" and o.row["strict"]]
    yield "Both, runnable with local files", local
    yield (
        "Not runnable (terminology server or packages that are not here)",
        [o for o in inside if not o.row["runnableLocalFiles"]],
    )
    yield "Apart: MeasureReport, CQL, signatures, matchetype", [o for o in outcomes if o.apart]
    yield "All rows", outcomes


def describe(outcome: Outcome) -> str:
    row = outcome.row
    who = f"`{row['file']}` ({row['kind']}, {row['fhirVersion']}, {row['module']})"
    return f"{who}: reference {outcome.expected}, here {outcome.verdict}"


def reasons(outcome: Outcome) -> list[str]:
    lines = []
    lines += [f"theirs: {e.get('expression')}: {e['text'][:160]}" for e in outcome.row["expected"]["errors"][:4]]
    if outcome.reason:
        lines.append(f"ours: {outcome.reason}")
    if outcome.report is not None:
        shown = [f for f in outcome.report.findings if f.severity in ("error", "fatal")]
        lines += [f"ours: {f.expression}: [{f.rule}] {f.message[:200]}" for f in shown[:6]]
        lines += [
            f"not checked: {n.expression}: [{n.rule}] {n.reason[:160]}"
            for n in outcome.report.not_checked
            if n.decisive
        ][:3]
    return lines


def page(outcomes: list[Outcome]) -> str:
    lines = [
        "# Agreement with the reference validator",
        "",
        "Generated by `python benchmarks/validation_parity.py --write`. The cases are those of FHIR/fhir-test-cases",
        "that stand in the test material: a sample of a larger set. Every row runs under its own stated options.",
        "",
        "*Agree*: the same verdict. *Undecided*: a rule needs what no package at hand holds (a code system, say);",
        "it counts as a disagreement only where the packages suffice. *Recall*: of the rows that the reference calls",
        "invalid, how many are called so here. *Always valid*: what a validator that accepts everything would reach.",
        "*Same element*: where both say invalid, an error stands at the same element, its parent or its child.",
        "",
        "| rows | number | agree | undecided, excused | disagree | agreement | with excused | recall "
        "| false alarms | always valid | same element |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, held in groups(outcomes):
        s = summary(held)
        lines.append(
            f"| {name} | {s['rows']} | {s['agree']} | {s['undecided_excused']} | {s['disagree']} | {s['agreement']} | "
            f"{s['agreement_or_excused']} | {s['recall']} | {s['false_alarms']} | {s['always_valid']} | "
            f"{s['same_element']} |"
        )
    inside = [outcome for outcome in outcomes if outcome.row["runnableLocalFiles"] and not outcome.apart]
    outside = [outcome for outcome in outcomes if not outcome.row["runnableLocalFiles"] or outcome.apart]
    for title, held in (("Disagreements", inside), ("Disagreements outside the bar", outside)):
        lines += ["", f"## {title}", ""]
        for outcome in held:
            if not outcome.agrees:
                excuse = " (what it needs is in no package at hand)" if outcome.excused else ""
                lines.append(f"- {describe(outcome)}{excuse}")
                lines += [f"    - {line.replace('|', '/').replace('<', '&lt;')}" for line in reasons(outcome)]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--all", action="store_true", help="list rows outside the bar too")
    arguments = parser.parse_args()
    if not (material() / "validator-cases.tgz").exists():
        print("the test material is not there; nothing was measured")
        return 0
    cached = os.environ.get("MPFT_MATERIAL_UNPACKED")
    with tempfile.TemporaryDirectory() as scratch:
        folder = unpacked("validator-cases", Path(cached or scratch))
        rows = [json.loads(line) for line in (folder / "cases.jsonl").read_text(encoding="utf-8").splitlines()]
        runner = Runner(folder)
        outcomes = [runner.run(row) for row in rows if arguments.only in row["id"]]
    for name, held in groups(outcomes):
        if held:
            print(f"{name}: {summary(held)}")
    print("verdicts", dict(collections.Counter((o.expected, o.verdict) for o in outcomes)))
    if arguments.list or arguments.only:
        for outcome in outcomes:
            counted = outcome.row["runnableLocalFiles"] and not outcome.apart
            if (arguments.only or not outcome.agrees) and (counted or arguments.all or arguments.only):
                print(describe(outcome), "EXCUSED" if outcome.excused else "", f"{outcome.milliseconds:.0f} ms")
                for line in reasons(outcome):
                    print("    ", line)
    if arguments.write:
        PAGE.write_text(page(outcomes), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
