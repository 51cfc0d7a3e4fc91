"""Adapters and what they stand on: the contract, the wire, credentials, evidence, twins."""

from mpftconnect.adapters.answer import Answer
from mpftconnect.adapters.auth import ApiKeyHeader, Auth, BasicAuth, BearerToken, SignedJwtAuth
from mpftconnect.adapters.budget import RateBudget
from mpftconnect.adapters.contract import (
    API_VERSION,
    READS,
    Adapter,
    AdapterContext,
    AdapterSpec,
    Capability,
    DocumentContent,
    Found,
    Reading,
    Refusal,
    Step,
    Support,
    Trace,
    Tried,
    TriedAgainst,
    Verified,
    only,
)
from mpftconnect.adapters.deadline import Deadline
from mpftconnect.adapters.endpoint import Endpoint, is_cleartext, origin
from mpftconnect.adapters.recorder import Exchange, FolderRecorder, MemoryRecorder, Recorder
from mpftconnect.adapters.twin import (
    WIRE_FAULTS,
    Fault,
    FaultSwitch,
    Twin,
    TwinRequest,
    TwinResponse,
    TwinSpec,
    json_response,
)
from mpftconnect.adapters.wire import Wire

__all__ = [
    "API_VERSION",
    "READS",
    "WIRE_FAULTS",
    "Adapter",
    "AdapterContext",
    "AdapterSpec",
    "Answer",
    "ApiKeyHeader",
    "Auth",
    "BasicAuth",
    "BearerToken",
    "Capability",
    "Deadline",
    "DocumentContent",
    "Endpoint",
    "Exchange",
    "Fault",
    "FaultSwitch",
    "FolderRecorder",
    "Found",
    "MemoryRecorder",
    "RateBudget",
    "Reading",
    "Recorder",
    "Refusal",
    "SignedJwtAuth",
    "Step",
    "Support",
    "Trace",
    "Tried",
    "TriedAgainst",
    "Twin",
    "TwinRequest",
    "TwinResponse",
    "TwinSpec",
    "Verified",
    "Wire",
    "is_cleartext",
    "json_response",
    "only",
    "origin",
]
