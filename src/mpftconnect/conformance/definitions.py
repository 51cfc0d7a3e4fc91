"""Validators by package, for judges: made once a run, with what they stand on said for the report."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from mpftconnect.conformance.evidence import Undecided
from mpftconnect.conformance.outcome import Cause, CauseKind, Outcome
from mpftconnect.errors import DefinitionBroken, PackageNotFound, PackageRefused, UsageError
from mpftconnect.validation import Validator

__all__ = ["Definitions"]


class Definitions:
    """Gives validators.

    Args:
        search_path: Folders of packages, before the user's cache.
    """

    def __init__(self, search_path: Sequence[Path] = ()) -> None:
        self._search_path = tuple(search_path)
        self._made: dict[tuple[str, ...], Validator | Outcome] = {}
        self._asked: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()

    def again(self) -> Definitions:
        """The same packages, read once, for another run: what that one uses is counted anew."""
        other = Definitions(self._search_path)
        other._made, other._lock = self._made, self._lock
        return other

    def validator(self, *packages: str) -> Validator:
        """A validator under those packages.

        Raises:
            Undecided: One is not installed (not-tested, with the line that installs it), or cannot be used.
        """
        with self._lock:
            self._asked.add(packages)
            if packages not in self._made:
                self._made[packages] = self._make(packages)
            made = self._made[packages]
        if isinstance(made, Outcome):
            raise Undecided(made)
        return made

    def _make(self, packages: tuple[str, ...]) -> Validator | Outcome:
        try:
            return Validator(packages, search_path=self._search_path)
        except PackageNotFound:
            names = ", ".join(packages)
            return Outcome.not_tested(
                f"the declared package {names} is not installed: mpftconnect packages install {packages[0]}",
                Cause(
                    kind=CauseKind.TERMINOLOGY,
                    because="the definitions to judge by are not on this machine",
                    mend=f"mpftconnect packages install {packages[0]}, or name its folder in target.package_path",
                ),
            )
        except (PackageRefused, DefinitionBroken, UsageError) as error:
            return Outcome.not_tested(
                f"the declared package {packages[0]} cannot be used ({type(error).__name__})",
                Cause(
                    kind=CauseKind.TERMINOLOGY,
                    because=str(error)[:300],
                    otherwise="the package is damaged",
                    mend="install the package again, or declare another",
                ),
            )

    @property
    def used(self) -> tuple[str, ...]:
        """The packages that judges have used, as `name@version` with the digest where there is one."""
        named: dict[str, None] = {}
        with self._lock:
            for made in (self._made[packages] for packages in sorted(self._asked)):
                if isinstance(made, Validator):
                    digests = {str(package): package.digest for package in made.resolution.packages}
                    for name in made.packages:
                        named[f"{name} sha256:{digests[name]}" if name in digests else name] = None
        return tuple(sorted(named))
