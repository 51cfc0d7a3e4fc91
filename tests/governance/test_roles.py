"""What a role may see, by its name and by its national code."""

from __future__ import annotations

from typing import Any

import pytest

from mpftconnect.errors import AccessRefused
from mpftconnect.governance.roles import Role, RoleTable
from mpftconnect.model import AccessContext, SectionName

WHO = AccessContext(
    user="u", name="N", role="clerk", organisation="RRE", purpose="direct-care", relationship="caseload"
)
TABLE = RoleTable(
    {
        "Ward Clerk": Role(sections=("appointments", "contacts"), codes=("R8008",)),
        "nurse": Role(sections=("all",), codes=("R8001", "S8000:G8000:R8002")),
        "door": Role(sections=()),
    }
)
CLERKS = {SectionName.APPOINTMENTS, SectionName.CONTACTS}
ALL = set(SectionName)


@pytest.mark.parametrize(
    ("role", "code", "sees"),
    [
        ("Ward Clerk", None, CLERKS),
        (" ward  CLERK ", None, CLERKS),
        ("nurse", None, ALL),
        ("door", None, set()),
        ("whatever the token calls it", "S8000:G8000:R8001", ALL),
        ("whatever the token calls it", "R8001", ALL),
        ("whatever the token calls it", "s8001:g8005:r8008", CLERKS),
        ("whatever the token calls it", "S8000:G8000:R8002", ALL),
        # Where name and code disagree, only what both may see.
        ("nurse", "S8001:G8005:R8008", CLERKS),
        ("Ward Clerk", "S8000:G8000:R8001", CLERKS),
        # A code that nobody listed adds nothing and takes nothing away.
        ("nurse", "S8000:G8000:R9999", ALL),
    ],
)
def test_what_a_role_sees(role: str, code: str | None, sees: set[SectionName]) -> None:
    assert TABLE.sections(WHO.model_copy(update={"role": role, "role_code": code})) == sees


@pytest.mark.parametrize(
    "change",
    [
        {"role": "clerk"},
        {"role": "ward"},
        {"role": "x", "role_code": "S8000:G8001:R8002"},
        {"role": "x", "role_code": "R8008:G8005:S8001"},
        {"role": "x", "role_code": ""},
        {"role": "R8001"},
        {"role": "x", "relationship": "break-glass", "reason": "emergency"},
    ],
)
def test_who_is_not_listed_sees_nothing_unless_the_table_says_so(change: dict[str, Any]) -> None:
    who = WHO.model_copy(update=change)
    with pytest.raises(AccessRefused) as refused:
        TABLE.sections(who)
    assert refused.value.code == "role-not-listed"
    assert RoleTable(TABLE.roles, "all").sections(who) == ALL


def test_the_role_code_of_the_selected_role_comes_with_the_token() -> None:
    roles = [
        {"person_roleid": "1", "role_name": "Clerk", "role_code": "S8001:G8005:R8008", "org_code": "RRE"},
        {"person_roleid": "2", "role_name": "Nurse", "role_code": "S8000:G8000:R8001", "org_code": "RRE"},
        {"person_roleid": "3", "role_name": "Odd", "role_code": {"not": "text"}, "org_code": "RRE"},
    ]

    def code(selected: str) -> str | None:
        claims = {"sub": "s", "name": "N", "nhsid_nrbac_roles": roles, "selected_roleid": selected}
        return AccessContext.from_oidc(claims, purpose="direct-care", relationship="caseload").role_code

    assert [code(one) for one in "123"] == ["S8001:G8005:R8008", "S8000:G8000:R8001", None]
