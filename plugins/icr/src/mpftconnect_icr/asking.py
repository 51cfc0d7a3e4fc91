"""Asks one operation for its rows, over all its pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mpftconnect.errors import AnswerRejected

__all__ = ["Page", "rows_of"]

# From the number of a page, the answer as parsed JSON.
Page = Callable[[int], Any]
_TOTAL = "TotalItemCount"


def rows_of(page: Page, collection: str, *, size: int, limit: int, paged: bool = True) -> Iterator[Any]:
    """The entries of the collection, over all pages, in order, whatever they are.

    Args:
        page: Asks for a page; the first is 1.
        collection: The member that holds the rows.
        size: How many rows a page holds at most.
        limit: More pages than these are taken for a fault of the server.
        paged: Whether the operation has pages at all.
    Raises:
        AnswerRejected: An answer has no such collection, a page repeats the one before, or, after the last page, what
            came is not what `TotalItemCount` states. What was yielded before stands.
        AdapterError: As `page` does.
    """
    seen, before, stated = 0, None, None
    for number in range(1, limit + 1):
        answer = page(number)
        rows, total = _checked(answer, collection)
        if rows and rows == before:
            raise AnswerRejected("the page repeats what came before", place=collection)
        if stated is not None and total != stated:
            raise AnswerRejected("the pages state different numbers of rows", place=_TOTAL)
        yield from rows
        seen, before, stated = seen + len(rows), rows, total
        if not paged or not rows or (seen >= total if total is not None else len(rows) < size):
            break
    else:
        raise AnswerRejected(f"more than {limit} pages", place=collection)
    # The numbers themselves stay unsaid: they would count what a silent policy takes out.
    if stated is not None and seen != stated:
        raise AnswerRejected("what came is not as many as is stated", place=_TOTAL)


def _checked(answer: Any, collection: str) -> tuple[list[Any], int | None]:
    if not isinstance(answer, Mapping):
        raise AnswerRejected("is not a JSON object", place="the answer")
    total = answer.get(_TOTAL)
    if total is not None and (isinstance(total, bool) or not isinstance(total, int) or total < 0):
        raise AnswerRejected("is not a number of rows", place=_TOTAL)
    rows = answer.get(collection)
    if rows is None and collection in answer and total == 0:
        return [], 0
    if not isinstance(rows, list):
        raise AnswerRejected("is not a list", place=collection)
    return rows, total
