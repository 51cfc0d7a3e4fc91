"""What the tests of this room share."""

from __future__ import annotations

import sys
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]

# `strategies` (items of every type) and `near_twin_pairs`; importlib mode puts no directory on the path.
for folder in (_REPOSITORY / "tests" / "fhir", _REPOSITORY / "benchmarks"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
