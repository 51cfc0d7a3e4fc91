"""`pytest --mpft-supplier supplier.toml --mpft-pack uk-core-r4`: the same run, one test item a requirement.

The run is made once, when the first item needs it; items say what became of their requirement. A failure is a failed
test; what is undecided is a failed test too, under its own name, because a build must not turn green on it. What was
not tested or is not applicable is skipped with its reason. Nothing happens without `--mpft-supplier`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mpftconnect.conformance.catalog import Catalog, Chosen
    from mpftconnect.conformance.run import Judged, RunResult

__all__ = ["pytest_addoption", "pytest_collection", "pytest_terminal_summary"]

_STATE = pytest.StashKey["_Session"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mpftconnect", "conformance of a product")
    group.addoption("--mpft-supplier", metavar="FILE", help="supplier.toml of the product to be tested")
    group.addoption("--mpft-pack", metavar="PACK", action="append", default=[], help="a pack to run (repeatable)")
    group.addoption("--mpft-preset", metavar="NAME", default=None, help="only the requirements of this use")
    group.addoption("--mpft-report", metavar="FOLDER", default=None, help="write the report here as well")


class _Session:
    """The run, made once."""

    def __init__(self, config: pytest.Config) -> None:
        from mpftconnect.conformance.catalog import load_catalog
        from mpftconnect.plugins import load_plugins

        self.registry = load_plugins()
        self.catalog: Catalog = load_catalog(self.registry)
        preset = config.getoption("--mpft-preset")
        self.chosen: Chosen = self.catalog.choose(config.getoption("--mpft-pack"), preset=preset)
        self.file = Path(config.getoption("--mpft-supplier"))
        self.folder: str | None = config.getoption("--mpft-report")
        self._result: RunResult | None = None
        self.document: dict[str, Any] | None = None

    def judged(self, id_: str) -> Judged:
        if self._result is None:
            self._result = self._run()
        return next(judged for judged in self._result.judged if judged.requirement.id == id_)

    def _run(self) -> RunResult:
        from mpftconnect.conformance.reporting.document import report_of
        from mpftconnect.conformance.reporting.folder import write_folder
        from mpftconnect.conformance.run import Run
        from mpftconnect.conformance.supplier_file import read_supplier

        result = Run(read_supplier(self.file), self.chosen, self.catalog.checks).go()
        self.document = report_of(result, self.catalog.checks, power=self.catalog.power)
        if self.folder is not None:
            write_folder(
                Path(self.folder),
                self.document,
                supplier=result.supplier,
                exchanges=result.exchanges,
                preflight=[finding.as_dict() for finding in result.preflight],
                today=result.started.date().isoformat(),
                formats=[form for form in self.registry.report_formats.values() if form.always],
            )
        return result


class _NotMet(Exception):
    """A requirement's outcome that a build must not pass over."""


class _Item(pytest.Item):
    """One requirement."""

    def __init__(self, *, requirement: str, session_: _Session, **extra: Any) -> None:
        super().__init__(**extra)
        self._requirement, self._session = requirement, session_

    def runtest(self) -> None:
        from mpftconnect.conformance.outcome import Status

        judged = self._session.judged(self._requirement)
        outcome = judged.outcome
        self.user_properties.append(("outcome", str(outcome.status)))
        if outcome.status in (Status.FAIL, Status.ERROR, Status.INCONCLUSIVE):
            lines = [f"{outcome.status}: {outcome.reason}"]
            lines += [f"  {f.rule}: {f.message} ({f.exchange} {f.place})" for f in outcome.findings]
            if outcome.cause is not None:
                lines.append(f"  likely cause: {outcome.cause.kind}: {outcome.cause.because}")
                lines.append(f"  what would mend it: {outcome.cause.mend}")
            raise _NotMet("\n".join(lines))
        if outcome.status is not Status.PASS:
            pytest.skip(f"{outcome.status}: {outcome.reason}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, _NotMet):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self._session.file, None, self.name


class _Collector(pytest.Collector):
    def __init__(self, *, session_: _Session, **extra: Any) -> None:
        super().__init__(**extra)
        self._session = session_

    def collect(self) -> Iterator[_Item]:
        for requirement in self._session.chosen.requirements:
            yield _Item.from_parent(
                self,
                name=f"{requirement.ref} {requirement.title}",
                requirement=requirement.id,
                session_=self._session,
            )


def pytest_collection(session: pytest.Session) -> bool | None:
    """With `--mpft-supplier`, the requirements are all that is collected."""
    if not session.config.getoption("--mpft-supplier"):
        return None
    state = _Session(session.config)
    session.config.stash[_STATE] = state
    collector = _Collector.from_parent(session, name="mpft", nodeid="mpft", session_=state)
    session.items = list(collector.collect())
    session.config.hook.pytest_collection_modifyitems(session=session, config=session.config, items=session.items)
    session.config.hook.pytest_collection_finish(session=session)
    session.testscollected = len(session.items)
    return True


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The verdicts, with what they are not."""
    state = config.stash.get(_STATE, None)
    if state is None or state.document is None:
        return
    terminalreporter.section("conformance")
    if "demonstration" in state.document:
        terminalreporter.line(state.document["demonstration"])
    for pack in state.document["packs"]:
        terminalreporter.line(f"{pack['name']} {pack['revision']}: {pack['verdict']}: {pack['because']}")
    terminalreporter.line(" ".join(state.document["is_not"]))
