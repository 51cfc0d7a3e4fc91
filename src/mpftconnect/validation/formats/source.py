"""What was given to validate, read into one form: a value, what is wrong with its text, and positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.formats.json_text import DEEPEST, Careful, Problem, read_carefully, read_fast
from mpftconnect.validation.formats.xml_text import read_xml

if TYPE_CHECKING:
    from mpftconnect.validation.compile.trees import Trees
    from mpftconnect.validation.options import Options

__all__ = ["Source", "read_source"]

_LARGEST = 1024 * 1024 * 1024
_MOST_PARTS = 20_000_000


class Source:
    """A document that was read. Positions are worked out only when a finding needs one."""

    __slots__ = ("_positions", "_text", "is_xml", "problems", "value")

    def __init__(
        self,
        value: Any,
        problems: Sequence[Problem] = (),
        text: bytes | None = None,
        positions: dict[Any, tuple[int, int]] | None = None,
        *,
        is_xml: bool = False,
    ) -> None:
        self.value = value
        self.problems = problems
        self.is_xml = is_xml
        self._text = text
        self._positions = positions

    def position(self, pointer: tuple[str | int, ...]) -> tuple[int | None, int | None]:
        """Line and column of what a pointer means, or of the nearest thing around it."""
        if self._positions is None:
            if self._text is None:
                return None, None
            self._positions = read_carefully(self._text.decode("utf-8", "replace"), allow_comments=True).positions
        while pointer:
            found = self._positions.get(pointer)
            if found is not None:
                return found
            if isinstance(pointer[-1], str) and pointer[-1].startswith("_"):
                found = self._positions.get((*pointer[:-1], pointer[-1][1:]))
                if found is not None:
                    return found
            pointer = pointer[:-1]
        return self._positions.get((), (None, None))


def read_source(data: bytes | str | Mapping[str, Any], trees: Trees, options: Options) -> Source:
    """Read JSON, XML or a dict. Nothing raises: what is wrong is a problem of the source."""
    if data.__class__ is not bytes and isinstance(data, Mapping):
        if _endless(data):
            return _broken("too-deep", f"is nested deeper than {DEEPEST} levels, holds itself, or has too many parts")
        return Source(data if isinstance(data, dict) else dict(data))
    if isinstance(data, str):
        try:
            data = data.encode("utf-8")
        except UnicodeEncodeError:
            return _broken("encoding", "holds half of a surrogate pair, which UTF-8 cannot carry")
    if len(data) > _LARGEST:
        return _broken("too-large", f"is larger than {_LARGEST} bytes")
    if data[:1] != b"{" and data[:200].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        return _of(read_xml(data, trees), is_xml=True)
    value = read_fast(data)
    if value is not None:
        return Source(value, (), data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        return Source(
            None, [Problem("encoding", (), line, column, "is not UTF-8")], text=None, positions={}, is_xml=False
        )
    return _of(read_carefully(text, allow_comments=options.allow_comments), is_xml=False)


def _endless(data: Mapping[str, Any]) -> bool:
    """Whether an object that was given, rather than read, is deeper or larger than any text could make it.

    One that holds itself has no end; one that holds others many times over has more parts than its memory shows.
    """
    level: list[Any] = [data]
    parts = 0
    for _ in range(DEEPEST + 1):
        below: list[Any] = []
        for item in level:
            inner = item.values() if isinstance(item, Mapping) else item
            parts += len(inner)
            if parts > _MOST_PARTS:
                return True
            below.extend(each for each in inner if isinstance(each, Mapping | list))
        if not below:
            return False
        level = below
    return True


def _of(careful: Careful, *, is_xml: bool) -> Source:
    return Source(careful.value, careful.problems, text=None, positions=careful.positions, is_xml=is_xml)


def _broken(rule: str, message: str) -> Source:
    return Source(None, [Problem(rule, (), 1, 1, message)], text=None, positions={}, is_xml=False)
