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
import tomllib
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mpftconnect.errors import MpftConnectError, PackageNotFound
from mpftconnect.validation import NotChecked, Options, Report, Validator

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "validation-parity.md"
# Why a row of the bar does not agree, as reviewed by a person against the specification; by the row's id.
REASONS = Path(__file__).with_name("validation_parity_reasons.toml")
# Outside the bar: another rule language, cryptography, or a comparison tool.
APART = {"matchetype": "matchetype", "measure": "MeasureReport and CQL", "dsig": "signatures", "shc": "signatures"}
# The reference has these loaded for every row, its extensions for STU3 too (README of the material, and the
# messages of `sd-bundle-r3`).
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
    # A file that the row's options name and the material does not hold: the row cannot be run as stated.
    lacking: str | None = None

    @property
    def expected(self) -> str:
        return "valid" if self.row["expected"]["valid"] else "invalid"

    @property
    def agrees(self) -> bool:
        return self.verdict == self.expected

    @property
    def apart(self) -> str | None:
        return APART.get(self.row["module"])

    @property
    def counted(self) -> bool:
        """Whether the row is of the bar."""
        return self.row["runnableLocalFiles"] and not self.apart and self.lacking is None

    @property
    def as_reference(self) -> str:
        """The verdict, were what is absent counted as the reference counts it."""
        if self.verdict != "undecided" or self.report is None:
            return self.verdict
        kinds = {_as_reference(item) for item in self.report.not_checked if item.decisive}
        return "invalid" if "error" in kinds else "undecided" if None in kinds else "valid"


def _as_reference(item: NotChecked) -> str | None:
    """How the reference counts a rule that lacks its definitions: None where it has them, and we do not.

    A profile that an instance claims, and the questionnaire that it answers, are warnings; a profile that another
    profile demands of a part is an error.
    """
    if item.rule == "questionnaire-missing" or (item.rule == "profile-unknown" and ".meta.profile[" in item.expression):
        return "warning"
    if item.rule in ("profile-unknown", "reference-type", "profile-none", "reference-profile"):
        return "error"
    return None


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
            made = Validator(names, search_path=[material() / "packages"])
            if row["fhirVersion"] == "3.0":
                made = made.with_resources(_extension_definitions())
            self._validators[key] = made
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
            usable += self._fetched(self.files / row["file"])
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
        except PackageNotFound as error:
            # A profile that was asked for is in no package at hand: nothing can be said.
            took = (time.perf_counter() - start) * 1000
            return Outcome(row, "undecided", None, str(error), True, None, took, _lacking(row, self.files))
        except Exception as error:  # noqa: BLE001 - a crash is a disagreement like any other, and is shown
            took = (time.perf_counter() - start) * 1000
            where = "" if isinstance(error, MpftConnectError) else traceback.format_exc(limit=-4)
            return Outcome(row, "error", None, f"{type(error).__name__}: {error} {where}", False, None, took)
        took = (time.perf_counter() - start) * 1000
        return Outcome(
            row, report.verdict, report, "", self._excused(row, report, validator), same_element(row, report), took,
            _lacking(row, self.files),
        )  # fmt: skip

    def _fetched(self, path: Path) -> list[Path]:
        """What references lead to: the reference's own tests fetch `Patient/x` from a file of that name."""
        found: list[Path] = []
        waiting = [path]
        while waiting and len(found) < 50:
            text = waiting.pop().read_text(encoding="utf-8", errors="replace")
            for reference in _REFERENCE.findall(text):
                whole = reference.replace("/", "-").lower()
                tail = reference.partition("/")[2].replace("/", "-").lower()
                for name in (f"{whole}.json", f"{whole}.xml", f"{tail}.json", f"{tail}.xml"):
                    candidate = self.files / name
                    if candidate.is_file() and candidate != path and candidate not in found:
                        found.append(candidate)
                        waiting.append(candidate)
                        break
        return found

    def _excused(self, row: Mapping[str, Any], report: Report, validator: Validator) -> bool:
        """Whether *undecided* is all that can be said: each rule left open needs what was not given with the row.

        An address that is named in the reason, and is at hand after all, is no excuse.
        """
        if report.verdict != "undecided":
            return False
        for item in report.not_checked:
            if not item.decisive:
                continue
            if not any(words in item.reason for words in _ABSENT):
                return False
            if any(_at_hand(address, validator) for address in _ADDRESS.findall(item.reason)) and not any(
                words in item.reason for words in ("but not in version", "far enough")
            ):
                return False
        return True


_REFERENCE = re.compile(r'(?:"reference"\s*:\s*"|<reference value=")([A-Z][A-Za-z]+/[A-Za-z0-9.-]+)"')
_ABSENT = ("not loaded", "no loaded package", "was not found", "but not in version")
_ADDRESS = re.compile(r"(?:https?://|urn:)[^\s|,;]+")


def _extension_definitions() -> list[dict[str, Any]]:
    """The definitions of the extensions package alone: its dependency, R4 core, would displace STU3's."""
    validator = Validator([R4_PACKAGES[1]], search_path=[material() / "packages"])
    entries = validator._checks.definitions.entries("StructureDefinition")
    return [entry.resource for entry in entries if entry.package.startswith("hl7.fhir.uv.extensions")]


def _at_hand(address: str, validator: Validator) -> bool:
    entry = validator._checks.definitions.find(address)
    # A code system that is known by name only says nothing of its codes.
    return entry is not None and entry.resource.get("content") in (None, "complete")


