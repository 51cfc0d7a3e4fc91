"""What governance does to a read: roles, parties, identity decisions, break-glass; alone and together."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mpftconnect import AccessContext, Hub, Record
from mpftconnect.adapters.contract import AdapterSpec, Capability, Reading, Trace, TriedAgainst, only
from mpftconnect.errors import AccessRefused, AuditUnavailable, PersonUnknown
from mpftconnect.events import Code, Event, EventStream
from mpftconnect.fhir import dump_json
from mpftconnect.governance.audit_event import details_of, patient_of
from mpftconnect.governance.exclusion import exclusion_spec
from mpftconnect.hub import load_configuration
from mpftconnect.model import (
    Actor,
    Address,
    Condition,
    Demographics,
    HumanName,
    Identifier,
    PartialDate,
    Patient,
    ProgressNote,
    SectionName,
    concept,
)
from mpftconnect.pages import record_page
from mpftconnect.plugins import Plugin, PluginRegistry

NUMBER, OTHER, FORMER, CURRENT = "9990000018", "9990000026", "9990000034", "9990000042"
WHO = AccessContext(
    user="u", name="N", role="nurse", organisation="RRE", purpose="direct-care", relationship="caseload"
)
HURRIED = WHO.model_copy(update={"relationship": "break-glass", "reason": "found collapsed"})
JANE = WHO.model_copy(update={"user": "jane", "name": "Jane Doe", "relationship": "identity"})
PAT = JANE.model_copy(update={"user": "pat", "name": "Pat Officer", "role": "privacy-officer"})


def person(reading: Reading, number: str | None = NUMBER, **more: Any) -> Patient:
    known: dict[str, Any] = {
        "identifiers": (Identifier.nhs(number),) if number else (),
        "names": (HumanName(family="Okonjo"),),
        "birth_date": PartialDate("1950-03-04"),
    }
    return Patient(source=reading.source(f"{reading.system}/1"), **{**known, **more})


class Fake:
    """An adapter that gives one patient, one problem and one note, and remembers what it was asked."""

    def __init__(self, patient: Callable[[Reading], Patient] = person, **methods: Callable[..., Any]) -> None:
        self.asked: list[str] = []
        self.patient = patient
        self.methods = methods

    def find_patient(self, reading: Reading) -> Patient:
        self.asked.append("find_patient")
        return self.patient(reading)

    def read_problems(self, reading: Reading) -> list[Condition]:
        self.asked.append("read_problems")
        return [Condition(source=reading.source("Condition/1"), code=concept("Asthma", "195967001"))]

    def read_notes(self, reading: Reading) -> list[ProgressNote]:
        self.asked.append("read_notes")
        return [ProgressNote(source=reading.source("Note/1"), text="Seen at home.")]

    def check_connection(self, wire: Any) -> Any:
        return ()

    def __getattr__(self, name: str) -> Any:
        try:
            method = self.__dict__["methods"][name]
        except KeyError:
            raise AttributeError(name) from None
        return lambda reading, *more: (self.asked.append(name), method(reading, *more))[1]


def stranger(reading: Reading) -> Patient:
    return person(reading, birth_date=PartialDate("1961-01-01"))


class Tracer(Fake):
    """Traces everybody by the number that is asked for, or as `trace` says; keeps no records."""

    def __init__(self, trace: Callable[[Reading], Any] | None = None) -> None:
        super().__init__(trace_person=trace or (lambda reading: found(reading, reading.nhs_number)))


def found(reading: Reading, number: str | None = NUMBER, **more: Any) -> Trace:
    return Trace("found", person(reading, number, **{"restriction": "U", **more}))


Open = Callable[..., Hub]


@pytest.fixture
def open_hub(tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:

        def open_(live: bool = False, listeners: tuple[Any, ...] = (), **more: Any) -> Hub:
            adapters: dict[str, Fake] = {name: one for name, one in more.items() if isinstance(one, Fake)}
            extra = {name: one for name, one in more.items() if not isinstance(one, Fake)}
            agreements = extra.pop("agreements", {})
            specs = tuple(
                AdapterSpec(
                    name=name, supplier="S", product="P", tried_against=TriedAgainst("nothing"), endpoint="none",
                    capabilities=only(
                        Capability.FIND_PATIENT,
                        *(() if isinstance(fake, Tracer) else (Capability.READ_PROBLEMS, Capability.READ_NOTES)),
                        *(Capability(method) for method in fake.methods),
                    ),
                    open=lambda context, fake=fake: fake,
                )
                for name, fake in adapters.items()
            )  # fmt: skip
            agreement = {
                "name": "ISA", "parties": ["RRE"], "purposes": ["direct-care"], "sections": ["all"],
                "expires": "2099-01-01",
            }  # fmt: skip
            table: dict[str, Any] = {
                "version": 1,
                "state": str(tmp_path / "state"),
                "systems": {
                    name: {
                        "adapter": name,
                        "environment": "live" if live else "test",
                        "agreement": agreement | agreements.get(name, {}),
                    }
                    for name in adapters
                },
                **{
                    trail: {
                        "store": str(tmp_path / trail / "trail.sqlite"),
                        "anchor": str(tmp_path / f"{trail}-anchor" / "a.jsonl"),
                        "fallback": str(tmp_path / f"{trail}-fallback" / "f.jsonl"),
                        "key": {"value": digit * 64},
                    }
                    for trail, digit in (("audit", "1"), ("privacy", "2"))
                },
                **extra,
            }
            registry = PluginRegistry((Plugin("p", "p", "1", None, specs, (), (exclusion_spec,)),))
            settled = load_configuration(table, registry, sandbox=True)
            return stack.enter_context(Hub(settled, events=EventStream(list(listeners))))

        yield open_


def decide(hub: Hub, kind: str, record: str = "rio/1", number: str = NUMBER, other: str | None = None) -> str:
    """Propose and approve; gives the decision's id."""
    known = hub.identities
    if kind == "unlink":
        made = known.propose_unlink(number, record.split("/")[0], record, JANE, reason="Wolfenstein")
        return known.approve(made.id, PAT).id
    made = known.propose_link(number, record.split("/")[0], record, JANE, reason="Wolfenstein", other_number=other)
    return known.approve(made.id, PAT, other_number=other).id


