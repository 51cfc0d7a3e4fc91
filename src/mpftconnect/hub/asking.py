"""Asking one system for one thing, and why it may not be asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpftconnect.adapters.contract import Capability
from mpftconnect.errors import GapReason
from mpftconnect.hub.fan_out import Failure
from mpftconnect.hub.systems import OpenSystem
from mpftconnect.model import AccessContext

__all__ = ["ask", "failure_of", "method", "not_to_be_asked"]


def not_to_be_asked(system: OpenSystem, who: AccessContext) -> Failure | None:
    """Why nothing at all may be asked of it: it could not be opened, or no agreement covers the asking (rule 10)."""
    if system.failure is not None:
        return system.failure
    refusal = system.agreement_refusal(who, None)
    return Failure(GapReason.NO_AGREEMENT, refusal) if refusal else None


def ask(system: OpenSystem, capability: Capability, *arguments: Any) -> Any:
    """Call the adapter's method of that capability."""
    # Looked up in the thread that calls it: a method that an adapter declares and lacks is that system's failure.
    return method(system, capability)(*arguments)


def method(system: OpenSystem, capability: Capability) -> Callable[..., Any]:
    """The adapter's method of that capability."""
    found: Callable[..., Any] = getattr(system.adapter, str(capability))
    return found


def failure_of(error: BaseException | Failure | None) -> Failure | None:
    """What went wrong, without any value."""
    return error if error is None or isinstance(error, Failure) else Failure.of(error)
