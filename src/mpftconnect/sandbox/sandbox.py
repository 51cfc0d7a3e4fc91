"""Every registered twin, served on loopback ports, with the configuration that reaches them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mpftconnect.adapters.contract import Capability, Support
from mpftconnect.adapters.twin import WIRE_FAULTS, FaultSwitch, Sent, Twin, TwinSpec
from mpftconnect.errors import UsageError
from mpftconnect.sandbox.host import FaultTiming, Host
from mpftconnect.sandbox.people import Person

if TYPE_CHECKING:
    from mpftconnect.plugins import PluginRegistry

__all__ = ["Sandbox", "default_twins"]

# The agreement under which the sandbox's systems share: everything, for direct care, with no real end.
AGREEMENT: dict[str, Any] = {
    "name": "Sandbox sharing agreement (synthetic people only)",
    "parties": ["RRE", "sandbox"],
    "purposes": ["direct-care"],
    "sections": ["all"],
    "expires": "2099-12-31",
}


class Sandbox:
    """The twins of all plugins, each served over real HTTP; a context manager.

    Args:
        registry: Where the twins come from.
        people: Whom they know; the synthetic people of `mpftconnect.sandbox` if not given.
        only: Names of the twins to serve; `default_twins` of the registry if not given.
        faults: Faults that are on from the start, by twin.
        control: Whether each host serves `/_sandbox/`, for switching faults over HTTP.
        timing: How the wire's faults behave.
    Raises:
        UsageError: A name is not that of a twin, or a twin does not know the fault asked of it.

    Attributes:
        faults: The `FaultSwitch` of each twin, by name.
        twins: The twins, by name.
        hosts: Their hosts, by name.
    """

    def __init__(
        self,
        registry: PluginRegistry,
        people: Sequence[Person] | None = None,
        only: Sequence[str] | None = None,
        faults: Mapping[str, Sequence[str]] | None = None,
        *,
        control: bool = False,
        timing: FaultTiming | None = None,
    ) -> None:
        if people is None:
            from mpftconnect.sandbox.cast import PEOPLE

            people = PEOPLE
        self.specs: dict[str, TwinSpec] = _chosen(registry, only)
        _check_faults(self.specs, faults or {})
        self.twins: dict[str, Twin] = {name: spec.build(people) for name, spec in self.specs.items()}
        self.faults: dict[str, FaultSwitch] = {name: twin.faults for name, twin in self.twins.items()}
        for name, on in (faults or {}).items():
            self.faults[name].set(*on)
        self.hosts: dict[str, Host] = {
            name: Host(twin, name=name, control=control, own_faults=self.specs[name].faults, timing=timing)
            for name, twin in self.twins.items()
            if self.specs[name].sends is None
        }
        self._started = ExitStack()

    def start(self) -> Self:
        """Serve every twin, or none: where one cannot be served, those before it are stopped again."""
        with ExitStack() as stack:
            for host in self.hosts.values():
                stack.enter_context(host)
            self._started = stack.pop_all()
        return self

    def stop(self) -> None:
        """Stop all that was started; harmless if nothing was."""
        self._started.close()
        for twin in self.twins.values():
            close = getattr(twin, "close", None)  # of a twin that has a line of its own beside HTTP
            if close is not None:
                close()

    def configuration(self) -> dict[str, Any]:
        """What `mpftconnect.toml` would say of the running twins: `{"version": 1, "systems": {name: {...}}}`.

        Secrets stand in it as `{"value": "..."}`, which no configuration file may do: they are the twins' own,
        made up for this run.

        Raises:
            UsageError: The sandbox is not running.
        """
        feeds: dict[str, Any] = {}
        systems = {name: self._system(name, spec, feeds) for name, spec in self.specs.items()}
        return {"version": 1, "systems": systems} | ({"inbox": {"feeds": feeds}} if feeds else {})

    def sent(self, now: datetime | None = None) -> list[Sent]:
        """What the feeds of all twins have sent by now, in order of arrival."""
        now = now or datetime.now(UTC)
        return sorted(
            (
                each
                for name, spec in self.specs.items()
                if spec.sends is not None
                for each in spec.sends(self.twins[name], now)
            ),
            key=lambda each: each.at,
        )

    def _system(self, name: str, spec: TwinSpec, feeds: dict[str, Any]) -> dict[str, Any]:
        host = self.hosts.get(name)
        table = dict(spec.configure(self.twins[name], host.base_url if host else ""))
        table.pop("mllp", None)  # a line that only a conformance run speaks to
        for feed, settings_ in table.pop("feeds", {}).items():
            feeds[feed] = {"agreement": dict(AGREEMENT), **settings_, "system": name}
        secrets = {
            key: value if isinstance(value, Mapping) else {"value": value}
            for key, value in table.pop("secrets", {}).items()
        }
        settings = table.pop("settings", {})
        agreement = table.pop("agreement", None) or dict(AGREEMENT)
        # Last, so that nothing a plugin says can make a stand-in pass for a live system.
        fixed = {"environment": "test", "settings": settings, "secrets": secrets, "agreement": agreement}
        return {"adapter": spec.adapter, **table, **fixed}

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def default_twins(registry: PluginRegistry, *, without: str = "") -> list[str]:
    """Names of the twins that are served where none is asked for by name.

    One that pushes needs a system that says whose its messages are, so without such a one it is left out.

    Args:
        without: An adapter whose twins are left out.
    """
    names = [name for name, spec in registry.twins.items() if spec.default and spec.adapter != without]
    adapters = [registry.adapters.get(registry.twins[name].adapter) for name in names]
    traced = any(adapter and adapter.support(Capability.TRACE_PERSON) is Support.FULL for adapter in adapters)
    return [name for name in names if traced or registry.twins[name].sends is None]


def _chosen(registry: PluginRegistry, only: Sequence[str] | None) -> dict[str, TwinSpec]:
    twins = registry.twins
    if only is None:
        only = default_twins(registry)
    unknown = sorted(set(only) - set(twins))
    if unknown:
        raise UsageError(f"no such twin: {', '.join(unknown)} (there are {', '.join(sorted(twins)) or 'none'})")
    return {name: twins[name] for name in only}


def _check_faults(specs: Mapping[str, TwinSpec], faults: Mapping[str, Sequence[str]]) -> None:
    for name, on in faults.items():
        if name not in specs:
            raise UsageError(f"faults are given for {name}, which is not served")
        unknown = sorted(set(on) - WIRE_FAULTS - specs[name].faults)
        if unknown:
            raise UsageError(f"twin {name} has no fault {', '.join(unknown)}")
