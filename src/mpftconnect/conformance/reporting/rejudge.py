"""Judges a stored report again: no network, the same evidence, perhaps newer requirements or judges."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.check import decide
from mpftconnect.conformance.definitions import Definitions
from mpftconnect.conformance.evidence import Evidence
from mpftconnect.conformance.outcome import Cause, CauseKind, Finding, Outcome, Status
from mpftconnect.conformance.reporting.document import document_of
from mpftconnect.conformance.reporting.errata import errata_of, known_errata, revisions_of, under
from mpftconnect.conformance.reporting.folder import Stored
from mpftconnect.conformance.requirement import Pack, Requirement
from mpftconnect.conformance.run import Judged, standing
from mpftconnect.conformance.supplier import Authorisation, AuthSettings, ExceptionRequest, Response, Supplier
from mpftconnect.errors import UsageError

__all__ = ["Difference", "Rejudged", "known_errata", "outcome_from", "rejudge"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A requirement whose outcome is another than it was, and what explains it."""

    id: str
    ref: str
    before: str
    after: str
    because: str


@dataclass(frozen=True, slots=True)
class Rejudged:
    """What judging again gave: the new `report.json`, and how it differs."""

    document: dict[str, Any]
    differences: tuple[Difference, ...]
    supplier: Supplier


def rejudge(
    stored: Stored,
    catalog: Catalog,
    *,
    packs: Sequence[Pack] = (),
    package_path: Sequence[Path] = (),
    now: datetime,
) -> Rejudged:
    """Judge the evidence of a report again, under the packs that are installed now, or those given.

    A mistake that is known of the revision under which the evidence was gathered has its effect here: what is
    unreliable is not tested, even where the check has been mended, since it may be the evidence that is amiss.

    Args:
        packs: In place of the installed ones of the same name.
        package_path: Folders of FHIR packages.
    Raises:
        UsageError: A pack of the report is not installed.
    """
    by_name = {pack.name: pack for pack in packs}
    chosen: list[Pack] = []
    for row in stored.report["packs"]:
        pack = by_name.get(row["name"]) or catalog.packs.get(row["name"])
        if pack is None:
            raise UsageError(f"pack {row['name']} is not installed: it cannot be judged again")
        chosen.append(pack)
    supplier = _supplier(stored)
    before = {row["id"]: row for row in stored.report["results"]}
    whole = {row["name"]: row["judged"] == row["requirements"] for row in stored.report["packs"]}
    gathered = revisions_of(stored.report)
    definitions = Definitions(package_path)
    judged: list[Judged] = []
    outcomes: dict[str, Status] = {}
    for pack in chosen:
        for requirement in pack.requirements:
            if requirement.id not in before and not whole[pack.name]:
                continue  # it was not chosen then
            made = _judge(requirement, stored, supplier, catalog, definitions, outcomes, before.get(requirement.id))
            errata = errata_of(pack, requirement.id, (pack.revision, gathered[pack.name]))
            if errata:
                made = replace(made, outcome=under(made.outcome, errata), errata=tuple(e.text for e in errata))
            outcomes[requirement.id] = made.outcome.status
            judged.append(made)
    document = document_of(
        supplier=supplier,
        packs=chosen,
        judged=judged,
        exchanges=stored.exchanges,
        preflight=stored.preflight,
        checks=catalog.checks,
        definitions=definitions.used,
        run={
            "id": str(uuid.uuid4()),
            "started": stored.report["run"]["started"],
            "finished": stored.report["run"]["finished"],
            "by": stored.report["run"]["by"],
            "rejudged": now.isoformat(),
            "rejudged_from": stored.report["run"]["id"],
            "revisions": gathered,
            **{n: v for n in ("partial", "preset", "only_failed", "challenge") if (v := stored.report["run"].get(n))},
        },
        power=catalog.power,
        due=catalog.due,
    )
    return Rejudged(document, tuple(_differences(judged, before, stored, document, chosen)), supplier)


def outcome_from(row: Mapping[str, Any]) -> Outcome:
    """An outcome as `report.json` holds it."""
    cause = row.get("cause")
    return Outcome(
        status=Status(row["status"]),
        observations=row["observations"],
        reason=row.get("reason", ""),
        findings=tuple(Finding(**finding) for finding in row.get("findings", ())),
        more_findings=row.get("more_findings", 0),
        cause=Cause(**{**cause, "kind": CauseKind(cause["kind"])}) if cause else None,
        notes=tuple(row.get("notes", ())),
        observed=row.get("observed", ""),
    )


def _judge(
    requirement: Requirement,
    stored: Stored,
    supplier: Supplier,
    catalog: Catalog,
    definitions: Definitions,
    outcomes: Mapping[str, Status],
    before: Mapping[str, Any] | None,
) -> Judged:
    check = catalog.checks.get(requirement.id)
    said = standing(requirement, check, supplier)
    if said is not None:
        return Judged(requirement, said)
    if before is not None and (before["decided_by"] == "run" or stored.subject.environment == "live"):
        kept, by_judge = outcome_from(before["outcome"]), before["decided_by"] == "judge"
        return Judged(requirement, kept, tuple(before.get("exchanges", ())), by_judge=by_judge)
    if check is None:
        return Judged(requirement, Outcome.not_tested(f"verified by {requirement.verified_by}, and nothing was given"))
    evidence = Evidence(
        stored.exchanges,
        subject=stored.subject,
        people=stored.people,
        files=stored.files,
        answers=stored.answers,
        outcomes={i: s for i, s in outcomes.items() if i.partition("#")[0] in check.after},
        definitions=definitions,
        today=stored.today,
    )
    return Judged(requirement, decide(check, evidence), evidence.used, by_judge=True)


def _differences(
    judged: Sequence[Judged],
    before: Mapping[str, Mapping[str, Any]],
    stored: Stored,
    document: Mapping[str, Any],
    packs: Sequence[Pack],
) -> list[Difference]:
    old, new = stored.report["judge"], document["judge"]
    digests = {row["name"]: row["digest"] for row in stored.report["packs"]}
    found = []
    for each in judged:
        was = before.get(each.requirement.id)
        after = str(each.outcome.status)
        if was is not None and was["outcome"]["status"] == after:
            continue
        pack = next(pack for pack in packs if pack.name == each.requirement.pack)
        reasons = []
        if was is None:
            reasons.append("the requirement is new in this pack")
        if each.errata:
            reasons.append("a mistake of ours is known of it")
        if each.outcome.reason.startswith("not in evidence"):
            reasons.append(each.outcome.reason)
        if digests[pack.name] != pack.digest:
            reasons.append(f"the pack is another: revision {pack.revision}")
        reasons += [
            f"the {name} changed" for name in ("engine", "checks", "validator", "definitions") if old[name] != new[name]
        ]
        found.append(
            Difference(
                each.requirement.id,
                each.requirement.ref,
                was["outcome"]["status"] if was else "-",
                after,
                "; ".join(reasons) or "nothing that is known: the evidence may have been altered",
            )
        )
    return found


def _supplier(stored: Stored) -> Supplier:
    report = stored.report
    return Supplier(
        subject=stored.subject,
        endpoint=None,
        auth=AuthSettings(),
        authorised_by=Authorisation(**report["authorised_by"]),
        people=stored.people,
        files=stored.files,
        answers=stored.answers,
        exceptions=tuple(
            ExceptionRequest(requirement=row["id"], **row["exception"])
            for row in report["results"]
            if "exception" in row
        ),
        responses=tuple(
            Response(requirement=row["id"], **row["response"]) for row in report["results"] if "response" in row
        ),
    )