def _lacking(row: Mapping[str, Any], files: Path) -> str | None:
    named = [*row["supportingFiles"], *(row["options"].get("supporting5") or ())]
    return next((name for name in named if not (files / name).exists()), None)


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
        "as_reference": percentage(sum(o.as_reference == o.expected for o in outcomes), len(outcomes)),
        "recall": percentage(len(caught), len(invalid)),
        "false_alarms": sum(o.verdict == "invalid" for o in valid),
        "always_valid": percentage(len(valid), len(outcomes)),
        "same_element": percentage(sum(bool(o.same_element) for o in placed), len(placed)),
    }


def groups(outcomes: list[Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    inside = [o for o in outcomes if not o.apart and o.lacking is None]
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
    yield "Apart: the row names a file that the material does not hold", [o for o in outcomes if o.lacking is not None]
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


_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|\([^)]*\)|https?://\S+|urn:\S+|-?\d[\w.:-]*")
_NAMED = re.compile(r"\b[A-Z][A-Za-z]+(?:\.[A-Za-z\[\]:]+)+|\b[a-z]+-_")


def kind_of(text: str) -> str:
    """A message of the reference without what it names."""
    return " ".join(_NAMED.sub("_", _QUOTED.sub("_", text)).split())[:100]


def kinds(outcomes: list[Outcome]) -> Iterator[str]:
    """Each kind of error of the reference: how often an error of ours stands at the same element, and which rule."""
    both: collections.Counter[str] = collections.Counter()
    alone: collections.Counter[str] = collections.Counter()
    rules: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for outcome in outcomes:
        if outcome.report is None:
            continue
        ours = [(plain(f.expression), f.rule) for f in outcome.report.findings if f.severity in ("error", "fatal")]
        for error in outcome.row["expected"]["errors"]:
            if error["severity"] not in ("error", "fatal"):
                continue
            kind = kind_of(error["text"])
            hits = [rule for at, rule in ours if near(at, plain(error.get("expression")))]
            both[kind] += bool(hits)
            alone[kind] += not hits
            rules[kind].update(hits)
    yield "What the reference calls an error in these rows (in all, those outside the bar too), by kind of message."
    yield "*Here too*: an error of ours at that element, its parent or its child; *rules*: which, most often first."
    yield ""
    yield "| the reference's message | here too | not here | rules |"
    yield "|---|---|---|---|"
    for kind in sorted(rules, key=lambda k: (-alone[k], -both[k], k)):
        most = ", ".join(f"`{rule}`" for rule, _ in rules[kind].most_common(3))
        yield f"| {_plain_line(kind)} | {both[kind]} | {alone[kind]} | {most} |"


def _plain_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text).replace("|", "/").replace("<", "&lt;")


def page(outcomes: list[Outcome]) -> str:
    lines = [
        "# Agreement with the reference validator",
        "",
        "Generated by `python benchmarks/validation_parity.py --write`. The cases are those of FHIR/fhir-test-cases",
        "that stand in the test material: a sample of a larger set. Every row runs under its own stated options.",
        "",
        "*Agree*: the same verdict. *Undecided, excused*: a rule needs a definition that was not given with the row",
        "(a profile, a code system, the resource that is referred to); whether it is at hand after all is looked up.",
        "Nothing else is excused. *As the reference counts*: the same, were what is absent counted as it does: a",
        "profile that an instance claims, and a questionnaire, as a warning; a profile that a profile demands, as an",
        "error. *Recall*: of the rows that the reference calls invalid, how many are called so here. *Always valid*:",
        "what a validator that accepts everything would reach. *Same element*: where both say invalid, an error stands",
        "at the same element, its parent or its child. A row whose options name a file that the material does not hold",
        "cannot be run as stated, and stands apart whatever comes out.",
        "",
        "| rows | number | agree | undecided, excused | disagree | agreement | with excused | as the reference counts "
        "| recall | false alarms | always valid | same element |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, held in groups(outcomes):
        s = summary(held)
        lines.append(
            f"| {name} | {s['rows']} | {s['agree']} | {s['undecided_excused']} | {s['disagree']} | {s['agreement']} | "
            f"{s['agreement_or_excused']} | {s['as_reference']} | {s['recall']} | {s['false_alarms']} | "
            f"{s['always_valid']} | {s['same_element']} |"
        )
    reviewed = tomllib.loads(REASONS.read_text(encoding="utf-8")) if REASONS.exists() else {}
    inside = [o for o in outcomes if o.counted and not o.agrees]
    apart = [o for o in outcomes if not o.counted and not o.agrees]
    for title, held in (
        ("Disagreements", [o for o in inside if not o.excused]),
        ("Undecided, excused", [o for o in inside if o.excused]),
        ("Outside the bar", apart),
    ):
        lines += ["", f"## {title}", ""]
        for outcome in held:
            apart_of = f" (needs `{outcome.lacking}`, which the material does not hold)" if outcome.lacking else ""
            lines.append(f"- {describe(outcome)}{apart_of}")
            why = reviewed.get(outcome.row["id"])
            if why:
                lines.append(f"    - reviewed: {why}")
            lines += [f"    - {_plain_line(line)}" for line in reasons(outcome)]
    lines += ["", "## Kinds of error", "", *kinds(outcomes)]
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
            if (arguments.only or not outcome.agrees) and (outcome.counted or arguments.all or arguments.only):
                print(describe(outcome), "EXCUSED" if outcome.excused else "", f"{outcome.milliseconds:.0f} ms")
                for line in reasons(outcome):
                    print("    ", line)
    if arguments.write:
        PAGE.write_text(page(outcomes), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
