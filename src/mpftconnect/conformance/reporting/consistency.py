"""Whether a report follows from itself: its summary from its outcomes, its outcomes from the evidence beside it.

A signature says only that nothing was altered since. Whoever signs can sign a summary that the outcomes do not give:
so it is worked out again, and each thing that does not follow is named.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.formats import ReportFormat
from mpftconnect.conformance.outcome import Status
from mpftconnect.conformance.reporting.document import exchanges_shown, subject_of, target_of
from mpftconnect.conformance.reporting.errata import errata_of, revisions_of, under
from mpftconnect.conformance.reporting.folder import EVIDENCE, REPORT, Stored
from mpftconnect.conformance.reporting.rejudge import outcome_from, rejudge
from mpftconnect.conformance.reporting.scope import left_out, musts_left_out
from mpftconnect.conformance.reporting.summary import summary_of
from mpftconnect.conformance.reporting.verdict import counted_row, counts_of, verdict_of
from mpftconnect.conformance.requirement import Pack
from mpftconnect.errors import MpftConnectError, UsageError

__all__ = ["NOT_WHOLE", "does_not_follow", "forms_amiss", "judged_otherwise"]

NOT_WHOLE = "is not whole"
# What a run settles without a judge; see `run.standing` and `run.Run._probed`.
_WITHOUT_JUDGE = frozenset(
    {Status.NOT_TESTED, Status.ERROR, Status.NOT_OFFERED, Status.NOT_APPLICABLE, Status.ATTESTED, Status.RECORDED}
)
# Forms that the same report gives byte for byte, whatever libraries are installed.
_TEXTS = ("report.html", "junit.xml", "requirements.csv")


def does_not_follow(stored: Stored, packs: Iterable[Pack]) -> Iterator[tuple[str, str]]:
    """What a report says of itself that its own outcomes and evidence do not give: place, and what is amiss.

    Args:
        packs: Those that are installed: where one is the report's own, its requirements are held against the report.
    """
    try:
        if datetime.fromisoformat(stored.report["run"]["started"]).tzinfo is None:
            yield REPORT, NOT_WHOLE
        yield from _results(stored)
        yield from _packs(stored.report, {pack.name: pack for pack in packs})
        yield from _about(stored)
    except (KeyError, TypeError, ValueError, AttributeError):
        yield REPORT, NOT_WHOLE


def _results(stored: Stored) -> Iterator[tuple[str, str]]:
    rows = stored.report["results"]
    names = {pack["name"] for pack in stored.report["packs"]}
    kept = {each.id for each in stored.exchanges}
    for id_, many in Counter(row["id"] for row in rows).items():
        if many > 1:
            yield REPORT, f"{id_} stands in it {many} times"
    for row in rows:
        id_, status = row["id"], Status(row["outcome"]["status"])
        try:
            outcome_from(row["outcome"])
        except UsageError as error:
            yield REPORT, f"{id_}: {error}"
        if row["decides"] is not counted_row(row).decides:
            yield REPORT, f"{id_}: whether it decides the verdict is not as its level says"
        if row["decided_by"] != "judge" and status not in _WITHOUT_JUDGE:
            yield REPORT, f"{id_}: says {status}, and no judge decided it"
        if row["pack"] not in names:
            yield REPORT, f"{id_}: its pack is not in the summary"
        if not set(row.get("exchanges", ())) <= kept:
            yield REPORT, f"{id_}: names an exchange that is not in the evidence"


def _packs(report: Mapping[str, Any], here: Mapping[str, Pack]) -> Iterator[tuple[str, str]]:
    for told in report["packs"]:
        name = told["name"]
        rows = [row for row in report["results"] if row["pack"] == name]
        counted = [counted_row(row) for row in rows]
        pack = here.get(name)
        if pack is not None and pack.digest == told["digest"]:
            left = left_out(pack, {row["id"] for row in rows}, str(report["run"].get("preset", "")))
            verdict, because = verdict_of(counted, musts_left_out(pack, left))
            fits = told["verdict"] == verdict and told["because"] == because
            if {n: told[n] for n in ("not_run", "outside_preset") if n in told} != left:
                yield REPORT, f"what of {name} was not run is not as it says"
            yield from _requirements(pack, rows)
        else:  # which of those left out were musts is not known here
            verdict, because = verdict_of(counted)
            left = told.get("not_run", ())
            fits = told["verdict"] == verdict or (bool(left) and told["verdict"] == "undetermined")
            if len(rows) + len(left) + told.get("outside_preset", 0) != told["requirements"]:
                yield REPORT, f"what of {name} was not run is not as it says"
        if not fits:
            yield REPORT, f"the verdict of {name} does not follow from its outcomes, which give {verdict}: {because}"
        if told["judged"] != len(rows) or any(told[n] != counts for n, counts in counts_of(counted).items()):
            yield REPORT, f"the counts of {name} are not those of its outcomes"


def _requirements(pack: Pack, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Whether the requirements are worded as the pack of that digest words them."""
    for row in rows:
        own = pack.requirement(row["id"])
        stated = json.loads(json.dumps(own.as_dict(), default=str)) if own is not None else {}
        if own is None or any(row.get(name) != value for name, value in stated.items()):
            yield REPORT, f"{row['id']}: is not the requirement of that pack"
        elif bool(row.get("advisory")) is not own.advisory:
            yield REPORT, f"{row['id']}: whether it decides the verdict is not as the pack says"


