"""How much of what is wrong the validator catches, and whether it cries wolf over what is not.

    python benchmarks/validation_power.py                 # every mutation of every UK Core example
    python benchmarks/validation_power.py --most 20       # at most so many of each kind and rule
    python benchmarks/validation_power.py --write-docs    # and the table of docs/validation/power.md

A mutation counts as caught if the verdict is "invalid". Of examples that are called invalid as
they are nothing is broken: a finding would prove nothing.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from power.examples import CORE, EXPANSIONS, UK_CORE, Example, examples, material
from power.mutations import Mutation, mutations
from power.published import Published

from mpftconnect.validation import Options, Validator

PAGE = Path(__file__).resolve().parents[1] / "docs" / "validation" / "power.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass
class Power:
    """What was found.

    Args:
        caught: By kind of rule.
        made: By kind of rule.
        missed: `kind: rule` with how often, and one place where it happened.
        alarms: Unbroken examples that are called invalid, with their findings.
        unbroken: How many unbroken examples there were.
    """

    caught: Counter[str] = field(default_factory=Counter)
    made: Counter[str] = field(default_factory=Counter)
    missed: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    alarms: dict[str, list[str]] = field(default_factory=dict)
    unbroken: int = 0

    def as_markdown(self) -> str:
        rows = ["| rule broken | mutations | caught | share |", "|---|---|---|---|"]
        for kind in sorted(self.made):
            share = self.caught[kind] / self.made[kind]
            rows.append(f"| {kind} | {self.made[kind]:,} | {self.caught[kind]:,} | {share:.1%} |")
        made, caught = self.made.total(), self.caught.total()
        rows.append(f"| **all** | {made:,} | {caught:,} | {caught / max(made, 1):.1%} |")
        rows += ["", f"Unbroken examples: {self.unbroken}; called invalid: {len(self.alarms)}."]
        rows += [f"- `{Path(name).name}`: {'; '.join(found[:3])}" for name, found in sorted(self.alarms.items())]
        if self.missed:
            rows += ["", "Missed:", ""]
            rows += [f"- {rule}: {len(places)}, such as `{places[0]}`" for rule, places in sorted(self.missed.items())]
        return "\n".join(rows)


def measure(validator: Validator, published: Published, over: Iterable[Example], most: int | None) -> Power:
    """Validate every example and what the operators make of it."""
    power = Power()
    made: dict[tuple[str, str], list[tuple[Mutation, Example]]] = defaultdict(list)
    for example in over:
        report = validator.validate(example.data, profiles=example.profiles)
        power.unbroken += 1
        if report.verdict == "invalid":
            wrong = {f"{f.expression} ({f.rule})" for f in report.findings if f.severity in ("error", "fatal")}
            power.alarms[example.name] = sorted(wrong)
            continue
        for mutation in mutations(published, json.loads(example.data), example.profiles):
            made[mutation.kind, mutation.rule].append((mutation, example))
    chosen = random.Random(1)
    for (kind, rule), all_of_it in sorted(made.items()):
        some = all_of_it if most is None or len(all_of_it) <= most else chosen.sample(all_of_it, most)
        for mutation, example in some:
            power.made[kind] += 1
            report = validator.validate(json.dumps(mutation.resource).encode(), profiles=example.profiles)
            if report.verdict == "invalid":
                power.caught[kind] += 1
            else:
                power.missed[f"{kind}: {rule}"].append(f"{mutation.where} in {example.name}")
    return power


def validator_of(folder: Path) -> Validator:
    """The validator under test, with UK Core, judging references by their form."""
    return Validator(
        packages=["hl7.fhir.r4.core@4.0.1", folder / "packages" / UK_CORE],
        search_path=[folder / "packages"],
        options=Options(validate_reference=True),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--most", type=int, help="at most so many mutations of each kind and rule")
    parser.add_argument("--write-docs", action="store_true", help="bring docs/validation/power.md up to date")
    given = parser.parse_args(arguments)
    folder = material()
    if folder is None:
        print("no published material: set MPFT_MATERIAL to the folder that holds packages/ and uk-fhir.tgz")
        return 3
    published = Published(tuple(folder / "packages" / name for name in (CORE, EXPANSIONS, UK_CORE)))
    table = measure(validator_of(folder), published, examples(folder), given.most).as_markdown()
    print(table)
    if given.write_docs:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
