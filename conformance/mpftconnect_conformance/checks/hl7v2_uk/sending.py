"""What a product that sends is judged by: its messages, as they came."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mpftconnect.conformance import Cause, CauseKind, Evidence, Outcome, Recorded, Undecided
from mpftconnect.errors import MpftConnectError
from mpftconnect.hl7v2 import Message, check, parse
from mpftconnect_conformance.checks.hl7v2_uk.asking import messages_of
from mpftconnect_conformance.checks.hl7v2_uk.receiving import Tally

__all__ = [
    "ATTACHMENTS",
    "messages",
    "sent_attachments",
    "sent_codes",
    "sent_framing",
    "sent_order",
    "sent_results",
    "sent_sites",
    "sent_types",
    "sent_units",
]

ATTACHMENTS = 10_000_000
_STEP = "message received"
_ABNORMAL = ("H", "L", "HH", "LL", ">", "<")
_STATUSES = ("P", "F", "C", "R", "S", "I", "X", "D", "U", "W", "N", "O")
_UNDOES = {"A11": "A01", "A12": "A02", "A13": "A03"}


@dataclass(frozen=True, slots=True)
class Sent:
    exchange: Recorded
    message: Message | None


def messages(evidence: Evidence) -> Iterator[Sent]:
    """Every message that came, in order; one that cannot be read is there without.

    Raises:
        NotInEvidence: None came, and none was listened for.
        Undecided: None came, and how connections ended says why.
    """
    if _STEP not in evidence.steps():
        line = evidence.one("line")  # listened, and nothing came: that is seen, and decides nothing
        if line.error is not None and (trouble := line.trouble()) is not None:
            raise Undecided(trouble)
        if (ended := line.facts.get("trouble")) and isinstance(ended, dict):
            raise Undecided(_no_message(ended))
        return
    for exchange in evidence.every(_STEP):
        message = None
        for raw in messages_of(exchange.request_body or b"")[:1]:
            try:
                message = parse(raw)
            except MpftConnectError:
                message = None
        yield Sent(exchange, message)


# How connections ended that brought no whole message, and what that most likely is.
_ENDS = {
    "tls": "TLS was not agreed: a certificate is missing, of another authority, or one side speaks in clear",
    "no-mllp": "what came is no block of MLLP: TLS on a line in clear, a health check, another protocol",
    "cut-off": "a block began and the connection ended inside it",
    "too-slow": "a block began and was not whole in time",
    "too-long": "a block is longer than is taken here",
    "connection-lost": "the connection was reset",
    "idle": "nothing was said",
    "no-room": "a block is longer than is taken here",
}


def _no_message(ended: Mapping[str, object]) -> Outcome:
    words = "; ".join(text for name, text in _ENDS.items() if name in ended)
    return Outcome.inconclusive(
        "connections came, and no whole message on any of them",
        Cause(
            kind=CauseKind.ENVIRONMENT,
            because=words or "connections ended before a message was whole",
            otherwise="the product fails while it sends",
            mend="let the product send one message by hand to this address; compare mllp.sender.certificate, key and "
            "client_ca with what the product is told",
        ),
    )


def sent_codes(
    evidence: Evidence,
    tally: Tally,
    codes: tuple[str, ...],
    *,
    of_body: bool,
    only: str = "",
    unreadable: bool = False,
) -> None:
    """Messages of which `check` says none of those codes: of the body, or as it was found on arrival.

    Args:
        only: A fact that a message must have to count.
        unreadable: Whether a block that holds no message is a finding here; once is enough for a feed.
    """
    for sent in messages(evidence):
        why = sent.exchange.facts.get("unreadable")
        if why or (sent.message is None and of_body):
            if unreadable:
                words = "it is no HL7 v2 message" + (f": {why}" if why else "")
                tally.say("unreadable", words, sent.exchange, "MSH")
            continue
        if of_body and sent.message is not None:
            found = [(one.code, one.location, one.message) for one in check(sent.message, "uk")]
        else:
            told = sent.exchange.facts.get("codes")
            rows = [str(each).partition(" ") for each in (told if isinstance(told, list) else ())]
            found = [(code, place, f"found on arrival: {code}") for code, _, place in rows]
        wrong = [(code, place, words) for code, place, words in found if code in codes and _counts(code, place)]
        for code, place, words in wrong:
            tally.say(code, words, sent.exchange, place)
        if not wrong and (not only or sent.exchange.facts.get(only)):
            tally.seen += 1


# Of empty fields and impossible dates only those count without which a message cannot be answered, matched or read:
# versions differ in what else they require, and much of it nobody fills in.
_COUNTING = {
    "field-required": ("MSH-7", "MSH-9", "MSH-10", "MSH-11", "MSH-12", "PID-3", "PID-5", "OBR-4", "OBX-3"),
    "not-a-date-time": ("MSH-7", "EVN-2", "PID-7"),
}


def _counts(code: str, place: str) -> bool:
    field = re.sub(r"\[\d+\]", "", place).partition(".")[0]
    return code not in _COUNTING or field in _COUNTING[code]


def sent_types(evidence: Evidence, tally: Tally) -> None:
    """A structure that is named is one of the message's type: every name of table 0354 begins with its type. And the
    processing id says whether the message is a test, in the words of table 0103.
    """
    for sent in messages(evidence):
        type_, structure = (str(sent.message[f"MSH-9.{n}"] or "") if sent.message is not None else "" for n in (1, 3))
        if structure and type_ != structure.partition("_")[0]:
            tally.say("type-mismatch", "MSH-9.3 names a structure of another message type", sent.exchange, "MSH-9.1")
        if sent.message is not None and str(sent.message["MSH-11.1"] or "P") not in ("P", "T", "D"):
            tally.say("processing-id", "MSH-11 is not of table 0103 (P, T, D)", sent.exchange, "MSH-11")


def sent_order(evidence: Evidence, tally: Tally) -> None:
    """Events of one person come as they are stated; merges name both numbers, undoing its visit."""
    last: dict[str, str] = {}
    visits: dict[str, set[str]] = {}
    for sent in messages(evidence):
        message = sent.message
        if message is None or not str(message["MSH-9.1"] or "").startswith("ADT"):
            continue
        event, person = str(message["MSH-9.2"] or ""), str(message["PID-3[1].1"] or "")
        stated = str(message["MSH-7"] or "")[:14]
        if person and stated and stated < last.get(person, ""):
            tally.say(
                "out-of-order",
                "a message was made before the one of the same person that came first",
                sent.exchange,
                "MSH-7",
            )
            continue
        last[person] = stated
        if event == "A40":
            old = str(message["MRG-1[1].1"] or "")
            if not old or old == person:
                tally.say(
                    "merge-incomplete",
                    "a merge names the number that ends (MRG-1), and it is another than PID-3",
                    sent.exchange,
                    "MRG-1",
                )
                continue
        visit = str(message["PV1-19.1"] or "")
        if event in _UNDOES and not visit:
            tally.say(
                "undoes-nothing",
                f"{event} names no visit, so what it takes back cannot be told",
                sent.exchange,
                "PV1-19",
            )
            continue
        if visit:
            visits.setdefault(visit, set()).add(event)
        tally.seen += 1


def sent_results(evidence: Evidence, tally: Tally) -> None:
    """Results say their status, and another value of the same result is a correction."""
    known: dict[tuple[str, str, str], str] = {}
    for sent in messages(evidence):
        message = sent.message
        if message is None or message["MSH-9.1"] != "ORU":
            continue
        order = ""
        for segment in message:
            if segment.name == "OBR":
                order = str(segment[3] or segment[2] or "")
            if segment.name != "OBX":
                continue
            status = str(segment[11] or "")
            if status not in _STATUSES:
                tally.say("result-status", "OBX-11 is empty or not of table 0085", sent.exchange, f"{segment.place}-11")
                continue
            key = (str(message["PID-3[1].1"] or ""), order, f"{segment[3]}/{segment[4]}")
            value = str(segment[5] or "") if segment[2] in ("NM", "SN") else ""
            before = known.get(key)
            if order and before is not None and value != before and status == "F":
                tally.say(
                    "correction-unsaid",
                    "another value of a final result, and OBX-11 does not say C",
                    sent.exchange,
                    f"{segment.place}-11",
                )
                continue
            if order and status in ("F", "C"):
                known[key] = value
            tally.seen += 1


def sent_units(evidence: Evidence, tally: Tally) -> None:
    """A number has its unit, and a flag that it is high or low has the range by which it is."""
    for sent in messages(evidence):
        if sent.message is None:
            continue
        for segment in sent.message.segments("OBX"):
            if segment[2] not in ("NM", "SN") or not segment[5]:
                continue
            if not segment[6]:
                tally.say("unit-missing", "a number without its unit (OBX-6)", sent.exchange, f"{segment.place}-6")
            elif segment[8] in _ABNORMAL and not segment[7]:
                tally.say(
                    "range-missing",
                    "a flag of high or low without the reference range (OBX-7)",
                    sent.exchange,
                    f"{segment.place}-7",
                )
            else:
                tally.seen += 1


def sent_framing(evidence: Evidence, tally: Tally) -> None:
    """Nothing stands between blocks, and a message that was not answered is sent again, the same."""
    line = evidence.one("line")
    stray = line.facts.get("stray")
    for rule in stray if isinstance(stray, list) else ():
        tally.say(str(rule), "bytes that belong to no whole MLLP block", line, "MLLP")
    came = [sent for sent in messages(evidence) if sent.exchange.facts.get("answered") != "file"]
    for number, sent in enumerate(came):
        if sent.exchange.facts.get("answered") != "closed" or sent.message is None:
            continue
        again = [later for later in came[number + 1 :] if later.message is not None]
        if not again:
            continue  # nothing came after it: the sender may have stopped, and that decides nothing
        if again[0].message is not None and again[0].message["MSH-10"] == sent.message["MSH-10"]:
            tally.seen += 1
        else:
            tally.say(
                "not-sent-again",
                "a message without an answer was not sent again before the next",
                sent.exchange,
                "MSH-10",
            )


def sent_attachments(evidence: Evidence, tally: Tally) -> None:
    for sent in messages(evidence):
        told = sent.exchange.facts.get("attachments")
        for each in told if isinstance(told, list) else ():
            if not isinstance(each, dict):
                continue
            place = f"{each.get('place', 'OBX')}-5"
            if each.get("fault"):
                tally.say("attachment", f"an attachment {each['fault']}", sent.exchange, place)
            elif int(each.get("bytes") or 0) > ATTACHMENTS:
                tally.say("attachment-size", f"an attachment of more than {ATTACHMENTS} bytes", sent.exchange, place)
            else:
                tally.seen += 1


def sent_sites(evidence: Evidence, tally: Tally) -> None:
    """ODS codes where the sending facility, the ward's site and the practice stand."""
    sent_codes(evidence, tally, ("ods-code",), of_body=True)
    for sent in messages(evidence):
        if sent.message is not None and not sent.message["MSH-4"]:
            tally.say("ods-missing", "MSH-4, the sending facility, is empty", sent.exchange, "MSH-4")
