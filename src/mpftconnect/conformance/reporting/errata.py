"""What mistakes of ours, known now, do to outcomes that were given before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.outcome import Cause, CauseKind, Outcome, Status
from mpftconnect.conformance.requirement import Effect, Erratum, Pack

__all__ = ["Corrected", "corrected", "errata_of", "known_errata", "revisions_of", "under"]


@dataclass(frozen=True, slots=True)
class Corrected:
    """A result of an old report, as it stands under what is known now.

    Args:
        decides: Whether the verdict of its pack depends on it.
        before, after: Statuses; equal where the erratum only says something.
    """

    requirement: str
    ref: str
    decides: bool
    erratum: Erratum
    before: str
    after: str


def revisions_of(report: Mapping[str, Any]) -> dict[str, str]:
    """The revision of each pack under which the evidence was gathered: a report judged again keeps it."""
    gathered = report["run"].get("revisions")
    stated = {row["name"]: row["revision"] for row in report["packs"]}
    kept = gathered if isinstance(gathered, Mapping) else {}
    return {name: str(kept.get(name, revision)) for name, revision in stated.items()}


def errata_of(pack: Pack, requirement: str, revisions: Iterable[str]) -> tuple[Erratum, ...]:
    """The mistakes that a pack confesses to of a requirement, in any of those revisions."""
    had = set(revisions)
    return tuple(e for e in pack.errata if e.requirement == requirement and had & set(e.revisions))


def known_errata(report: Mapping[str, Any], catalog: Catalog) -> list[tuple[str, str, Effect]]:
    """Mistakes of ours that are known now and stand in a report: requirement, what was wrong, what it does."""
    gathered = revisions_of(report)
    return [
        (erratum.requirement, erratum.text, erratum.effect)
        for row in report["packs"]
        if (pack := catalog.packs.get(row["name"])) is not None
        for erratum in pack.errata
        if {row["revision"], gathered[row["name"]]} & set(erratum.revisions)
    ]


def under(outcome: Outcome, errata: Sequence[Erratum]) -> Outcome:
    """The outcome as it stands under those errata; the strongest effect decides.

    >>> e = Erratum(id="e1", requirement="a#1", revisions=("1",), date="2027-01-01", text="Read amiss.",
    ...             effect=Effect.UNRELIABLE)
    >>> under(Outcome.passed(3), [e]).status
    <Status.NOT_TESTED: 'not-tested'>
    """
    for effect in (Effect.WITHDRAWN, Effect.UNRELIABLE):
        found = next((e for e in errata if e.effect is effect), None)
        status = _after(outcome.status, effect)
        if found is not None and status is not outcome.status:
            reason = f"a known mistake of ours ({found.id}, {found.date}): {found.text}"
            if status is Status.NOT_APPLICABLE:
                return Outcome.stated(status, reason)
            cause = Cause(
                kind=CauseKind.HARNESS,
                because="the check or the evidence that it asked for was wrong in that revision of the pack",
                mend="run it again with the pack as it is now",
            )
            return Outcome.not_tested(reason, cause)
    notes = [f"known since {e.date}: {e.text}" for e in errata]
    return replace(outcome, notes=(*outcome.notes, *(note for note in notes if note not in outcome.notes)))


def corrected(report: Mapping[str, Any], packs: Iterable[Pack]) -> tuple[Corrected, ...]:
    """Every result of a report on which a known mistake bears."""
    gathered = revisions_of(report)
    stated = {row["name"]: row["revision"] for row in report["packs"]}
    by_name = {pack.name: pack for pack in packs}
    found = []
    for row in report["results"]:
        pack = by_name.get(row["pack"])
        if pack is None or row["pack"] not in stated:
            continue
        before = str(row["outcome"]["status"])
        for erratum in errata_of(pack, row["id"], (stated[pack.name], gathered[pack.name])):
            after = str(_after(Status(before), erratum.effect))
            found.append(Corrected(row["id"], row["ref"], row["decides"], erratum, before, after))
    return tuple(found)


def _after(before: Status, effect: Effect) -> Status:
    """What an outcome becomes. Where nothing was judged, an unreliable judge changes nothing."""
    if effect is Effect.WITHDRAWN:
        return Status.NOT_APPLICABLE
    unjudged = (Status.NOT_APPLICABLE, Status.NOT_OFFERED, Status.NOT_TESTED)
    return Status.NOT_TESTED if effect is Effect.UNRELIABLE and before not in unjudged else before
