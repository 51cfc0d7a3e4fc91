"""UKC-10: references lead somewhere, ids are what they are called by, and versions move when something changes.

Source: HL7 FHIR R4 (4.0.1), Resource.id, Meta.versionId and lastUpdated; Bundle.entry.fullUrl; References 2.3.0.1
(contained); RESTful API 3.1.0.1.3, 3.1.0.7 (read) and 3.1.0.9 (update).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mpftconnect.conformance import Evidence, Finding, Outcome, Probe, Recorded
from mpftconnect_conformance.checks.uk_core_r4.gathered import (
    Gathered,
    Held,
    ask_person,
    gathered,
    objects,
    page_of,
    references,
    supplier,
)
from mpftconnect_conformance.checks.uk_core_r4.made_up import heart_rate, id_of, kept_as, subject_of_full, take_away

__all__ = ["ask_references", "judge_references"]

_MOST = 40
_FOLLOWED, _AGAIN = "follow a reference", "Patient twice"
_MADE, _BEFORE = "create what will be changed", "read before the change"
_CHANGED, _AFTER = "change what was made", "read after the change"
_CHANGED_VALUE = 71


def ask_references(probe: Probe) -> None:
    """Follow what nothing else gave, then what a search gave too; read the person twice; change what was made."""
    told = ask_person(probe, "full")
    who = subject_of_full(probe)
    if who is None:
        return
    held: set[str] = set()
    wanted: dict[str, None] = {}
    for exchange in told:
        for resource in objects(exchange):
            held.add(f"{resource.get('resourceType')}/{resource.get('id')}")
            wanted.update(dict.fromkeys(references(resource)))
    for reference in sorted(wanted, key=lambda each: each in held)[:_MOST]:
        probe.get(reference, step=_FOLLOWED, person="full")
    for _ in range(2):
        probe.get(who["reference"], step=_AGAIN, person="full", again=True)
    if probe.may_write:
        _ask_for_a_change(probe, who)


def _ask_for_a_change(probe: Probe, who: Mapping[str, str]) -> None:
    made = probe.post("Observation", json=heart_rate(who), step=_MADE, person="full")
    id_ = id_of(made)
    if id_ is None:
        return
    address = f"Observation/{id_}"
    before = probe.get(address, step=_BEFORE, person="full")
    if before.ok:
        tag = before.header("ETag")
        changed = {**heart_rate(who, value=_CHANGED_VALUE), "id": id_}
        headers = {"If-Match": tag} if tag else None
        if probe.put(address, step=_CHANGED, json=changed, headers=headers, person="full").ok:
            probe.get(address, step=_AFTER, person="full")
    take_away(probe, made)


def judge_references(evidence: Evidence) -> Outcome:
    found = gathered(evidence, "full")
    if _FOLLOWED not in evidence.steps() and _AGAIN not in evidence.steps():
        return Outcome.passed(0)
    findings: list[Finding] = []
    followed = evidence.every(_FOLLOWED) if _FOLLOWED in evidence.steps() else ()
    reads = [each for step in evidence.steps("read ") if _is_shared(step) for each in evidence.every(step)]
    for each in (*followed, *reads):
        findings += _followed(each)
    again = list(evidence.every(_AGAIN))
    findings += _same_twice(again)
    findings += _versioned(found.held)
    findings += _identified(evidence, found)
    findings += _contained(found)
    moved, note = _moves(evidence)
    findings += moved
    for each in (*followed, *again):
        trouble = each.trouble()
        if trouble is not None and each.status not in (404, 410):
            found.troubles.append(trouble)
    observed = f"{len(followed)} references, {len(again)} reads of the same Patient"
    notes = [note] if note else []
    if findings:
        cause = supplier(
            "what one answer names, another does not have, or has otherwise",
            "point only at what can be read; keep ids and versions until something changes, and then move the version",
            "the record changed while it was read",
        )
        return Outcome.failed(findings, cause, observations=len(followed) + len(again), observed=observed, notes=notes)
    unseen = _not_followed(found, (*followed, *reads))
    if unseen and len(followed) < _MOST:
        return Outcome.not_tested(f"not in evidence: {len(unseen)} references were never followed")
    if unseen:
        notes.append(f"{len(unseen)} references were not followed: the most that is followed is {_MOST}")
    return found.whole(Outcome.passed(len(followed) + len(again), observed, notes=notes))


def _is_shared(step: str) -> bool:
    """`read Practitioner`: whom everything else points to; not what we made ourselves."""
    return step.partition(" ")[2].isalpha()


def _not_followed(found: Gathered, answers: tuple[Recorded, ...]) -> set[str]:
    """References of the full person's resources to what neither a search nor a read gave."""
    asked = {"/".join(each.url.partition("?")[0].rstrip("/").split("/")[-2:]) for each in answers}
    wanted = {reference for held in found.held for reference in references(held.resource)}
    return wanted - asked - {held.key for held in found.all}


def _followed(each: Recorded) -> list[Finding]:
    wanted_type, wanted_id = each.url.rstrip("/").split("/")[-2:]
    if each.error is None and each.status in (404, 410):
        message = f"a reference to a {wanted_type} leads to status {each.status}"
        return [Finding(rule="reference-resolves", message=message, exchange=each.id, place="reference")]
    if not each.ok:
        return []
    got = objects(each)
    if not got or got[0].get("resourceType") != wanted_type or got[0].get("id") != wanted_id:
        message = f"a read of a {wanted_type} gives a resource of another type or id, or none"
        return [Finding(rule="read-same", message=message, exchange=each.id, place="Resource.id")]
    return []


