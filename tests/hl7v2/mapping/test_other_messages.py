"""Documents, bookings, orders, referrals, vaccinations, merges."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from mpftconnect.hl7v2 import Link, Mapped, MergePerson, Move, Replace, Retract, Site, Unlink, Upsert, applied
from mpftconnect.model import (
    Appointment,
    DocumentReference,
    Flag,
    Immunization,
    Item,
    MedicationStatement,
    Observation,
    ServiceRequest,
)

Mapper = Callable[..., Mapped]
PID = "PID|1||77^^^RRE||DOE^Jane"


def last(mapped: Mapped) -> Upsert | Replace | Retract:
    change = mapped.changes[-1]
    assert isinstance(change, Upsert | Replace | Retract)
    return change


# --- documents -------------------------------------------------------------------------------------------------

TXA = "TXA|1|CL^Clinic letter^L|TEXT|202603011000|C1^Patel^Sam|202603010900|||C1^Patel^Sam|||D1^RRE|||||AU||AV"


def test_a_letter_of_lines_of_text(mapped: Mapper) -> None:
    result = mapped("MDM^T02", PID, TXA, "OBX|1|TX|L^Letter||Dear Dr Who", "OBX|2|TX|L^Letter||seen in clinic")
    found = last(result).item
    assert isinstance(found, DocumentReference) and found.status == "current" and found.doc_status == "final"
    (attachment,) = found.attachments
    assert attachment.content_type == "text/plain; charset=utf-8"
    assert base64.b64decode(attachment.data_base64 or "").decode() == "Dear Dr Who\nseen in clinic"
    assert found.author is not None and found.author.name == "Sam Patel" and result.ledger.lost == ()


def test_an_edited_document_replaces_the_whole(mapped: Mapper) -> None:
    first = last(mapped("MDM^T02", PID, TXA, "OBX|1|TX|L||one"))
    edited = last(mapped("MDM^T08", PID, TXA, "OBX|1|TX|L||two"))
    assert isinstance(edited, Replace) and edited.key == first.key
    after = applied(first.item, edited)
    assert isinstance(after, DocumentReference) and len(after.attachments) == 1


def test_a_change_of_status_keeps_the_rest(mapped: Mapper) -> None:
    first = last(mapped("MDM^T02", PID, TXA.replace("AU", "IP"), "OBX|1|TX|L||one"))
    change = last(mapped("MDM^T04", PID, TXA))
    after = applied(first.item, change)
    assert isinstance(after, DocumentReference) and after.doc_status == "final" and after.attachments


def test_a_cancelled_document_stays_as_withdrawn(mapped: Mapper) -> None:
    first = last(mapped("MDM^T02", PID, TXA, "OBX|1|TX|L||one"))
    gone = last(mapped("MDM^T11", PID, TXA))
    assert isinstance(gone, Retract) and gone.key == first.key
    assert applied(first.item, gone).withdrawn == "Entered in error"


def test_a_replacement_supersedes_its_parent(mapped: Mapper) -> None:
    first = last(mapped("MDM^T02", PID, TXA, "OBX|1|TX|L||one"))
    result = mapped("MDM^T10", PID, TXA.replace("|D1^RRE|", "|D2^RRE|D1^RRE"), "OBX|1|TX|L||two")
    parent = last(result)
    assert parent.key == first.key and isinstance(parent, Upsert)
    after = applied(first.item, parent)
    assert isinstance(after, DocumentReference) and after.status == "superseded" and after.attachments


def test_a_document_without_a_number_is_parked(mapped: Mapper) -> None:
    assert [one.code for one in mapped("MDM^T02", PID, "TXA|1|CL").parked] == ["no-document-number"]


# --- bookings --------------------------------------------------------------------------------------------------

SCH = "SCH|P1^PAS|F1^PAS|||||FU^Follow up^L|OPA^Outpatient^L|30|MIN|^^^202603051000^202603051030" + "|" * 14


def test_a_booking_and_its_life(mapped: Mapper) -> None:
    rows = (
        "RGS|1",
        "AIS|1|A|CARD^Cardiology^L|202603051000",
        "AIL|1|A|OPD^R1",
        "AIP|1|A|C1^Patel^Sam|CON^Consultant^L",
    )
    booked = last(mapped("SIU^S12", SCH, PID, *rows))
    found = booked.item
    assert isinstance(found, Appointment) and found.status == "booked" and found.minutes == 30
    assert found.start is not None and found.start.text == "2026-03-05T10:00"
    assert found.location[0].name == "OPD, R1" and found.participants[0].actor.name == "Sam Patel"
    moved = last(mapped("SIU^S13", SCH.replace("20260305", "20260306"), PID))
    after = applied(found, moved)
    assert isinstance(after, Appointment) and after.start is not None and after.start.text == "2026-03-06T10:00"
    assert after.location, "what a rescheduling does not state stays"
    missed = last(mapped("SIU^S26", SCH, PID))
    assert isinstance(missed, Upsert) and isinstance(missed.item, Appointment) and missed.item.status == "noshow"


@pytest.mark.parametrize("status", ["", "Booked"])
def test_a_cancellation_is_never_shown_as_booked(mapped: Mapper, status: str) -> None:
    result = mapped("SIU^S15", SCH.replace("|||||FU", "||||ILL^Patient ill^L|FU") + status, PID)
    gone = last(result)
    assert isinstance(gone, Retract) and gone.item.withdrawn == "Cancelled: Patient ill"
    assert result.ledger.lost == ()


# --- orders and referrals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ORM^O01", "OML^O21"])
def test_an_order_and_its_cancellation(mapped: Mapper, kind: str) -> None:
    rows = ("OBR|1|P1^PAS||FBC^Full blood count^L|R", "NTE|1||Fasting", "OBX|1|ST|DIET^Diet^L||none||||||F")
    result = mapped(kind, PID, "ORC|NW|P1^PAS|||||||202603010800|||C1^Patel^Sam", *rows)
    placed = next(change for change in result.changes if isinstance(change.item, ServiceRequest))  # type: ignore[union-attr]
    found = placed.item  # type: ignore[union-attr]
    assert isinstance(found, ServiceRequest) and found.status == "active" and found.priority == "routine"
    assert found.note == ("Fasting",) and found.author is not None and found.author.name == "Sam Patel"
    assert any(isinstance(item, Observation) for item in result.items)
    gone = last(mapped(kind, PID, "ORC|CA|P1^PAS", "OBR|1|P1^PAS||FBC^Full blood count^L"))
    assert isinstance(gone, Retract) and gone.code == "ORC-1 CA"
    assert gone.key == placed.key and gone.item.withdrawn == "Revoked"  # type: ignore[union-attr]


def test_an_order_for_a_medicine(mapped: Mapper) -> None:
    found = last(mapped("ORM^O01", PID, "ORC|NW|P1^PAS", "RXO|AMOX^Amoxicillin^L")).item
    assert isinstance(found, MedicationStatement) and found.kind == "request"
    assert found.medication.words() == "Amoxicillin"


def test_orders_of_one_number_do_not_overwrite_each_other(mapped: Mapper) -> None:
    result = mapped("OML^O21", PID, "ORC|NW|P1^PAS", "OBR|1|P1^PAS||FBC", "OBR|2|P1^PAS||UE")
    keys = {change.key for change in result.changes if isinstance(change, Upsert)}
    assert len(keys) == 3


RF1 = "RF1|A^Accepted|R|CARD^Cardiology^L||OP^Outpatient^L|R1^RRE|202603010800|||REV^Review^L"


def test_a_referral_and_its_cancellation(mapped: Mapper) -> None:
    rows = ("PRD|RP^Referring|Patel^Sam^^^Dr|||||G999^GMP", "PRD|RT^Referred to|Owens^Beth^^^Dr")
    sent = last(mapped("REF^I12", RF1, *rows, PID))
    found = sent.item
    assert isinstance(found, ServiceRequest) and found.status == "active" and found.code is not None
    assert found.author is not None and found.author.name == "Dr Sam Patel"
    assert [actor.name for actor in found.performers] == ["Dr Beth Owens"]
    gone = last(mapped("REF^I14", RF1, PID))
    assert isinstance(gone, Retract) and gone.key == sent.key and gone.item.withdrawn == "Revoked"


# --- vaccinations ----------------------------------------------------------------------------------------------

RXA = "RXA|0|1|20260301||207^Moderna COVID-19^CVX|0.5|mL^^UCUM||||^^^Site A||||LOT1|202612|MOD^Moderna^MVX|||CP|A"


def test_a_vaccination_and_its_deletion(mapped: Mapper) -> None:
    given = last(mapped("VXU^V04", PID, "ORC|RE||V1^RRE", RXA, "RXR|IM^Intramuscular^L|LA^Left arm^L"))
    found = given.item
    assert isinstance(found, Immunization) and found.status == "completed" and found.lot_number == "LOT1"
    assert found.dose is not None and found.dose.words() == "0.5 mL" and found.location is not None
    gone = last(mapped("VXU^V04", PID, "ORC|RE||V1^RRE", RXA[:-1] + "D"))
    assert isinstance(gone, Retract) and gone.key == given.key and gone.item.withdrawn == "Entered in error"


def test_an_unknown_amount_is_no_amount(mapped: Mapper) -> None:
    found = last(mapped("VXU^V04", PID, RXA.replace("|0.5|", "|999|"))).item
    assert isinstance(found, Immunization) and found.dose is None


# --- merges ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "kind"),
    [("A34", "merge"), ("A40", "merge"), ("A43", "move-identifier"), ("A47", "change-identifier")],
)
def test_a_merge_is_a_link_that_names_both(mapped: Mapper, event: str, kind: str) -> None:
    result = mapped(f"ADT^{event}", "EVN||202603010900", PID, "MRG|88^^^RRE")
    (change,) = [one for one in result.changes if isinstance(one, MergePerson)]
    assert change.kind == kind and change.survivor == change.subject
    assert [known.value for known in change.retired.identifiers] == ["88"]
    mention = result.changes[-1] if not isinstance(result.changes[-1], MergePerson) else result.changes[0]
    assert isinstance(mention, Upsert) and mention.mentions, "a merge updates nobody's details"
    again = mapped(f"ADT^{event}", "EVN||202603010900", PID, "MRG|88^^^RRE", control="C2")
    assert change.id in {one.id for one in again.changes if isinstance(one, MergePerson)}
    assert result.ledger.lost == ()


def test_several_merges_in_one_message(mapped: Mapper) -> None:
    result = mapped("ADT^A40", PID, "MRG|88^^^RRE", "PID|2||99^^^RRE||ROE", "MRG|98^^^RRE")
    merges = [change for change in result.changes if isinstance(change, MergePerson)]
    assert [(one.survivor.identifiers[0].value, one.retired.identifiers[0].value) for one in merges] == [
        ("77", "88"),
        ("99", "98"),
    ]


def test_a_merge_without_or_with_the_same_number_is_parked(mapped: Mapper) -> None:
    assert [one.code for one in mapped("ADT^A40", PID).parked] == ["no-merge-identifier"]
    assert [one.code for one in mapped("ADT^A40", PID, "MRG|77^^^RRE").parked] == ["merge-into-itself"]


def test_a_visit_and_an_account_that_were_somebody_elses(mapped: Mapper) -> None:
    result = mapped("ADT^A45", PID, "MRG|88^^^RRE||||V1^^^RRE", "PV1||I" + "|" * 17 + "V1^^^RRE")
    (moved,) = [change for change in result.changes if isinstance(change, Move)]
    assert (moved.kind, moved.keys[0].value, moved.from_.identifiers[0].value) == ("visit", "V1", "88")
    result = mapped("ADT^A44", PID, "MRG|88^^^RRE||A1^^^RRE")
    (moved,) = [change for change in result.changes if isinstance(change, Move)]
    assert (moved.kind, moved.keys[0].value) == ("account", "A1") and result.ledger.lost == ()


def test_a_link_is_no_merge_and_its_end_no_unmerge(mapped: Mapper) -> None:
    child = "PID|2||99^^^RRE||DOE^Baby"
    linked, ended = mapped("ADT^A24", PID, child), mapped("ADT^A37", PID, child, sent="20260401")
    (link,) = [change for change in linked.changes if isinstance(change, Link)]
    (unlink,) = [change for change in ended.changes if isinstance(change, Unlink)]
    assert link.id == unlink.id and not any(isinstance(change, MergePerson) for change in linked.changes)
    assert [one.code for one in mapped("ADT^A24", PID).parked] == ["not-two-patients"]


# --- sites -----------------------------------------------------------------------------------------------------


def test_z_segments_are_kept_and_may_become_part_of_an_item(mapped: Mapper) -> None:
    rows = (PID, "PV1||I" + "|" * 17 + "V1^^^RRE", "ZPV|1|Lives alone|Falls risk")
    kept: list[Item] = list(mapped("ADT^A01", *rows).items)
    assert "Lives alone" in [extra.value for item in kept for extra in item.extra]
    site = Site(fields={"ZPV-2": "Encounter.note", "ZPV-3": "Flag"})
    result = mapped("ADT^A01", *rows, site=site)
    encounter, flag = (next(i for i in result.items if type(i).__name__ == name) for name in ("Encounter", "Flag"))
    assert getattr(encounter, "note") == ("Lives alone",)  # noqa: B009 - of a type that is found by name
    assert isinstance(flag, Flag) and flag.words() == "Falls risk" and result.ledger.lost == ()
