"""The hub with adapters of plain functions: agreements, identity, the audit of every ending, deadlines, threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mpftconnect import AccessContext, Hub
from mpftconnect.adapters.contract import AdapterSpec, Capability, Reading, Refusal, Trace, TriedAgainst, Verified, only
from mpftconnect.cli.summary import summary
from mpftconnect.errors import (
    AccessRefused,
    AuditUnavailable,
    ConfigurationError,
    MpftConnectError,
    PersonUnknown,
    SystemFailed,
    TooManyMatches,
    UsageError,
)
from mpftconnect.events import Code, Event, EventStream
from mpftconnect.fhir import dump_json
from mpftconnect.governance.exclusion import exclusion_spec
from mpftconnect.governance.policies import Contribution, PolicySpec, Taken
from mpftconnect.hub import load_configuration
from mpftconnect.model import (
    SECTION_TYPES,
    Actor,
    AllergyIntolerance,
    Condition,
    Demographics,
    HumanName,
    Identifier,
    Model,
    Notice,
    PartialDate,
    Patient,
    SamenessSpec,
    SectionName,
    concept,
)
from mpftconnect.pages import record_page
from mpftconnect.plugins import Plugin, PluginRegistry

NUMBER, OTHER, FORMER = "9990000018", "9990000026", "9990000034"
WHO = AccessContext(
    user="u", name="N", role="nurse", organisation="RRE", purpose="direct-care", relationship="caseload"
)
BREAK_GLASS = WHO.model_copy(update={"relationship": "break-glass", "reason": "found collapsed"})
LOCAL = Identifier(system="urn:local", value="77")
EXPIRED, OTHER_PURPOSE = {"expires": "2000-01-01"}, {"purposes": ["research"]}


def person(reading: Reading, number: str = NUMBER, **more: Any) -> Patient:
    known: dict[str, Any] = {
        "identifiers": (Identifier.nhs(number),),
        "names": (HumanName(family="Okonjo"),),
        "birth_date": PartialDate("1950-03-04"),
    }
    return Patient(source=reading.source("Patient/1"), **{**known, **more})


class Fake:
    """An adapter of plain functions that also remembers what it was asked."""

    def __init__(self, **methods: Callable[..., Any]) -> None:
        self.asked: list[tuple[str, Reading]] = []
        self.methods = methods

    def find_patient(self, reading: Reading) -> Any:
        self.asked.append(("find_patient", reading))
        return self.methods.get("find_patient", person)(reading)

    def check_connection(self, wire: Any) -> Any:
        return ()

    def __getattr__(self, name: str) -> Any:
        try:
            method = self.__dict__["methods"][name]
        except KeyError:
            raise AttributeError(name) from None

        def call(reading: Reading, *more: Any) -> Any:
            self.asked.append((name, reading))
            return method(reading, *more)

        return call


def tracer(**more: Callable[..., Any]) -> Fake:
    return Fake(**{"trace_person": lambda reading: Trace("found", person(reading, restriction="U")), **more})


def problems(reading: Reading) -> list[Condition]:
    return [Condition(source=reading.source("Condition/1"), code=concept("Asthma", "195967001"))]


Open = Callable[..., Hub]


@pytest.fixture
def open_hub(tmp_path: Path) -> Iterator[Open]:
    """Opens a hub on fakes: `open_hub(pds=tracer(), rio=Fake(...), agreements={"rio": {...}})`."""
    with ExitStack() as stack:

        def open_(
            agreements: dict[str, dict[str, Any]] | None = None,
            policies: tuple[tuple[PolicySpec, dict[str, Any]], ...] = (),
            hub: dict[str, Any] | None = None,
            live: bool = False,
            roles: dict[str, Any] | None = None,
            sameness: tuple[SamenessSpec, ...] = (),
            listeners: tuple[Any, ...] = (),
            **adapters: Fake,
        ) -> Hub:
            specs = tuple(
                AdapterSpec(
                    name=name,
                    supplier="S",
                    product="P",
                    tried_against=TriedAgainst("nothing"),
                    endpoint="none",
                    capabilities=only(Capability.FIND_PATIENT, *(Capability(method) for method in fake.methods)),
                    open=lambda context, fake=fake: fake,
                )
                for name, fake in adapters.items()
            )
            registry = PluginRegistry(
                (Plugin("p", "p", "1", None, specs, (), tuple(spec for spec, _ in policies), sameness),)
            )
            agreement = {
                "name": "ISA", "parties": ["RRE"], "purposes": ["direct-care"], "sections": ["all"],
                "expires": "2099-01-01",
            }  # fmt: skip
            table: dict[str, Any] = {
                "version": 1,
                "state": str(tmp_path / "state"),
                "hub": {"deadline_seconds": 5, "system_deadline_seconds": 3, **(hub or {})},
                "systems": {
                    name: {
                        "adapter": name,
                        "environment": "live" if live else "test",
                        "agreement": {**agreement, **(agreements or {}).get(name, {})},
                    }
                    for name in adapters
                },
                # In live, whoever is not listed sees nothing.
                "roles": roles if roles is not None else {"nurse": {"sections": ["all"]}} if live else {},
                "policies": [{"policy": spec.name, "settings": settings} for spec, settings in policies],
                **{
                    trail: {
                        "store": str(tmp_path / trail / "trail.sqlite"),
                        "anchor": str(tmp_path / f"{trail}-anchor" / "a.jsonl"),
                        "fallback": str(tmp_path / f"{trail}-fallback" / "f.jsonl"),
                        "key": {"value": digit * 64},
                    }
                    for trail, digit in (("audit", "1"), ("privacy", "2"))
                },
            }
            settled = load_configuration(table, registry, sandbox=True)
            return stack.enter_context(Hub(settled, events=EventStream(list(listeners))))

        yield open_


def entries(hub: Hub) -> list[tuple[str, str]]:
    """Outcome and patient of each entry of the ordinary trail."""
    found = []
    for entry in hub.audit.entries():
        text = str(entry.event)
        number = next((n for n in (NUMBER, OTHER, FORMER) if n in text), "")
        found.append((str(entry.event.get("outcome")), number))
    return found


# Agreements (rule 10)


@pytest.mark.parametrize("agreement", [EXPIRED, OTHER_PURPOSE])
def test_nothing_whatever_is_asked_without_an_agreement(open_hub: Open, agreement: dict[str, Any]) -> None:
    closed = Fake(
        read_problems=problems,
        resolve_identifier=lambda reading, identifier: NUMBER,
        verify_relationship=lambda reading: Verified("caseload"),
        search_people=lambda reading, demographics: [person(reading)],
        trace_person=lambda reading: Trace("found", person(reading, restriction="U")),
    )
    hub = open_hub({"rio": agreement}, rio=closed)
    record = hub.record(NUMBER, WHO, sections=["problems"])
    assert not record.identity_confirmed
    assert {(gap.system, gap.reason) for gap in record.gaps} == {
        ("rio", "no-agreement"),
        ("rio", "identity-unconfirmed"),
    }
    assert [notice.code for notice in record.notices] == ["relationship-asserted"]
    with pytest.raises(PersonUnknown, match="rio did not answer or may not be asked"):
        hub.record(LOCAL, WHO)
    people = hub.find(Demographics(family="Okonjo"), WHO)
    assert [gap.reason for gap in people.gaps] == ["no-agreement"]
    assert len(people) == 0
    assert closed.asked == []


def test_a_section_outside_the_agreement_is_a_gap_and_the_others_are_read(open_hub: Open) -> None:
    rio = Fake(read_problems=problems, read_allergies=lambda reading: [])
    hub = open_hub({"rio": {"sections": ["allergies"]}}, pds=tracer(), rio=rio)
    record = hub.record(NUMBER, WHO, sections=["problems", "allergies"])
    assert [(gap.section, gap.reason) for gap in record.gaps] == [("problems", "no-agreement")]
    assert record.problems.status == "unavailable"
    assert record.allergies.status == "nothing-recorded"
    assert [name for name, _ in rio.asked] == ["find_patient", "read_allergies"]
    assert rio.asked[0][1].sections == {"allergies"}


# The audit: one entry, however a request ends (rule 11)


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    ("ask", "raised", "outcome"),
    [
        (lambda hub: hub.record(NUMBER, WHO), None, "0"),
        (lambda hub: hub.record(LOCAL, WHO), PersonUnknown, "8"),
        (lambda hub: hub.record(NUMBER, WHO.model_copy(update={"purpose": "research"})), AccessRefused, "4"),
        (lambda hub: hub.record(NUMBER, WHO.model_copy(update={"user": "  "})), AccessRefused, "4"),
        (lambda hub: hub.find(Demographics(family="Okonjo"), WHO), UsageError, "8"),
    ],
)
def test_one_entry_for_every_ending(
    open_hub: Open, ask: Callable[[Hub], Any], raised: type[Exception] | None, outcome: str
) -> None:
    hub = open_hub(pds=tracer(), rio=Fake(read_problems=problems))
    if raised is None:
        ask(hub)
    else:
        with pytest.raises(raised):
            ask(hub)
    assert len(entries(hub)) == 1
    assert hub.audit.verify().ok
    assert entries(hub)[0][0] == outcome or outcome in ("4", "8")
    assert (entries(hub)[0][0] == "0") == (outcome == "0")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), UsageError("late"), RuntimeError("Wolfenstein")])
def test_an_end_in_the_middle_is_audited_too(
    open_hub: Open, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    hub = open_hub(pds=tracer(), rio=Fake(read_problems=problems))
    monkeypatch.setattr("mpftconnect.hub.gathering.assemble", raising(error))
    with pytest.raises(type(error)):
        hub.record(NUMBER, WHO)
    ((outcome, number),) = entries(hub)
    assert outcome != "0"
    assert number == NUMBER
    assert "Wolfenstein" not in str([entry.event for entry in hub.audit.entries()])


def break_store(folder: Path) -> None:
    """Make a trail's store and second sink impossible: folders stand where the files should."""
    for path in (folder / "trail.sqlite", folder.with_name(f"{folder.name}-fallback") / "f.jsonl"):
        if path.exists():
            path.unlink()
        path.mkdir(parents=True)


