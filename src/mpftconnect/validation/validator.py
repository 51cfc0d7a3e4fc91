"""`Validator`: packages in, reports out."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mpftconnect.errors import ConfigurationError, PackageNotFound, PackageRefused
from mpftconnect.validation.check.compiler import Checks
from mpftconnect.validation.check.navigation import place_in, root_of, value_at
from mpftconnect.validation.check.run import Frame, Raw, Run
from mpftconnect.validation.definitions.core_pack import PACKS, load_core_pack
from mpftconnect.validation.definitions.installed import hint_for
from mpftconnect.validation.definitions.resolve import Resolution, resolve_packages
from mpftconnect.validation.definitions.store import Definitions
from mpftconnect.validation.findings import RULES, Finding, NotChecked, Report, Severity
from mpftconnect.validation.formats.source import Source, read_source
from mpftconnect.validation.options import Options
from mpftconnect.validation.places import expression_of, pointer_of, root
from mpftconnect.validation.terminology.releases.place import default_store
from mpftconnect.validation.terminology.service import ServiceAnswers, TerminologyService

if TYPE_CHECKING:
    from mpftconnect.validation.terminology.imported import TerminologyStore

__all__ = ["Validator"]

_ROUNDS = 6
_STU3 = "hl7.fhir.r3.core"
_SHOWN = 5


class Validator:
    """Validates FHIR resources against the packages that it was made with. Immutable and thread-safe.

    Args:
        packages: Each a name, `name@version`, or a path to a `.tgz` or folder. FHIR R4 core and STU3
            core come from the wheel; without any package R4 is what is used.
        search_path: Folders in which packages are looked for, before `~/.fhir/packages`.
        resources: Further definitions: dicts, JSON or XML as bytes, or paths.
        options: Policies.
        lock: Versions and digests that the packages must have (see `Resolution.lock`).
        terminology: Folder of imported terminologies (`mpftconnect packages import-terminology`). Without it, the
            user's own is used if there is one; False leaves it out.
        terminology_service: Asked about codes that nothing here can judge; see `TerminologyService`. Off unless
            given. It is told systems, codes, value sets and versions, and nothing else of a resource.
    Raises:
        PackageNotFound: A package that was asked for is nowhere; the message says how to get it.
        PackageRefused: A package is broken or hostile.
        DefinitionBroken: A definition that was given cannot be used.

    >>> report = Validator().validate({"resourceType": "Patient", "gender": "unknwon"})
    >>> report.verdict, report.findings[0].rule, report.findings[0].expression
    ('invalid', 'binding-required', 'Patient.gender')
    """

    def __init__(
        self,
        packages: Iterable[str | os.PathLike[str]] = (),
        *,
        search_path: Sequence[str | os.PathLike[str]] = (),
        resources: Iterable[Mapping[str, Any] | bytes | str | os.PathLike[str]] = (),
        options: Options | None = None,
        lock: Mapping[str, tuple[str, str]] | None = None,
        terminology: str | os.PathLike[str] | Literal[False] | None = None,
        terminology_service: TerminologyService | None = None,
    ) -> None:
        self.options = options or Options()
        self._resolution = resolve_packages(packages, search_path, lock=lock)
        definitions = Definitions()
        version = _version_of(self._resolution)
        if version == "4.0":
            definitions.add_pack(load_core_pack())
        elif not any(package.name == _STU3 for package in self._resolution.packages):
            definitions.add_pack(load_core_pack(PACKS[_STU3]))
        for package in self._resolution.packages:
            definitions.add_package(package)
        for rules in self._resolution.restated:
            if not rules.fhir.startswith(version):
                raise PackageRefused(f"{rules} is for FHIR {rules.fhir}, and the other packages are for {version}")
            definitions.add_restated(rules)
        definitions.missing_packages.update(self._resolution.missing)
        self.fhir_version = version
        self._store = _store(terminology)
        self._service = ServiceAnswers(terminology_service) if terminology_service is not None else None
        self._checks = Checks(definitions, version, self._store, self._service)
        for resource in resources:
            definitions.add_resource(self._read_definition(resource))

    def with_resources(self, resources: Iterable[Mapping[str, Any] | bytes | str | os.PathLike[str]]) -> Validator:
        """A validator that has further definitions, without reading the packages again."""
        made = object.__new__(Validator)
        made.options = self.options
        made._resolution = self._resolution
        made.fhir_version = self.fhir_version
        definitions = self._checks.definitions.copy()
        made._store, made._service = self._store, self._service
        made._checks = Checks(definitions, self.fhir_version, made._store, made._service)
        for resource in resources:
            definitions.add_resource(self._read_definition(resource))
        return made

    @property
    def packages(self) -> tuple[str, ...]:
        """What is loaded, as `name@version`."""
        return tuple(self._checks.definitions.loaded)

    @property
    def missing_packages(self) -> Mapping[str, str]:
        """Dependencies that were found nowhere, each with how to get it."""
        return dict(self._checks.definitions.missing_packages)

    @property
    def resolution(self) -> Resolution:
        """How the packages were resolved; `.lock()` is what to keep."""
        return self._resolution

    def profile(self, canonical: str) -> dict[str, Any]:
        """A profile or type as it is understood, as JSON: what is constrained, in a fixed order.

        Raises:
            PackageNotFound, DefinitionBroken: It, or what it is based on, cannot be used.
        """
        return self._checks.trees.tree(canonical).to_json()

    def require_profile(self, url: str) -> None:
        """Say before anything is judged whether a profile is there.

        Raises:
            PackageNotFound: It is in no loaded package.
        """
        if not self._checks.has(url):
            raise PackageNotFound(f"profile {url} is in no loaded package{hint_for(url)}")

    def validate(
        self,
        data: bytes | str | Mapping[str, Any],
        profiles: Iterable[str] = (),
        *,
        options: Options | None = None,
    ) -> Report:
        """Validate one resource.

        Args:
            data: JSON or XML as bytes or text, or a dict.
            profiles: Profiles that it must fit, besides those that it claims in `meta.profile`.
            options: Policies for this call.
        Raises:
            PackageNotFound: A profile that was asked for is in no loaded package.
        """
        chosen = options or self.options
        wanted = tuple(profiles)
        for url in wanted:
            self.require_profile(url)
        source = read_source(data, self._checks.trees, chosen)
        if self._service is None:
            return _report(self._run(source, wanted, chosen), source)
        # With a service, questions are collected, asked together, and the resource judged again with the answers;
        # an answer may open further questions (a slice that now fits).
        self._service.begin()
        run = self._run(source, wanted, chosen)
        for _ in range(_ROUNDS):
            if not self._service.fetch():
                break
            run = self._run(source, wanted, chosen)
        return _report(run, source)

    def _run(self, source: Source, wanted: tuple[str, ...], options: Options) -> Run:
        run = Run(self._checks, options)
        run.xml = source.is_xml
        value = source.value
        if isinstance(value, dict):
            place = root_of(self._checks, value, wanted)
            run.frame = Frame(value, place, None, "root")
            try:
                self._checks.resource(value, place, run, wanted)
            except RecursionError:
                # Within the readers' limit, and still deeper than the checks can go; a dict may even hold itself.
                run.error("too-deep", place, "is nested deeper than can be validated")
            run.frame.close()
        elif not source.problems:
            run.error("json-object", root("Resource"), "must be a FHIR resource: an object with resourceType")
        return run

    def _read_definition(self, resource: Mapping[str, Any] | bytes | str | os.PathLike[str]) -> dict[str, Any]:
        if isinstance(resource, Mapping):
            # Definitions are read when they are first needed: what the caller changes later must not reach them.
            value = read_source(resource, self._checks.trees, self.options).value
            if value is None:
                raise PackageRefused("a definition that was given is nested too deep, or holds itself")
            return copy.deepcopy(value)
        data: bytes | str
        name = "a definition that was given"
        if isinstance(resource, os.PathLike) or (
            isinstance(resource, str) and not resource.lstrip().startswith(("{", "<"))
        ):
            path = Path(resource)
            name = path.name
            try:
                data = path.read_bytes()
            except OSError:
                raise PackageNotFound(f"{path.name}: no such file, or it cannot be read") from None
        else:
            data = resource
        source = read_source(data, self._checks.trees, self.options)
        if not isinstance(source.value, dict):
            raise PackageRefused(f"{name} is neither JSON nor XML of a resource")
        return source.value


def _store(given: str | os.PathLike[str] | Literal[False] | None) -> TerminologyStore | None:
    """The imported terminologies, if there are any. SQLite is loaded only then."""
    if given is False:
        return None
    folder = Path(given) if given is not None else default_store()
    if not folder.is_dir():
        if given is not None:
            raise ConfigurationError([f"terminology: {folder.name} is not a folder"])
        return None
    from mpftconnect.validation.terminology.imported import TerminologyStore

    return TerminologyStore(folder)


def _version_of(resolution: Resolution) -> str:
    """The FHIR version that the packages are for: of the core package, else of the first that says so."""
    if "hl7.fhir.r4.core" in resolution.built_in:
        return "4.0"
    if _STU3 in resolution.built_in:
        return "3.0"
    listed = (version for package in resolution.packages for version in package.fhir_versions)
    return "3.0" if any(version.startswith("3.") for version in listed) else "4.0"


def _report(run: Run, source: Source) -> Report:
    decisive = False
    for item in run.unchecked:
        decisive = decisive or item[3]
    profiles = tuple(run.profiles) if len(run.profiles) < 2 else tuple(dict.fromkeys(run.profiles))
    return Report.later(
        lambda: (_findings(run, source), _not_checked(run)),
        run.errors > 0 or bool(source.problems),
        decisive,
        profiles,
        tuple(dict.fromkeys(run.restated.values())) if run.restated else (),
    )


def _findings(run: Run, source: Source) -> Sequence[Finding]:
    if not run.findings and not source.problems and not run.restated:
        return ()
    findings: list[Finding] = []
    seen: set[tuple[str, str, str, str]] = set()
    for problem in source.problems:
        # Without a document there is nothing to name.
        outer = run.frame.place if run.frame is not None else None if source.is_xml else root("Resource")
        expression = expression_of(outer and place_in(run.checks, source.value, outer, problem.pointer))
        severity: Severity = "fatal" if source.value is None else "error"
        findings.append(
            Finding(
                severity,
                RULES[problem.rule][0],
                expression,
                problem.line,
                problem.column,
                problem.rule,
                None,
                problem.message,
            )
        )
    for severity_, rule, place, message, profile in run.findings:
        expression = expression_of(place)
        key = (severity_, rule, expression, message)
        if key in seen:
            continue
        seen.add(key)
        line, column = source.position(pointer_of(place))
        if run.options.show_values:
            message += _shown(value_at(place, run))
        findings.append(_finding((severity_, rule, place, message, profile), expression, line, column))
    findings.extend(_restated(run))
    return findings


def _restated(run: Run) -> Iterator[Finding]:
    """One finding a pack: what was not judged by its publisher's own definition is said in every form of the report."""
    where = expression_of(run.frame.place) if run.frame else "Resource"
    for pack in dict.fromkeys(run.restated.values()):
        of = sorted(url.rpartition("/")[2] for url, by in run.restated.items() if by == pack)
        words = ", ".join(of[:_SHOWN]) + (f" and {len(of) - _SHOWN} more" if len(of) > _SHOWN else "")
        message = f"is judged by restated rules, {pack}, in the place of published definitions not loaded: {words}"
        rule = "restated-rules"
        yield Finding("information", RULES[rule][0], where, None, None, rule, None, message)


def _not_checked(run: Run) -> Sequence[NotChecked]:
    if len(run.unchecked) < 2:
        return [NotChecked(expression_of(item[1]), item[0], *item[2:]) for item in run.unchecked]
    unchecked: list[NotChecked] = []
    known: set[tuple[str, str, str]] = set()
    for rule, place, reason, decisive, profile in run.unchecked:
        made = NotChecked(expression_of(place), rule, reason, decisive, profile)
        if made[:3] not in known:
            known.add(made[:3])
            unchecked.append(made)
    return unchecked


def _shown(value: Any) -> str:
    """The value, where the user asked for values: patient data."""
    if value is None or isinstance(value, dict | list):
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f" (it is {text[:200]!r})"


def _finding(raw: Raw, expression: str, line: int | None, column: int | None) -> Finding:
    severity, rule, _, message, profile = raw
    issue = RULES[rule][0] if rule in RULES else "invariant"
    return Finding(severity, issue, expression, line, column, rule, profile, message)  # type: ignore[arg-type]
