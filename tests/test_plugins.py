"""Each plugin is loaded on its own: a broken one is listed with its reason and stops nothing."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from mpftconnect.adapters.contract import AdapterSpec, Capability, Support, TriedAgainst, only
from mpftconnect.errors import PluginMissing, UsageError
from mpftconnect.hookspecs import hookimpl
from mpftconnect.model import SamenessSpec
from mpftconnect.plugins import load_plugins


def spec(name: str = "acme", **more: object) -> AdapterSpec:
    values = {"supplier": "Acme", "product": "Acme Record", "tried_against": TriedAgainst("nothing")}
    return AdapterSpec(
        name=name,
        capabilities=only(Capability.FIND_PATIENT),
        open=lambda context: None,  # type: ignore[arg-type,return-value]
        **{**values, **more},  # type: ignore[arg-type]
    )


def plugin(monkeypatch: pytest.MonkeyPatch, name: str, **members: object) -> EntryPoint:
    module = ModuleType(f"mpft_test_{name}")
    for key, value in members.items():
        setattr(module, key, value)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return EntryPoint(name, module.__name__, "mpftconnect")


def adapters(*specs: AdapterSpec) -> object:
    @hookimpl
    def mpft_adapters() -> list[AdapterSpec]:
        return list(specs)

    return mpft_adapters


def failing() -> object:
    @hookimpl
    def mpft_adapters() -> list[AdapterSpec]:
        raise RuntimeError("cannot start")

    return mpft_adapters


def test_a_good_plugin_beside_every_sort_of_broken_one(monkeypatch: pytest.MonkeyPatch) -> None:
    @hookimpl
    def mpft_adaptors() -> list[AdapterSpec]:
        return []

    def mpft_adapters() -> list[AdapterSpec]:
        return []

    @hookimpl(specname="mpft_adapters")
    def takes_too_much(unknown: int) -> list[AdapterSpec]:
        return []

    registry = load_plugins(
        [
            plugin(monkeypatch, "good", mpft_adapters=adapters(spec())),
            plugin(monkeypatch, "misspelt", mpft_adaptors=mpft_adaptors),
            plugin(monkeypatch, "unmarked", mpft_adapters=mpft_adapters),
            plugin(monkeypatch, "raises", mpft_adapters=failing()),
            plugin(monkeypatch, "signature", mpft_adapters=takes_too_much),
            plugin(monkeypatch, "empty"),
            plugin(monkeypatch, "wrongtype", mpft_adapters=adapters("no spec")),  # type: ignore[arg-type]
            EntryPoint("missing", "there_is_no_such_module", "mpftconnect"),
        ]
    )
    assert [p.name for p in registry.plugins if p.problem is None] == ["good"]
    reasons = {p.name: p.problem or "" for p in registry.broken}
    assert "no such hook: mpft_adaptors" in reasons["misspelt"]
    assert "not marked @hookimpl" in reasons["unmarked"]
    assert "cannot start" in reasons["raises"]
    assert "unknown" in reasons["signature"]
    assert "offers no hook" in reasons["empty"]
    assert "str where AdapterSpec is expected" in reasons["wrongtype"]
    assert "ModuleNotFoundError" in reasons["missing"]
    assert registry.adapter("acme").supplier == "Acme"


def test_an_outdated_plugin_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    @hookimpl
    def mpft_adapters() -> list[AdapterSpec]:
        return [spec(api=0)]

    (broken,) = load_plugins([plugin(monkeypatch, "old", mpft_adapters=mpft_adapters)]).broken
    assert "contract 0" in str(broken.problem)


def test_two_plugins_of_one_name_do_not_hide_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = load_plugins(
        [
            plugin(monkeypatch, "first", mpft_adapters=adapters(spec())),
            plugin(monkeypatch, "second", mpft_adapters=adapters(spec(supplier="Other"))),
        ]
    )
    assert registry.adapters["acme"].supplier == "Acme"
    assert "already provided by plugin first" in str(registry.broken[0].problem)


def test_a_missing_plugin_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = load_plugins([plugin(monkeypatch, "raises", mpft_adapters=failing())])
    with pytest.raises(PluginMissing, match=r"pip install mpftconnect-rio.*plugin raises is broken.*cannot start"):
        registry.adapter("rio")


def test_a_capability_is_never_guessed() -> None:
    undeclared = AdapterSpec(
        name="a",
        supplier="s",
        product="p",
        tried_against=TriedAgainst("nothing"),
        capabilities={Capability.FIND_PATIENT: Support.FULL},
        open=lambda context: None,  # type: ignore[arg-type,return-value]
    )
    assert undeclared.support(Capability.READ_NOTES) is Support.UNKNOWN
    with pytest.raises(UsageError):
        spec(api=99)


def test_a_plugin_that_tries_to_end_the_program_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    @hookimpl
    def mpft_adapters() -> list[AdapterSpec]:
        raise SystemExit(3)

    loaded = load_plugins(
        [
            plugin(monkeypatch, "exits", mpft_adapters=mpft_adapters),
            plugin(monkeypatch, "good", mpft_adapters=adapters(spec())),
        ]
    )
    assert [p.name for p in loaded.broken] == ["exits"]
    assert set(loaded.adapters) == {"acme"}


def test_a_plugin_that_offers_a_name_twice_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = plugin(monkeypatch, "twice", mpft_adapters=adapters(spec(), spec(product="Another")))
    loaded = load_plugins([twice])
    assert loaded.adapters == {}
    assert "provided twice" in str(loaded.plugins[0].problem)


def sameness(*specs: object) -> object:
    @hookimpl
    def mpft_sameness() -> list[object]:
        return list(specs)

    return mpft_sameness


def test_terminologies_are_registered_each_in_isolation_and_under_a_name_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def terms(name: str) -> SamenessSpec:
        return SamenessSpec(name=name, same=lambda one, other, section: None, words="test")

    @hookimpl
    def mpft_sameness() -> list[SamenessSpec]:
        raise OSError("no release")

    loaded = load_plugins(
        [
            plugin(monkeypatch, "a", mpft_sameness=sameness(terms("dmd"))),
            plugin(monkeypatch, "b", mpft_sameness=mpft_sameness),
            plugin(monkeypatch, "c", mpft_sameness=sameness("no spec")),
            plugin(monkeypatch, "d", mpft_sameness=sameness(terms("dmd"))),
        ]
    )
    assert list(loaded.sameness) == ["dmd"]
    reasons = {p.name: p.problem or "" for p in loaded.broken}
    assert "no release" in reasons["b"]
    assert "str where SamenessSpec is expected" in reasons["c"]
    assert "already provided by plugin a" in reasons["d"]
