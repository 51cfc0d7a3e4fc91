"""Twins, lines and published material that the tests of this plugin share."""

from __future__ import annotations

import io
import json
import os
import tarfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import mpftconnect_nrl
from mpftconnect.adapters import (
    AdapterContext,
    Deadline,
    Endpoint,
    MemoryRecorder,
    NewPointer,
    Reading,
    TwinRequest,
    TwinResponse,
    Wire,
    auth,
)
from mpftconnect.adapters.twin_transport import TwinTransport
from mpftconnect.events import EventStream
from mpftconnect.model import SNOMED, AccessContext, Coding, nhs_number
from mpftconnect.sandbox import PEOPLE, person
from mpftconnect_nrl.adapter import NrlAdapter
from mpftconnect_nrl.twin import NrlTwin, configure
from mpftconnect_nrl.twin.service import BASE_PATH

BASE_URL = "http://nrl.invalid"
FULL = person("full").nhs_number
CONSUMER = f"{BASE_PATH}/consumer/FHIR/R4/DocumentReference"
PRODUCER = f"{BASE_PATH}/producer/FHIR/R4/DocumentReference"
REFERENCE, VERSION = "3418b2cd-944d-5ffa-b06e-c8c98e5d1508", "f0e2c69f-ea39-5a94-9494-c943d5b36138"


@dataclass
class Caller:
    """Speaks to a twin as an application that has a token."""

    twin: NrlTwin
    token: str

    def send(self, method: str, path: str, body: Any = None, **changes: str | None) -> TwinResponse:
        usual: dict[str, str | None] = {
            "Authorization": f"Bearer {self.token}",
            "X-Request-ID": str(uuid.uuid4()),
            "NHSD-End-User-Organisation-ODS": "RRE",
        }
        headers = usual | {name.replace("_", "-"): value for name, value in changes.items()}
        sent = {name: value for name, value in headers.items() if value is not None}
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.twin.handle(TwinRequest.of(method, path, sent, content, base_url=BASE_URL))

    def search(self, api: str = CONSUMER, number: str = FULL, **more: str) -> TwinResponse:
        asked = {"subject:identifier": f"https://fhir.nhs.uk/Id/nhs-number|{number}", **more}
        return self.send("POST", f"{api}/_search", asked)


def body_of(response: TwinResponse) -> Any:
    return json.loads(response.body)


def code_of(response: TwinResponse) -> str:
    """The code as it is spelt."""
    return str(body_of(response)["issue"][0]["details"]["coding"][0]["code"])


