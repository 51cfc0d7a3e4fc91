"""What a search finds. Empty never means that there is no such person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from mpftconnect.hub.record import Gap
from mpftconnect.model import Patient

__all__ = ["People"]


@dataclass(frozen=True, slots=True)
class People(Sequence[Patient]):
    """Candidates from a search. Empty never means that there is no such person.

    Args:
        people: Who fits, as the tracing service knows them; of restricted people no location.
        gaps: Systems that could search and did not answer.
    """

    people: tuple[Patient, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def complete(self) -> bool:
        return not self.gaps

    def words(self) -> str:
        found = f"{len(self.people)} fit." if self.people else "Nobody was found who fits. This does not mean none."
        return " ".join([found, *(gap.words() for gap in self.gaps)])

    def __len__(self) -> int:
        return len(self.people)

    @overload
    def __getitem__(self, index: int) -> Patient: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Patient]: ...
    def __getitem__(self, index: int | slice) -> Patient | Sequence[Patient]:
        return self.people[index]

    def __iter__(self) -> Iterator[Patient]:
        return iter(self.people)
