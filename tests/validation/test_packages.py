"""Packages: found, ordered, locked, refused; the core pack of the wheel; a registry."""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import io
import json
import lzma
import struct
import sys
import tarfile
import threading
import tracemalloc
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from judging import BASE, PATIENT, profile, rules

from mpftconnect.errors import ConfigurationError, PackageNotFound, PackageRefused, TimedOut, Unreachable
from mpftconnect.validation import Validator
from mpftconnect.validation.definitions import archives, registry
from mpftconnect.validation.definitions.core_pack import CorePack, load_core_pack, write_pack
from mpftconnect.validation.definitions.packages import read_package
from mpftconnect.validation.definitions.registry import install
from mpftconnect.validation.definitions.resolve import read_lock, resolve_packages

STRICT = profile("strict", "Patient", {"path": "Patient.telecom", "min": 1})


@pytest.fixture(autouse=True)
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own cache must not decide a test."""
    monkeypatch.setenv("FHIR_PACKAGE_CACHE", str(tmp_path / "cache"))


def archive(files: dict[str, bytes], *, links: tuple[tuple[str, str], ...] = ()) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return buffer.getvalue()


def package(
    name: str, version: str = "1.0.0", *resources: dict[str, Any], needs: dict[str, str] | None = None
) -> bytes:
    manifest = {"name": name, "version": version, "fhirVersions": ["4.0.1"], "dependencies": needs or {}}
    files = {"package/package.json": json.dumps(manifest).encode()}
    for number, resource in enumerate(resources):
        files[f"package/r{number}.json"] = json.dumps(resource).encode()
    return archive(files)


def put(folder: Path, name: str, version: str = "1.0.0", *resources: dict[str, Any], **more: Any) -> Path:
    path = folder / f"{name}-{version}.tgz"
    path.write_bytes(package(name, version, *resources, **more))
    return path


def test_a_package_is_found_by_name_version_range_or_path(tmp_path: Path) -> None:
    for version in ("1.0.0", "1.0.2", "1.1.0", "2.0.0-beta"):
        put(tmp_path, "zz.one", version, STRICT)
    for wanted, found in (
        ("zz.one", "1.1.0"),
        ("zz.one@1.0.x", "1.0.2"),
        ("zz.one#1.0.0", "1.0.0"),
        ("zz.one@2.0.0-beta", "2.0.0-beta"),
    ):
        assert [str(p) for p in resolve_packages([wanted], [tmp_path]).packages] == [f"zz.one@{found}"]
    for path in (tmp_path / "zz.one-1.0.0.tgz", str(tmp_path / "zz.one-1.0.0.tgz")):
        validator = Validator([path])
        assert rules(validator.validate(PATIENT, [BASE + "strict"])) == ["cardinality-min"]
    with pytest.raises(PackageNotFound):
        Validator([tmp_path / "absent.tgz"])


def test_a_folder_is_a_package_too(tmp_path: Path) -> None:
    folder = tmp_path / "zz.one#1.0.0" / "package"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"name": "zz.one", "version": "1.0.0"}')
    (folder / "s.json").write_text(json.dumps(STRICT))
    validator = Validator(["zz.one"], search_path=[tmp_path])
    assert rules(validator.validate(PATIENT, [BASE + "strict"])) == ["cardinality-min"]


def test_dependencies_come_first_and_a_ring_of_them_ends(tmp_path: Path) -> None:
    put(tmp_path, "zz.one", needs={"zz.two": "1.0.x", "hl7.fhir.r4.core": "4.0.1"})
    put(tmp_path, "zz.two", needs={"zz.one": "*"})
    resolution = resolve_packages(["zz.one"], [tmp_path])
    assert [p.name for p in resolution.packages] == ["zz.two", "zz.one"]
    assert resolution.built_in == ["hl7.fhir.r4.core"]


def test_what_is_absent_is_said_with_how_to_get_it(tmp_path: Path) -> None:
    put(tmp_path, "zz.one", needs={"zz.absent": "1.0.0"})
    validator = Validator(["zz.one"], search_path=[tmp_path])
    assert "mpftconnect packages install zz.absent@1.0.0" in validator.missing_packages["zz.absent"]
    with pytest.raises(PackageNotFound, match="packages install zz"):
        Validator(["zz.nowhere"], search_path=[tmp_path])
    with pytest.raises(PackageNotFound):
        Validator(["hl7.fhir.r4.core@4.0.0"], search_path=[tmp_path])
    with pytest.raises(ConfigurationError):
        Validator([], search_path=[tmp_path / "none"])


def test_a_lock_is_met_or_refused(tmp_path: Path) -> None:
    put(tmp_path, "zz.one", "1.0.0")
    lock = tmp_path / "lock.json"
    lock.write_text(json.dumps(resolve_packages(["zz.one"], [tmp_path]).lock()))
    put(tmp_path, "zz.one", "1.1.0")
    assert [str(p) for p in resolve_packages(["zz.one"], [tmp_path], lock=read_lock(lock)).packages] == ["zz.one@1.0.0"]
    put(tmp_path, "zz.one", "1.0.0", STRICT)
    with pytest.raises(PackageRefused, match="differs from the lock"):
        resolve_packages(["zz.one"], [tmp_path], lock=read_lock(lock))


@pytest.mark.parametrize("name", ["../evil.json", "/etc/evil.json", "package/../../evil.json", "C:\\evil.json"])
def test_a_path_that_leaves_the_package_refuses_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / "zz.tgz"
    path.write_bytes(archive({name: b"{}", "package/package.json": b'{"name": "zz"}'}))
    with pytest.raises(PackageRefused, match="leaves the package"):
        read_package(path)


def test_a_link_refuses_it(tmp_path: Path) -> None:
    path = tmp_path / "zz.tgz"
    path.write_bytes(archive({}, links=(("package/a.json", "/etc/passwd"),)))
    with pytest.raises(PackageRefused, match="link"):
        read_package(path)
    folder = tmp_path / "zz.linked"
    folder.mkdir()
    (tmp_path / "secret.json").write_text("{}")
    (folder / "a.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(PackageRefused, match="leaves the package"):
        read_package(folder)


def test_limits_hold_against_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAXIMUM_TOTAL_BYTES", 1_000_000)
    monkeypatch.setattr(archives, "MAXIMUM_FILE_BYTES", 800_000)
    monkeypatch.setattr(archives, "MAXIMUM_FILES", 50)
    path = tmp_path / "zz.tgz"
    path.write_bytes(archive({"package/a.json": b" " * 900_000}))
    assert path.stat().st_size < 10_000
    with pytest.raises(PackageRefused, match="larger"):
        read_package(path)
    path.write_bytes(archive({f"package/{i}.json": b" " * 400_000 for i in range(5)}))
    with pytest.raises(PackageRefused, match="in all"):
        read_package(path)
    path.write_bytes(archive({f"package/{i}.json": b"" for i in range(60)}))
    with pytest.raises(PackageRefused, match="files"):
        read_package(path)


def header(kind: bytes, size: int) -> bytes:
    """A member's header with any length, also less than nothing (base-256, as GNU tar has it)."""
    made = bytearray(tarfile.TarInfo("package/x.json").tobuf(tarfile.GNU_FORMAT)[:512])
    made[156:157] = kind
    made[124:136] = b"\xff" * 4 + struct.pack(">q", size) if size < 0 else b"%011o\0" % size
    made[148:156] = b"%06o\0 " % (256 + sum(made[:148]) + sum(made[156:]))
    return bytes(made)