@pytest.mark.parametrize("who", [WHO, BREAK_GLASS])
def test_if_the_privacy_stream_fails_nothing_is_shown_and_the_trail_does_not_say_that_it_was(
    open_hub: Open, tmp_path: Path, who: AccessContext
) -> None:
    hub = open_hub(pds=tracer(), rio=Fake(read_problems=problems))
    break_store(tmp_path / "privacy")
    with pytest.raises(AuditUnavailable):
        hub.record(NUMBER, who)
    (entry,) = hub.audit.entries()
    assert entry.event["outcome"] != "0"
    assert "Condition/1" not in str(entry.event)


def test_if_the_trail_fails_nothing_is_shown_whatever_else_went_wrong(open_hub: Open, tmp_path: Path) -> None:
    events: list[Event] = []
    hub = open_hub(pds=tracer(), rio=Fake(read_problems=problems), listeners=(events.append,))
    break_store(tmp_path / "audit")
    for ask in (
        lambda: hub.record(NUMBER, WHO),
        lambda: hub.record(LOCAL, WHO),
        lambda: hub.record(NUMBER, WHO.model_copy(update={"purpose": "research"})),
        lambda: hub.find(Demographics(family="X"), WHO),
    ):
        events.clear()
        with pytest.raises(AuditUnavailable):
            ask()
        # Tried once: an entry that cannot be written is not followed by another that says so.
        assert [event.code for event in events].count(Code.AUDIT_FAILED) == 1


