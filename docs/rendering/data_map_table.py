"""Where the SDK may keep patient data: the table that `mpftconnect data-map` prints."""

from __future__ import annotations

from mpftconnect.governance.data_map import places


def render() -> str:
    """The data map as a Markdown table, with configuration keys in place of paths."""
    head = ("Place", "Where", "Patient data that it holds", "Protection", "Kept for", "Erasing one person")
    rows = [
        (place.name, place.where, place.holds, place.protection, place.retention, place.erasure) for place in places()
    ]
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