@pytest.mark.parametrize("kind", [b"0", b"5", b"L", b"K", b"x", b"g"])
@pytest.mark.parametrize("size", [-512, -1024, 300 * 1024 * 1024, 70_000])
def test_a_header_that_lies_about_its_length_is_refused(tmp_path: Path, kind: bytes, size: int) -> None:
    """A long name of 3 GiB was read whole from an archive of 14 MB; a negative length ended in an error of Python's."""
    if (kind, size) in {(b"0", 70_000), (b"5", 70_000)}:
        size = 80 * 1024 * 1024  # an ordinary member may be that long
    path = tmp_path / "zz.tgz"
    path.write_bytes(gzip.compress(header(kind, size) + b"\0" * 100_000))
    tracemalloc.start()
    with pytest.raises(PackageRefused):
        read_package(path)
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


def test_a_member_of_less_than_no_bytes_is_refused_wherever_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "zz.tgz"
    whole = gzip.decompress(package("zz.one"))[:1024]
    path.write_bytes(gzip.compress(whole + header(b"0", -512) + b"\0" * 2048))
    with pytest.raises(PackageRefused, match="less than no bytes"):
        list(archives.package_files(path))


def test_headers_upon_headers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "zz.tgz"
    path.write_bytes(gzip.compress((header(b"L", 3) + b"ab".ljust(512, b"\0")) * 3000))
    with pytest.raises(PackageRefused):
        read_package(path)


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_only_gzip_is_unpacked(tmp_path: Path, pack: Any) -> None:
    """LZMA asks for as much memory as the archive says."""
    path = tmp_path / "zz.tgz"
    whole = gzip.decompress(package("zz.one"))
    path.write_bytes(pack(whole))
    with pytest.raises(PackageRefused, match="not a readable package archive"):
        read_package(path)
    path.write_bytes(whole)
    assert str(read_package(path)) == "zz.one@1.0.0"


