"""People, twins and published material that the tests of this plugin share."""

from __future__ import annotations

import io
import os
import tarfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mpftconnect.adapters import (
    AdapterContext,
    Deadline,
    Endpoint,
    FaultSwitch,
    MemoryRecorder,
    Reading,
    Twin,
    TwinRequest,
    TwinResponse,
    Wire,
    json_response,
)
from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.events import Code, Event, EventStream
from mpftconnect.model import (
    AccessContext,
    Actor,
    Address,
    Coding,
    CommunicationNeed,
    Concept,
    ContactPoint,
    HumanName,
    Identifier,
    PartialDate,
    Patient,
    Period,
    Reference,
    RelatedPerson,
    SectionName,
    Source,
    When,
    nhs_number,
)
from mpftconnect.sandbox import Host, Person, SystemView
from mpftconnect_pds import PdsAdapter, PdsSettings
from mpftconnect_pds.twin import BASE_PATH, PdsTwin

FULL, FORMER = "9990000018", "9990000107"
SPARSE, RESTRICTED, VERY_RESTRICTED = "9990000026", "9990000034", "9990000042"
DECEASED, INVALIDATED, TWIN_A, TWIN_B = "9990000050", "9990000069", "9990000077", "9990000085"
UNKNOWN = "9990000093"
BASE_URL = "http://pds.example"


def _source(own_id: str) -> Source:
    return Source(system="pds", id=own_id, fetched=datetime(2024, 1, 1, tzinfo=UTC))


def _patient(number: str, family: str, given: str, born: str, **more: Any) -> Patient:
    return Patient(
        source=_source(f"Patient/{number}"),
        identifiers=(Identifier.nhs(number, "01"),),
        names=(HumanName(use="usual", family=family, given=(given,), prefix=("Mx",)), *more.pop("names", ())),
        birth_date=PartialDate(born),
        **more,
    )


def _located(street: str, postal_code: str, phone: str) -> dict[str, Any]:
    """Everything about a person that says where they are."""
    period = Period(start=When("2019-04-01"))
    return {
        "addresses": (Address(use="home", line=(street,), city="Wexham", postal_code=postal_code, period=period),),
        "telecom": (ContactPoint(system="phone", value=phone, use="mobile", period=period),),
        "general_practitioner": (Actor(organization="Larkmoor Surgery", organization_code="Y90001"),),
        "nominated_pharmacy": (Actor(organization_code="FZZ01"),),
        "birth_place": Address(city="Thornaby Wath", country="GBR"),
    }


def _contacts(number: str) -> tuple[RelatedPerson, ...]:
    role = Coding(
        system="https://fhir.nhs.uk/R4/CodeSystem/UKCore-AdditionalRelatedPersonRole",
        code="Guardian",
        display="Guardian of patient",
    )
    relationship = (Concept(coding=(role,)),)
    return (
        RelatedPerson(
            source=_source(f"{number}/1"),
            relationship=relationship,
            names=(HumanName(use="usual", family="Brackenridge", given=("Odalys",)),),
            telecom=(ContactPoint(system="phone", value="07700900111", use="home"),),
            active=True,
        ),
        RelatedPerson(
            source=_source(f"{number}/2"),
            relationship=relationship,
            active=True,
            reference=Reference(type="Patient", identifier=Identifier.nhs(TWIN_A)),
        ),
        RelatedPerson(
            source=_source(f"{number}/3"),
            emergency_contact=True,
            telecom=(ContactPoint(system="phone", value="07700900222"),),
        ),
    )


def _person(role: str, number: str, patient: Patient, *, former: tuple[str, ...] = (), **view: Any) -> Person:
    return Person(
        role=role,
        nhs_number=number,
        former_numbers=former,
        patient=patient,
        systems={"pds": SystemView(local_id=number, **view)},
    )


