"""The report as data: what `report.json` holds. The same evidence gives the same bytes, but for `run`."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mpftconnect.conformance.check import Check
from mpftconnect.conformance.evidence import EvidenceFile, Recorded, Subject
from mpftconnect.conformance.outcome import CauseKind, Status
from mpftconnect.conformance.reporting.digests import judge_digests
from mpftconnect.conformance.reporting.reproduce import curl_line
from mpftconnect.conformance.reporting.scope import left_out, musts_left_out
from mpftconnect.conformance.reporting.verdict import counted, counts_of, verdict_of
from mpftconnect.conformance.reporting.words import DEMONSTRATION, IS, IS_NOT
from mpftconnect.conformance.requirement import Pack
from mpftconnect.conformance.run import Judged, RunResult
from mpftconnect.conformance.supplier import Supplier
from mpftconnect.conformance.trouble import TROUBLES
from mpftconnect.errors import MpftConnectError

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "as_bytes",
    "document_of",
    "exchanges_shown",
    "report_of",
    "subject_of",
    "target_of",
]

FORMAT, FORMAT_VERSION = "mpftconnect.conformance-report", 1
_MOST_LINES = 3


def report_of(
    result: RunResult,
    checks: Mapping[str, Check],
    *,
    baseline: Mapping[str, Any] | None = None,
    power: Mapping[str, Mapping[str, Any]] | None = None,
    challenge: str = "",
    due: Callable[[EvidenceFile], str] | None = None,
    only_failed: str = "",
) -> dict[str, Any]:
    """`report.json` of a run.

    Args:
        baseline: An earlier report, against which each result says whether it changed.
        power: What was measured of each pack's checks; see `Catalog.power`.
        challenge: Digest of the buyer's challenge that the run answers.
        due: The last day on which a document is in date; see `Catalog.due`.
        only_failed: The id of the run whose open requirements alone were run again.
    """
    return document_of(
        supplier=result.supplier,
        packs=result.packs,
        judged=result.judged,
        exchanges=result.exchanges,
        preflight=[finding.as_dict() for finding in result.preflight],
        checks=checks,
        definitions=result.definitions,
        run={
            "id": str(uuid.uuid4()),
            "started": result.started.isoformat(),
            "finished": result.finished.isoformat(),
            "by": "challenged" if challenge else "self-run",
            **({"challenge": challenge} if challenge else {}),
            **({"partial": result.partial} if result.partial else {}),
            **({"preset": result.preset} if result.preset else {}),
            **({"only_failed": only_failed} if only_failed else {}),
        },
        baseline=baseline,
        power=power,
        due=due,
    )


def document_of(
    *,
    supplier: Supplier,
    packs: Sequence[Pack],
    judged: Sequence[Judged],
    exchanges: Sequence[Recorded],
    preflight: Sequence[Mapping[str, Any]],
    checks: Mapping[str, Check],
    definitions: Iterable[str],
    run: Mapping[str, Any],
    baseline: Mapping[str, Any] | None = None,
    power: Mapping[str, Mapping[str, Any]] | None = None,
    due: Callable[[EvidenceFile], str] | None = None,
) -> dict[str, Any]:
    """`report.json` of whatever was judged, now or before."""
    by_id = {each.id: each for each in exchanges}
    before = {row["id"]: row["outcome"]["status"] for row in (baseline or {}).get("results", ())}
    subject = supplier.subject
    out: dict[str, Any] = {"format": FORMAT, "format_version": FORMAT_VERSION}
    if subject.twin:
        out["demonstration"] = DEMONSTRATION
    out |= {
        "is": list(IS),
        "is_not": list(IS_NOT),
        "run": dict(run),
        "subject": subject_of(subject),
        "target": target_of(subject, exchanges),
        "authorised_by": {
            name: getattr(supplier.authorised_by, name) for name in ("name", "organisation", "date", "scope")
        },
        "judge": judge_digests((checks[j.requirement.id] for j in judged if j.requirement.id in checks), definitions),
        "packs": [
            _pack(
                pack,
                [j for j in judged if j.requirement.pack == pack.name],
                _power(pack, checks, (power or {}).get(pack.name, {})),
                str(run.get("preset", "")),
            )
            for pack in packs
        ],
        "environment": _environment(judged, preflight),
        "results": [_result(each, supplier, packs, by_id, before if baseline is not None else None) for each in judged],
        "exchanges": len(exchanges),
        "files": [_file(each, due) for rows in supplier.files.values() for each in rows],
    }
    return out


def as_bytes(document: Mapping[str, Any]) -> bytes:
    """The document as it is written: in a fixed order, readable."""
    return (json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n").encode()


def exchanges_shown(exchanges: Iterable[Recorded]) -> list[Any]:
    """The exchanges as the view model wants them; bodies as text."""
    from mpftconnect.conformance.reporting.summary import ExchangeView

    return [
        ExchangeView(
            id=each.id,
            step=each.step,
            method=each.method,
            url=each.url,
            status=each.status,
            error=each.error_rule or each.error or "",
            dropped=each.dropped,
            request_headers=each.request_headers,
            response_headers=each.response_headers,
            request_body=(each.request_body or b"").decode("utf-8", errors="replace"),
            response_body=(each.response_body or b"").decode("utf-8", errors="replace"),
        )
        for each in exchanges
    ]


def subject_of(subject: Subject) -> dict[str, Any]:
    """What was tested, as the report says it."""
    out: dict[str, Any] = {
        name: getattr(subject, name)
        for name in ("product", "version", "entity", "entity_code", "environment", "adapter", "package", "twin")
        if getattr(subject, name)
    }
    out["allow_writes"] = subject.allow_writes
    if subject.offers is not None:
        out["offers"] = list(subject.offers)
    if subject.actors:
        out["actors"] = list(subject.actors)
    return out


def target_of(subject: Subject, exchanges: Sequence[Recorded]) -> dict[str, Any]:
    """Host, certificate, MLLP lines, and the version that the system reports of itself beside the one declared."""
    out: dict[str, Any] = {"host": subject.host}
    if lines := _lines(exchanges):
        out["lines"] = lines
    for each in exchanges:
        if "certificate_sha256" in each.facts:
            out["certificate_sha256"] = each.facts["certificate_sha256"]
        if each.step == "metadata" and each.ok and "version_reported" not in out:
            try:
                software = each.json().get("software", {})
                reported = software.get("version")
            except (MpftConnectError, AttributeError):
                continue
            if isinstance(reported, str):
                out["version_reported"] = reported[:100]
                out["version_agrees"] = reported == subject.version
    return out


def _lines(exchanges: Sequence[Recorded]) -> list[dict[str, Any]]:
    """Each MLLP line that was spoken on, the product's role there, and SHA-256 of what certificates it showed."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for each in exchanges:
        if each.protocol == "mllp" and each.url.startswith("mllp://"):
            shown = each.facts.get("certificates")
            seen = found.setdefault((each.url, "receiver" if each.direction == "sent" else "sender"), {})
            seen.update(dict.fromkeys(str(one)[:64] for one in (shown if isinstance(shown, list) else ())[:100]))
    return [{"address": url, "role": role, "certificates": list(seen)} for (url, role), seen in found.items()]


