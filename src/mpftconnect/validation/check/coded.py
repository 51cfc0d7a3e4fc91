"""Coded elements: bindings to value sets, and whether codes and displays exist in their systems.

FHIR R4 "Terminology", section 4.1.5 (binding strengths). What cannot be said with what is loaded is "not
checked"; it is decisive only where the binding is required.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.check.run import Run
from mpftconnect.validation.compile.element import Binding
from mpftconnect.validation.places import Place
from mpftconnect.validation.terminology.code_systems import UCUM, CodeSystems, not_loaded
from mpftconnect.validation.terminology.service import Question, ServiceAnswers
from mpftconnect.validation.terminology.ucum import read_unit
from mpftconnect.validation.terminology.value_sets import Answer, ValueSets

if TYPE_CHECKING:
    from mpftconnect.validation.definitions.store import Definitions
    from mpftconnect.validation.terminology.imported import TerminologyStore

__all__ = ["Coded"]

_LOCAL = re.compile(r"\s")
_OTHER_VERSION = "the code is of a version of {} that is not the imported one"


class Coded:
    """Judges codes for one validator."""

    def __init__(
        self,
        definitions: Definitions,
        store: TerminologyStore | None = None,
        service: ServiceAnswers | None = None,
    ) -> None:
        self.systems = CodeSystems(definitions, store)
        self.value_sets = ValueSets(definitions, self.systems, service)
        self.service = service
        self._definitions = definitions
        self._forms: dict[str, str] = {}

    # -- for slicing and FHIRPath

    def member(self, value: Any, value_set: str) -> bool | None:
        """Whether a code, Coding, CodeableConcept, Quantity or text is of a value set."""
        if isinstance(value, str):
            return self.value_sets.member(value_set, None, value).member
        if not isinstance(value, dict):
            return False
        codings = value.get("coding")
        if isinstance(codings, list):
            answers = [self._of(coding, value_set).member for coding in codings if isinstance(coding, dict)]
            return True if True in answers else None if None in answers else False
        return self._of(value, value_set).member

    def member_of_given(self, value: Any, definition: dict[str, Any]) -> bool | None:
        """`member`, for a value set that is at hand but in no package (contained in what uses it)."""
        coding = value if isinstance(value, dict) else {"code": value}
        system, code = coding.get("system"), coding.get("code")
        if not isinstance(code, str):
            return False
        return self.value_sets.member_of_given(definition, system if isinstance(system, str) else None, code).member

    def _of(self, coding: dict[str, Any], value_set: str) -> Answer:
        code = coding.get("code")
        if not isinstance(code, str):
            return Answer(False)
        system = coding.get("system")
        if not isinstance(system, str):
            return Answer(False)
        answer = self.value_sets.member(value_set, system, code)
        if answer.member is False and "version" in coding and self._other_version(coding, system):
            return Answer(None, _OTHER_VERSION.format(system))
        return answer

    def _other_version(self, coding: dict[str, Any], system: str) -> bool:
        """Whether a coding is of a version that is not the imported one: then "no" cannot be said of it."""
        known, version = self.systems.find(system), coding.get("version")
        return known is not None and known.imported and isinstance(version, str) and not known.of_version(version)

    # -- bindings

    def check(
        self,
        value: Any,
        kind: str,
        binding: Binding,
        place: Place,
        run: Run,
        profile: str | None,
        *,
        contained: bool = True,
    ) -> None:
        """Judge a value against its binding."""
        if binding.max_value_set:
            self._maximum(value, kind, binding.max_value_set, place, run, profile)
        value_set = binding.value_set
        if binding.strength not in ("required", "extensible") or not value_set:
            return
        required = binding.strength == "required"
        if kind == "CodeableConcept":
            self._concept(value, value_set, place, run, profile, required=required)
        elif kind == "Coding":
            self._coding(value, value_set, place, run, profile, required=required)
        elif kind in ("Quantity", "Age", "Duration", "Distance", "Count", "Money", "SimpleQuantity"):
            self._quantity(value, value_set, place, run, profile, required=required)
        elif isinstance(value, str):
            self._code(value, value_set, place, run, profile, required=required)

    def _maximum(self, value: Any, kind: str, value_set: str, place: Place, run: Run, profile: str | None) -> None:
        answer = self.member(value, value_set)
        if answer is None:
            run.not_checked(
                "binding-maximum", place, f"whether the code is of {value_set}", decisive=True, profile=profile
            )
        elif answer is False and not (
            kind == "CodeableConcept" and isinstance(value, dict) and not value.get("coding")
        ):
            run.error(
                "binding-maximum", place, f"must have a code of {value_set}, which is the most that is allowed", profile
            )

    def _code(self, value: str, value_set: str, place: Place, run: Run, profile: str | None, *, required: bool) -> None:
        answer = self.value_sets.member(value_set, None, value)
        if answer.member is False:
            if required:
                close = self._near(value, value_set, run)
                run.error("binding-required", place, f"must be a code of {value_set}{close}", profile)
            else:
                run.add("warning", "binding-extensible", place, f"should be a code of {value_set}", profile)
        elif answer.member is None:
            self.doubt(answer.reason, place, run, profile, required=required)

    def doubt(self, reason: str, place: Place, run: Run, profile: str | None, *, required: bool) -> None:
        run.not_checked(
            "binding-required" if required else "binding-extensible", place, reason, decisive=required, profile=profile
        )

    def _near(self, value: str, value_set: str, run: Run) -> str:
        return run.near(value, lambda: self.value_sets.codes(value_set)[:5000], 0.75)

    def _coding(
        self, value: Any, value_set: str, place: Place, run: Run, profile: str | None, *, required: bool
    ) -> None:
        if not isinstance(value, dict):
            return
        if not isinstance(value.get("code"), str):
            if required and "code" not in value and not value.get("extension") and "_code" not in value:
                run.error("binding-required", place, f"must have a code of {value_set}", profile)
            return
        if not isinstance(value.get("system"), str):
            bare = self.value_sets.member(value_set, None, value["code"])
            if required and bare.member is not None:
                run.error("binding-required", place, f"must have a system and a code of {value_set}", profile)
            elif bare.member is None:
                self.doubt(bare.reason, place, run, profile, required=required)
            return
        answer = self._of(value, value_set)
        if answer.member is False:
            if required:
                run.error("binding-required", place, f"must have a code of {value_set}", profile)
            else:
                run.add("warning", "binding-extensible", place, f"should have a code of {value_set}", profile)
        elif answer.member is None:
            self.doubt(answer.reason, place, run, profile, required=required)

    def _concept(
        self, value: Any, value_set: str, place: Place, run: Run, profile: str | None, *, required: bool
    ) -> None:
        if not isinstance(value, dict):
            return
        codings = value.get("coding")
        codings = [c for c in codings if isinstance(c, dict)] if isinstance(codings, list) else []
        with_code = [c for c in codings if isinstance(c.get("code"), str)]
        if not with_code:
            if required and not value.get("extension") and not any(c.get("extension") or "_code" in c for c in codings):
                run.error("binding-required", place, f"must have a code of {value_set}", profile)
            elif "text" not in value and not required:
                run.add("warning", "binding-extensible", place, f"should have a code of {value_set}", profile)
            return
        reasons = ""
        for coding in with_code:
            answer = self._of(coding, value_set)
            if answer.member:
                return
            if answer.member is None:
                reasons = reasons or answer.reason
        if reasons:
            self.doubt(reasons, place, run, profile, required=required)
        elif required:
            run.error("binding-required", place, f"must have a code of {value_set}", profile)
        else:
            run.add(
                "warning",
                "binding-extensible",
                place,
                f"should have a code of {value_set}, unless no code of it fits",
                profile,
            )

    def _quantity(
        self, value: Any, value_set: str, place: Place, run: Run, profile: str | None, *, required: bool
    ) -> None:
        if not isinstance(value, dict):
            return
        unit = value.get("currency") if "currency" in value else value.get("code")
        if not isinstance(unit, str):
            if required and "value" in value:
                run.error("binding-required", place, f"must have a unit code of {value_set}", profile)
            return
        system = value.get("system")
        answer = self.value_sets.member(value_set, system if isinstance(system, str) else None, unit)
        if answer.member is False:
            if required:
                run.error("binding-required", place, f"must have a unit code of {value_set}", profile)
            else:
                run.add("warning", "binding-extensible", place, f"should have a unit code of {value_set}", profile)
        elif answer.member is None:
            self.doubt(answer.reason, place, run, profile, required=required)

    # -- a Coding or Quantity by itself, bound or not

    def coding(self, value: dict[str, Any], place: Place, run: Run) -> None:
        """Whether the code is of its system, and the display one of the code's."""
        system, code = value.get("system"), value.get("code")
        if system.__class__ is not str:
            return
        problem = self._forms.get(system)
        if problem is None:
            problem = self._form(system)
            if len(self._forms) < 10_000:
                self._forms[system] = problem
        if problem:
            run.error("code-system-form", (place, "system", None, None), problem)
            return
        if not isinstance(code, str):
            return
        known = self.systems.find(system)
        verdict = known.has(code) if known is not None else None
        if verdict is not True and (self.service is not None or (known is not None and known.imported)):
            verdict = self._elsewhere(value, verdict, system, code, place, run)
            if verdict is None:
                return
        if verdict is False:
            run.error("code-unknown", place, f"must have a code of {system}{self._similar(code, known, run)}")
        elif verdict is None:
            run.not_checked("code-unknown", place, not_loaded(system), decisive=False)
        elif known is not None:
            if known.imported and known.active(code) is False:
                run.add("warning", "code-inactive", place, f"should have an active code of {system}")
            self._display(value, known, code, place, run)

    def _elsewhere(
        self, value: dict[str, Any], verdict: bool | None, system: str, code: str, place: Place, run: Run
    ) -> bool | None:
        """Whether a code exists, where what is loaded did not find it; None once it stands as not checked."""
        known = self.systems.find(system)
        reason = known.missing(code) if known is not None else not_loaded(system)
        if verdict is False and self._other_version(value, system):
            verdict, reason = None, _OTHER_VERSION.format(system)
        if verdict is None and self.service is not None:
            version = value.get("version")
            answer = self.service.ask(Question(system, code, None, version if isinstance(version, str) else None))
            verdict, reason = answer.result, f"{reason}; {answer.reason}"
        if verdict is None:
            run.not_checked("code-unknown", place, reason, decisive=False)
        return verdict

    def _form(self, system: str) -> str:
        """What is wrong with the address of a code system; empty if nothing is."""
        if ":" not in system:
            return "must be an absolute address of a code system"
        if (
            self._definitions.find(system, "ValueSet") is not None
            and self._definitions.find(system, "CodeSystem") is None
        ):
            return "must be a code system, and is the address of a value set"
        entry = self._definitions.find(system, "CodeSystem")
        if entry is not None and entry.resource.get("content") == "supplement":
            return "must be a code system, and is the address of a supplement"
        return ""

    @staticmethod
    def _similar(code: str, known: Any, run: Run) -> str:
        if known is None:  # only a service knows the system
            return ""
        return run.near(code, lambda: list(known.displays)[:5000], 0.75)

    def _display(self, value: dict[str, Any], known: Any, code: str, place: Place, run: Run) -> None:
        display = value.get("display")
        names = known.names(code) if known.imported else sorted(known.displays.get(code, ()))
        level = run.options.check_display
        if not isinstance(display, str) or not names or level == "ignore" or not run.options.language.startswith("en"):
            return
        if display in names:
            return
        folded = " ".join(display.lower().split())
        if all(folded != " ".join(name.lower().split()) for name in names):
            # The right display says what the patient has, as the code does: it is a value like any other.
            right = f": {names[0]}" if run.options.show_values else ""
            run.add(
                "error" if level == "error" else "warning",
                "display",
                (place, "display", None, None),
                f"must be a display that {known.url} gives the code{right}",
            )

    def quantity(self, value: dict[str, Any], place: Place, run: Run) -> None:
        """Whether a unit that claims to be UCUM is one."""
        if value.get("system") != UCUM or not isinstance(value.get("code"), str):
            return
        unit = read_unit(value["code"])
        if unit is None:
            run.error("ucum", place, "must have a UCUM code as its unit")
