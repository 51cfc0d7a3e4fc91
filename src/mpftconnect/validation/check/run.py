"""One validation under way: what was found so far, and where in the document it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.fhirpath import Scope
from mpftconnect.validation.fhirpath.items import MOST_EFFORT
from mpftconnect.validation.options import Options
from mpftconnect.validation.places import Place
from mpftconnect.validation.shown import near

if TYPE_CHECKING:
    from mpftconnect.validation.check.compiler import Checks

__all__ = ["Frame", "Raw", "Run", "Unchecked"]

# severity, rule, place, sentence, profile
Raw = tuple[str, str, Place | None, str, str | None]
# rule, place, reason, decisive, profile
Unchecked = tuple[str, Place | None, str, bool, str | None]

Check = Callable[[dict[str, Any], Place, "Run"], None]
_MOST_FINDINGS = 10_000
# Each compares a text with up to thousands of others.
_MOST_HINTS = 200


class _FrameScope(Scope):
    """What FHIRPath may see from a resource. Methods, and not closures, since one is made for every resource."""

    def __init__(self, frame: Frame, run: Run) -> None:
        self.resource = frame.resource
        self.root = frame.container.resource
        self.context = self.environment = None
        self.effort = MOST_EFFORT
        self.memo = {}
        self._frame, self._run = frame, run

    def resolve(self, reference: str) -> Any:
        from mpftconnect.validation.check.references import resolve

        return resolve(reference, self._run)

    def conforms(self, node: Any, profile: str) -> bool | None:
        checks = self._run.checks
        value = getattr(node, "value", node)
        if not isinstance(value, dict) or not checks.has(profile):
            return None
        return checks.fits(checks.structure(profile), value, self._frame.place, self._run)

    def member_of(self, node: Any, value_set: str) -> bool | None:
        return self._run.checks.coded.member(getattr(node, "value", node), value_set)


class Frame:
    """A resource that is being validated, and what contains it."""

    __slots__ = ("_contained", "_index", "_scope", "full_url", "kind", "outer", "place", "resource")

    def __init__(
        self, resource: dict[str, Any], place: Place, outer: Frame | None, kind: str, full_url: str | None = None
    ) -> None:
        self.resource = resource
        self.place = place
        self.outer = outer
        self.kind = kind  # root, contained, entry, parameter
        self.full_url = full_url
        self._contained: dict[str, dict[str, Any]] | None = None
        self._index: Any = None
        self._scope: Scope | None = None

    def scope(self, run: Run) -> Scope:
        """What FHIRPath may see from this resource; made once for all of its invariants."""
        if self._scope is None:
            self._scope = _FrameScope(self, run)
        return self._scope

    def close(self) -> None:
        """Let go of what FHIRPath saw: it leads back here, and such a ring is only found by a collector."""
        self._scope = None

    @property
    def container(self) -> Frame:
        """The resource whose `contained` a local reference means."""
        frame = self
        while frame.kind == "contained" and frame.outer is not None:
            frame = frame.outer
        return frame

    @property
    def contained(self) -> dict[str, dict[str, Any]]:
        """Contained resources by id."""
        if self._contained is None:
            held = self.resource.get("contained")
            self._contained = {
                item["id"]: item
                for item in (held if isinstance(held, list) else ())
                if isinstance(item, dict) and isinstance(item.get("id"), str)
            }
        return self._contained

    @property
    def document(self) -> Frame:
        """The outermost resource."""
        frame = self
        while frame.outer is not None:
            frame = frame.outer
        return frame

    def bundles(self) -> list[Frame]:
        """The Bundles (and Parameters) around this resource, innermost first."""
        found, frame = [], self.outer
        while frame is not None:
            if frame.resource.get("resourceType") in ("Bundle", "Parameters"):
                found.append(frame)
            frame = frame.outer
        return found


class Run:
    """Collects findings. One thread, one resource."""

    __slots__ = (
        "_hints",
        "checks",
        "errors",
        "findings",
        "follows_nothing",
        "frame",
        "memory",
        "options",
        "probing",
        "profiles",
        "quick",
        "restated",
        "unchecked",
        "visiting",
        "xml",
    )

    def __init__(self, checks: Checks, options: Options) -> None:
        self.checks = checks
        self.options = options
        self.findings: list[Raw] = []
        self.unchecked: list[Unchecked] = []
        self.frame: Frame | None = None
        self.errors = 0
        # (identity of the value, check) -> outcome of a probe, for the length of this run.
        self.memory: dict[tuple[int, int], tuple[bool, list[Raw], list[Unchecked]]] = {}
        self.visiting: set[tuple[int, str]] = set()
        self.profiles: list[str] = []
        # Restated rules that were applied: published address -> pack.
        self.restated: dict[str, str] = {}
        self.xml = False
        # How many questions "does this fit that profile" are open.
        self.probing = 0
        self._hints = _MOST_HINTS
        # Whether plans may be used (`fast/`): they take the usual options for granted.
        self.quick, self.follows_nothing = checks.usual(options)

    def near(self, text: str, known: Callable[[], Iterable[str]], cutoff: float) -> str:
        """A question after the known text that another is near to; only for the first findings, since it is slow."""
        if self._hints <= 0:
            return ""
        self._hints -= 1
        return near(text, known(), cutoff=cutoff)

    @property
    def is_full(self) -> bool:
        """Whether further findings are only counted."""
        return len(self.findings) >= _MOST_FINDINGS

    def error(self, rule: str, place: Place | None, message: str, profile: str | None = None) -> None:
        self.errors += 1
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(("error", rule, place, message, profile))

    def add(self, severity: str, rule: str, place: Place | None, message: str, profile: str | None = None) -> None:
        if severity in ("error", "fatal"):
            self.errors += 1
        if severity != "ignore" and len(self.findings) < _MOST_FINDINGS:
            self.findings.append((severity, rule, place, message, profile))

    def not_checked(
        self, rule: str, place: Place | None, reason: str, *, decisive: bool, profile: str | None = None
    ) -> None:
        if len(self.unchecked) < _MOST_FINDINGS:
            self.unchecked.append((rule, place, reason, decisive, profile))

    def probe(self, check: Check, value: Any, place: Place) -> tuple[bool, list[Raw], list[Unchecked]]:
        """Run a check aside: whether it finds an error, and what it finds. Remembered for this value."""
        key = (id(value), id(getattr(check, "__self__", check)))
        known = self.memory.get(key)
        if known is not None:
            return known
        findings, unchecked, errors = self.findings, self.unchecked, self.errors
        self.findings, self.unchecked, self.errors = [], [], 0
        # What meets itself again on the way round (patients linked in a ring) is held to fit until shown otherwise.
        self.memory[key] = (True, [], [])
        try:
            check(value, place, self)
            outcome = (self.errors == 0, self.findings, self.unchecked)
        finally:
            self.findings, self.unchecked, self.errors = findings, unchecked, errors
        self.memory[key] = outcome
        return outcome

    def take(self, outcome: tuple[bool, list[Raw], list[Unchecked]]) -> None:
        """Make the outcome of a probe part of this run."""
        for severity, rule, place, message, profile in outcome[1]:
            self.add(severity, rule, place, message, profile)
        self.unchecked.extend(outcome[2])
