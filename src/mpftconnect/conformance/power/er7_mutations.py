"""Mutations of HL7 v2 messages, by operators that know no check: what the product said is changed in one place."""

from __future__ import annotations

import io
from collections.abc import Iterator

from mpftconnect.hl7v2 import read_messages

__all__ = ["er7_changes"]

_CODES = {"AA": "AE", "CA": "CE", "AE": "AA", "AR": "AA", "CE": "CA", "CR": "CA"}


def er7_changes(body: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Each change of a body of messages: operator, place (`PID-3.4`, without numbers of repetitions), new body.

    >>> [(o, p) for o, p, _ in er7_changes(b"MSH|^~\\\\&|A\\rMSA|AA|7\\r") if p.startswith("MSA-1")]
    [('drop-field', 'MSA-1'), ('alter-field', 'MSA-1'), ('alter-code', 'MSA-1')]
    """
    parts = [part.raw for part in read_messages(io.BytesIO(body)) if part.raw is not None]
    for number, raw in enumerate(parts):
        for operator, place, changed in _changes(raw):
            yield operator, place, b"".join([*parts[:number], changed, *parts[number + 1 :]])
        yield "drop-message", raw[:3].decode("latin-1"), b"".join([*parts[:number], *parts[number + 1 :]])
        yield "repeat-message", raw[:3].decode("latin-1"), b"".join([*parts[: number + 1], raw, *parts[number + 1 :]])


def _changes(raw: bytes) -> Iterator[tuple[str, str, bytes]]:
    lines = raw.rstrip(b"\r\n").split(b"\r")
    separator, component = raw[3:4], raw[4:5]
    for index, line in enumerate(lines):
        name = line[:3].decode("latin-1")

        def made(text: bytes | None, at: int = index) -> bytes:
            kept = lines[:at] + ([text] if text is not None else []) + lines[at + 1 :]
            return b"\r".join(kept) + b"\r"

        yield "drop-segment", name, made(None)
        fields = line.split(separator)
        # MSH-1 is the separator itself, so that its fields count from one more.
        shift = 1 if name == "MSH" else 0
        for number in range(1 if name != "MSH" else 2, len(fields)):
            value, place = fields[number], f"{name}-{number + shift}"
            if not value:
                continue

            def field(text: bytes, at: int = number, all_: list[bytes] = fields) -> bytes:
                return separator.join([*all_[:at], text, *all_[at + 1 :]])

            yield "drop-field", place, made(field(b""))
            yield "alter-field", place, made(field(value + b"x"))
            if (code := _CODES.get(value.decode("latin-1"))) is not None:
                yield "alter-code", place, made(field(code.encode()))
            leaves = value.split(component) if component else [value]
            if len(leaves) < 2:
                continue
            for at, leaf in enumerate(leaves):
                if leaf:
                    dropped = component.join([*leaves[:at], b"", *leaves[at + 1 :]])
                    altered = component.join([*leaves[:at], leaf + b"x", *leaves[at + 1 :]])
                    yield "drop-component", f"{place}.{at + 1}", made(field(dropped))
                    yield "alter-component", f"{place}.{at + 1}", made(field(altered))
