"""The checks of the pack hl7v2-uk: of each requirement the side that the product has, or both."""

from __future__ import annotations

from collections.abc import Callable

from mpftconnect.conformance import Catch, Cause, CauseKind, Check, Evidence, NotInEvidence, Outcome, Probe, Undecided
from mpftconnect_conformance.checks.hl7v2_uk import receiving, sending, showing
from mpftconnect_conformance.checks.hl7v2_uk.asking import CLEAN, ask
from mpftconnect_conformance.checks.hl7v2_uk.receiving import Tally, accepts, answers, baseline, refuses

__all__ = ["CHECKS"]

Side = Callable[[Evidence, Tally], None]
_HEADER = (
    *("version-missing", "version-unknown", "uk-version", "type-missing", "structure-unknown", "structure-mismatch"),
    *("trigger-mismatch", "encoding-characters", "segment-missing", "segment-order", "segment-unexpected"),
    *("segment-repeats", "segment-unknown", "segment-name", "field-required"),
    *("not-a-date-time", "obx-type-missing", "obx-type-unknown"),
)
_NUMBER = (
    *("nhs-number-authority", "nhs-number-type", "nhs-number-invalid", "nhs-number-repeats", "nhs-number-form"),
    *("nhs-number-status", "nhs-number-status-contradicts"),
)
_CHARACTERS = ("charset-unknown", "charset-undeclared", "charset-false", "bytes-undecodable", "escape-malformed")


def judge(*, sent: Side | None = None, received: Side | None = None) -> Callable[[Evidence], Outcome]:
    """A judge of the sides of which there is evidence."""

    def decide(evidence: Evidence) -> Outcome:
        tally = Tally([])
        steps = evidence.steps()
        sends = "message received" in steps or "line" in steps
        receives = f"send {CLEAN}" in steps
        sides = [side for side, there in ((sent, sends), (received, receives)) if side is not None and there]
        if not sides:
            raise NotInEvidence("messages of the product")
        # What one side is found to do wrong stands, though the other decides nothing.
        undecided: list[Undecided | NotInEvidence] = []
        for side in sides:
            try:
                side(evidence, tally)
            except (Undecided, NotInEvidence) as why:
                undecided.append(why)
        if tally.findings:
            cause = Cause(
                kind=CauseKind.SUPPLIER,
                because="messages or acknowledgements of the product itself say so",
                ruled_out="they came whole, as blocks of MLLP, on a line that was otherwise answered",
                otherwise="a gateway between changes messages",
                mend="look at the exchange and at the place that the finding names",
            )
            return Outcome.failed(tally.findings, cause, observations=tally.seen + len(tally.findings))
        if undecided:
            raise undecided[0]
        return Outcome.passed(tally.seen, f"{tally.seen} messages, fields or acknowledgements")

    return decide


def _sent(codes: tuple[str, ...], *, of_body: bool = True, only: str = "", unreadable: bool = False) -> Side:
    return lambda evidence, tally: sending.sent_codes(
        evidence, tally, codes, of_body=of_body, only=only, unreadable=unreadable
    )


def _received(*, good: tuple[str, ...] = (), bad: tuple[str, ...] = (), any_: tuple[str, ...] = ()) -> Side:
    def side(evidence: Evidence, tally: Tally) -> None:
        baseline(evidence)
        accepts(evidence, tally, *good)
        refuses(evidence, tally, *bad)
        answers(evidence, tally, *any_)

    return side


def _sent_headers(evidence: Evidence, tally: Tally) -> None:
    sending.sent_codes(evidence, tally, _HEADER, of_body=True, unreadable=True)
    sending.sent_types(evidence, tally)


def _sent_numbers(evidence: Evidence, tally: Tally) -> None:
    sending.sent_codes(evidence, tally, _NUMBER, of_body=True)
    with_one = sum(1 for each in sending.messages(evidence) if each.message is not None and each.message["PID-3"])
    tally.seen = min(tally.seen, with_one)


def _acknowledged(evidence: Evidence, tally: Tally) -> None:
    # Empty of what it answers by, a product that refuses all of us is undecided; one that answers wrongly is not.
    answers(evidence, tally, CLEAN)
    if tally.findings:
        return
    baseline(evidence)
    answers(evidence, tally, "a long message")
    refuses(evidence, tally, "a broken header")


def _framed(evidence: Evidence, tally: Tally) -> None:
    baseline(evidence)
    accepts(evidence, tally, "in pieces", "two in one write")
    receiving.answered_after(evidence, tally, "half a message")


def _in_order(evidence: Evidence, tally: Tally) -> None:
    baseline(evidence)
    accepts(evidence, tally, "an update")
    answers(evidence, tally, "an older update")
    update = evidence.one("send an update")
    shown = receiving.patients(evidence, "Patient of full after an older update")
    sent_family = _family(update.request_body)
    older = _family(evidence.one("send an older update").request_body)
    found = [family for patient in shown for family in receiving.families(patient)]
    if older in found and sent_family not in found:
        tally.say("older-applied", "an update that was made before the one applied replaced it", update, "PID-5")
    elif sent_family in found:
        tally.seen += 1
    elif shown:
        tally.say("update-lost", "an update was accepted, and its family name is not shown", update, "PID-5")
    else:
        tally.seen = 0
    showing.states_shown(evidence, tally)


def _family(body: bytes | None) -> str:
    from mpftconnect.hl7v2 import parse

    return str(parse(body or b"MSH|^~\\&|")["PID-5.1"] or "")