@pytest.fixture(scope="session", autouse=True)
def one_key() -> Iterator[None]:
    """Checking a private key takes longer than most of these tests, and every twin of a process has the same one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "_rsa_key", lru_cache(maxsize=4)(auth._rsa_key))
        yield


@pytest.fixture
def twin() -> NrlTwin:
    return NrlTwin(PEOPLE)


@pytest.fixture
def caller(twin: NrlTwin) -> Caller:
    return Caller(twin, twin.authorisation.grant())


@pytest.fixture(scope="session")
def who() -> AccessContext:
    return AccessContext(
        user="jane.doe", name="Jane Doe", role="community-nurse", organisation="RRE", purpose="direct-care",
        relationship="caseload", role_profile_id="555254240100",
    )  # fmt: skip


@dataclass
class Line:
    """An adapter, connected to a twin in process."""

    adapter: NrlAdapter
    wire: Wire
    transport: TwinTransport
    who: AccessContext
    recorder: MemoryRecorder = field(repr=False, default_factory=MemoryRecorder)

    def reading(self, number: str | None = FULL, **changes: Any) -> Reading:
        fields: dict[str, Any] = {
            "system": "nrl",
            "who": self.who,
            "wire": self.wire,
            "deadline": Deadline.after(20),
            "nhs_number": nhs_number(number) if number else None,
        }
        return Reading(**fields | changes)

    def found(self, number: str = FULL, **changes: Any) -> Reading:
        reading = self.reading(number, **changes)
        return reading.found(self.adapter.find_patient(reading))

    def documents(self, number: str = FULL, **changes: Any) -> list[Any]:
        return list(self.adapter.read_documents(self.found(number, **changes)))


MakeLine = Callable[..., Line]


@pytest.fixture
def line_to(who: AccessContext) -> Iterator[MakeLine]:
    """Connects an adapter to a twin; what is given replaces settings, None takes one away."""
    with ExitStack() as stack:

        def connect(
            twin: Any, *, of: NrlTwin | None = None, environment: str = "test", max_bytes: int = 20_000_000,
            **settings: Any
        ) -> Line:  # fmt: skip
            table = configure(of or twin, BASE_URL)
            own = {**table["settings"], **settings}
            transport, recorder = TwinTransport(twin, BASE_URL), MemoryRecorder(100)
            endpoint = Endpoint(
                base_url=table["endpoint"], environment=environment, retries=0, max_bytes=max_bytes,
                client_certificate=None,
            )  # fmt: skip
            events = EventStream()
            if environment == "live":
                endpoint = Endpoint(base_url=table["endpoint"].replace("http:", "https:"), retries=0)
            wire = stack.enter_context(Wire("nrl", endpoint, events=events, recorder=recorder, transport=transport))
            context = AdapterContext(
                name="nrl",
                environment=environment,  # type: ignore[arg-type]
                settings=mpftconnect_nrl.NrlSettings.model_validate(
                    {name: value for name, value in own.items() if value is not None}
                ),
                secret=table["secrets"].__getitem__,
                wire=wire,
                events=events,
            )
            return Line(NrlAdapter(context), wire, transport, who, recorder)

        yield connect


@pytest.fixture
def line(line_to: MakeLine, twin: NrlTwin) -> Line:
    return line_to(twin)


@dataclass
class Script:
    """Stands in front of a twin: the tokens are the twin's, the answers are `answer`'s."""

    twin: NrlTwin
    answer: Callable[[TwinRequest], TwinResponse]

    def handle(self, request: TwinRequest) -> TwinResponse:
        if request.path == self.twin.authorisation.path:
            return self.twin.handle(request)
        return self.answer(request)


@pytest.fixture
def script(line_to: MakeLine, twin: NrlTwin) -> Callable[..., Line]:
    """A line to a system that answers everything but a token as told."""

    def tell(answer: TwinResponse | Callable[[TwinRequest], TwinResponse], **settings: Any) -> Line:
        given = answer if callable(answer) else lambda request: answer
        return line_to(Script(twin, given), of=twin, **settings)

    return tell


@pytest.fixture
def pointer() -> NewPointer:
    kind = Coding(system=SNOMED, code="736253002")
    return NewPointer(reference=REFERENCE, version=VERSION, kind=kind, author="RRE")


# Published material


def _material_folder() -> Path | None:
    beside = Path(__file__).resolve().parents[4] / "shared" / "material"
    folders = [Path(os.environ["MPFT_MATERIAL"])] if os.environ.get("MPFT_MATERIAL") else [beside]
    return next((folder for folder in folders if (folder / "api.tgz").is_file()), None)


@dataclass(frozen=True)
class Published:
    """The two specifications of 2026, and the test data of NHSDigital/NRLF."""

    consumer: Mapping[str, Any]
    producer: Mapping[str, Any]
    examples: Mapping[str, Any]

    def schema(self, api: str, name: str, *, as_published: bool = False) -> Mapping[str, Any]:
        """A schema with its references resolved.

        As published, `content.extension` must be exactly one of two extensions and of any extension at all, which no
        extension can be: the specifications' own examples break it. Here it must be one of the two.
        """
        specification = getattr(self, api)
        resolved: Any = _resolved(specification["components"]["schemas"][name], specification, ())
        return resolved if as_published else _without_any_extension(resolved)


def _without_any_extension(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: [_without_any_extension(o) for o in each if "allOf" in o] if name == "oneOf" else
            _without_any_extension(each)
            for name, each in value.items()
        }  # fmt: skip
    return [_without_any_extension(each) for each in value] if isinstance(value, list) else value


def _resolved(value: Any, root: Mapping[str, Any], seen: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        name = value.get("$ref")
        if isinstance(name, str):
            if name in seen:
                return {}  # Identifier and Reference hold one another: beyond the first round anything may stand
            target: Any = root
            for part in name.removeprefix("#/").split("/"):
                target = target[part]
            return _resolved(target, root, (*seen, name))
        return {key: _resolved(each, root, seen) for key, each in value.items()}
    if isinstance(value, list):
        return [_resolved(each, root, seen) for each in value]
    return value


@pytest.fixture(scope="session")
def published() -> Published:
    folder = _material_folder()
    if folder is None:
        pytest.skip("no published material: set MPFT_MATERIAL to the folder that holds api.tgz")
    found: dict[str, Any] = {}
    examples: dict[str, Any] = {}
    with tarfile.open(folder / "api.tgz") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is None:
                continue
            if member.name.startswith("api/files/nrl/tests/data/DocumentReference/"):
                examples[member.name.rpartition("/")[2]] = json.loads(content.read())
            for api in ("consumer", "producer"):
                if member.name == f"api/specs/nrl-{api}.tgz":
                    with tarfile.open(fileobj=io.BytesIO(content.read())) as inner:
                        held = inner.extractfile(f"specification/record-locator/{api}.yaml")
                        assert held is not None
                        found[api] = yaml.safe_load(held.read())
    return Published(found["consumer"], found["producer"], examples)
