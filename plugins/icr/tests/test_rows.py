"""Rows of each operation as items of the model: what is mapped, what is kept, what is refused."""

from __future__ import annotations

import base64
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from mpftconnect.adapters import json_response
from mpftconnect.errors import AnswerRejected, GapReason, NotDeclared, NotPermitted
from mpftconnect.model import Quantity

from .conftest import OTHER, OURS, Bench, record

Make = Callable[..., Bench]
ROW = {"Rubric": "Asthma", "Date": "2020-01-01T00:00:00", "TenancyDescription": "A surgery"}


def kept(item: Any) -> dict[str, Any]:
    return {extra.path.partition(".")[2]: extra.value for extra in item.extra}


def test_a_repeat_medicine_of_the_published_shape(ccapi: Make) -> None:
    bench = ccapi()
    bench.server.answers["gp_repeat_medications"] = [
        {
            "Date": "2024-11-04T00:00:00",
            "ReadCode": "bxd5.",
            "Rubric": "Atorvastatin 20mg tablets",
            "Quantity": "28.0",
            "Dosage": "One tablet at night",
            "LastIssuedDate": "2025-08-11T09:30:00",
            "Units": "tablet",
            "MixtureId": "0",
            "Constituent": "No",
            "TenancyDescription": "A surgery",
        }
    ]
    (item,) = bench.read("medications").items
    assert item.source.system == "icr"
    assert item.source.id.startswith("gp_repeat_medications/")
    assert item.subject.reference == "Patient/501"
    assert item.medication.text == "Atorvastatin 20mg tablets"
    assert [(c.system, c.code) for c in item.medication.coding] == [(None, "bxd5.")]
    assert item.course.text == "Repeat"
    assert item.status is None
    assert item.dosage[0].text == "One tablet at night"
    assert (str(item.quantity.value), item.quantity.unit) == ("28.0", "tablet")
    assert (item.recorded.text, item.last_issued.text) == ("2024-11-04T00:00:00", "2025-08-11T09:30:00")
    assert item.author.organization == "A surgery"
    assert kept(item) == {"MixtureId": "0", "Constituent": "No"}


def test_an_additional_problem_of_the_published_shape(ccapi: Make) -> None:
    bench = ccapi()
    row = {**ROW, "ReadCode": "H33..", "Notes": "as a child", "Notes1": "mild"}
    bench.server.answers["gp_additional_problems"] = [row]
    (item,) = bench.read("problems").items
    assert (item.code.text, item.code.coding[0].code, item.note) == ("Asthma", "H33..", ("as a child", "mild"))
    assert (item.clinical_status, item.author.organization, item.extra) == (None, "A surgery", ())


def pathology(*investigations: Any, **more: Any) -> dict[str, Any]:
    return {
        "ResultTypeIdentifier": {"Type": "L", "Code": "UE", "Description": "Urea and electrolytes"},
        "PatientIdentifier": {"NhsNumber": "999 000 0018", "DateOfBirth": "1951-03-12", "PatientNumber": "H-1"},
        "Provider": {"Department": {"CodeDescription": "A laboratory", "Code": "ZZ221"}},
        "Report": {"DateTime": "2025-02-09T23:00:00", "Status": "Final", "TypedBy": "A typist"},
        "Specimen": {"Collected": "2025-02-09T22:10:00", "SampleId": "S-1", "InvestigationDetailsList": investigations},
    } | more


def part(**more: Any) -> dict[str, Any]:
    return {
        "Id": "i1",
        "Type": {"Code": "K", "Description": "Serum potassium"},
        "Value": "4.60",
        "Units": {"Code": "mmol/L", "Description": "mmol/L", "CodingSystem": "UCUM"},
        "ReferenceRange": "3.50 to 5.30",
        "Status": "F",
    } | more


def test_each_investigation_is_a_result_with_what_all_of_them_share(ccapi: Make) -> None:
    bench = ccapi()
    second = part(Id="i2", Type={"Description": "Serum sodium"}, Value=141)
    bench.server.answers["pathology_results"] = {"PathologyResults": [pathology(part(), second, "odd")]}
    potassium, sodium = bench.read("results").items
    assert potassium.source.id == "pathology_results/i1"
    assert potassium.value == Quantity(
        value=Decimal("4.60"), unit="mmol/L", code="mmol/L", system="http://unitsofmeasure.org"
    )
    assert (potassium.status, potassium.category[0].coding[0].code) == ("final", "laboratory")
    assert potassium.effective.text == "2025-02-09T22:10:00"
    assert potassium.issued.text == "2025-02-09T23:00:00"
    assert potassium.reference_ranges[0].text == "3.50 to 5.30"
    assert (potassium.reference_ranges[0].low, potassium.interpretation) == (None, ())
    assert potassium.performers[0].organization_code == "ZZ221"
    assert (sodium.code.text, str(sodium.value.value)) == ("Serum sodium", "141")
    for item in (potassium, sodium):
        left = kept(item)
        assert left["ResultTypeIdentifier.Description"] == "Urea and electrolytes"
        assert left["Report.TypedBy"] == "A typist"
        assert left["Specimen.SampleId"] == "S-1"
        assert left["Specimen.InvestigationDetailsList"] == ["odd"]
        assert left["PatientIdentifier.PatientNumber"] == "H-1"