def reverse(hub: Hub, id: str) -> None:
    hub.identities.propose_reversal(id, JANE, reason="looked again")
    hub.identities.approve(id, PAT)


def outputs(record: Record) -> str:
    return " ".join((record.to_json(), record_page(record), dump_json(record.to_fhir()).decode()))


# Identity decisions (rule 5)


def test_an_unlinked_record_is_set_apart_at_the_next_read_and_joins_again_when_reversed(open_hub: Open) -> None:
    rio = Fake()
    hub, elsewhere = open_hub(pds=Tracer(), rio=rio), open_hub(pds=Tracer(), rio=Fake())
    before = hub.record(NUMBER, WHO)
    assert len(before.problems) == 1
    id = decide(elsewhere, "unlink")
    record = hub.record(NUMBER, WHO)
    assert len(record.problems) == 0
    assert record.problems.status != "nothing-recorded"
    assert not record.problems.complete
    (apart,) = record.unmatched
    assert (apart.system, apart.reason, apart.record) == ("rio", "unlinked-by-decision", "rio/1")
    assert {"problems", "notes"} == set(apart.kinds)
    assert "Jane Doe" in apart.text
    assert "Pat Officer" in apart.text
    assert "Wolfenstein" not in outputs(record)
    assert "Jane Doe" in record_page(record)
    reverse(elsewhere, id)
    again = hub.record(NUMBER, WHO)
    assert len(again.problems) == 1
    assert again.unmatched == ()


def test_a_linked_record_joins_is_explained_and_says_so(open_hub: Open) -> None:
    hub = open_hub(pds=Tracer(), rio=Fake(stranger))
    (apart,) = hub.record(NUMBER, WHO).unmatched
    assert (apart.reason, apart.record) == ("birth-date-differs", "rio/1")
    id = decide(hub, "link")
    record = hub.record(NUMBER, WHO)
    (problem,) = record.problems
    assert record.unmatched == ()
    (why,) = record.explain(problem).joined
    assert (why.system, why.rule) == ("rio", "linked-by-decision")
    assert "Jane Doe" in record.explain(problem).words()
    (notice,) = [one for one in record.notices if one.code == "linked-by-decision"]
    assert notice.system == "rio"
    assert "Pat Officer" in notice.text
    # What differs still shows: nothing was chosen.
    assert any(conflict.kind == "birth-date-differs" for conflict in record.conflicts)
    assert "Wolfenstein" not in outputs(record)
    reverse(hub, id)
    assert [one.reason for one in hub.record(NUMBER, WHO).unmatched] == ["birth-date-differs"]


