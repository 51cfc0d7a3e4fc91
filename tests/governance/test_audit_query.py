"""Reading the audit is controlled and audited, and the privacy officer's stream leaves no trace outside itself."""

from __future__ import annotations

import shutil

import pytest

from mpftconnect.errors import AccessRefused, AuditUnavailable, UsageError
from mpftconnect.events import Code
from mpftconnect.governance.audit import Shown, Withholding
from mpftconnect.governance.audit_event import withheld_in
from mpftconnect.governance.audit_query import AUDIT_ROLES, read_affected, read_audit


@pytest.fixture
def officer(audit_who):
    return audit_who.model_copy(update={"user": "p.officer", "role": "privacy-officer", "relationship": "none"})


def kinds(trail):
    return [entry.event["type"]["code"] for entry in trail.entries()]


def test_a_privacy_officer_reads_and_that_is_the_last_entry_of_what_they_read(audit_place, audit_record, officer):
    trail = audit_place.trail()
    trail.append(audit_record())
    entries = list(read_audit(trail, officer, patient="9990000018"))
    assert [entry.seq for entry in entries] == [1, 2]
    assert entries[1].event["type"]["code"] == "110101"
    assert entries[1].event["agent"][0]["who"]["identifier"]["value"] == "p.officer"
    assert trail.verify().ok


def test_that_they_looked_is_written_before_they_see_anything(audit_place, audit_record, officer):
    trail = audit_place.trail()
    trail.append(audit_record())
    read_audit(trail, officer)
    assert kinds(trail) == ["rest", "110101"]


def test_anybody_else_is_refused_and_that_is_written_too(audit_place, audit_record, audit_who):
    trail = audit_place.trail()
    trail.append(audit_record())
    with pytest.raises(AccessRefused) as caught:
        read_audit(trail, audit_who)
    assert caught.value.code == "audit-role"
    with pytest.raises(AccessRefused):
        read_affected(trail, audit_who, source="rio")
    assert kinds(trail) == ["rest", "110113", "110113"]
    assert [entry.event["outcomeDesc"] for entry in trail.entries()][1:] == ["refused: audit-role"] * 2


def test_the_roles_that_may_are_configured(audit_place, audit_who, officer):
    assert sorted(AUDIT_ROLES) == ["privacy-officer"]
    trail = audit_place.trail()
    assert len(list(read_audit(trail, audit_who, roles={"community-nurse"}))) == 1
    with pytest.raises(AccessRefused, match="community-nurse"):
        read_audit(trail, officer, roles={"community-nurse"})


def test_nothing_is_read_if_it_cannot_be_written_that_it_was(audit_place, audit_record, officer):
    trail = audit_place.trail()
    trail.append(audit_record())
    shutil.rmtree(audit_place.store.parent)
    audit_place.store.parent.write_text("in the way")
    audit_place.sink.mkdir(parents=True)
    with pytest.raises(AuditUnavailable):
        read_audit(trail, officer)


def test_who_was_shown_an_item_is_read_under_the_same_control(audit_place, audit_record, officer):
    trail = audit_place.trail()
    trail.append(audit_record())
    trail.append(audit_record(1))
    found = read_affected(
        trail, officer, source="rio", item="AllergyIntolerance/7", since=audit_record(1).at, until=audit_record(2).at
    )
    assert [(a.seq, a.user) for a in found] == [(2, "jane.doe")]
    assert kinds(trail) == ["rest", "rest", "110101"]


WITHHELD = (Withholding("gum-clinic", "Condition/secret-17", "sexual-health-exclusion", "problems"),)


def everything_written(place):
    return b"".join(
        path.read_bytes() for path in place.root.rglob("*") if path.is_file() and "privacy" not in str(path)
    )


def test_what_a_silent_policy_kept_back_is_in_the_privacy_stream_alone(audit_place, audit_record):
    trail, privacy = audit_place.trail(), audit_place.privacy()
    trail.append(audit_record())
    before = everything_written(audit_place)
    assert privacy.record_withheld(audit_record(), WITHHELD) == 1
    (entry,) = privacy.entries()
    assert tuple(withheld_in(entry.event)) == WITHHELD
    assert everything_written(audit_place) == before
    for value in (b"gum-clinic", b"secret-17", b"sexual-health"):
        assert value not in before
    assert privacy.verify().ok


def test_a_read_from_which_nothing_was_kept_back_is_written_to_the_privacy_stream_as_well(audit_place, audit_record):
    privacy = audit_place.privacy()
    privacy.record_withheld(audit_record(), ())
    privacy.record_withheld(audit_record(1), WITHHELD)
    assert [len(list(withheld_in(entry.event))) for entry in privacy.entries()] == [0, 1]


def test_the_privacy_stream_announces_nothing(audit_place, audit_record):
    privacy = audit_place.privacy()
    privacy.record_withheld(audit_record(), WITHHELD)
    privacy.append(audit_record(action="break-glass"))
    assert audit_place.seen == []


def test_the_privacy_stream_still_raises_alarms(audit_place, audit_record):
    privacy = audit_place.privacy()
    (audit_place.root / "privacy" / "store" / "audit.db").mkdir(parents=True)
    assert privacy.record_withheld(audit_record(), WITHHELD) == -1
    (event,) = audit_place.seen
    assert (event.code, event.step, event.reason) == (Code.AUDIT_FALLBACK, "privacy", "store-unreachable")
    assert "gum" not in repr(event)


def test_breaking_the_glass_is_for_the_privacy_stream_alone(audit_place, audit_record):
    trail, privacy = audit_place.trail(), audit_place.privacy()
    with pytest.raises(UsageError, match="privacy officer"):
        trail.append(audit_record(action="break-glass"))
    assert list(trail.entries()) == []
    assert privacy.append(audit_record(action="break-glass")) == 1


def test_a_read_under_break_glass_is_an_ordinary_entry_that_says_so(audit_place, audit_record, audit_who):
    trail = audit_place.trail()
    trail.append(audit_record(who=audit_who.model_copy(update={"relationship": "break-glass"}), verified_by=None))
    (entry,) = trail.entries()
    said = {(d["type"], d["valueString"]) for e in entry.event["entity"] for d in e.get("detail", ())}
    assert {("relationship", "break-glass"), ("relationship-status", "asserted")} <= said


def test_what_was_withheld_is_not_counted_as_shown(audit_place, audit_record):
    privacy = audit_place.privacy()
    privacy.record_withheld(audit_record(shown=(Shown("rio", ("a",)),)), WITHHELD)
    assert privacy.affected(source="gum-clinic") == []
    assert [a.items for a in privacy.affected(source="rio")] == [("a",)]


def test_reading_the_privacy_stream_is_written_to_it_and_not_to_the_ordinary_trail(audit_place, audit_record, officer):
    trail, privacy = audit_place.trail(), audit_place.privacy()
    trail.append(audit_record())
    privacy.record_withheld(audit_record(), WITHHELD)
    assert len(list(read_audit(privacy, officer))) == 2
    assert kinds(trail) == ["rest"]