def _power(pack: Pack, checks: Mapping[str, Check], told: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of `conform power`, and whether they were measured on just this pack and these checks."""
    if not told:
        return {}
    now = judge_digests((check for check in checks.values() if check.pack == pack.name), ())["checks"]
    current = told.get("pack_digest") == pack.digest and told.get("checks_digest") == now
    figures = {name: told[name] for name in ("revision", "named", "mutations") if name in told}
    return {**figures, "current": current}


def _pack(pack: Pack, judged: Sequence[Judged], power: Mapping[str, Any], preset: str) -> dict[str, Any]:
    told, rows = left_out(pack, {j.requirement.id for j in judged}, preset), counted(judged)
    verdict, because = verdict_of(rows, musts_left_out(pack, told))
    standard = {
        name: value
        for name in ("title", "publisher", "version", "date", "url")
        if (value := getattr(pack.standard, name))
    }
    return {
        "name": pack.name,
        "title": pack.title,
        "revision": pack.revision,
        "summary": pack.summary,
        "standard": standard,
        "digest": pack.digest,
        "decides_standard": pack.decides_standard,
        "requirements": len(pack.requirements),
        "judged": len(judged),
        "verdict": verdict,
        "because": because,
        **told,
        **counts_of(rows),
        **({"power": dict(power)} if power else {}),
    }


def _file(file: EvidenceFile, due: Callable[[EvidenceFile], str] | None) -> dict[str, str]:
    last = due(file) if due is not None else file.expires
    told = {"kind": file.kind, "name": file.name, "sha256": file.sha256, "issued": file.issued, "due": last}
    return {name: value for name, value in told.items() if value}


def _environment(judged: Sequence[Judged], preflight: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One finding for each thing of the environment that is at fault, however many requirements it touches."""
    grouped: dict[str, dict[str, Any]] = {}
    for each in judged:
        cause = each.outcome.cause
        if cause is None or cause.kind is not CauseKind.ENVIRONMENT or each.outcome.status is Status.PASS:
            continue
        row = grouped.setdefault(
            cause.because,
            {"kind": "environment", "code": "at-fault", "words": cause.because, "mend": cause.mend, "requirements": []},
        )
        row["requirements"].append(each.requirement.id)
    found: list[dict[str, Any]] = []
    for finding in map(dict, preflight):
        # What the first request met is not counted again for those after it; they say what it touches.
        trouble = TROUBLES.get(str(finding.get("code", "")).removeprefix("answers-"))
        if trouble is not None and (met := grouped.pop(trouble.because, None)):
            finding["requirements"] = met["requirements"]
        found.append(finding)
    return found + list(grouped.values())


def _result(
    each: Judged,
    supplier: Supplier,
    packs: Sequence[Pack],
    exchanges: Mapping[str, Recorded],
    before: Mapping[str, str] | None,
) -> dict[str, Any]:
    requirement, outcome = each.requirement, each.outcome
    pointed = list(dict.fromkeys(finding.exchange for finding in outcome.findings if finding.exchange))
    shown = pointed or list(each.exchanges)
    out: dict[str, Any] = {
        **requirement.as_dict(),
        "decides": requirement.decides,
        "outcome": outcome.as_dict(),
        "decided_by": "judge" if each.by_judge else "run",
    }
    if each.exchanges:
        out["exchanges"] = list(each.exchanges)
    if outcome.status not in (Status.PASS, Status.NOT_APPLICABLE, Status.RECORDED):
        lines = [curl_line(exchanges[id_]) for id_ in shown if id_ in exchanges and exchanges[id_].protocol == "http"]
        if lines:
            out["reproduce"] = lines[:_MOST_LINES]
    for exception in supplier.exceptions:
        if exception.requirement in (requirement.id, requirement.ref):
            names = ("reason", "owner", "expires", "hazard", "granted_by")
            out["exception"] = {name: getattr(exception, name) for name in names}
    for response in supplier.responses:
        if response.requirement in (requirement.id, requirement.ref):
            out["response"] = {name: getattr(response, name) for name in ("text", "by", "date", "signed_by")}
    pack = next((pack for pack in packs if pack.name == requirement.pack), None)
    here = [
        e.text
        for e in (pack.errata if pack else ())
        if e.requirement == requirement.id and pack and pack.revision in e.revisions
    ]
    if errata := list(dict.fromkeys((*each.errata, *here))):
        out["errata"] = errata
    if before is not None:
        out["changed"] = _change(before.get(requirement.id), outcome.status)
    return out


def _change(before: str | None, after: Status) -> str:
    if before is None:
        return "new"
    if before == after:
        return ""
    order = {status: place for place, status in enumerate(Status)}
    try:
        was = order[Status(before)]
    except ValueError:
        return "new"
    if after is Status.PASS:
        return "resolved"
    return "worse" if order[after] < was else "better"
