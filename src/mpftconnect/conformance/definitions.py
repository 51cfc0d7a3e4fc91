"""Validators by package, for judges: made once a run, with what they stand on said for the report."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mpftconnect.conformance.evidence import Undecided
from mpftconnect.conformance.outcome import Cause, CauseKind, Outcome
from mpftconnect.errors import DefinitionBroken, PackageNotFound, PackageRefused, UsageError
from mpftconnect.validation import Validator
from mpftconnect.validation.terminology.releases.place import default_store

if TYPE_CHECKING:
    from mpftconnect.validation.terminology.imported import ImportedSystem, TerminologyStore

__all__ = ["Definitions"]


class Definitions:
    """Gives validators.

    Args:
        search_path: Folders of packages, before the user's cache.
        terminology: Folder of imported terminologies; the user's, if there is one, unless given.
    """

    def __init__(self, search_path: Sequence[Path] = (), *, terminology: Path | None = None) -> None:
        self._search_path = tuple(search_path)
        self._terminology = terminology
        self._store: TerminologyStore | None = None
        self._systems: set[str] = set()
        self._made: dict[tuple[str, ...], Validator | Outcome] = {}
        self._asked: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()

    def again(self) -> Definitions:
        """The same packages, read once, for another run: what that one uses is counted anew."""
        other = Definitions(self._search_path, terminology=self._terminology)
        other._made, other._lock, other._store = self._made, self._lock, self._store
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
            return Validator(packages, search_path=self._search_path, terminology=self._terminology)
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

    def code_system(self, url: str) -> ImportedSystem | None:
        """A terminology that the user imported (`mpftconnect packages import-terminology`); None if it was not.

        Raises:
            ConfigurationError: Its index is broken.
        """
        with self._lock:
            if self._store is None:
                folder = self._terminology or default_store()
                if not folder.is_dir():
                    return None
                from mpftconnect.validation.terminology.imported import TerminologyStore  # loads SQLite

                self._store = TerminologyStore(folder)
            found = self._store.find(url)
            if found is not None:
                self._systems.add(f"{url} {found.version}")
            return found

    @property
    def used(self) -> tuple[str, ...]:
        """What judges have used: packages as `name@version` with the digest where there is one, and imported
        terminologies with their version.
        """
        named: dict[str, None] = {}
        with self._lock:
            named.update(dict.fromkeys(self._systems))
            for made in (self._made[packages] for packages in sorted(self._asked)):
                if isinstance(made, Validator):
                    digests = {str(package): package.digest for package in made.resolution.packages}
                    for name in made.packages:
                        named[f"{name} sha256:{digests[name]}" if name in digests else name] = None
        return tuple(sorted(named))
