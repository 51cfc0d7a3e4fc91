"""Answers messages: AA only when they are on the disk, AE when they could not be kept, AR when they are none.

In enhanced mode the commit acknowledgement (CA, CE, CR) says the same, and the application's comes after it. What is
parked is acknowledged: it is kept and waits for a person here, and its sender can do no more about it.
Source: HL7 v2.5.1, chapter 2, section 2.9; table 0155 for MSH-15 and MSH-16.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from mpftconnect.adapters.mllp_server import Reply
from mpftconnect.events import Code, EventStream
from mpftconnect.inbox.acknowledgement import Problem, acknowledgement
from mpftconnect.inbox.header import Header, NotAMessage, header_of
from mpftconnect.inbox.inbox import Inbox
from mpftconnect.inbox.store import StoreFailed

__all__ = ["Answering"]

_LETTERS = {"accept": "A", "error": "E", "reject": "R"}
_NOT_KEPT = Problem("207", "MSH-10", "the message was not kept: send it again")
_TOO_LONG = "the message is longer than is taken here"


class Answering:
    """A handler for `MllpServer`.

    Args:
        inbox: Where messages are kept.
        events: Takes `INBOX_FAILED`, with the reason that the store gives.
        took: Called after messages were kept, so that they are processed.
        clock: For tests.
    """

    def __init__(
        self,
        inbox: Inbox,
        *,
        events: EventStream | None = None,
        took: Callable[[], object] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._inbox, self._events, self._took, self._clock = inbox, events or EventStream(), took, clock

    def __call__(self, messages: Sequence[bytes]) -> list[Reply]:
        """Keep messages in order, and answer each."""
        refusals: list[Reply | None] = []
        good: list[tuple[Header, bytes]] = []
        for raw in messages:
            try:
                good.append((header_of(raw), raw))
                refusals.append(None)
            except NotAMessage as refused:
                problem = Problem(refused.code, refused.place, refused.rule)
                refusals.append(self._reply(refused.header, "reject", problem))
        kept = iter(self._kept(good) if good else ())
        return [next(kept) if refusal is None else refusal for refusal in refusals]

    def refuse(self, head: bytes) -> Reply:
        """The answer to a message that is too long to be taken."""
        try:
            header = header_of(head)
        except NotAMessage as refused:
            header_or_none = refused.header
        else:
            header_or_none = header
        return self._reply(header_or_none, "reject", Problem("207", "MSH", _TOO_LONG))

    def _kept(self, good: Sequence[tuple[Header, bytes]]) -> list[Reply]:
        try:
            receipts = self._inbox.receive_all(good, self._clock())
        except Exception as error:  # noqa: BLE001 - whatever failed, nothing was kept and the sender must know
            reason = error.reason if isinstance(error, StoreFailed) else type(error).__name__
            self._events.emit(Code.INBOX_FAILED, reason=reason, count=len(good))
            return [self._reply(header, "error", _NOT_KEPT) for header, _ in good]
        if self._took is not None:
            self._took()
        return [
            self._reply(header, "accept", None, quiet=receipt.outcome == "excluded")
            for (header, _), receipt in zip(good, receipts, strict=True)
        ]

    def _reply(self, header: Header | None, verdict: str, problem: Problem | None, *, quiet: bool = False) -> Reply:
        letter = _LETTERS[verdict]
        at = self._clock()
        if header is None or header.mode == "original":
            code = f"A{letter}"
            return Reply((acknowledgement(header, code, at, problem),), code, quiet)
        codes = []
        if _wanted(header.accept, verdict):
            codes.append(f"C{letter}")
        # An application that never got the message has nothing to say of it, unless nobody else does.
        if _wanted(header.answer, verdict) and (verdict == "accept" or not codes):
            codes.append(f"A{letter}")
        answers = tuple(acknowledgement(header, code, at, problem) for code in codes)
        return Reply(answers, codes[0] if codes else None, quiet)


def _wanted(condition: str, verdict: str) -> bool:
    """HL7 table 0155: AL always, NE never, ER on error or rejection, SU on success. Nothing means never."""
    return condition == "AL" or condition == ("SU" if verdict == "accept" else "ER")
