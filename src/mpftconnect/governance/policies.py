"""Policies on what may be shown. *Declared* ones appear in `Record.withheld`; *silent* ones leave no trace (rule 6).

A policy is a pure function from what one system contributed to what of it may be shown. The hub applies the silent
policies first, before anything is counted, matched, merged, audited or rendered, so that the rest of the SDK never
knows what they took away. What they took is handed to the privacy-officer stream alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from mpftconnect.adapters.contract import Refusal
from mpftconnect.model import Item, Model, Notice, Patient, SectionName

__all__ = ["Contribution", "Policy", "PolicySpec", "Taken"]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one system said of one person, section by section.

    Args:
        system: Configured name.
        patient: The person as the system knows them.
        items: Items by section.
        notices: Notices by section.
        refusals: Entries that could not be taken, by section.
    """

    system: str
    patient: Patient | None = None
    items: Mapping[SectionName, tuple[Item, ...]] = field(default_factory=dict)
    notices: Mapping[SectionName, tuple[Notice, ...]] = field(default_factory=dict)
    refusals: Mapping[SectionName, tuple[Refusal, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Taken:
    """Something that a policy kept back.

    Args:
        item: Id of the item at its source; None for something that is not an item.
        whole: False where only a part of the item was taken.
    """

    system: str
    section: SectionName
    item: str | None
    whole: bool = True


class Policy(Protocol):
    """One configured policy. `withholds_system` is asked before a system is; `apply` after it answered.

    `cautions` are what whoever runs it must know of this configuration; `mpftconnect doctor` prints them.
    A silent policy may have `judges_by_links = True`: an item may have to be kept back for what it points at in another
    section. Of a system that is read for a few sections, the others are then read too, for judging alone.
    """

    @property
    def cautions(self) -> tuple[str, ...]: ...

    def withholds_system(self, system: str) -> bool: ...

    def apply(self, contribution: Contribution) -> tuple[Contribution, tuple[Taken, ...]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec:
    """A policy as a plugin registers it.

    Args:
        name: What a configuration's `policy =` says.
        kind: `declared` or `silent`.
        settings: A frozen `Model` of its settings.
        build: Makes the policy from an instance of `settings`.
        words: For declared policies: what is kept back and why, for `Record.withheld`.
    """

    name: str
    kind: Literal["declared", "silent"]
    settings: type[Model]
    build: Callable[[Any], Policy]
    words: str = ""
