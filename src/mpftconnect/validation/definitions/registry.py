"""A FHIR package registry (the protocol of packages.fhir.org): only asked when a user asks for it.

`GET {registry}/{name}` gives the versions with their checksums; `GET {registry}/{name}/{version}` the archive.
What comes back is hostile until shown otherwise: sizes and time are limited, the checksum is compared, and
members are written only inside the cache. Either everything that is needed arrives, or the command fails and says what
was put in place before: a package that the registry does not have is told apart from a registry that fell silent.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from mpftconnect.errors import MpftConnectError, PackageNotFound, PackageRefused, TimedOut, Unreachable
from mpftconnect.validation.definitions.archives import digest_of, package_files, safe_name
from mpftconnect.validation.definitions.packages import PackageSpec, read_package
from mpftconnect.validation.definitions.resolve import BUILT_IN, user_cache
from mpftconnect.validation.definitions.versions import matches, newest

__all__ = ["REGISTRY", "Fetch", "install"]

REGISTRY = "https://packages.fhir.org"
_LARGEST_ANSWER = 256 * 1024 * 1024
_SECONDS = 300.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")


class Fetch(Protocol):
    """Gives the body at an address, or None where there is none. Raises `Unreachable` where nobody answers."""

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
        What is there now, as `name@version`: the package and what it needs, as far as the registry has it. What
        it has not is told, and stands in `Resolution.missing` when the package is used.
    Raises:
        PackageNotFound: The registry has no such package or version.
        PackageRefused: An answer is broken, too large, or its checksum differs; or a package that was installed
            before has been changed since.
        Unreachable, TimedOut: The registry fell silent; the message says what was put in place before.
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
            name, version, place, how = _install_one(spec, registry.rstrip("/"), folder, get)
        except PackageNotFound as error:
            if first:
                raise
            tell(f"not found: {error}")
            continue
        except (Unreachable, TimedOut) as error:
            before = f"installed before: {', '.join(installed)}" if installed else "nothing was installed"
            # A user behind a closed network needs the way round, not only the fault.
            elsewhere = (
                f"without a network: fetch {registry.rstrip('/')}/{spec.name}/VERSION elsewhere and put the file into "
                "a folder that --package-path names"
            )
            raise type(error)(f"{error}; {before}; {spec} is not complete; {elsewhere}") from None
        tell(f"{how} {name}@{version}")
        installed.append(f"{name}@{version}")
        queue.extend(PackageSpec(n, v) for n, v in read_package(place).dependencies.items())
    return installed


def _install_one(spec: PackageSpec, registry: str, folder: Path, get: Fetch) -> tuple[str, str, Path, str]:
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
        return spec.name, version, place, _already_there(place, spec.name, version)
    archive = get(f"{registry}/{spec.name}/{version}")
    if archive is None:
        raise PackageNotFound(f"the registry has no archive of {spec.name}@{version}")
    _check_sums(archive, versions[version], f"{spec.name}@{version}")
    _unpack(archive, place, spec.name, version)
    return spec.name, version, place, "installed"


def _already_there(place: Path, name: str, version: str) -> str:
    """How a package that is in the cache already is to be spoken of."""
    found = read_package(place)
    if (found.name, found.version) != (name, version):
        raise PackageRefused(f"{place.name} in the cache says that it is another package; remove it")
    record = _record_of(place)
    if not record.is_file():
        return "already there, put by another program and not checked:"
    if record.read_text(encoding="ascii", errors="replace").strip() != digest_of(place):
        raise PackageRefused(f"{place.name} in the cache was changed after it was installed; remove it and try again")
    return "already there, unchanged:"


def _record_of(place: Path) -> Path:
    """Where the digest of an installed package is kept: beside the packages, which other programs read too."""
    return place.parent / ".mpftconnect" / f"{place.name}.sha256"


def _check_sums(archive: bytes, stated: _Sums, what: str) -> None:
    """Compare an archive with every checksum that the registry states.

    `dist.integrity` is Subresource Integrity (W3C, 2016, section 3): of several, those of the strongest function count.
    """
    if not stated.sha1 and not stated.integrity:
        raise PackageRefused(f"{what}: the registry states no checksum, so nothing can be trusted")
    if stated.integrity:
        digests = [word.partition("?")[0].partition("-")[::2] for word in stated.integrity.split()]
        strongest = next((f for f in ("sha512", "sha384", "sha256") if any(name == f for name, _ in digests)), None)
        if strongest is None and not stated.sha1:
            raise PackageRefused(f"{what}: the registry states no checksum of a kind that is known")
        if strongest is not None:
            made = hashlib.new(strongest, archive).digest()
            if not any(name == strongest and _same(made, value) for name, value in digests):
                raise PackageRefused(f"{what}: the checksum differs from what the registry states")
    if stated.sha1 and hashlib.sha1(archive, usedforsecurity=False).hexdigest() != stated.sha1:
        raise PackageRefused(f"{what}: the checksum differs from what the registry states")


def _same(made: bytes, text: str) -> bool:
    try:
        return hmac.compare_digest(made, base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False


class _Sums(NamedTuple):
    """What a registry states of an archive; empty where it states nothing."""

    sha1: str
    integrity: str


def _versions(body: bytes, name: str) -> dict[str, _Sums]:
    """Version to checksums."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        answer = None
    listed = answer.get("versions") if isinstance(answer, dict) else None
    if not isinstance(listed, dict):
        raise PackageRefused(f"the registry's answer about {name} is not a package listing")
    found: dict[str, _Sums] = {}
    for version, row in listed.items():
        dist: Any = row.get("dist") if isinstance(row, dict) else None
        shasum = dist.get("shasum") if isinstance(dist, dict) else None
        integrity = dist.get("integrity") if isinstance(dist, dict) else None
        if _NAME.fullmatch(version):
            found[version] = _Sums(
                shasum.lower() if isinstance(shasum, str) else "", integrity if isinstance(integrity, str) else ""
            )
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
            return
    record = _record_of(place)
    record.parent.mkdir(exist_ok=True)
    record.write_text(f"{digest_of(place)}\n", encoding="ascii")


