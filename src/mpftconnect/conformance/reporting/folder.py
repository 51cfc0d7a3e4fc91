"""The report's folder: written whole or not at all, readable by its owner only, with the sha256 of every file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mpftconnect.conformance.evidence import EvidenceFile, Recorded, Subject, TestPerson
from mpftconnect.conformance.formats import ReportFormat
from mpftconnect.conformance.reporting.digests import harness_version
from mpftconnect.conformance.reporting.document import FORMAT, FORMAT_VERSION, as_bytes, exchanges_shown
from mpftconnect.conformance.reporting.har import from_har, to_har
from mpftconnect.conformance.reporting.summary import summary_of
from mpftconnect.conformance.supplier import Supplier
from mpftconnect.errors import UsageError
from mpftconnect.events import Code, EventStream

__all__ = ["Stored", "altered", "read_folder", "write_beside", "write_folder"]

MANIFEST, REPORT = "manifest.json", "report.json"
EXCHANGES, EVIDENCE = "evidence/exchanges.har", "evidence/evidence.json"
# Signatures are written beside a report later, by other hands: they cannot stand in its manifest.
BESIDE = ".dsse.json"
_LARGEST = 500_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A report as it was read from its folder."""

    report: Mapping[str, Any]
    exchanges: tuple[Recorded, ...]
    subject: Subject
    people: Mapping[str, TestPerson]
    files: Mapping[str, tuple[EvidenceFile, ...]]
    answers: Mapping[str, Any]
    preflight: Sequence[Mapping[str, Any]]
    today: str
    altered: tuple[str, ...]


def write_folder(
    folder: Path,
    document: Mapping[str, Any],
    *,
    supplier: Supplier,
    exchanges: Sequence[Recorded],
    preflight: Sequence[Mapping[str, Any]],
    today: str,
    formats: Iterable[ReportFormat],
    attached: Mapping[str, bytes] | None = None,
    events: EventStream | None = None,
) -> list[str]:
    """Write a report.

    Args:
        folder: Made, or replaced if it is the folder of a report.
        formats: Forms to write beside `report.json`.
        attached: Further files of the evidence, by their path in the folder.
        events: Told of each form before it is made: paper takes longer than the run.
    Returns:
        What could not be written, and why: a form that fails costs no other file.
    Raises:
        UsageError: The folder holds something else, or cannot be written.
    """
    check_target(folder)
    problems: list[str] = []
    files: dict[str, bytes] = {REPORT: as_bytes(document), **(attached or {})}
    files[EXCHANGES] = as_bytes(to_har(exchanges, harness=harness_version()))
    files[EVIDENCE] = as_bytes(_evidence(supplier, preflight, today))
    summary = summary_of(document, exchanges_shown(exchanges))
    for form in formats:
        if events is not None:
            events.emit(Code.STEP_STARTED, step=form.file)
        try:
            files[form.file] = form.write(summary)
        except ImportError:
            need = f"it needs pip install 'mpftconnect[{form.needs}]'" if form.needs else "a library is missing"
            problems.append(f"{form.file}: was not written: {need}")
        except Exception as error:  # noqa: BLE001 - a stranger's form must not cost the report
            extra = f"; it needs pip install 'mpftconnect[{form.needs}]'" if form.needs else ""
            problems.append(f"{form.file}: could not be written ({type(error).__name__}){extra}")
    manifest = {
        "version": 1,
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
            for name, data in sorted(files.items())
        },
    }
    files[MANIFEST] = as_bytes(manifest)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))  # 0700
        try:
            for name, data in files.items():
                _write(part / name, data)
            if folder.exists():
                shutil.rmtree(folder)
            part.replace(folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({type(error).__name__})") from None
    return problems


def write_beside(folder: Path, name: str, data: bytes) -> None:
    """Put a signature beside a report, in place of an earlier one of that name: whole or not at all.

    Raises:
        UsageError: It cannot be written.
    """
    part = folder / f".{name}.part"
    try:
        part.unlink(missing_ok=True)
        _write(part, data)
        part.replace(folder / name)
    except OSError as error:
        raise UsageError(f"{name} cannot be written ({type(error).__name__})") from None


def check_target(folder: Path) -> None:
    """
    Raises:
        UsageError: Something that is no report is there.
    """
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / MANIFEST).is_file()):
        raise UsageError(f"{folder} is there and is no report: name another folder with --out")


def read_folder(folder: Path) -> Stored:
    """A report and its evidence.

    Raises:
        UsageError: It is no report of this format.
    """
    report = _json(folder / REPORT)
    if not isinstance(report, dict) or report.get("format") != FORMAT:
        raise UsageError(f"{folder.name}: is no report of this suite")
    if report.get("format_version") != FORMAT_VERSION:
        raise UsageError(f"{folder.name}: is of a format version that this release does not read")
    kept = _json(folder / EVIDENCE)
    try:
        return Stored(
            report=report,
            exchanges=from_har(_bytes(folder / EXCHANGES)),
            subject=TypeAdapter(Subject).validate_python(kept["subject"]),
            people=TypeAdapter(dict[str, TestPerson]).validate_python(kept["people"]),
            files=_unbelieved(TypeAdapter(dict[str, tuple[EvidenceFile, ...]]).validate_python(kept["files"])),
            answers=kept["answers"],
            preflight=kept["preflight"],
            today=kept["today"],
            altered=tuple(altered(folder)),
        )
    except (KeyError, TypeError, AttributeError, ValidationError):
        raise UsageError(f"{folder.name}: its evidence is not of this format") from None


def _unbelieved(files: Mapping[str, tuple[EvidenceFile, ...]]) -> dict[str, tuple[EvidenceFile, ...]]:
    """Whose signatures are believed is for the reader's trust file to say, never for the report."""
    return {kind: tuple(replace(each, signed_by=()) for each in rows) for kind, rows in files.items()}


def altered(folder: Path) -> list[str]:
    """Names of files that are not what the manifest says: changed, missing, or not in it."""
    manifest = _json(folder / MANIFEST)
    stated = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(stated, dict):
        return [MANIFEST]
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    there -= {MANIFEST, *(name for name in there if "/" not in name and name.endswith(BESIDE))}
    wrong = sorted(there ^ set(stated))
    for name in sorted(there & set(stated)):
        row = stated[name]
        if not isinstance(row, dict) or hashlib.sha256(_bytes(folder / name)).hexdigest() != row.get("sha256"):
            wrong.append(name)
    return wrong


def _evidence(supplier: Supplier, preflight: Sequence[Mapping[str, Any]], today: str) -> dict[str, Any]:
    return {
        "version": 1,
        "today": today,
        "subject": asdict(supplier.subject),
        "people": {role: asdict(person) for role, person in supplier.people.items()},
        "files": {kind: [asdict(each) for each in rows] for kind, rows in supplier.files.items()},
        "answers": dict(supplier.answers),
        "preflight": list(preflight),
    }


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"{path.name}: is larger than is allowed")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path.name}: cannot be read ({type(error).__name__})") from None


def _json(path: Path) -> Any:
    try:
        return json.loads(_bytes(path))
    except (ValueError, RecursionError):
        raise UsageError(f"{path.name}: is not JSON") from None