def test_a_link_that_was_not_needed_changes_nothing(open_hub: Open) -> None:
    hub = open_hub(pds=Tracer(), rio=Fake())
    decide(hub, "link")
    record = hub.record(NUMBER, WHO)
    assert [why.rule for why in record.joined if why.system == "rio"] == ["number-birth-date-name"]
    assert not any(notice.code == "linked-by-decision" for notice in record.notices)


@pytest.mark.parametrize(
    ("stated", "confirmed", "joins"),
    [
        (NUMBER, None, True), (None, None, True), (OTHER, None, False), (OTHER, OTHER, True), (FORMER, OTHER, False),
    ],
)  # fmt: skip
def test_a_link_joins_no_record_with_a_number_that_nobody_confirmed(
    open_hub: Open, stated: str | None, confirmed: str | None, joins: bool
) -> None:
    hub = open_hub(
        pds=Tracer(), rio=Fake(lambda reading: person(reading, stated, birth_date=PartialDate("1961-01-01")))
    )
    decide(hub, "link", other=confirmed)
    record = hub.record(NUMBER, WHO)
    assert len(record.problems) == (1 if joins else 0)
    assert [one.reason for one in record.unmatched] == ([] if joins else ["link-not-confirmed"])


def test_one_unconfirmed_number_beside_a_confirmed_one_is_enough_to_set_apart(open_hub: Open) -> None:
    numbers = (Identifier.nhs(OTHER), Identifier.nhs(FORMER))
    hub = open_hub(pds=Tracer(), rio=Fake(lambda reading: person(reading, identifiers=numbers)))
    decide(hub, "link", other=OTHER)
    assert [one.reason for one in hub.record(NUMBER, WHO).unmatched] == ["link-not-confirmed"]


def test_what_is_linked_to_somebody_is_set_apart_for_everybody_else(open_hub: Open) -> None:
    hub = open_hub(pds=Tracer(), rio=Fake(lambda reading: person(reading, reading.nhs_number)))
    assert len(hub.record(NUMBER, WHO).problems) == 1
    decide(hub, "link", number=OTHER)
    assert [one.reason for one in hub.record(NUMBER, WHO).unmatched] == ["linked-elsewhere-by-decision"]
    assert len(hub.record(OTHER, WHO).problems) == 1


def test_a_decision_holds_under_every_number_of_the_person(open_hub: Open) -> None:
    held = (Identifier.nhs(NUMBER), Identifier.nhs(FORMER).model_copy(update={"use": "old"}))
    pds = Tracer(lambda reading: found(reading, identifiers=held))
    hub = open_hub(pds=pds, rio=Fake())
    decide(hub, "unlink", number=FORMER)
    assert [one.reason for one in hub.record(NUMBER, WHO).unmatched] == ["unlinked-by-decision"]


def test_a_former_number_of_a_record_that_was_unlinked_is_not_believed(open_hub: Open) -> None:
    held = (Identifier.nhs(NUMBER), Identifier.nhs(FORMER).model_copy(update={"use": "old"}))
    asked: list[str | None] = []

    def trace(reading: Reading) -> Trace:
        asked.append(reading.nhs_number)
        return found(reading)

    hub = open_hub(pds=Tracer(trace), rio=Fake(lambda reading: person(reading, identifiers=held)))
    hub.record(NUMBER, WHO)
    assert asked == [NUMBER, FORMER]
    decide(hub, "unlink")
    del asked[:]
    hub.record(NUMBER, WHO)
    assert asked == [NUMBER]


def test_without_a_trace_an_unlink_holds_and_a_link_waits(open_hub: Open) -> None:
    def silent(reading: Reading) -> Trace:
        raise RuntimeError

    hub = open_hub(pds=Tracer(silent), rio=Fake(stranger), gp=Fake(), ward=Fake())
    decide(hub, "link", "rio/1")
    assert {one.reason for one in hub.record(NUMBER, WHO).unmatched} == {"untraced-disagree"}
    decide(hub, "unlink", "rio/1")
    record = hub.record(NUMBER, WHO)
    # What is somebody else's has no say in whether the others agree.
    assert {(one.system, one.reason) for one in record.unmatched} == {("rio", "unlinked-by-decision")}
    assert {one.source.system for one in record.problems} == {"gp"}


