"""Reads `mpftconnect.toml`, and says everything that is wrong with it at once.

Secrets stand in it only as references: `{ env = "NAME" }` or `{ file = "path" }`. A relative path is relative to the
configuration file.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from mpftconnect.adapters.contract import AdapterSpec, Capability, Support
from mpftconnect.adapters.endpoint import Endpoint
from mpftconnect.errors import ConfigurationError, MpftConnectError
from mpftconnect.governance.agreements import Agreement
from mpftconnect.governance.policies import Policy, PolicySpec
from mpftconnect.governance.roles import Role, RoleTable, folded
from mpftconnect.governance.secret_reference import SecretReference
from mpftconnect.inbox.inbox import Mapper
from mpftconnect.inbox.mapping import site_mapper
from mpftconnect.inbox.settings import InboxSettings
from mpftconnect.model import DEFAULT_ZONE, AccessContext, Model, SamenessSpec, When
from mpftconnect.plugins import PluginRegistry

__all__ = [
    "LONGEST_SECONDS",
    "AuditSettings",
    "Checker",
    "Configuration",
    "ConfiguredInbox",
    "ConfiguredPolicy",
    "ConfiguredSystem",
    "HubSettings",
    "IdentitySettings",
    "PolicyTable",
    "SecretReference",
    "SystemSettings",
    "load_configuration",
    "read_table",
]


# No read may take longer, whoever asks for it.
LONGEST_SECONDS = 300


class HubSettings(Model):
    """`[hub]`.

    Args:
        deadline_seconds: For a whole read.
        system_deadline_seconds: For each system within it.
        trace: The system that says who a person is; by default the first in the file whose adapter can.
        trace_max_age_seconds: How old a trace may be and still be used; 0 asks the tracing service every time.
        allow_asserted_relationship: Whether live systems may be read when nobody verified the relationship.
        unlisted_role: What a role that has no `[roles.NAME]` may see, `none` or `all`. By default `all` only where
            every system is a declared test environment and no role is listed.
        parallel_per_system: How many requests one system gets at a time.
        sameness: Terminology plugins that may say that two codes mean the same; none by default.
        publisher: ODS code of the organisation in whose name plans are published; by default the user's own.
    """

    deadline_seconds: float = Field(default=15.0, gt=0, le=LONGEST_SECONDS)
    system_deadline_seconds: float = Field(default=10.0, gt=0, le=LONGEST_SECONDS)
    trace: str | None = None
    trace_max_age_seconds: float = Field(default=0.0, ge=0, le=86_400)
    allow_asserted_relationship: bool = False
    unlisted_role: Literal["none", "all"] | None = None
    parallel_per_system: int = Field(default=4, ge=1, le=32)
    sameness: tuple[str, ...] = ()
    publisher: str | None = Field(default=None, pattern=r"^[A-Za-z0-9]{2,12}$")


class AuditSettings(Model):
    """`[audit]` and `[privacy]`: where a trail stands, where its anchor stands, and where its key is.

    Args:
        store: The trail.
        anchor: Its anchor; put it on another disk or machine, or it proves less.
        fallback: The second sink, used and alarmed when the store fails.
        key: The sealing key: at least 32 bytes, as text or hexadecimal.
        readers: Roles that may read the trail.
        retention_days: How long entries are kept before `purge` may remove them (default: eight years).
    """

    store: str
    anchor: str
    fallback: str
    key: SecretReference
    readers: tuple[str, ...] = ("privacy-officer",)
    retention_days: int = Field(default=2922, ge=1)


class IdentitySettings(Model):
    """`[identity]`: who may say that a system's record is, or is not, the person with an NHS number.

    Args:
        store: Where decisions are kept; by default in the state folder.
        anchor: Its anchor; put it on another disk or machine, or it proves less.
        key: The sealing key; by default that of the audit.
        proposers: Roles that may propose; `any` for every role.
        approvers: Roles that may approve, reject, list and show.
        open_hours: How long a proposal may be approved.
        retention_days: How long what has ended is kept before `purge` may remove it (default: eight years).
    """

    store: str | None = None
    anchor: str | None = None
    key: SecretReference | None = None
    proposers: tuple[str, ...] = ("any",)
    approvers: tuple[str, ...] = ("privacy-officer",)
    open_hours: float = Field(default=72.0, gt=0, le=744)
    retention_days: int = Field(default=2922, ge=1)


class SystemSettings(Model):
    """`[systems.NAME]`; proxy, CA and client-certificate settings are the same for every system (rule 19).

    `allow_writes` is off: nothing is written to a system unless its table says so (rule 12).
    """

    adapter: str
    endpoint: str | None = None
    environment: Literal["test", "live"] = "live"
    zone: str = DEFAULT_ZONE
    deadline_seconds: float | None = Field(default=None, gt=0, le=LONGEST_SECONDS)
    connect_timeout_seconds: float = Field(default=3.05, gt=0, le=60)
    retries: int = Field(default=2, ge=0, le=5)
    max_bytes: int = Field(default=20_000_000, ge=1024)
    rate_per_second: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    proxy: str | None = None
    ca_bundle: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    allow_writes: bool = False
    settings: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, SecretReference] = Field(default_factory=dict)
    agreement: Agreement


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class PolicyTable(Model):
    """`[[policies]]`."""

    policy: str
    settings: dict[str, Any] = Field(default_factory=dict)


class _File(Model):
    version: Literal[1]
    state: str = "mpftconnect-state"
    hub: HubSettings = Field(default_factory=HubSettings)
    who: AccessContext | None = None
    audit: AuditSettings
    privacy: AuditSettings
    identity: IdentitySettings = Field(default_factory=IdentitySettings)
    roles: dict[str, Role] = Field(default_factory=dict)
    inbox: InboxSettings | None = None
    systems: dict[str, SystemSettings] = Field(min_length=1)
    policies: tuple[PolicyTable, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfiguredSystem:
    """One system, checked against its adapter."""

    name: str
    spec: AdapterSpec
    settings: SystemSettings
    own: Any
    secrets: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ConfiguredPolicy:
    """One policy, built."""

    spec: PolicySpec
    policy: Policy


@dataclass(frozen=True, slots=True)
class ConfiguredInbox:
    """The inbox, checked: its folder, its key if it has one, and how its feeds are mapped."""

    settings: InboxSettings
    folder: Path
    key: bytes | None = field(repr=False)
    mapper: Mapper | None


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole configuration, checked: nothing in it can fail later for a reason that could be seen now."""

    folder: Path
    state: Path
    hub: HubSettings
    audit: AuditSettings
    privacy: AuditSettings
    audit_key: bytes
    privacy_key: bytes
    identity: IdentitySettings
    identity_key: bytes
    roles: RoleTable
    systems: tuple[ConfiguredSystem, ...]
    policies: tuple[ConfiguredPolicy, ...]
    who: AccessContext | None = None
    sameness: tuple[SamenessSpec, ...] = ()
    inbox: ConfiguredInbox | None = None

    def path(self, name: str) -> Path:
        """A path of the file, relative to it."""
        return self.folder / name

    @property
    def identity_store(self) -> Path:
        """Where identity decisions are kept."""
        given = self.identity.store
        return self.path(given) if given else self.state / "identity" / "decisions.sqlite"

    @property
    def identity_anchor(self) -> Path:
        """Where their anchor stands."""
        given = self.identity.anchor
        return self.path(given) if given else self.state / "identity-anchor" / "decisions.anchor"


