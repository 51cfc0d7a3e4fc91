"""What a check's probe is given: a way to ask the system, which keeps what was said and obeys the run's limits.

A failed exchange is evidence too: nothing is raised for it. What is raised ends the probe, never the run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from mpftconnect.adapters import Answer, Deadline, Endpoint, Exchange, Wire
from mpftconnect.adapters.ask import Params
from mpftconnect.conformance.evidence import Recorded, Subject, TestPerson
from mpftconnect.conformance.mllp_lines import MllpLines
from mpftconnect.errors import AdapterError, MpftConnectError, UsageError

MARK = "X-Conformance-Challenge"
"""The header that binds a request to a buyer's challenge."""
MESSAGE_MARK = 12
"""How many letters of the mark begin MSH-10 of a message: 48 bits of a keyed digest, and room for 8 of the message's
own (HL7 2.4, 2.16.9.10: at most 20 characters)."""

__all__ = ["Probe", "ProbeEnded", "Tap"]


class ProbeEnded(MpftConnectError):
    """The probe must stop; `kind` says why, in a permanent code, and the message in words."""

    def __init__(self, kind: Literal["live", "writes", "person", "breaker", "deadline", "wire"], words: str) -> None:
        self.kind = kind
        super().__init__(words)


class Tap:
    """A recorder that hands on what the wire last said. In a live environment it gets counts alone (rule 13)."""

    test_only = False

    def __init__(self) -> None:
        self._taken: list[Exchange] = []
        self._lock = threading.Lock()

    def record(self, exchange: Exchange) -> None:
        with self._lock:
            self._taken.append(exchange)

    def take(self) -> list[Exchange]:
        with self._lock:
            taken, self._taken = self._taken, []
        return taken


Sink = Callable[[Recorded], None]
Gate = Callable[[], None]


@dataclass(slots=True)
class Ledger:
    """What the probes of a run share: numbering, and what was asked already."""

    count: int = 0
    asked: dict[tuple[Any, ...], Recorded] | None = None
    spoken: dict[tuple[Any, ...], tuple[Recorded, ...]] = field(default_factory=dict)

    def next_id(self) -> str:
        self.count += 1
        return f"x{self.count:03d}"


