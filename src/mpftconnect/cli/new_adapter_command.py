"""`mpftconnect new-adapter`."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from string import Template

import click

from mpftconnect.errors import UsageError

__all__ = ["command"]

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_FILES = {
    "pyproject.toml.txt": "pyproject.toml",
    "adapter.py.txt": "src/mpftconnect_{module}/__init__.py",
    "test_contract.py.txt": "tests/test_contract.py",
}


@click.command("new-adapter")
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to make. [default: plugins/NAME if there is a plugins folder, else mpftconnect-NAME]",
)
def command(name: str, into: Path | None) -> None:
    """Write a plugin for the system NAME: three files that install and pass their contract tests as they are.

    NAME is lower-case letters, digits and hyphens, such as acme or one-health.
    """
    if not _NAME.fullmatch(name):
        raise UsageError("a name is lower-case letters, digits and single hyphens, beginning with a letter")
    folder = into or (Path("plugins") / name if Path("plugins").is_dir() else Path(f"mpftconnect-{name}"))
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} exists already and is not empty; nothing was written")
    module = name.replace("-", "_")
    words = {
        "name": name,
        "module": module,
        "title": name.replace("-", " ").title(),
        "class_name": f"{name.replace('-', ' ').title().replace(' ', '')}Adapter",
    }
    scaffold = files("mpftconnect.cli") / "scaffold"
    for template, target in _FILES.items():
        path = folder / target.format(module=module)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (scaffold / template).read_text(encoding="utf-8")
        path.write_text(Template(text).substitute(words), encoding="utf-8")
        click.echo(f"wrote {path}")
    click.echo(
        f"\nNext:\n  pip install -e '{folder}[test]'\n  pytest {folder}\n  mpftconnect plugins\n"
        f"\nThen make {folder / f'src/mpftconnect_{module}/__init__.py'} say what your system really does."
    )