def load_configuration(
    source: Path | str | Mapping[str, Any], registry: PluginRegistry, *, sandbox: bool = False
) -> Configuration:
    """Read and check a configuration.

    Args:
        source: A file, or its content as a mapping.
        registry: The plugins that it may name.
        sandbox: Whether secrets may stand in it as plain values.
    Raises:
        ConfigurationError: With a line for every mistake: file, key and what is expected.
    """
    label, folder, table = read_table(source)
    return Checker(label, folder, registry, sandbox).check(table)


def read_table(source: Path | str | Mapping[str, Any]) -> tuple[str, Path, dict[str, Any]]:
    """A configuration's name, folder and content, not checked yet.

    Raises:
        ConfigurationError: It cannot be read, or is not TOML.
    """
    if isinstance(source, Mapping):
        label, folder, table = "configuration", Path.cwd(), dict(source)
    else:
        path = Path(source)
        label = path.name
        try:
            folder = path.resolve().parent
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigurationError([f"{label}: there is no such file at {path}"]) from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError([f"{label}: not TOML: {error}"]) from None
        except RecursionError:
            raise ConfigurationError([f"{label}: not read: tables or lists are nested too deeply"]) from None
        except (OSError, ValueError) as error:
            raise ConfigurationError([f"{label}: cannot be read ({type(error).__name__})"]) from None
    return label, folder, table


