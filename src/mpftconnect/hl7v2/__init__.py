"""HL7 v2: ER7 messages read lazily and byte for byte, checked, made, read from batches, and mapped to the model.

message = parse(raw)
message["PID-3[1].1"], message.segments("OBX"), message.control_id, message.type
mapped = map_message(message)
mapped.changes, mapped.items, mapped.parked, mapped.ledger
"""

from __future__ import annotations

from mpftconnect.hl7v2.batches import Part, Trouble, read_messages
from mpftconnect.hl7v2.building import AckCode, AckError, ack, build
from mpftconnect.hl7v2.changes import (
    Change,
    Key,
    Link,
    MergePerson,
    Move,
    Parked,
    Replace,
    Retract,
    Stated,
    Subject,
    Unlink,
    Upsert,
    is_older,
    may_stand_over,
)
from mpftconnect.hl7v2.checking import check
from mpftconnect.hl7v2.delimiters import Delimiters
from mpftconnect.hl7v2.escapes import escape
from mpftconnect.hl7v2.findings import Finding
from mpftconnect.hl7v2.limits import Limits
from mpftconnect.hl7v2.message import Message
from mpftconnect.hl7v2.nulls import NULL, Null, Value
from mpftconnect.hl7v2.overlays import Profile, read_overlay
from mpftconnect.hl7v2.parsing import parse
from mpftconnect.hl7v2.segments import Repetition, Segment

# The mapping stands on what is above.
from mpftconnect.hl7v2.applying import applied  # isort: skip
from mpftconnect.hl7v2.mapping import (  # isort: skip
    Entry,
    Envelope,
    Ledger,
    Mapped,
    Site,
    Total,
    map_message,
    read_site,
)

__all__ = [
    "NULL",
    "AckCode",
    "AckError",
    "Change",
    "Delimiters",
    "Entry",
    "Envelope",
    "Finding",
    "Key",
    "Ledger",
    "Limits",
    "Link",
    "Mapped",
    "MergePerson",
    "Message",
    "Move",
    "Null",
    "Parked",
    "Part",
    "Profile",
    "Repetition",
    "Replace",
    "Retract",
    "Segment",
    "Site",
    "Stated",
    "Subject",
    "Total",
    "Trouble",
    "Unlink",
    "Upsert",
    "Value",
    "ack",
    "applied",
    "build",
    "check",
    "escape",
    "is_older",
    "map_message",
    "may_stand_over",
    "parse",
    "read_messages",
    "read_overlay",
    "read_site",
]
