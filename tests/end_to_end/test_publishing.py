"""Plans published through the hub to a real twin: once, as previewed, kept right, taken back, never on a guess."""

from __future__ import annotations

import json
import logging
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mpftconnect import AccessContext, Hub
from mpftconnect.adapters import Fault
from mpftconnect.errors import (
    AccessRefused,
    AdapterError,
    AnswerRejected,
    AuditUnavailable,
    ItemNotShown,
    LedgerUnavailable,
    MpftConnectError,
    OutcomeUnknown,
    SystemFailed,
    UsageError,
)
from mpftconnect.model import CarePlan, PartialDate, Reference, SectionName, When
from mpftconnect.plugins import PluginRegistry
from mpftconnect.sandbox import Sandbox, person, seeded_values

FULL = person("full").nhs_number
KEY = "rio:CarePlan/full-mental-health-plan"
WHO = AccessContext(
    user="jane.doe", name="Jane Doe", role="care-coordinator", organisation="RRE", purpose="direct-care",
    relationship="caseload",
)  # fmt: skip

OpenHub = Callable[..., Hub]


@pytest.fixture(scope="module")
def locator(registry: PluginRegistry) -> Iterator[Sandbox]:
    with Sandbox(registry, only=["pds", "rio", "synthetic", "nrl"]) as running:
        running.twins["pds"].requests_per_second = 10_000  # type: ignore[attr-defined]
        yield running


@pytest.fixture
def nrl(locator: Sandbox) -> Iterator[Any]:
    """The locator's twin, which is as it was before once a test is done."""
    twin: Any = locator.twins["nrl"]
    held = dict(twin._held)
    twin.written.clear()
    yield twin
    twin._held.clear()
    twin._held.update(held)


@pytest.fixture
def change_plan(locator: Sandbox) -> Iterator[Callable[..., None]]:
    """Changes the plan in RiO; `None` takes it away."""
    twin: Any = locator.twins["rio"]
    (local_id,) = [known for known, someone in twin.held.items() if someone.nhs_number == FULL]
    before = twin.held[local_id]

    def change(**fields: Any) -> None:
        view = before.systems["rio"]
        plans = tuple(
            plan.model_copy(update=fields) if plan.source.id == KEY.partition(":")[2] else plan
            for plan in view.items[SectionName.CARE_PLANS]
            if fields or plan.source.id != KEY.partition(":")[2]
        )
        items = {**view.items, SectionName.CARE_PLANS: plans}
        twin.held[local_id] = replace(before, systems={**before.systems, "rio": replace(view, items=items)})
        twin._written.clear()

    yield change
    twin.held[local_id] = before
    twin._written.clear()


@pytest.fixture
def change_person(locator: Sandbox) -> Iterator[Callable[..., None]]:
    """Changes what the tracing service says of the person."""
    twin: Any = locator.twins["pds"]
    before = twin._records[FULL]

    def change(**fields: Any) -> None:
        twin._records[FULL] = replace(before, patient=before.patient.model_copy(update=fields))

    yield change
    twin._records[FULL] = before


@pytest.fixture
def hub(locator: Sandbox, nrl: Any, open_hub: OpenHub) -> Hub:
    return open_hub(of=locator)


def plan_of(hub: Hub) -> CarePlan:
    record = hub.record(FULL, WHO, sections=["care_plans"])
    return next(plan for plan in record.care_plans if plan.key == KEY)


def publish(hub: Hub, **more: Any) -> Any:
    return hub.publish_plan(KEY, WHO, identifier=FULL, **more)


def ours(nrl: Any) -> list[dict[str, Any]]:
    """The pointers that were published here and stand at the locator."""
    return [pointer for pointer in nrl.pointers if "masterIdentifier" in pointer]


def told(hub: Hub) -> list[str]:
    return [entry.event["outcomeDesc"] for entry in hub.audit.entries()]


