"""The command line as a function, and a configuration file for it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mpftconnect import load_plugins
from mpftconnect.cli.app import commands
from mpftconnect.cli.exits import run
from mpftconnect.cli.sandbox_files import write_configuration
from mpftconnect.sandbox import Sandbox

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs `mpftconnect ARGUMENTS` and gives exit code, standard output and standard error."""

    def call_(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = run(lambda: commands.main(args=list(arguments), prog_name="mpftconnect", standalone_mode=False))
        said = capsys.readouterr()
        return int(code), said.out, said.err

    return call_


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A configuration file for a running sandbox."""
    with Sandbox(load_plugins(), only=["pds", "rio", "synthetic"]) as sandbox:
        yield write_configuration(sandbox, tmp_path_factory.mktemp("configured"))