def test_ctrl_c_stays_ctrl_c_even_where_the_trail_fails(
    open_hub: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = open_hub(pds=tracer())
    break_store(tmp_path / "audit")
    monkeypatch.setattr("mpftconnect.hub.gathering.assemble", raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        hub.record(NUMBER, WHO)


def test_break_glass_is_told_to_the_privacy_officer_for_reads_and_searches(open_hub: Open) -> None:
    pds = tracer(search_people=lambda reading, demographics: [person(reading, restriction="U")])
    hub = open_hub(pds=pds, rio=Fake(read_problems=problems, verify_relationship=lambda reading: None), live=True)
    record = hub.record(NUMBER, BREAK_GLASS)
    assert [notice.code for notice in record.notices] == ["break-glass"]
    hub.find(Demographics(family="Okonjo"), BREAK_GLASS)
    events = [str(entry.event) for entry in hub.privacy.entries()]
    assert sum("break-glass" in event and "found collapsed" in event for event in events) >= 2
    hub.find(Demographics(family="Okonjo"), WHO)
    assert len(list(hub.privacy.entries())) == len(events)


def test_the_entry_names_the_number_that_a_local_identifier_led_to(open_hub: Open) -> None:
    rio = Fake(read_problems=problems, resolve_identifier=lambda reading, identifier: "999 000 0018")
    hub = open_hub(pds=tracer(), rio=rio)
    record = hub.record(LOCAL, WHO)
    assert record.patient.nhs_number == NUMBER
    assert entries(hub) == [("0", NUMBER)]
    assert [reading.identifiers for name, reading in rio.asked if name == "find_patient"] == [(LOCAL,)]


# Identity (rules 3 and 4)


@pytest.mark.parametrize("said", ["12345", 7, "", object()])
def test_what_is_no_number_resolves_nothing(open_hub: Open, said: object) -> None:
    hub = open_hub(pds=tracer(), rio=Fake(resolve_identifier=lambda reading, identifier: said))
    with pytest.raises(PersonUnknown, match=r"\(rio did not answer"):
        hub.record(LOCAL, WHO)


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), RuntimeError("Wolfenstein"), SystemFailed("503")]
)
def test_a_resolver_that_dies_is_not_a_resolver_that_does_not_know(open_hub: Open, error: BaseException) -> None:
    hub = open_hub(pds=tracer(), rio=Fake(resolve_identifier=raising(error)))
    with pytest.raises(PersonUnknown, match=r"\(rio did not answer") as refused:
        hub.record(LOCAL, WHO)
    assert "Wolfenstein" not in str(refused.value)