def test_a_result_without_investigations_stands_for_itself(ccapi: Make) -> None:
    bench = ccapi()
    one = pathology(Report={"DateTime": "2025-02-09T23:00:00", "Status": "Final", "ReportComments": "No growth."})
    bench.server.answers["pathology_results"] = {"PathologyResults": [one]}
    (item,) = bench.read("results").items
    assert (item.code.text, item.value, item.note) == ("Urea and electrolytes", None, ("No growth.",))


@pytest.mark.parametrize("value", ["<5", "Detected", "4,6", "4.6 H", "1e5", "", "NaN"])
def test_a_value_that_is_no_plain_number_stays_text(ccapi: Make, value: str) -> None:
    bench = ccapi()
    bench.server.answers["pathology_results"] = {"PathologyResults": [pathology(part(Value=value))]}
    (item,) = bench.read("results").items
    assert item.value == (f"{value} mmol/L" if value else None)
    assert value or kept(item)["Investigation.Units.Code"] == "mmol/L"


def test_a_withdrawn_result_stays_with_its_reason(ccapi: Make) -> None:
    bench = ccapi()
    one = part(Status="Withdrawn", StatusReason="Another patient's sample")
    bench.server.answers["pathology_results"] = {"PathologyResults": [pathology(one)]}
    (item,) = bench.read("results").items
    assert (item.status, item.note) == ("entered-in-error", ("Another patient's sample",))
    assert str(item.value.value) == "4.60"
    assert kept(item)["Investigation.Status"] == "Withdrawn"
    assert kept(item)["Report.Status"] in ("Final", "final")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"PatientIdentifier": {"NhsNumber": OTHER}}, "another NHS number"),
        ({"PatientIdentifier": {"NhsNumber": OURS, "DateOfBirth": "1950-01-01T00:00:00"}}, "another date of birth"),
        ({"PatientDetailId": 999}, "a record that is not the person's"),
    ],
)
def test_a_row_about_somebody_else_is_refused_and_spoils_no_other(
    ccapi: Make, change: dict[str, Any], rule: str
) -> None:
    bench = ccapi()
    bench.server.answers["pathology_results"] = {
        "PathologyResults": [pathology(part(), **change), pathology(part(Id="i9"))]
    }
    found = bench.read("results")
    assert [(r.wrong_person, rule in r.rule, OTHER in str(r)) for r in found.refusals] == [(True, True, False)]
    assert [item.source.id for item in found.items] == ["pathology_results/i9"]


def test_documents_keep_their_content(ccapi: Make) -> None:
    bench = ccapi()
    letter = base64.b64encode(b"Dear doctor").decode()
    info = {
        "DocumentId": 44,
        "DocumentDate": "2024-03-14",
        "CreationDate": "2024-03-15T08:00:00",
        "OrganisationCode": "ZZ220",
        "TenancyDescription": "A hospital",
        "IsMedway": True,
    }
    bench.server.answers["documents"] = [
        {
            "DocumentInformation": info,
            "Type": {"Description": "Discharge letter"},
            "Title": "Discharged home",
            "Status": "Final",
            "Author": {"Name": "Dr A", "Role": "physician"},
            "ContentType": "text/plain",
            "Content": letter,
        },
        {"DocumentInformation": {"DocumentId": 45}, "Title": "Broken", "Content": "~~"},
        {"DocumentInformation": {"DocumentId": 46}},
    ]
    found = bench.read("documents")
    first, second = found.items
    assert first.source.id == "documents/44"
    assert (first.status, first.date.text, first.recorded.text) == ("current", "2024-03-14", "2024-03-15T08:00:00")
    assert (first.custodian.organization, first.custodian.organization_code) == ("A hospital", "ZZ220")
    assert (first.author.name, first.author.role) == ("Dr A", "physician")
    assert (first.attachments[0].content_type, first.attachments[0].data_base64) == ("text/plain", letter)
    assert kept(first)["DocumentInformation.IsMedway"] is True
    assert (second.attachments, kept(second)["Content"]) == ((), "~~")
    assert [refusal.rule for refusal in found.refusals] == ["does not say what it is about"]


