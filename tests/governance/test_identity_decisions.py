"""Two people decide whose record it is: who may, when it holds, how it ends, and that all of it is audited."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import mpftconnect
from mpftconnect.errors import AccessRefused, AuditUnavailable, DecisionsUnsound, NotAnNhsNumber, UsageError
from mpftconnect.events import Code, EventStream
from mpftconnect.governance.audit_event import agent_of, details_of, patient_of
from mpftconnect.governance.decision import Decision, Decisions
from mpftconnect.governance.decision_store import Change, DecisionStore
from mpftconnect.governance.identity_decisions import CLOCKS_MAY_DIFFER, IdentityDecisions
from mpftconnect.model import AccessContext

SOURCE = Path(mpftconnect.__file__).parents[1]
NUMBER, OTHER, THIRD = "9990000018", "9990000026", "9990000034"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
JANE = AccessContext(
    user="jane.doe", name="Jane Doe", role="community-nurse", organisation="RRE", purpose="direct-care",
    relationship="identity",
)  # fmt: skip
PAT = JANE.model_copy(update={"user": "pat", "name": "Pat Officer", "role": "privacy-officer"})
SAM = PAT.model_copy(update={"user": "sam", "name": "Sam Officer"})
WHY = "Wolfenstein telephoned"


@dataclass
class Bench:
    """Decisions on a clock that a test moves, and the trail that they are written to."""

    place: Any
    at: datetime = NOON
    made: list[IdentityDecisions] = field(default_factory=list)

    def open(self, **changes: Any) -> IdentityDecisions:
        store = DecisionStore(
            self.place.root / "identity" / "d.sqlite", anchor=self.place.root / "identity-anchor" / "a", key=bytes(32)
        )
        given: dict[str, Any] = {"systems": ("rio", "gp"), "now": lambda: self.at} | changes
        return IdentityDecisions(store, self.place.trail(), EventStream([self.place.seen.append]), **given)

    def later(self, **time: float) -> None:
        self.at += timedelta(**time)

    def steps(self) -> list[tuple[str, str]]:
        """User and step, or refusal, of each entry of the trail."""
        found = []
        for entry in self.place.trail().entries():
            details = dict(details_of(entry.event))
            said = details.get("step") or str(entry.event["outcomeDesc"])
            found.append((agent_of(entry.event)["user"], said))
        return found


@pytest.fixture
def bench(audit_place: Any) -> Bench:
    return Bench(audit_place)


def apart(known: IdentityDecisions, number: str = NUMBER, record: str = "Patient/7") -> bool:
    return known.about({number}, [("rio", record)]).unlinking("rio", record, {number}) is not None


def joined(known: IdentityDecisions, number: str = NUMBER, record: str = "Patient/7") -> bool:
    return known.about({number}, [("rio", record)]).linking("rio", record, {number}) is not None


def refused(code: str) -> Any:
    class Refused:
        def __enter__(self) -> None:
            self.caught = pytest.raises(AccessRefused)
            self.info = self.caught.__enter__()

        def __exit__(self, *error: Any) -> bool:
            done = bool(self.caught.__exit__(*error))
            assert self.info.value.code == code
            return done

    return Refused()


def test_a_proposal_changes_nothing_and_its_approval_by_a_second_person_holds_at_once_everywhere(bench: Bench) -> None:
    one, elsewhere = bench.open(), bench.open()
    made = one.propose_unlink("999 000 0018", "rio", " Patient/7 ", JANE, reason=WHY)
    assert (made.nhs_number, made.record, one.state(made)) == (NUMBER, "Patient/7", "proposed")
    assert not apart(elsewhere)
    assert [each.id for each in elsewhere.about({NUMBER}, []).disputed] == [made.id]
    done = elsewhere.approve(made.id, PAT)
    assert one.state(done) == "in-force"
    assert apart(one)
    assert apart(elsewhere)
    assert not apart(one, number=OTHER)
    assert not apart(one, record="Patient/8")
    assert one.about({NUMBER}, []).disputed == ()
    assert "Jane Doe" in done.words()
    assert "Pat Officer" in done.words()
    assert WHY not in done.words()
    assert bench.steps() == [("jane.doe", "proposed"), ("pat", "approved")]


def test_the_trail_names_person_system_and_record_and_never_the_reason(bench: Bench) -> None:
    known = bench.open()
    known.approve(known.propose_link(NUMBER, "rio", "Patient/7", JANE, reason=WHY).id, PAT)
    entries = list(bench.place.trail().entries())
    assert [entry.event["type"]["code"] for entry in entries] == ["link", "link"]
    assert [patient_of(entry.event) for entry in entries] == [NUMBER, NUMBER]
    assert {("system", "rio"), ("record", "Patient/7")} <= set(details_of(entries[1].event))
    assert "Wolfenstein" not in str([entry.event for entry in entries])
    assert "Wolfenstein" not in repr(bench.place.seen)
    assert bench.place.trail().verify().ok


@pytest.mark.parametrize(
    "approver",
    [
        JANE.model_copy(update={"role": "privacy-officer"}),
        PAT.model_copy(update={"user": " Jane.DOE "}),
        PAT.model_copy(update={"practitioner_id": "555"}),
    ],
)
def test_whoever_proposed_it_may_not_approve_it_under_any_name(bench: Bench, approver: AccessContext) -> None:
    known = bench.open()
    proposer = JANE.model_copy(update={"practitioner_id": "555"})
    made = known.propose_unlink(NUMBER, "rio", "Patient/7", proposer, reason=WHY)
    with refused("same-person"):
        known.approve(made.id, approver)
    assert not apart(known)
    assert bench.steps()[1] == (approver.user, "refused: same-person")
    known.approve(made.id, PAT)
    assert apart(known)


def test_two_people_without_a_practitioner_id_are_two_people(bench: Bench) -> None:
    known = bench.open()
    known.approve(known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY).id, PAT)
    assert JANE.practitioner_id is PAT.practitioner_id is None


def test_roles_decide_who_may_propose_approve_and_look(bench: Bench) -> None:
    known = bench.open(proposers=("records-clerk",), approvers=("records-lead",))
    clerk, lead = (JANE.model_copy(update={"user": role, "role": role}) for role in ("records-clerk", "records-lead"))
    with refused("identity-role"):
        known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY)
    made = known.propose_unlink(NUMBER, "rio", "Patient/7", clerk, reason=WHY)
    for act in (
        lambda: known.approve(made.id, PAT),
        lambda: known.find(PAT),
        lambda: known.show(made.id, clerk),
        lambda: known.show("none", clerk),
        lambda: known.reject(made.id, JANE),
        lambda: known.purge(NOON, PAT),
        lambda: known.erase(NUMBER, PAT),
        lambda: known.propose_reversal(made.id, PAT, reason=WHY),
    ):
        with refused("identity-role"):
            act()
    known.approve(made.id, lead)
    assert [said for _, said in bench.steps()].count("refused: identity-role") == 9


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"purpose": "research"}, "purpose-not-allowed"),
        ({"user": " "}, "who-incomplete"),
        ({"relationship": "break-glass", "reason": "hurry"}, "not-under-break-glass"),
    ],
)
def test_who_may_not_ask_may_not_decide(bench: Bench, change: dict[str, str], code: str) -> None:
    known = bench.open()
    made = known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY)
    with refused(code):
        known.propose_unlink(NUMBER, "rio", "Patient/8", JANE.model_copy(update=change), reason=WHY)
    with refused(code):
        known.approve(made.id, PAT.model_copy(update=change))
    assert not apart(known)


def test_what_is_missing_or_wrong_is_said_and_repeats_no_value(bench: Bench) -> None:
    known = bench.open()
    with pytest.raises(NotAnNhsNumber):
        known.propose_unlink("9990000019", "rio", "Patient/7", JANE, reason=WHY)
    for system, record, reason in (
        ("nobody", "Patient/7", WHY), ("rio", " ", WHY), ("rio", "x" * 300, WHY), ("rio", "Patient/7", " "),
        ("rio", "Patient/7", "x" * 2000),
    ):  # fmt: skip
        with pytest.raises(UsageError) as wrong:
            known.propose_unlink(NUMBER, system, record, JANE, reason=reason)
        assert not {NUMBER, "Patient/7", WHY, "xxx"} & set(str(wrong.value).split())
    with pytest.raises(UsageError, match="no decision or proposal"):
        known.approve("nothing", PAT)
    assert list(bench.place.trail().entries()) == []


# Time


@pytest.mark.parametrize(("hours", "holds"), [(71.9, True), (72.1, False)])
def test_a_proposal_that_nobody_approves_expires(bench: Bench, hours: float, holds: bool) -> None:
    known = bench.open()
    made = known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY)
    bench.later(hours=hours)
    if holds:
        known.approve(made.id, PAT)
    else:
        with refused("proposal-expired"):
            known.approve(made.id, PAT)
        assert [known.state(one) for one in known.find(PAT)] == ["expired"]
        assert known.about({NUMBER}, []).disputed == ()
        assert known.open_proposals() == ()
        again = known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY)
        known.approve(again.id, PAT)
    assert apart(known)


@pytest.mark.parametrize("behind", [True, False])
def test_an_approver_whose_clock_is_behind_keeps_no_proposal_alive(bench: Bench, behind: bool) -> None:
    known = bench.open()
    made = known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY)
    bench.at -= CLOCKS_MAY_DIFFER + timedelta(seconds=1 if behind else -1)
    if behind:
        with refused("clock-behind"):
            known.approve(made.id, PAT)
    else:
        known.approve(made.id, PAT)
    assert apart(known) is not behind


def test_what_is_in_force_does_not_end_with_time(bench: Bench) -> None:
    known = bench.open()
    known.approve(known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY).id, PAT)
    bench.later(days=4000)
    assert apart(known)


# Undoing


def test_it_is_reversed_by_two_people_too_and_the_history_stays(bench: Bench) -> None:
    known = bench.open()
    made = known.approve(known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY).id, PAT)
    bench.later(days=1)
    asked = known.propose_reversal(made.id, SAM, reason="looked again")
    assert known.state(asked) == "reversal-proposed"
    assert apart(known)
    with refused("same-person"):
        known.approve(made.id, SAM)
    done = known.approve(made.id, PAT)
    assert known.state(done) == "reversed"
    assert not apart(known)
    (shown,) = known.find(PAT, number=NUMBER)
    assert [(step.action, step.user) for step in shown.steps] == [
        ("proposed", "jane.doe"), ("approved", "pat"), ("reversal-proposed", "sam"), ("reversal-approved", "pat"),
    ]  # fmt: skip
    assert shown.steps[0].reason == WHY
    with pytest.raises(UsageError, match="reversed"):
        known.propose_reversal(made.id, SAM, reason=WHY)


def test_a_reversal_that_is_rejected_or_expires_leaves_it_in_force(bench: Bench) -> None:
    known = bench.open()
    made = known.approve(known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY).id, PAT)
    known.propose_reversal(made.id, SAM, reason=WHY)
    known.reject(made.id, PAT)
    assert apart(known)
    known.propose_reversal(made.id, SAM, reason=WHY)
    bench.later(days=10)
    with refused("proposal-expired"):
        known.approve(made.id, PAT)
    assert known.state(known.show(made.id, PAT)) == "in-force"
    assert apart(known)
    known.propose_reversal(made.id, SAM, reason=WHY)
    known.approve(made.id, PAT)
    assert not apart(known)


def test_a_proposal_is_rejected_by_an_approver_or_withdrawn_by_its_proposer(bench: Bench) -> None:
    known = bench.open()
    for by in (PAT, JANE):
        made = known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY)
        with refused("identity-role"):
            known.reject(made.id, JANE.model_copy(update={"user": "bystander"}))
        assert known.state(known.reject(made.id, by, reason="no")) == "rejected"
        with pytest.raises(UsageError, match="nothing is proposed"):
            known.approve(made.id, SAM)
    assert not apart(known)


def test_the_same_twice_is_refused_and_the_opposite_replaces(bench: Bench) -> None:
    known = bench.open()
    made = known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY)
    with pytest.raises(UsageError, match="proposed already"):
        known.propose_unlink(NUMBER, "rio", "Patient/7", SAM, reason=WHY)
    known.approve(made.id, PAT)
    with pytest.raises(UsageError, match="decided already"):
        known.propose_unlink(NUMBER, "rio", "Patient/7", SAM, reason=WHY)
    with pytest.raises(UsageError, match="nothing is proposed"):
        known.approve(made.id, SAM)
    known.approve(known.propose_link(NUMBER, "rio", "Patient/7", JANE, reason=WHY).id, PAT)
    assert (apart(known), joined(known)) == (False, True)
    assert known.state(known.show(made.id, PAT)) == "replaced"


def test_one_record_is_linked_to_one_person_at_most(bench: Bench) -> None:
    known = bench.open()
    both = [known.propose_link(number, "rio", "Patient/7", JANE, reason=WHY) for number in (NUMBER, OTHER)]
    first = known.approve(both[0].id, PAT)
    with pytest.raises(UsageError, match="linked to another"):
        known.approve(both[1].id, PAT)
    with pytest.raises(UsageError, match="linked to another"):
        known.propose_link(THIRD, "rio", "Patient/7", JANE, reason=WHY)
    # What is somebody's is nobody else's.
    assert apart(known, number=OTHER)
    known.propose_reversal(first.id, JANE, reason=WHY)
    known.approve(first.id, PAT)
    known.approve(both[1].id, PAT)
    assert (joined(known, OTHER), joined(known), apart(known)) == (True, False, True)


def test_another_number_must_be_stated_by_both(bench: Bench) -> None:
    known = bench.open()
    made = known.propose_link(NUMBER, "rio", "Patient/7", JANE, reason=WHY, other_number=OTHER)
    for stated in (None, THIRD):
        with refused("other-number-not-confirmed"):
            known.approve(made.id, PAT, other_number=stated)
    assert known.approve(made.id, PAT, other_number="999 000 0026").other_number == OTHER
    plain = known.propose_link(NUMBER, "rio", "Patient/8", JANE, reason=WHY)
    with refused("other-number-not-confirmed"):
        known.approve(plain.id, PAT, other_number=OTHER)
    with pytest.raises(UsageError, match="the person's own"):
        known.propose_link(NUMBER, "rio", "Patient/9", JANE, reason=WHY, other_number="999 000 0018")


def test_of_two_numbers_of_one_person_what_sets_apart_wins(bench: Bench) -> None:
    known = bench.open()
    known.approve(known.propose_link(OTHER, "rio", "Patient/7", JANE, reason=WHY).id, PAT)
    known.approve(known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY).id, PAT)
    both = {NUMBER, OTHER}
    found = known.about(both, [("rio", "Patient/7")]).unlinking("rio", "Patient/7", both)
    assert found is not None
    assert found.kind == "unlink"


# Looking, forgetting


def test_looking_is_controlled_and_audited(bench: Bench) -> None:
    known = bench.open()
    made = known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY)
    bench.later(minutes=1)
    known.propose_unlink(OTHER, "rio", "Patient/8", JANE, reason=WHY)
    assert [one.nhs_number for one in known.find(PAT)] == [OTHER, NUMBER]
    assert [one.id for one in known.find(PAT, number="999 000 0018")] == [made.id]
    assert known.show(made.id, PAT).steps[0].reason == WHY
    looked = [entry for entry in bench.place.trail().entries() if entry.event["type"]["code"] == "access"]
    assert [patient_of(entry.event) for entry in looked] == [None, NUMBER, NUMBER]


def test_a_system_that_is_not_named_any_more_is_named_nowhere(bench: Bench) -> None:
    bench.open().propose_unlink(NUMBER, "gp", "Patient/7", JANE, reason=WHY)
    known = bench.open(systems=("rio",))
    assert known.find(PAT) == ()
    assert known.open_proposals() == ()
    assert len(bench.open().open_proposals()) == 1


def test_purging_removes_what_ended_long_ago_and_nothing_else(bench: Bench) -> None:
    known = bench.open()
    kept = known.approve(known.propose_unlink(NUMBER, "rio", "Patient/1", JANE, reason=WHY).id, PAT)
    known.reject(known.propose_unlink(NUMBER, "rio", "Patient/2", JANE, reason=WHY).id, PAT)
    known.propose_unlink(NUMBER, "rio", "Patient/3", JANE, reason=WHY)
    assert known.purge(bench.at + timedelta(hours=1), PAT) == 1
    bench.later(days=30)
    young = known.propose_unlink(NUMBER, "rio", "Patient/4", JANE, reason=WHY)
    assert known.purge(bench.at - timedelta(days=28), PAT) == 0
    assert known.purge(bench.at - timedelta(days=20), PAT) == 1
    assert {one.id for one in known.find(PAT)} == {kept.id, young.id}
    assert apart(known, record="Patient/1")
    assert known.check() == 2


def test_erasing_a_person_is_refused_while_anything_about_them_holds(bench: Bench) -> None:
    known = bench.open()
    made = known.approve(known.propose_link(OTHER, "rio", "P", JANE, reason=WHY, other_number=NUMBER).id, PAT,
                         other_number=NUMBER)  # fmt: skip
    somebody = known.propose_unlink(THIRD, "rio", "Q", JANE, reason=WHY)
    for number in (NUMBER, OTHER):
        with pytest.raises(UsageError, match="in-force"):
            known.erase(number, PAT)
    known.propose_reversal(made.id, JANE, reason=WHY)
    known.approve(made.id, PAT)
    assert known.erase(NUMBER, PAT) == 1
    assert [one.id for one in known.find(PAT)] == [somebody.id]
    assert known.erase(NUMBER, PAT) == 0
    assert ("pat", "erase") in bench.steps()


# When something fails


def damage(bench: Bench) -> None:
    import sqlite3

    db = sqlite3.connect(bench.place.root / "identity" / "d.sqlite")
    db.execute("DELETE FROM decisions")
    db.commit()
    db.close()


def test_a_damaged_store_is_never_read_as_no_decisions(bench: Bench) -> None:
    known = bench.open()
    known.approve(known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY).id, PAT)
    damage(bench)
    assert known.about({THIRD}, []) == Decisions(unsound="seal-does-not-fit")
    assert (Code.DECISIONS_UNSOUND, "seal-does-not-fit") in bench.place.alarms()
    for act in (
        lambda: known.propose_link(NUMBER, "rio", "Patient/7", JANE, reason=WHY),
        lambda: known.find(PAT),
        lambda: known.check(),
        lambda: known.open_proposals(),
        lambda: known.purge(NOON, PAT),
    ):
        with pytest.raises(DecisionsUnsound) as unsound:
            act()
        assert unsound.value.reason == "seal-does-not-fit"


def test_a_decision_that_a_newer_version_wrote_is_not_passed_over(bench: Bench) -> None:
    known = bench.open()
    known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY)

    def newer(bodies: list[str]) -> Change:
        return Change({"x": bodies[0].replace('"kind":"unlink"', '"kind":"halve"')})

    assert known._store.change(newer)
    assert known.about({NUMBER}, []).unsound == "decision-not-understood"
    assert known.about({OTHER}, []).unsound is None


def test_nothing_is_decided_that_cannot_be_audited(bench: Bench) -> None:
    known = bench.open()
    made = known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY)
    shutil.rmtree(bench.place.store.parent)
    bench.place.store.parent.write_text("in the way")
    bench.place.sink.mkdir(parents=True)
    with pytest.raises(AuditUnavailable):
        known.approve(made.id, PAT)
    assert not apart(known)
    with pytest.raises(AuditUnavailable):
        known.approve(made.id, JANE)


def test_a_decision_that_could_not_be_kept_is_audited_as_a_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = bench.open()
    made = known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY)

    def full(*_: object) -> None:
        raise OSError

    monkeypatch.setattr("mpftconnect.governance.decision_store.DecisionStore._seal_state", full)
    with pytest.raises(DecisionsUnsound):
        known.approve(made.id, PAT)
    monkeypatch.undo()
    assert not apart(known)
    assert bench.steps()[1:] == [("pat", "approved"), ("pat", "approved: not kept")]
    assert list(bench.place.trail().entries())[-1].event["outcome"] == "8"


APPROVER = textwrap.dedent("""
    import sys
    from datetime import timedelta
    from pathlib import Path
    from mpftconnect.errors import MpftConnectError
    from mpftconnect.events import EventStream
    from mpftconnect.governance.audit import AuditTrail
    from mpftconnect.governance.decision_store import Change, DecisionStore
    from mpftconnect.governance.identity_decisions import IdentityDecisions
    from mpftconnect.model import AccessContext
    root, user, id = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    events = EventStream()
    trail = AuditTrail(root / "store" / "audit.db", key=bytes(range(32)), anchor=root / "anchor" / "audit.anchor",
                       fallback=root / "sink" / "audit.waiting", events=events, lock_seconds=60.0)
    store = DecisionStore(root / "identity" / "d.sqlite", anchor=root / "identity-anchor" / "a", key=bytes(32),
                          lock_seconds=60.0)
    known = IdentityDecisions(store, trail, events, systems=["rio"])
    who = AccessContext(user=user, name=user, role="privacy-officer", organisation="RRE", purpose="direct-care",
                        relationship="identity")
    try:
        known.approve(id, who)
        print("done")
    except MpftConnectError as error:
        print(type(error).__name__, error)