@pytest.fixture(scope="session")
def people() -> tuple[Person, ...]:
    status = Concept(coding=(Coding(code="2"),))
    french = Concept(coding=(Coding(code="fr", display="French"),))
    maiden = HumanName(use="maiden", family="Oldershaw", given=("Tamsin",))
    contacts = {SectionName.CONTACTS: _contacts(FULL)}
    full = _patient(
        FULL,
        "Quillfeather",
        "Tamsin",
        "1971-03-09",
        names=(maiden,),
        gender="female",
        multiple_birth=2,
        communication=(CommunicationNeed(language=french, interpreter_required=True),),
        **_located("14 Candlemaker Row", "ST99 1QF", "07700900333"),
    )
    elsewhere = Address(use="temp", text="Second Home", line=("Skylark Hut",), postal_code="ST99 9SH")
    full = full.model_copy(update={"addresses": (*full.addresses, elsewhere)})
    restricted = _patient(
        RESTRICTED, "Hollowmere", "Perrin", "1988-11-30", gender="male", restriction="R",
        **_located("2 Sealskin Yard", "ST99 2HM", "07700900444"),
    )  # fmt: skip
    very_restricted = _patient(
        VERY_RESTRICTED, "Vantongeren", "Isolde", "1993-05-21", gender="female", restriction="V",
        **_located("9 Gannet Wynd", "ST99 3VT", "07700900555"),
    )  # fmt: skip
    twins = [
        _patient(number, "Dunnocksley", given, "2001-08-17", gender="female")
        for number, given in ((TWIN_A, "Marigold"), (TWIN_B, "Peony"))
    ]
    deceased = _patient(
        DECEASED, "Ravelstone", "Amos", "1930-01-02", gender="male",
        deceased=When("2023-12-24T06:30:00+00:00"), death_notification=status,
    )  # fmt: skip
    return (
        _person("full", FULL, full, former=(FORMER,), items=contacts),
        _person("sparse", SPARSE, Patient(source=_source("sparse"))),
        _person("restricted", RESTRICTED, restricted, items={SectionName.CONTACTS: _contacts(RESTRICTED)}),
        _person("very-restricted", VERY_RESTRICTED, very_restricted),
        _person("deceased", DECEASED, deceased),
        _person("invalidated", INVALIDATED, _patient(INVALIDATED, "Nevermore", "Ned", "1960-06-06"),
                settings={"invalidated": True}),
        _person("twin-a", TWIN_A, twins[0]),
        _person("twin-b", TWIN_B, twins[1]),
    )  # fmt: skip


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Caller:
    """Speaks to a twin as an application that has a token."""

    twin: PdsTwin
    token: str

    def headers(self, **changes: str | None) -> dict[str, str]:
        usual: dict[str, str | None] = {
            "Authorization": f"Bearer {self.token}",
            "X-Request-ID": str(uuid.uuid4()),
            "X-Correlation-ID": "correlation-1",
        }
        changed = usual | {name.replace("_", "-"): value for name, value in changes.items()}
        return {name: value for name, value in changed.items() if value is not None}

    def get(self, target: str, **headers: str | None) -> TwinResponse:
        return self.send("GET", target, **headers)

    def send(self, method: str, target: str, body: bytes = b"", **headers: str | None) -> TwinResponse:
        return self.twin.handle(
            TwinRequest.of(method, BASE_PATH + target, self.headers(**headers), body, base_url=BASE_URL)
        )


@pytest.fixture
def clock() -> Clock:
    return Clock()


MakeCaller = Callable[..., Caller]


@pytest.fixture
def caller_of(people: tuple[Person, ...], clock: Clock) -> MakeCaller:
    """Makes a twin for the people, with settings, and a caller that its authorisation server knows."""

    def make(**settings: Any) -> Caller:
        settings = {"people": people, "requests_per_second": 1000, "now": clock, "monotonic": clock} | settings
        twin = PdsTwin(**settings)
        return Caller(twin, twin.authorisation.grant())

    return make


@pytest.fixture
def caller(caller_of: MakeCaller) -> Caller:
    return caller_of()


@dataclass
class Script:
    """Stands in front of a twin: its tokens are the twin's, its answers to the API are given by `answers`.

    `answers` is by path below the API's base: a response, or a list of responses for one request after another.
    """

    twin: PdsTwin
    answers: Mapping[str, TwinResponse | list[TwinResponse]]
    faults: FaultSwitch = field(default_factory=FaultSwitch)
    asked: list[TwinRequest] = field(default_factory=list)

    def handle(self, request: TwinRequest) -> TwinResponse:
        if not request.path.startswith(BASE_PATH):
            return self.twin.handle(request)
        self.asked.append(request)
        answer = self.answers.get(request.path.removeprefix(f"{BASE_PATH}/"), TwinResponse(500))
        return answer.pop(0) if isinstance(answer, list) else answer


@dataclass
class Line:
    """An adapter, connected to a twin over loopback HTTP."""

    adapter: PdsAdapter
    wire: Wire
    recorder: MemoryRecorder
    events: list[Event]
    who: AccessContext

    def reading(self, number: str | None = FULL, **changes: Any) -> Reading:
        fields: dict[str, Any] = {
            "system": "pds",
            "who": self.who,
            "wire": self.wire,
            "deadline": Deadline.after(5),
            "nhs_number": nhs_number(number) if number else None,
        }
        return Reading(**fields | changes)

    def count(self, code: Code) -> int:
        return sum(event.code is code for event in self.events)


@pytest.fixture(scope="session")
def who() -> AccessContext:
    return AccessContext(
        user="jane.doe", name="Jane Doe", role="community-nurse", organisation="RRE", purpose="direct-care",
        relationship="caseload", role_profile_id="555254240100",
    )  # fmt: skip


