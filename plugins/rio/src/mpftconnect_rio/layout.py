"""What each report extract holds: our fields, the headings that we assume, and which of them must be there.

No specification of RiO's reports is public, and trusts write their own. Every heading here is therefore a default
that a configuration overrides: `columns = {nhs_number = "NHS Number"}`; `""` says that the report has no such column.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LAYOUTS", "LINE_TYPES", "Layout"]


@dataclass(frozen=True, slots=True)
class Layout:
    """One extract.

    Args:
        key: The field whose value names a row for ever: with the extract's name it makes the source id.
        columns: Heading assumed for each field; empty where the column is not expected unless configured.
        required: Fields whose columns cannot be switched off, besides the key.
        values: The report's words for a coded field, in small letters, and FHIR's; any other word stays as it came.
    """

    key: str
    columns: Mapping[str, str]
    required: tuple[str, ...] = ()
    values: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))


_PERSON = {"client_id": "Client ID", "nhs_number": "NHS No"}
_TEAM = {"team_code": "Team Code", "team_name": "Team"}
_STAFF = {"staff_code": "HCP Code", "staff_name": "HCP Name", "staff_role": "HCP Role"}
_GENDER = {"m": "male", "f": "female", "male": "male", "female": "female", "other": "other", "unknown": "unknown"}
_YES_NO = {"yes": "yes", "y": "yes", "true": "yes", "1": "yes", "no": "no", "n": "no", "false": "no", "0": "no"}

# Kinds of line of a care plan report, in small letters -> where the line goes. The kinds on the right are those of the
# PRSB Personalised Care and Support Plan standard v2.0 (DAPB4022), as the common model names them.
LINE_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "about me": "about_me",
        "strength": "strengths",
        "need": "needs",
        "problem": "needs",
        "goal": "goals",
        "action": "actions",
        "intervention": "actions",
        "formulation": "formulation",
        "additional plan": "additional_plans",
        "crisis: trigger": "crisis.triggers",
        "crisis: early sign": "crisis.early_signs",
        "crisis: what to do": "crisis.what_to_do",
        "crisis: what not to do": "crisis.what_not_to_do",
        "crisis: whom to call": "crisis.whom_to_call",
        "crisis: other": "crisis.other",
        "contingency: trigger": "contingency.triggers",
        "contingency: early sign": "contingency.early_signs",
        "contingency: what to do": "contingency.what_to_do",
        "contingency: what not to do": "contingency.what_not_to_do",
        "contingency: whom to call": "contingency.whom_to_call",
        "contingency: other": "contingency.other",
    }
)

LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "client_index": Layout(
            key="client_id",
            columns={
                **_PERSON,
                "nhs_number_status": "NHS No Status",
                "title": "Title",
                "given_names": "Forenames",
                "family_name": "Surname",
                "known_as": "Known As",
                "previous_family_name": "Previous Surname",
                "birth_date": "Date of Birth",
                "death_date": "Date of Death",
                "gender": "Gender",
                "address_line_1": "Address Line 1",
                "address_line_2": "Address Line 2",
                "address_line_3": "Address Line 3",
                "town": "Town",
                "postcode": "Postcode",
                "home_phone": "Home Telephone",
                "mobile_phone": "Mobile Telephone",
                "email": "Email",
                "gp_name": "GP Name",
                "gp_practice_code": "GP Practice Code",
                "gp_practice_name": "GP Practice",
                "ethnic_category": "Ethnicity",
                "language": "First Language",
                "interpreter": "Interpreter Required",
                "reasonable_adjustments": "Reasonable Adjustments",
            },
            required=("nhs_number", "family_name", "birth_date"),
            values={"gender": _GENDER, "interpreter": _YES_NO},
        ),
        "caseload": Layout(
            key="referral_id",
            columns={
                "referral_id": "Referral ID",
                **_PERSON,
                **_TEAM,
                **_STAFF,
                "referred": "Referral Date",
                "discharged": "Discharge Date",
                "status": "Referral Status",
                "priority": "Urgency",
                "reason": "Referral Reason",
                "referrer": "Referrer",
            },
            required=("team_code", "discharged", "status"),
            values={"status": {"open": "active", "closed": "completed"}},
        ),
        "contacts": Layout(
            key="contact_id",
            columns={
                "contact_id": "Contact ID",
                **_PERSON,
                **_TEAM,
                **_STAFF,
                "start": "Contact Date",
                "end": "Contact End",
                "type": "Contact Type",
                "medium": "Contact Medium",
                "outcome": "Contact Outcome",
                "reason": "Contact Reason",
                "location": "Location",
                "referral_id": "Referral ID",
            },
            required=("start",),
            values={"outcome": {"attended": "finished"}},
        ),
        "progress_notes": Layout(
            key="note_id",
            columns={
                "note_id": "Note ID",
                **_PERSON,
                **_TEAM,
                **_STAFF,
                "date": "Note Date",
                "entered": "Entered Date",
                "type": "Note Type",
                "validated": "Validated",
                "contact_id": "Contact ID",
                "text": "Note",
            },
            required=("date", "text"),
            values={"validated": {"yes": "final", "y": "final", "no": "preliminary", "n": "preliminary"}},
        ),
        "care_plans": Layout(
            key="plan_id",
            columns={
                "plan_id": "Care Plan ID",
                **_PERSON,
                "title": "Care Plan",
                "category": "Care Plan Type",
                "status": "Care Plan Status",
                "created": "Created Date",
                "start": "Start Date",
                "end": "End Date",
                "review": "Review Date",
                **_TEAM,
                "author": "Author",
                "coordinator": "Care Coordinator",
                "coordinator_phone": "Care Coordinator Telephone",
                "agreed": "Agreed With Client",
                "agreed_by": "Agreed By",
                "agreed_date": "Agreed Date",
                "line_id": "Line ID",
                "line_type": "Line Type",
                "heading": "Heading",
                "text": "Text",
                "line_status": "Line Status",
                "priority": "Priority",
                "who": "Who",
                "phone": "Telephone",
                "when": "When",
                "outcome": "Outcome",
                "line_author": "Line Author",
                "line_date": "Line Date",
            },
            required=("status", "line_type", "text"),
            values={
                "status": {
                    "active": "active",
                    "open": "active",
                    "closed": "completed",
                    "completed": "completed",
                    "draft": "draft",
                    "entered in error": "entered-in-error",
                },
                "agreed": _YES_NO,
            },
        ),
        "alerts": Layout(
            key="alert_id",
            columns={
                "alert_id": "Alert ID",
                **_PERSON,
                "category": "Alert Type",
                "text": "Alert",
                "detail": "Alert Detail",
                "status": "Alert Status",
                "start": "Start Date",
                "end": "End Date",
                **_TEAM,
                **_STAFF,
                "recorded": "Recorded Date",
            },
            required=("text", "status"),
            values={
                "status": {
                    "active": "active",
                    "open": "active",
                    "inactive": "inactive",
                    "closed": "inactive",
                    "entered in error": "entered-in-error",
                }
            },
        ),
        "appointments": Layout(
            key="appointment_id",
            columns={
                "appointment_id": "Appointment ID",
                **_PERSON,
                **_TEAM,
                **_STAFF,
                "start": "Appointment Date",
                "end": "Appointment End",
                "minutes": "Duration (minutes)",
                "type": "Appointment Type",
                "status": "Appointment Status",
                "reason": "Appointment Reason",
                "location": "Location",
                "instruction": "Instructions",
                "cancellation_reason": "Cancellation Reason",
                "created": "Booked Date",
                "referral_id": "Referral ID",
            },
            required=("start", "status"),
            values={
                "status": {
                    "booked": "booked",
                    "attended": "fulfilled",
                    "cancelled": "cancelled",
                    "did not attend": "noshow",
                }
            },
        ),
    }
)