def test_a_link_brings_back_nothing_that_is_restricted(open_hub: Open) -> None:
    def housed(reading: Reading) -> Patient:
        return person(reading, birth_date=PartialDate("1961-01-01"), addresses=(Address(line=("3 Elm Row",)),))

    pds = Tracer(lambda reading: found(reading, restriction="R"))
    hub = open_hub(pds=pds, rio=Fake(housed))
    decide(hub, "link")
    record = hub.record(NUMBER, WHO)
    assert record.joined[-1].rule == "linked-by-decision"
    assert "Elm Row" not in outputs(record)
    assert "Seen at home" not in outputs(record)


def test_a_link_brings_back_nothing_that_a_silent_policy_takes(open_hub: Open) -> None:
    policies = [{"policy": "never-shown", "settings": {"codes": ["195967001"]}}]
    hub = open_hub(pds=Tracer(), rio=Fake(stranger), policies=policies)
    decide(hub, "link")
    record = hub.record(NUMBER, WHO)
    assert len(record.notes) == 1
    assert "Asthma" not in outputs(record)
    assert record.problems.status == "nothing-recorded"


def test_an_open_proposal_is_said_and_changes_nothing(open_hub: Open) -> None:
    hub = open_hub(pds=Tracer(), rio=Fake())
    hub.identities.propose_unlink(NUMBER, "rio", "rio/1", JANE, reason="Wolfenstein")
    hub.identities.propose_unlink(NUMBER, "rio", "rio/other", JANE, reason="Wolfenstein")
    record = hub.record(NUMBER, WHO)
    assert len(record.problems) == 1
    assert [notice.code for notice in record.notices].count("identity-disputed") == 1
    assert "Wolfenstein" not in outputs(record)


def test_a_proposal_under_a_former_number_is_said_too(open_hub: Open) -> None:
    held = (Identifier.nhs(NUMBER), Identifier.nhs(FORMER).model_copy(update={"use": "old"}))
    hub = open_hub(pds=Tracer(lambda reading: found(reading, identifiers=held)), rio=Fake())
    hub.identities.propose_unlink(FORMER, "rio", "rio/1", JANE, reason="Wolfenstein")
    assert "identity-disputed" in {notice.code for notice in hub.record(NUMBER, WHO).notices}


@pytest.mark.parametrize(("own", "shown"), [(f"Patient/{OTHER}", None), (f"Patient/{NUMBER}", True), ("77", True)])
def test_an_id_that_is_somebody_elses_number_is_not_shown(open_hub: Open, own: str, shown: bool | None) -> None:
    def other(reading: Reading) -> Patient:
        return stranger(reading).model_copy(update={"source": reading.source(own)})

    record = open_hub(pds=Tracer(), rio=Fake(other)).record(NUMBER, WHO)
    assert record.unmatched[0].record == (own if shown else None)
    assert OTHER not in outputs(record)


def test_a_proposal_about_a_system_that_is_hidden_by_now_leaves_no_trace(open_hub: Open) -> None:
    hub = open_hub(pds=Tracer(), rio=Fake())
    hub.identities.propose_unlink(NUMBER, "rio", "rio/1", JANE, reason="Wolfenstein")
    quiet = open_hub(pds=Tracer(), rio=Fake(), policies=[{"policy": "never-shown", "settings": {"systems": ["rio"]}}])
    told = outputs(quiet.record(NUMBER, WHO))
    assert '"rio"' not in told
    assert "identity-disputed" not in told


def test_if_the_store_cannot_be_believed_nothing_joins_and_the_record_and_the_log_say_so(
    open_hub: Open, tmp_path: Path
) -> None:
    events: list[Event] = []
    hub = open_hub(pds=Tracer(), rio=Fake(), gp=Fake(), listeners=(events.append,))
    decide(hub, "unlink", "rio/1")
    with sqlite3.connect(tmp_path / "state" / "identity" / "decisions.sqlite") as db:
        db.execute("DELETE FROM decisions")
    db.close()
    record = hub.record(NUMBER, WHO)
    assert list(record.items()) == []
    assert {(one.system, one.reason) for one in record.unmatched} >= {
        ("rio", "identity-decisions-unsound"),
        ("gp", "identity-decisions-unsound"),
    }
    assert not any(section.complete for section in record.sections.values())
    assert "cannot be read or believed" in record_page(record)
    assert [event.reason for event in events if event.code is Code.DECISIONS_UNSOUND] == ["seal-does-not-fit"]
    assert NUMBER not in repr(events)


# Roles and parties (rule 10)