def _parked(evidence: Evidence, tally: Tally) -> None:
    baseline(evidence)
    answers(evidence, tally, "of an unknown number")
    tally.seen = 0
    if receiving.patients(evidence, "Patient of an unknown number before"):
        return  # it was known before: nothing can be told
    after = receiving.patients(evidence, "Patient of an unknown number after of an unknown number")
    if after:
        exchange = evidence.one("Patient of an unknown number after of an unknown number")
        tally.say("created", "a person was made of an NHS number alone", exchange, "Bundle.entry")
    elif receiving.patients(evidence, "Patient of full after of an unknown number"):
        tally.seen = 1  # its search finds people, so that finding none says something


def _mapped(evidence: Evidence, tally: Tally) -> None:
    from mpftconnect.hl7v2 import parse

    baseline(evidence)
    shown = receiving.patients(evidence, f"Patient of full after {CLEAN}")
    exchange = evidence.one(f"Patient of full after {CLEAN}")
    message = parse(evidence.one(f"send {CLEAN}").request_body or b"MSH|^~\\&|")
    born = str(message["PID-7"] or "")
    golden = {
        "birthDate": f"{born[:4]}-{born[4:6]}-{born[6:8]}",
        "gender": "female",
    }
    for patient in shown[:1]:
        for name, value in golden.items():
            if patient.get(name) != value:
                tally.say("mapping", f"Patient.{name} is not what the message says", exchange, f"Patient.{name}")
            else:
                tally.seen += 1
        if str(message["PID-3.1"] or "") not in receiving.numbers(patient):
            tally.say("mapping", "the NHS number does not stand in its system", exchange, "Patient.identifier")
        if _family(evidence.one(f"send {CLEAN}").request_body) not in receiving.families(patient):
            tally.say("mapping", "the family name is not what PID-5.1 says", exchange, "Patient.name.family")


def _attached(evidence: Evidence, tally: Tally) -> None:
    baseline(evidence)
    accepts(evidence, tally, "an attachment")
    answers(evidence, tally, "a false attachment")


def _r(*faults: str) -> tuple[Catch, ...]:
    return tuple(Catch("hl7v2-receiver", fault) for fault in faults)


def _s(*faults: str) -> tuple[Catch, ...]:
    return tuple(Catch("hl7v2-sender", fault) for fault in faults)


def _check(
    number: int,
    *names: str,
    sent: Side | None = None,
    received: Side | None = None,
    catches: tuple[Catch, ...],
    read_back: bool = False,
    then: Callable[[Probe, str], None] | None = None,
) -> Check:
    return Check(
        name=f"hl7v2-uk#{number}",
        probe=ask(*(names or ((CLEAN,) if received else ())), sender=sent is not None, read_back=read_back, then=then),
        judge=judge(sent=sent, received=received),
        catches=catches,
        protocol="mllp",
    )


_BAD_KINDS = ("an unknown version", "an unknown type")
_TEXTS = ("in UTF-8", "in 8859/1", "with escapes")

CHECKS = [
    _check(
        1,
        *_BAD_KINDS,
        sent=_sent_headers,
        received=_received(bad=_BAD_KINDS),
        catches=(
            *_s(
                "structure-wrong",
                "type-mismatch",
                "processing-unknown",
                "version-old",
                "control-id-empty",
                "result-unnamed",
                "date-impossible",
            ),
            *_r("any-version-accepted", "any-type-accepted"),
        ),
    ),
    _check(
        2,
        *("a long message", "a broken header"),
        received=_acknowledged,
        catches=_r("wrong-control-id", "acknowledgement-header-empty", "broken-accepted", "long-dropped"),
    ),
    _check(
        3,
        sent=_sent_numbers,
        received=showing.wrong_number_shown,
        catches=(*_s("nhs-number-wrong-digit", "nhs-number-status-unsaid"), *_r("wrong-number-kept")),
        read_back=True,
        then=showing.ask_wrong_number,
    ),
    _check(
        4,
        *("an update", "an older update"),
        sent=sending.sent_order,
        received=_in_order,
        catches=(
            *_s("out-of-order", "merge-incomplete"),
            *_r("older-update-applied", "merge-lost", "merge-undone", "withdrawal-lost"),
        ),
        read_back=True,
        then=showing.ask_states,
    ),
    _check(
        5,
        sent=sending.sent_results,
        received=showing.results_shown(status=True),
        catches=(*_s("correction-unsaid", "result-status-unsaid"), *_r("correction-lost")),
        then=showing.ask_results,
    ),
    _check(
        6,
        sent=sending.sent_units,
        received=showing.results_shown(status=False),
        catches=(*_s("unit-dropped", "range-dropped"), *_r("comment-lost", "unit-lost")),
        then=showing.ask_results,
    ),
    _check(
        7,
        *("in pieces", "two in one write", "half a message"),
        sent=sending.sent_framing,
        received=_framed,
        catches=(*_s("not-sent-again", "stray-bytes"), *_r("one-read-one-frame")),
    ),
    _check(8, "the same twice", received=_received(good=("the same twice",)), catches=_r("repeat-refused")),
    _check(9, "of an unknown number", received=_parked, catches=_r("unknown-created"), read_back=True),
    _check(
        11,
        *_TEXTS,
        sent=_sent(_CHARACTERS, of_body=False, only="beyond_ascii"),
        received=_received(good=_TEXTS),
        catches=(*_s("charset-unsaid"), *_r("utf8-refused")),
    ),
    _check(12, "with a Z-segment", received=_received(good=("with a Z-segment",)), catches=_r("z-segment-refused")),
    _check(13, sent=sending.sent_sites, catches=_s("ods-misshapen")),
    _check(14, received=_mapped, catches=_r("birth-date-lost"), read_back=True),
    _check(
        15,
        *("an attachment", "a false attachment"),
        sent=sending.sent_attachments,
        received=_attached,
        catches=(*_s("attachment-false"), *_r("attachment-dropped")),
    ),
]
