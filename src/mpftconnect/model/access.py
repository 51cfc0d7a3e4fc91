"""Who asks, and why. Every read and write carries one of these (rule 9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mpftconnect.errors import UsageError
from mpftconnect.model.schema import Model

__all__ = ["AccessContext"]


class AccessContext(Model):
    """Who asks for a person's data, in what role, for what purpose.

    Args:
        user: The user's id in the caller's directory.
        name: The user's name as the audit shows it.
        role: Job role, such as `community-nurse`.
        organisation: ODS code of the organisation that the user acts for.
        purpose: Only `direct-care` is allowed for now.
        relationship: The *claimed* relationship: `caseload`, `referral`, `admission`, `break-glass`, ... A policy
            source verifies it; the audit says "verified by" or "asserted".
        reason: Free text; required for break-glass.
        practitioner_id: SDS user id or registration number, where a system wants one.
        role_profile_id: SDS role profile id.
        role_code: National role code of the selected role, such as `S8000:G8000:R8001`, of which the last part is the
            job role.
        device: What the user sits at.
        session: The caller's session id.
    """

    user: str
    name: str
    role: str
    organisation: str
    purpose: str
    relationship: str
    reason: str | None = None
    practitioner_id: str | None = None
    role_profile_id: str | None = None
    role_code: str | None = None
    device: str | None = None
    session: str | None = None

    @classmethod
    def from_oidc(
        cls, claims: Mapping[str, Any], *, purpose: str, relationship: str, reason: str | None = None
    ) -> AccessContext:
        """The context of a signed-in user, from the claims of a *verified* OpenID Connect token.

        Reads the standard claims and those that NHS CIS2 adds (`nhsid_useruid`, `nhsid_nrbac_roles` with each role's
        name, code and organisation), preferring the selected role (`selected_roleid`). It does not check a
        signature: do that first.

        Args:
            claims: The verified claims.
            purpose: Why; a token does not know.
            relationship: What relationship the user claims to the person.
            reason: Free text.
        Raises:
            UsageError: A claim that is needed is missing; the message names it.
        Source:
            OpenID Connect Core 1.0, section 5.1; NHS CIS2 Authentication, user info claims.

        >>> AccessContext.from_oidc(
        ...     {"sub": "u1", "name": "Jane Doe", "nhsid_useruid": "555",
        ...      "nhsid_nrbac_roles": [{"person_roleid": "9", "role_name": "Nurse", "org_code": "RRE"}]},
        ...     purpose="direct-care", relationship="caseload").organisation
        'RRE'
        """
        roles = [role for role in claims.get("nhsid_nrbac_roles") or () if isinstance(role, Mapping)]
        selected = claims.get("selected_roleid")
        role = next((r for r in roles if r.get("person_roleid") == selected), None)
        if role is None and selected is None and len(roles) == 1:
            role = roles[0]
        role = role or {}
        found = {
            "sub": claims.get("sub") or claims.get("oid"),
            "name": claims.get("name") or claims.get("preferred_username"),
            "role_name (or role)": role.get("role_name") or claims.get("role"),
            "org_code (or organisation)": role.get("org_code") or claims.get("organisation"),
        }
        missing = [claim for claim, value in found.items() if not isinstance(value, str) or not value]
        if missing:
            raise UsageError(
                f"the token lacks {', '.join(missing)}" + ("; no role is selected" if roles and not role else "")
            )
        user, name, role_name, organisation = (str(value) for value in found.values())
        return cls(
            user=user,
            name=name,
            role=role_name,
            organisation=organisation,
            purpose=purpose,
            relationship=relationship,
            reason=reason,
            practitioner_id=claims.get("nhsid_useruid"),
            role_profile_id=role.get("person_roleid"),
            role_code=_text_or_none(role.get("role_code")),
            session=claims.get("sid"),
        )


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