MakeLine = Callable[..., Line]


@pytest.fixture
def line_to(who: AccessContext) -> Iterator[MakeLine]:
    """Connects an adapter to a twin, or to a script in front of one: in process, or over loopback HTTP."""
    with ExitStack() as stack:
        yield partial(connect, stack, who)


def connect(
    stack: ExitStack,
    who: AccessContext,
    twin: Twin,
    *,
    authorisation: PdsTwin,
    retries: int = 0,
    sockets: bool = False,
    **settings: Any,
) -> Line:
    base_url = stack.enter_context(Host(twin)).base_url if sockets else BASE_URL
    transport = None if sockets else TwinTransport(twin, base_url)
    events, recorder = list[Event](), MemoryRecorder(100)
    endpoint = Endpoint(base_url=base_url + BASE_PATH, environment="test", retries=retries)
    stream = EventStream([events.append])
    wire = stack.enter_context(Wire("pds", endpoint, events=stream, recorder=recorder, transport=transport))
    server = authorisation.authorisation
    secrets = {"api_key": server.api_key, "private_key": server.private_key_pem}
    own = {"token_url": base_url + server.path, "key_id": server.key_id} | settings
    context = AdapterContext(
        name="pds",
        environment="test",
        settings=PdsSettings(**own),
        secret=secrets.__getitem__,
        wire=wire,
        events=wire.events,
    )
    return Line(PdsAdapter(context), wire, recorder, events, who)


@pytest.fixture
def twin(people: tuple[Person, ...]) -> PdsTwin:
    return PdsTwin(people, requests_per_second=1000, retry_after_seconds=0)


@pytest.fixture
def line(line_to: MakeLine, twin: PdsTwin) -> Line:
    return line_to(twin, authorisation=twin)


@pytest.fixture
def socket_line(line_to: MakeLine, twin: PdsTwin) -> Line:
    """The same over loopback HTTP."""
    return line_to(twin, authorisation=twin, sockets=True)


@pytest.fixture(scope="session")
def scripted(people: tuple[Person, ...], who: AccessContext) -> Iterator[tuple[Line, Script]]:
    # One for all tests: opening an adapter checks its private key, which takes longer than most of them.
    twin = PdsTwin(people, requests_per_second=100_000)
    script = Script(twin, {})
    with ExitStack() as stack:
        yield connect(stack, who, script, authorisation=twin), script


@pytest.fixture
def script(scripted: tuple[Line, Script]) -> Callable[[Mapping[str, Any]], tuple[Line, Script]]:
    """A line to a system that answers as told: a body (dict), or whole responses, by path."""
    line, script = scripted

    def tell(answers: Mapping[str, Any]) -> tuple[Line, Script]:
        script.answers = {path: _responses(answer) for path, answer in answers.items()}
        script.asked.clear()
        return line, script

    return tell


def _responses(answer: Any) -> TwinResponse | list[TwinResponse]:
    if isinstance(answer, list):
        return [response for each in answer if isinstance(response := _responses(each), TwinResponse)]
    return answer if isinstance(answer, TwinResponse) else json_response(answer)


def _material_folder() -> Path | None:
    beside = Path(__file__).resolve().parents[4] / "shared" / "material"
    folders = [Path(os.environ["MPFT_MATERIAL"])] if os.environ.get("MPFT_MATERIAL") else [beside]
    return next((folder for folder in folders if (folder / "api.tgz").is_file()), None)


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The published PDS material, unpacked: `files/` (examples) and `specification/` (the OAS)."""
    folder = _material_folder()
    if folder is None:
        pytest.skip("no published material: set MPFT_MATERIAL to the folder that holds api.tgz")
    target = tmp_path_factory.mktemp("pds-material")
    with tarfile.open(folder / "api.tgz") as archive:
        for member in archive:
            if member.isfile() and member.name.startswith("api/files/pds/"):
                member.name = member.name.replace("api/files/pds/", "files/", 1)
                archive.extract(member, target, filter="data")
            elif member.name == "api/specs/pds.tgz":
                content = archive.extractfile(member)
                assert content is not None
                with tarfile.open(fileobj=io.BytesIO(content.read())) as inner:
                    inner.extractall(target, filter="data")
    yield target


@pytest.fixture
def seeded(people: tuple[Person, ...]) -> frozenset[str]:
    """Values of the people that must never stand in a message."""
    texts: set[str] = set()
    for person in people:
        patient = person.patient
        texts |= {person.nhs_number, *person.former_numbers}
        texts |= {text for name in patient.names for text in (name.family, *name.given) if text}
        texts |= {line for address in patient.addresses for line in (*address.line, address.postal_code) if line}
        texts |= {point.value for point in patient.telecom if point.value}
    return frozenset(texts)
