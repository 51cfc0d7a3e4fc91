"""What a site agreed with a sender: zone, who numbers what, local code systems, tables and fields (a TOML file)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mpftconnect.errors import ConfigurationError, UsageError
from mpftconnect.hl7v2.mapping.tables import CODE_SYSTEMS, IDENTIFIER_SYSTEMS
from mpftconnect.hl7v2.mapping.ways import Way
from mpftconnect.model import DEFAULT_ZONE, NHS_NUMBER_SYSTEM, ODS_ORGANIZATION_SYSTEM

__all__ = ["AUTHORITY", "BASE", "LOCAL_TARGETS", "Site", "read_site"]

# Numbers and codes that only a sender's own short name tells stand under this base. `.example` is reserved (RFC 2606,
# section 2): the addresses name them and promise no page.
BASE: Final = "https://mpftconnect.example/hl7v2/"
AUTHORITY: Final = BASE + "authority/"
_CODE_SYSTEM: Final = BASE + "code-system/"
# HSCIC ITK HL7 v2 Message Specifications 1.0.15, PID-3: authority NHS, type NH. The OID is that of the NHS number.
_NHS: Final = ("NHS", "NH", "NHSNBR", "NHSNMBR")
_NHS_OID: Final = "2.16.840.1.113883.2.1.4.1"
_ODS: Final = ("ODS", "NACS")
# Names that are remembered; a feed has a few dozen.
_MANY: Final = 4096


@lru_cache(maxsize=4096)
def _named(base: str, name: str) -> str:
    # A byte that is no text has its place in the address too.
    return base + quote(name, safe="", errors="surrogatepass")


LOCAL_TARGETS: Final = {
    "Patient.communication": "a way of communicating that the person needs, in words",
    "Patient.ethnic_category": "a code of the person's ethnic category",
    "Patient.reasonable_adjustments": "a reasonable adjustment",
    "Encounter.note": "free text beside the contact",
    "Encounter.reason": "why the contact is",
    "Encounter.service": "the service or specialty",
    "Flag": "an alert of its own",
}


@dataclass(frozen=True, kw_only=True)
class Site:
    """What is agreed with the senders of a feed. Everything has a default, which the ledger counts as `defaulted`.

    Args:
        name: What the source of the items is called (`source.system`).
        zone: IANA zone of times without an offset.
        authority: Who numbers what has no assigning authority. None: the sending facility, else the application.
        authorities: Assigning authority as sent (its namespace) to the URI of the numbers.
        nhs_authorities: Namespaces and type codes that mean the NHS number, beside the usual ones.
        code_systems: Name of a coding system as sent to its URI, beside table 0396's.
        tables: Local codes by table: `{"0001": {"X": "other"}}`.
        fields: Z-segment fields that become part of an item: `{"ZPV-3": "Encounter.service"}`, see `LOCAL_TARGETS`.
        senders: Sending facility or `application|facility` as sent to its ODS code.
        ods_fields: Fields whose organisation numbers are ODS codes though nothing in them says so, such as `PD1-3`.
        max_document: Characters of base64 that one document may have; what is longer is dropped, and the ledger says.
    """

    name: str = "hl7v2"
    zone: str = DEFAULT_ZONE
    authority: str | None = None
    authorities: Mapping[str, str] = field(default_factory=dict)
    nhs_authorities: tuple[str, ...] = ()
    code_systems: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    senders: Mapping[str, str] = field(default_factory=dict)
    ods_fields: tuple[str, ...] = ()
    max_document: int = 20_000_000

    def __post_init__(self) -> None:
        if not _is_zone(self.zone):
            raise UsageError("the site's time zone is not a known IANA name")

    @cached_property
    def _nhs(self) -> frozenset[str]:
        return frozenset((*_NHS, *self.nhs_authorities))

    def is_nhs(self, namespace: str | None, universal: str | None, kind: str | None) -> bool:
        """Whether an identifier says that it is an NHS number."""
        return (namespace or "").upper() in self._nhs or universal == _NHS_OID or (kind or "").upper() in self._nhs

    @staticmethod
    def is_ods(namespace: str | None) -> bool:
        """Whether an organisation's number says that it is an ODS code."""
        return (namespace or "").upper() in _ODS

    @cached_property
    def authority_systems(self) -> Mapping[str, str]:
        return {**IDENTIFIER_SYSTEMS, **self.authorities}

    def system_of(self, namespace: str) -> str:
        """The URI of the numbers of an authority that is named by a namespace.

        >>> Site(authorities={"MRN": "https://trust.example/Id/mrn"}).system_of("MRN")
        'https://trust.example/Id/mrn'
        >>> Site().system_of("RRE PAS")
        'https://mpftconnect.example/hl7v2/authority/RRE%20PAS'
        """
        return self.authority_systems.get(namespace) or _named(AUTHORITY, namespace)

    @cached_property
    def authority_way(self) -> Way:
        """Back from the URI to the namespace."""
        back = {uri: name for name, uri in reversed(list(self.authority_systems.items()))}
        back[NHS_NUMBER_SYSTEM] = "NHS"
        back.setdefault(ODS_ORGANIZATION_SYSTEM, "ODS")

        def namespace(value: Any) -> str | None:
            if not isinstance(value, str):
                return None
            return back.get(value) or (unquote(value[len(AUTHORITY) :]) if value.startswith(AUTHORITY) else None)

        return Way("authority", namespace)

    @cached_property
    def _systems(self) -> Mapping[str, str]:
        return {**CODE_SYSTEMS, **self.code_systems}

    def code_system(self, name: str) -> str:
        """The URI of a coding system as sent.

        >>> Site().code_system("LN"), Site().code_system("L")
        ('http://loinc.org', 'https://mpftconnect.example/hl7v2/code-system/L')
        """
        return self._systems.get(name) or _named(_CODE_SYSTEM, name)

    @cached_property
    def _exact_systems(self) -> dict[str, tuple[str, bool]]:
        return {}

    def exact_code_system(self, name: str) -> tuple[str, bool]:
        """The URI of a coding system as sent, and whether its name can be written back from that."""
        known = self._exact_systems.get(name)
        if known is None:
            uri = self.code_system(name)
            known = uri, self.code_system_way.back(uri) == name
            if len(self._exact_systems) < _MANY:
                self._exact_systems[name] = known
        return known

    @cached_property
    def _exact_authorities(self) -> dict[str, tuple[str, bool]]:
        return {}

    def exact_authority(self, namespace: str) -> tuple[str, bool]:
        """The URI of an authority's numbers, and whether its namespace can be written back from that."""
        known = self._exact_authorities.get(namespace)
        if known is None:
            uri = self.system_of(namespace)
            known = uri, self.authority_way.back(uri) == namespace
            if len(self._exact_authorities) < _MANY:
                self._exact_authorities[namespace] = known
        return known

    @cached_property
    def code_system_way(self) -> Way:
        back = {uri: name for name, uri in reversed({**self.code_systems, **CODE_SYSTEMS}.items())}
        back.update((uri, name) for name, uri in self.code_systems.items())

        def system_name(value: Any) -> str | None:
            if not isinstance(value, str):
                return None
            return back.get(value) or (unquote(value[len(_CODE_SYSTEM) :]) if value.startswith(_CODE_SYSTEM) else None)

        return Way("coding system", system_name)

    def table(self, known: tuple[Mapping[str, str], Way]) -> tuple[Mapping[str, str], Way]:
        """A table with the site's own codes beside the standard's."""
        own = self.tables.get(known[1].name.removeprefix("table ")) if self.tables else None
        if not own:
            return known
        codes, way = known

        def back(value: Any) -> str | None:
            # Two codes of one meaning cannot both be written back: the standard's is, and the other is kept as sent.
            return way.back(value) or next((code for code, meaning in own.items() if meaning == value), None)

        return {**codes, **own}, Way(way.name, back)


