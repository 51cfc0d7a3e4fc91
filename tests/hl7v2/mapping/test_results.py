"""Results: values as sent, corrections that replace, withdrawals that stay to be seen."""

from __future__ import annotations

import base64
from collections.abc import Callable
from decimal import Decimal

import pytest

from mpftconnect.hl7v2 import Mapped, Replace, Retract, Site, Upsert, applied, may_stand_over
from mpftconnect.model import (
    Concept,
    DiagnosticReport,
    Observation,
    Quantity,
    Range,
    Ratio,
    Specimen,
    When,
)

Mapper = Callable[..., Mapped]
PID = "PID|1||77^^^RRE||DOE^Jane"
_OBR = {1: "1", 2: "P1^PAS", 3: "F1^LAB", 4: "FBC^Full blood count^L", 7: "202603010800", 22: "202603011000", 25: "F"}
OBR = "OBR|" + "|".join(_OBR.get(number, "") for number in range(1, 26))


def results(mapped: Mapped) -> list[Observation]:
    return [item for item in mapped.items if isinstance(item, Observation)]


def report(mapped: Mapped) -> DiagnosticReport:
    return next(item for item in mapped.items if isinstance(item, DiagnosticReport))


def test_a_report_and_its_results(mapped: Mapper) -> None:
    result = mapped("ORU^R01", PID, "ORC|RE|P1^PAS|F1^LAB", OBR, "OBX|1|NM|HB^Haemoglobin^L||7.50|g/L|130 - 180|L|||F")
    found, (value,) = report(result), results(result)
    assert found.status == "final" and found.code.words() == "Full blood count"
    assert found.effective == When("2026-03-01T08:00") and found.issued == When("2026-03-01T10:00")
    assert value.words() == "Haemoglobin: 7.50 g/L" and value.effective == When("2026-03-01T08:00")
    assert value.reference_ranges[0].text == "130 - 180"
    assert value.interpretation[0].coding[0].code == "L"
    assert [reference.reference for reference in found.results] == [value.source.id]


def value_of(mapped: Mapped) -> object:
    return results(mapped)[0].value


@pytest.mark.parametrize(
    ("kind", "sent", "units", "expected"),
    [
        ("NM", "7.50", "g/L", Quantity(value=Decimal("7.50"), unit="g/L")),
        ("NM", "7.0", "mmol/L^^UCUM", Quantity(value=Decimal("7.0"), unit="mmol/L", code="mmol/L",
                                                  system="http://unitsofmeasure.org")),
        ("NM", "<5", "g/L", "<5"),
        ("NM", "1e5", "", "1e5"),
        ("SN", "<^5", "g/L", Quantity(value=Decimal("5"), comparator="<", unit="g/L")),
        ("SN", "^1^-^2", "", Range(low=Quantity(value=Decimal("1")), high=Quantity(value=Decimal("2")))),
        ("SN", "^1^:^128", "", Ratio(numerator=Quantity(value=1), denominator=Quantity(value=128))),
        ("ST", "Not seen", "", "Not seen"),
        ("DT", "202603", "", When("2026-03")),
        ("TS", "202603010915+0000", "", When("2026-03-01T09:15+00:00")),
        ("TS", "soon", "", "soon"),
        ("XX", "what^ever", "", "what ever"),
    ],
)  # fmt: skip
def test_values_by_type(mapped: Mapper, kind: str, sent: str, units: str, expected: object) -> None:
    result = mapped("ORU^R01", PID, OBR, f"OBX|1|{kind}|X^Test^L||{sent}|{units}|||||F")
    assert value_of(result) == expected
    assert result.ledger.lost == ()


def test_a_coded_value(mapped: Mapper) -> None:
    value = value_of(mapped("ORU^R01", PID, OBR, "OBX|1|CWE|X^Test^L||112144000^Blood group A^SCT^A^Group A^L||||||F"))
    assert isinstance(value, Concept) and value.has("http://snomed.info/sct", "112144000")
    assert value.coding[1].system == "https://mpftconnect.example/hl7v2/code-system/L"


def test_a_local_code_system_of_the_site(mapped: Mapper) -> None:
    site = Site(code_systems={"L": "https://rre.example/tests"})
    found = mapped("ORU^R01", PID, OBR, "OBX|1|ST|HB^Haemoglobin^L||x||||||F", site=site)
    assert results(found)[0].code.coding[0].system == "https://rre.example/tests"
    assert found.ledger.lost == ()


def test_the_lines_of_a_text_are_one_result(mapped: Mapper) -> None:
    lines = [
        f"OBX|{n}|TX|REP^Report^L|{n}|{text}||||||F" for n, text in enumerate(("Chest clear.", "", "No change."), 1)
    ]
    result = mapped("ORU^R01", PID, OBR, *lines)
    assert value_of(result) == "Chest clear.\n\nNo change." and len(results(result)) == 1
    assert result.ledger.lost == ()


