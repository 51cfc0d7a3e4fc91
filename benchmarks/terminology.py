"""Imported terminologies: the import of an RF2 release made up here, and one code looked up, beside a dict."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

from result import Result
from size import Size
from timing import cpu_clock, interleaved

from mpftconnect.validation.terminology.code_systems import SNOMED
from mpftconnect.validation.terminology.imported import TerminologyStore
from mpftconnect.validation.terminology.releases.importing import import_release
from mpftconnect.validation.terminology.releases.sctid import check_digit

__all__ = ["make_release", "run"]

_MODULE, _IS_A = "900000000000207008", "116680003"
_COMMON = "id\teffectiveTime\tactive\tmoduleId\t"
_HEADS = {
    "sct2_Concept_Snapshot": "definitionStatusId",
    "sct2_Description_Snapshot-en": "conceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId",
    "sct2_Relationship_Snapshot": (
        "sourceId\tdestinationId\trelationshipGroup\ttypeId\tcharacteristicTypeId\tmodifierId"
    ),
    "der2_cRefset_LanguageSnapshot-en": "refsetId\treferencedComponentId\tacceptabilityId",
    "der2_Refset_SimpleSnapshot": "refsetId\treferencedComponentId",
}


def _sctid(number: int, partition: str) -> str:
    digits = f"{number}{partition}"
    return digits + check_digit(digits)


def make_release(path: Path, concepts: int) -> list[str]:
    """An RF2 snapshot of invented concepts: a tree eight wide, a second parent for some, two names each."""
    codes = [_sctid(100_000 + number, "00") for number in range(concepts)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, head in _HEADS.items():
            with archive.open(f"{name}_INT_20260401.txt", "w") as member:
                member.write(f"{_COMMON}{head}\r\n".encode())
                lines: list[str] = []
                for line in _rows(name, codes):
                    lines.append(line)
                    if len(lines) == 10_000:
                        member.write("".join(lines).encode())
                        lines.clear()
                member.write("".join(lines).encode())
    return codes


def _rows(name: str, codes: list[str]) -> Iterator[str]:
    start = f"\t20260401\t1\t{_MODULE}\t"
    for number, code in enumerate(codes):
        if "Concept" in name:
            yield f"{code}{start}900000000000074008\r\n"
        elif "Relationship" in name:
            for parent in {(number - 1) // 8, number // 3 if number % 2 else (number - 1) // 8} if number else ():
                yield (
                    f"{_sctid(10_000_000 + 2 * number + (parent & 1), '02')}{start}{code}\t{codes[parent]}\t0\t"
                    f"{_IS_A}\t900000000000011006\t900000000000451002\r\n"
                )
        elif "Description" in name or "Language" in name:
            for place, sort in enumerate(("900000000000003001", "900000000000013009")):
                described = _sctid(10_000_000 + 2 * number + place, "01")
                if "Description" in name:
                    term = f"Invented finding {number} {place}"
                    yield f"{described}{start}{code}\ten\t{sort}\t{term}\t900000000000448009\r\n"
                else:
                    member = uuid.UUID(int=number * 2654435761 % 2**64 * 2 + place)
                    yield f"{member}{start}900000000000508004\t{described}\t900000000000548007\r\n"
        elif number % 5 == 0:
            yield f"{uuid.UUID(int=number * 2654435761 % 2**64)}{start}{codes[0]}\t{code}\r\n"


def _read_only(path: Path) -> None:
    """What reading and splitting the same lines costs, without keeping anything."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                for line in member:
                    line.decode().split("\t")


def run(size: Size) -> list[Result]:
    with tempfile.TemporaryDirectory() as scratch:
        release = Path(scratch) / "release.zip"
        codes = make_release(release, size.concepts)
        begun = time.perf_counter()
        import_release([release], store=Path(scratch) / "store")
        took = time.perf_counter() - begun
        begun = time.perf_counter()
        _read_only(release)
        peer = time.perf_counter() - begun
        results = [
            Result(
                f"import of an RF2 release, {size.concepts} concepts", took, "s", "reading and splitting it", peer, 0.0
            )
        ]
        return results + _lookups(Path(scratch) / "store", codes, size)


def _lookups(folder: Path, codes: list[str], size: Size) -> list[Result]:
    in_memory = dict.fromkeys(codes, True)
    asked = [codes[number * 7919 % len(codes)] for number in range(2_000)]
    root = codes[0]
    results = []
    works = {
        "a code looked up": lambda system: [system.has(code) for code in asked],
        "whether a code is under the root": lambda system: [
            system.passes("concept", "is-a", root, code) for code in asked
        ],
        "whether a code is of a reference set": lambda system: [
            system.passes("concept", "in", root, code) for code in asked
        ],
    }
    for name, work in works.items():
        # A store for each run: nothing is remembered from the one before.
        samples = interleaved(
            {
                "index": lambda work=work: work(TerminologyStore(folder).find(SNOMED)),
                "dict": lambda: [in_memory[code] for code in asked],
            },
            rounds=size.rounds,
            clock=cpu_clock,
        )
        first, peer = samples["index"], samples["dict"]
        each = 1e6 / len(asked)
        results.append(
            Result(f"{name}, first time", first.least * each, "us", "dict in memory", peer.least * each, first.spread)
        )
    return results


if __name__ == "__main__":
    # `python benchmarks/terminology.py 500000`: the import alone, and the most memory that it took.
    import resource

    with tempfile.TemporaryDirectory() as here, contextlib.suppress(BrokenPipeError):
        file = Path(here) / "release.zip"
        number = int(sys.argv[1])
        make_release(file, number)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        import_release([file], store=Path(here) / "store", tell=print)
        print(
            f"{number} concepts in {time.perf_counter() - start:.1f} s; peak {before / 1024:.0f} MiB before, "
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB after; "
            f"index {(Path(here) / 'store' / 'snomed.sqlite').stat().st_size / 2**20:.0f} MiB"
        )