def _same_twice(again: list[Recorded]) -> list[Finding]:
    bodies = [objects(each)[0] for each in again if objects(each)]
    if len(bodies) < 2:
        return []
    findings = []
    for name, element in (("id", "Resource.id"), ("versionId", "Meta.versionId"), ("lastUpdated", "Meta.lastUpdated")):
        values = {str(body.get("id") if name == "id" else _meta(body).get(name)) for body in bodies}
        if len(values) > 1:
            findings.append(
                Finding(
                    rule=f"stable-{name.lower()}",
                    message=f"{element} differs between two reads, one directly after the other",
                    exchange=again[-1].id,
                    place=element,
                )
            )
    return findings


def _versioned(held: list[Held]) -> list[Finding]:
    """Either element says whether a resource changed; without both nobody can tell."""
    without = [
        each for each in held if not (_meta(each.resource).get("versionId") or _meta(each.resource).get("lastUpdated"))
    ]
    if not without or len(without) < len(held):
        return []
    return [
        Finding(
            rule="versioned",
            message="no resource has meta.versionId or meta.lastUpdated: nobody can tell whether it changed",
            exchange=without[0].exchange.id,
            place=f"{without[0].place}.meta",
        )
    ]


def _identified(evidence: Evidence, found: Gathered) -> Iterator[Finding]:
    """Every resource that a server gives has an id, and the address of its entry does not say otherwise."""
    for held in found.all:
        if not isinstance(held.resource.get("id"), str):
            message = f"a {held.type} that the server holds has no id"
            yield Finding(rule="id-missing", message=message, exchange=held.exchange.id, place=f"{held.place}.id")
    pages = dict.fromkeys(held.exchange.id for held in found.held)
    by_id = {held.exchange.id: held.exchange for held in found.held}
    for id_ in pages:
        for index, entry in enumerate((page_of(by_id[id_]) or {}).get("entry") or []):
            address, resource = (
                (entry.get("fullUrl"), entry.get("resource")) if isinstance(entry, Mapping) else ("", {})
            )
            if not isinstance(address, str) or not isinstance(resource, Mapping) or address.startswith("urn:"):
                continue
            own = resource.get("id")
            if not isinstance(own, str):
                continue  # said above
            if address.rstrip("/").split("/")[-2:] != [str(resource.get("resourceType")), own]:
                yield Finding(
                    rule="full-url",
                    message="the fullUrl of an entry is not of the type and id of its resource",
                    exchange=id_,
                    place=f"Bundle.entry[{index}].fullUrl",
                )


def _contained(found: Gathered) -> Iterator[Finding]:
    """A reference `#x` leads to what is contained under that id."""
    for held in found.all:
        contained = held.resource.get("contained")
        ids = {c.get("id") for c in (contained if isinstance(contained, list) else []) if isinstance(c, Mapping)}
        waiting: list[Any] = [held.resource]
        while waiting:
            value = waiting.pop()
            if isinstance(value, Mapping):
                literal = value.get("reference")
                if isinstance(literal, str) and literal.startswith("#") and literal != "#" and literal[1:] not in ids:
                    yield Finding(
                        rule="contained-resolves",
                        message=f"a {held.type} refers to a contained resource that it does not contain",
                        exchange=held.exchange.id,
                        place=f"{held.place}.contained",
                    )
                waiting.extend(value.values())
            elif isinstance(value, list):
                waiting.extend(value)


def _moves(evidence: Evidence) -> tuple[list[Finding], str]:
    """Whether the version moved with a change that was read back; else why that was not seen."""
    before, after = kept_as(evidence, _BEFORE), kept_as(evidence, _AFTER)
    unseen = "that a version moves was not seen: "
    if not isinstance(before, Mapping):
        return [], unseen + "nothing was made and read back"
    if not isinstance(after, Mapping):
        return [], unseen + "the product took no change of what was made"
    quantity = after.get("valueQuantity")
    if not isinstance(quantity, Mapping) or quantity.get("value") != _CHANGED_VALUE:
        return [], unseen + "the change was answered with success and is not there when read"
    versions = [_meta(each).get("versionId") for each in (before, after)]
    times = [_meta(each).get("lastUpdated") for each in (before, after)]
    if None not in versions:
        moved, element = versions[0] != versions[1], "versionId"
    elif None not in times:
        moved, element = times[0] != times[1], "lastUpdated"
        if not moved and "." not in str(times[0]):
            return [], unseen + "meta.lastUpdated tells whole seconds, and the change took less"
    else:
        moved, element = False, "versionId"
    if moved:
        return [], ""
    finding = Finding(
        rule="version-moves",
        message=f"a resource was changed, and its meta.{element} did not move",
        exchange=evidence.one(_AFTER).id,
        place=f"Observation.meta.{element}",
    )
    return [finding], ""


def _meta(resource: Mapping[str, object]) -> Mapping[str, object]:
    meta = resource.get("meta")
    return meta if isinstance(meta, Mapping) else {}
