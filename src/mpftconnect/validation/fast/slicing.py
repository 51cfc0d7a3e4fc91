"""Slices that are told apart by one text of each item: an extension's address, an identifier's system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mpftconnect.validation.fast.recipes import ByKey, Check, Parts, Sliced, recipe_of

if TYPE_CHECKING:
    from mpftconnect.validation.check.run import Run
    from mpftconnect.validation.places import Place

__all__ = ["Keyed", "keyed_slices", "quick_slices"]

Item = tuple[Any, "str | None", "Place"]


class Keyed:
    """Open slices without order, each of its own texts of one property."""

    __slots__ = ("_demands", "_required", "_slices", "key", "silent")

    def __init__(self, slices: Any, key: str, demands: dict[str, tuple[int, int | None, Check | None]]) -> None:
        self._slices = slices
        self.key = key
        # By text: number of the slice, how many items it may have, what it demands of one (None: nothing).
        self._demands = demands
        self._required = {index: piece.least for index, piece in enumerate(slices.pieces) if piece.least > 0}
        # Whether a single item cannot break anything.
        self.silent = not self._required and all(
            check is None and (most is None or most > 0) for _, most, check in demands.values()
        )

    def check(self, items: list[Item], place: Place, run: Run) -> None:
        """Counts, and what each slice demands; all of it the slow way where something does not fit."""
        counts: dict[int, int] = {}
        todo: list[tuple[Check, Item]] = []
        for item in items:
            text = item[0].get(self.key)
            if text.__class__ is not str:
                return self._slow(items, place, run)
            found = self._demands.get(text)
            if found is None:
                continue
            index, most, check = found
            count = counts[index] = counts.get(index, 0) + 1
            if most is not None and count > most:
                return self._slow(items, place, run)
            if check is not None:
                todo.append((check, item))
        for index, least in self._required.items():
            if counts.get(index, 0) < least:
                return self._slow(items, place, run)
        for check, (value, code, where) in todo:
            check(value, code, where, run)
        return None

    def _slow(self, items: list[Item], place: Place, run: Run) -> None:
        self._slices.check(items, place, run)


def keyed_slices(slices: Any, code: str) -> Keyed | None:
    """Slices by one text, for items of a type; None where they are of another kind."""
    if slices.rules != "open" or slices.ordered or not slices.pieces:
        return None
    demands: dict[str, tuple[int, int | None, Check | None]] = {}
    key = None
    for index, piece in enumerate(slices.pieces):
        by = recipe_of(piece.belongs) if piece.belongs is not None else None
        if not isinstance(by, ByKey) or (key is not None and by.key != key):
            return None
        if piece.inner is not None or piece.unknown is not None:
            return None
        key = by.key
        for text in by.texts:
            if text in demands:
                return None
            demands[text] = (index, piece.most, None if _demands_nothing(piece.check, code) else piece.check)
    return Keyed(slices, key or "", demands)


def _demands_nothing(check: Check, code: str) -> bool:
    sliced = recipe_of(check)
    return isinstance(sliced, Sliced) and recipe_of(sliced.of_type(code)) == Parts(())


def quick_slices(slices: Any, code: str) -> Check:
    """The check of slices, by one text where that tells them apart."""
    keyed = keyed_slices(slices, code)
    return keyed.check if keyed is not None else slices.check
