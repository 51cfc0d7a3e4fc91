"""The twin against the specification: whom it shows, what it refuses, what its record says of itself."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mpftconnect.adapters import Fault, TwinRequest
from mpftconnect.errors import NotShown
from mpftconnect.model import AllergyIntolerance, Condition, MedicationStatement, Notice, ProgressNote, SectionName
from mpftconnect.sandbox import PEOPLE
from mpftconnect_gpconnect.parameters import STRUCTURED
from mpftconnect_gpconnect.twin import GpConnectTwin

ALLERGIES = SectionName.ALLERGIES
NHS = {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}
NUMBER = {"name": "patientNHSNumber", "valueIdentifier": NHS}


def numbered(**changes: str) -> dict[str, Any]:
    return NUMBER | {"valueIdentifier": NHS | changes}


def include(name: str, **parts: Any) -> dict[str, Any]:
    return (
        {"name": name, "part": [{"name": part, **value} for part, value in parts.items()]} if parts else {"name": name}
    )


ALL = include("includeAllergies", includeResolvedAllergies={"valueBoolean": True})
TOMORROW = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()


class TestParameters:
    @pytest.mark.parametrize(
        ("parameters", "code"),
        [
            pytest.param([ALL], "INVALID_PARAMETER", id="no number"),
            pytest.param([NUMBER, NUMBER, ALL], "INVALID_PARAMETER", id="two numbers"),
            pytest.param([numbered(value="9990000019"), ALL], "INVALID_NHS_NUMBER", id="digit"),
            pytest.param([numbered(value="999 000 0018"), ALL], "INVALID_NHS_NUMBER", id="blanks"),
            pytest.param([numbered(system="x"), ALL], "INVALID_IDENTIFIER_SYSTEM", id="system"),
            pytest.param([NUMBER | {"valueIdentifier": "9990000018"}, ALL], "INVALID_PARAMETER", id="no identifier"),
            pytest.param([NUMBER], "INVALID_PARAMETER", id="nothing asked for"),
            pytest.param([NUMBER, include("includeFirstPets")], "INVALID_PARAMETER", id="nothing known"),
            pytest.param([NUMBER, include("includeAllergies")], "INVALID_PARAMETER", id="the mandatory part"),
            pytest.param([NUMBER, ALL, ALL], "INVALID_RESOURCE", id="twice"),
            pytest.param(
                [NUMBER, include("includeAllergies", includeResolvedAllergies={"valueString": "true"})],
                "INVALID_PARAMETER", id="a part of another type",
            ),
            pytest.param(
                [NUMBER, include("includeMedication", x={"valueBoolean": True})], "INVALID_PARAMETER", id="no such part"
            ),
            *(
                pytest.param(
                    [NUMBER, include("includeMedication", medicationSearchFromDate={"valueDate": date})],
                    "INVALID_PARAMETER", id=date,
                )
                for date in ("2025", "2025-06", "2025-06-01T10:00:00Z", "2025-02-30", TOMORROW)
            ),
            *(
                pytest.param(
                    [NUMBER, include(beside),
                     include("includeMedication", medicationSearchFromDate={"valueDate": "2020-01-01"})],
                    "INVALID_PARAMETER", id=f"a date beside {beside}",
                )
                for beside in ("includeConsultations", "includeProblems")
            ),
            pytest.param(
                [NUMBER, include("includeProblems"),
                 include("includeImmunisations", includeNotGiven={"valueBoolean": True})],
                "INVALID_PARAMETER", id="not given beside problems",
            ),
            pytest.param([7], "INVALID_RESOURCE", id="no objects"),
        ],
    )  # fmt: skip
    def test_what_is_not_legal_is_refused(self, knocker: Any, code_of: Any, parameters: Any, code: str) -> None:
        assert code_of(knocker.send(parameters=parameters)) == code

    def test_what_is_no_parameters_is_refused(self, knocker: Any, code_of: Any) -> None:
        for body in (b"", b"{", b"[]", b'{"resourceType": "Patient"}', b'{"resourceType": "Parameters"}'):
            assert code_of(knocker.send(body=body)) == "INVALID_RESOURCE"

    def test_what_the_adapter_sends_is_legal_in_every_combination(self, line: Any) -> None:
        """GPC-03: whatever sections are wanted, what is sent is accepted."""
        names = sorted(STRUCTURED)
        for chosen in range(1, 1 << len(names)):
            wanted = [name for number, name in enumerate(names) if chosen >> number & 1]
            assert line.adapter.find_patient(line.reading("full", *wanted))

    def test_what_is_unknown_beside_what_is_known_is_ignored(self, knocker: Any) -> None:
        assert knocker.send(parameters=[NUMBER, ALL, include("includeFirstPets")]).status == 200


class TestProxy:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"Ssp-TraceID": None}, 400), ({"Ssp-TraceID": "1"}, 400), ({"Ssp-From": None}, 403),
            ({"Ssp-From": "200000000999"}, 403), ({"Ssp-To": "200000000999"}, 403), ({"Ssp-To": None}, 403),
            ({"Ssp-InteractionID": None}, 400), ({"Ssp-InteractionID": "urn:x"}, 400),
            ({"Content-Type": "text/plain"}, 415),
        ],
    )  # fmt: skip
    def test_headers(self, knocker: Any, code_of: Any, headers: dict[str, str | None], status: int) -> None:
        answer = knocker.send(headers=headers)
        assert (answer.status, code_of(answer)) == (status, str(status))

    def test_addresses_tell_capitals_from_small_letters(self, knocker: Any) -> None:
        for old, new in (("GPConnect", "gpconnect"), ("ZZ101", "zz101"), ("gp-systems", "GP-systems")):
            assert knocker.send(path=knocker.good.path.replace(old, new)).status == 400

    def test_methods(self, knocker: Any, code_of: Any) -> None:
        assert knocker.send(method="PATCH").status == 405
        assert code_of(knocker.send(method="GET")) == "BAD_REQUEST"

    def test_another_interaction_than_the_request_is(self, knocker: Any, code_of: Any) -> None:
        other = "urn:nhs:names:services:gpconnect:structured:fhir:rest:read:metadata-1"
        assert code_of(knocker.send(headers={"Ssp-InteractionID": other})) == "BAD_REQUEST"

    def test_the_sender_is_the_organisation_of_the_token(self, knocker: Any, code_of: Any) -> None:
        assert code_of(knocker.send(headers={"Ssp-From": "200000000360"})) == "BAD_REQUEST"

    def test_media_types(self, knocker: Any) -> None:
        assert knocker.send(headers={"Accept": "text/csv"}).status == 406
        assert knocker.send(headers={"Accept": "text/csv, application/fhir+json;q=0.1"}).status == 200

    def test_nothing_may_be_stored(self, knocker: Any) -> None:
        assert knocker.send().headers["Cache-Control"] == "no-store"
        assert knocker.send(drop="iss").headers["Cache-Control"] == "no-store"

    def test_what_is_not_there(self, twin: GpConnectTwin) -> None:
        assert twin.handle(TwinRequest.of("GET", "/elsewhere")).status == 404


class TestWhomItShows:
    @pytest.mark.parametrize("role", ["restricted", "deceased", "unverified"])
    def test_nobody_learns_why_somebody_is_not_shown(self, knocker: Any, code_of: Any, people: Any, role: str) -> None:
        (person,) = [one for one in people if one.role == role]
        answers = [
            knocker.send(parameters=[numbered(value=number), ALL]) for number in (person.nhs_number, "9999999999")
        ]
        assert [(one.status, code_of(one)) for one in answers] == [(404, "PATIENT_NOT_FOUND")] * 2
        assert answers[0].body == answers[1].body

    def test_a_practice_shows_only_its_own(self, knocker: Any, code_of: Any, people: Any) -> None:
        (border,) = [one for one in people if one.role == "cross-border"]
        answer = knocker.send(parameters=[numbered(value=border.nhs_number), ALL])
        assert code_of(answer) == "PATIENT_NOT_FOUND"

    def test_a_death_that_only_the_tracing_service_knows_of(self, knocker: Any, code_of: Any, people: Any) -> None:
        full = people[0]
        gone = full.patient.model_copy(update={"deceased": True})
        view = replace(full.systems["gpconnect"], patient=full.patient)
        knocker.twin = GpConnectTwin([replace(full, patient=gone, systems={"gpconnect": view})])
        assert code_of(knocker.send()) == "PATIENT_NOT_FOUND"

    def test_dissent(self, line: Any) -> None:
        with line.twin.faults.on(Fault.NO_CONSENT), pytest.raises(NotShown, match="not shared by the source"):
            line.adapter.find_patient(line.reading("full", ALLERGIES))

    @pytest.mark.parametrize(("setting", "rule"), [("dissents", "not shared"), ("temporary", "does not show")])
    def test_dissent_and_other_registrations_of_one_person(
        self, line_to: Any, people: Any, setting: str, rule: str
    ) -> None:
        full = people[0]
        view = replace(full.systems["gpconnect"], settings={setting: True})
        line = line_to(GpConnectTwin([replace(full, systems={"gpconnect": view})]))
        with pytest.raises(NotShown, match=rule):
            line.adapter.find_patient(line.reading("full", ALLERGIES))


def sections(line: Any, role: str, *wanted: SectionName) -> dict[SectionName, list[Any]]:
    reading = line.reading(role, *wanted)
    found = reading.found(line.adapter.find_patient(reading))
    return {name: list(getattr(line.adapter, f"read_{name}")(found)) for name in wanted}


class TestTheRecord:
    def test_everything_that_the_practice_holds_is_read(self, line: Any, people: Any) -> None:
        """What the twin writes from its own tables, the reader finds again, and refuses none of it."""
        for person in people:
            if "gpconnect" not in person.systems or person.role in ("restricted", "deceased", "unverified"):
                continue
            held = person.systems["gpconnect"].items
            found = sections(line, person.role, *STRUCTURED, SectionName.DOCUMENTS)
            for name in (SectionName.PROBLEMS, SectionName.ALLERGIES, SectionName.REPORTS, SectionName.ENCOUNTERS,
                         SectionName.DOCUMENTS, SectionName.REFERRALS):  # fmt: skip
                own = {one.source.id.rpartition("/")[2] for one in held.get(name, ())}
                read = {
                    one.source.id.replace("#", "/").rpartition("/")[2] for one in found[name] if hasattr(one, "source")
                }
                assert read == own, (person.role, name)

    def test_the_full_person(self, line: Any) -> None:
        found = sections(line, "full", *STRUCTURED)
        problems = {one.code.words(): one for one in found[SectionName.PROBLEMS] if isinstance(one, Condition)}
        diabetes = problems["Type 2 diabetes mellitus"]
        assert diabetes.significance == "major"
        linked = {reference.reference for reference in diabetes.content}
        assert {"MedicationStatement/full-gp-metformin", "ReferralRequest/full-gp-podiatry"} <= linked
        assert problems["Plantar fasciitis"].clinical_status.coding[0].code == "inactive"
        statements = {
            one.medication.words(): one
            for one in found[SectionName.MEDICATIONS]
            if isinstance(one, MedicationStatement) and one.kind == "statement"
        }
        courses = {name: one.course.words().casefold() for name, one in statements.items() if one.course}
        assert courses["Doxycycline 100mg capsules"] == "acute"
        assert courses["Metformin 500mg tablets"] == "repeat"
        gliclazide = statements["Gliclazide 80mg tablets"]
        assert gliclazide.status == "stopped"
        assert gliclazide.status_reason[0].words().startswith("Three low sugars")
        ended = [one for one in found[ALLERGIES] if isinstance(one, AllergyIntolerance) and one.ended]
        assert [one.ended.text[:4] for one in ended] == ["2014"]
        (june,) = [n for n in found[SectionName.NOTES] if isinstance(n, ProgressNote) and "Whitsun" in n.text]
        assert {heading.title for heading in june.headings} >= {"History", "Examination", "Plan", "Medication"}

    def test_issues_only_where_they_are_asked_for(self, line_to: Any) -> None:
        kinds = []
        for issues in (False, True):
            found = sections(line_to(prescription_issues=issues), "full", SectionName.MEDICATIONS)
            kinds.append(Counter(one.source.id.endswith("-issue") for one in found[SectionName.MEDICATIONS]))
        assert kinds[0][True] == 0
        assert kinds[1][True] == 4

    def test_the_warnings_of_a_list_reach_its_section(self, line: Any) -> None:
        found = sections(line, "conflicting", *STRUCTURED)
        warned = {
            name
            for name, items in found.items()
            if any(isinstance(one, Notice) and one.code == "confidential-items" and one.incomplete for one in items)
        }
        assert warned == {SectionName.MEDICATIONS, SectionName.PROBLEMS}

    def test_a_record_in_transit_warns_in_every_section(self, line: Any) -> None:
        found = sections(line, "cross-border", *STRUCTURED)
        for name, items in found.items():
            assert any(isinstance(one, Notice) and one.code == "data-in-transit" for one in items), name

    def test_an_empty_list_is_an_empty_section_and_says_no_more(self, line: Any) -> None:
        """Else a section that a silent policy empties could be told from one that came empty (rule 6)."""
        found = sections(line, "father", *STRUCTURED)
        assert found[ALLERGIES] == found[SectionName.REFERRALS] == found[SectionName.RESULTS] == []
        bundle = json.loads(line.twin.handle(line.practices()[-1]).body)
        lists = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "List"]
        empty = [one for one in lists if not one.get("entry")]
        assert len(empty) == 9
        for one in empty:
            assert one["emptyReason"]["coding"][0]["code"] == "no-content-recorded"
            assert one["note"][0]["text"] == "Information not available"

    def test_what_was_not_asked_for_is_not_answered(self, line: Any) -> None:
        line.adapter.find_patient(line.reading("full", ALLERGIES))
        bundle = json.loads(line.twin.handle(line.practices()[-1]).body)
        kinds = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
        assert kinds == {"Patient", "List", "AllergyIntolerance", "Organization", "Practitioner", "PractitionerRole"}

    def test_an_active_allergy_and_an_ended_one_never_stand_in_one_list(self, line: Any) -> None:
        line.adapter.find_patient(line.reading("full", ALLERGIES))
        bundle = json.loads(line.twin.handle(line.practices()[-1]).body)
        lists = {
            e["resource"]["title"]: e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "List"
        }
        assert "contained" not in lists["Allergies and adverse reactions"]
        assert [one["clinicalStatus"] for one in lists["Ended allergies"]["contained"]] == ["resolved"]
        outside = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "AllergyIntolerance"]
        assert [one["clinicalStatus"] for one in outside] == ["active"]

    def test_every_reference_is_to_something_in_the_bundle(self, line: Any) -> None:
        line.adapter.find_patient(line.reading("full", *STRUCTURED))
        bundle = json.loads(line.twin.handle(line.practices()[-1]).body)
        own = {f"{e['resource']['resourceType']}/{e['resource'].get('id')}" for e in bundle["entry"]}

        def references(value: Any) -> Any:
            if isinstance(value, dict):
                if isinstance(value.get("reference"), str):
                    yield value["reference"]
                for one in value.values():
                    yield from references(one)
            elif isinstance(value, list):
                for one in value:
                    yield from references(one)

        missing = {one for one in references(bundle) if not one.startswith("#")} - own
        assert missing == set()
        assert len(own) == len(bundle["entry"]) - sum("id" not in e["resource"] for e in bundle["entry"]) + 1


def test_the_twin_does_not_read_by_the_tables_that_it_is_to_test() -> None:
    import ast
    from pathlib import Path

    import mpftconnect_gpconnect.twin as room

    for file in Path(room.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                if name.startswith("mpftconnect_gpconnect"):
                    assert name.startswith("mpftconnect_gpconnect.twin"), file.name
                assert not name.startswith(("mpftconnect.fhir.", "mpftconnect.hub")), file.name


def test_the_people_are_the_sandboxs() -> None:
    assert GpConnectTwin(PEOPLE).practices == ("ZZ101", "ZZ701")