def _about(stored: Stored) -> Iterator[tuple[str, str]]:
    report = stored.report
    if report["subject"] != json.loads(json.dumps(subject_of(stored.subject))):
        yield REPORT, f"its product is not that of {EVIDENCE}"
    if report["target"] != json.loads(json.dumps(target_of(stored.subject, stored.exchanges))):
        yield REPORT, "its target is not that of the exchanges in the evidence"
    if bool(report.get("demonstration")) is not bool(stored.subject.twin):
        yield REPORT, "whether it is a demonstration is not as the evidence says"
    if (report["run"]["by"] == "challenged") is not bool(report["run"].get("challenge")):
        yield REPORT, "who ran it does not follow from the challenge that it names"
    if not isinstance(report["judge"]["engine"], str):
        yield REPORT, "it does not say what judged it"
    if report["exchanges"] != len(stored.exchanges):
        yield REPORT, "it names another number of exchanges than the evidence holds"
    shown = [(row["kind"], row["name"], row["sha256"]) for row in report.get("files", ())]
    if shown != [(each.kind, each.name, each.sha256) for rows in stored.files.values() for each in rows]:
        yield REPORT, "its documents are not those of the evidence"


def judged_otherwise(stored: Stored, catalog: Catalog) -> tuple[list[tuple[str, str]], list[str]]:
    """Outcomes that this judge does not give on the evidence, and notes; nothing where it is another judge.

    Args:
        stored: With the signers whom the reader believes.
    """
    try:
        made = rejudge(stored, catalog, now=datetime.now(UTC)).document
        before, after = stored.report["judge"], made["judge"]
        digests = {row["name"]: row["digest"] for row in stored.report["packs"]}
        same = all(before[name] == after[name] for name in ("engine", "checks", "validator", "definitions"))
        if not same or digests != {row["name"]: row["digest"] for row in made["packs"]}:
            return [], ["the judge here is another than the report's: its outcomes were not judged again"]
        rows = {row["id"]: _bare(_under_errata(row, stored.report, catalog)) for row in stored.report["results"]}
        differing = {row["id"]: row for row in made["results"] if rows.get(row["id"]) != _bare(row)}
        # An assessor whom the reader does not believe is no alteration: it is said, and the outcome stands otherwise.
        trusting = _trusting(stored, catalog) if differing else {}
    except (MpftConnectError, KeyError, TypeError, ValueError, AttributeError) as error:
        return [], [f"its evidence could not be judged again ({type(error).__name__})"]
    found, notes = [], []
    for id_, row in differing.items():
        was, now = str(rows.get(id_, {}).get("outcome", {}).get("status", "absent")), row["outcome"]["status"]
        if trusting.get(id_) == was != now:
            notes.append(f"{id_}: {was} stands on a signature that the trust file does not believe; without it: {now}")
        elif was != now:
            found.append((REPORT, f"{id_}: the evidence gives {now}, and the report says {was}"))
        else:
            found.append((REPORT, f"{id_}: what it says of it is not what the evidence gives"))
    return found, notes


def _under_errata(row: Mapping[str, Any], report: Mapping[str, Any], catalog: Catalog) -> dict[str, Any]:
    """The row as judging again words it: with what the pack itself confesses to."""
    pack = catalog.packs[row["pack"]]
    errata = errata_of(pack, row["id"], (pack.revision, revisions_of(report)[pack.name]))
    return {**row, "outcome": under(outcome_from(row["outcome"]), errata).as_dict()} if errata else dict(row)


def _trusting(stored: Stored, catalog: Catalog) -> dict[str, str]:
    """The outcomes if every signature of a document were believed."""
    if not any(each.signature for rows in stored.files.values() for each in rows):
        return {}
    files = {
        kind: tuple(replace(each, signed_by=("somebody",) if each.signature else ()) for each in rows)
        for kind, rows in stored.files.items()
    }
    made = rejudge(replace(stored, files=files), catalog, now=datetime.now(UTC)).document
    return {row["id"]: row["outcome"]["status"] for row in made["results"]}


def _bare(row: Mapping[str, Any]) -> Any:
    """A result without what was not judged: the change since a baseline, and whose signature a response bears."""
    return json.loads(json.dumps({n: v for n, v in row.items() if n not in ("changed", "response")}, default=str))


def forms_amiss(stored: Stored, formats: Iterable[ReportFormat], digests: Mapping[str, str]) -> Iterator[str]:
    """Names of forms that are not what this release makes of the report.

    Args:
        formats: Those that are installed.
        digests: The sha256 of each file that stands in the folder.
    """
    summary = None
    for form in formats:
        if form.file not in _TEXTS or form.file not in digests:
            continue
        try:
            summary = summary or summary_of(stored.report, exchanges_shown(stored.exchanges))
            made = hashlib.sha256(form.write(summary)).hexdigest()
        except Exception:  # noqa: BLE001 - a report of any shape: what no form can be made of is not its form
            made = ""
        if made != digests[form.file]:
            yield form.file
