"""Where the indexes of imported terminologies are kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["default_store"]


def default_store() -> Path:
    """Where indexes are kept: `MPFT_TERMINOLOGY`, or the user's data folder for this program."""
    chosen = os.environ.get("MPFT_TERMINOLOGY")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "mpftconnect" / "terminology"
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "mpftconnect" / "terminology"
