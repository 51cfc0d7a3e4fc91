"""Counts leaves: what was sent, against what an item shows or keeps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from mpftconnect.fhir import extensions, parse_json, write_resource
from mpftconnect.model import Item

Leaf = tuple[str, str]


def leaves(value: Any, path: str = "") -> Iterator[Leaf]:
    """Every scalar with its path, without indexes: a kept entry may move up when its neighbour was malformed."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from leaves(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part, path)
    elif isinstance(value, str):
        # Ids that we make up for contained resources say nothing; they are numbered anew at each writing.
        yield path, repr(re.sub(r"(?<=mpftconnect-)([a-z-]+)-\d+", r"\1", value))
    elif isinstance(value, bool) or value is None:
        yield path, repr(value)
    else:
        yield path, f"number {value}"


def _dates_as_sent(value: Any) -> Any:
    """The written resource with each date as its source sent it, which our extension on the element holds."""
    if isinstance(value, list):
        return [_dates_as_sent(part) for part in value]
    if not isinstance(value, dict):
        return value
    told = {name: _dates_as_sent(part) for name, part in value.items()}
    for name, part in value.items():
        if not name.startswith("_"):
            continue
        sides = part if isinstance(part, list) else [part]
        texts = [_text_as_sent(side) for side in sides]
        if all(text is not None for text in texts):
            told[name[1:]] = texts if isinstance(part, list) else texts[0]
    return told


def _text_as_sent(side: Any) -> str | None:
    extension = side["extension"][0]
    return extension["extension"][0]["valueString"] if extension["url"] == extensions.AS_SENT else None


def _kept(item: Item) -> Counter[Leaf]:
    found: Counter[Leaf] = Counter()
    for extra in item.extra:
        path = re.sub(r"\[\d+\]", "", extra.path)
        found.update(leaves(parse_json(extra.json_text.encode(), max_depth=1000), path))
    return found


def lost(sent: dict[str, Any], item: Item, write: Callable[[Item], dict[str, Any]] = write_resource) -> Counter[Leaf]:
    """Leaves of what was sent that the item neither shows (it writes them at the same place) nor keeps in `extra`."""
    resource = write(item)
    written = Counter(leaves(resource)) | Counter(leaves(_dates_as_sent(resource)))
    missing = Counter(leaves(sent)) - written - _kept(item)
    # What an extension of ours holds may be written in R4's own element instead, once that has become free.
    values = {value for _, value in written}
    own = set(_own_leaves(sent))
    return Counter({leaf: n for leaf, n in missing.items() if leaf not in own or not _is_said(leaf[1], values)})


def _is_said(value: str, values: set[str]) -> bool:
    return value in values or value.startswith(f"'{extensions.BASE}")


def _own_leaves(value: Any, path: str = "") -> Iterator[Leaf]:
    if isinstance(value, list):
        for part in value:
            yield from _own_leaves(part, path)
    elif isinstance(value, dict):
        if str(value.get("url")).startswith(extensions.BASE):
            yield from leaves(value, path)
        else:
            for name, part in value.items():
                yield from _own_leaves(part, f"{path}.{name}" if path else name)


def shares(sent: dict[str, Any], item: Item) -> tuple[int, int]:
    """How many leaves were sent, and how many of them are in `extra`."""
    every = Counter(leaves({name: part for name, part in sent.items() if name != "resourceType"}))
    return every.total(), (every & _kept(item)).total()
