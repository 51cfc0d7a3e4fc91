"""Which packs and checks there are, and which of them a run takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mpftconnect.conformance.check import Check
from mpftconnect.conformance.evidence import EvidenceFile
from mpftconnect.conformance.requirement import Pack, PackSource, Requirement, VerifiedBy
from mpftconnect.errors import ConfigurationError, UsageError
from mpftconnect.plugins import PluginRegistry

__all__ = ["Catalog", "Chosen", "load_catalog"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a run takes: packs in the order in which they are judged, and the requirements of each.

    Args:
        preset: The use to which it was narrowed; empty if it was not.
    """

    packs: tuple[Pack, ...]
    requirements: tuple[Requirement, ...]
    preset: str = ""


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every pack and check that is installed.

    Args:
        power: What was measured of each pack's checks, as `conform power` wrote it.
        dues: What packs know of how long a document is in date.
    """

    packs: Mapping[str, Pack]
    checks: Mapping[str, Check]
    power: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    dues: tuple[Callable[[EvidenceFile], str], ...] = ()

    def due(self, file: EvidenceFile) -> str:
        """The last day on which a document is in date, ISO: the earliest that a pack or the document says."""
        days = [file.expires, *(due(file) for due in self.dues)]
        return min((day for day in days if day), default="")

    def pack(self, name: str) -> Pack:
        """
        Raises:
            UsageError: There is none of that name.
        """
        if name not in self.packs:
            raise UsageError(f"no such pack: {name} (there are {', '.join(sorted(self.packs)) or 'none'})")
        return self.packs[name]

    def requirement(self, id_: str) -> Requirement:
        """A requirement by id (`uk-core-r4#3`) or reference (`UKC-03`).

        Raises:
            UsageError: There is none.
        """
        for pack in self.packs.values():
            found = pack.requirement(id_) if "#" not in id_ or id_.startswith(f"{pack.name}#") else None
            if found is not None and not id_.isdigit():
                return found
        raise UsageError(f"no such requirement: {id_}")

    @property
    def presets(self) -> dict[str, str]:
        """Name to title."""
        return {preset.name: preset.title for pack in self.packs.values() for preset in pack.presets}

    def choose(
        self, packs: Sequence[str] = (), *, preset: str | None = None, only: Iterable[str] | None = None
    ) -> Chosen:
        """What to run.

        Args:
            packs: Names; all packs that have the preset, if none is given.
            preset: Takes only the requirements that belong to it.
            only: Takes only the requirements of these ids.
        Raises:
            UsageError: A name is unknown, or nothing is left.
        """
        if preset is not None and preset not in self.presets:
            raise UsageError(f"no such preset: {preset} (there are {', '.join(sorted(self.presets)) or 'none'})")
        if not packs and preset is None:
            raise UsageError("name a pack with --pack, or a use with --preset")
        named = [self.pack(name) for name in dict.fromkeys(packs)] or [
            pack for pack in self.packs.values() if any(p.name == preset for p in pack.presets)
        ]
        wanted = set(only) if only is not None else None
        requirements: list[Requirement] = []
        ordered = self._ordered(named)
        for pack in ordered:
            within = next((set(p.requirements) for p in pack.presets if p.name == preset), None)
            if preset is not None and within is None:
                within = {r.id for r in pack.requirements} if packs else set()
            requirements.extend(
                r
                for r in pack.requirements
                if (within is None or r.id in within) and (wanted is None or r.id in wanted)
            )
        if not requirements:
            raise UsageError("nothing to run: no requirement is left")
        taken = {r.pack for r in requirements}
        return Chosen(tuple(p for p in ordered if p.name in taken), tuple(requirements), preset or "")

    def _ordered(self, packs: Sequence[Pack]) -> list[Pack]:
        """Packs whose outcomes others read come first."""
        names = [pack.name for pack in packs]
        after = {
            name: {
                each for check in self.checks.values() if check.pack == name for each in check.after if each in names
            }
            for name in names
        }
        done: list[str] = []
        waiting = list(names)
        while waiting:
            ready = [name for name in waiting if after[name] - {name} <= set(done)] or waiting[:1]
            done.append(ready[0])
            waiting.remove(ready[0])
        by_name = {pack.name: pack for pack in packs}
        return [by_name[name] for name in done]


def load_catalog(registry: PluginRegistry) -> Catalog:
    """Read every registered pack, and hold it against the registered checks.

    Raises:
        ConfigurationError: Every mistake of every pack, and every requirement whose check is missing or too many.
    """
    problems: list[str] = []
    packs: dict[str, Pack] = {}
    for name, source in registry.packs.items():
        try:
            packs[name] = source.load()
        except ConfigurationError as error:
            problems.extend(error.problems)
    checks = registry.checks
    known = {r.id: r for pack in packs.values() for r in pack.requirements}
    problems += [
        f"check {name}: no requirement has this id"
        for name in checks
        if name.partition("#")[0] in packs and name not in known
    ]
    for id_, requirement in known.items():
        needs = requirement.verified_by in (VerifiedBy.CHECK, VerifiedBy.SAMPLE)
        if needs and id_ not in checks:
            problems.append(f"{id_}: is verified by {requirement.verified_by}, and no check is registered for it")
        if requirement.verified_by is VerifiedBy.UNTESTABLE and id_ in checks:
            problems.append(f"{id_}: is untestable, and a check is registered for it")
    if problems:
        raise ConfigurationError(problems)
    power = {name: told for name, source in registry.packs.items() if (told := _measured(source))}
    dues = dict.fromkeys(source.due for source in registry.packs.values() if source.due is not None)
    return Catalog(packs, checks, power, tuple(dues))


def _measured(source: PackSource) -> dict[str, Any]:
    """What was measured; nothing if it was not, or cannot be read: a report then says that it was not measured."""
    if source.power is None:
        return {}
    try:
        told = json.loads(source.power.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