def test_stays_bookings_alerts_and_the_rest(ccapi: Make) -> None:
    bench = ccapi()
    of = {"PatientDetailId": 501, "TenancyDescription": "A hospital"}
    site = {"Site": {"Description": "Main site", "Code": "ZZ220"}, "Specialty": {"Code": "107", "Description": "Veins"}}
    bench.server.answers["adt_episodes"] = [
        {
            **of,
            **site,
            "Id": "e1",
            "Class": "IMP",
            "Type": "Emergency admission",
            "Status": "Discharged",
            "AdmissionDate": "2024-03-11T18:05:00",
            "DischargeDate": "2024-03-14T11:30:00",
            "Consultant": "Dr A",
            "Reason": "Cellulitis",
            "Ward": "Ward 7",
        }
    ]
    bench.server.answers["adt_appointments"] = [
        {**of, **site, "Id": "a1", "Type": "Clinic", "Status": "Did not attend", "DateTime": "2025-10-02T14:00:00"}
    ]
    bench.server.answers["alerts"] = [
        {**of, "Id": "f1", "Description": "MRSA", "SnomedCode": "432415000", "Status": "Active", "Notes": "ward 7"}
    ]
    bench.server.answers["gp_allergies"] = [
        {**of, "Id": "g1", "Rubric": "No known allergies", "SnomedCode": "716186003", "Date": "2024-01-01"}
    ]
    bench.server.answers["gp_immunisations"] = [{**of, "Id": "v1", "Rubric": "Tetanus", "Status": "Not given"}]
    bench.server.answers["radiology_reports"] = [
        {**of, "Id": "r1", "Examination": {"Description": "Chest"}, "Report": {"Text": "Clear.", "Status": "Final"}}
    ]
    (stay,) = bench.read("encounters").items
    assert (stay.status, stay.encounter_class, stay.type[0].text) == ("finished", "IMP", "Emergency admission")
    assert (stay.period.start.text, stay.period.end.text) == ("2024-03-11T18:05:00", "2024-03-14T11:30:00")
    assert (stay.location[0].name, stay.location[0].organization_code) == ("Ward 7", "ZZ220")
    assert (stay.provider.organization, stay.service.text) == ("A hospital", "Veins")
    (booking,) = bench.read("appointments").items
    assert (booking.status, booking.start.text) == ("noshow", "2025-10-02T14:00:00")
    (alert,) = bench.read("alerts").items
    assert (alert.status, alert.code.coding[0].code, alert.note) == ("active", "432415000", ("ward 7",))
    (none_known,) = bench.read("allergies").items
    assert none_known.asserts_none
    (given,) = bench.read("immunisations").items
    assert given.status == "not-done"
    (chest,) = bench.read("reports").items
    assert (chest.conclusion, chest.status, chest.source.id) == ("Clear.", "final", "radiology_reports/501/r1")


@pytest.mark.parametrize(
    ("date", "read", "told"),
    [
        ("2020-01-01T00:00:00", "2020-01-01T00:00:00", False),
        ("2020-01", "2020-01", False),
        ("2020-01-01T09:30:00.1234567Z", "2020-01-01T09:30:00.1234567Z", False),
        ("0001-01-01T00:00:00", None, False),  # what .NET writes for a date that was never set
        ("01/02/2020", None, True),
        ("2020-02-30", None, True),
        (None, None, False),
        ({"Year": 2020}, None, False),
    ],
)
def test_dates_are_read_or_kept_never_guessed(ccapi: Make, date: Any, read: str | None, told: bool) -> None:
    bench = ccapi()
    bench.server.answers["gp_additional_problems"] = [{**ROW, "Date": date}]
    found = bench.read("problems")
    (item,) = found.items
    assert (item.recorded.text if item.recorded else None) == read
    assert [notice.code for notice in found.notices] == (["dates-not-read"] if told else [])
    assert "01/02" not in "".join(notice.text for notice in found.notices)
    assert read is not None or date is None or kept(item)["Date"] == date


def test_words_and_members_can_be_configured(ccapi: Make) -> None:
    bench = ccapi(
        paths={"alerts": "v9/{detail_id}/warnings"},
        collections={"alerts": "Warnings"},
        members={"alerts": {"text": "Headline", "note": ""}},
        words={"alert_status": {"On": "active"}},
    )
    bench.server.answers["/"] = []
    warning = {"Headline": "Falls", "Status": "on", "Notes": "two in May", "Description": "unused"}
    bench.server.handle = _wrapped(bench, "v9/501/warnings", {"Warnings": [warning]})
    (item,) = bench.read("alerts").items
    assert (item.code.text, item.status, item.note) == ("Falls", "active", ())
    assert kept(item) == {"Notes": "two in May", "Description": "unused", "Status": "on"}


