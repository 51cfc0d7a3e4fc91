"""Loads each plugin on its own: a broken one is listed with its reason, stops nothing and hides nothing."""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pluggy

from mpftconnect import hookspecs
from mpftconnect.errors import PluginMissing

if TYPE_CHECKING:
    from mpftconnect.adapters.contract import AdapterSpec
    from mpftconnect.adapters.twin import TwinSpec
    from mpftconnect.conformance import Check, PackSource, ReportFormat
    from mpftconnect.governance.policies import PolicySpec
    from mpftconnect.model import SamenessSpec

__all__ = ["Plugin", "PluginRegistry", "load_plugins"]


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point, loaded or not.

    Args:
        name: Name of the entry point.
        distribution: The distribution that brings it, with its version.
        problem: Why it cannot be used; None if it can.
    """

    name: str
    distribution: str
    version: str
    problem: str | None = None
    adapters: tuple[AdapterSpec, ...] = ()
    twins: tuple[TwinSpec, ...] = ()
    policies: tuple[PolicySpec, ...] = ()
    sameness: tuple[SamenessSpec, ...] = ()
    packs: tuple[PackSource, ...] = ()
    checks: tuple[Check, ...] = ()
    report_formats: tuple[ReportFormat, ...] = ()


# What plugins register, by the attribute of `Plugin`: a name may be given once only in each.
_KINDS = ("adapters", "twins", "policies", "sameness", "packs", "checks", "report_formats")


@dataclass(frozen=True, slots=True)
class PluginRegistry:
    """All plugins that were found, in order of name."""

    plugins: tuple[Plugin, ...]

    @property
    def adapters(self) -> dict[str, AdapterSpec]:
        return {spec.name: spec for plugin in self.plugins for spec in plugin.adapters}

    @property
    def twins(self) -> dict[str, TwinSpec]:
        return {spec.name: spec for plugin in self.plugins for spec in plugin.twins}

    @property
    def policies(self) -> dict[str, PolicySpec]:
        return {spec.name: spec for plugin in self.plugins for spec in plugin.policies}

    @property
    def sameness(self) -> dict[str, SamenessSpec]:
        return {spec.name: spec for plugin in self.plugins for spec in plugin.sameness}

    @property
    def packs(self) -> dict[str, PackSource]:
        return {spec.name: spec for plugin in self.plugins for spec in plugin.packs}

    @property
    def checks(self) -> dict[str, Check]:
        """By the id of the requirement."""
        return {spec.name: spec for plugin in self.plugins for spec in plugin.checks}

    @property
    def report_formats(self) -> dict[str, ReportFormat]:
        return {spec.name: spec for plugin in self.plugins for spec in plugin.report_formats}

    @property
    def broken(self) -> tuple[Plugin, ...]:
        return tuple(plugin for plugin in self.plugins if plugin.problem)

    def adapter(self, name: str) -> AdapterSpec:
        """The adapter of that name.

        Raises:
            PluginMissing: No loaded plugin provides it; the message says what does exist, and what is broken.
        """
        if name in self.adapters:
            return self.adapters[name]
        broken = "".join(f"; plugin {plugin.name} is broken: {plugin.problem}" for plugin in self.broken)
        known = ", ".join(sorted(self.adapters)) or "none"
        raise PluginMissing(
            f"no installed plugin provides adapter {name!r} (installed: {known}); "
            f"try pip install mpftconnect-{name}{broken}"
        )


def load_plugins(entry_points: Iterable[importlib.metadata.EntryPoint] | None = None) -> PluginRegistry:
    """Load every plugin, each in isolation.

    Args:
        entry_points: In place of the installed ones, for tests.
    """
    found = importlib.metadata.entry_points(group=hookspecs.GROUP) if entry_points is None else entry_points
    plugins: list[Plugin] = []
    taken: dict[tuple[str, str], str] = {}
    for entry_point in sorted(found, key=lambda e: e.name):
        plugin = _load(entry_point)
        clash = [
            f"{kind} {name!r} is provided twice"
            for kind in _KINDS
            for name, times in Counter(spec.name for spec in getattr(plugin, kind)).items()
            if times > 1
        ]
        clash += [
            f"{kind} {spec.name!r} is already provided by plugin {taken[kind, spec.name]}"
            for kind in _KINDS
            for spec in getattr(plugin, kind)
            if (kind, spec.name) in taken
        ]
        if clash:
            plugin = Plugin(plugin.name, plugin.distribution, plugin.version, "; ".join(clash))
        for kind in _KINDS:
            taken |= {(kind, spec.name): plugin.name for spec in getattr(plugin, kind)}
        plugins.append(plugin)
    return PluginRegistry(tuple(plugins))


def _load(entry_point: importlib.metadata.EntryPoint) -> Plugin:
    dist = entry_point.dist
    name = dist.name if dist else entry_point.module
    version = dist.version if dist else "unknown"
    try:
        module = entry_point.load()
        registered = _register(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's code: what it raises is the listed reason
        return Plugin(entry_point.name, name, version, _reason(error))
    return Plugin(entry_point.name, name, version, None, **registered)


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _register(module: Any) -> dict[str, Any]:
    # One manager a plugin: pluggy's own loader stops at the first plugin that raises, and a failing hook of one
    # plugin would hide the answers of the others.
    manager = pluggy.PluginManager(hookspecs.GROUP)
    manager.add_hookspecs(hookspecs)
    known = {name for name in vars(hookspecs) if name.startswith("mpft_")}
    offered = [name for name in vars(module) if name.startswith("mpft_")]
    misspelt = sorted(set(offered) - known)
    unmarked = [n for n in offered if n in known and not hasattr(getattr(module, n), f"{hookspecs.GROUP}_impl")]
    if misspelt:
        raise TypeError(f"no such hook: {', '.join(misspelt)} (hooks are {', '.join(sorted(known))})")
    if unmarked:
        raise TypeError(f"not marked @hookimpl: {', '.join(unmarked)}")
    if not offered:
        raise TypeError("the module offers no hook")
    manager.register(module)
    manager.check_pending()
    return {
        "adapters": _flat(manager.hook.mpft_adapters(), "AdapterSpec"),
        "twins": _flat(manager.hook.mpft_twins(), "TwinSpec"),
        "policies": _flat(manager.hook.mpft_policies(), "PolicySpec"),
        "sameness": _flat(manager.hook.mpft_sameness(), "SamenessSpec"),
        "packs": _flat(manager.hook.mpft_packs(), "PackSource"),
        "checks": _flat(manager.hook.mpft_checks(), "Check"),
        "report_formats": _flat(manager.hook.mpft_report_formats(), "ReportFormat"),
    }


def _flat(answers: Sequence[Sequence[Any]], expected: str) -> tuple[Any, ...]:
    specs = tuple(spec for answer in answers for spec in answer)
    for spec in specs:
        if type(spec).__name__ != expected:
            raise TypeError(f"a hook returned {type(spec).__name__} where {expected} is expected")
    return specs
