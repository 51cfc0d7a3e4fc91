"""The silent exclusion: kinds of record that are never shown, by system, organisation, service and code.

Rule 6. Exclusion is by source *and* by code *and* in everything derived: an appointment, letter, referral, report or
result that refers to an excluded thing goes with it. A care plan or team keeps its other lines: a crisis plan must
not vanish because one of its actions points at an excluded appointment. So does a problem, which loses only its links.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationInfo, field_validator

from mpftconnect.adapters.contract import Refusal
from mpftconnect.errors import ConfigurationError
from mpftconnect.governance.glance import Glance
from mpftconnect.governance.policies import Contribution, PolicySpec, Taken
from mpftconnect.model import (
    Actor,
    CarePlan,
    CareTeam,
    Coding,
    Concept,
    Condition,
    ContingencyPlan,
    Extra,
    Identifier,
    Item,
    MedicationStatement,
    Model,
    Notice,
    Patient,
    Reference,
    SectionName,
    parts,
)

__all__ = ["SEED_CODES", "SEED_WARNING", "Exclusion", "ExclusionSettings", "exclusion_spec"]

# A seed list only. The national subsets for assisted fertilisation, sexually transmitted infection, termination of
# pregnancy and gender reassignment are licensed (SNOMED CT UK, the four GP summary exclusion refsets) and come from
# configuration. Law: Human Fertilisation and Embryology Act 1990 s33A; Gender Recognition Act 2004 s22; NHS Trusts
# and Primary Care Trusts (Sexually Transmitted Diseases) Directions 2000.
SEED_CODES: frozenset[str] = frozenset(
    {
        "8098009",  # Sexually transmitted infectious disease (disorder)
        "15628003",  # Gonorrhea (disorder)
        "76272004",  # Syphilis (disorder)
        "86406008",  # Human immunodeficiency virus infection (disorder)
        "105629000",  # Chlamydial infection (disorder)
        "240589008",  # Chlamydia trachomatis infection (disorder)
        "33839006",  # Genital herpes simplex (disorder)
        "57797005",  # Induced termination of pregnancy (disorder)
        "386639001",  # Termination of pregnancy (procedure)
        "63487001",  # Assisted fertilization (procedure)
        "407376001",  # Male-to-female transsexual (finding)
        "407377005",  # Female-to-male transsexual (finding)
        "93461009",  # Gender dysphoria (disorder)
    }
)
SEED_WARNING = "the built-in list of excluded codes is a seed and is incomplete: configure the national subsets"

# Genito-urinary medicine, NHS Data Dictionary, TREATMENT FUNCTION CODE 360.
_SEED_SERVICES = ("sexual health", "genitourinary medicine", "genito-urinary medicine")


class ExclusionSettings(Model):
    """What is never shown.

    Args:
        systems: Configured systems that are never asked.
        organisations: ODS codes or names of organisations and sites.
        services: Names or codes of services, specialties and departments.
        codes: Clinical codes, of whatever system.
        code_files: Text files of one code a line, or RF2 reference set files, of which the active members count: the
            licensed national subsets. Relative to the configuration file.
        phrases: Phrases that exclude an item when they stand in its free text; none by default.
        seed: Whether the built-in, incomplete seed list applies too.
    """

    systems: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    code_files: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    seed: bool = True

    @field_validator("code_files")
    @classmethod
    def _beside_the_configuration(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        folder = (info.context or {}).get("folder")
        return names if folder is None else tuple(str(Path(folder) / name) for name in names)


def _folded(words: Iterable[str]) -> frozenset[str]:
    return frozenset(" ".join(word.split()).casefold() for word in words if word.strip())


class Exclusion:
    """The policy: see the module's text."""

    judges_by_links = True

    def __init__(self, settings: ExclusionSettings, codes_from_files: Iterable[str] = ()) -> None:
        self._systems = frozenset(settings.systems)
        self._has_files = bool(settings.code_files)
        self._codes = frozenset(settings.codes) | frozenset(codes_from_files) | (SEED_CODES if settings.seed else set())
        self._organisations = _folded(settings.organisations)
        self._services = _folded((*settings.services, *(_SEED_SERVICES if settings.seed else ())))
        self._phrases = _folded(settings.phrases)
        self._glance = Glance((*self._codes, *self._organisations, *self._services), self._phrases)

    @property
    def cautions(self) -> tuple[str, ...]:
        """That the list that ships is incomplete, unless code files bring the licensed ones."""
        return () if self._has_files else (SEED_WARNING,)

    @property
    def codes(self) -> frozenset[str]:
        """Every excluded code."""
        return self._codes

    @property
    def organisations(self) -> frozenset[str]:
        """Codes and names of excluded organisations and sites, in one case, single-spaced."""
        return self._organisations

    @property
    def services(self) -> frozenset[str]:
        """Names and codes of excluded services, in one case, single-spaced."""
        return self._services

    def withholds_system(self, system: str) -> bool:
        return system in self._systems

    def apply(self, contribution: Contribution) -> tuple[Contribution, tuple[Taken, ...]]:
        everything = [item for items in contribution.items.values() for item in items]
        gone = {item.source.id for item in everything if self._direct(item)}
        if gone:
            # What is derived from an excluded thing goes too, however long the chain.
            pointers = {
                item.source.id: _references(_without_lines(item) if isinstance(item, Condition) else item)
                for item in everything
                if not isinstance(item, CarePlan | CareTeam)
            }
            takes = {item.source.id: _goes_with(item) for item in everything}
            while more := (
                {id_ for id_, refs in pointers.items() if refs & gone}.union(*(takes.get(id_, ()) for id_ in gone))
                - gone
            ):
                gone |= more
        taken: list[Taken] = []
        kept: dict[SectionName, tuple[Item, ...]] = {}
        for section, items in contribution.items.items():
            left = []
            for item in items:
                if item.source.id in gone:
                    taken.append(Taken(contribution.system, section, item.source.id))
                    continue
                pruned = self._pruned(item, gone)
                if pruned is not item:
                    taken.append(Taken(contribution.system, section, item.source.id, whole=False))
                left.append(pruned)
            kept[section] = tuple(left)
        refusals: dict[SectionName, tuple[Refusal, ...]] = {}
        for section, refused in contribution.refusals.items():
            stay = tuple(refusal for refusal in refused if not self._raw(refusal.content))
            taken += [Taken(contribution.system, section, None)] * (len(refused) - len(stay))
            refusals[section] = stay
        notices: dict[SectionName, tuple[Notice, ...]] = {}
        for section, said in contribution.notices.items():
            quiet = tuple(notice for notice in said if not self._mentions(notice))
            taken += [Taken(contribution.system, section, None)] * (len(said) - len(quiet))
            notices[section] = quiet
        patient = self._patient(contribution.patient)
        shown = replace(contribution, patient=patient, items=kept, notices=notices, refusals=refusals)
        return shown, tuple(taken)

    def _patient(self, patient: Patient | None) -> Patient | None:
        """The person without what names something excluded, such as a clinic that looks after them."""
        if patient is None or not self._glance.might_hold(patient):
            return patient
        changed: dict[str, Any] = {}
        for name, field in Patient.model_fields.items():
            value = getattr(patient, name)
            if name == "source" or not self._names_excluded(value):
                continue
            one_by_one = isinstance(value, tuple)
            changed[name] = tuple(v for v in value if not self._names_excluded(v)) if one_by_one else field.default
        return patient.model_copy(update=changed)

    # What is excluded in itself

    def _direct(self, item: Item) -> bool:
        if not self._glance.might_hold(item):
            return False
        if isinstance(item, _HAS_LINES):
            # Its lines are judged one by one; here only what is said of the whole.
            return self._names_excluded(_without_lines(item))
        return self._names_excluded(item)

    def _names_excluded(self, value: Any) -> bool:
        return any(self._excluded_part(path, part) for path, part in parts(value))

    def _excluded_part(self, path: str, part: Any) -> bool:
        if isinstance(part, Coding):
            return part.code in self._codes or _in(part.code, self._services) or _in(part.display, self._services)
        if isinstance(part, Concept):
            return _in(part.text, self._services)
        if isinstance(part, Actor):
            names = (part.organization, part.organization_code, part.name, part.role)
            return any(_in(name, self._organisations) or _in(name, self._services) for name in names)
        if isinstance(part, Extra):
            return self._raw(part.value)
        if isinstance(part, Reference):
            value = part.identifier.value if part.identifier else None
            return _in(part.display, self._organisations | self._services) or _in(value, self._organisations)
        if isinstance(part, Identifier):
            return _in(part.value, self._organisations)
        # A title or a name that is nothing but the service's or the organisation's.
        return isinstance(part, str) and (
            _in(part, self._organisations | self._services) or (bool(self._phrases) and self._has_phrase(part))
        )

    def _has_phrase(self, text: str) -> bool:
        folded = " ".join(text.split()).casefold()
        return any(re.search(rf"\b{re.escape(phrase)}\b", folded) for phrase in self._phrases)

    def _mentions(self, notice: Notice) -> bool:
        """Whether a warning's words speak of something excluded; unlike a field, they do so within a sentence."""
        folded = " ".join(f"{notice.code} {notice.text}".split()).casefold()
        words = self._phrases | self._organisations | self._services | _folded(self._codes)
        return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", folded) for word in words)

    def _raw(self, content: Any) -> bool:
        """Whether raw content, whose shape is not known, names something excluded anywhere."""
        return any(
            text in self._codes
            or _in(text, self._organisations)
            or _in(text, self._services)
            or (bool(self._phrases) and self._has_phrase(text))
            for text in _strings(content)
        )

    # Care plans, teams and problems lose lines, not themselves

    def _pruned(self, item: Item, gone: set[str]) -> Item:
        if not isinstance(item, _HAS_LINES) or not (gone or self._glance.might_hold(item)):
            return item
        changed: dict[str, Any] = {}

        def bad(line: Any) -> bool:
            return self._names_excluded(line) or bool(_references(line) & gone)

        for name in _line_fields(item):
            lines = getattr(item, name)
            left = tuple(_contingency(line, bad) if isinstance(line, ContingencyPlan) else line for line in lines)
            left = tuple(line for line in left if isinstance(line, ContingencyPlan) or not bad(line))
            if left != lines:
                changed[name] = left
        # What the whole points at, the encounter that it came from among them, would name the excluded thing too.
        for name in ("encounter", "author", "coordinator"):
            value = getattr(item, name, None)
            if value is not None and _references(value) & gone:
                changed[name] = None
        return item.model_copy(update=changed) if changed else item