def test_what_is_not_for_the_role_is_not_asked_for_and_said_to_be_kept_back(open_hub: Open) -> None:
    rio = Fake()
    hub = open_hub(pds=Tracer(), rio=rio, roles={"nurse": {"sections": ["problems"]}})
    record = hub.record(NUMBER, WHO)
    assert rio.asked == ["find_patient", "read_problems"]
    assert len(record.problems) == 1
    assert record.notes.status == "restricted"
    assert not record.notes.complete
    kept = [one for one in record.withheld if one.policy == "role"]
    assert {one.section for one in kept} == set(SectionName) - {SectionName.PROBLEMS}
    assert "Not for your role" in record_page(record)
    assert "Seen at home" not in outputs(record)
    (entry,) = hub.audit.entries()
    details = details_of(entry.event)
    assert ("not-for-role", "notes") in details
    assert [value for kind, value in details if kind == "section"] == sorted(SectionName)


def test_only_what_was_asked_for_is_said_to_be_kept_back(open_hub: Open) -> None:
    hub = open_hub(pds=Tracer(), rio=Fake(), roles={"nurse": {"sections": ["problems"]}})
    record = hub.record(NUMBER, WHO, sections=["problems"])
    assert [one.policy for one in record.withheld] == []
    assert record.notes.status == "not-asked"


def test_a_role_with_no_section_sees_the_person_and_asks_no_other_system(open_hub: Open) -> None:
    rio = Fake()
    record = open_hub(pds=Tracer(), rio=rio, roles={"nurse": {"sections": []}}).record(NUMBER, WHO)
    assert rio.asked == []
    assert list(record.items()) == []
    assert {section.status for section in record.sections.values()} == {"restricted"}
    assert record.patient.names[0].family == "Okonjo"


@pytest.mark.parametrize(
    ("live", "roles", "hub", "refused"),
    [
        (False, {}, {}, False),
        (True, {}, {}, True),
        (False, {"doctor": {"sections": ["all"]}}, {}, True),
        (True, {"doctor": {"sections": ["all"]}}, {}, True),
        (True, {}, {"unlisted_role": "all"}, False),
        (False, {}, {"unlisted_role": "none"}, True),
    ],
)
def test_a_role_that_nobody_listed_sees_nothing_but_in_a_test_without_roles(
    open_hub: Open, live: bool, roles: dict[str, Any], hub: dict[str, Any], refused: bool
) -> None:
    pds = Tracer()
    pds.methods["search_people"] = lambda reading, demographics: [person(reading, restriction="U")]
    opened = open_hub(live=live, pds=pds, rio=Fake(), roles=roles, hub={"allow_asserted_relationship": True, **hub})
    if not refused:
        assert len(opened.record(NUMBER, WHO).problems) == 1
        return
    for who in (WHO, HURRIED):
        with pytest.raises(AccessRefused, match="not listed"):
            opened.record(NUMBER, who)
        with pytest.raises(AccessRefused, match="not listed"):
            opened.find(Demographics(family="Okonjo"), who)
    assert pds.asked == []
    assert [entry.event["outcomeDesc"] for entry in opened.audit.entries()] == ["refused: role-not-listed"] * 4


def test_what_a_live_configuration_lets_through_is_said(open_hub: Open) -> None:
    def said(**more: Any) -> str:
        return " ".join(open_hub(pds=Tracer(), **more).cautions)

    assert "no role is listed" in said(live=True)
    assert "unlisted_role" in said(live=True, hub={"unlisted_role": "all"})
    assert "allow_asserted" in said(live=True, hub={"allow_asserted_relationship": True})
    assert said() == ""
    assert said(live=True, roles={"nurse": {"sections": ["all"]}}) == ""


def test_a_system_whose_agreement_does_not_name_the_users_organisation_is_not_asked(open_hub: Open) -> None:
    rio = Fake()
    hub = open_hub(pds=Tracer(), rio=rio, agreements={"rio": {"parties": ["ZZ9", "RRE0"]}})
    record = hub.record(NUMBER, WHO)
    assert rio.asked == []
    assert {(gap.system, gap.reason) for gap in record.gaps} == {("rio", "no-agreement")}
    assert "does not name the user's organisation" in record.gaps[0].detail
    assert record.problems.status == "unavailable"
    outsider = hub.record(NUMBER, WHO.model_copy(update={"organisation": "zz9"}))
    # Nor is the tracing service, whose agreement names others: so nobody says that the person is not restricted.
    assert not outsider.identity_confirmed
    assert rio.asked[0] == "find_patient"


