"""Documents of a record, fetched through the hub from real twins: governed, audited, silent on what is not shown."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mpftconnect import AccessContext, Hub, Record
from mpftconnect.adapters import DocumentContent, Fault
from mpftconnect.errors import (
    AccessRefused,
    AdapterError,
    AnswerRejected,
    AuditUnavailable,
    ItemNotShown,
    MpftConnectError,
    NotPermitted,
    PersonUnknown,
    SystemFailed,
    TimedOut,
    UsageError,
)
from mpftconnect.hub.documents import differences_of
from mpftconnect.model import Attachment, DocumentReference, Identifier, Reference, SectionName
from mpftconnect.plugins import PluginRegistry
from mpftconnect.sandbox import Sandbox, people_without_excluded_data, person, seeded_values
from mpftconnect.sandbox.chart import placeholder

FULL = person("full").nhs_number
CRISIS, BY_PROXY = "nrl:DocumentReference/RRE-full-crisis", "nrl:DocumentReference/ZZ502-full-eol"
WHO = AccessContext(
    user="jane.doe", name="Jane Doe", role="community-nurse", organisation="RRE", purpose="direct-care",
    relationship="caseload", role_profile_id="555254240100",
)  # fmt: skip

OpenHub = Callable[..., Hub]


@pytest.fixture(scope="module")
def locator(registry: PluginRegistry) -> Iterator[Sandbox]:
    with Sandbox(registry, only=["pds", "rio", "synthetic", "nrl"]) as running:
        running.twins["pds"].requests_per_second = 10_000  # type: ignore[attr-defined]
        yield running


@pytest.fixture
def hub(locator: Sandbox, open_hub: OpenHub) -> Hub:
    return open_hub(of=locator)


def adapter_of(hub: Hub, system: str) -> Any:
    return next(each.adapter for each in hub.systems if each.name == system)


def events_of(hub: Hub) -> list[dict[str, Any]]:
    return [entry.event for entry in hub.audit.entries()]


def error_of(hub: Hub, number: str, key: str, **more: Any) -> MpftConnectError:
    with pytest.raises(MpftConnectError) as caught:
        hub.fetch_document(number, key, WHO, **more)
    return caught.value


class TestFetching:
    @pytest.mark.parametrize("key", [CRISIS, BY_PROXY, "nrl:DocumentReference/ZZ503-full-respect"])
    def test_the_bytes_with_their_source_and_what_was_promised(self, hub: Hub, key: str) -> None:
        found = hub.fetch_document(FULL, key, WHO)
        assert (found.key, found.source.key) == (key, key)
        assert found.content_type == found.promised
        assert found.differences == ()
        assert found.words() == f"{len(found.data)} bytes, {found.promised}, from nrl; as promised."
        assert found.data == person("full").systems["nrl"].settings["documents"][key.partition(":")[2]]["data"]

    def test_of_a_record_that_was_written_down_and_read_again(self, hub: Hub) -> None:
        record = Record.from_json(hub.record(FULL, WHO, sections=["documents"]).to_json())
        keys = [item.key for item in record.documents if item.source.system == "nrl"]
        assert len(keys) == 3
        for key in keys:
            assert hub.fetch_document(record.patient.nhs_number or "", key, WHO).data

    def test_by_a_local_identifier(self, hub: Hub) -> None:
        record = hub.record(FULL, WHO, sections=["documents"])
        (rio,) = [p for p in record.held_as if p.source.system == "rio"]
        local = next(i for i in rio.identifiers if not i.is_nhs_number)
        assert hub.fetch_document(local, CRISIS, WHO).data
        with pytest.raises(PersonUnknown):
            hub.fetch_document(Identifier(system="urn:x", value="1"), CRISIS, WHO)

    def test_a_document_that_stands_in_the_record_itself(self, hub: Hub) -> None:
        found = hub.fetch_document(FULL, "rio:DocumentReference/full-outpatient-letter", WHO)
        assert found.content_type == "text/plain"
        assert found.data

    def test_only_the_system_that_holds_it_and_the_tracing_service_are_asked(self, hub: Hub) -> None:
        hub.fetch_document(FULL, CRISIS, WHO)
        asked = {system.name: [e.label for e in system.recorder.exchanges] for system in hub.systems}
        assert asked["rio"] == [label for label in asked["rio"] if "EpisodeOfCare" in label or "Patient" in label]
        assert asked["synthetic"] == []
        assert "related people" not in asked["pds"]
        assert asked["nrl"] == ["token", "search", "document"]

    def test_in_what_it_is_not_as_promised_is_said(self, hub: Hub, locator: Sandbox) -> None:
        with locator.faults["nrl"].on(Fault.WRONG_DOCUMENT):
            found = hub.fetch_document(FULL, CRISIS, WHO)
        assert found.differences == ("content-type",)
        assert found.promised == "application/pdf"
        assert found.words().endswith("not as promised: it is of another type than was promised.")

    @pytest.mark.parametrize("attachment", [1, -1, 99])
    def test_no_attachment_that_is_not_there(self, hub: Hub, attachment: int) -> None:
        with pytest.raises(UsageError, match="1 attachments"):
            hub.fetch_document(FULL, CRISIS, WHO, attachment=attachment)

    def test_a_system_that_cannot_fetch_says_so(self, hub: Hub) -> None:
        with pytest.raises(UsageError, match="synthetic cannot fetch documents"):
            hub.fetch_document(FULL, "synthetic:DocumentReference/full-foot-screening", WHO)


class TestWhatIsNotShown:
    """Rules 6 and 7: withheld and never there are the same."""

    NEVER_THERE = (
        "nrl:DocumentReference/RRE-nothing",
        "nrl:",
        "nosuch:DocumentReference/1",
        "",
        "sexual-health:DocumentReference/1",
        "nrl:DocumentReference/ZZ502-full-eol",
        "rio:DocumentReference/full-outpatient-letter",
    )
    EXCLUDED = (
        "nrl:DocumentReference/ZZ555-sh-plan",
        "nrl:DocumentReference/RRE-sh-by-type",
        "nrl:DocumentReference/ZZ504-sh-by-text",
    )

    def test_an_excluded_document_is_as_one_that_never_was(
        self, hub: Hub, registry: PluginRegistry, open_hub: OpenHub
    ) -> None:
        number = person("sexual-health").nhs_number
        told = {(type(error), str(error)) for key in self.EXCLUDED if (error := error_of(hub, number, key))}
        told |= {(type(error), str(error)) for key in self.NEVER_THERE if (error := error_of(hub, number, key))}
        assert told == {(ItemNotShown, "the record shows no such document; it may not exist, or may not be shown")}
        people = people_without_excluded_data()
        with Sandbox(registry, people, only=["pds", "rio", "synthetic", "nrl"]) as clean:
            clean.twins["pds"].requests_per_second = 10_000  # type: ignore[attr-defined]
            without = open_hub(of=clean)
            for key in self.EXCLUDED:
                assert str(error_of(without, number, key)) == next(iter(told))[1]
            assert _entries_but_for_times(without)[-1] == _entries_but_for_times(hub)[0]
        assert hub.fetch_document(number, "nrl:DocumentReference/RRE-sh-plan", WHO).data

    def test_no_request_for_an_excluded_document_leaves(self, hub: Hub) -> None:
        for key in self.EXCLUDED:
            error_of(hub, person("sexual-health").nhs_number, key)
        labels = [e.label for system in hub.systems if system.name == "nrl" for e in system.recorder.exchanges]
        assert "document" not in labels

    def test_what_is_derived_from_something_excluded_is_not_had_either(self, hub: Hub) -> None:
        # Judged with all that the system says, although a document alone is asked for.
        clinic = person("sexual-health").systems["rio"].items["documents"]  # type: ignore[index]
        hidden = [f"rio:{item.source.id}" for item in clinic]
        assert hidden
        for key in hidden:
            assert isinstance(error_of(hub, person("sexual-health").nhs_number, key), ItemNotShown)

    def test_nothing_that_is_not_for_the_users_role(self, locator: Sandbox, open_hub: OpenHub) -> None:
        def roles(table: dict[str, Any]) -> None:
            table["roles"] = {"community-nurse": {"sections": ["allergies"]}}

        assert type(error_of(open_hub(roles, of=locator), FULL, CRISIS)) is ItemNotShown

    @pytest.mark.parametrize("role", [["all"], ["documents"]])
    def test_what_only_another_item_gives_away_is_not_had_either(
        self, open_hub: OpenHub, locator: Sandbox, role: list[str]
    ) -> None:
        # Whatever the role may see: what it may not see is judged all the same.
        hub = open_hub(lambda table: table.update(roles={"community-nurse": {"sections": role}}), of=locator)
        # Nothing in the letter itself names the clinic: it points at a visit that does.
        twin: Any = locator.twins["rio"]
        someone = person("sexual-health")
        view = someone.systems["rio"]
        subject = Reference(reference=f"Patient/{view.local_id}")

        def letter(name: str, visit: str) -> DocumentReference:
            return DocumentReference(
                source=placeholder(f"DocumentReference/{name}"), subject=subject, status="current",
                encounter=Reference(reference=visit),
                attachments=(Attachment(content_type="text/plain", data_base64="dGV4dA=="),),
            )  # fmt: skip

        added = (letter("derived", "Encounter/sh-clinic-visit"), letter("plain", "Encounter/sh-review"))
        items = {**view.items, SectionName.DOCUMENTS: (*view.items[SectionName.DOCUMENTS], *added)}
        before = twin.held[view.local_id]
        twin.held[view.local_id] = replace(someone, systems={**someone.systems, "rio": replace(view, items=items)})
        twin._written.clear()
        try:
            assert hub.fetch_document(someone.nhs_number, "rio:DocumentReference/plain", WHO).data == b"text"
            assert isinstance(error_of(hub, someone.nhs_number, "rio:DocumentReference/derived"), ItemNotShown)
        finally:
            twin.held[view.local_id] = before
            twin._written.clear()

    def test_nothing_of_a_restricted_person(self, hub: Hub) -> None:
        number = person("restricted").nhs_number
        for key in ("nrl:DocumentReference/ZZ506-restricted-tern-island-refuge", "nrl:DocumentReference/none"):
            error = error_of(hub, number, key)
            assert type(error) is ItemNotShown
            assert "Tern" not in str(error)

    def test_nothing_while_the_tracing_service_is_silent(self, hub: Hub, locator: Sandbox) -> None:
        with locator.faults["pds"].on(Fault.SERVER_ERROR):
            assert type(error_of(hub, FULL, CRISIS)) is ItemNotShown

    def test_nothing_of_somebody_else(self, hub: Hub) -> None:
        assert type(error_of(hub, person("sparse").nhs_number, CRISIS)) is ItemNotShown

    def test_nothing_outside_the_agreement(self, locator: Sandbox, open_hub: OpenHub) -> None:
        def other(table: dict[str, Any]) -> None:
            table["systems"]["nrl"]["agreement"] = {**table["systems"]["nrl"]["agreement"], "sections": ["notes"]}

        error = error_of(open_hub(other, of=locator), FULL, CRISIS)
        assert isinstance(error, AccessRefused)
        assert error.code == "no-agreement"


class TestGovernance:
    def test_a_purpose_that_is_not_allowed(self, hub: Hub) -> None:
        with pytest.raises(AccessRefused) as caught:
            hub.fetch_document(FULL, CRISIS, WHO.model_copy(update={"purpose": "research"}))
        assert caught.value.code == "purpose-not-allowed"
        assert events_of(hub)[-1]["outcomeDesc"] == "refused: purpose-not-allowed"

    def test_a_live_system_wants_the_relationship_verified(self, locator: Sandbox, open_hub: OpenHub) -> None:
        hub = open_hub(of=locator, live=True)
        with pytest.raises(AccessRefused) as caught:
            hub.fetch_document(person("conflicting").nhs_number, "nrl:DocumentReference/x", WHO.model_copy(
                update={"role": "community-nurse", "user": "nobody"}
            ), deadline=0.001)  # fmt: skip
        assert caught.value.code == "relationship-not-verified"
        labels = [e.label for system in hub.systems if system.name == "nrl" for e in system.recorder.exchanges]
        assert labels == []

    def test_break_glass_is_told_to_the_privacy_officer(self, hub: Hub) -> None:
        who = WHO.model_copy(update={"relationship": "break-glass", "reason": "found collapsed"})
        hub.fetch_document(FULL, CRISIS, who)
        told = [entry.event["outcomeDesc"] for entry in hub.privacy.entries()]
        assert len(told) == 2

    def test_the_fetch_is_audited_with_what_was_shown(self, hub: Hub) -> None:
        found = hub.fetch_document(FULL, CRISIS, WHO)
        (event,) = events_of(hub)
        text = json.dumps(event)
        assert (event["action"], event["outcome"]) == ("R", "0")
        assert '"fetch"' in text
        assert "DocumentReference/RRE-full-crisis" in text
        assert found.correlation_id in text
        assert [a.user for a in hub.audit.affected(source="nrl", item="DocumentReference/RRE-full-crisis")] == [
            "jane.doe"
        ]

    def test_nothing_is_given_out_that_could_not_be_audited(self, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: Any) -> None:
            raise AuditUnavailable("full")

        monkeypatch.setattr(hub.audit, "append", fail)
        with pytest.raises(AuditUnavailable):
            hub.fetch_document(FULL, CRISIS, WHO)

    def test_a_fetch_that_fails_is_audited_too(self, hub: Hub, locator: Sandbox) -> None:
        with locator.faults["nrl"].on(Fault.SERVER_ERROR):
            error_of(hub, FULL, CRISIS)
        assert events_of(hub)[-1]["outcomeDesc"] == "failure: system-failed"


class TestFailures:
    @pytest.mark.parametrize(
        ("fault", "kind"),
        [(Fault.SERVER_ERROR, SystemFailed), (Fault.STALE_TOKEN, NotPermitted), (Fault.MALFORMED, AdapterError),
         (Fault.OVERSIZED, AnswerRejected), (Fault.TRUNCATED, AnswerRejected), (Fault.TIMEOUT, TimedOut)],
    )  # fmt: skip
    def test_a_gap_is_an_error_of_the_system(
        self, hub: Hub, locator: Sandbox, fault: Fault, kind: type[AdapterError]
    ) -> None:
        with locator.faults["nrl"].on(fault):
            error = error_of(hub, FULL, CRISIS)
        assert isinstance(error, kind)
        assert error.system == "nrl"

    @pytest.mark.parametrize(
        "gives",
        [None, b"bytes", DocumentContent("text/plain", "text"), DocumentContent("text/plain", b"x" * 30_000_000)],  # type: ignore[arg-type]
    )
    def test_an_adapter_that_gives_something_else(self, hub: Hub, monkeypatch: pytest.MonkeyPatch, gives: Any) -> None:
        monkeypatch.setattr(adapter_of(hub, "nrl"), "fetch_document", lambda *_: gives, raising=False)
        assert isinstance(error_of(hub, FULL, CRISIS), AdapterError)

    @pytest.mark.parametrize("error", [ValueError("Threlkeld"), KeyError("9990000018"), SystemExit(3)])
    def test_an_adapter_that_breaks(self, hub: Hub, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
        def broken(*_: Any) -> Any:
            raise error

        monkeypatch.setattr(adapter_of(hub, "nrl"), "fetch_document", broken)
        caught = error_of(hub, FULL, CRISIS)
        assert isinstance(caught, AdapterError)
        assert (str(caught), caught.__cause__) == (f"nrl: {type(error).__name__}", None)

    def test_an_adapter_that_hangs(self, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        done = threading.Event()
        monkeypatch.setattr(adapter_of(hub, "nrl"), "fetch_document", lambda *_: done.wait(60))
        try:
            assert isinstance(error_of(hub, FULL, CRISIS, deadline=1.0), TimedOut)
        finally:
            done.set()

    def test_no_value_stands_in_any_message_or_log(
        self, hub: Hub, locator: Sandbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        told = []
        for fault in (
            Fault.SERVER_ERROR,
            Fault.WRONG_PATIENT,
            Fault.LYING_TOTAL,
            Fault.WRONG_TYPE,
            Fault.WRONG_DOCUMENT,
        ):
            with locator.faults["nrl"].on(fault):
                try:
                    told.append(repr(hub.fetch_document(FULL, CRISIS, WHO).words()))
                except MpftConnectError as error:
                    told.append(repr(error))
        everything = "\n".join(told) + caplog.text
        assert [value for value in seeded_values(person("full")) if value in everything] == []


@pytest.mark.parametrize(
    ("promised", "came", "differences"),
    [
        ({}, "text/plain", ()),
        ({}, None, ()),
        ({"content_type": "text/plain"}, "Text/Plain; charset=utf-8", ()),
        ({"content_type": "text/plain"}, "text/html", ("content-type",)),
        ({"content_type": "text/plain"}, None, ("content-type-not-stated",)),
        ({"size": 4}, "x/y", ()),
        ({"size": 5}, "x/y", ("size",)),
        ({"hash": "NysUY26pbWJnpX+oX6Ys0P8AvYs="}, "x/y", ("hash",)),
        ({"hash": "Nyoe9B2jEU1yj6Xk0M1bZwZy1pM="}, "x/y", ("hash",)),
    ],
)
def test_in_what_bytes_differ_from_what_was_promised(promised: Any, came: str | None, differences: Any) -> None:
    assert differences_of(Attachment(**promised), DocumentContent(came, b"text")) == differences


def test_a_digest_that_fits_is_no_difference() -> None:
    # FHIR R4, Attachment.hash: SHA-1, base64.
    digest = base64.b64encode(hashlib.sha1(b"text", usedforsecurity=False).digest()).decode()
    assert differences_of(Attachment(hash=digest), DocumentContent("x/y", b"text")) == ()


def test_a_file_is_written_for_the_user_alone(tmp_path: Path) -> None:
    from mpftconnect.cli.output import write_private

    out = tmp_path / "plan.pdf"
    out.write_bytes(b"before")
    out.chmod(0o644)
    write_private(out, b"\r\n\x00%PDF")
    assert out.read_bytes() == b"\r\n\x00%PDF"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def _entries_but_for_times(hub: Hub) -> list[str]:
    """The audit's entries without ids and times of their own."""
    found = []
    for event in events_of(hub):
        plain = {name: value for name, value in event.items() if name not in ("id", "recorded")}
        plain["entity"] = [e for e in plain["entity"] if "XrequestId" not in json.dumps(e)]
        found.append(json.dumps(plain, sort_keys=True))
    return found
