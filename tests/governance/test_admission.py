from __future__ import annotations

import datetime

import pytest

from mpftconnect.errors import AccessRefused, UsageError
from mpftconnect.governance.admission import admit, require_relationship
from mpftconnect.governance.agreements import Agreement
from mpftconnect.model import AccessContext, SectionName

WHO = AccessContext(user="u", name="n", role="r", organisation="RRE", purpose="direct-care", relationship="caseload")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"purpose": "research"}, "purpose-not-allowed"),
        ({"purpose": ""}, "purpose-not-allowed"),
        ({"user": ""}, "who-incomplete"),
        ({"role": ""}, "who-incomplete"),
        ({"organisation": ""}, "who-incomplete"),
        ({"relationship": ""}, "who-incomplete"),
        ({"relationship": "break-glass"}, "reason-needed"),
        ({"relationship": "break-glass", "reason": "  "}, "reason-needed"),
    ],
)
def test_what_is_not_admitted(change: dict[str, str], code: str) -> None:
    with pytest.raises(AccessRefused) as refused:
        admit(WHO.model_copy(update=change))
    assert refused.value.code == code


def test_direct_care_and_a_reasoned_break_glass_are_admitted() -> None:
    admit(WHO)
    admit(WHO.model_copy(update={"relationship": "break-glass", "reason": "found unconscious"}))


@pytest.mark.parametrize(
    ("verified", "relationship", "passes"),
    [("rio: caseload", "caseload", True), (None, "caseload", False), (None, "break-glass", True)],
)
def test_a_relationship_that_nobody_verified(verified: str | None, relationship: str, passes: bool) -> None:
    who = WHO.model_copy(update={"relationship": relationship, "reason": "why"})
    if passes:
        require_relationship(who, verified, silent=("rio",))
    else:
        with pytest.raises(AccessRefused, match="rio did not answer") as refused:
            require_relationship(who, verified, silent=("rio",))
        assert refused.value.code == "relationship-not-verified"


def test_an_agreement_covers_its_purpose_sections_and_time_and_no_more() -> None:
    agreement = Agreement(
        name="ISA-7",
        parties=("RRE",),
        purposes=("direct-care",),
        sections=("notes",),
        expires="2026-03-31",  # type: ignore[arg-type]
    )
    last_day = datetime.date(2026, 3, 31)

    def refusal(
        purpose: str, section: SectionName | None, day: datetime.date = last_day, organisation: str = "RRE"
    ) -> str:
        return str(agreement.refusal(purpose, section, day, organisation=organisation))

    assert refusal("direct-care", SectionName.NOTES) == "None"
    assert refusal("direct-care", None, organisation=" rre ") == "None"
    assert "section" in refusal("direct-care", SectionName.RESULTS)
    assert "purpose" in refusal("research", SectionName.NOTES)
    assert "expired" in refusal("direct-care", SectionName.NOTES, datetime.date(2026, 4, 1))
    for other in ("ZZ9", "", "RR", "RRE01"):
        assert "organisation" in refusal("direct-care", None, organisation=other)


def test_an_agreement_says_how_long_it_stands() -> None:
    agreement = Agreement(name="A", parties=(), purposes=(), sections=(), expires=datetime.date(2026, 3, 31))
    day = datetime.date(2026, 3, 31)
    assert [agreement.days_left(day + datetime.timedelta(n)) for n in (-1, 0, 1)] == [1, 0, -1]
    assert [agreement.standing(day + datetime.timedelta(n), 2) for n in (-3, -2, 0, 1)] == [
        "in-force", "expiring", "expiring", "expired",
    ]  # fmt: skip


def test_from_oidc_takes_the_selected_role_and_names_what_is_missing() -> None:
    roles = [
        {"person_roleid": "1", "role_name": "Clerk", "org_code": "RRE"},
        {"person_roleid": "2", "role_name": "Nurse", "org_code": "RL4"},
    ]
    claims = {"sub": "s", "name": "Jane Doe", "nhsid_nrbac_roles": roles, "selected_roleid": "2"}
    who = AccessContext.from_oidc(claims, purpose="direct-care", relationship="caseload")
    assert (who.role, who.organisation, who.role_profile_id) == ("Nurse", "RL4", "2")
    with pytest.raises(UsageError, match="no role is selected"):
        AccessContext.from_oidc({**claims, "selected_roleid": None}, purpose="direct-care", relationship="caseload")
    with pytest.raises(UsageError, match="no role is selected"):
        # A role id that is not among the roles must not fall back to another role.
        AccessContext.from_oidc({**claims, "selected_roleid": "9"}, purpose="direct-care", relationship="caseload")
    with pytest.raises(UsageError, match="sub, name"):
        AccessContext.from_oidc({"nhsid_nrbac_roles": roles[:1]}, purpose="direct-care", relationship="caseload")
