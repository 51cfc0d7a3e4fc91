"""The policies that the SDK brings, registered through the same door as anybody's."""

from __future__ import annotations

from collections.abc import Sequence

from mpftconnect.governance.exclusion import exclusion_spec
from mpftconnect.governance.policies import PolicySpec
from mpftconnect.hookspecs import hookimpl

__all__ = ["mpft_policies"]


@hookimpl
def mpft_policies() -> Sequence[PolicySpec]:
    return [exclusion_spec]