class TestTheWayOfAPlan:
    def test_an_active_plan_gets_a_pointer(self, hub: Hub, nrl: Any) -> None:
        done = hub.publish_plan(plan_of(hub), WHO, identifier=FULL)
        (pointer,) = ours(nrl)
        assert (done.action, done.why, done.pointers) == ("create", "new", (pointer["id"],))
        assert pointer["type"]["coding"][0]["code"] == "736253002"
        assert pointer["author"][0]["identifier"]["value"] == "RRE"
        assert pointer["custodian"]["identifier"]["value"] == "RRE"
        seen = hub.record(FULL, WHO, sections=["documents"]).documents
        assert f"nrl:DocumentReference/{pointer['id']}" in {item.key for item in seen}

    def test_called_again_nothing_is_sent(self, hub: Hub, nrl: Any) -> None:
        first = publish(hub)
        again = publish(hub)
        assert (again.action, again.why, again.pointers) == ("nothing", "unchanged", first.pointers)
        assert len(nrl.written) == 1

    def test_a_changed_plan_gets_a_new_pointer_in_place_of_the_old(
        self, hub: Hub, nrl: Any, change_plan: Callable[..., None]
    ) -> None:
        first = publish(hub)
        change_plan(title="Mental health care plan, second version")
        done = publish(hub)
        (pointer,) = ours(nrl)
        assert (done.action, done.why) == ("supersede", "changed")
        assert done.gone == first.pointers
        assert done.pointers == (pointer["id"],)
        assert pointer["relatesTo"][0]["target"]["identifier"]["value"] == first.pointers[0]
        assert done.reference == first.reference
        assert publish(hub).why == "unchanged"

    @pytest.mark.parametrize(
        ("status", "why"), [("completed", "ended"), ("revoked", "ended"), ("entered-in-error", "entered-in-error")]
    )
    def test_a_plan_that_has_ended_loses_its_pointer(
        self, hub: Hub, nrl: Any, change_plan: Callable[..., None], status: str, why: str
    ) -> None:
        publish(hub)
        change_plan(status=status)
        done = publish(hub)
        assert (done.action, done.why, done.pointers, ours(nrl)) == ("remove", why, (), [])
        assert publish(hub).action == "nothing"

    @pytest.mark.parametrize(
        ("fields", "why"), [({"restriction": "R"}, "restricted"), ({"deceased": When("2026-01-02")}, "deceased")]
    )
    def test_a_person_who_became_restricted_or_died_loses_the_pointer(
        self, hub: Hub, nrl: Any, change_person: Callable[..., None], fields: dict[str, Any], why: str
    ) -> None:
        publish(hub)
        change_person(**fields)
        done = publish(hub)
        assert (done.action, done.why, ours(nrl)) == ("remove", why, [])
        assert publish(hub).action == "nothing"
        assert len(nrl.written) == 1

    def test_nothing_is_ever_published_of_a_restricted_person(self, hub: Hub, nrl: Any) -> None:
        number = person("restricted").nhs_number
        for key in ("rio:CarePlan/x", "rio:CarePlan/y"):
            done = hub.publish_plan(key, WHO, identifier=number)
            assert (done.action, done.why) == ("nothing", "restricted")
        assert nrl.written == []

    @pytest.mark.parametrize("status", ["draft", "on-hold", "unknown", None, "what"])
    def test_a_plan_that_is_neither_active_nor_ended_is_left_as_it_is(
        self, hub: Hub, nrl: Any, change_plan: Callable[..., None], status: str | None
    ) -> None:
        publish(hub)
        change_plan(status=status)
        with pytest.raises(UsageError, match="only an active plan"):
            publish(hub)
        assert len(ours(nrl)) == 1

    def test_withdrawn_whatever_it_says(self, hub: Hub, nrl: Any) -> None:
        publish(hub)
        done = hub.withdraw_plan(KEY, WHO, identifier=FULL)
        assert (done.action, done.why, ours(nrl)) == ("remove", "withdrawn", [])
        assert hub.withdraw_plan(KEY, WHO, identifier=FULL).why == "not-published"
        assert publish(hub).action == "create"

    def test_one_that_was_removed_elsewhere_is_removed(self, hub: Hub, nrl: Any) -> None:
        nrl._held.pop(publish(hub).pointers[0])
        assert hub.withdraw_plan(KEY, WHO, identifier=FULL).action == "remove"


