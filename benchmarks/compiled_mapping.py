"""The mapping compiled: builds the wheel, compares what both ways give, and measures both beside hl7apy in one run.

    python benchmarks/compiled_mapping.py            # built, compared, measured
    python benchmarks/compiled_mapping.py --check    # built, compared, and the tests of HL7 v2 run with it

Needs a C compiler, and what the build fetches. Exit code 1 if anything differs, or if a test fails.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from result import Goal, Result, as_text
from size import FULL, Size

__all__ = ["run"]

ROOT = Path(__file__).resolve().parents[1]
_AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_TESTS = ("tests/hl7v2", "tests/inbox", "plugins/acute", "plugins/rio")


def run(size: Size) -> list[Result]:
    """The compiled mapping measured beside hl7apy; nothing where nothing can be compiled, or where little is wanted."""
    if size is not FULL or not any(map(shutil.which, ("cc", "gcc", "clang"))):
        return []
    with _built() as folder:
        return _measured(folder)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="run the tests of HL7 v2 with it; measure nothing")
    parser.add_argument("--one", choices=["digest", "speed"], help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        print(_digest() if given.one == "digest" else _speed())
        return 0
    with _built() as folder:
        told = [_in_process("digest", where) for where in (ROOT / "src", folder)]
        kinds = [each.split()[0] for each in told]
        if kinds != ["source", "compiled"]:
            print(f"what was to be compared is not what was loaded: {kinds}")
            return 1
        count, same = told[0].split()[1], told[0].split()[1:] == told[1].split()[1:]
        print(f"{count} messages mapped both ways: {'equal' if same else 'NOT EQUAL'}", flush=True)
        if given.check:
            return _tested(folder) if same else 1
        print(f"uncompiled\n{as_text(_measured(ROOT / 'src'))}\n\ncompiled\n{as_text(_measured(folder))}")
    return 0 if same else 1


@contextmanager
def _built() -> Iterator[Path]:
    """A folder that holds the package with the compiled modules, as long as it is needed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("building the compiled wheel ...", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
        subprocess.run(command, check=True, env=os.environ | {"HATCH_BUILD_HOOK_ENABLE_CUSTOM": "true"})
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "compiled")
        yield folder / "compiled"


def _in_process(what: str, package: Path) -> str:
    # A path of its own in front, so that what this process has loaded is not what the other imports.
    where = os.environ | {"PYTHONPATH": os.pathsep.join((str(package), str(ROOT / "benchmarks")))}
    command = [sys.executable, __file__, "--one", what]
    with tempfile.TemporaryDirectory() as empty:
        return subprocess.run(
            command, check=True, env=where, stdout=subprocess.PIPE, text=True, cwd=empty
        ).stdout.strip()


def _tested(folder: Path) -> int:
    where = os.environ | {"PYTHONPATH": str(folder), "MPFT_MAPPING": "compiled"}
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "-n", "2", *_TESTS], check=False, env=where).returncode


def _measured(package: Path) -> list[Result]:
    kind, rows = json.loads(_in_process("speed", package))
    added = " (compiled)" if kind == "compiled" else ""
    return [
        Result(**row | {"name": f"{row['name']}{added}", "goal": Goal(**row["goal"]) if row["goal"] else None})
        for row in rows
    ]


def _speed() -> str:
    import hl7v2_mapping

    return json.dumps([_kind(), [asdict(result) for result in hl7v2_mapping.run(FULL)]])


def _kind() -> str:
    from mpftconnect.hl7v2.mapping import draft

    return "source" if str(draft.__file__).endswith(".py") else "compiled"


def _digest() -> str:
    """What is loaded, how many messages were mapped, and a digest of all that the mapping gave."""
    digest, count = hashlib.sha256(), 0
    for raw in _messages():
        digest.update(_given(raw).encode("utf-8", "surrogatepass"))
        count += 1
    return f"{_kind()} {count} {digest.hexdigest()}"


def _given(raw: bytes) -> str:
    """Every change, what was parked, and every entry of the ledger, in words."""
    import dataclasses

    from pydantic import BaseModel

    from mpftconnect.errors import MpftConnectError
    from mpftconnect.hl7v2 import map_message, parse

    def plain(value: object) -> object:
        if isinstance(value, BaseModel):
            return type(value).__name__, value.model_dump_json(), value.model_dump_json(exclude_unset=True)
        if dataclasses.is_dataclass(value):
            fields = [(field.name, plain(getattr(value, field.name))) for field in dataclasses.fields(value)]
            return type(value).__name__, [each for each in fields if not each[0].startswith("_")]
        return [plain(each) for each in value] if isinstance(value, tuple | list) else repr(value)

    try:
        mapped = map_message(parse(raw), received=_AT)
    except MpftConnectError as error:
        return type(error).__name__
    return repr([plain(each) for each in (mapped.changes, mapped.parked, mapped.envelope, mapped.ledger.entries)])


def _messages() -> Iterator[bytes]:
    """The benchmark's messages, each with every field, in turn, left out, emptied, repeated, padded and made odd."""
    import hl7v2_mapping

    for text in (hl7v2_mapping._ADMISSION, hl7v2_mapping._RESULTS):
        lines = text.split("\r")
        yield f"{text}\r".encode()
        for at, line in enumerate(lines[1:], 1):
            fields = line.split("|")
            for index in range(1, len(fields)):
                for odd in (
                    "",
                    '""',
                    " ",
                    f"{fields[index]}~{fields[index]}",
                    f" {fields[index]}  x",
                    "a&b^c&d~e",
                    "\x07z",
                ):
                    changed = "|".join([*fields[:index], odd, *fields[index + 1 :]])
                    yield ("\r".join([*lines[:at], changed, *lines[at + 1 :]]) + "\r").encode()


if __name__ == "__main__":
    sys.exit(main())
