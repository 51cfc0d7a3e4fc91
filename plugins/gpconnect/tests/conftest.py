"""Adapters on twins, in process, that the tests of this plugin share."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from mpftconnect.adapters import (
    AdapterContext,
    Deadline,
    Endpoint,
    FaultSwitch,
    MemoryRecorder,
    Reading,
    Refusal,
    TwinRequest,
    TwinResponse,
    Wire,
    json_response,
)
from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.events import Event, EventStream
from mpftconnect.model import AccessContext, Item, SectionName
from mpftconnect.sandbox import PEOPLE, Person
from mpftconnect_gpconnect.adapter import GpConnectAdapter
from mpftconnect_gpconnect.settings import GpConnectSettings
from mpftconnect_gpconnect.twin import GpConnectTwin, configure
from mpftconnect_gpconnect.twin.practices import DIRECTORY_PATH

BASE_URL = "http://spine.example"
BY_ROLE = {person.role: person for person in PEOPLE}
STRUCTURED_URN = "urn:nhs:names:services:gpconnect:fhir:operation:gpc.getstructuredrecord-1"


@dataclass
class Script:
    """Stands before a twin: `answers` takes the place of its answers, by the last part of the path asked for."""

    twin: GpConnectTwin
    answers: Mapping[str, Any]
    faults: FaultSwitch = field(default_factory=FaultSwitch)

    def handle(self, request: TwinRequest) -> TwinResponse:
        answer = self.answers.get(request.path.rpartition("/")[2])
        if answer is None:
            return self.twin.handle(request)
        return answer if isinstance(answer, TwinResponse) else json_response(answer)


@dataclass
class Line:
    """An adapter that is open on a twin."""

    adapter: GpConnectAdapter
    wire: Wire
    twin: GpConnectTwin
    transport: TwinTransport
    recorder: MemoryRecorder
    events: list[Event]
    who: AccessContext

    def reading(self, role: str = "full", *sections: SectionName, **changes: Any) -> Reading:
        person = BY_ROLE[role]
        deadline = Deadline.after(30)
        fields: dict[str, Any] = {
            "system": "gpconnect",
            "who": self.who,
            "wire": self.wire.bound(deadline=deadline),
            "deadline": deadline,
            "nhs_number": person.nhs_number,
            "former_numbers": person.former_numbers,
            "sections": frozenset(sections or SectionName),
            "traced": person.patient,
        }
        return Reading(**fields | changes)

    def asked(self, ending: str = "") -> list[TwinRequest]:
        """Requests to practices, or to the directory's resource of that name."""
        return [one for one in self.transport.asked if one.path.endswith(ending)]

    def directory(self) -> list[TwinRequest]:
        return [one for one in self.transport.asked if one.path.startswith(DIRECTORY_PATH)]

    def practices(self) -> list[TwinRequest]:
        return [one for one in self.transport.asked if not one.path.startswith(DIRECTORY_PATH)]


MakeLine = Callable[..., Line]


@pytest.fixture(scope="session")
def people() -> tuple[Person, ...]:
    return PEOPLE


@pytest.fixture(scope="session")
def who() -> AccessContext:
    return AccessContext(
        user="jane.doe", name="Dr Jane Amelia Doe", role="community-nurse", organisation="RRE",
        purpose="direct-care", relationship="caseload", practitioner_id="555254242100",
        role_profile_id="555254240100", device="ward-tablet-7",
    )  # fmt: skip


@pytest.fixture
def line_to(who: AccessContext) -> Iterator[MakeLine]:
    with ExitStack() as stack:
        yield partial(connect, stack, who)


def connect(
    stack: ExitStack,
    who: AccessContext,
    twin: GpConnectTwin | None = None,
    *,
    answers: Mapping[str, Any] | None = None,
    environment: str = "test",
    retries: int = 0,
    spoil: Callable[[TwinResponse], TwinResponse] | None = None,
    **settings: Any,
) -> Line:
    twin = twin or GpConnectTwin(PEOPLE)
    table = configure(twin, BASE_URL)
    front: Any = Script(twin, answers) if answers is not None else twin
    transport = TwinTransport(front, BASE_URL, spoil=spoil)
    events, recorder = list[Event](), MemoryRecorder(200)
    endpoint = Endpoint(base_url=table["endpoint"], environment=environment, retries=retries)  # type: ignore[arg-type]
    wire = Wire("gpconnect", endpoint, events=EventStream([events.append]), recorder=recorder, transport=transport)
    stack.enter_context(wire)
    context = AdapterContext(
        name="gpconnect",
        environment=environment,  # type: ignore[arg-type]
        settings=GpConnectSettings.model_validate(table["settings"] | settings),
        secret=table["secrets"].__getitem__,
        wire=wire,
        events=wire.events,
    )
    return Line(GpConnectAdapter(context), wire, twin, transport, recorder, events, who)


@pytest.fixture
def twin() -> GpConnectTwin:
    return GpConnectTwin(PEOPLE)


@pytest.fixture
def line(line_to: MakeLine, twin: GpConnectTwin) -> Line:
    return line_to(twin)


@pytest.fixture
def items_of() -> Callable[[Any], list[Item]]:
    def of(found: Any) -> list[Item]:
        held = list(found)
        assert not [one for one in held if isinstance(one, Refusal)]
        return [one for one in held if isinstance(one, Item)]

    return of


def decoded(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.fixture(scope="session")
def claims_of() -> Callable[[TwinRequest], dict[str, Any]]:
    """The claims of a request's token."""

    def of(request: TwinRequest) -> dict[str, Any]:
        return decoded(request.headers["Authorization"].removeprefix("Bearer "))

    return of


@dataclass
class Knocker:
    """Sends a twin one good structured request, or one that differs from it in one thing."""

    twin: GpConnectTwin
    good: TwinRequest

    def send(
        self,
        *,
        token: str | None = None,
        claims: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None,
        headers: Mapping[str, str | None] | None = None,
        parameters: Any = None,
        body: bytes | None = None,
        path: str | None = None,
        method: str = "POST",
        drop: str | None = None,
    ) -> TwinResponse:
        said = decoded(self.good.headers["Authorization"].removeprefix("Bearer ")) | dict(claims or {})
        said.pop(drop or "", None)
        made = f"Bearer {encoded(header or {'alg': 'none', 'typ': 'JWT'})}.{encoded(said)}."
        made = made if token is None else token
        sent = {**self.good.headers, "Authorization": made, "Ssp-TraceID": str(uuid.uuid4()), **(headers or {})}
        if parameters is not None:
            body = json.dumps({"resourceType": "Parameters", "parameter": parameters}).encode()
        return self.twin.handle(
            TwinRequest.of(
                method,
                path or self.good.path,
                {name: value for name, value in sent.items() if value is not None},
                self.good.body if body is None else body,
                BASE_URL,
            )
        )


@pytest.fixture
def knocker(line: Line) -> Knocker:
    line.adapter.find_patient(line.reading("full", SectionName.ALLERGIES))
    (good,) = line.practices()
    return Knocker(line.twin, good)


@pytest.fixture(scope="session")
def code_of() -> Callable[[TwinResponse], str]:
    """The error code of an answer."""

    def of(response: TwinResponse) -> str:
        body = json.loads(response.body)
        assert body["resourceType"] == "OperationOutcome"
        code: str = body["issue"][0]["details"]["coding"][0]["code"]
        return code

    return of