def test_two_systems_that_resolve_to_two_people_resolve_to_nobody(open_hub: Open) -> None:
    one, two = (Fake(resolve_identifier=lambda reading, identifier, n=n: n) for n in (NUMBER, OTHER))
    hub = open_hub(pds=tracer(), rio=one, gp=two)
    with pytest.raises(PersonUnknown, match="different NHS numbers"):
        hub.record(LOCAL, WHO)


@pytest.mark.parametrize(
    "trace",
    [
        lambda reading: None,
        lambda reading: Trace("found", None),
        lambda reading: Trace("found", "somebody"),  # type: ignore[arg-type]
        lambda reading: Trace("found", person(reading, identifiers=(Identifier(system=Identifier.nhs(NUMBER).system,
                                                                              value="junk"),))),
        lambda reading: Trace("found", person(reading).model_copy(
            update={"source": reading.source("1").model_copy(update={"system": "rio"})})),
        raising(SystemExit()),
    ],
)  # fmt: skip
def test_a_trace_that_cannot_be_gone_by_is_no_trace(open_hub: Open, trace: Callable[..., Any]) -> None:
    hub = open_hub(pds=Fake(trace_person=trace), rio=Fake(read_problems=problems))
    record = hub.record(NUMBER, WHO, sections=["problems"])
    assert not record.identity_confirmed
    assert record.is_restricted
    assert {gap.reason for gap in record.gaps} & {"adapter-fault", "answer-rejected"}


def test_former_numbers_that_the_trace_names_are_given_to_the_systems(open_hub: Open) -> None:
    held = (Identifier.nhs(NUMBER), Identifier.nhs(FORMER).model_copy(update={"use": "old"}))
    pds = Fake(trace_person=lambda reading: Trace("found", person(reading, identifiers=held, restriction="U")))
    rio = Fake(find_patient=lambda reading: person(reading, FORMER), read_problems=problems)
    record = open_hub(pds=pds, rio=rio).record(NUMBER, WHO)
    assert rio.asked[0][1].former_numbers == (FORMER,)
    assert len(record.problems) == 1
    assert record.notices[0].code != "number-superseded"


def test_a_former_number_that_a_system_states_and_the_trace_confirms_is_asked_for_in_the_others(
    open_hub: Open,
) -> None:
    def trace(reading: Reading) -> Trace:
        # As PDS: the former number leads to the current one; asked by that, it does not name the former.
        known = {NUMBER: NUMBER, FORMER: NUMBER, OTHER: OTHER}.get(str(reading.nhs_number))
        return Trace("found", person(reading, known, restriction="U")) if known else Trace("not-found")

    def files_under_the_former(reading: Reading) -> Patient | None:
        return person(reading, FORMER) if FORMER in reading.former_numbers else None

    def states(number: str, **more: Any) -> Fake:
        held = (Identifier.nhs(NUMBER), Identifier.nhs(number).model_copy(update={"use": "old"}))
        return Fake(find_patient=lambda reading: person(reading, identifiers=held, **more))

    gp = Fake(find_patient=files_under_the_former, read_problems=problems)
    icr = Fake(find_patient=lambda reading: person(reading, FORMER), read_problems=problems)
    pds, rio = Fake(trace_person=trace), states(FORMER)
    rio.methods["read_allergies"] = lambda reading: ()
    record = open_hub(pds=pds, rio=rio, gp=gp, icr=icr).record(NUMBER, WHO)
    assert [item.source.system for item in record.problems] == ["gp"]
    assert [s.system for item in record.problems for s in item.sources] == ["gp", "icr"]
    assert record.problems.complete
    assert "former-number-confirmed" in [notice.code for notice in record.notices]
    assert len([1 for name, _ in rio.asked if name == "find_patient"]) == 1
    assert record.unmatched == () and record.conflicts == ()
    assert FORMER not in str([notice.text for notice in record.notices])

    # The number of a twin, written down as a former one by mistake: the trace does not lead from it to this person.
    for stranger in (OTHER, "9990000042"):
        gp = Fake(find_patient=lambda reading: person(reading, OTHER) if reading.former_numbers else None,
                  read_problems=problems)  # fmt: skip
        rio = states(stranger)
        rio.methods["read_allergies"] = lambda reading: ()
        # It hands out the twin's record unasked as well.
        icr = Fake(find_patient=lambda reading, number=stranger: person(reading, number), read_problems=problems)
        record = open_hub(pds=Fake(trace_person=trace), rio=rio, gp=gp, icr=icr).record(NUMBER, WHO)
        assert len(record.problems) == 0
        assert [(apart.system, apart.reason) for apart in record.unmatched] == [("icr", "number-differs")]
        assert len(gp.asked) == 1
        assert "former-number-unconfirmed" in [notice.code for notice in record.notices]

    # One who is set apart is not believed, and without a trace nobody is.
    rio = states(FORMER, birth_date=PartialDate("1961-01-01"))
    rio.methods["read_allergies"] = lambda reading: ()
    pds = Fake(trace_person=trace)
    record = open_hub(pds=pds, rio=rio).record(NUMBER, WHO)
    assert [name for name, _ in pds.asked].count("trace_person") == 1
    assert "former-number" not in str(record.notices)


