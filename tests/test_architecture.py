"""The house rule as a test: rooms import only downwards, and plugins import public names only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
ROOT = REPOSITORY / "src" / "mpftconnect"

# Room or top-level module -> the rooms that it may use at run time. One that is not listed fails.
LOW = {"errors", "events"}
PLUGINS = {*LOW, "hookspecs", "plugins"}
MODEL = {*LOW, "model"}
FHIR = {*MODEL, "fhir"}
CODECS = {*FHIR, "hl7v2"}
ADAPTERS = {*CODECS, "adapters"}
GOVERNANCE = {*ADAPTERS, "governance", "hookspecs", "spreadsheet"}
INBOX = {*GOVERNANCE, "hl7v2", "inbox"}
HUB = {*INBOX, "plugins", "hub"}
MAY_IMPORT = {
    "errors": set(),
    "events": {"errors"},
    "hookspecs": set(),
    "spreadsheet": set(),
    "plugins": {"errors", "hookspecs"},
    "model": {"errors", "model"},
    "fhir": FHIR,
    "hl7v2": CODECS,
    "adapters": ADAPTERS,
    "governance": GOVERNANCE,
    "inbox": INBOX,
    "validation": {"errors"},
    "terminology_service": {*ADAPTERS, "validation"},
    "sandbox": {*ADAPTERS, "hookspecs", "plugins", "sandbox"},
    "hub": HUB,
    "rendering": {"model"},
    "conformance": {
        *ADAPTERS,
        *("hookspecs", "plugins", "spreadsheet", "rendering", "validation", "sandbox", "conformance"),
    },
    "pages": {*HUB, "rendering", "pages"},
    "cli": {*HUB, "pages", "sandbox", "cli", "validation", "terminology_service", "conformance"},
    "__init__": {*PLUGINS, "hub", "model"},
}
# Imports inside a function that cross the rule on purpose, each with its reason.
LAZY = {
    ("hub", "sandbox"): "connect(sandbox=True) imports the sandbox only when asked",
    ("adapters", "sandbox"): "the contract tests' default people are the sandbox's",
}


def room_of(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(tree: ast.AST, *, lazy: bool = False) -> Iterator[tuple[str, bool]]:
    """Rooms of this package that are imported at run time, and whether inside a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "mpftconnect":
                    yield alias.name.partition(".")[2].split(".")[0] or "__init__", lazy
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mpftconnect":
            rest = (node.module or "").partition(".")[2]
            if rest:
                yield rest.split(".")[0], lazy
            else:
                for alias in node.names:
                    yield (
                        alias.name
                        if (ROOT / alias.name).exists() or (ROOT / f"{alias.name}.py").exists()
                        else ("__init__"),
                        lazy,
                    )
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield "a relative import", lazy
        inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from imports(node, lazy=inside)


def wrong(room: str, source: str) -> list[str]:
    found = []
    for target, lazy in imports(ast.parse(source)):
        if target in MAY_IMPORT[room] | {room} or (lazy and (room, target) in LAZY):
            continue
        found.append(target)
    return found


@pytest.mark.parametrize("file", sorted(ROOT.rglob("*.py")), ids=lambda f: str(f.relative_to(ROOT)))
def test_rooms_import_only_downwards(file: Path) -> None:
    assert wrong(room_of(file), file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("room", "source", "target"),
    [
        ("model", "from mpftconnect.adapters import Wire", "adapters"),
        ("adapters", "import mpftconnect.hub.record", "hub"),
        ("errors", "from mpftconnect import events", "events"),
        ("hub", "from mpftconnect.sandbox import Sandbox", "sandbox"),
        ("fhir", "from ..hub import Record", "a relative import"),
        ("conformance", "from mpftconnect.hub import Hub", "hub"),
        ("hub", "import mpftconnect.conformance.run", "conformance"),
        ("governance", "def f():\n    from mpftconnect.cli import main", "cli"),
    ],
)
def test_an_upward_import_is_found(room: str, source: str, target: str) -> None:
    assert wrong(room, source) == [target]


PUBLIC = {
    "mpftconnect",
    "mpftconnect.fhir.stu3",
    *(
        f"mpftconnect.{room}"
        for room in ("adapters", "errors", "events", "fhir", "hl7v2", "hookspecs", "model", "sandbox")
    ),
    *(
        f"mpftconnect.adapters.{module}"
        for module in ("contract_tests", "fhir_r4", "fhir_reads", "fhir_subject", "twin_transport")
    ),
}
PLUGIN_FILES = sorted((REPOSITORY / "plugins").glob("*/src/**/*.py"))
# The kit stands on the engine beside what plugins may use, and judges by the validator.
KIT = {
    *PUBLIC,
    *(f"mpftconnect.{name}" for name in ("conformance", "validation", "validation.fhirpath", "fhir.json_text")),
}
KIT_FILES = sorted((REPOSITORY / "conformance" / "mpftconnect_conformance").rglob("*.py"))


@pytest.mark.parametrize("file", PLUGIN_FILES, ids=lambda f: str(f.relative_to(REPOSITORY)))
def test_plugins_import_public_names_only(file: Path) -> None:
    assert [module for module in _modules(file) if module not in PUBLIC] == []


@pytest.mark.parametrize("file", KIT_FILES, ids=lambda f: str(f.relative_to(REPOSITORY)))
def test_the_kit_imports_public_names_only(file: Path) -> None:
    assert [module for module in _modules(file) if module not in KIT] == []


def test_there_is_a_kit_and_the_engine_does_not_know_it() -> None:
    assert len(KIT_FILES) > 10
    for file in (ROOT / "conformance").rglob("*.py"):
        source = file.read_text(encoding="utf-8")
        assert "import mpftconnect_conformance" not in source, file
        assert "from mpftconnect_conformance" not in source, file


def _modules(file: Path) -> Iterator[str]:
    """What of this package a file imports."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules = [node.module or ""]
        yield from (module for module in modules if module.split(".")[0] == "mpftconnect")


def test_every_public_name_is_there() -> None:
    import importlib

    for name in sorted(
        PUBLIC
        | {
            "mpftconnect.hub",
            "mpftconnect.pages",
            "mpftconnect.validation",
            "mpftconnect.validation.fhirpath",
            "mpftconnect.terminology_service",
            "mpftconnect.conformance",
        }
    ):
        module = importlib.import_module(name)
        missing = [public for public in module.__all__ if not hasattr(module, public)]
        assert missing == [], name


def test_no_posix_only_module_is_imported_at_the_top() -> None:
    posix_only = {"fcntl", "resource", "pwd", "grp", "termios", "posix", "syslog", "readline"}
    for file in ROOT.rglob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not posix_only & {name.split(".")[0] for name in names}, file
