"""Which packages, in which versions: a search path, dependencies, ranges and a lock.

A package that was asked for by name and is nowhere is an error that says where was looked and how to get
it. A *dependency* that is nowhere is kept as missing: whatever needs it later is "not checked", with that
hint. A package is never replaced by another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from mpftconnect.errors import ConfigurationError, PackageNotFound, PackageRefused
from mpftconnect.validation.definitions.archives import digest_of
from mpftconnect.validation.definitions.installed import installed_packs, restated_pack
from mpftconnect.validation.definitions.packages import Package, PackageSpec, manifest_of, read_package
from mpftconnect.validation.definitions.restated import Restated
from mpftconnect.validation.definitions.versions import matches, newest

__all__ = ["BUILT_IN", "Resolution", "packages_of", "read_lock", "resolve_packages", "user_cache"]

# Answered from the wheel: the official packages, pruned (definitions/make_core_pack.py, make_stu3_pack.py).
BUILT_IN = {"hl7.fhir.r4.core": "4.0.1", "hl7.fhir.r3.core": "3.0.2"}
# 3.0.2 is the technical correction of 3.0.1, and stands for it (FHIR STU3, "Version History").
_STANDS_FOR = {"hl7.fhir.r3.core": ("3.0.1",)}
# Names under which publishers mean a core package.
_SAME_AS = {
    "simplifier.core.r4": "hl7.fhir.r4.core",
    "hl7.fhir.core": "hl7.fhir.r4.core",
    "simplifier.core.r3": "hl7.fhir.r3.core",
}
_MOST_PACKAGES = 1000


@dataclass(slots=True)
class Resolution:
    """The packages to load, dependencies first, and what could not be found."""

    packages: list[Package] = field(default_factory=list)
    built_in: list[str] = field(default_factory=list)
    restated: list[Restated] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    def lock(self) -> dict[str, object]:
        """What was resolved, to be written as a lock file and given back as `lock=`."""
        found = {package.name: (package.version, package.digest) for package in self.packages}
        found |= {pack.name: (pack.version, digest_of(pack.source)) for pack in self.restated}
        return {
            "version": 1,
            "packages": {name: {"version": version, "sha256": digest} for name, (version, digest) in found.items()},
        }


def user_cache() -> Path:
    """The cache that FHIR tools share, or where `FHIR_PACKAGE_CACHE` points."""
    chosen = os.environ.get("FHIR_PACKAGE_CACHE")
    return Path(chosen) if chosen else Path.home() / ".fhir" / "packages"


def read_lock(path: Path) -> dict[str, tuple[str, str]]:
    """Name to version and digest, from a lock file."""
    try:
        data = msgspec.json.decode(path.read_bytes())
        return {name: (row["version"], row["sha256"]) for name, row in data["packages"].items()}
    except (OSError, msgspec.DecodeError, KeyError, TypeError, AttributeError):
        raise ConfigurationError([f"{path.name}: not a package lock file"]) from None


def resolve_packages(
    wanted: Iterable[str | os.PathLike[str]],
    search_path: Sequence[str | os.PathLike[str]] = (),
    *,
    lock: Mapping[str, tuple[str, str]] | None = None,
) -> Resolution:
    """Find the packages that were asked for, and what they depend on.

    Args:
        wanted: Each a name, `name@version`, or a path to a `.tgz` or folder.
        search_path: Folders with packages; `~/.fhir/packages` comes last.
        lock: Versions and digests that must be met.
    Raises:
        PackageNotFound: A package that was asked for is nowhere.
        PackageRefused: A package is broken, hostile, or differs from the lock.
    """
    places = [Path(place) for place in search_path]
    for place in places:
        if not place.is_dir():
            raise ConfigurationError([f"package search path: {place.name} is not a folder"])
    found: dict[str, Package] = {}
    result = Resolution()
    queue: list[tuple[PackageSpec, str | None]] = []
    given: list[Package] = []
    for one in wanted:
        text = os.fspath(one)
        path = Path(text)
        if text.endswith((".tgz", ".tar.gz")) or path.is_dir():
            if not path.exists():
                raise PackageNotFound(f"{path.name}: no such file")
            given.append(read_package(path))
        else:
            queue.append((PackageSpec.parse(text), None))
    for package in given:
        found.setdefault(package.name, package)
        queue.extend((PackageSpec(n, v), package.name) for n, v in package.dependencies.items())
    while queue:
        spec, needed_by = queue.pop(0)
        name = _SAME_AS.get(spec.name, spec.name)
        if name in found or name in result.built_in or name in result.missing:
            continue
        if len(found) + len(result.missing) >= _MOST_PACKAGES:
            raise PackageRefused(f"more than {_MOST_PACKAGES} packages depend on each other")
        # A lock that names a core package was made with one that was found, and means that one.
        if _is_built_in(name, spec.version) and not (lock and name in lock):
            result.built_in.append(name)
            continue
        version = lock[name][0] if lock and name in lock else spec.version
        rules = restated_pack(name)
        if rules is not None:
            if not matches(rules.version, version or "*"):
                raise PackageNotFound(
                    f"package {spec}: what is installed is {rules}; it comes with a release of its own"
                )
            if lock and name in lock and digest_of(rules.source) != lock[name][1]:
                raise PackageRefused(f"package {rules}: its digest differs from the lock")
            if rules not in result.restated:
                result.restated.append(rules)
            continue
        candidate = _find(name, version, places)
        if candidate is None:
            hint = f"mpftconnect packages install {PackageSpec(name, spec.version)}"
            if needed_by is None:
                raise PackageNotFound(
                    f"package {PackageSpec(name, version)} was not found in "
                    f"{', '.join(str(p.name) for p in places) or 'any search path'} or the user's cache; "
                    f"get it with: {hint}"
                )
            result.missing[name] = f"{PackageSpec(name, spec.version)}, which {needed_by} needs: {hint}"
            continue
        if lock and name in lock and candidate.digest != lock[name][1]:
            raise PackageRefused(f"package {candidate}: its digest differs from the lock")
        found[name] = candidate
        queue.extend((PackageSpec(n, v), name) for n, v in candidate.dependencies.items())
    result.packages = _dependencies_first(found)
    return result


def _is_built_in(name: str, version: str | None) -> bool:
    wanted = version or "*"
    return name in BUILT_IN and (matches(BUILT_IN[name], wanted) or wanted in _STANDS_FOR.get(name, ()))


def _dependencies_first(found: Mapping[str, Package]) -> list[Package]:
    ordered: dict[str, Package] = {}
    opened: set[str] = set()
    # Two visits to each, and no recursion: a chain may be longer than Python's stack.
    stack = [(package, False) for package in reversed(list(found.values()))]
    while stack:
        package, is_done = stack.pop()
        if is_done:
            ordered[package.name] = package
        elif package.name not in opened:  # packages that need each other: either order
            opened.add(package.name)
            stack.append((package, True))
            stack.extend((found[name], False) for name in reversed(list(package.dependencies)) if name in found)
    return list(ordered.values())


def packages_of(place: Path) -> list[Package | str]:
    """Every package in a folder of packages; one that is broken or hostile as the reason why it is none."""
    found: list[Package | str] = []
    for path in _candidates(place, ""):
        try:
            found.append(manifest_of(path, path.stat().st_mtime_ns))
        except PackageRefused as error:
            if not path.is_dir():  # a folder of something else
                found.append(str(error))
        except OSError as error:
            found.append(f"{path.name}: cannot be read ({type(error).__name__})")
    return found


def _find(name: str, version: str | None, places: Sequence[Path]) -> Package | None:
    brought = installed_packs().get(name)
    groups: list[Callable[[], Iterable[Package]]] = [partial(_packages_in, place, name) for place in places]
    if brought is not None:
        groups.append(lambda: [read_package(brought)])
    groups.append(partial(_packages_in, user_cache(), name))
    for group in groups:
        candidates = [p for p in group() if p.name == name and matches(p.version, version or "*")]
        if candidates:
            best = newest([p.version for p in candidates])
            return next(p for p in candidates if p.version == best)
    return None


def _packages_in(place: Path, name: str) -> Iterable[Package]:
    for path in _candidates(place, name):
        try:
            yield manifest_of(path, path.stat().st_mtime_ns)
        except PackageRefused:
            if path.is_dir():  # a folder of something else
                continue
            raise
        except OSError as error:
            raise PackageRefused(f"{path.name}: cannot be read ({type(error).__name__})") from None


def _candidates(place: Path, name: str) -> list[Path]:
    """What may be a package: `name-1.0.0.tgz`, `name#1.0.0.tgz`, `name#1.0.0/`, `name/`: the name comes first."""
    if not place.is_dir():
        return []
    return [
        path
        for path in sorted(place.iterdir())
        if path.name.startswith(name) and (path.is_dir() or path.name.endswith((".tgz", ".tar.gz")))
    ]