def test_few_former_numbers_are_confirmed_and_none_of_a_patient_whom_a_silent_policy_takes(open_hub: Open) -> None:
    stated = ("9990000034", "9990000042", "9990000050", "9990000069", "9990000077")
    held = (Identifier.nhs(NUMBER), *(Identifier.nhs(n).model_copy(update={"use": "old"}) for n in stated))
    rio = Fake(find_patient=lambda reading: person(reading, identifiers=held), read_problems=problems)

    def traces(**more: Any) -> int:
        pds = tracer()
        open_hub(pds=pds, rio=rio, **more).record(NUMBER, WHO)
        return [name for name, _ in pds.asked].count("trace_person")

    class Everything:
        cautions = ()

        def withholds_system(self, system: str) -> bool:
            return False

        def apply(self, contribution: Contribution) -> tuple[Contribution, tuple[Taken, ...]]:
            return Contribution(contribution.system), ()

    spec = PolicySpec(name="everything", kind="silent", settings=Model, build=lambda settings: Everything())
    assert traces() == 1 + 3
    assert traces(policies=((spec, {}),)) == 1


def test_a_terminology_plugin_counts_only_where_the_configuration_names_it(open_hub: Open) -> None:
    spec = SamenessSpec(name="terms", same=lambda one, other, section: True, words="test")

    def coded(code: str) -> Fake:
        return Fake(
            find_patient=person,
            read_problems=lambda reading: [
                Condition(source=reading.source("Condition/1"), code=concept(f"Text {code}", code))
            ],
        )

    def read(**more: Any) -> Any:
        hub = open_hub(pds=tracer(), rio=coded("x"), gp=coded("y"), sameness=(spec,), **more)
        return hub.record(NUMBER, WHO, sections=["problems"])

    assert len(read().problems) == 2
    (item,) = (joined := read(hub={"sameness": ["terms"]})).problems
    assert "terminology plugin terms" in joined.explain(item).merged
    with pytest.raises(ConfigurationError, match=r"hub\.sameness.*no installed plugin provides 'other'.*terms"):
        read(hub={"sameness": ["other"]})


def test_a_tracing_service_that_keeps_records_may_not_hand_out_somebody_elses(open_hub: Open) -> None:
    def somebody_else(reading: Reading) -> Patient:
        stranger = person(reading, birth_date=PartialDate("1961-01-01"))
        return stranger.model_copy(update={"source": reading.source("Patient/2")})

    pds = tracer(find_patient=somebody_else, read_problems=problems)
    record = open_hub(pds=pds).record(NUMBER, WHO, sections=["problems"])
    assert len(record.problems) == 0
    assert [apart.reason for apart in record.unmatched] == ["birth-date-differs"]
    honest = open_hub(pds=tracer(read_problems=problems)).record(NUMBER, WHO, sections=["problems"])
    assert len(honest.problems) == 1
    assert [why.rule for why in honest.joined] == ["traced"]


def test_a_kept_trace_is_used_for_as_long_as_is_configured_and_not_by_default(open_hub: Open) -> None:
    for seconds, times in ((0, 2), (60, 1)):
        pds = tracer()
        hub = open_hub(pds=pds, hub={"trace_max_age_seconds": seconds})
        for _ in range(2):
            assert hub.record(NUMBER, WHO).identity_confirmed
        assert [name for name, _ in pds.asked].count("trace_person") == times
        assert len(hub._identity._traces) == (1 if seconds else 0)


