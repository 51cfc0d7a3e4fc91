"""Runs a listener until it is told to stop: takes messages, has them processed, says when a feed falls silent."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from mpftconnect.adapters.mllp_server import MllpServer
from mpftconnect.adapters.mllp_settings import ListenSettings
from mpftconnect.cli.exits import Exit
from mpftconnect.cli.hl7_log import ListenerLog
from mpftconnect.cli.hl7_opening import Place
from mpftconnect.events import Code, Event, EventStream
from mpftconnect.inbox import Answering, Inbox, StoreFailed

__all__ = ["listen"]

_LOOK_SECONDS = 30.0


class _Processing:
    """Processes what comes, in a thread of its own, and looks whether feeds are overdue."""

    def __init__(self, inbox: Inbox, events: EventStream) -> None:
        self._inbox, self._events = inbox, events
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._overdue: set[str] = set()
        self._waits, self._why = False, "unavailable"
        self._thread = threading.Thread(target=self._run, name="mpftconnect-inbox", daemon=True)

    def start(self) -> None:
        self._events.listen(self._heard)
        self._thread.start()

    def took(self) -> None:
        self._wake.set()

    def stop(self, seconds: float) -> None:
        """Process nothing more; the message under way is finished. What is left is processed at the next start."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                while self._inbox.can_process and not self._stopping.is_set():
                    done = self._inbox.process(limit=50)
                    self._tell(waiting=done.waiting)
                    if done.waiting or not done.processed + done.parked:
                        break
                self._look()
            except StoreFailed as failure:
                self._events.emit(Code.INBOX_FAILED, reason=failure.reason)
            except Exception as error:  # noqa: BLE001 - the audit trail, or whatever it is: receiving must go on
                self._events.emit(Code.INBOX_FAILED, reason=type(error).__name__)
            self._wake.wait(_LOOK_SECONDS)

    def _heard(self, event: Event) -> None:
        """Keeps why the tracing service gave no answer."""
        if event.code is Code.SYSTEM_GAP and event.step == "trace_person":
            self._why = event.reason or self._why

    def _tell(self, *, waiting: bool) -> None:
        """Say once that messages wait: what waits is acknowledged, and on no record."""
        if waiting and not self._waits:
            self._events.emit(Code.MESSAGES_WAIT, step="trace_person", reason=self._why)
        self._waits = waiting

    def _look(self) -> None:
        overdue = {feed.feed for feed in self._inbox.feeds() if feed.overdue}
        for name in sorted(overdue - self._overdue):
            self._events.emit(Code.FEED_OVERDUE, system=name)
        self._overdue = overdue


def _stops() -> list[int]:
    """The signals that end it. A terminal that is closed sends SIGHUP, unless `nohup` had that ignored."""
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    more = [] if hangup is None or signal.getsignal(hangup) is signal.SIG_IGN else [hangup]
    return [signal.SIGINT, signal.SIGTERM, *more]


def listen(place: Place, settings: ListenSettings, events: EventStream, log: ListenerLog, grace: float) -> int:
    """Listen until SIGTERM, SIGHUP or Ctrl-C."""
    told: list[int] = []
    stop = threading.Event()

    def stopping(number: int, frame: FrameType | None) -> None:
        told.append(number)
        stop.set()

    processing = _Processing(place.inbox, events)
    answering = Answering(place.inbox, events=events, took=processing.took)
    server = MllpServer(settings, answering, refuse=answering.refuse, name="hl7", events=events)
    # A store that cannot be used or written to, or of another key, is said before anybody connects. It is made here, so
    # that a feed that is never heard is overdue from now on.
    place.inbox.store.append(())
    before = {number: signal.signal(number, stopping) for number in _stops()}
    try:
        server.start()
        log.begin(f"listening at {settings.host}:{server.port}")
        processing.start()
        while not stop.wait(1.0):  # in steps, since a signal wakes no endless wait on every platform
            pass
        log.say("stopping: what was taken is finished")
        whole = server.stop(grace)
        processing.stop(grace)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if not whole:
        log.say("a connection did not end in time and was shut; its sender will send again")
    return Exit.INTERRUPTED if told[:1] == [signal.SIGINT] else Exit.DONE
