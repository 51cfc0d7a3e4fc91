"""A report as a reader wants it: the one view model from which pages, tables and printed forms are made.

It is made of the parsed `report.json` and of the redacted exchanges beside it, and of nothing else, so that every form
can be made again later from the folder alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mpftconnect.conformance.outcome import ORDER, Status
from mpftconnect.conformance.reporting.scope import partial_words, preset_words
from mpftconnect.conformance.reporting.words import IS, IS_NOT, STATUS_WORDS, VERDICT_WORDS

__all__ = ["ExchangeView", "PackView", "ResultView", "Summary", "summary_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeView:
    """One redacted exchange. Bodies are text that a supplier's system chose: hostile wherever they are shown."""

    id: str
    step: str
    method: str
    url: str
    status: int | None
    error: str
    dropped: str
    request_headers: tuple[tuple[str, str], ...]
    response_headers: tuple[tuple[str, str], ...]
    request_body: str
    response_body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultView:
    """One requirement with its outcome.

    Args:
        decides: Whether the pack's verdict depends on it.
        findings: Rows of `rule`, `message`, `exchange`, `place`.
        cause: `kind`, `because`, `ruled_out`, `otherwise`, `mend`; empty if there is none.
        reproduce: Lines to try by hand, with placeholders for credentials.
        exception: `reason`, `owner`, `expires`, `hazard`, `granted_by`; empty if none was asked for.
        response: `text`, `by`, `date`, `signed_by`; empty if there is none.
        errata: Sentences about known mistakes of ours.
        changed: `new`, `resolved`, `worse`, `better` against a baseline; empty if unchanged or none was given.
    """

    id: str
    ref: str
    pack: str
    level: str
    severity: str
    title: str
    text: str
    source: Mapping[str, str]
    hazard: str
    verified_by: str
    group: str
    limits: str
    advisory: bool
    decides: bool
    status: Status
    status_words: str
    observations: int
    observed: str
    reason: str
    findings: tuple[Mapping[str, str], ...]
    more_findings: int
    cause: Mapping[str, str]
    notes: tuple[str, ...]
    exchanges: tuple[ExchangeView, ...]
    reproduce: tuple[str, ...]
    exception: Mapping[str, str]
    response: Mapping[str, str]
    errata: tuple[str, ...]
    changed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PackView:
    """A pack with its verdict: `not-met`, `undetermined` or `met-the-checks-run`, and how many came to what."""

    name: str
    title: str
    revision: str
    summary: str
    standard: Mapping[str, str]
    digest: str
    verdict: str
    verdict_words: str
    because: str
    decides_standard: bool
    counts: Mapping[str, int]
    counts_by_level: Mapping[str, Mapping[str, int]]
    power: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The whole report.

    Args:
        is_: Sentences that say what this is; `is_not` what it is not. They come first, in every form.
        demonstration: The marking of a run against a twin; empty otherwise. It comes before everything.
        partial: Why the report is partial, in sentences; empty if it is whole.
        narrowed: To which use the run was narrowed, in a sentence; empty if it was not.
        environment: Findings that concern the run and not a requirement: `kind`, `words`, `mend`, `requirements`.
        results: All, in the order of the packs.
        files: Documents of the evidence: `kind`, `name`, `issued`, `due` (the last day on which it is in date).
        grants: What buyers granted, as far as a trust file believes them: `requirement`, `granted_by`, `until`,
            `expired`, `reason`.
    """

    demonstration: str
    is_: tuple[str, ...]
    is_not: tuple[str, ...]
    partial: str
    narrowed: str
    subject: Mapping[str, Any]
    target: Mapping[str, Any]
    authorised_by: Mapping[str, str]
    run: Mapping[str, Any]
    judge: Mapping[str, Any]
    packs: tuple[PackView, ...]
    environment: tuple[Mapping[str, Any], ...]
    results: tuple[ResultView, ...]
    files: tuple[Mapping[str, str], ...] = ()
    grants: tuple[Mapping[str, str], ...] = ()
    raw: Mapping[str, Any] = field(repr=False)

    def of(self, *statuses: Status, decides: bool | None = None) -> tuple[ResultView, ...]:
        """The results of those statuses, worst first; `decides` narrows to musts that decide, or to the others."""
        found = [r for r in self.results if r.status in statuses and (decides is None or r.decides is decides)]
        order = {status: place for place, status in enumerate((*ORDER, Status.NOT_APPLICABLE, Status.RECORDED))}
        return tuple(sorted(found, key=lambda r: order[r.status]))

    @property
    def failed_musts(self) -> tuple[ResultView, ...]:
        return self.of(Status.FAIL, decides=True)

    @property
    def undecided(self) -> tuple[ResultView, ...]:
        return self.of(Status.ERROR, Status.INCONCLUSIVE, Status.NOT_TESTED)

    @property
    def excepted(self) -> tuple[ResultView, ...]:
        return tuple(r for r in self.results if r.exception)


def summary_of(
    report: Mapping[str, Any],
    exchanges: Iterable[ExchangeView] = (),
    *,
    grants: Iterable[Mapping[str, str]] = (),
) -> Summary:
    """The view of a parsed `report.json`.

    Args:
        report: Of `format_version` 1.
        exchanges: The redacted exchanges of its evidence.
        grants: Of `verify_report`: what stands beside the report and is believed.
    """
    by_id = {each.id: each for each in exchanges}
    return Summary(
        demonstration=str(report.get("demonstration", "")),
        is_=IS,
        is_not=IS_NOT,
        partial=partial_words(report),
        narrowed=preset_words(report),
        subject=report["subject"],
        target=report.get("target", {}),
        authorised_by=report.get("authorised_by", {}),
        run=report["run"],
        judge=report["judge"],
        packs=tuple(_pack(each) for each in report["packs"]),
        environment=tuple(report.get("environment", ())),
        results=tuple(_result(each, by_id) for each in report["results"]),
        files=tuple(report.get("files", ())),
        grants=tuple(grants),
        raw=report,
    )


def _pack(pack: Mapping[str, Any]) -> PackView:
    verdict = pack["verdict"]
    return PackView(
        name=pack["name"],
        title=pack["title"],
        revision=pack["revision"],
        summary=pack.get("summary", ""),
        standard=pack["standard"],
        digest=pack["digest"],
        verdict=verdict,
        verdict_words=VERDICT_WORDS[verdict],
        because=pack.get("because", ""),
        decides_standard=pack.get("decides_standard", True),
        counts=pack["counts"],
        counts_by_level=pack["counts_by_level"],
        power=pack.get("power", {}),
    )


def _result(row: Mapping[str, Any], exchanges: Mapping[str, ExchangeView]) -> ResultView:
    outcome = row["outcome"]
    status = Status(outcome["status"])
    return ResultView(
        id=row["id"],
        ref=row["ref"],
        pack=row["pack"],
        level=row["level"],
        severity=row["severity"],
        title=row["title"],
        text=row["text"],
        source=row["source"],
        hazard=row["hazard"],
        verified_by=row["verified_by"],
        group=row.get("group", ""),
        limits=row.get("limits") or row.get("not_tested_because", ""),
        advisory=row.get("advisory", False),
        decides=row["decides"],
        status=status,
        status_words=STATUS_WORDS[status],
        observations=outcome["observations"],
        observed=outcome.get("observed", ""),
        reason=outcome.get("reason", ""),
        findings=tuple(outcome.get("findings", ())),
        more_findings=outcome.get("more_findings", 0),
        cause=outcome.get("cause", {}),
        notes=tuple(outcome.get("notes", ())),
        exchanges=tuple(exchanges[each] for each in row.get("exchanges", ()) if each in exchanges),
        reproduce=tuple(row.get("reproduce", ())),
        exception=row.get("exception", {}),
        response=row.get("response", {}),
        errata=tuple(row.get("errata", ())),
        changed=row.get("changed", ""),
    )