def test_kept_traces_do_not_grow_without_end(open_hub: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpftconnect.hub.identity._MOST_TRACES", 1)
    pds = tracer(trace_person=lambda reading: Trace("found", person(reading, reading.nhs_number, restriction="U")))
    hub = open_hub(pds=pds, hub={"trace_max_age_seconds": 60})
    for number in (NUMBER, OTHER, NUMBER):
        hub.record(number, WHO)
    assert [name for name, _ in pds.asked].count("trace_person") == 3
    assert len(hub._identity._traces) == 1


# Relationship (rule 9)


def test_a_live_system_is_read_only_after_somebody_confirmed(open_hub: Open) -> None:
    for said, ok in ((Verified("on the caseload"), True), (None, False), (True, False)):
        rio = Fake(read_problems=problems, verify_relationship=lambda reading, said=said: said)
        hub = open_hub(pds=tracer(), rio=rio, live=True)
        if ok:
            assert hub.record(NUMBER, WHO).notices == ()
            continue
        with pytest.raises(AccessRefused, match="no connected system confirms") as refused:
            hub.record(NUMBER, WHO)
        assert "did not answer" not in str(refused.value)
        assert [name for name, _ in rio.asked] == ["verify_relationship"]
    allowed = open_hub(pds=tracer(), live=True, hub={"allow_asserted_relationship": True})
    assert [notice.code for notice in allowed.record(NUMBER, WHO).notices] == ["relationship-asserted"]


def test_who_can_confirm_and_is_silent_is_named_and_costs_a_third_of_the_time_at_most(open_hub: Open) -> None:
    never = threading.Event()
    rio = Fake(verify_relationship=lambda reading: never.wait(30))
    hub = open_hub(pds=tracer(), rio=rio, live=True)
    with pytest.raises(AccessRefused, match="rio did not answer"):
        hub.record(NUMBER, WHO, deadline=0.6)
    gp = Fake(verify_relationship=lambda reading: Verified("referral"), read_problems=problems)
    record = open_hub(pds=tracer(), rio=rio, gp=gp, live=True).record(NUMBER, WHO, deadline=1.5)
    never.set()
    assert len(record.problems) == 1


# Search


@pytest.mark.parametrize(
    "found",
    [lambda reading, d: ["x"], lambda reading, d: None, raising(SystemExit()), raising(SystemFailed("503"))],
)
def test_a_search_that_fails_is_a_gap(open_hub: Open, found: Callable[..., Any]) -> None:
    hub = open_hub(pds=tracer(search_people=found))
    people = hub.find(Demographics(family="Okonjo"), WHO)
    assert not people.complete
    assert len(people) == 0
    assert len(entries(hub)) == 1


def test_a_search_without_end_is_too_many(open_hub: Open) -> None:
    def for_ever(reading: Reading, _: Demographics) -> Iterator[Patient]:
        while True:
            yield person(reading)

    hub = open_hub(pds=tracer(search_people=for_ever))
    with pytest.raises(TooManyMatches):
        hub.find(Demographics(family="Okonjo"), WHO)
    assert len(entries(hub)) == 1


def test_a_search_shows_no_place_of_the_restricted_and_nothing_that_is_excluded(open_hub: Open) -> None:
    def two(reading: Reading, _: Demographics) -> list[Patient]:
        practice = (Actor(organization="Quiet House"), Actor(organization="Elm Surgery"))
        return [person(reading, general_practitioner=practice, restriction=r) for r in ("U", "R", None)]

    policy = (exclusion_spec, {"organisations": ["Quiet House"], "seed": False})
    open_person, restricted, unknown = open_hub(pds=tracer(search_people=two), policies=(policy,)).find(
        Demographics(family="Okonjo"), WHO
    )
    assert [a.organization for a in open_person.general_practitioner] == ["Elm Surgery"]
    assert restricted.general_practitioner == unknown.general_practitioner == ()


# Policies


class _Nothing(Model):
    pass


class _Policy:
    def __init__(self, takes: bool, withholds: bool = False, error: Exception | None = None) -> None:
        self.takes, self.withholds, self.error = takes, withholds, error

    def withholds_system(self, system: str) -> bool:
        return self.withholds and system == "rio"

    def apply(self, contribution: Contribution) -> tuple[Contribution, tuple[Taken, ...]]:
        if self.error and contribution.items:
            raise self.error
        if not self.takes:
            return contribution, ()
        taken = tuple(
            Taken(contribution.system, name, item.source.id)
            for name, items in contribution.items.items()
            for item in items
        )
        return Contribution(contribution.system, contribution.patient), taken


def declared(policy: _Policy, kind: Any = "declared") -> tuple[PolicySpec, dict[str, Any]]:
    return PolicySpec(name="ours", kind=kind, settings=_Nothing, build=lambda s: policy, words="Not for this role."), {}


def test_what_a_declared_policy_takes_never_leaves_a_section_that_looks_whole(open_hub: Open) -> None:
    rio = Fake(read_problems=problems)
    record = open_hub(pds=tracer(), rio=rio, policies=(declared(_Policy(True)),)).record(
        NUMBER, WHO, sections=["problems"]
    )
    assert record.problems.status == "restricted"
    assert not record.problems.complete
    assert [(w.policy, w.section, w.system) for w in record.withheld] == [("ours", "problems", "rio")]


def test_a_system_that_a_declared_policy_withholds_is_not_asked_and_said(open_hub: Open) -> None:
    rio = Fake(read_problems=problems)
    record = open_hub(pds=tracer(), rio=rio, policies=(declared(_Policy(False, withholds=True)),)).record(
        NUMBER, WHO, sections=["problems"]
    )
    assert rio.asked == []
    assert record.problems.status == "restricted"
    assert [(w.policy, w.section, w.system) for w in record.withheld] == [("ours", None, "rio")]
    assert next(s.outcome for s in record.systems if s.system == "rio") == "not-asked"


@pytest.mark.parametrize("kind", ["silent", "declared"])
def test_what_a_policy_cannot_judge_is_not_shown_and_costs_no_other_system(open_hub: Open, kind: str) -> None:
    policy = declared(_Policy(False, error=RecursionError("Wolfenstein")), kind)
    gp = Fake(read_problems=lambda reading: [])
    record = open_hub(pds=tracer(), rio=Fake(read_problems=problems), gp=gp, policies=(policy,)).record(
        NUMBER, WHO, sections=["problems"]
    )
    assert len(record.problems) == 0
    assert record.problems.missing == ("rio",)
    assert record.problems.status == "partial"
    assert "Wolfenstein" not in record.to_json()
    assert "ours" not in record.to_json()
    assert {gap.reason for gap in record.gaps} == {"answer-rejected"}


def test_no_event_counts_what_no_policy_has_seen(open_hub: Open) -> None:
    events: list[Event] = []
    policy = (exclusion_spec, {"codes": ["195967001"], "seed": False})
    hub = open_hub(pds=tracer(), rio=Fake(read_problems=problems), policies=(policy,), listeners=(events.append,))
    hub.record(NUMBER, WHO, sections=["problems"])
    counted = {event.code: event.count for event in events if event.count is not None}
    assert counted.get(Code.READ_FINISHED) == 0
    assert Code.SYSTEM_FINISHED not in counted


# Calls that cannot be meant; deadlines; threads


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 301, 1e300, "5", object()])
def test_a_deadline_that_cannot_be_meant(open_hub: Open, seconds: Any) -> None:
    hub = open_hub(pds=tracer())
    with pytest.raises(UsageError, match="deadline"):
        hub.record(NUMBER, WHO, deadline=seconds)
    with pytest.raises(UsageError, match="deadline"):
        hub.find(Demographics(family="X"), WHO, deadline=seconds)


