"""Follow a read as it happens: every event is one line of JSON, with codes, counts and times but no patient value."""

import sys

from mpftconnect import AccessContext, connect
from mpftconnect.events import Code, Event, NdjsonListener

WHO = AccessContext(
    user="jane.doe",
    name="Jane Doe",
    role="community-nurse",
    organisation="RRE",
    purpose="direct-care",
    relationship="caseload",
)


class SlowestSystem:
    """A listener of one's own: any callable that takes an event."""

    def __init__(self) -> None:
        self.name, self.duration_ms = "", 0.0

    def __call__(self, event: Event) -> None:
        if event.code is Code.SYSTEM_FINISHED and (event.duration_ms or 0) > self.duration_ms:
            self.name, self.duration_ms = event.system or "", event.duration_ms or 0


def main() -> None:
    slowest = SlowestSystem()
    with connect(sandbox=True, listeners=[NdjsonListener(sys.stdout), slowest]) as hub:
        hub.record("999 000 0018", WHO)
    print(f"The slowest system was {slowest.name}.")


if __name__ == "__main__":
    main()