""")


def test_of_several_processes_that_approve_at_once_one_does(bench: Bench) -> None:
    bench.at = datetime.now(UTC)
    known = bench.open()
    made = known.propose_unlink(NUMBER, "rio", "Patient/7", JANE, reason=WHY)
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    processes = [
        subprocess.Popen([sys.executable, "-c", APPROVER, str(bench.place.root), user, made.id],
                         env=environment, stdout=subprocess.PIPE, text=True)
        for user in ("one", "two", "three")
    ]  # fmt: skip
    said = [process.communicate(timeout=120)[0].strip() for process in processes]
    assert sorted(line.split()[0] for line in said) == ["UsageError", "UsageError", "done"]
    assert len(known.show(made.id, PAT).steps) == 2
    assert [step for _, step in bench.steps()].count("approved") == 1
    assert apart(known)


def test_a_decision_is_its_own_history() -> None:
    fields = {"id": "1", "kind": "unlink", "system": "rio", "record": "7", "nhs_number": NUMBER}
    step = {"user": "u", "name": "N", "role": "r", "organisation": "RRE", "at": NOON, "expires": NOON}
    proposed = Decision.model_validate({**fields, "steps": [{**step, "action": "proposed"}]})
    assert (proposed.in_force, proposed.ended, proposed.approved) == (False, None, None)
    assert "proposed by N on 01 Mar 2026" in proposed.words()
    assert (proposed.state(NOON), proposed.state(NOON + timedelta(seconds=1))) == ("proposed", "expired")