@pytest.mark.parametrize(
    "identifier", [None, 9990000018, b"9990000018", Identifier.nhs(NUMBER).model_copy(update={"value": None})]
)
def test_an_identifier_that_is_none(open_hub: Open, identifier: Any) -> None:
    with pytest.raises(UsageError):
        open_hub(pds=tracer()).record(identifier, WHO)


def test_a_call_without_a_person_who_asks_or_on_a_closed_hub(open_hub: Open) -> None:
    hub = open_hub(pds=tracer())
    with pytest.raises(UsageError, match="AccessContext"):
        hub.record(NUMBER, {"user": "u"})  # type: ignore[arg-type]
    hub.close()
    hub.close()
    for ask in (lambda: hub.record(NUMBER, WHO), lambda: hub.find(Demographics(family="X"), WHO)):
        with pytest.raises(UsageError, match="closed"):
            ask()


def test_a_tiny_deadline_gives_a_record_that_says_so(open_hub: Open) -> None:
    never = threading.Event()
    slow = tracer(trace_person=lambda reading: never.wait(30))
    record = open_hub(pds=slow, rio=Fake(read_problems=problems)).record(NUMBER, WHO, deadline=0.01)
    never.set()
    assert not record.identity_confirmed
    assert "timed-out" in {gap.reason for gap in record.gaps}
    assert record.allergies.status in ("unavailable", "restricted")


def test_sixteen_threads_share_a_hub(open_hub: Open) -> None:
    def traced(reading: Reading) -> Trace:
        return Trace("found", person(reading, reading.nhs_number or "", restriction="U"))

    rio = Fake(
        find_patient=lambda reading: person(reading, reading.nhs_number),
        read_allergies=lambda reading: [
            AllergyIntolerance(source=reading.source(f"AllergyIntolerance/{reading.nhs_number}"), code=concept("Latex"))
        ],
    )
    hub = open_hub(pds=Fake(trace_person=traced), rio=rio, hub={"trace_max_age_seconds": 60})
    asked = [NUMBER, OTHER, FORMER] * 16
    with ThreadPoolExecutor(16) as pool:
        records = list(pool.map(lambda number: hub.record(number, WHO, sections=["allergies"]), asked))
    for number, record in zip(asked, records, strict=True):
        assert record.patient.nhs_number == number
        assert [item.source.id for item in record.allergies] == [f"AllergyIntolerance/{number}"]
        assert record.gaps == ()
    assert len(entries(hub)) == len(asked)
    assert hub.audit.verify().ok


def test_closing_while_reading_ends_in_an_answer(open_hub: Open) -> None:
    reached, go = threading.Event(), threading.Event()

    def wait(reading: Reading) -> list[Condition]:
        reached.set()
        go.wait(5)
        return problems(reading)

    hub = open_hub(pds=tracer(), rio=Fake(read_problems=wait))
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(hub.record, NUMBER, WHO, sections=["problems"])
        assert reached.wait(5)
        hub.close()
        go.set()
        assert len(reading.result(5).problems) == 1


