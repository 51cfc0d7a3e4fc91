"""The way to hl7apy's own types, for code that uses them already. Only here is hl7apy imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mpftconnect.errors import MessageUnreadable, UsageError

if TYPE_CHECKING:
    from mpftconnect.hl7v2.message import Message

__all__ = ["to_hl7apy"]


def to_hl7apy(message: Message, **options: Any) -> Any:
    """See `Message.to_hl7apy`."""
    try:
        from hl7apy.parser import parse_message
    except ImportError:
        raise UsageError('to_hl7apy needs the extra: pip install "mpftconnect[hl7]"') from None
    try:
        return parse_message(message.text, **options)
    except Exception as error:  # noqa: BLE001 - it raises of many kinds, and their words may hold values
        raise MessageUnreadable("hl7apy", "message", f"hl7apy raised {type(error).__name__}") from None
