"""What the reference pages need beyond what griffe reads by itself.

- The fields of the model's types are parameters with types and defaults, as `pydantic` makes them.
- Doctests in docstrings are shown as code, and every section of a docstring is seen as one: griffe wants a blank line
  before each, which our docstrings spare.
- Enumerations list their values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import griffe

MODEL = "mpftconnect.model.schema.Model"
_SECTION = re.compile(r"^ *(?:Args|Attributes|Returns|Raises|Yields|Source):$", re.MULTILINE)
_DOCTEST = re.compile(r"^(?P<indent> *)>>> .*?(?=^\s*$|\Z)", re.MULTILINE | re.DOTALL)


class ReferencePages(griffe.Extension):
    """A griffe extension, named in `mkdocs.yml`."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        for found in _walk(pkg):
            if found.docstring is not None:
                found.docstring.value = fence_doctests(part_sections(found.docstring.value))
            if not isinstance(found, griffe.Class):
                continue
            if _is_model(found):
                _add_constructor(found)
            elif any(str(base).endswith("StrEnum") for base in found.bases) and found.docstring is not None:
                found.docstring.value += "\n\nValues: " + ", ".join(_values(found)) + "."


def fence_doctests(text: str) -> str:
    r"""Docstring text with each run of doctest lines in a fence.

    >>> fence_doctests("Adds.\n\n>>> 1 + 1\n2\n\nThat is all.")
    'Adds.\n\n```pycon\n>>> 1 + 1\n2\n```\n\nThat is all.'
    """
    return _DOCTEST.sub(lambda run: f"{run['indent']}```pycon\n{run[0].rstrip()}\n{run['indent']}```\n", text)


def part_sections(text: str) -> str:
    r"""Docstring text with a blank line before each section.

    >>> part_sections("Args:\n    a: One.\nRaises:\n    E: If.")
    'Args:\n    a: One.\n\nRaises:\n    E: If.'
    """
    return _SECTION.sub(lambda title: f"\n{title[0]}" if title.start() else title[0], text)


def _walk(found: griffe.Object) -> Iterator[griffe.Object]:
    yield found
    for member in found.members.values():
        if isinstance(member, griffe.Object):
            yield from _walk(member)


def _values(found: griffe.Class) -> Iterator[str]:
    for member in found.members.values():
        if isinstance(member, griffe.Attribute) and member.value is not None:
            value = str(member.value).strip("'\"")
            yield f"`{value}`"


def _is_model(found: griffe.Class) -> bool:
    return found.path != MODEL and any(parent.path == MODEL for parent in found.mro())


def _add_constructor(found: griffe.Class) -> None:
    if "__init__" in found.members:
        return
    fields = {
        name: member
        for owner in (*reversed(found.mro()), found)
        for name, member in owner.members.items()
        if isinstance(member, griffe.Attribute) and member.annotation is not None and name != "model_config"
    }
    parameters = [
        griffe.Parameter(name, annotation=field.annotation, kind=griffe.ParameterKind.keyword_only, default=field.value)
        for name, field in fields.items()
    ]
    found.set_member("__init__", griffe.Function("__init__", parameters=griffe.Parameters(*parameters)))
