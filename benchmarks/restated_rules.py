"""Our restated rules of UK Core beside the published package: verdicts on its examples, what they catch, and each rule.

    python benchmarks/restated_rules.py                # three tables
    python benchmarks/restated_rules.py --write-docs   # and those of docs/validation/uk-core-rules.md

For the third table an instance is built for every restated rule by code that imports nothing of the compiler
(`power/restated.py`), shown to be free of errors, and broken in that rule alone.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from power.examples import CORE, EXPANSIONS, UK_CORE, examples, material
from power.mutations import mutations
from power.published import Published
from power.restated import Broken, broken_rules

from mpftconnect.validation import Options, Report, Validator

PAGE = Path(__file__).resolve().parents[1] / "docs" / "validation" / "uk-core-rules.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PACK = "mpftconnect.ukcore-rules"


def validators(folder: Path, options: Options | None = None) -> tuple[Validator, Validator]:
    """Under the published package, and under our rules."""
    core = "hl7.fhir.r4.core@4.0.1"
    return Validator([core, folder / "packages" / UK_CORE], options=options), Validator([core, PACK], options=options)


def errors(report: Report) -> set[str]:
    return {f"{f.expression} ({f.rule})" for f in report.findings if f.severity in ("error", "fatal")}


def verdicts(folder: Path) -> Iterator[str]:
    """How the two judge the published examples."""
    published, ours = validators(folder)
    counted: Counter[tuple[str, str]] = Counter()
    differ: list[str] = []
    for example in examples(folder):
        theirs, own = (v.validate(example.data, profiles=example.profiles) for v in (published, ours))
        counted[theirs.verdict, own.verdict] += 1
        if theirs.verdict != own.verdict:
            only = sorted(errors(theirs) ^ errors(own)) or sorted({n.reason for n in own.not_checked if n.decisive})
            differ.append(f"- `{Path(example.name).name}`: {theirs.verdict}, ours {own.verdict}: {'; '.join(only[:2])}")
    names = ("valid", "invalid", "undecided")
    yield "| published package says | ours: valid | ours: invalid | ours: undecided |"
    yield "|---|---|---|---|"
    for name in names:
        yield f"| {name} | " + " | ".join(str(counted[name, other]) for other in names) + " |"
    if differ:
        yield from ("", "Where they differ:", "", *differ)


def caught(folder: Path) -> Iterator[str]:
    """What is broken in the published examples and caught by the published package: how much of it ours catch."""
    published, ours = validators(folder, Options(validate_reference=True))
    definitions = Published(tuple(folder / "packages" / name for name in (CORE, EXPANSIONS, UK_CORE)))
    made: Counter[str] = Counter()
    found: Counter[str] = Counter()
    missed: dict[str, str] = {}
    for example in examples(folder):
        if any(v.validate(example.data, profiles=example.profiles).verdict == "invalid" for v in (published, ours)):
            continue
        for mutation in mutations(definitions, json.loads(example.data), example.profiles):
            data = json.dumps(mutation.resource).encode()
            if published.validate(data, profiles=example.profiles).verdict != "invalid":
                continue
            made[mutation.kind] += 1
            if ours.validate(data, profiles=example.profiles).verdict == "invalid":
                found[mutation.kind] += 1
            else:
                missed.setdefault(f"{mutation.kind}: {mutation.rule}", f"{mutation.where} in {Path(example.name).name}")
    yield "| rule broken | caught by the published package | of these, by ours |"
    yield "|---|---|---|"
    for kind in sorted(made):
        yield f"| {kind} | {made[kind]:,} | {found[kind]:,} |"
    yield f"| **all** | {made.total():,} | {found.total():,} |"
    if missed:
        yield from ("", "Missed:", "", *(f"- {rule}, such as `{where}`" for rule, where in sorted(missed.items())))


def each_rule() -> tuple[Counter[str], Counter[str], dict[str, list[Broken]]]:
    """Every restated rule broken once: how many by kind, how many caught, and those that went wrong, with why."""
    validator = Validator([PACK], options=Options(validate_reference=True))
    made: Counter[str] = Counter()
    found: Counter[str] = Counter()
    wrong: dict[str, list[Broken]] = defaultdict(list)
    for broken in broken_rules():
        made[broken.kind] += 1
        before, after = validator.validate(broken.whole), validator.validate(broken.broken)
        if errors(before):
            wrong[f"the instance itself has errors: {sorted(errors(before))}"].append(broken)
        elif not any(broken.severity == f.severity and f.rule in broken.expected for f in after.findings):
            wrong["not caught"].append(broken)
        else:
            found[broken.kind] += 1
    return made, found, wrong


def rules() -> Iterator[str]:
    made, found, wrong = each_rule()
    yield "| restated rule | broken once each | caught |"
    yield "|---|---|---|"
    for kind in sorted(made):
        yield f"| {kind} | {made[kind]} | {found[kind]} |"
    yield f"| **all** | {made.total()} | {found.total()} |"
    for why, which in wrong.items():
        yield from ("", f"{why}:", "", *(f"- {broken.name}" for broken in which))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write-docs", action="store_true", help="bring docs/validation/uk-core-rules.md up to date")
    given = parser.parse_args(arguments)
    folder = material()
    if folder is None:
        print("no published material: set MPFT_MATERIAL to the folder that holds packages/ and uk-fhir.tgz")
        return 3
    titles = ("Verdicts on the published examples", "What is broken in them", "Every restated rule broken once")
    text = "\n\n".join(
        f"### {title}\n\n" + "\n".join(part)
        for title, part in zip(titles, (verdicts(folder), caught(folder), rules()), strict=True)
    )
    print(text)
    if given.write_docs:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
