"""What of HL7 v2 is mapped where, from the mapping's own tables; and the mapping beside another tool's.

`python docs/rendering/hl7v2_mapping.py` prints both; with `--write` it puts them into `docs/hl7v2/mapping.md` and
`docs/hl7v2/mapping-compared.md`. The published messages are looked for where `MPFT_MATERIAL` says, or in
`../shared/material`; without them only the first is made.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from mpftconnect.hl7v2 import Mapped, Total, map_message, parse
from mpftconnect.hl7v2.bundle import to_bundle
from mpftconnect.hl7v2.mapping import HANDLED, bookings, documents, facts, immunisations, orders, patients, results
from mpftconnect.hl7v2.mapping.draft import Row
from mpftconnect.hl7v2.mapping.visits import VISIT, VISIT_MORE

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"

TABLES: tuple[tuple[str, str, Sequence[Row]], ...] = (
    ("PID", "Patient", patients.PATIENT),
    ("PD1", "Patient", patients.PATIENT_MORE),
    ("NK1", "RelatedPerson", patients.NEXT_OF_KIN),
    ("PV1", "Encounter", VISIT),
    ("PV2", "Encounter", VISIT_MORE),
    ("AL1", "AllergyIntolerance", facts.ALLERGY),
    ("IAM", "AllergyIntolerance", facts.INTOLERANCE),
    ("DG1", "Condition", facts.DIAGNOSIS),
    ("OBR", "DiagnosticReport", results.REPORT),
    ("OBX", "Observation", results.OBSERVATION),
    ("SPM", "Specimen", results.SPECIMEN),
    ("TXA", "DocumentReference", documents.DOCUMENT),
    ("SCH", "Appointment", bookings.BOOKING),
    ("ORC", "ServiceRequest", orders.ORDER),
    ("OBR of an order", "ServiceRequest", orders.ORDER_DETAIL),
    ("RF1", "ServiceRequest", orders.REFERRAL),
    ("RXA", "Immunization", immunisations.VACCINATION),
    ("RXR", "Immunization", immunisations.ROUTE),
)


def mapping_tables() -> str:
    """The messages that are mapped, and field by field where each goes."""
    lines = ["| Message | Events |", "|---|---|"]
    lines += [f"| {code} | {', '.join(sorted(events))} |" for code, events in HANDLED.items()]
    lines += ["", '| Field | Becomes | `""` removes it |', "|---|---|---|"]
    for segment, kind, table in TABLES:
        for row in sorted(table, key=lambda row: row.field):
            many = "[]" if row.many else ""
            lines.append(
                f"| {segment}-{row.field} | `{kind}.{row.attribute}{many}` | {'yes' if row.removable else 'no'} |"
            )
    return "\n".join(lines)


# --- the comparison --------------------------------------------------------------------------------------------


def archive() -> Path:
    """The packed messages."""
    return Path(os.environ.get("MPFT_MATERIAL") or ROOT.parent / "shared" / "material") / "hl7v2.tgz"


def published(packed: Path) -> Iterator[tuple[dict[str, Any], bytes, dict[str, Any] | None]]:
    """Each message with its manifest line and the Bundle that the other tool makes of it, if there is one."""
    with tarfile.open(packed) as files:
        content = {
            member.name.removeprefix("./").removeprefix("hl7v2/"): stream.read()
            for member in files.getmembers()
            if member.isfile() and (stream := files.extractfile(member)) is not None
        }
    for line in content["manifest.jsonl"].decode().splitlines():
        row = json.loads(line)
        if row.get("file") in content:
            expected = content.get((row.get("expectedFhir") or {}).get("file", ""))
            yield row, content[row["file"]], json.loads(expected, parse_float=Decimal) if expected else None


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The resources of one type."""
    found = (entry["resource"] for entry in bundle.get("entry", ()))
    return [resource for resource in found if resource.get("resourceType") == kind]