def test_packages_that_need_each_other_in_a_long_chain_or_a_circle_come_in_order(tmp_path: Path) -> None:
    """A chain may be longer than Python's stack."""
    for number in range(450):
        folder = tmp_path / f"zz.n{number:03}#1.0.0" / "package"
        folder.mkdir(parents=True)
        needs = {f"zz.n{(number + 1) % 450:03}": "1.0.0"}
        manifest = {"name": f"zz.n{number:03}", "version": "1.0.0", "dependencies": needs}
        (folder / "package.json").write_text(json.dumps(manifest), encoding="utf-8")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    try:
        found = [package.name for package in resolve_packages(["zz.n000"], [tmp_path]).packages]
    finally:
        sys.setrecursionlimit(limit)
    assert found == [f"zz.n{number:03}" for number in reversed(range(450))]


def test_more_dependencies_than_anybody_has_are_refused(tmp_path: Path) -> None:
    """Each is looked for in every folder, found or not."""
    put(tmp_path, "zz.one", needs={f"zz.absent{number}": "1.0.0" for number in range(1001)})
    with pytest.raises(PackageRefused, match="more than 1000 packages"):
        resolve_packages(["zz.one"], [tmp_path])


# Named, since a compressed file holds its time, and a test's name must be the same in every process.
@pytest.mark.parametrize(
    "data",
    [b"", b"not an archive", gzip.compress(b"not a tar"), package("zz.one")[:100]],
    ids=["empty", "no-archive", "no-tar", "cut-short"],
)
def test_what_is_no_package_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "zz.tgz"
    path.write_bytes(data)
    with pytest.raises(PackageRefused):
        read_package(path)


def test_files_that_cannot_be_read_are_kept_and_the_rest_is_loaded(tmp_path: Path) -> None:
    files = {
        "package/package.json": b'{"name": "zz.one", "version": "1.0.0"}',
        "package/broken.json": b'{"resourceType": ',
        "package/other.txt": b"hello",
        "package/examples/p.json": json.dumps({"resourceType": "Patient", "id": "p"}).encode(),
        "package/s.json": json.dumps(STRICT).encode(),
        "package/s-again": json.dumps(STRICT).encode(),
    }
    path = tmp_path / "zz.one-1.0.0.tgz"
    path.write_bytes(archive(files))
    read = read_package(path)
    assert [head.url for head, _ in read.resources()] == [BASE + "strict"]
    assert read.unreadable == ["broken.json"]


class Registry:
    """A registry of the packages.fhir.org protocol, in memory."""

    def __init__(self, *packages: tuple[str, str, bytes], checksum: str | None = None) -> None:
        self.bodies: dict[str, bytes] = {}
        listed: dict[str, dict[str, Any]] = {}
        for name, version, data in packages:
            digest = checksum or hashlib.sha1(data, usedforsecurity=False).hexdigest()
            listed.setdefault(name, {})[version] = {"dist": {"shasum": digest}}
            self.bodies[f"https://r/{name}/{version}"] = data
        for name, versions in listed.items():
            self.bodies[f"https://r/{name}"] = json.dumps({"name": name, "versions": versions}).encode()

    def __call__(self, url: str, /) -> bytes | None:
        return self.bodies.get(url)


