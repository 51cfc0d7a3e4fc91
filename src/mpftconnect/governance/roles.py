"""Which sections of a record each role may see: what a role does not need is neither asked for nor shown (rule 10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mpftconnect.errors import AccessRefused
from mpftconnect.model import AccessContext, Model, SectionName

__all__ = ["NOT_FOR_ROLE", "Role", "RoleTable", "folded"]

NOT_FOR_ROLE = "Not for your role: it was not asked for, and there may be something."


class Role(Model):
    """`[roles.NAME]`.

    Args:
        sections: Sections that the role may see; `["all"]` for every one, `[]` for the person alone.
        codes: National role codes that mean this role: the job role (`R8001`) or the whole code
            (`S8000:G8000:R8001`), as NHS CIS2 gives it in `nhsid_nrbac_roles`.
    """

    sections: tuple[SectionName | Literal["all"], ...]
    codes: tuple[str, ...] = ()

    def allowed(self) -> frozenset[SectionName]:
        return frozenset(SectionName) if "all" in self.sections else frozenset(SectionName(s) for s in self.sections)


@dataclass(frozen=True, slots=True)
class RoleTable:
    """All roles of a configuration.

    Args:
        roles: By name, which is compared whatever its case and spacing.
        unlisted: Whether a role that is not listed may see nothing, or all.

    >>> table = RoleTable({"clerk": Role(sections=("appointments",), codes=("R8008",))})
    >>> who = AccessContext(user="u", name="n", role="Clerk", organisation="RRE", purpose="direct-care",
    ...                     relationship="caseload")
    >>> sorted(table.sections(who))
    [<SectionName.APPOINTMENTS: 'appointments'>]
    """

    roles: Mapping[str, Role] = field(default_factory=dict)
    unlisted: Literal["none", "all"] = "none"

    def sections(self, who: AccessContext) -> frozenset[SectionName]:
        """The sections that this user's role may see. Break-glass is no role, so it widens nothing.

        Where name and code stand for two roles, only what both may see: one of them is wrong.

        Raises:
            AccessRefused: The role is not listed and such roles may see nothing. Code `role-not-listed`.
        """
        found = [role for name, role in self.roles.items() if _named(role, name, who)]
        if found:
            return frozenset.intersection(*(role.allowed() for role in found))
        if self.unlisted == "all":
            return frozenset(SectionName)
        raise AccessRefused(
            "role-not-listed", "the role is not listed, so it may see nothing: add it as [roles.NAME] with its sections"
        )


def folded(name: str) -> str:
    """A role's name or code as it is compared."""
    return " ".join(name.casefold().split())


def _named(role: Role, name: str, who: AccessContext) -> bool:
    if folded(name) == folded(who.role):
        return True
    if who.role_code is None:
        return False
    whole = folded(who.role_code)
    # The last part is the job role; those before it are its staff group and area.
    return any(folded(code) in (whole, whole.split(":")[-1]) for code in role.codes)
