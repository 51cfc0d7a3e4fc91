"""A record as JSON text: its fields, and beside each result what must stand beside it wherever it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json, to_json

from mpftconnect.hub.record import Record
from mpftconnect.model import SectionName

__all__ = ["record_json", "without_cautions"]

# No field of any item has this name; a test keeps it so.
CAUTION = "caution"


def record_json(record: Record) -> str:
    """The record's fields as JSON, with a `caution` in each item that has one."""
    document = record.model_dump(mode="json")
    for name, section in record.sections.items():
        for item, written in zip(section, document[name]["items"], strict=True):
            if item.caution:
                written[CAUTION] = item.caution
    return to_json(document, inf_nan_mode="strings").decode()


def without_cautions(text: str | bytes) -> str | bytes:
    """The text without what `record_json` adds; text that is no such JSON as it is, for others to refuse."""
    try:
        document = from_json(text)
    except ValueError:
        return text
    for written in _items(document):
        if isinstance(written.get(CAUTION), str):
            del written[CAUTION]
    return to_json(document)


def _items(document: Any) -> Iterator[dict[str, Any]]:
    for name in SectionName:
        section = document.get(name) if isinstance(document, dict) else None
        items = section.get("items") if isinstance(section, dict) else None
        yield from (item for item in items if isinstance(item, dict)) if isinstance(items, list) else ()
