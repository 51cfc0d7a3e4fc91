"""One person's record as a practice's system answers with it: the Bundle for what was asked, and no more.

Source: GP Connect API 1.5, "Retrieve a patient's structured record", Payload response body; Access Document,
"Search for a patient's documents".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from mpftconnect.model import (
    AllergyIntolerance,
    ClinicalItem,
    Condition,
    DiagnosticReport,
    DocumentReference,
    Encounter,
    Immunization,
    MedicationStatement,
    Observation,
    Period,
    ProgressNote,
    SectionName,
    ServiceRequest,
)
from mpftconnect.sandbox import Person
from mpftconnect_gpconnect.twin.entries import entry_resource, reference_of
from mpftconnect_gpconnect.twin.lists import Warnings, consultation_lists, primary_list, secondary_list
from mpftconnect_gpconnect.twin.medicines import medicine_resources
from mpftconnect_gpconnect.twin.people import Surroundings, patient_resource
from mpftconnect_gpconnect.twin.requested import Requested
from mpftconnect_gpconnect.twin.writing import GPC, codes_of

__all__ = ["SYSTEM", "document_bundle", "patient_bundle", "structured_bundle"]

SYSTEM = "gpconnect"
T = TypeVar("T", bound=ClinicalItem)


def structured_bundle(person: Person, asked: Requested, documents: str) -> dict[str, Any]:
    """The answer to `$gpc.getstructuredrecord`.

    Args:
        asked: Which areas, with which filters.
        documents: Base URL of the document server.
    """
    return _Answer(person, asked, documents).bundle()


def patient_bundle(person: Person | None) -> dict[str, Any]:
    """The answer to a search for the patient on the document server."""
    around = Surroundings()
    found = [_patient(person, around)] if person else []
    return _searchset(found, around.resources)


def document_bundle(person: Person, documents: str) -> dict[str, Any]:
    """The answer to a search for the patient's documents, with what must be included."""
    around = Surroundings()
    patient = _patient(person, around)
    found = [entry_resource(item, around, documents=documents) for item in _held(person, DocumentReference)]
    return {**_searchset(found, [patient, *around.resources]), "total": len(found)}


def _searchset(matches: Sequence[Mapping[str, Any]], included: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [f"{GPC}GPConnect-Searchset-Bundle-1"]},
        "type": "searchset",
        "entry": [
            *({"resource": one, "search": {"mode": "match"}} for one in matches),
            *({"resource": one, "search": {"mode": "include"}} for one in included),
        ],
    }


def _patient(person: Person, around: Surroundings) -> dict[str, Any]:
    patient = person.patient_at(SYSTEM)
    number = patient.nhs_number or person.nhs_number
    return patient_resource(person.systems[SYSTEM].local_id, number, patient, around)


def _held(person: Person, kind: type[T]) -> list[T]:
    items = (item for section in person.systems[SYSTEM].items.values() for item in section)
    return [item for item in items if isinstance(item, kind)]