# Each kind of difference, and why it is there. The words are ours; that the other tool is right is not said.
KINDS = {
    "number-kept-as-extra": "The other tool makes PID-18, PID-19, PID-20 and PID-21 identifiers of the person. An "
    "account, a licence or a mother's number is none of the person's own, so here it is kept as extra.",
    "number-not-there": "The other tool leaves out a number of PID-2, PID-3 or PID-4.",
    "number-of-insurance": "The other tool takes numbers of IN1, IN2 and GT1 (insurance, guarantor) for the person's; "
    "here those segments are kept as extra.",
    "number-of-another-place": "The other tool takes a number from elsewhere in the message.",
    "name-form": "The same name with more or fewer of its parts: own prefix, degree, suffix.",
    "name-of-insurance": "The other tool takes names of IN1, IN2 and GT1 for the person's, and they may not be.",
    "name-of-another-place": "The other tool takes a name from elsewhere, such as PID-6 or the alias (PID-9).",
    "name-not-there": "The other tool leaves out a name.",
    "birth-date-precision": "The other tool writes a date where the message gives less or more than a day.",
    "gender-code": "A code of table 0001 that one of the two does not read.",
    "results-not-read-there": "The other tool makes no Observation of an OBX that is one here.",
    "results-of-other-segments": "The other tool makes Observations of fields of PDA, ACC and the like (death "
    "certificate, accident); here those segments are kept as extra.",
    "results-in-a-document": "An OBX of a document message is a part of the document here, not a result.",
    "results-of-a-vaccination": "An OBX of a vaccination is kept as extra with it here, not as a result.",
    "results-not-read-here": "An OBX that the other tool makes an Observation of is a line of a longer text here.",
    "value-form": "The value is the same and its form differs: text lines joined, a range, units, an empty value.",
    "value-code": "The code of the result is written otherwise: no code, or the second coding first.",
    "contact-not-made-here": "The visit has no number and no admission time by which a later message could name it.",
    "contact-not-made-there": "The other tool makes no Encounter of this message.",
    "several-contacts-there": "The other tool makes a second Encounter, of the visit before or of an order.",
    "contact-class": "The other tool writes a class where PV1-2 has no code of table 0004 that means one.",
    "contact-start": "The start differs: only PV1-44 is one here; the offset or precision may differ.",
    "contact-state": "The other tool states `in-progress`, `unknown` or the like whatever the event; here only the "
    "event or an end says so.",
    "no-mapping-there": "The other tool gives no resource of this kind.",
}


@dataclass
class Compared:
    """The comparison of one message: same, or the kinds of difference, by subject."""

    kinds: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def say(self, subject: str, kind: str) -> None:
        if kind not in self.kinds[subject]:
            self.kinds[subject].append(kind)

    def cell(self, subject: str) -> str:
        return ", ".join(self.kinds[subject]) or "the same"


def compare(mapped: Mapped, expected: dict[str, Any], raw: bytes) -> Compared:
    """What differs between our Bundle of a message and the other tool's."""
    ours, found = to_bundle([mapped]), Compared()
    _people(ours, expected, raw, found)
    _results(ours, expected, raw, found)
    _contacts(ours, expected, found)
    return found


def _values(patients_: Iterable[dict[str, Any]]) -> set[str]:
    return {str(i.get("value")) for patient in patients_ for i in patient.get("identifier", ()) if i.get("value")}


def _names(patients_: Iterable[dict[str, Any]]) -> set[tuple[str, ...]]:
    return {
        (str(name.get("family", "")).casefold(), *(given.casefold() for given in name.get("given", ())))
        for patient in patients_
        for name in patient.get("name", ())
        if name.get("family") or name.get("given")
    }


_INSURANCE = ("IN1", "IN2", "IN3", "GT1")
_NUMBERS = {"PID": "number-kept-as-extra", **dict.fromkeys(_INSURANCE, "number-of-insurance")}


def _segment_of(raw: bytes, *values: str) -> str:
    """The first segment that holds all of these texts as leaves of its own."""
    message = parse(raw)
    for name, line in zip(message.names, message.lines, strict=True):
        leaves = {leaf.casefold() for leaf in re.split(r"[|^~&]", line)}
        if all(value.casefold() in leaves for value in values):
            return name
    return ""


def _people(ours: dict[str, Any], theirs: dict[str, Any], raw: bytes, found: Compared) -> None:
    here, there = resources(ours, "Patient"), resources(theirs, "Patient")
    if not there:
        found.say("patient", "no-mapping-there")
        return
    own, other = _values(here), _values(there)
    for number in sorted(other - own):
        found.say("patient", _NUMBERS.get(_segment_of(raw, number), "number-of-another-place"))
    if own - other:
        found.say("patient", "number-not-there")
    mine, their = _names(here), _names(there)
    for name in sorted(their - mine):
        if any(name[:2] == known[:2] for known in mine):
            found.say("patient", "name-form")
        else:
            insured = _segment_of(raw, name[0], name[-1]) in _INSURANCE
            found.say("patient", "name-of-insurance" if insured else "name-of-another-place")
    if any(not any(name[:2] == known[:2] for known in their) for name in mine):
        found.say("patient", "name-not-there")
    for element, kind in (("birthDate", "birth-date-precision"), ("gender", "gender-code")):
        mine = {patient.get(element) for patient in here} - {None}
        their = {patient.get(element) for patient in there} - {None}
        if mine != their:
            found.say("patient", kind)


def _value(observation: dict[str, Any]) -> str:
    for key, value in observation.items():
        if key.startswith("value"):
            if isinstance(value, dict):
                coding = (value.get("coding") or [{}])[0]
                number = value.get("value")
                return str(number if number is not None else coding.get("code") or value.get("text") or value)
            return re.sub(r"[-:T]", "", str(value))
    return ""


def _code(observation: dict[str, Any]) -> str:
    code = observation.get("code") or {}
    coding = (code.get("coding") or [{}])[0]
    return str(coding.get("code") or coding.get("display") or code.get("text") or "")