# Break-glass (rule 9)


def test_break_glass_is_told_before_anything_is_asked_and_by_every_number(open_hub: Open) -> None:
    seen: list[int] = []

    def trace(reading: Reading) -> Trace:
        seen.append(len(list(hub.privacy.entries())))
        return found(reading, CURRENT)

    rio = Fake(lambda reading: person(reading, CURRENT), resolve_identifier=lambda reading, identifier: NUMBER)
    hub = open_hub(pds=Tracer(trace), rio=rio)
    hub.record(Identifier(system="urn:local", value="77"), HURRIED)
    told = [entry.event for entry in hub.privacy.entries()]
    broken = [event for event in told if ("action", "break-glass") in details_of(event)]
    assert seen == [2]
    assert [patient_of(event) for event in broken] == [None, NUMBER, CURRENT]
    assert all(("reason", "found collapsed") in details_of(event) for event in broken)
    assert len({str(event["entity"][-1]) for event in broken}) == 1
    # The ordinary trail says that it was break-glass, and never why.
    (entry,) = hub.audit.entries()
    assert ("relationship", "break-glass") in details_of(entry.event)
    assert "found collapsed" not in str(entry.event)


def test_break_glass_that_finds_nobody_is_told_too(open_hub: Open) -> None:
    hub = open_hub(pds=Tracer(lambda reading: Trace("not-found", None)))
    with pytest.raises(PersonUnknown):
        hub.record(NUMBER, HURRIED)
    assert [patient_of(entry.event) for entry in hub.privacy.entries()] == [NUMBER]


def test_if_the_privacy_officer_cannot_be_told_nothing_is_asked(open_hub: Open, tmp_path: Path) -> None:
    pds, rio = Tracer(), Fake()
    pds.methods["search_people"] = lambda reading, demographics: []
    hub = open_hub(pds=pds, rio=rio)
    for path in (tmp_path / "privacy" / "trail.sqlite", tmp_path / "privacy-fallback" / "f.jsonl"):
        path.mkdir(parents=True)
    with pytest.raises(AuditUnavailable):
        hub.record(NUMBER, HURRIED)
    with pytest.raises(AuditUnavailable):
        hub.find(Demographics(family="Okonjo"), HURRIED)
    assert pds.asked == rio.asked == []


def test_break_glass_overrides_the_relationship_and_nothing_else(open_hub: Open) -> None:
    def placed(reading: Reading) -> list[Condition]:
        author = Actor(organization="Elm Row Surgery")
        return [
            Condition(source=reading.source("Condition/1"), code=concept("Asthma", "195967001"), author=author),
            Condition(source=reading.source("Condition/2"), code=concept("Hidden", "71111000")),
        ]

    class Placed(Fake):
        def read_problems(self, reading: Reading) -> list[Condition]:
            return placed(reading)

    pds = Tracer(lambda reading: found(reading, restriction="R"))
    closed, apart = Fake(), Fake()
    hub = open_hub(
        live=True,
        pds=pds,
        rio=Placed(),
        gp=closed,
        ward=apart,
        roles={"nurse": {"sections": ["problems"]}},
        agreements={"gp": {"expires": "2000-01-01"}},
        policies=[{"policy": "never-shown", "settings": {"codes": ["71111000"]}}],
    )
    decide_as = PAT.model_copy(update={"role": "privacy-officer"})
    made = hub.identities.propose_unlink(NUMBER, "ward", "ward/1", JANE, reason="Wolfenstein")
    hub.identities.approve(made.id, decide_as)
    with pytest.raises(AccessRefused, match="confirms the relationship"):
        hub.record(NUMBER, WHO)
    record = hub.record(NUMBER, HURRIED)
    assert [item.source.system for item in record.problems] == ["rio"]
    told = outputs(record)
    for hidden in ("Elm Row", "Hidden", "71111000", "Seen at home"):
        assert hidden not in told
    assert closed.asked == []
    assert "no-agreement" in {gap.reason for gap in record.gaps}
    assert [one.reason for one in record.unmatched if one.system == "ward"] == ["unlinked-by-decision"]
    assert "role" in {one.policy for one in record.withheld}
    assert record.notices[0].code == "break-glass"
    assert "Opened by break-glass" in record_page(record)
    with pytest.raises(AccessRefused, match="reason"):
        hub.record(NUMBER, HURRIED.model_copy(update={"reason": " "}))