class Probe:
    """Asks the system for one check.

    Args:
        wire: With credentials and the check's deadline.
        tap: The recorder of that wire.
        subject: What is tested.
        people: The test people, by role.
        ledger: Shared by the run.
        keep: Takes each exchange; it raises to stop the run, as the guard against real patients does.
        gate: Called before each request; it raises `ProbeEnded` where asking on has no sense.
        patient: What the check declares.
        writes: Likewise.
        lines: The product's MLLP lines.
    """

    def __init__(
        self,
        wire: Wire | None,
        tap: Tap,
        *,
        subject: Subject,
        people: Mapping[str, TestPerson],
        ledger: Ledger,
        keep: Sink,
        gate: Gate = lambda: None,
        patient: bool = True,
        writes: bool = False,
        anonymous: Wire | None = None,
        deadline: Deadline | None = None,
        mark: Callable[[str], str] | None = None,
        lines: MllpLines | None = None,
        tls: Callable[[Endpoint, Deadline], Mapping[str, Any]] | None = None,
    ) -> None:
        self.lines = lines or MllpLines()
        self._mark, self._tls = mark, tls
        self._wire, self._tap, self._anonymous = wire, tap, anonymous
        self.subject, self._people = subject, people
        self._ledger, self._keep, self._gate = ledger, keep, gate
        self._patient, self._writes = patient, writes
        self.deadline = deadline or Deadline.after(60)

    @property
    def base_url(self) -> str:
        return self._need_wire().endpoint.base_url

    @property
    def may_write(self) -> bool:
        """Whether something may be changed: the check says that it does, and supplier.toml allows it."""
        return self._writes and self.subject.allow_writes

    def person(self, role: str) -> TestPerson:
        """The test person of that role.

        Raises:
            ProbeEnded: There is none.
        """
        if role not in self._people:
            raise ProbeEnded("person", f"supplier.toml names no test person of the role {role}")
        return self._people[role]

    def get(
        self,
        path: str,
        params: Params | None = None,
        *,
        step: str,
        headers: Mapping[str, str] | None = None,
        person: str = "",
        credentials: bool = True,
        again: bool = False,
    ) -> Recorded:
        """GET below the base URL, or a link of the same origin. The same request of the same step is sent once a run.

        Args:
            step: See `Recorded.step`.
            person: The role asked about.
            credentials: False asks as a stranger would.
            again: Send it though it was sent before.
        Raises:
            ProbeEnded: The run's limits forbid it.
        """
        key = ("GET", step, path, repr(params), repr(headers), credentials)
        asked = self._ledger.asked if self._ledger.asked is not None else {}
        self._ledger.asked = asked
        if not again and key in asked:
            return asked[key]
        wire = self._ready(credentials)
        found = self._exchange(
            step,
            person,
            lambda: wire.get(path, params, headers=self._marked(headers, step), label=step),
            "GET",
            path,
            credentials=credentials,
        )
        asked[key] = found
        return found

    def post(
        self,
        path: str,
        *,
        step: str,
        json: Any = None,
        data: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        person: str = "",
        reads: bool = False,
    ) -> Recorded:
        """POST below the base URL, each time it is called.

        Args:
            reads: It is a read by POST, whose author says that it changes nothing. Otherwise it needs `allow_writes`.
        Raises:
            ProbeEnded: The run's limits forbid it.
        """
        if not reads:
            self._need_writes()
        wire = self._ready(True)
        return self._exchange(
            step,
            person,
            lambda: wire.post(path, json=json, data=data, headers=self._marked(headers, step), safe=reads, label=step),
            "POST",
            path,
        )

    def put(
        self, path: str, *, step: str, json: Any, headers: Mapping[str, str] | None = None, person: str = ""
    ) -> Recorded:
        """PUT below the base URL: to change what the probe itself made. Needs `allow_writes`."""
        self._need_writes()
        wire = self._ready(True)
        return self._exchange(
            step,
            person,
            lambda: wire.put(path, json=json, headers=self._marked(headers, step), label=step),
            "PUT",
            path,
        )

    def delete(self, path: str, *, step: str) -> Recorded:
        """DELETE below the base URL: to clear up what the probe itself made. Needs `allow_writes`."""
        self._need_writes()
        wire = self._ready(True)
        return self._exchange(
            step, "", lambda: wire.delete(path, headers=self._marked(None, step), label=step), "DELETE", path
        )

    def look_at_tls(self, *, step: str) -> Recorded:
        """How the system's address is encrypted, as facts of an exchange; nothing is sent but handshakes.

        See `mpftconnect.conformance.tls.look_at`. Asked once a run.
        Raises:
            ProbeEnded: The run's limits forbid it.
        """
        from mpftconnect.conformance.tls import look_at

        asked = self._ledger.asked if self._ledger.asked is not None else {}
        self._ledger.asked = asked
        if ("TLS", step) not in asked:
            wire = self._ready(True)
            facts = (self._tls or look_at)(wire.endpoint, self.deadline)
            address = f"//{self.subject.host}"
            asked[("TLS", step)] = self.keep(
                Recorded(id="", step=step, method="TLS", url=address, protocol="tls", facts={**facts, "patient": False})
            )
        return asked[("TLS", step)]

    def keep(self, recorded: Recorded) -> Recorded:
        """Take an exchange that another way of speaking made, such as MLLP: it gets its id here."""
        kept = replace(recorded, id=self._ledger.next_id())
        self._keep(kept)
        return kept

    def once(self, step: str, speak: Callable[[], Sequence[Recorded]]) -> tuple[Recorded, ...]:
        """What another way of speaking gave under that step, kept; it is asked once a run, within the run's limits.

        Raises:
            ProbeEnded: As `get`; also where the check declares that it writes, and nothing may be written.
        """
        key = ("ONCE", step)
        if key not in self._ledger.spoken:
            if self._writes:
                self._need_writes()
            self._need_leave()
            self._ledger.spoken[key] = tuple(self.keep(each) for each in speak())
        return self._ledger.spoken[key]

    def wire(self) -> Wire:
        """The wire itself, for what the methods above cannot say. What goes through it is not in evidence."""
        return self._need_wire()

    def message_mark(self, step: str) -> str:
        """How MSH-10 of the messages of a step begins in answer to a buyer's challenge; empty if there is none."""
        return "" if self._mark is None else self._mark(step)[:MESSAGE_MARK]

    def _marked(self, headers: Mapping[str, str] | None, step: str) -> Mapping[str, str] | None:
        """The headers of a request, with the mark of the buyer's challenge if the run answers one."""
        return headers if self._mark is None else {**(headers or {}), MARK: self._mark(step)}

    def _need_wire(self) -> Wire:
        if self._wire is None:
            raise ProbeEnded("wire", "nothing can be asked until what the preflight found is mended")
        return self._wire

    def _need_writes(self) -> None:
        if not self.may_write:
            raise ProbeEnded("writes", "it changes something in the system, and supplier.toml does not allow writes")

    def _ready(self, credentials: bool) -> Wire:
        wire = self._need_wire()
        self._need_leave()
        if not credentials:
            wire = self._anonymous or wire.bound(auth=None)
        return wire.bound(deadline=self.deadline)

    def _need_leave(self) -> None:
        if self._patient and self.subject.environment == "live":
            raise ProbeEnded("live", "the environment is live: nothing is asked that could carry a patient's data")
        self._gate()
        if self.deadline.passed:
            raise ProbeEnded("deadline", "the time for this check is spent")

    def _exchange(
        self, step: str, person: str, ask: Callable[[], Answer], method: str, path: str, *, credentials: bool = True
    ) -> Recorded:
        self._tap.take()
        answer: Answer | None = None
        failure: AdapterError | None = None
        try:
            answer = ask()
        except AdapterError as error:
            failure = error
        except UsageError as error:
            failure = AdapterError(f"the request cannot be made: {error}")
        taken = [each for each in self._tap.take() if each.label == step]
        recorded = _recorded(self._ledger.next_id(), step, person, method, path, taken, answer, failure)
        if not credentials:
            recorded = replace(recorded, facts={**recorded.facts, "credentials": False})
        if not self._patient:
            recorded = replace(recorded, facts={**recorded.facts, "patient": False})
        self._keep(recorded)
        return recorded


