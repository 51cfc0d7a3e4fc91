"""A FHIR package registry (the protocol of packages.fhir.org): only asked when a user asks for it.

`GET {registry}/{name}` gives the versions with their checksums; `GET {registry}/{name}/{version}` the archive.
What comes back is hostile until shown otherwise: sizes and time are limited, the checksum is compared, and
members are written only inside the cache. Either everything that is needed arrives, or the command fails and says what
was put in place before: a package that the registry does not have is told apart from a registry that fell silent.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec

from mpftconnect.errors import PackageNotFound, PackageRefused
from mpftconnect.validation.definitions.archives import package_files, safe_name
from mpftconnect.validation.definitions.packages import PackageSpec, read_package
from mpftconnect.validation.definitions.resolve import BUILT_IN, user_cache
from mpftconnect.validation.definitions.versions import matches, newest

__all__ = ["REGISTRY", "Fetch", "install"]

REGISTRY = "https://packages.fhir.org"
_LARGEST_ANSWER = 256 * 1024 * 1024
_SECONDS = 300.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")


class Fetch(Protocol):
    """Gives the body at an address, or None where there is none."""

    def __call__(self, url: str, /) -> bytes | None: ...


def install(
    wanted: str,
    *,
    registry: str = REGISTRY,
    cache: Path | None = None,
    fetch: Fetch | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> list[str]:
    """Put a package and what it depends on into the user's cache.

    Args:
        wanted: `name` or `name@version`.
        registry: Base address; https, unless it is on this machine.
        cache: Where to; `~/.fhir/packages` unless given.
        fetch: For tests; otherwise HTTP with limits.
        tell: Called with a line for each package.
    Returns:
        What was installed, as `name@version`.
    Raises:
        PackageNotFound: The registry has no such package or version.
        PackageRefused: An answer is broken, too large, or its checksum differs.
    """
    folder = cache or user_cache()
    get = fetch or _http(registry)
    installed: list[str] = []
    queue = [PackageSpec.parse(wanted)]
    seen: set[str] = set()
    while queue:
        spec = queue.pop(0)
        if spec.name in seen or spec.name in BUILT_IN:
            continue
        seen.add(spec.name)
        if len(seen) > 200:
            raise PackageRefused("more than 200 packages depend on each other")
        first = not installed and spec.name == PackageSpec.parse(wanted).name
        try:
            name, version, place = _install_one(spec, registry.rstrip("/"), folder, get)
        except PackageNotFound as error:
            if first:
                raise
            tell(f"not found: {error}")
            continue
        tell(f"installed {name}@{version}")
        installed.append(f"{name}@{version}")
        queue.extend(PackageSpec(n, v) for n, v in read_package(place).dependencies.items())
    return installed


def _install_one(spec: PackageSpec, registry: str, folder: Path, get: Fetch) -> tuple[str, str, Path]:
    if not _NAME.fullmatch(spec.name):
        raise PackageRefused("a package's name has letters, digits, points, - and _ only")
    body = get(f"{registry}/{spec.name}")
    if body is None:
        raise PackageNotFound(f"the registry has no package {spec.name}")
    versions = _versions(body, spec.name)
    version = newest([v for v in versions if matches(v, spec.version or "*")])
    if version is None:
        raise PackageNotFound(f"the registry has no version {spec.version} of {spec.name}")
    place = folder / f"{spec.name}#{version}"
    if place.is_dir():
        return spec.name, version, place
    archive = get(f"{registry}/{spec.name}/{version}")
    if archive is None:
        raise PackageNotFound(f"the registry has no archive of {spec.name}@{version}")
    checksum = versions[version]
    if not checksum:
        raise PackageRefused(f"{spec.name}@{version}: the registry states no checksum, so nothing can be trusted")
    if hashlib.sha1(archive, usedforsecurity=False).hexdigest() != checksum:
        raise PackageRefused(f"{spec.name}@{version}: the checksum differs from what the registry states")
    _unpack(archive, place, spec.name, version)
    return spec.name, version, place


def _versions(body: bytes, name: str) -> dict[str, str]:
    """Version to checksum (empty where none is stated)."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        answer = None
    listed = answer.get("versions") if isinstance(answer, dict) else None
    if not isinstance(listed, dict):
        raise PackageRefused(f"the registry's answer about {name} is not a package listing")
    found: dict[str, str] = {}
    for version, row in listed.items():
        dist: Any = row.get("dist") if isinstance(row, dict) else None
        shasum = dist.get("shasum") if isinstance(dist, dict) else None
        if _NAME.fullmatch(version):
            found[version] = shasum.lower() if isinstance(shasum, str) else ""
    return found


def _unpack(archive: bytes, place: Path, name: str, version: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        file = Path(scratch) / "package.tgz"
        file.write_bytes(archive)
        found = read_package(file)
        if (found.name, found.version) != (name, version):
            raise PackageRefused(f"{name}@{version}: the archive says that it is another package")
        target = Path(scratch) / "unpacked"
        for member, data in package_files(file):
            inside = safe_name(member)
            if inside is None:
                raise PackageRefused(f"{name}@{version}: a member's path leaves the package")
            path = target / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        try:
            target.replace(place)
        except OSError:
            if not place.is_dir():  # another process was faster
                raise
            shutil.rmtree(target, ignore_errors=True)


def _http(registry: str) -> Fetch:
    import requests

    local = re.match(r"http://(127\.0\.0\.1|localhost|\[::1\])(:|/|$)", registry)
    if not registry.startswith("https://") and not local:
        raise PackageRefused("a registry is asked over https")

    def get(url: str, /) -> bytes | None:
        deadline = time.monotonic() + _SECONDS
        try:
            # A redirect is refused by its status: it could lead to another host, or off https.
            with requests.get(
                url,
                timeout=(10, 30),
                stream=True,
                allow_redirects=False,
                headers={"Accept": "application/json, application/gzip"},
            ) as answer:
                if answer.status_code == 404:
                    return None
                if answer.status_code != 200:
                    raise PackageRefused(f"the registry answered with status {answer.status_code}")
                return b"".join(_pieces(answer.iter_content(65536), deadline))
        except requests.RequestException as error:
            raise PackageNotFound(
                f"the registry cannot be reached ({type(error).__name__}); nothing was installed"
            ) from None

    return get


def _pieces(pieces: Iterator[bytes], deadline: float) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > _LARGEST_ANSWER:
            raise PackageRefused("the registry's answer is larger than is allowed")
        if time.monotonic() > deadline:
            raise PackageRefused("the registry's answer took longer than is allowed")
        yield piece