class Checker:
    """Collects every problem of one file before it says any."""

    def __init__(self, label: str, folder: Path, registry: PluginRegistry, sandbox: bool) -> None:
        self._label, self._folder, self._registry, self._sandbox = label, folder, registry, sandbox
        self.problems: list[str] = []

    def _say(self, key: str, expected: str) -> None:
        self.problems.append(f"{self._label}: {key}: {expected}")

    def model(self, kind: type[Any], table: Any, at: str) -> Any:
        try:
            return kind.model_validate(table, context={"folder": self._folder})
        except ValidationError as error:
            for problem in error.errors():
                key = ".".join(part for part in (at, *(str(p) for p in problem["loc"])) if part)
                message = "no such setting" if problem["type"] == "extra_forbidden" else problem["msg"]
                self._say(key or "the file", message[0].lower() + message[1:])
            return None

    def check(self, table: Mapping[str, Any]) -> Configuration:
        file: _File | None = self.model(_File, table, "")
        # Even where the whole does not fit, its parts are checked further, so that all mistakes come at once.
        systems = self._systems(table.get("systems"))
        policies = self.policies(table.get("policies"))
        keys = {name: self.key(table.get(name), name) for name in ("audit", "privacy")}
        self._tracer(file, systems)
        identity_key = self._identity_key(file) or keys["audit"]
        roles = self._roles(file)
        settled = None if file is None else self._settled(file, keys, identity_key, roles, systems, policies)
        if settled is not None:
            self._trails(settled)
        if self.problems or settled is None:
            raise ConfigurationError(list(dict.fromkeys(self.problems)))
        return settled

    def _settled(
        self,
        file: _File,
        keys: Mapping[str, bytes],
        identity_key: bytes,
        roles: RoleTable,
        systems: tuple[ConfiguredSystem, ...],
        policies: tuple[ConfiguredPolicy, ...],
    ) -> Configuration:
        return Configuration(
            folder=self._folder,
            state=self._folder / file.state,
            hub=file.hub,
            audit=file.audit,
            privacy=file.privacy,
            audit_key=keys["audit"],
            privacy_key=keys["privacy"],
            identity=file.identity,
            identity_key=identity_key,
            roles=roles,
            systems=systems,
            policies=policies,
            who=file.who,
            sameness=self._sameness(file),
            inbox=self.inbox(file.inbox, {system.name for system in systems}, file.who),
        )

    def inbox(
        self, settings: InboxSettings | None, systems: set[str] | None, who: AccessContext | None = None
    ) -> ConfiguredInbox | None:
        """The inbox, checked.

        Args:
            systems: Names of the configured systems, of which each feed is one's; None where none is configured.
            who: `[who]`.
        """
        if settings is None:
            return None
        key = self._sealing_key(settings.key, "inbox.key") if settings.key else None
        for name, feed in settings.feeds.items():
            if not _NAME.fullmatch(name):
                self._say(f"inbox.feeds.{name}", "expected a name of letters, digits, hyphens, underscores and dots")
            if systems is not None and (feed.system or name) not in systems:
                self._say(f"inbox.feeds.{name}.system", "expected the name of one of the systems")
        if systems is not None and settings.who is None and who is None:
            self._say("inbox.who", "expected, or a [who]: as whom the tracing service is asked about messages")
        self._senders_apart(settings)
        mapper = None
        try:
            mapper = site_mapper(settings.feeds, self._folder)
        except ConfigurationError as error:
            for problem in error.problems:
                key_, _, expected = problem.partition(": ")
                self._say(key_, expected)
        return ConfiguredInbox(settings, self._folder / settings.store, key, mapper)

    def _senders_apart(self, settings: InboxSettings) -> None:
        seen: dict[tuple[str, str], str] = {}
        for name, feed in settings.feeds.items():
            for sender in feed.senders:
                other = seen.setdefault((sender.application, sender.facility), name)
                if other != name:
                    self._say(f"inbox.feeds.{name}.senders", f"expected senders of its own; {other} has the same")

    def _tracer(self, file: _File | None, systems: tuple[ConfiguredSystem, ...]) -> None:
        name = file.hub.trace if file else None
        chosen = next((system for system in systems if system.name == name), None)
        if name is not None and chosen is None:
            self._say("hub.trace", "expected the name of one of the systems")
        elif chosen and chosen.spec.support(Capability.TRACE_PERSON) not in (Support.FULL, Support.PARTIAL):
            self._say("hub.trace", f"adapter {chosen.spec.name} cannot trace people")

    def _sameness(self, file: _File) -> tuple[SamenessSpec, ...]:
        known = self._registry.sameness
        wanted = dict.fromkeys(file.hub.sameness)
        for name in wanted:
            if name not in known:
                installed = ", ".join(sorted(known)) or "none"
                self._say("hub.sameness", f"no installed plugin provides {name!r} (installed: {installed})")
        return tuple(known[name] for name in wanted if name in known)

    def _trails(self, settled: Configuration) -> None:
        """The privacy officer's stream is that officer's alone: it shares neither a file nor a key with the audit."""
        places = {
            f"{name}.{part}": settled.path(getattr(trail, part))
            for name, trail in (("audit", settled.audit), ("privacy", settled.privacy))
            for part in ("store", "anchor", "fallback")
        }
        places |= {"identity.store": settled.identity_store, "identity.anchor": settled.identity_anchor}
        seen: dict[Path, str] = {}
        for key, place in places.items():
            path = place.resolve()
            if path in seen:
                self._say(key, f"expected a file of its own; {seen[path]} names the same")
            seen.setdefault(path, key)
        if settled.audit_key and settled.audit_key == settled.privacy_key:
            self._say("privacy.key", "expected a key of its own; audit.key is the same")

    def _roles(self, file: _File | None) -> RoleTable:
        if file is None:
            return RoleTable()
        for what, names in (
            ("roles", list(file.roles)),
            ("roles: codes", [code for role in file.roles.values() for code in role.codes]),
        ):
            plain = [folded(name) for name in names]
            if "" in plain or len(set(plain)) < len(plain):
                self._say(what, "expected each once, whatever its case and spacing, and none empty")
        tested = all(system.environment == "test" for system in file.systems.values())
        # Live unless declared test (rule 14): there, whoever nobody has listed sees nothing.
        return RoleTable(file.roles, file.hub.unlisted_role or ("all" if tested and not file.roles else "none"))

    def _identity_key(self, file: _File | None) -> bytes:
        key = file.identity.key if file else None
        return self._sealing_key(key, "identity.key") if key else b""

    def _secret(self, reference: SecretReference, at: str) -> str:
        if reference.value is not None:
            if not self._sandbox:
                self._say(at, 'a secret may not stand in the file: use { env = "NAME" } or { file = "path" }')
            return reference.value
        if reference.env is not None:
            value = os.environ.get(reference.env)
            if not value or not value.strip():
                self._say(at, f"the environment variable {reference.env} is not set, or empty")
            return value or ""
        path = self._folder / str(reference.file)
        try:
            text = path.read_text(encoding="utf-8-sig").strip()
        except (OSError, ValueError) as error:
            self._say(at, f"the file {reference.file} cannot be read ({type(error).__name__})")
            return ""
        if not text:
            self._say(at, f"the file {reference.file} is empty")
        return text

    def key(self, table: Any, name: str) -> bytes:
        try:
            settings = AuditSettings.model_validate(table)
        except ValidationError:  # already said of the whole file
            return b""
        return self._sealing_key(settings.key, f"{name}.key")

    def _sealing_key(self, reference: SecretReference, at: str) -> bytes:
        before = len(self.problems)
        text = self._secret(reference, at)
        try:
            key = bytes.fromhex(text)
        except ValueError:
            key = text.encode()
        if len(key) < 32 and len(self.problems) == before:
            self._say(at, "expected at least 32 bytes, as text or hexadecimal (make one: openssl rand -hex 32)")
        return key

    def _systems(self, tables: Any) -> tuple[ConfiguredSystem, ...]:
        found = []
        for name, table in tables.items() if isinstance(tables, dict) else ():
            try:
                settings = SystemSettings.model_validate(table)
            except ValidationError:  # already said of the whole file
                continue
            at = f"systems.{name}"
            if not _NAME.fullmatch(name):
                # It becomes part of file names, of log lines and of the audit.
                self._say(at, "expected a name of letters, digits, hyphens, underscores and dots, at most 64")
            try:
                spec = self._registry.adapter(settings.adapter)
            except MpftConnectError as error:
                self._say(f"{at}.adapter", str(error))
                continue
            self._endpoint(spec, settings, at)
            try:
                When("2024-01-01T00:00:00", settings.zone)
            except MpftConnectError as error:
                self._say(f"{at}.zone", str(error))
            own = self.model(spec.settings, settings.settings, f"{at}.settings") if spec.settings else None
            if spec.settings is None and settings.settings:
                self._say(f"{at}.settings", f"adapter {spec.name} has no settings of its own")
            found.append(ConfiguredSystem(name, spec, settings, own, self._secrets(spec, settings, at)))
        return tuple(found)

    def _endpoint(self, spec: AdapterSpec, settings: SystemSettings, at: str) -> None:
        given = settings.endpoint or ""
        if spec.endpoint == "http" and not given.startswith(("https://", "http://")):
            self._say(f"{at}.endpoint", "expected the base URL of the system, https://...")
        else:
            try:
                Endpoint(base_url=given)
            except MpftConnectError as error:
                self._say(f"{at}.endpoint", str(error))
        if settings.client_key and not settings.client_certificate:
            self._say(f"{at}.client_key", "expected client_certificate beside it")
        if settings.environment == "live" and given.startswith("http://"):
            self._say(f"{at}.endpoint", 'a live system needs https; for a test system say environment = "test"')
        for key in ("ca_bundle", "client_certificate", "client_key"):
            name = getattr(settings, key)
            if name and not (self._folder / name).is_file():
                self._say(f"{at}.{key}", f"there is no file {name}")

    def _secrets(self, spec: AdapterSpec, settings: SystemSettings, at: str) -> dict[str, str]:
        for name in spec.secrets:
            if name not in settings.secrets:
                self._say(f"{at}.secrets.{name}", f"adapter {spec.name} needs it")
        for name in settings.secrets:
            if name not in (*spec.secrets, *spec.optional_secrets):
                self._say(f"{at}.secrets.{name}", f"adapter {spec.name} knows no such secret")
        return {name: self._secret(ref, f"{at}.secrets.{name}") for name, ref in settings.secrets.items()}

    def policies(self, tables: Any) -> tuple[ConfiguredPolicy, ...]:
        built = []
        for index, table in enumerate(tables if isinstance(tables, list | tuple) else ()):
            name = table.get("policy") if isinstance(table, dict) else None
            spec = self._registry.policies.get(str(name))
            at = f"policies[{index}]"
            if spec is None:
                known = ", ".join(sorted(self._registry.policies)) or "none"
                self._say(f"{at}.policy", f"no installed plugin provides this policy (installed: {known})")
                continue
            settings = self.model(spec.settings, table.get("settings", {}), f"{at}.settings")
            if settings is None:
                continue
            try:
                built.append(ConfiguredPolicy(spec, spec.build(settings)))
            except ConfigurationError as error:
                for problem in error.problems:
                    self._say(f"{at}.settings", problem)
            except Exception as error:  # noqa: BLE001 - a stranger's code; its words might repeat a setting
                self._say(f"{at}.settings", f"policy {name} could not be made ({type(error).__name__})")
        return tuple(built)
