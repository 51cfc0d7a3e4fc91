"""What one reading of a resource carries along: what is left over, the zone, and how to follow a reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from mpftconnect.errors import AnswerRejected
from mpftconnect.model import Extra, extra_from

__all__ = ["ABSENT", "NotMapped", "Reading", "Resolver", "Unreadable", "join"]

Resolver = Callable[[str], Mapping[str, Any] | None]

ABSENT: Final[Any] = object()


class NotMapped(AnswerRejected):
    """The resource cannot become an item of the model. Carries the place and the rule, never a value."""


class Unreadable(Exception):
    """A JSON value is not what its element holds. Never leaves this room: the value is kept as left over."""


def join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _must_be_finite(value: Any) -> None:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
        elif (isinstance(part, float) and not math.isfinite(part)) or (
            isinstance(part, Decimal) and not part.is_finite()
        ):
            raise NotMapped("holds a number that JSON does not have")


class Reading:
    """One resource being read.

    Args:
        zone: Of times without an offset.
        resolver: Follows a reference out of the resource; None if there is nowhere to look.
        contained: Contained resources by id, with their index.
        subject: The resource's own subject as sent, which contained resources repeat.
    """

    __slots__ = ("_resolver", "contained", "extra", "subject", "taken", "zone")

    def __init__(
        self,
        zone: str,
        resolver: Resolver | None = None,
        contained: dict[str, tuple[int, dict[str, Any]]] | None = None,
        subject: Any = ABSENT,
    ) -> None:
        self.extra: list[Extra] = []
        self.zone = zone
        self.contained = contained or {}
        self.taken: set[int] = set()
        self.subject = subject
        self._resolver = resolver

    def keep(self, path: str, value: Any) -> None:
        """Keep what the model cannot hold, with the place where it stood."""
        if type(value) is not str:
            _must_be_finite(value)
        self.extra.append(extra_from(path, value))

    @property
    def can_resolve(self) -> bool:
        return self._resolver is not None or bool(self.contained)

    def resolve(self, reference: str) -> dict[str, Any] | None:
        """The resource that a reference points to, contained or found by the resolver; None if it is not there."""
        if reference.startswith("#"):
            found: Any = self.contained.get(reference[1:], (0, None))[1]
        else:
            found = self._resolver(reference) if self._resolver else None
        return dict(found) if isinstance(found, Mapping) else None

    def aside(self) -> Reading:
        """A reading of something that is not part of this resource: what is left over there is not kept here."""
        return Reading(self.zone, self._resolver, self.contained)