class TestPreview:
    def test_what_is_previewed_is_what_is_sent(self, hub: Hub, nrl: Any, change_plan: Callable[..., None]) -> None:
        before = hub.preview_plan(KEY, WHO, identifier=FULL)
        assert (before.action, nrl.written) == ("create", [])
        publish(hub)
        assert [draft.body for draft in before.drafts] == nrl.written
        change_plan(title="Another title")
        preview = hub.preview_plan(KEY, WHO, identifier=FULL)
        assert preview.action == "supersede"
        publish(hub)
        assert preview.drafts[0].body == nrl.written[1]
        change_plan(status="completed")
        removal = hub.preview_plan(KEY, WHO, identifier=FULL)
        (draft,) = removal.drafts
        assert (removal.action, draft.method, draft.body) == ("remove", "DELETE", None)
        assert draft.url.endswith(removal.pointers[0])

    def test_it_writes_nothing_anywhere_but_to_the_audit(self, hub: Hub, nrl: Any) -> None:
        hub.preview_plan(KEY, WHO, identifier=FULL)
        assert hub.published.rows() == ()
        assert not hub.published.path.exists()
        assert told(hub) == ["success"]
        methods = {(e.method, e.label) for s in hub.systems if s.name == "nrl" for e in s.recorder.exchanges}
        assert methods == {("POST", "token"), ("POST", "search")}

    def test_it_says_that_writes_are_off(self, locator: Sandbox, nrl: Any, open_hub: OpenHub) -> None:
        hub = open_hub(_writes_off, of=locator)
        preview = hub.preview_plan(KEY, WHO, identifier=FULL)
        assert not preview.writes_allowed
        assert preview.words().endswith("Writes are off for this system.")
        assert preview.drafts


def _writes_off(table: dict[str, Any]) -> None:
    del table["systems"]["nrl"]["allow_writes"]


