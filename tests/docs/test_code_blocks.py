"""What the pages show works: Python runs, configurations load, commands exist.

- ```python: the blocks of a page run in order and share one namespace. A block whose first line is the comment
  "illustration: <reason>" is only compiled.
- ```toml with a `[systems...]` table: loads through the real loader.
- ```console: every `mpftconnect ...` line is parsed by the real commands, without being carried out; so is every
  `make ...` line by the Makefile's targets.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    {
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("plugins/*/README.md"),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md") if (ROOT / name).is_file()),
    }
)
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)(?P<info>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S)
_ILLUSTRATION = re.compile(r"# illustration: \S.{9,}")


@dataclass(frozen=True)
class Block:
    """One fenced block: its text without indentation, and the line of the page on which it begins."""

    page: Path
    language: str
    info: str
    text: str
    line: int

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def blocks(page: Path, *languages: str) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        if found["language"] in languages:
            indent = len(found["indent"])
            body = "".join(line[indent:] if line.strip() else line for line in found["text"].splitlines(keepends=True))
            line = text.count("\n", 0, found.start("text")) + 1
            yield Block(page, found["language"], found["info"].strip(), body, line)


def pages_with(*languages: str) -> list[Any]:
    return [
        pytest.param(page, id=page.relative_to(ROOT).as_posix())
        for page in PAGES
        if next(blocks(page, *languages), None)
    ]


def is_illustration(block: Block) -> bool:
    return _ILLUSTRATION.fullmatch(block.text.split("\n", 1)[0]) is not None


@pytest.mark.parametrize("page", pages_with("python", "py", "pycon"))
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__page__"}
    for block in blocks(page, "python", "py", "pycon"):
        assert block.language == "python", f"{block.place}: say ```python"
        assert block.info == "", f"{block.place}: a block runs, or says in its first line why it is an illustration"
        code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
        if not is_illustration(block):
            exec(code, namespace)


def references(table: Any, kind: str) -> Iterator[str]:
    """What a configuration names under `kind` wherever it stands: `env` or `file` of secrets, and the like."""
    if isinstance(table, dict):
        for key, value in table.items():
            if key == kind and isinstance(value, str):
                yield value
            elif key == kind and isinstance(value, list):
                yield from (entry for entry in value if isinstance(entry, str))
            else:
                yield from references(value, kind)
    elif isinstance(table, list):
        for value in table:
            yield from references(value, kind)


def configurations() -> list[Any]:
    shown = (block for page in PAGES for block in blocks(page, "toml") if "[systems" in block.text)
    return [pytest.param(block, id=block.place) for block in shown]


# What a page that shows one table only leaves to the reader's own file.
_REST = """
version = 1
[audit]
store = "a"
anchor = "b"
fallback = "c"
key = { env = "KEY" }
[privacy]
store = "d"
anchor = "e"
fallback = "f"
key = { env = "PRIVACY_KEY" }
"""
_AGREEMENT = {
    "name": "A",
    "parties": ["RRE"],
    "purposes": ["direct-care"],
    "sections": ["all"],
    "expires": "2099-12-31",
}


@pytest.mark.parametrize("block", configurations())
def test_a_configuration_loads(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mpftconnect import load_plugins
    from mpftconnect.hub import load_configuration

    shown = tomllib.loads(block.text)
    whole = shown if "version" in shown else tomllib.loads(_REST) | shown
    if whole is not shown:
        for system in whole["systems"].values():
            system.setdefault("agreement", _AGREEMENT)
    for name in references(whole, "env"):
        # Each its own: trails that share a key are a mistake that the loader names.
        monkeypatch.setenv(name, hashlib.sha256(name.encode()).hexdigest())
    for kind in ("file", "ca_bundle", "client_certificate", "client_key", "code_files"):
        for name in references(whole, kind):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("placeholder\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    loaded = load_configuration(whole, load_plugins())
    assert {system.name for system in loaded.systems} == set(whole["systems"])


def commands(block: Block) -> Iterator[list[str]]:
    """The words of each command of a console block: of each part of a pipe, without redirections."""
    for line in block.text.splitlines():
        if not line.startswith("$ "):
            continue
        words: list[str] = []
        for word in [*shlex.split(line[2:], comments=True), "|"]:
            if word in ("|", "&&", ";"):
                if words:
                    yield words
                words = []
            elif word in ("<", ">", ">>"):
                break
            else:
                words.append(word)
        if words:
            yield words


def parse(command: click.Command, name: str, args: list[str]) -> None:
    """Parse as click would, down the tree, without calling anything.

    Raises:
        click.ClickException: No such command or option, or a value of the wrong kind.
    """
    parent: click.Context | None = None
    while True:
        try:
            context = command.make_context(name, args, parent=parent)
        except click.exceptions.Exit:  # --help and --version end here, and are known
            return
        if not isinstance(command, click.Group):
            context.close()
            return
        rest = [*context._protected_args, *context.args]
        found_name, found, args = command.resolve_command(context, rest)
        assert found is not None
        parent, command, name = context, found, found_name or name


@pytest.mark.parametrize("page", pages_with("console"))
def test_commands_exist(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mpftconnect.cli.app import commands as tree

    monkeypatch.chdir(tmp_path)
    # Where a command asks the user, parsing it would too.
    monkeypatch.setattr(click.Option, "prompt_for_value", lambda option, context: "2000-01-01")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for block in blocks(page, "console"):
        for words in commands(block):
            program = os.path.basename(words[0])  # noqa: PTH119 - a word of a page, not a path of ours
            if program == "mpftconnect":
                try:
                    parse(tree, "mpftconnect", words[1:])
                except click.ClickException as error:
                    pytest.fail(f"{block.place}: {' '.join(words)}: {error.format_message()}")
            elif program == "make":
                assert set(words[1:]) <= targets, f"{block.place}: {' '.join(words)}"


def test_blocks_are_found(tmp_path: Path) -> None:
    found = [block for page in PAGES for block in blocks(page, "python")]
    assert len(found) > 20
    assert sum(is_illustration(block) for block in found) <= 2


def test_no_page_shows_code_in_another_way() -> None:
    known = {"python", "toml", "console", "text", "json", "html", "csv", ""}
    strange = {
        f"{page.name}: {found['language']}"
        for page in PAGES
        for found in _FENCE.finditer(page.read_text(encoding="utf-8"))
        if found["language"] not in known
    }
    assert strange == set()


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("demo", True),
        ("group inner --size 3", True),
        ("group inner --help", True),
        ("group inner --size three", False),
        ("group inner --colour red", False),
        ("group outer", False),
        ("dance", False),
    ],
)
def test_a_wrong_command_line_is_noticed(line: str, right: bool, capsys: pytest.CaptureFixture[str]) -> None:
    called = []

    @click.group()
    def top() -> None: ...

    @top.command()
    def demo() -> None:
        called.append("demo")

    @top.group()
    def group() -> None: ...

    @group.command()
    @click.option("--size", type=int)
    def inner(size: int) -> None:
        called.append("inner")

    if right:
        parse(top, "top", line.split())
    else:
        with pytest.raises(click.ClickException):
            parse(top, "top", line.split())
    assert called == []