_WORDS: Final = {
    "name": "the name of the source, in words",
    "zone": "an IANA time zone, such as Europe/London",
    "authority": "a name",
    "authorities": "a table of names to URIs",
    "nhs_authorities": "a list of names",
    "code_systems": "a table of names to URIs",
    "tables": "a table of tables of codes to FHIR codes",
    "fields": 'a table such as "ZPV-3" = "Encounter.service"',
    "senders": "a table of facilities to ODS codes",
    "ods_fields": 'a list of fields, such as ["PD1-3"]',
    "max_document": "a whole number of characters, at least 1",
}


def read_site(path: Path | str) -> Site:
    """A site file's `[mapping]`.

    Raises:
        ConfigurationError: Every mistake at once, each with file, key and what is expected.
    """
    place = Path(path)
    try:
        content = tomllib.loads(place.read_text(encoding="utf-8"))
    except OSError:
        raise ConfigurationError([f"{place.name}: cannot be read"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        line = getattr(fault, "lineno", None)
        where = f" (line {line})" if line else ""
        raise ConfigurationError([f"{place.name}: is not TOML{where}"]) from None
    return site_from(content, place.name)


def site_from(content: Mapping[str, Any], file: str = "site file") -> Site:
    """A site from a parsed site file; errors as of `read_site`. Other tables of the file are not looked at."""
    problems: list[str] = []
    if content.get("version") != 1:
        problems.append(f"{file}: version: expected 1")
    mapping = content.get("mapping", {})
    if not isinstance(mapping, dict):
        raise ConfigurationError([*problems, f"{file}: mapping: expected a table"])
    settings: dict[str, Any] = {}
    for key, value in mapping.items():
        if key not in _WORDS:
            problems.append(f"{file}: mapping.{key}: is not known; expected one of {', '.join(_WORDS)}")
            continue
        if not _fits(key, value):
            problems.append(f"{file}: mapping.{key}: expected {_WORDS[key]}")
            continue
        if key == "fields":
            problems += [
                f"{file}: mapping.fields.{name}: expected {_FIELD_WORDS}"
                for name, target in value.items()
                if not _is_local_field(name) or target not in LOCAL_TARGETS
            ]
        settings[key] = tuple(value) if isinstance(value, list) else value
    if problems:
        raise ConfigurationError(problems)
    return Site(**settings)


_FIELD_WORDS: Final = f"a field of a Z-segment (ZPV-3) that becomes one of {', '.join(LOCAL_TARGETS)}"


def _is_local_field(name: str) -> bool:
    segment, dash, number = name.partition("-")
    return len(segment) == 3 and segment[0] == "Z" and segment.isalnum() and bool(dash) and number.isdigit()


def _fits(key: str, value: Any) -> bool:
    if key in ("name", "authority"):
        return isinstance(value, str) and bool(value.strip())
    if key == "zone":
        return isinstance(value, str) and _is_zone(value)
    if key == "max_document":
        return type(value) is int and value > 0
    if key in ("nhs_authorities", "ods_fields"):
        return isinstance(value, list) and all(isinstance(name, str) for name in value)
    if not isinstance(value, dict):
        return False
    if key == "tables":
        return all(isinstance(codes, dict) and _strings(codes) for codes in value.values())
    if key in ("authorities", "code_systems"):
        return _strings(value) and all(":" in uri and not uri.isspace() for uri in value.values())
    return _strings(value)


def _strings(value: Mapping[str, Any]) -> bool:
    return all(isinstance(text, str) and text for text in value.values())


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
