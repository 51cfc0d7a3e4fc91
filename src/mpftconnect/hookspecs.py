"""Every extension point, on one page.

A plugin is a module, named by an entry point of the group `mpftconnect`, with functions marked `@hookimpl`. Hooks
only *register objects*; behaviour sits on the objects. Open no files or sockets in a hook.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from mpftconnect.adapters.contract import AdapterSpec
    from mpftconnect.adapters.twin import TwinSpec
    from mpftconnect.conformance import Check, PackSource, ReportFormat
    from mpftconnect.governance.policies import PolicySpec
    from mpftconnect.model import SamenessSpec

__all__ = ["GROUP", "hookimpl", "hookspec"]

GROUP = "mpftconnect"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def mpft_adapters() -> Sequence[AdapterSpec]:  # type: ignore[empty-body]
    """Adapters that this distribution provides. Called once, when plugins are loaded."""


@hookspec
def mpft_twins() -> Sequence[TwinSpec]:  # type: ignore[empty-body]
    """Twins of supplier systems, for the sandbox. Called once, when plugins are loaded."""


@hookspec
def mpft_policies() -> Sequence[PolicySpec]:  # type: ignore[empty-body]
    """Policies on what may be shown; a configuration switches them on by name. Called once."""


@hookspec
def mpft_sameness() -> Sequence[SamenessSpec]:  # type: ignore[empty-body]
    """Terminologies that say whether two concepts mean the same; `[hub] sameness` switches them on. Called once."""


@hookspec
def mpft_packs() -> Sequence[PackSource]:  # type: ignore[empty-body]
    """Packs of requirements, each a TOML file that is opened when the pack is used. Called once."""


@hookspec
def mpft_checks() -> Sequence[Check]:  # type: ignore[empty-body]
    """Checks, each named by the id of its requirement. Called once."""


@hookspec
def mpft_report_formats() -> Sequence[ReportFormat]:  # type: ignore[empty-body]
    """Forms in which a conformance report is written. Called once."""
