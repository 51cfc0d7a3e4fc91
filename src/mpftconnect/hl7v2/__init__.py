"""HL7 v2: ER7 messages read lazily and byte for byte, checked, made, and read from batches.

message = parse(raw)
message["PID-3[1].1"], message.segments("OBX"), message.control_id, message.type
"""

from __future__ import annotations

from mpftconnect.hl7v2.batches import Part, Trouble, read_messages
from mpftconnect.hl7v2.building import AckCode, AckError, ack, build
from mpftconnect.hl7v2.checking import check
from mpftconnect.hl7v2.delimiters import Delimiters
from mpftconnect.hl7v2.findings import Finding
from mpftconnect.hl7v2.limits import Limits
from mpftconnect.hl7v2.message import Message
from mpftconnect.hl7v2.nulls import NULL, Null, Value
from mpftconnect.hl7v2.overlays import Profile, read_overlay
from mpftconnect.hl7v2.parsing import parse
from mpftconnect.hl7v2.segments import Repetition, Segment

__all__ = [
    "NULL",
    "AckCode",
    "AckError",
    "Delimiters",
    "Finding",
    "Limits",
    "Message",
    "Null",
    "Part",
    "Profile",
    "Repetition",
    "Segment",
    "Trouble",
    "Value",
    "ack",
    "build",
    "check",
    "parse",
    "read_messages",
    "read_overlay",
]
