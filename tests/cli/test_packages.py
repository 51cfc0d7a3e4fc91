"""`mpftconnect packages`: ranges, no network, what cannot be trusted, what a hostile package may print."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., tuple[int, str, str]]
Bodies = dict[str, bytes]
ONE = b'{"name": "zz.one", "version": "1.0.0"}'


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FHIR_PACKAGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)


def package(name: str, version: str, **more: Any) -> bytes:
    return archive({"package/package.json": json.dumps({"name": name, "version": version, **more}).encode()})


@pytest.fixture
def registry() -> Iterator[tuple[str, Bodies]]:
    """A registry on this machine, and what it serves: path to body."""
    bodies: Bodies = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = bodies.get(self.path.strip("/"))
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def serve(bodies: Bodies, name: str, versions: dict[str, bytes], *, digest: str | None = None) -> None:
    listed = {
        version: {"dist": {"shasum": digest or hashlib.sha1(data, usedforsecurity=False).hexdigest()}}
        for version, data in versions.items()
    }
    bodies[name] = json.dumps({"name": name, "versions": listed}).encode()
    bodies.update({f"{name}/{version}": data for version, data in versions.items()})


def test_a_range_installs_the_newest_that_fits(call: Call, registry: tuple[str, Bodies], cache: Path) -> None:
    url, bodies = registry
    serve(bodies, "zz.one", {v: package("zz.one", v) for v in ("1.0.0", "1.0.7", "1.1.0", "2.0.0-beta")})
    code, out, _ = call("packages", "install", "zz.one@1.0.x", "--registry", url)
    assert (code, out) == (0, "installed zz.one@1.0.7\n")
    assert call("packages", "install", "zz.one", "--registry", url)[1] == "installed zz.one@1.1.0\n"
    assert sorted(path.name for path in cache.iterdir() if "#" in path.name) == ["zz.one#1.0.7", "zz.one#1.1.0"]
    code, _, err = call("packages", "install", "zz.one@3.x", "--registry", url)
    assert (code, err) == (2, "mpftconnect: the registry has no version 3.x of zz.one\n")
    assert call("packages", "show", "zz.one@1.0.x")[1].startswith("zz.one@1.0.7  ")


def test_a_dependency_that_is_nowhere_is_no_whole_success(call: Call, registry: tuple[str, Bodies]) -> None:
    url, bodies = registry
    serve(bodies, "zz.one", {"1.0.0": package("zz.one", "1.0.0", dependencies={"zz.two": "1.0.0"})})
    code, out, _ = call("packages", "install", "zz.one", "--registry", url)
    assert code == 1
    assert out.splitlines() == ["installed zz.one@1.0.0", "not found: the registry has no package zz.two"]
    assert "needs zz.two@1.0.0: missing" in call("packages", "show", "zz.one")[1]


def test_without_a_network_it_says_how_to_get_the_package(call: Call, registry: tuple[str, Bodies]) -> None:
    code, _, err = call("packages", "install", "zz.one", "--registry", "http://127.0.0.1:9")
    assert code == 3
    assert "nothing was installed" in err
    assert "fetch http://127.0.0.1:9/zz.one/VERSION elsewhere" in err and "--package-path" in err


@pytest.mark.parametrize(
    ("data", "digest", "words"),
    [
        (package("zz.one", "1.0.0"), "0" * 40, "checksum differs"),
        (package("zz.two", "1.0.0"), None, "another package"),
        (archive({"package/package.json": ONE, "../evil.json": b"{}"}), None, "leaves the package"),
        (b"no archive", None, "not a readable package archive"),
    ],
    ids=["checksum", "name", "path", "rubbish"],
)
def test_what_cannot_be_trusted_leaves_nothing_behind(
    call: Call, registry: tuple[str, Bodies], cache: Path, data: bytes, digest: str | None, words: str
) -> None:
    url, bodies = registry
    serve(bodies, "zz.one", {"1.0.0": data}, digest=digest)
    code, _, err = call("packages", "install", "zz.one", "--registry", url)
    assert code == 2
    assert words in err
    assert [path for path in cache.rglob("*") if path.is_file()] == []
    assert not (cache.parent / "evil.json").exists()


def test_a_broken_package_is_listed_and_hides_no_other(call: Call, tmp_path: Path) -> None:
    (tmp_path / "zz.a-1.0.0.tgz").write_bytes(b"broken")
    (tmp_path / "zz.b-1.0.0.tgz").write_bytes(package("zz.b", "1.0.0"))
    (tmp_path / "something").mkdir()
    code, out, _ = call("packages", "list", "--package-path", str(tmp_path))
    assert code == 1
    assert "refused  zz.a-1.0.0.tgz: not a readable package archive (ReadError)" in out.splitlines()
    assert f"zz.b@1.0.0  {tmp_path / 'zz.b-1.0.0.tgz'}" in out.splitlines()
    assert "something" not in out
    code, _, err = call("packages", "list", "--package-path", str(tmp_path / "none"))
    assert code == 2 and "no such folder" in err


def test_a_package_cannot_forge_lines_or_steer_a_terminal(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "zz.a-1.0.0.tgz"
    manifest = {
        "name": "zz.a\nzz.forged@1.0.0  in this wheel (pruned)", "version": "1\x1b[2J",
        "fhirVersions": ["4.0.1\nx"], "dependencies": {"zz.b\nzz.c": "1\u202e"},
    }  # fmt: skip
    members = {"package/package.json": json.dumps(manifest).encode(), "package/x\ny.json": b'{"broken'}
    members["package/z.json"] = b'{"resourceType": "X\\nY", "id": "1"}'
    path.write_bytes(archive(members))
    for arguments in (("list", "--package-path", str(tmp_path)), ("show", str(path))):
        code, out, _ = call("packages", *arguments)
        assert code == 0
        assert not {"\x1b", "\u202e"} & set(out)
        assert not [line for line in out.splitlines() if line.startswith(("zz.forged", "zz.c", "x", "y", "Y"))]
