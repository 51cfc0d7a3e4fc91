"""What a product that receives is judged by: its acknowledgements, and what it then shows over FHIR."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mpftconnect.conformance import Cause, CauseKind, Evidence, Finding, NotInEvidence, Outcome, Recorded, Undecided
from mpftconnect.errors import MpftConnectError
from mpftconnect.hl7v2 import parse
from mpftconnect.model import NHS_NUMBER_SYSTEM
from mpftconnect_conformance.checks.hl7v2_uk.asking import CLEAN, control_of, messages_of, step_of

__all__ = ["Tally", "accepts", "answers", "baseline", "patients", "refuses", "supplier"]

# HL7 2.4, 2.16.9: required in every message, so in an acknowledgement too.
_REQUIRED = ("MSH-9", "MSH-10", "MSH-11", "MSH-12")
_GOOD, _BAD = ("AA", "CA"), ("AE", "AR", "CE", "CR")


def supplier(because: str, mend: str, otherwise: str = "") -> Cause:
    return Cause(
        kind=CauseKind.SUPPLIER,
        because=because,
        ruled_out="a good message was acknowledged on the same line, before or after it",
        otherwise=otherwise,
        mend=mend,
    )


@dataclass(slots=True)
class Tally:
    """What was seen of one requirement, and what was amiss."""

    findings: list[Finding]
    seen: int = 0

    def say(self, rule: str, message: str, exchange: Recorded, place: str = "MSA-1") -> None:
        self.findings.append(Finding(rule=rule, message=message, exchange=exchange.id, place=place))


@dataclass(frozen=True, slots=True)
class Said:
    """The acknowledgements of one step: codes by the control id that they name, in order.

    Args:
        empty: Required fields of their headers that are empty.
    """

    exchange: Recorded
    sent: tuple[str, ...]
    codes: tuple[tuple[str, str], ...]
    unreadable: int
    empty: tuple[str, ...] = ()

    @property
    def answered(self) -> bool:
        return self.exchange.facts.get("ended") == "answered"


def _said(evidence: Evidence, step: str) -> Said:
    """
    Raises:
        NotInEvidence, Undecided: It was not sent; there was no connection.
    """
    found = evidence.one(step)
    if found.error is not None and (trouble := found.trouble()) is not None:
        raise Undecided(trouble)
    codes, unreadable, empty = [], 0, []
    for raw in messages_of(found.response_body or b""):
        try:
            answer = parse(raw)
            codes.append((str(answer["MSA-1"] or ""), str(answer["MSA-2"] or "")))
            empty += [each for each in _REQUIRED if not answer[each]]
        except MpftConnectError:
            unreadable += 1
    sent = []
    for raw in messages_of(found.request_body or b""):
        try:
            sent.append(str(parse(raw)["MSH-10"] or ""))
        except MpftConnectError:
            sent.append("")
    return Said(found, tuple(sent), tuple(codes), unreadable, tuple(empty))


def baseline(evidence: Evidence, *, accepted: bool = True) -> Said:
    """The plainest message of all. If it is not taken, nothing else can be judged.

    Raises:
        Undecided: It was not answered, or not accepted.
    """
    said = _said(evidence, step_of(CLEAN))
    if not said.answered:
        raise Undecided(_nobody(said.exchange))
    if accepted and [code for code, _ in said.codes if code in _GOOD] == []:
        raise Undecided(
            Outcome.inconclusive(
                "the product does not accept a good message about the test person",
                Cause(
                    kind=CauseKind.TEST_DATA,
                    because="an ADT A28 of version 2.4 about people.full was answered, and not by AA or CA",
                    otherwise="the product takes other message types or senders only",
                    mend="enter the person of people.full, allow MSH-3 MPFTCONNECT and MSH-4 ZZ999, then run again",
                ),
            )
        )
    return said


def _nobody(exchange: Recorded) -> Outcome:
    return Outcome.inconclusive(
        f"{exchange.step}: no acknowledgement came ({exchange.facts.get('ended')})",
        Cause(
            kind=CauseKind.ENVIRONMENT,
            because="a connection was made, and no good message is answered on it",
            otherwise="the product hangs, is slow, or something between closes the line",
            mend="send one message by hand; mllp.receiver.answer_seconds allows more time",
        ),
    )


def _settled(evidence: Evidence, name: str, tally: Tally) -> Said | None:
    """The step, if it was answered; a finding if it was not and the product still answers others.

    Raises:
        Undecided: Nothing is answered any more, so that it says nothing of this message.
    """
    said = _said(evidence, step_of(name))
    if said.answered:
        return said
    control = _said(evidence, control_of(name))
    if not control.answered:
        raise Undecided(_nobody(control.exchange))
    tally.say("not-answered", f"no acknowledgement of {name}, though the next good message had one", said.exchange)
    return None


def _codes(evidence: Evidence, name: str, tally: Tally) -> list[str] | None:
    """The code for each message of a step; None if that is a finding already.

    Raises:
        Undecided: The acknowledgements name other messages: that is V2-02's to say.
    """
    said = _settled(evidence, name, tally)
    if said is None:
        return None
    by_id = [control for _, control in said.codes]
    if sorted(by_id) != sorted(said.sent) and "" not in said.sent:
        raise Undecided(
            Outcome.inconclusive(
                f"{said.exchange.step}: the acknowledgements are not of the messages sent (see V2-02)",
                Cause(kind=CauseKind.UNCLEAR, because="MSA-2 is not MSH-10 of what was sent", mend="mend V2-02 first"),
            )
        )
    return [code for code, _ in said.codes]


def accepts(evidence: Evidence, tally: Tally, *names: str) -> None:
    for name in names:
        codes = _codes(evidence, name, tally)
        if codes is None:
            continue
        exchange = evidence.one(step_of(name))
        if all(code in _GOOD for code in codes):
            tally.seen += len(codes)
        else:
            tally.say("not-accepted", f"{name}: expected AA or CA for each message", exchange)


def refuses(evidence: Evidence, tally: Tally, *names: str) -> None:
    for name in names:
        codes = _codes(evidence, name, tally)
        if codes is None:
            continue
        if codes and all(code in _BAD for code in codes):
            tally.seen += 1
        else:
            tally.say("not-refused", f"{name}: expected AE or AR", evidence.one(step_of(name)))


def answers(evidence: Evidence, tally: Tally, *names: str) -> None:
    """Whatever the code is: one acknowledgement for each message, by its control id."""
    for name in names:
        said = baseline(evidence, accepted=False) if name == CLEAN else _settled(evidence, name, tally)
        if said is None:
            continue
        if said.unreadable:
            tally.say("no-acknowledgement", f"{name}: the answer is no HL7 v2 message", said.exchange, "MSH")
        elif said.empty:
            tally.say(
                "acknowledgement-header",
                f"{name}: the acknowledgement lacks {said.empty[0]}",
                said.exchange,
                said.empty[0],
            )
        elif any(code not in (*_GOOD, *_BAD) for code, _ in said.codes):
            tally.say("unknown-code", f"{name}: MSA-1 is not of table 0008", said.exchange)
        elif [control for _, control in said.codes] != list(said.sent):
            tally.say("control-id", f"{name}: MSA-2 is not MSH-10 of the message, in order", said.exchange, "MSA-2")
        else:
            tally.seen += len(said.codes)


def answered_after(evidence: Evidence, tally: Tally, name: str) -> None:
    """Whatever became of it, the next message is answered."""
    control = _said(evidence, control_of(name))
    if control.answered:
        tally.seen += 1
    else:
        raise Undecided(_nobody(control.exchange))


def patients(evidence: Evidence, step: str) -> list[Mapping[str, Any]]:
    """The Patients that a search gave.

    Raises:
        Undecided: What the product holds cannot be seen.
    """
    try:
        body = evidence.json(step)
    except NotInEvidence:
        raise Undecided(
            Outcome.not_tested(
                "what became of the message cannot be seen: target.base_url gives no FHIR address to look at",
                Cause(
                    kind=CauseKind.ENVIRONMENT,
                    because="acknowledgements do not say what was stored",
                    mend="give target.base_url of the FHIR interface that shows what was received, if there is one",
                ),
            )
        ) from None
    entries = body.get("entry") if isinstance(body, Mapping) else None
    found = []
    for entry in entries if isinstance(entries, list) else ():
        resource = entry.get("resource") if isinstance(entry, Mapping) else None
        if isinstance(resource, Mapping) and resource.get("resourceType") == "Patient":
            found.append(resource)
    return found


def families(patient: Mapping[str, Any]) -> list[str]:
    names = patient.get("name")
    return [str(name.get("family")) for name in (names if isinstance(names, list) else ()) if isinstance(name, Mapping)]


def numbers(patient: Mapping[str, Any]) -> Iterable[str]:
    held = patient.get("identifier")
    for each in held if isinstance(held, list) else ():
        if isinstance(each, Mapping) and each.get("system") == NHS_NUMBER_SYSTEM:
            yield str(each.get("value"))
