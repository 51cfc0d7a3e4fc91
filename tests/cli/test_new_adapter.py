"""A new plugin installs, passes its contract tests and shows in `plugins`, as it was written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mpftconnect.cli.app import commands
from mpftconnect.cli.exits import Exit, run

SRC = Path(__file__).parent.parent.parent / "src"


def new_adapter(*arguments: str) -> int:
    return int(run(lambda: commands.main(args=["new-adapter", *arguments], standalone_mode=False)))


@pytest.mark.parametrize("name", ["acme", "one-health-2"])
def test_it_installs_passes_and_shows(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert new_adapter(name) == Exit.DONE
    folder = tmp_path / f"mpftconnect-{name}"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 3
    module = folder / "src" / f"mpftconnect_{name.replace('-', '_')}" / "__init__.py"
    code = [
        line for line in module.read_text().splitlines() if line.strip() and not line.startswith(("from", "import"))
    ]
    assert len(code) < 60
    site = tmp_path / "site"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--target",
            str(site),
            str(folder),
        ],
        check=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(SRC)])}
    listed = subprocess.run(
        [sys.executable, "-c", "from mpftconnect.cli import main; main(['plugins'])"],
        check=True, env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert f"adapter {name}:" in listed.stdout
    assert "the interface is assumed" in listed.stdout
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder / "tests")],
        check=False, env=env, capture_output=True, text=True, cwd=folder,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout
    assert " passed" in tested.stdout


def test_it_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kept").write_text("mine")
    assert new_adapter("acme", "--into", str(tmp_path)) == Exit.USAGE
    assert "nothing was written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_it_goes_beside_the_other_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plugins").mkdir()
    monkeypatch.chdir(tmp_path)
    assert new_adapter("acme") == Exit.DONE
    assert (tmp_path / "plugins" / "acme" / "pyproject.toml").is_file()