class TestWhatIsChecked:
    def test_writes_are_off_unless_the_configuration_says_so(
        self, locator: Sandbox, nrl: Any, open_hub: OpenHub, hub: Hub
    ) -> None:
        off = open_hub(_writes_off, of=locator)
        for write in (off.publish_plan, off.withdraw_plan):
            with pytest.raises(AccessRefused) as caught:
                write(KEY, WHO, identifier=FULL)
            assert caught.value.code == "writes-off"
        assert told(off) == ["refused: writes-off"] * 2
        assert nrl.written == []
        assert not [said for said in off.cautions if "writes" in said]
        assert "writes to nrl are allowed (allow_writes)" in hub.cautions

    def test_the_tracing_service_must_confirm_that_the_person_is_unrestricted(
        self, hub: Hub, locator: Sandbox, nrl: Any
    ) -> None:
        with locator.faults["pds"].on(Fault.SERVER_ERROR), pytest.raises(AccessRefused) as caught:
            publish(hub)
        assert caught.value.code == "identity-unconfirmed"
        assert nrl.written == []

    def test_the_plan_must_be_this_persons(self, hub: Hub, nrl: Any) -> None:
        plan = plan_of(hub)
        with pytest.raises(ItemNotShown):
            hub.publish_plan(plan, WHO, identifier=person("sparse").nhs_number)
        assert nrl.written == []

    def test_the_plan_must_be_as_it_is_in_its_system_now(
        self, hub: Hub, nrl: Any, change_plan: Callable[..., None]
    ) -> None:
        plan = plan_of(hub)
        change_plan(title="Changed meanwhile")
        with pytest.raises(UsageError, match="has changed"):
            hub.publish_plan(plan, WHO, identifier=FULL)
        assert nrl.written == []

    def test_whose_it_is_is_said_by_the_plan_or_by_the_caller(self, hub: Hub) -> None:
        plan = plan_of(hub)
        with pytest.raises(UsageError, match="whose it is"):
            hub.publish_plan(plan, WHO)
        named = plan.model_copy(update={"subject": Reference(identifier=hub.record(FULL, WHO).patient.identifiers[0])})
        assert hub._wish(named, WHO, None).about == FULL
        with pytest.raises(UsageError, match="expected a CarePlan"):
            hub.publish_plan(3, WHO, identifier=FULL)  # type: ignore[arg-type]

    def test_an_agreement_must_cover_it(self, locator: Sandbox, nrl: Any, open_hub: OpenHub) -> None:
        def expired(table: dict[str, Any]) -> None:
            table["systems"]["nrl"]["agreement"] = {**table["systems"]["nrl"]["agreement"], "expires": "2000-01-01"}

        hub = open_hub(expired, of=locator)
        with pytest.raises(AccessRefused) as caught:
            publish(hub)
        assert caught.value.code == "no-agreement"

    def test_the_purpose_must_be_direct_care(self, hub: Hub) -> None:
        with pytest.raises(AccessRefused):
            hub.publish_plan(KEY, WHO.model_copy(update={"purpose": "research"}), identifier=FULL)

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            ({"kind": "holiday"}, "kind"),
            ({"kind": "410970009"}, "type"),
            ({"author": "ZZ502"}, "author"),
            ({"to": "rio"}, "to: name one system"),
        ],
    )
    def test_what_a_caller_gets_wrong(self, hub: Hub, nrl: Any, more: dict[str, Any], words: str) -> None:
        with pytest.raises(UsageError, match=words):
            publish(hub, **more)
        assert nrl.written == []
        assert hub.published.rows() == ()

    def test_another_kind_of_document_is_not_put_in_place_of_what_stands(self, hub: Hub, nrl: Any) -> None:
        publish(hub, kind="personalised")
        with pytest.raises(UsageError, match="another kind"):
            publish(hub, kind="crisis")
        assert len(ours(nrl)) == 1

    def test_a_plan_that_nobody_wrote_down_an_author_for(
        self, hub: Hub, nrl: Any, change_plan: Callable[..., None]
    ) -> None:
        change_plan(author=None)
        with pytest.raises(UsageError, match="author"):
            publish(hub)
        assert publish(hub, author="ZZ502").action == "create"
        assert ours(nrl)[0]["author"][0]["identifier"]["value"] == "ZZ502"

    def test_nothing_clinical_and_nothing_of_the_person_but_the_number_is_sent(self, hub: Hub, nrl: Any) -> None:
        publish(hub)
        sent = nrl.written[0].decode()
        known = seeded_values(person("full")) - {value for value in seeded_values(person("full")) if FULL in value}
        assert [value for value in known if value in sent] == []
        assert sent.count(FULL) == 1

    def test_a_system_that_does_not_answer_for_the_plan(self, hub: Hub, locator: Sandbox, nrl: Any) -> None:
        with locator.faults["rio"].on(Fault.SERVER_ERROR), pytest.raises(SystemFailed):
            publish(hub)
        assert nrl.written == []

    def test_a_plan_of_a_hidden_service_is_as_one_that_never_was(self, hub: Hub, nrl: Any) -> None:
        number = person("sexual-health").nhs_number
        for key in ("sexual-health:CarePlan/1", "rio:CarePlan/none", "nosuch:CarePlan/1"):
            with pytest.raises(ItemNotShown, match="no such care plan"):
                hub.publish_plan(key, WHO, identifier=number)
        assert nrl.written == []