def test_repeated_codes_are_results_of_their_own(mapped: Mapper) -> None:
    lines = [f"OBX|{n}|NM|HB^Hb^L|{n}|{n}.0|g/L|||||F" for n in (1, 2)]
    result = mapped("ORU^R01", PID, OBR, *lines, "OBX|3|NM|HB^Hb^L|2|9.0|g/L|||||F")
    keys = [change.key for change in result.changes if isinstance(change, Replace)]
    assert len(set(keys)) == 3


def test_comments_stand_beside_their_result(mapped: Mapper) -> None:
    result = mapped(
        "ORU^R01", PID, OBR, "NTE|1||About the report", "OBX|1|NM|HB^Hb^L||7|g/L|||||F", "NTE|1||Clotted~Repeat"
    )
    assert report(result).note == ("About the report",) and results(result)[0].note == ("Clotted", "Repeat")


def test_a_flag_of_an_earlier_result_does_not_stay_beside_a_later_value(mapped: Mapper) -> None:
    changes = [
        next(change for change in one.changes if isinstance(change, Replace))
        for one in (
            mapped("ORU^R01", PID, OBR, "OBX|1|NM|K^Potassium^L||7.1|mmol/L|3.5-5.3|HH|||P"),
            mapped("ORU^R01", PID, OBR, "OBX|1|NM|K^Potassium^L||4.1|mmol/L|||||C"),
        )
    ]
    assert changes[0].key == changes[1].key
    after = applied(changes[0].item, changes[1])
    assert isinstance(after, Observation) and after.status == "corrected" and after.interpretation == ()


@pytest.mark.parametrize(
    ("letter", "status", "words"), [("D", "Entered in error", "deleted"), ("W", "Entered in error", "wrong"),
                                    ("X", "Cancelled", "could not obtain")]
)  # fmt: skip
def test_a_withdrawn_result_stays_and_says_why(mapped: Mapper, letter: str, status: str, words: str) -> None:
    first = next(
        change
        for change in mapped("ORU^R01", PID, OBR, "OBX|1|NM|K^Potassium^L||7.1|mmol/L|||||F").changes
        if isinstance(change, Replace)
    )
    gone = next(
        change
        for change in mapped("ORU^R01", PID, OBR, f"OBX|1|NM|K^Potassium^L||||||||{letter}").changes
        if isinstance(change, Retract)
    )
    assert gone.key == first.key and gone.code == f"OBX-11 {letter}"
    after = applied(first.item, gone)
    assert isinstance(after, Observation) and after.withdrawn is not None
    assert after.withdrawn.startswith(status) and words in after.withdrawn
    assert after.value == Quantity(value=Decimal("7.1"), unit="mmol/L"), "what was withdrawn is still to be seen"


def test_a_late_repeat_does_not_bring_a_withdrawn_result_back(mapped: Mapper) -> None:
    line = "OBX|1|NM|K^Potassium^L||7.1|mmol/L|||||F"
    early = mapped("ORU^R01", PID, OBR, line).changes[-1].stated
    gone = mapped("ORU^R01", PID, OBR.replace("202603011000", "202603011100"), line).changes[-1].stated
    # The same content in a message that was made anew has a later MSH-7 and the old OBR-22.
    late = mapped("ORU^R01", PID, OBR, line, sent="20260302").changes[-1].stated
    assert not may_stand_over(early, gone, standing_withdrawn=True)
    assert not may_stand_over(late, gone, standing_withdrawn=True)
    # Without OBR-22 nothing tells old content from new, so it does not bring it back either.
    bare = mapped("ORU^R01", PID, "OBR|1|P1|F1^LAB|FBC", line, sent="20260303").changes[-1].stated
    assert not may_stand_over(bare, gone, standing_withdrawn=True)


def test_a_cancelled_report(mapped: Mapper) -> None:
    result = mapped("ORU^R01", PID, OBR[:-1] + "X")
    change = next(change for change in result.changes if isinstance(change, Retract))
    assert change.code == "OBR-25 X" and change.item.withdrawn is not None


def test_a_report_adds_to_its_results(mapped: Mapper) -> None:
    first, second = (
        next(
            change
            for change in mapped("ORU^R01", PID, OBR, f"OBX|1|NM|{code}^{code}^L||7|g/L|||||F").changes
            if isinstance(change.item, DiagnosticReport)  # type: ignore[union-attr]
        )
        for code in ("HB", "WBC")
    )
    assert isinstance(first, Upsert) and isinstance(second, Upsert) and first.key == second.key
    after = applied(first.item, second)
    assert isinstance(after, DiagnosticReport) and len(after.results) == 2