def _contingency(plan: ContingencyPlan, bad: Callable[[Any], bool]) -> ContingencyPlan:
    left = {name: tuple(line for line in value if not bad(line)) for name, value in plan if isinstance(value, tuple)}
    changed = {name: value for name, value in left.items() if value != getattr(plan, name)}
    return plan.model_copy(update=changed) if changed else plan


# A problem may be linked to anything of a record: a link to an excluded thing goes, the problem stays.
_HAS_LINES = (CarePlan, CareTeam, Condition)


def _goes_with(item: Item) -> frozenset[str]:
    """What an excluded item takes with it although that does not point back: links stand on one side alone.

    A problem takes the entries that belong to it, but no contact, in which much else may have been spoken of; that
    part of its note goes by itself. A medicine takes the prescription that it rests on.
    """
    if isinstance(item, Condition):
        linked = _references((*item.content, *((item.actual,) if item.actual else ())))
        return frozenset(pointer for pointer in linked if not pointer.startswith("Encounter/"))
    if isinstance(item, MedicationStatement):
        return frozenset(pointer for pointer in _references(item.based_on) if pointer.startswith("MedicationRequest/"))
    return frozenset()


def _without_lines(item: CarePlan | CareTeam | Condition) -> Item:
    return item.model_copy(update=dict.fromkeys(_line_fields(item), ()))