@dataclass
class _Answer:
    person: Person
    asked: Requested
    documents: str

    def __post_init__(self) -> None:
        self.around = Surroundings()
        self.taken: dict[str, ClinicalItem] = {}
        self.lists: list[dict[str, Any]] = []
        settings = self.person.systems[SYSTEM].settings
        self.warnings = Warnings(settings.get("confidential", ()), settings.get("in_transit_since"))
        self.patient = _patient(self.person, self.around)
        self.subject = f"Patient/{self.patient['id']}"

    def bundle(self) -> dict[str, Any]:
        for area, held in self._areas().items():
            if area in self.asked.areas:
                self._primary(area, held)
        if "consultations" in self.asked.areas:
            self._consultations()
        if "problems" in self.asked.areas:
            self._linked("problems", self._belonging(_held(self.person, Condition)))
        entries = [resource for item in self.taken.values() for resource in self._resources(item)]
        return {
            "resourceType": "Bundle",
            "meta": {"profile": [f"{GPC}GPConnect-StructuredRecord-Bundle-1"]},
            "type": "collection",
            "entry": [
                {"resource": resource}
                for resource in _each_once([self.patient, *self.lists, *entries, *self.around.resources])
            ],
        }

    def _areas(self) -> dict[str, Sequence[ClinicalItem]]:
        person, asked = self.person, self.asked
        reported = {result.reference for report in _held(person, DiagnosticReport) for result in report.results}
        return {
            "allergies": [one for one in _held(person, AllergyIntolerance) if not _is_ended(one)],
            "medications": [
                one for one in _held(person, MedicationStatement) if _active_since(one, asked.active_since)
            ],
            "problems": _held(person, Condition),
            "immunisations": [
                one for one in _held(person, Immunization) if asked.not_given or one.status != "not-done"
            ],
            "uncategorised": [one for one in _held(person, Observation) if one.source.id not in reported],
            "investigations": _held(person, DiagnosticReport),
            "referrals": [one for one in _held(person, ServiceRequest) if one.intent != "plan"],
            "diary": [one for one in _held(person, ServiceRequest) if one.intent == "plan"],
        }

    def _primary(self, area: str, held: Sequence[ClinicalItem]) -> None:
        self._take(held)
        self.lists.append(primary_list(area, self.subject, [reference_of(one) for one in held], self.warnings))
        if area == "allergies" and self.asked.ended_allergies:
            self._ended_allergies()

    def _ended_allergies(self) -> None:
        # "a list where the resources are contained within it": so that none is taken for an active one.
        ended = [one for one in _held(self.person, AllergyIntolerance) if _is_ended(one)]
        contained = [entry_resource(one, self.around) for one in ended]
        references = [f"#{one['id']}" for one in contained]
        self.lists.append(primary_list("ended-allergies", self.subject, references, self.warnings, contained))

    def _consultations(self) -> None:
        encounters = _held(self.person, Encounter)
        self._take(encounters)
        references = [reference_of(one) for one in encounters]
        self.lists.append(primary_list("consultations", self.subject, references, self.warnings))
        within: list[ClinicalItem] = []
        for encounter in encounters:
            contents = [
                item
                for item in self._everything()
                if item.encounter is not None
                and item.encounter.reference == encounter.source.id
                and not (isinstance(item, AllergyIntolerance) and _is_ended(item))
            ]
            problems = [one for one in contents if isinstance(one, Condition)]
            self.lists += consultation_lists(encounter, self.subject, contents, problems)
            within += contents
        self._linked("consultations", within)

    def _linked(self, group: str, linked: Iterable[ClinicalItem]) -> None:
        """What consultations contain or problems are related to, and the secondary lists that say so."""
        by_area: dict[str, list[ClinicalItem]] = {}
        for item in linked:
            if (area := _area_of(item)) is not None:
                by_area.setdefault(area, []).append(item)
            self._take([item])
        for area, items in by_area.items():
            made = secondary_list(group, area, self.subject, [reference_of(one) for one in items], self.warnings)
            if made is not None:
                self.lists.append(made)

    def _belonging(self, problems: Sequence[Condition]) -> list[ClinicalItem]:
        names = {problem.source.id for problem in problems}
        return [
            item
            for item in self._everything()
            if not (isinstance(item, AllergyIntolerance) and _is_ended(item))
            and any(reference.reference in names for reference in item.based_on)
        ]

    def _everything(self) -> list[ClinicalItem]:
        return _held(self.person, ClinicalItem)

    def _take(self, items: Iterable[ClinicalItem]) -> None:
        for item in items:
            self.taken.setdefault(item.source.id, item)
            if isinstance(item, DiagnosticReport):
                results = {result.reference for result in item.results}
                self._take(one for one in _held(self.person, Observation) if one.source.id in results)

    def _resources(self, item: ClinicalItem) -> list[dict[str, Any]]:
        if isinstance(item, MedicationStatement):
            return medicine_resources(item, self.around, issues=self.asked.issues)
        related = self._belonging([item]) if isinstance(item, Condition) else []
        present = [one for one in related if one.source.id in self.taken]
        return [entry_resource(item, self.around, related=present, documents=self.documents)]


def _area_of(item: ClinicalItem) -> str | None:
    """Which secondary list tells of the entry; None for what only the structure of a consultation shows."""
    kinds: Mapping[type[ClinicalItem], str] = {
        AllergyIntolerance: "allergies",
        MedicationStatement: "medications",
        Immunization: "immunisations",
        Observation: "uncategorised",
        DiagnosticReport: "investigations",
        ServiceRequest: "referrals",
        DocumentReference: "documents",
        Encounter: "consultations",
        Condition: "problems",
        ProgressNote: "uncategorised",
    }
    if isinstance(item, ServiceRequest) and item.intent == "plan":
        return "diary"
    return kinds.get(type(item))


def _is_ended(item: AllergyIntolerance) -> bool:
    return codes_of(item.clinical_status) == "resolved"


def _active_since(item: MedicationStatement, since: str | None) -> bool:
    """Whether it was active on or after that day; a repeat without an end goes on."""
    if since is None:
        return True
    given = item.effective
    start = given.start if isinstance(given, Period) else given
    end = given.end if isinstance(given, Period) else None
    if end is None and codes_of(item.course) == "acute":
        end = start
    return end is None or end.date_text >= since


def _each_once(resources: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[tuple[str, Any], dict[str, Any]] = {}
    for number, resource in enumerate(resources):
        found.setdefault((resource["resourceType"], resource.get("id", number)), resource)
    return list(found.values())


# Which sections of the model the areas are written from, for the tests of the people's views.
HELD = frozenset(
    {
        SectionName.ALLERGIES,
        SectionName.MEDICATIONS,
        SectionName.PROBLEMS,
        SectionName.IMMUNISATIONS,
        SectionName.RESULTS,
        SectionName.REPORTS,
        SectionName.REFERRALS,
        SectionName.ENCOUNTERS,
        SectionName.NOTES,
        SectionName.DOCUMENTS,
    }
)