def _http(registry: str) -> Fetch:
    import requests

    local = re.match(r"http://(127\.0\.0\.1|localhost|\[::1\])(:|/|$)", registry)
    if not registry.startswith("https://") and not local:
        raise PackageRefused("a registry is asked over https")

    def get(url: str, /) -> bytes | None:
        # A timeout of sockets is one for each receive, which a server that sends a byte a second never exceeds. So the
        # request runs in a thread of its own, and is left alone when the deadline passes.
        deadline = time.monotonic() + _SECONDS
        outcome: list[tuple[bytes | None, MpftConnectError | None]] = []

        def work() -> None:
            try:
                outcome.append((ask(url, deadline), None))
            except MpftConnectError as error:
                outcome.append((None, error))

        thread = threading.Thread(target=work, name="mpftconnect-registry", daemon=True)
        thread.start()
        thread.join(_SECONDS)
        if not outcome:
            if not thread.is_alive():
                raise Unreachable("the registry's answer could not be read")
            raise TimedOut("the registry's answer took longer than is allowed")
        body, problem = outcome[0]
        if problem is not None:
            raise problem
        return body

    def ask(url: str, deadline: float) -> bytes | None:
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
                if answer.status_code >= 500 or answer.status_code == 429:
                    raise Unreachable(f"the registry failed with status {answer.status_code}")
                if answer.status_code != 200:
                    raise PackageRefused(f"the registry answered with status {answer.status_code}")
                return b"".join(_pieces(answer.iter_content(8192), deadline))
        except requests.RequestException as error:
            raise Unreachable(f"the registry cannot be reached ({type(error).__name__})") from None

    return get


def _pieces(pieces: Iterator[bytes], deadline: float) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > _LARGEST_ANSWER:
            raise PackageRefused("the registry's answer is larger than is allowed")
        if time.monotonic() > deadline:
            raise TimedOut("the registry's answer took longer than is allowed")
        yield piece
