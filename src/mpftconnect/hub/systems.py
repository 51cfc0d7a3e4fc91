"""Opens the configured systems: each with its own wire, budget and adapter, and each on its own risk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from mpftconnect.adapters.budget import RateBudget
from mpftconnect.adapters.contract import Adapter, AdapterContext, Capability, Support
from mpftconnect.adapters.recorder import MemoryRecorder
from mpftconnect.adapters.wire import Endpoint, Wire
from mpftconnect.errors import ConfigurationError
from mpftconnect.events import EventStream
from mpftconnect.hub.configuration import Configuration, ConfiguredSystem
from mpftconnect.hub.fan_out import Failure
from mpftconnect.inbox import FeedReader, Inbox
from mpftconnect.model import AccessContext, SectionName

__all__ = ["OpenSystem", "open_system"]


@dataclass(frozen=True, slots=True)
class OpenSystem:
    """One system, ready to be read; or why its adapter could not be opened."""

    configured: ConfiguredSystem
    wire: Wire
    recorder: MemoryRecorder
    adapter: Adapter | None
    failure: Failure | None = None

    @property
    def name(self) -> str:
        return self.configured.name

    def offers(self, capability: Capability) -> bool:
        return self.support(capability) in (Support.FULL, Support.PARTIAL)

    def support(self, capability: Capability) -> Support:
        return self.configured.spec.support(capability)

    def agreement_refusal(self, who: AccessContext, section: SectionName | None) -> str | None:
        """Why its sharing agreement does not cover this; None if it does. Its last day ends in the system's zone."""
        settings = self.configured.settings
        today = datetime.now(ZoneInfo(settings.zone)).date()
        return settings.agreement.refusal(who.purpose, section, today, organisation=who.organisation)

    def hides(self, section: SectionName, capability: Capability) -> bool:
        """Whether it may hold the section and its adapter does not read it."""
        # Whatever is not plainly "no" counts as "perhaps": a word that a plugin made up included.
        return not self.offers(capability) and self.support(capability) != Support.UNSUPPORTED


def open_system(
    system: ConfiguredSystem, configuration: Configuration, events: EventStream, inbox: Inbox | None = None
) -> OpenSystem:
    """Open one system. An adapter that fails to open becomes a gap on every read, not an error here."""
    settings, spec = system.settings, system.spec
    rate = settings.rate_per_second or spec.rate_per_second
    # One budget for every process on this machine, so it lives in a file (rule 3).
    budget = RateBudget(_folder(configuration.state / "budgets") / f"{system.name}.sqlite", rate) if rate else None
    recorder = MemoryRecorder(limit=500)

    def near(name: str | None) -> str | None:
        return str(configuration.path(name)) if name else None

    endpoint = Endpoint(
        base_url=settings.endpoint or "",
        environment=settings.environment,
        connect_timeout=settings.connect_timeout_seconds,
        deadline_seconds=settings.deadline_seconds or configuration.hub.system_deadline_seconds,
        max_bytes=settings.max_bytes,
        retries=settings.retries,
        rate_per_second=rate,
        proxy=settings.proxy,
        ca_bundle=near(settings.ca_bundle),
        client_certificate=near(settings.client_certificate),
        client_key=near(settings.client_key),
    )
    wire = Wire(system.name, endpoint, events=events, recorder=recorder, budget=budget)
    context = AdapterContext(
        name=system.name,
        environment=settings.environment,
        settings=system.own,
        secret=_secrets(system),
        wire=wire,
        events=events,
        zone=settings.zone,
        state=configuration.state / "systems" / system.name,
        folder=configuration.folder,
        inbox=FeedReader(inbox, system.name) if inbox is not None else None,
    )
    try:
        return OpenSystem(system, wire, recorder, spec.open(context))
    except Exception as error:  # noqa: BLE001 - a stranger's code; the system becomes a gap
        return OpenSystem(system, wire, recorder, None, Failure.of(error))


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(
            [f"state: the folder {path} cannot be made ({type(error).__name__}): name one that may be written in"]
        ) from None
    return path


def _secrets(system: ConfiguredSystem) -> Callable[[str], str]:
    def secret(name: str) -> str:
        try:
            return system.secrets[name]
        except KeyError:
            raise ConfigurationError([f"systems.{system.name}.secrets.{name}: not configured"]) from None

    return secret