def test_a_package_is_installed_with_what_it_needs(tmp_path: Path) -> None:
    served = Registry(
        ("zz.one", "1.0.0", package("zz.one", "1.0.0", STRICT, needs={"zz.two": "1.0.x", "hl7.fhir.r4.core": "4.0.1"})),
        ("zz.two", "1.0.0", package("zz.two", "1.0.0")),
        ("zz.two", "1.0.5", package("zz.two", "1.0.5")),
    )
    told: list[str] = []
    assert install("zz.one", registry="https://r", fetch=served, tell=told.append) == ["zz.one@1.0.0", "zz.two@1.0.5"]
    assert told == ["installed zz.one@1.0.0", "installed zz.two@1.0.5"]
    assert rules(Validator(["zz.one"]).validate(PATIENT, [BASE + "strict"])) == ["cardinality-min"]


def test_an_installation_that_cannot_be_trusted_is_refused(tmp_path: Path) -> None:
    good = package("zz.one")
    with pytest.raises(PackageRefused, match="checksum"):
        install("zz.one", registry="https://r", fetch=Registry(("zz.one", "1.0.0", good), checksum="0" * 40))
    with pytest.raises(PackageRefused, match="another package"):
        install("zz.one", registry="https://r", fetch=Registry(("zz.one", "1.0.0", package("zz.two"))))
    with pytest.raises(PackageRefused, match="leaves the package"):
        install("zz.one", registry="https://r", fetch=Registry(("zz.one", "1.0.0", archive({"../x": b""}))))
    with pytest.raises(PackageNotFound):
        install("zz.one", registry="https://r", fetch=Registry())
    with pytest.raises(PackageRefused, match="https"):
        install("zz.one", registry="http://zz.example.test")
    assert not list((tmp_path / "cache").rglob("*.json"))


def test_the_core_pack_says_what_it_is_made_from() -> None:
    pack = load_core_pack()
    assert pack.package["license"] == "CC0-1.0"
    assert sum(entry.resource_type == "StructureDefinition" for entry in pack.entries) == 655
    assert "text" not in pack.read(next(place for head, place in pack.heads() if head.url.endswith("/Patient")))


def test_a_damaged_pack_is_refused() -> None:
    data = write_pack({"name": "zz", "version": "1"}, [[{"resourceType": "ValueSet", "url": "u"}]])
    assert CorePack(data).read((0, 0))["url"] == "u"
    for damaged in (b"", data[:30], b"x" + data):
        with pytest.raises(PackageRefused, match="damaged"):
            CorePack(damaged)


def test_the_core_pack_holds_what_the_published_package_says(packages: Path) -> None:
    """The pack against an independent copy of R4 core: every type agrees in each element's cardinality and types."""
    other = Validator([str(next(packages.glob("hl7.fhir.r4.core-*.tgz")))])._checks.trees
    ours = Validator()._checks.trees
    for code in ("Patient", "Observation", "Bundle", "Timing", "ElementDefinition", "MedicationRequest", "Extension"):
        assert _plain(ours.type_tree(code).to_json()) == _plain(other.type_tree(code).to_json()), code


def _plain(tree: Any) -> Any:
    """Without the invariants that the pack leaves out because they are checked structurally everywhere."""
    if isinstance(tree, dict):
        left_out = {"ele-1", "ext-1"}
        plain = {
            k: _plain({i: e for i, e in v.items() if i not in left_out} if k == "constraints" else v)
            for k, v in tree.items()
        }
        return {k: v for k, v in plain.items() if v != {} or k != "constraints"}
    return [_plain(item) for item in tree] if isinstance(tree, list) else tree


def test_a_package_without_a_checksum_is_refused() -> None:
    class Silent(Registry):
        def __call__(self, url: str, /) -> bytes | None:
            answer = super().__call__(url)
            return answer.replace(b'"shasum"', b'"other"') if answer else answer

    with pytest.raises(PackageRefused, match="no checksum"):
        install("zz.one", registry="https://r", fetch=Silent(("zz.one", "1.0.0", package("zz.one"))))


