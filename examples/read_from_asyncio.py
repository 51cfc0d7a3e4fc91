"""Read several records at once from an asynchronous application.

The SDK is synchronous and safe between threads, so one hub serves them all.
"""

import asyncio
from collections.abc import Sequence

from mpftconnect import AccessContext, Hub, Record, connect
from mpftconnect.sandbox import PEOPLE

WHO = AccessContext(
    user="jane.doe",
    name="Jane Doe",
    role="community-nurse",
    organisation="RRE",
    purpose="direct-care",
    relationship="caseload",
)


async def read_all(hub: Hub, numbers: Sequence[str]) -> list[Record]:
    return await asyncio.gather(*(asyncio.to_thread(hub.record, number, WHO) for number in numbers))


def main() -> None:
    numbers = [person.nhs_number for person in PEOPLE if person.role in ("full", "sparse")]
    with connect(sandbox=True) as hub:
        for record in asyncio.run(read_all(hub, numbers)):
            print(f"{record.patient.words()}: {sum(1 for _ in record.items())} items, {len(record.gaps)} gaps")


if __name__ == "__main__":
    main()
