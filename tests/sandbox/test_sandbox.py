"""The sandbox as a whole: which twins it serves, what its configuration says, and that nothing of it stays behind."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
import requests

from mpftconnect.adapters.contract import AdapterSpec, Capability, Support, TriedAgainst
from mpftconnect.adapters.twin import Fault, FaultSwitch, TwinRequest, TwinResponse, TwinSpec, json_response
from mpftconnect.errors import UsageError
from mpftconnect.plugins import Plugin, PluginRegistry
from mpftconnect.sandbox import PEOPLE, Person, Sandbox, default_twins


class Counting:
    """Says how many people it was built for."""

    def __init__(self, people: Sequence[Person]) -> None:
        self.faults = FaultSwitch()
        self.people = people

    def handle(self, request: TwinRequest) -> TwinResponse:
        return json_response({"people": len(self.people)})


def spec(name: str, *, says: dict[str, Any] | None = None, **different: Any) -> TwinSpec:
    def configure(twin: Counting, base_url: str) -> dict[str, Any]:
        return {"adapter": "fake", "endpoint": f"{base_url}/api", **(says or {})}

    given = {
        "name": name,
        "adapter": "fake",
        "written_from": "assumed: nothing",
        "tried_against": TriedAgainst("nothing"),
        "build": Counting,
        "configure": configure,
        **different,
    }
    return TwinSpec(**given)


def registry(*specs: TwinSpec) -> PluginRegistry:
    return PluginRegistry((Plugin("fake", "fake", "1", twins=specs),))


@pytest.fixture
def two():
    return registry(
        spec("one", faults=frozenset({Fault.LYING_TOTAL})),
        spec("two", says={"settings": {"a": 1}, "secrets": {"key": "k", "other": {"value": "o"}}, "zone": "UTC"}),
        spec("hidden", default=False),
    )


def test_every_default_twin_is_served_for_all_people(two):
    with Sandbox(two) as sandbox:
        assert set(sandbox.twins) == {"one", "two"}
        for system in sandbox.configuration()["systems"].values():
            assert requests.get(system["endpoint"], timeout=5).json() == {"people": len(PEOPLE)}


def adapter(name: str, **offers: Support) -> AdapterSpec:
    return AdapterSpec(
        name=name,
        supplier="x",
        product="x",
        tried_against=TriedAgainst("nothing"),
        capabilities=dict.fromkeys(Capability, Support.UNSUPPORTED)
        | {Capability[offer]: support for offer, support in offers.items()},
        open=lambda context: None,  # type: ignore[arg-type, return-value]
    )


@pytest.mark.parametrize(
    ("tracer", "names"),
    [
        (None, ["asks"]),
        (adapter("fake", TRACE_PERSON=Support.PARTIAL), ["asks"]),
        (adapter("fake", TRACE_PERSON=Support.FULL), ["asks", "pushes"]),
    ],
)
def test_one_that_pushes_is_served_where_somebody_says_whose_its_messages_are(
    tracer: AdapterSpec | None, names: list[str]
) -> None:
    twins = (
        spec("asks"),
        spec("pushes", adapter="pushed", sends=lambda twin, now: []),
        spec("pushes-too", adapter="pushed", sends=lambda twin, now: [], default=False),
    )
    adapters = (adapter("pushed"), *([tracer] if tracer else []))
    loaded = PluginRegistry((Plugin("fake", "fake", "1", adapters=adapters, twins=twins),))
    assert default_twins(loaded) == names
    assert set(Sandbox(loaded).twins) == set(names)
    assert default_twins(loaded, without="fake") == []
    # By name it is served whatever else is.
    assert set(Sandbox(loaded, only=["pushes-too"]).twins) == {"pushes-too"}


def test_the_configuration_says_of_each_system_what_a_file_would(two):
    with Sandbox(two) as sandbox:
        said = sandbox.configuration()
        bases = {name: host.base_url for name, host in sandbox.hosts.items()}
    assert set(said) == {"version", "systems"}
    assert said["version"] == 1
    agreement = said["systems"]["one"]["agreement"]
    assert {"name", "parties", "purposes", "sections", "expires"} == set(agreement)
    assert said["systems"]["two"] == {
        "adapter": "fake",
        "endpoint": f"{bases['two']}/api",
        "environment": "test",
        "zone": "UTC",
        "settings": {"a": 1},
        "secrets": {"key": {"value": "k"}, "other": {"value": "o"}},
        "agreement": agreement,
    }


def test_no_twin_can_call_itself_live():
    with Sandbox(registry(spec("one", says={"environment": "live"}))) as sandbox:
        assert sandbox.configuration()["systems"]["one"]["environment"] == "test"


def test_twins_are_served_by_name_and_for_the_people_given(two):
    with Sandbox(two, people=PEOPLE[:3], only=["hidden"]) as sandbox:
        (system,) = sandbox.configuration()["systems"].values()
        assert requests.get(system["endpoint"], timeout=5).json() == {"people": 3}
    with pytest.raises(UsageError, match=r"no such twin: three .*hidden, one, two"):
        Sandbox(two, only=["three"])


def test_faults_are_on_from_the_start_or_switched_later(two):
    with Sandbox(two, faults={"one": [Fault.SERVER_ERROR]}) as sandbox:
        url = sandbox.hosts["one"].base_url
        assert requests.get(url, timeout=5).status_code == 503
        assert requests.get(sandbox.hosts["two"].base_url, timeout=5).status_code == 200
        sandbox.faults["one"].set()
        with sandbox.faults["one"].on(Fault.TOO_MANY_REQUESTS):
            assert requests.get(url, timeout=5).status_code == 429
        assert requests.get(url, timeout=5).status_code == 200


def test_faults_that_nobody_can_show_are_refused(two):
    with pytest.raises(UsageError, match="two has no fault lying-total"):
        Sandbox(two, faults={"two": [Fault.LYING_TOTAL]})
    with pytest.raises(UsageError, match="not served"):
        Sandbox(two, faults={"hidden": [Fault.SLOW]})
    Sandbox(two, faults={"one": [Fault.LYING_TOTAL]})


def test_the_control_endpoint_is_there_only_if_asked_for(two):
    with Sandbox(two, control=True) as sandbox:
        url = sandbox.hosts["one"].base_url + "/_sandbox/faults"
        assert "lying-total" in requests.get(url, timeout=5).json()["known"]
        assert requests.put(url, json={"on": ["lying-total"]}, timeout=5).status_code == 200
        assert list(sandbox.faults["one"]) == [Fault.LYING_TOTAL]
    with Sandbox(two) as sandbox:
        assert "known" not in requests.get(sandbox.hosts["one"].base_url + "/_sandbox/faults", timeout=5).json()


def test_nothing_stays_behind(two):
    before = set(threading.enumerate())
    with Sandbox(two, faults={"two": [Fault.TIMEOUT]}) as sandbox:
        ports = [int(host.base_url.rpartition(":")[2]) for host in sandbox.hosts.values()]
        hanging = socket.create_connection(("127.0.0.1", ports[1]), timeout=5)
        hanging.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        started = time.monotonic()
    with hanging:
        assert time.monotonic() - started < 1.0
        with contextlib.suppress(ConnectionResetError):  # cut before it was accepted
            assert hanging.recv(1) == b""
    assert set(threading.enumerate()) == before
    for port in ports:
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
    with pytest.raises(UsageError, match="not running"):
        sandbox.configuration()
    sandbox.stop()


def test_a_sandbox_can_be_started_again(two):
    sandbox = Sandbox(two)
    for _ in range(2):
        with sandbox:
            assert requests.get(sandbox.hosts["one"].base_url, timeout=5).ok


def test_where_one_twin_cannot_be_served_none_is(two, monkeypatch):
    sandbox = Sandbox(two)
    before = set(threading.enumerate())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(sandbox.hosts["two"], "_port", taken.getsockname()[1])
        with pytest.raises(UsageError, match="cannot listen"):
            sandbox.start()
    assert not sandbox.hosts["one"].running
    assert set(threading.enumerate()) == before
