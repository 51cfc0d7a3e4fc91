"""What a product that receives shows over FHIR after merges, withdrawals, wrong numbers and results.

Source: HL7 2.4, 3.3.11 to 3.3.13 (A11, A12, A13), 3.3.40 (A40), 7.4.2 (OBX); FHIR R4, Encounter, Patient.link and
Observation; HL7 Version 2 to FHIR, segments NTE, OBX and PV1. A state that is not shown decides nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from mpftconnect.conformance import Evidence, NotInEvidence, Probe, ProbeEnded, Recorded
from mpftconnect.errors import MpftConnectError
from mpftconnect.hl7v2 import parse
from mpftconnect_conformance.checks.hl7v2_uk import receiving
from mpftconnect_conformance.checks.hl7v2_uk.asking import CLEAN, look, send_one, step_of
from mpftconnect_conformance.checks.hl7v2_uk.made import WARDS, Case, wrong_digit
from mpftconnect_conformance.checks.hl7v2_uk.receiving import Tally

__all__ = ["ask_results", "ask_states", "ask_wrong_number", "results_shown", "states_shown", "wrong_number_shown"]

_LETTERS = "ABCDEFGHIJKLMNOP"
_GONE = ("cancelled", "entered-in-error")
_ENDED = ("finished", "completed", "discharged")
_UNDONE = (
    ("an admission", "the admission taken back"),
    ("a transfer", "the transfer taken back"),
    ("a discharge", "the discharge taken back"),
)


# Asking


def _case(number: str) -> Case:
    visits = tuple("V" + "".join(secrets.choice(_LETTERS) for _ in range(8)) for _ in range(3))
    # Two places that do not end in 0: 37.20 would be the 37.2 of the messages sent besides, which rightly stands.
    first = f"{secrets.choice('1234')}{secrets.choice('123456789')}"
    return Case(
        number,
        other=_nobody(),
        visits=(visits[0], visits[1], visits[2]),
        values=(f"37.{first}", f"38.{first}"),
        comment="Taken " + "".join(secrets.choice(_LETTERS) for _ in range(8)),
    )


def _nobody() -> str:
    """Another number of the 999 range at each run: the one before may be merged already."""
    while True:
        nine = f"999{secrets.randbelow(1_000_000):06}"
        check = 11 - sum(int(digit) * weight for digit, weight in zip(nine, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            return nine + str(check % 11)


def ask_states(probe: Probe, number: str) -> None:
    """Merge a number, then admit, move and discharge, and take each back; look after each."""
    case = _case(number)
    for name in ("another number", "a merge", "a late update of what ended"):
        send_one(probe, name, case)
        look(probe, case.other, f"Patient of other number after {name}")
    for name in ("an admission to move", "an admission to end"):
        send_one(probe, name, case)
    for done, undone in _UNDONE:
        for name in (done, undone):
            send_one(probe, name, case)
            _look_at(probe, number, "Encounter", f"Encounter after {name}")


def ask_wrong_number(probe: Probe, number: str) -> None:
    case = _case(number)
    send_one(probe, "a wrong number", case)
    look(probe, wrong_digit(case.other), "Patient of a wrong number")


def ask_results(probe: Probe, number: str) -> None:
    """A result with unit, range, flag and comment, then its correction. What is shown of the comment is a fact:
    free text does not stay in evidence."""
    case = _case(number)
    for name in ("a result", "the result corrected"):
        send_one(probe, name, case)
        seen = _look_at(probe, number, "Observation", f"Observation after {name}")
        if seen is not None:
            facts = _facts(seen, case)
            step = f"shown after {name}"
            recorded = Recorded(id="", step=step, method="LOOK", url=seen.url, protocol="look", facts=facts)
            probe.once(step, lambda recorded=recorded: [recorded])  # type: ignore[misc]


def _look_at(probe: Probe, number: str, kind: str, step: str) -> Recorded | None:
    """A search by the id under which the product shows the person; None if it shows nobody or gives no address."""
    person = look(probe, number, f"Patient for {step}")
    ids = [str(each["id"]) for each in _resources(person, "Patient") if isinstance(each.get("id"), str)]
    if not ids:
        return None
    try:
        return probe.get(kind, {"patient": ids[0]}, step=step, again=True)
    except ProbeEnded as ended:
        if ended.kind != "wire":
            raise
    return None


def _resources(answer: Recorded | None, kind: str) -> Iterator[Mapping[str, Any]]:
    if answer is None or not answer.ok:
        return
    try:
        body = answer.json()
    except MpftConnectError:
        return
    entries = body.get("entry") if isinstance(body, Mapping) else None
    for entry in entries if isinstance(entries, list) else ():
        resource = entry.get("resource") if isinstance(entry, Mapping) else None
        if isinstance(resource, Mapping) and resource.get("resourceType") == kind:
            yield resource


def _facts(answer: Recorded, case: Case) -> dict[str, Any]:
    """Of the result and of its correction, by value: status, and whether unit, range, flag and comment are there."""
    found: dict[str, Any] = {}
    for name, value in zip(("first", "corrected"), case.values, strict=True):
        for each in _resources(answer, "Observation"):
            quantity = each.get("valueQuantity")
            shown = quantity.get("value") if isinstance(quantity, Mapping) else None
            if not isinstance(shown, int | Decimal) or Decimal(shown) != Decimal(value):
                continue
            found[name] = {
                "status": str(each.get("status"))[:20],
                "unit": bool(quantity.get("unit") or quantity.get("code")) if isinstance(quantity, Mapping) else False,
                "range": bool(each.get("referenceRange")),
                "flag": bool(each.get("interpretation")),
                "comment": case.comment in _words(each),
            }
    return found


def _words(value: Any) -> str:
    """All texts below it, one a line; without recursion, since an answer may nest as deeply as it likes."""
    texts, left = [], [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            texts.append(one)
        elif isinstance(one, Mapping):
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)
    return "\n".join(texts)


# Judging


def _accepted(evidence: Evidence, name: str) -> bool:
    """Whether it was taken: what a product refuses, it says that it does not do."""
    before = Tally([])
    receiving.accepts(evidence, before, name)
    return not before.findings


def states_shown(evidence: Evidence, tally: Tally) -> None:
    """Merges and withdrawals that were accepted are seen where the state before them was."""
    _merged(evidence, tally)
    wanted: dict[str, Callable[[Mapping[str, Any]], bool]] = {
        "an admission": lambda each: each.get("status") not in _GONE,
        "a transfer": lambda each: WARDS[1] in _words(_current(each)),
        "a discharge": lambda each: each.get("status") in _ENDED,
    }
    for done, undone in _UNDONE:
        if step_of(undone) not in evidence.steps() or not (_accepted(evidence, done) and _accepted(evidence, undone)):
            continue
        visit = _visit(evidence, done)
        before, after = (_encounters(evidence, name, visit) for name in (done, undone))
        if after is None or not before or not any(wanted[done](each) for each in before):
            continue  # what the event did was never shown, so that what undid it cannot be
        if any(wanted[done](each) for each in after):
            exchange = evidence.one(f"Encounter after {undone}")
            tally.say("withdrawal-lost", f"{undone} was accepted, and {done} still stands", exchange, "Encounter")
        else:
            tally.seen += 1


def _merged(evidence: Evidence, tally: Tally) -> None:
    if step_of("a merge") not in evidence.steps():
        return
    if not (_accepted(evidence, "another number") and _accepted(evidence, "a merge")):
        return
    number = str(parse(evidence.one(step_of("a merge")).request_body or b"MSH|^~\\&|")["PID-3.1"] or "")
    if not _own(receiving.patients(evidence, "Patient of other number after another number"), number):
        return
    for name, rule in (("a merge", "merge-lost"), ("a late update of what ended", "merge-undone")):
        step = f"Patient of other number after {name}"
        if _own(receiving.patients(evidence, step), number):
            tally.say(
                rule, f"after {name} the number that ended is still another person", evidence.one(step), "Patient"
            )
            return
        tally.seen += 1


def _own(shown: list[Mapping[str, Any]], number: str) -> bool:
    """Whether one of them is a person apart: active, not replaced, and without the number that goes on."""
    for each in shown:
        links = each.get("link")
        replaced = any(
            isinstance(link, Mapping) and link.get("type") == "replaced-by"
            for link in (links if isinstance(links, list) else ())
        )
        if each.get("active") is not False and not replaced and number not in receiving.numbers(each):
            return True
    return False


def _visit(evidence: Evidence, name: str) -> str:
    return str(parse(evidence.one(step_of(name)).request_body or b"MSH|^~\\&|")["PV1-19.1"] or "")


def _encounters(evidence: Evidence, name: str, visit: str) -> list[Mapping[str, Any]] | None:
    """Those that bear the number of the visit; None if they could not be looked at."""
    step = f"Encounter after {name}"
    if step not in evidence.steps():
        return None
    answer = evidence.one(step)
    if not answer.ok:
        return None
    found = []
    for each in _resources(answer, "Encounter"):
        held = each.get("identifier")
        if any(isinstance(i, Mapping) and i.get("value") == visit for i in (held if isinstance(held, list) else ())):
            found.append(each)
    return found


def _current(encounter: Mapping[str, Any]) -> list[Any]:
    places = encounter.get("location")
    return [
        each
        for each in (places if isinstance(places, list) else ())
        if isinstance(each, Mapping) and each.get("status") not in ("completed", "planned", "reserved")
    ]


def wrong_number_shown(evidence: Evidence, tally: Tally) -> None:
    receiving.baseline(evidence)
    receiving.answers(evidence, tally, "a wrong number")
    tally.seen = 0
    wrong = str(parse(evidence.one(step_of("a wrong number")).request_body or b"MSH|^~\\&|")["PID-3.1"] or "")
    for patient in receiving.patients(evidence, "Patient of a wrong number"):
        if wrong in receiving.numbers(patient):
            exchange = evidence.one("Patient of a wrong number")
            tally.say(
                "wrong-number-kept", "a number with a wrong check digit is shown as NHS number", exchange, "Patient"
            )
    if receiving.patients(evidence, f"Patient of full after {CLEAN}"):
        tally.seen += 1  # its search finds people, so that finding none says something


def results_shown(*, status: bool) -> Callable[[Evidence, Tally], None]:
    """Whether status, or unit, range, flag and comment, of a result and of its correction are shown."""

    def judge(evidence: Evidence, tally: Tally) -> None:
        receiving.baseline(evidence)
        if not _accepted(evidence, "a result"):
            return
        if "shown after a result" not in evidence.steps():
            receiving.patients(evidence, "Patient for Observation after a result")  # says why, if it can
            raise NotInEvidence("Observation after a result")
        exchange = evidence.one("shown after a result")
        first = exchange.facts.get("first")
        if not isinstance(first, Mapping):
            return  # it is not shown, so nothing of it can be compared
        if not status:
            for name in ("unit", "range", "flag", "comment"):
                if first.get(name):
                    tally.seen += 1
                else:
                    tally.say(f"{name}-lost", f"the {name} of a result is not shown", exchange, "Observation")
            return
        if first.get("status") == "final":
            tally.seen += 1
        else:
            tally.say("status-lost", "a final result is not shown as final", exchange, "Observation.status")
        if "shown after the result corrected" not in evidence.steps() or not _accepted(
            evidence, "the result corrected"
        ):
            return
        later = evidence.one("shown after the result corrected")
        old, new = later.facts.get("first"), later.facts.get("corrected")
        if isinstance(old, Mapping) and old.get("status") in ("final", "preliminary", "registered"):
            tally.say("correction-lost", "the value that was corrected still stands", later, "Observation")
        elif isinstance(new, Mapping) and new.get("status") in ("corrected", "amended"):
            tally.seen += 1
        else:
            tally.say("correction-unsaid", "a corrected result is not shown as such", later, "Observation.status")

    return judge