def _wrapped(bench: Bench, path: str, answer: Any) -> Callable[[Any], Any]:
    inner = bench.server.handle

    def handle(request: Any) -> Any:
        if request.path == f"/cc/{path}":
            return json_response(answer, content_type="application/json")
        return inner(request)

    return handle


def test_what_the_subscription_lacks_is_told_and_the_other_operation_still_read(ccapi: Make) -> None:
    bench = ccapi(not_offered=["gp_problems"])
    bench.server.answers["gp_additional_problems"] = [ROW]
    found = bench.read("problems")
    assert len(found.items) == 1
    assert isinstance(found.error, NotDeclared)
    assert found.error.reason is GapReason.NOT_DECLARED
    assert not [label for label in bench.server.labels() if label.startswith("gp/problems")]


@pytest.mark.parametrize(
    ("fails", "tells"), [("gp_problems", "gp_additional_problems"), ("gp_additional_problems", "gp_problems")]
)
def test_one_operation_that_fails_costs_the_other_nothing(ccapi: Make, fails: str, tells: str) -> None:
    bench = ccapi()
    bench.server.answers[fails] = json_response({"message": "no"}, 403)
    bench.server.answers[tells] = [ROW]
    found = bench.read("problems")
    assert (len(found.items), type(found.error)) == (1, NotPermitted)


def test_one_detail_id_that_fails_costs_the_other_nothing(ccapi: Make) -> None:
    bench = ccapi()
    bench.server.records = [record(501, linked=[502]), record(502, linked=[501])]
    bench.server.answers[("gp_problems", "501")] = json_response({"message": "no"}, 404)
    bench.server.answers[("gp_problems", "502")] = [ROW]
    found = bench.read("problems")
    assert (len(found.items), type(found.error)) == (1, AnswerRejected)


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ([], None),
        ({"Alerts": None, "TotalItemCount": 0}, None),
        ({"Alerts": None}, "is not a list"),
        ({"Alerts": {}}, "is not a list"),
        ({"TotalItemCount": 0}, "is not a list"),
        ({"Alerts": [], "TotalItemCount": 2}, "as many as is stated"),
        ({"Alerts": [], "TotalItemCount": "0"}, "not a number of rows"),
        ({"Alerts": [], "TotalItemCount": True}, "not a number of rows"),
        ({"Alerts": [{"Description": "Falls"}], "TotalItemCount": 0}, "as many as is stated"),
        ({"Alerts": [{"Description": "Falls"}]}, None),
        ("Alerts", "not a JSON object"),
    ],
)
def test_an_answer_is_whole_or_says_so(ccapi: Make, answer: Any, rule: str | None) -> None:
    bench = ccapi()
    bench.server.answers["alerts"] = answer
    found = bench.read("alerts")
    assert (found.error.rule if found.error else "") == "" if rule is None else rule in str(found.error)


def test_pages_are_followed_to_the_stated_end(ccapi: Make) -> None:
    bench = ccapi(page_size=2)
    rows = [{"Description": f"Alert {n}"} for n in range(5)]

    def page(request: Any) -> Any:
        number = int(request.first("PageNumber") or 1)
        return {"Alerts": rows[(number - 1) * 2 : number * 2], "TotalItemCount": 5}

    inner = bench.server.handle

    def handle(request: Any) -> Any:
        if request.path.startswith("/cc/alerts/"):
            bench.server.asked.append(request)
            return json_response(page(request), content_type="application/json")
        return inner(request)

    bench.server.handle = handle
    found = bench.read("alerts")
    assert (len(found.items), found.error) == (5, None)
    assert [request.first("PageNumber") for request in bench.server.asked[1:]] == ["1", "2", "3"]
    assert bench.server.asked[1].first("PageSize") == "2"
    # The same page for ever is noticed, and what came stays.
    page_one = {"Alerts": rows[:2], "TotalItemCount": 5}
    bench.server.handle = _wrapped(bench, "alerts/501", page_one)
    found = bench.read("alerts")
    assert (len(found.items), "repeats" in str(found.error)) == (2, True)


def test_without_a_total_pages_end_at_the_first_short_one_and_somewhere(ccapi: Make) -> None:
    bench = ccapi(page_size=1, page_limit=3)
    number = iter(range(1000))
    inner = bench.server.handle

    def handle(request: Any) -> Any:
        if request.path.startswith("/cc/alerts/"):
            return json_response({"Alerts": [{"Description": f"{next(number)}"}]}, content_type="application/json")
        return inner(request)

    bench.server.handle = handle
    found = bench.read("alerts")
    assert (len(found.items), "more than 3 pages" in str(found.error)) == (3, True)