class TestWhatIsWrittenDown:
    def test_intent_before_and_outcome_after(self, hub: Hub, nrl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        adapter = _adapter(hub)
        write, seen = adapter.write_pointer, []

        def watched(*arguments: Any) -> Any:
            seen.append(told(hub))
            return write(*arguments)

        monkeypatch.setattr(adapter, "write_pointer", watched)
        publish(hub)
        assert seen == [["intended: create"]]
        assert told(hub) == ["intended: create", "success: create"]
        assert hub.audit.verify().ok

    def test_all_that_the_specification_wants_of_an_audit_log(self, hub: Hub, nrl: Any) -> None:
        done = publish(hub)
        intent, outcome = [json.dumps(entry.event) for entry in hub.audit.entries(patient=FULL)]
        for kind in ("sent-verb", "sent-url", "sent-body", "sent-NHSD-End-User-Organisation-ODS"):
            assert kind in intent
            assert kind in outcome
        assert json.dumps(nrl.written[0].decode()) in intent
        for kind in ("sent-status", "sent-answer", "sent-pointer", "sent-request-id"):
            assert kind not in intent
            assert kind in outcome
        assert done.pointers[0] in outcome
        assert '"201"' in outcome
        assert "RESOURCE_CREATED" in outcome

    def test_nothing_is_sent_that_could_not_be_audited(
        self, hub: Hub, nrl: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        append = hub.audit.append

        def fail(record: Any) -> int:
            if record.outcome == "intended":
                raise AuditUnavailable("full")
            return append(record)

        with monkeypatch.context() as patch:
            patch.setattr(hub.audit, "append", fail)
            with pytest.raises(AuditUnavailable):
                publish(hub)
        assert nrl.written == []
        assert [row.state for row in hub.published.rows()] == ["absent"]
        assert publish(hub).action == "create"

    def test_the_ledger_is_the_owners_alone_and_holds_nothing_clinical(self, hub: Hub, nrl: Any) -> None:
        done = publish(hub)
        (row,) = hub.published.rows(patient=FULL)
        assert (row.destination, row.key, row.kind, row.state) == ("nrl", KEY, "736253002", "published")
        assert row.pointers == done.pointers
        path = hub.published.path
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        content = path.read_bytes().decode(errors="replace")
        numbers = {value for value in seeded_values(person("full")) if FULL in value}
        assert [v for v in seeded_values(person("full")) - numbers if v in content] == []

    def test_no_ledger_no_write(self, hub: Hub, nrl: Any) -> None:
        hub.published.path.parent.mkdir(parents=True)
        hub.published.path.write_bytes(b"no database, but long enough to be looked at" * 100)
        with pytest.raises(LedgerUnavailable):
            publish(hub)
        assert nrl.written == []

    def test_purging_and_forgetting_leave_what_stands(self, hub: Hub, nrl: Any) -> None:
        publish(hub)
        later = datetime.now(UTC) + timedelta(days=1)
        assert hub.published.purge(later) == 0
        with pytest.raises(UsageError, match="withdraw"):
            hub.published.forget(FULL)
        hub.withdraw_plan(KEY, WHO, identifier=FULL)
        assert hub.published.purge(datetime.now(UTC) - timedelta(days=1)) == 0
        assert hub.published.purge(later) == 1
        publish(hub)
        hub.withdraw_plan(KEY, WHO, identifier=FULL)
        assert hub.published.forget(FULL) == 1
        assert FULL.encode() not in hub.published.path.read_bytes()

    def test_break_glass_is_told_to_the_privacy_officer(self, hub: Hub, nrl: Any) -> None:
        who = WHO.model_copy(update={"relationship": "break-glass", "reason": "found collapsed"})
        hub.publish_plan(KEY, who, identifier=FULL)
        actions = [json.dumps(entry.event) for entry in hub.privacy.entries()]
        assert any("found collapsed" in text for text in actions)


def _adapter(hub: Hub) -> Any:
    return next(system.adapter for system in hub.systems if system.name == "nrl")


class TestUnknownOutcomes:
    def lose(self, hub: Hub, locator: Sandbox) -> OutcomeUnknown:
        with locator.faults["nrl"].on(Fault.LOST_ANSWER), pytest.raises(OutcomeUnknown) as caught:
            publish(hub)
        return caught.value

    def test_a_lost_answer_is_unknown_and_nothing_more_is_sent(self, hub: Hub, locator: Sandbox, nrl: Any) -> None:
        error = self.lose(hub, locator)
        assert "unknown, check" in str(error)
        assert len(nrl.written) == 1
        for again in (lambda: publish(hub), lambda: hub.withdraw_plan(KEY, WHO, identifier=FULL),
                      lambda: hub.preview_plan(KEY, WHO, identifier=FULL)):  # fmt: skip
            with pytest.raises(OutcomeUnknown, match="reconcile"):
                again()
        assert len(nrl.written) == 1
        assert told(hub)[:2] == ["intended: create", "failure: outcome-unknown"]

    def test_reconciling_finds_what_was_done(self, hub: Hub, locator: Sandbox, nrl: Any) -> None:
        self.lose(hub, locator)
        found = hub.reconcile_plan(KEY, WHO, identifier=FULL)
        (pointer,) = ours(nrl)
        assert found.pointers == (pointer["id"],)
        again = publish(hub)
        assert (again.action, again.why) == ("nothing", "unchanged")
        assert len(nrl.written) == 1

    def test_reconciling_finds_that_nothing_was_done(self, hub: Hub, nrl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def lost(*_: Any) -> Any:
            raise OutcomeUnknown("lost on the way")

        with monkeypatch.context() as patch:
            patch.setattr(_adapter(hub), "write_pointer", lost)
            with pytest.raises(OutcomeUnknown):
                publish(hub)
        assert hub.reconcile_plan(KEY, WHO, identifier=FULL).pointers == ()
        assert publish(hub).action == "create"
        assert len(nrl.written) == 1

    def test_a_lost_answer_to_superseding(
        self, hub: Hub, locator: Sandbox, nrl: Any, change_plan: Callable[..., None]
    ) -> None:
        first = publish(hub)
        change_plan(title="Second version")
        self.lose(hub, locator)
        found = hub.reconcile_plan(KEY, WHO, identifier=FULL)
        assert found.pointers != first.pointers
        assert publish(hub).why == "unchanged"
        assert len(ours(nrl)) == 1

    def test_a_lost_answer_to_removing(self, hub: Hub, locator: Sandbox, nrl: Any) -> None:
        publish(hub)
        with locator.faults["nrl"].on(Fault.LOST_ANSWER), pytest.raises(OutcomeUnknown):
            hub.withdraw_plan(KEY, WHO, identifier=FULL)
        assert hub.reconcile_plan(KEY, WHO, identifier=FULL).pointers == ()
        assert [row.state for row in hub.published.rows()] == ["absent"]

    @pytest.mark.parametrize("error", [ValueError("Threlkeld"), SystemExit(2)])
    def test_an_adapter_that_breaks_while_writing(
        self, hub: Hub, nrl: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException
    ) -> None:
        def broken(*_: Any) -> Any:
            raise error

        monkeypatch.setattr(_adapter(hub), "write_pointer", broken)
        with pytest.raises(OutcomeUnknown) as caught:
            publish(hub)
        assert "Threlkeld" not in str(caught.value)
        assert [row.state for row in hub.published.rows()] == ["unknown"]

    def test_a_write_that_takes_too_long(self, hub: Hub, nrl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        waiting = threading.Event()
        monkeypatch.setattr(_adapter(hub), "write_pointer", lambda *_: waiting.wait(60))
        try:
            with pytest.raises(OutcomeUnknown):
                publish(hub, deadline=2.0)
        finally:
            waiting.set()

    def test_a_plain_refusal_leaves_what_stood(
        self, hub: Hub, nrl: Any, monkeypatch: pytest.MonkeyPatch, change_plan: Callable[..., None]
    ) -> None:
        first = publish(hub)
        change_plan(title="Second version")

        def refused(*_: Any) -> Any:
            raise AnswerRejected("status 400, INVALID_RESOURCE")

        with monkeypatch.context() as patch:
            patch.setattr(_adapter(hub), "write_pointer", refused)
            with pytest.raises(AnswerRejected):
                publish(hub)
        (row,) = hub.published.rows()
        assert (row.state, row.pointers) == ("published", first.pointers)
        assert told(hub)[-1] == "failure: answer-rejected"
        assert publish(hub).action == "supersede"

    def test_a_process_that_died_while_sending_leaves_it_unknown(self, hub: Hub, nrl: Any) -> None:
        publish(hub)
        (row,) = hub.published.rows()
        assert hub.published.change(row, replace(row, state="sending", doing="supersede"))
        with pytest.raises(OutcomeUnknown):
            publish(hub)
        hub.reconcile_plan(KEY, WHO, identifier=FULL)
        assert publish(hub).why == "unchanged"


class TestWithoutALedger:
    def test_what_stands_is_found_at_the_locator(
        self, locator: Sandbox, nrl: Any, open_hub: OpenHub, change_plan: Callable[..., None]
    ) -> None:
        first = publish(open_hub(of=locator))
        elsewhere = open_hub(of=locator)
        assert elsewhere.published.rows() == ()
        again = publish(elsewhere)
        assert (again.why, again.pointers, len(nrl.written)) == ("unchanged", first.pointers, 1)
        assert len(elsewhere.published.rows()) == 1
        change_plan(title="Second version")
        third = open_hub(of=locator)
        assert publish(third).action == "supersede"
        assert open_hub(of=locator).withdraw_plan(KEY, WHO, identifier=FULL).action == "remove"
        assert ours(nrl) == []

    def test_pointers_that_were_made_twice_are_both_replaced(
        self, hub: Hub, locator: Sandbox, nrl: Any, open_hub: OpenHub, change_plan: Callable[..., None]
    ) -> None:
        publish(hub)
        twin: Any = locator.twins["nrl"]
        (pointer,) = ours(nrl)
        twin._held["RRE-second"] = replace(twin._held[pointer["id"]], resource={**pointer, "id": "RRE-second"})
        done = publish(open_hub(of=locator))
        assert (done.action, len(done.gone), len(ours(nrl))) == ("supersede", 2, 1)

    def test_a_search_that_fails_stops_the_write(self, hub: Hub, locator: Sandbox, nrl: Any) -> None:
        with locator.faults["nrl"].on(Fault.LYING_TOTAL), pytest.raises(AdapterError):
            publish(hub)
        assert nrl.written == []


class TestReview:
    def test_every_published_plan_is_looked_at(
        self, hub: Hub, nrl: Any, change_plan: Callable[..., None], change_person: Callable[..., None]
    ) -> None:
        publish(hub)
        hub.publish_plan("synthetic:CarePlan/full-community-plan", WHO, identifier=FULL)
        assert {each.why for each in hub.review_published(FULL, WHO)} == {"unchanged"}
        change_plan()
        gone = {each.reference: each for each in hub.review_published(FULL, WHO)}
        assert sorted(each.why for each in gone.values()) == ["gone", "unchanged"]
        assert len(ours(nrl)) == 1
        change_person(restriction="V")
        (last,) = hub.review_published(FULL, WHO)
        assert (last.action, last.why, ours(nrl)) == ("remove", "restricted", [])
        assert hub.review_published(FULL, WHO) == ()

    def test_a_silent_system_is_no_reason_to_remove(self, hub: Hub, locator: Sandbox, nrl: Any) -> None:
        publish(hub)
        for fault in (Fault.SERVER_ERROR, Fault.DROPPED_PAGE, Fault.LYING_TOTAL):
            with locator.faults["rio"].on(fault):
                (each,) = hub.review_published(FULL, WHO)
            assert each.problem or each.why == "unchanged"
        assert len(ours(nrl)) == 1

    def test_a_plan_that_was_set_apart_is_no_plan_that_is_gone(
        self, hub: Hub, locator: Sandbox, nrl: Any, change_plan: Callable[..., None]
    ) -> None:
        publish(hub)
        twin: Any = locator.twins["rio"]
        (local_id,) = [known for known, someone in twin.held.items() if someone.nhs_number == FULL]
        before = twin.held[local_id]
        view = before.systems["rio"]
        stranger = (view.patient or before.patient).model_copy(update={"birth_date": PartialDate("1901-01-01")})
        twin.held[local_id] = replace(before, systems={**before.systems, "rio": replace(view, patient=stranger)})
        twin._written.clear()
        (each,) = hub.review_published(FULL, WHO)
        assert "no such care plan" in each.problem
        assert len(ours(nrl)) == 1
        change_plan(title="Put back by the fixture")

    def test_a_role_that_may_not_see_plans_removes_none(
        self, hub: Hub, nrl: Any, locator: Sandbox, open_hub: OpenHub
    ) -> None:
        publish(hub)
        (row,) = hub.published.rows()
        other = open_hub(lambda table: table.update(roles={"care-coordinator": {"sections": ["notes"]}}), of=locator)
        other.published.change(None, row)
        (each,) = other.review_published(FULL, WHO)
        assert "no such care plan" in each.problem
        with pytest.raises(ItemNotShown):
            publish(other)
        assert len(ours(nrl)) == 1

    def test_a_silent_tracing_service_is_said(self, hub: Hub, locator: Sandbox, nrl: Any) -> None:
        publish(hub)
        with locator.faults["pds"].on(Fault.SERVER_ERROR), pytest.raises(AccessRefused):
            hub.review_published(FULL, WHO)
        assert len(ours(nrl)) == 1


_PUBLISH = """
import json, sys
from mpftconnect import AccessContext, Hub, MpftConnectError, load_plugins
from mpftconnect.events import EventStream
from mpftconnect.hub import load_configuration

table, who, key, number = json.load(sys.stdin)
with Hub(load_configuration(table, load_plugins(), sandbox=True), events=EventStream()) as hub:
    try:
        print(hub.publish_plan(key, AccessContext(**who), identifier=number).action)
    except MpftConnectError as error:
        print(type(error).__name__)
"""


class TestSeveralAtOnce:
    def test_threads(self, hub: Hub, nrl: Any) -> None:
        def one(_: int) -> str:
            try:
                return str(publish(hub).action)
            except OutcomeUnknown:
                return "unknown"

        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(one, range(4)))
        assert done.count("create") == 1
        assert len(nrl.written) == 1
        assert publish(hub).why == "unchanged"

    def test_processes(self, locator: Sandbox, nrl: Any, open_hub: OpenHub) -> None:
        tables: list[dict[str, Any]] = []
        open_hub(tables.append, of=locator)
        told_them = json.dumps([tables[0], WHO.model_dump(), KEY, FULL]).encode()
        command = [sys.executable, "-c", _PUBLISH]
        running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
        with ThreadPoolExecutor(2) as pool:
            said = list(pool.map(lambda process: process.communicate(told_them, timeout=120)[0], running))
        done = [text.decode().strip() for text in said]
        assert done.count("create") == 1
        assert set(done) <= {"create", "nothing", "OutcomeUnknown"}
        assert len(nrl.written) == 1


def test_no_value_stands_in_any_message_or_log(
    hub: Hub, locator: Sandbox, nrl: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = []
    for fault in (Fault.SERVER_ERROR, Fault.MALFORMED, Fault.WRONG_PATIENT, Fault.LOST_ANSWER, Fault.STALE_TOKEN):
        with locator.faults["nrl"].on(fault):
            try:
                texts.append(publish(hub).words())
            except MpftConnectError as error:
                texts.append(repr(error))
    hub.reconcile_plan(KEY, WHO, identifier=FULL)
    texts.append(repr(publish(hub)) + publish(hub).words())
    everything = "\n".join(texts) + caplog.text
    assert [value for value in seeded_values(person("full")) if value in everything] == []