def _recorded(
    id_: str,
    step: str,
    person: str,
    method: str,
    path: str,
    taken: list[Exchange],
    answer: Answer | None,
    failure: AdapterError | None,
) -> Recorded:
    last = taken[-1] if taken else None
    facts: dict[str, Any] = {}
    if last is not None and last.url is not None:
        cookies = sum(1 for name, _ in last.response_headers or () if name.lower() == "set-cookie")
        if cookies:
            facts["cookies"] = cookies
        if any(name.lower() == "authorization" for name, _ in last.request_headers or ()):
            facts["authorization"] = "sent"
        body, dropped = last.response_body, "" if last.response_body is not None else "it repeats a credential"
        headers = last.response_headers or ()
    elif answer is not None:  # live: the judge sees it now, and nothing of it is kept in a file
        body, dropped = answer.body, ""
        headers = tuple(answer.headers.items())
    else:
        body, dropped, headers = None, "nothing came", ()
    return Recorded(
        id=id_,
        step=step,
        person=person,
        method=method,
        url=(last.url if last and last.url else path),
        status=last.status if last else (answer.status if answer else None),
        request_headers=(last.request_headers if last else None) or (),
        request_body=last.request_body if last else None,
        response_headers=headers,
        response_body=body,
        error=str(failure.reason) if failure else None,
        error_rule=failure.rule if failure else "",
        attempts=max(1, len(taken)),
        dropped=dropped,
        facts=facts,
        sent_at=last.sent_at.isoformat() if last else "",
        duration_ms=round(last.duration_ms, 1) if last else 0.0,
    )