def test_a_listener_that_raises_or_asks_the_hub_again_costs_no_record(open_hub: Open) -> None:
    hubs: list[Hub] = []

    def again(event: Event) -> None:
        if event.code is Code.READ_FINISHED and len(seen) < 3:
            seen.append(event)
            hubs[0].record(NUMBER, WHO, sections=["problems"])

    seen: list[Event] = []
    hubs.append(open_hub(pds=tracer(), rio=Fake(read_problems=problems), listeners=(raising(ValueError("x")), again)))
    assert len(hubs[0].record(NUMBER, WHO, sections=["problems"]).problems) == 1
    assert len(seen) == 3


def test_every_error_is_one_of_ours(open_hub: Open) -> None:
    hub = open_hub(pds=tracer(trace_person=lambda reading: Trace("invalidated")))
    with pytest.raises(MpftConnectError, match="must no longer be used"):
        hub.record(NUMBER, WHO)


def test_what_an_adapter_declares_and_lacks_is_its_own_failure(open_hub: Open) -> None:
    rio = Fake(read_problems=problems, resolve_identifier=lambda r, i: NUMBER, verify_relationship=lambda r: None)
    hub = open_hub(pds=tracer(), rio=rio)
    del rio.methods["resolve_identifier"], rio.methods["verify_relationship"], rio.methods["read_problems"]
    with pytest.raises(PersonUnknown, match="rio did not answer"):
        hub.record(LOCAL, WHO)
    record = hub.record(NUMBER, WHO, sections=["problems"])
    assert [(gap.section, gap.reason) for gap in record.gaps] == [("problems", "adapter-fault")]


def test_expect_says_what_differs(open_hub: Open) -> None:
    hub = open_hub(pds=tracer())
    assert hub.record(NUMBER, WHO, expect=Demographics(family="Smith")).mismatches == ("family name",)


# Restricted people (rule 7)

PLACE = "14 Wolfscote Rise"
# A code is kept and cannot hold a place.
KEPT = {"code"}


@pytest.mark.parametrize("level", ["R", "V", "REDACTED", None, "silent"])
def test_a_place_in_every_field_of_every_answer_is_nowhere_to_be_found(
    open_hub: Open, filled: Callable[..., Any], caplog: pytest.LogCaptureFixture, level: str | None
) -> None:
    def planted(path: str) -> str:
        name = path.rstrip(".0123456789").rpartition(".")[2]
        return "code" if name in KEPT else PLACE

    def everything(name: SectionName) -> Callable[[Reading], Iterator[Any]]:
        def read(reading: Reading) -> Iterator[Any]:
            for number in range(3):
                item = filled(SECTION_TYPES[name], alternative=number, text=planted)
                own: dict[str, Any] = {"source": reading.source(f"{name}/{number}"), "also": (), "subject": None}
                yield item.model_copy(update={key: value for key, value in own.items() if hasattr(item, key)})
            yield Notice("confidential-items", f"Held at {PLACE}.")
            yield Refusal(f"row of {PLACE}", f"the site {PLACE} is not known", content={"site": PLACE})

        return read

    def known(reading: Reading, **more: Any) -> Patient:
        planted_all = filled(Patient, text=planted)
        kept = ("identifiers", "names", "birth_date", "source")
        sure = {key: getattr(person(reading), key) for key in kept}
        return planted_all.model_copy(update={**sure, "also": (), "restriction": None, **more})

    def trace(reading: Reading) -> Trace:
        if level == "silent":
            raise SystemFailed("status 503")
        return Trace("found", known(reading, restriction=level))

    events: list[Event] = []
    hub = open_hub(
        pds=Fake(trace_person=trace),
        rio=Fake(find_patient=known, **{f"read_{name}": everything(name) for name in SectionName}),
        apart=Fake(find_patient=lambda r: known(r, birth_date=PartialDate("1961-01-01")),
                   **{f"read_{name}": everything(name) for name in SectionName}),
        listeners=(events.append,),
    )  # fmt: skip
    with caplog.at_level("DEBUG"):
        record = hub.record(NUMBER, WHO)
    assert record.is_restricted
    if level != "silent":
        assert len(record.problems) > 0, record.gaps
        assert [apart.system for apart in record.unmatched] == ["apart"]
    told = {
        "json": record.to_json(),
        "fhir": dump_json(record.to_fhir()).decode(),
        "page": record_page(record),
        "text": summary(record, most=1000),
        "audit": str([entry.event for entry in hub.audit.entries()]),
        "privacy": str([entry.event for entry in hub.privacy.entries()]),
        "events": str(events),
        "log": caplog.text,
    }
    assert {
        n: t[max(0, t.index("Wolfscote") - 300) : t.index("Wolfscote")] for n, t in told.items() if "Wolfscote" in t
    } == {}
    # A warning is still told of, without its words.
    assert level == "silent" or {warning.code for warning in record.problems.warnings} >= {"confidential-items"}