def test_a_registry_that_redirects_is_refused() -> None:
    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with pytest.raises(PackageRefused, match="status 302"):
                install("zz.one", registry=f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()


def test_integrity_is_checked_beside_the_older_checksum(tmp_path: Path) -> None:
    archived = package("zz.one")

    def sri(function: str, data: bytes) -> str:
        return f"{function}-{base64.b64encode(hashlib.new(function, data).digest()).decode()}"

    sha1 = hashlib.sha1(archived, usedforsecurity=False).hexdigest()
    caches = iter(range(100))

    def attempt(integrity: str, shasum: str | None = sha1) -> list[str]:
        dist = {"integrity": integrity, **({"shasum": shasum} if shasum else {})}
        served = Registry(("zz.one", "1.0.0", archived))
        served.bodies["https://r/zz.one"] = json.dumps({"versions": {"1.0.0": {"dist": dist}}}).encode()
        return install("zz.one", registry="https://r", fetch=served, cache=tmp_path / str(next(caches)))

    good, wrong, weak = sri("sha512", archived), sri("sha512", b"other"), sri("sha256", archived)
    for integrity, shasum in ((good, sha1), (f"{wrong} {good}", sha1), (good, None), ("md5-x", sha1), (weak, None)):
        assert attempt(integrity, shasum) == ["zz.one@1.0.0"]
    for integrity, shasum in ((wrong, sha1), ("sha512-not base64", sha1), (f"{wrong} {weak}", sha1), (good, "0" * 40)):
        with pytest.raises(PackageRefused, match="checksum differs"):
            attempt(integrity, shasum)
    with pytest.raises(PackageRefused, match="no checksum of a kind"):
        attempt("md5-x", None)


def test_a_registry_that_falls_silent_midway_is_no_success(tmp_path: Path) -> None:
    class Falling(Registry):
        def __call__(self, url: str, /) -> bytes | None:
            if "zz.two" in url:
                raise Unreachable("the registry cannot be reached")
            return super().__call__(url)

    served = Falling(("zz.one", "1.0.0", package("zz.one", needs={"zz.two": "1.0.0"})))
    with pytest.raises(Unreachable, match=r"installed before: zz\.one@1\.0\.0; zz\.two@1\.0\.0 is not complete"):
        install("zz.one", registry="https://r", fetch=served)
    told: list[str] = []
    whole = Registry(
        ("zz.one", "1.0.0", package("zz.one", needs={"zz.two": "1.0.0"})), ("zz.two", "1.0.0", package("zz.two"))
    )
    assert install("zz.one", registry="https://r", fetch=whole, tell=told.append) == ["zz.one@1.0.0", "zz.two@1.0.0"]
    assert told == ["already there, unchanged: zz.one@1.0.0", "installed zz.two@1.0.0"]


def test_a_package_in_the_cache_is_not_taken_on_trust(tmp_path: Path) -> None:
    served = Registry(("zz.one", "1.0.0", package("zz.one", "1.0.0", STRICT)))
    place = tmp_path / "cache" / "zz.one#1.0.0"
    install("zz.one", registry="https://r", fetch=served)
    (place / "package" / "r0.json").write_text("{}")
    with pytest.raises(PackageRefused, match="was changed"):
        install("zz.one", registry="https://r", fetch=served)
    (tmp_path / "cache" / ".mpftconnect" / "zz.one#1.0.0.sha256").unlink()
    told: list[str] = []
    install("zz.one", registry="https://r", fetch=served, tell=told.append)
    assert told == ["already there, put by another program and not checked: zz.one@1.0.0"]
    (place / "package" / "package.json").write_text('{"name": "zz.two", "version": "1.0.0"}')
    with pytest.raises(PackageRefused, match="another package"):
        install("zz.one", registry="https://r", fetch=served)


def test_a_registry_that_drips_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dripping(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            try:
                while not done.wait(0.05):
                    self.wfile.write(b" ")
                    self.wfile.flush()
            except OSError:  # the client went
                pass

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    done = threading.Event()  # it never ends by itself
    monkeypatch.setattr(registry, "_SECONDS", 0.3)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        with pytest.raises(TimedOut, match="nothing was installed"):
            install("zz.one", registry=f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(Unreachable, match="nothing was installed"):
            install("zz.one", registry="http://127.0.0.1:9")
    finally:
        done.set()
        server.shutdown()
        server.server_close()
