"""Reads a trace of system calls: had each acknowledged message been flushed before its acknowledgement was written?

An acknowledgement is in order if, before the call that writes it begins, a call that wrote the message's control id
into the store's write-ahead log has returned, and after that a flush of the same file has begun and returned. The first
such write counts: the next commit writes the page that holds the message again, beside its own, and may do so between
the flush and the acknowledgement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["CALLS", "Verdict", "judge"]

CALLS = "pwrite64,write,writev,pwritev,fsync,fdatasync,sendto,sendmsg"

_LINE = re.compile(r"(?:\[pid\s+)?(?P<pid>\d+)\]?\s+(?P<rest>.*)")
_CALL = re.compile(r"(?P<name>\w+)\((?P<fd>\d+)<(?P<file>[^>]*)>(?P<args>.*)")
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>(?P<args>.*)")
_MSA = re.compile(r"MSA\|[AC]A\|(?P<control>[\w-]+)")
_WRITES = ("pwrite64", "write", "writev", "pwritev")


@dataclass
class Verdict:
    """Which acknowledgements were in order, and which came before their message was flushed."""

    in_order: list[str] = field(default_factory=list)
    too_early: list[str] = field(default_factory=list)
    flushes: int = 0

    @property
    def ok(self) -> bool:
        return bool(self.in_order) and not self.too_early


@dataclass
class _Call:
    name: str
    file: str
    args: str
    begun: int


def judge(lines: Iterable[str]) -> Verdict:
    """Judge a trace made by `strace -f -y -s 65536 -e trace=...`, in which calls appear as they begin."""
    verdict = Verdict()
    under_way: dict[str, _Call] = {}
    written: list[tuple[int, str]] = []  # when the write returned, and what it held
    flushed: list[tuple[int, int]] = []  # when a flush began and returned
    for now, line in enumerate(lines):
        found = _LINE.match(line)
        if found is None:
            continue
        pid, rest = found["pid"], found["rest"]
        if resumed := _RESUMED.match(rest):
            call = under_way.pop(pid, None)
            if call is not None:
                call.args += resumed["args"]
                _ended(call, now, written, flushed, verdict)
            continue
        started = _CALL.match(rest)
        if started is None:
            continue
        call = _Call(started["name"], started["file"], started["args"], now)
        if call.name in ("sendto", "sendmsg", "write", "writev") and "-wal" not in call.file:
            # Judged when it begins: from then on the sender may have it.
            for answer in _MSA.finditer(call.args):
                in_order = _flushed(answer["control"], now, written, flushed)
                (verdict.in_order if in_order else verdict.too_early).append(answer["control"])
        if "<unfinished ...>" in rest:
            under_way[pid] = call
        else:
            _ended(call, now, written, flushed, verdict)
    return verdict


def _ended(
    call: _Call, now: int, written: list[tuple[int, str]], flushed: list[tuple[int, int]], verdict: Verdict
) -> None:
    if not call.file.endswith("-wal"):
        return
    if call.name in _WRITES:
        written.append((now, call.args))
    elif call.name in ("fsync", "fdatasync") and re.search(r"=\s*0\s*$", call.args):
        flushed.append((call.begun, now))
        verdict.flushes += 1


def _flushed(control: str, now: int, written: list[tuple[int, str]], flushed: list[tuple[int, int]]) -> bool:
    whole = re.compile(rf"\|{re.escape(control)}\|")
    wrote = next((at for at, held in written if whole.search(held)), None)
    return wrote is not None and any(begun > wrote and ended < now for begun, ended in flushed)
