"""The mapping compiled: builds the wheel, compares what both ways give, and measures both beside hl7apy in one run.

    python benchmarks/compiled_mapping.py

Needs a C compiler, and what the build fetches. Exit code 1 if anything differs.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("building the compiled wheel ...", file=sys.stderr)
        environment = os.environ | {"HATCH_BUILD_HOOK_ENABLE_CUSTOM": "true"}
        command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
        subprocess.run(command, check=True, env=environment)
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "compiled")
        # A path of its own in front, so that this process's source is not what the other imports.
        compiled = os.environ | {"PYTHONPATH": os.pathsep.join((str(folder / "compiled"), str(ROOT / "benchmarks")))}
        pure = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT / "benchmarks")))}
        told = {}
        for kind, where in (("uncompiled", pure), ("compiled", compiled)):
            ran = subprocess.run(
                [sys.executable, __file__, "--one"], check=True, env=where, capture_output=True, text=True, cwd=folder
            )
            modules, digest, table = ran.stdout.split("\n", 2)
            print(f"{kind} ({modules})\n{table}")
            told[kind] = digest
            if ("extension" in modules) != (kind == "compiled"):
                print(f"the {kind} mapping is not what was measured")
                return 1
    same = told["compiled"] == told["uncompiled"]
    print(f"{told['compiled'].partition(' ')[0]} messages mapped both ways: {'equal' if same else 'NOT EQUAL'}")
    return 0 if same else 1


def one() -> None:
    """In a process of its own: what is loaded, a digest of all that the mapping gives, and how fast it is."""
    import hl7v2_mapping
    from result import as_text
    from size import FULL

    from mpftconnect.hl7v2.mapping import draft

    print("extension modules" if not str(draft.__file__).endswith(".py") else "source")
    digest, count = hashlib.sha256(), 0
    for raw in _messages():
        digest.update(_given(raw).encode("utf-8", "surrogatepass"))
        count += 1
    print(count, digest.hexdigest())
    print(as_text(hl7v2_mapping.run(FULL)))


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
    if sys.argv[1:] == ["--one"]:
        one()
    else:
        sys.exit(main())
