"""One person's record and care plan from every NHS system that answers.

>>> from mpftconnect import AccessContext, connect
>>> who = AccessContext(user="jane.doe", name="Jane Doe", role="community-nurse", organisation="RRE",
...                     purpose="direct-care", relationship="caseload")
>>> with connect(sandbox=True) as hub:
...     record = hub.record("999 000 0018", who)
>>> record.identity_confirmed
True
"""

from mpftconnect.errors import MpftConnectError
from mpftconnect.events import Event
from mpftconnect.hookspecs import hookimpl
from mpftconnect.hub import Conflict, Gap, Hub, People, Record, Unmatched, Withheld, connect
from mpftconnect.model import (
    AccessContext,
    Demographics,
    Identifier,
    Notice,
    PartialDate,
    Section,
    SectionName,
    SectionStatus,
    When,
    nhs_number,
)
from mpftconnect.plugins import load_plugins

__version__ = "0.1.0"

__all__ = [
    "AccessContext",
    "Conflict",
    "Demographics",
    "Event",
    "Gap",
    "Hub",
    "Identifier",
    "MpftConnectError",
    "Notice",
    "PartialDate",
    "People",
    "Record",
    "Section",
    "SectionName",
    "SectionStatus",
    "Unmatched",
    "When",
    "Withheld",
    "__version__",
    "connect",
    "hookimpl",
    "load_plugins",
    "nhs_number",
]