def _line_fields(item: CarePlan | CareTeam | Condition) -> tuple[str, ...]:
    if isinstance(item, Condition):
        return ("content", "related")
    if isinstance(item, CareTeam):
        return ("participants", "organization")
    return (
        *("about_me", "strengths", "needs", "goals", "actions", "contingency", "formulation"),
        *("additional_plans", "team", "contributors", "part_of", "replaces", "based_on", "extra"),
    )


def _in(text: str | None, folded: frozenset[str]) -> bool:
    return bool(text) and " ".join(str(text).split()).casefold() in folded


def _references(value: Any) -> frozenset[str]:
    """Ids of the things that it points at, without version and without the server's address."""
    found = set()
    for _, part in parts(value):
        if isinstance(part, Reference | Actor) and part.reference:
            plain = part.reference.partition("/_history/")[0]
            found |= {plain, "/".join(plain.split("/")[-2:])}
        elif isinstance(part, Extra):
            for text in _strings(part.value):
                plain = text.partition("/_history/")[0]
                found |= {plain, "/".join(plain.split("/")[-2:])}
    return frozenset(found)


def _strings(content: Any) -> Iterator[str]:
    waiting = [content]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, int) and not isinstance(part, bool):
            yield str(part)
        elif isinstance(part, bytes):
            yield part.decode(errors="replace")
        elif isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list | tuple):
            waiting.extend(part)
        elif isinstance(part, Model):
            waiting.append(json.loads(part.model_dump_json()))


def _build(settings: ExclusionSettings) -> Exclusion:
    codes: list[str] = []
    for number, name in enumerate(settings.code_files):
        try:
            found = _codes(Path(name).read_text(encoding="utf-8-sig").splitlines())
        except (OSError, ValueError) as error:
            raise ConfigurationError([f"code_files.{number}: cannot be read ({type(error).__name__})"]) from None
        if not found:
            # A list that excludes nothing is a mistake that nobody would see.
            raise ConfigurationError([f"code_files.{number}: expected one code a line, and found none"])
        codes += found
    return Exclusion(settings, codes)


def _codes(lines: Sequence[str]) -> list[str]:
    header = lines[0].split("\t") if lines else []
    if "referencedComponentId" in header:
        # SNOMED CT release format 2, reference set file: the code stands in `referencedComponentId`, and the first
        # column is the id of the membership. SNOMED CT Release File Specifications, section 5.2.1 (Simple Refset).
        code, active = header.index("referencedComponentId"), header.index("active")
        rows = [row for line in lines[1:] if len(row := line.split("\t")) == len(header)]
        return [row[code].strip() for row in rows if row[active] == "1"]
    return [word for line in lines if (word := line.split("\t")[0].split(",")[0].strip().strip('"'))]


exclusion_spec = PolicySpec(name="never-shown", kind="silent", settings=ExclusionSettings, build=_build)