def test_tests_of_one_order_number_are_told_apart_by_what_they_are(mapped: Mapper) -> None:
    result = mapped("ORU^R01", PID, OBR, "OBX|1|ST|A||x||||||F", OBR.replace("FBC", "UE"), "OBX|1|ST|A||y||||||F")
    keys = [change.key.text for change in result.changes if hasattr(change, "key")]
    assert len(keys) == len(set(keys)) == 5


def test_a_document_inside_a_report(mapped: Mapper) -> None:
    pdf = base64.b64encode(b"%PDF-1.4 made up").decode()
    result = mapped("ORU^R01", PID, OBR, f"OBX|1|ED|PDF^Report^L||LAB^Application^PDF^Base64^{pdf}||||||F")
    (attachment,) = report(result).attachments
    assert (attachment.content_type, attachment.data_base64, attachment.title) == ("application/pdf", pdf, "Report")
    assert results(result) == [] and result.ledger.lost == ()


def test_a_document_that_is_too_large_is_dropped_and_the_ledger_says_so(mapped: Mapper) -> None:
    site = Site(max_document=10)
    result = mapped("ORU^R01", PID, OBR, f"OBX|1|ED|PDF^Report^L||LAB^Application^PDF^Base64^{'QUJD' * 100}", site=site)
    assert report(result).attachments == ()
    assert [(entry.location, entry.outcome, entry.why) for entry in result.ledger.lost] == [
        ("OBX-5.5", "dropped", "document-too-large")
    ]


def test_what_is_not_base64_is_no_attachment(mapped: Mapper) -> None:
    result = mapped("ORU^R01", PID, OBR, "OBX|1|ED|PDF^Report^L||LAB^Application^PDF^Base64^not*base64!")
    assert report(result).attachments == () and result.ledger.lost == ()


def test_specimens(mapped: Mapper) -> None:
    result = mapped(
        "ORU^R01", PID, OBR, "OBX|1|ST|A||x||||||F", "SPM|1|S1^PAS||BLD^Blood^HL70487" + "|" * 13 + "202603010800"
    )
    specimen = next(item for item in result.items if isinstance(item, Specimen))
    assert specimen.words() == "Blood, collected 1 March 2026, 08:00"
    assert results(result)[0].specimen is not None


def test_a_result_message_without_results_is_parked(mapped: Mapper) -> None:
    assert [parked.code for parked in mapped("ORU^R01", PID).parked] == ["no-result"]


def test_what_a_result_has_no_place_for_is_kept_with_it(mapped: Mapper) -> None:
    result = mapped("ORU^R01", PID, OBR, "OBX|1|ST|A^A^L||x||||||F|||||||EQ9", "OBX|2|ST|B^B^L||y||||||F")
    first, second = results(result)
    assert {extra.path: extra.value for extra in first.extra} == {"OBX-1": "1", "OBX-2": "ST", "OBX-18": "EQ9"}
    assert {extra.path for extra in second.extra} == {"OBX[2]-1", "OBX[2]-2"}


def test_an_assumed_zone_is_counted_and_a_stated_offset_is_not(mapped: Mapper) -> None:
    line = "OBX|1|ST|A^A^L||x||||||F|||"
    assumed, stated = (mapped("ORU^R01", PID, OBR, line + at) for at in ("202603010915", "202603010915+0000"))
    outcomes = [next(e for e in one.ledger if e.location == "OBX-14") for one in (assumed, stated)]
    assert [(entry.outcome, entry.why) for entry in outcomes] == [("defaulted", "time-zone"), ("mapped", "")]


def test_a_withdrawal_finds_a_result_that_was_sent_by_another_of_its_numbers(mapped: Mapper) -> None:
    line = "OBX|1|NM|K^Potassium^L||7.1|mmol/L|||||"
    first = mapped("ORU^R01", PID, OBR.replace("F1^LAB", ""), line + "F").changes
    gone = mapped("ORU^R01", PID, OBR, line + "W").changes
    for kind in (Observation, DiagnosticReport):
        one, other = (
            next(change for change in changes if isinstance(getattr(change, "item", None), kind))
            for changes in (first, gone)
        )
        assert isinstance(one, Upsert | Replace) and isinstance(other, Upsert | Retract)
        assert one.key != other.key and one.key in other.aliases


def test_a_report_names_the_order_that_it_answers(mapped: Mapper) -> None:
    order = mapped("ORM^O01", PID, "ORC|NW|P1^PAS", "OBR|1|P1^PAS||FBC").changes[-1]
    answer = report(mapped("ORU^R01", PID, OBR, "OBX|1|ST|A||x||||||F"))
    assert isinstance(order, Upsert) and [one.reference for one in answer.based_on] == [order.item.source.id]
