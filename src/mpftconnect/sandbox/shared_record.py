"""What integrated care records hold of the synthetic people: the region's own, and a bordering region's.

The region's own (`icr`) keeps what hospitals and surgeries sent it as linked records; its `settings` name them. The
bordering region's (`icr-border`) speaks FHIR; its `settings["binaries"]` hold what its documents point at.
"""

from __future__ import annotations

from collections.abc import Mapping

from mpftconnect.sandbox import neighbouring_record, regional_record
from mpftconnect.sandbox.people import SystemView

__all__ = ["views"]


def views(*, with_excluded: bool = True) -> Mapping[str, Mapping[str, SystemView]]:
    """By system, then by the person's role.

    Args:
        with_excluded: Whether what a silent policy hides was ever written down.
    """
    return {
        "icr": regional_record.views(with_excluded=with_excluded),
        "icr-border": neighbouring_record.views(with_excluded=with_excluded),
    }