def _results(ours: dict[str, Any], theirs: dict[str, Any], raw: bytes, found: Compared) -> None:
    here = Counter((_code(one), _value(one)) for one in resources(ours, "Observation"))
    there = Counter((_code(one), _value(one)) for one in resources(theirs, "Observation"))
    only_here, only_there = here - there, there - here
    if not only_here and not only_there:
        return
    codes_here, codes_there = (
        Counter(code for code, _ in only_here.elements()),
        Counter(code for code, _ in only_there.elements()),
    )
    if codes_here & codes_there:
        found.say("results", "value-form")
    values_here, values_there = ({value for _, value in side if value} for side in (only_here, only_there))
    if (codes_here - codes_there) and (codes_there - codes_here) and values_here & values_there:
        found.say("results", "value-code")
    else:
        if codes_here - codes_there:
            found.say("results", "results-not-read-there")
        for code in sorted(codes_there - codes_here):
            in_result = _segment_of(raw, code) == "OBX"
            kind = _OBX_OF.get(parse(raw).type[:3], "results-not-read-here")
            found.say("results", kind if in_result else "results-of-other-segments")


_OBX_OF = {"MDM": "results-in-a-document", "VXU": "results-of-a-vaccination"}


def _contacts(ours: dict[str, Any], theirs: dict[str, Any], found: Compared) -> None:
    here, there = resources(ours, "Encounter"), resources(theirs, "Encounter")
    if not here and not there:
        return
    if not here:
        found.say("encounters", "contact-not-made-here")
        return
    if not there:
        found.say("encounters", "contact-not-made-there")
        return
    if len(here) < len(there):
        found.say("encounters", "several-contacts-there")
    mine, their = here[0], there[0]
    if (mine.get("class") or {}).get("code") != (their.get("class") or {}).get("code"):
        found.say("encounters", "contact-class")
    starts = [re.sub(r"[^0-9]", "", str((one.get("period") or {}).get("start") or ""))[:8] for one in (mine, their)]
    if starts[0] != starts[1]:
        found.say("encounters", "contact-start")
    if mine.get("status") != their.get("status"):
        found.say("encounters", "contact-state")


SUBJECTS = ("patient", "results", "encounters")


def comparison_tables(packed: Path) -> str:
    """The comparison by message, and its differences by kind."""
    rows: list[str] = []
    kinds: Counter[tuple[str, str]] = Counter()
    same: Counter[str] = Counter()
    parked: list[str] = []
    count = 0
    for row, raw, expected in published(packed):
        if expected is None:
            continue
        mapped = map_message(parse(raw))
        name = str(row["expectedFhir"]["file"]).rpartition("/")[2].removesuffix("-expected.json")
        if not mapped.changes:
            parked.append(f"{name} ({row['type'][:7]})")
            continue
        count += 1
        compared = compare(mapped, expected, raw)
        for subject in SUBJECTS:
            for kind in compared.kinds[subject]:
                kinds[subject, kind] += 1
            same[subject] += not compared.kinds[subject]
        cells = " | ".join(compared.cell(subject) for subject in SUBJECTS)
        rows.append(f"| {name} | {cells} |")
    lines = [
        f"{count} messages are mapped here and there. The same: patient {same['patient']}, results {same['results']}, "
        f"encounters {same['encounters']}.",
        "",
        f"Parked here, so not compared: {', '.join(sorted(parked))}.",
        "",
        "| Of | Kind of difference | Messages | Why |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {subject} | {kind} | {number} | {KINDS[kind]} |"
        for (subject, kind), number in sorted(kinds.items(), key=lambda item: (SUBJECTS.index(item[0][0]), -item[1]))
    ]
    lines += ["", "| Message | Patient | Results | Encounters |", "|---|---|---|---|", *sorted(rows)]
    return "\n".join(lines)


def ledger_table(packed: Path) -> str:
    """What became of the fields of all published messages."""
    total = Total()
    for _, raw, _ in published(packed):
        total.add(map_message(parse(raw)).ledger)
    assert total.round_trip is not None and total.round_trip_of_mapped is not None  # noqa: S101 - there are messages
    lines = ["| Outcome | Leaves |", "|---|---|"]
    lines += [
        f"| {outcome} | {total.outcome(outcome):,} |"  # type: ignore[arg-type]
        for outcome in ("mapped", "defaulted", "extra", "dropped", "parked")
    ]
    lines += [
        "",
        f"{total.messages} messages, {total.leaves:,} leaves. Round trip: {total.round_trip:.2%} of all, "
        f"{total.round_trip_of_mapped:.2%} of those that were not parked.",
    ]
    return "\n".join(lines)


def write_page(page: Path, text: str) -> None:
    """Put generated text between the page's markers."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{page.name} lacks the markers {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Print or write the pages."""
    pages = {"mapping.md": mapping_tables()}
    if archive().exists():
        pages["mapping-compared.md"] = comparison_tables(archive())
        pages["reading-the-ledger.md"] = ledger_table(archive())
    for name, text in pages.items():
        if "--write" in arguments:
            write_page(ROOT / "docs" / "hl7v2" / name, text)
        else:
            sys.stdout.write(f"{text}\n\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
