"""How much of a message is read at most. A message is hostile input until it has been judged."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_LIMITS", "Limits"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Every limit is judged once, before anything is split, so that no later access can run out of memory.

    Args:
        size: Bytes of one message. Documents travel in OBX-5 as base64, so this is generous.
        segments: Segments of one message.
        fields: Field separators of one message.
        parts: Repetition, component and sub-component separators of one message, together.

    Depth needs no limit: ER7 has four levels and no more.
    """

    size: int = 32 * 1024 * 1024
    segments: int = 50_000
    fields: int = 500_000
    parts: int = 1_000_000


DEFAULT_LIMITS = Limits()
