"""A hospital's own settings, checked when the configuration is read."""

from __future__ import annotations

from pydantic import Field

from mpftconnect.model import Model

__all__ = ["AcuteSettings"]


class AcuteSettings(Model):
    """`[systems.NAME.settings]`.

    Args:
        site: What people call the hospital; it stands where a gap is explained.
    """

    site: str = Field(default="", max_length=120)
