"""What is missing before any check: test people, credentials, a way to the system. Each is said as what it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mpftconnect.conformance.breaker import trouble_of
from mpftconnect.conformance.check import Check
from mpftconnect.conformance.evidence import Recorded
from mpftconnect.conformance.requirement import Requirement
from mpftconnect.conformance.supplier import Supplier
from mpftconnect.conformance.trouble import TROUBLES

__all__ = ["PreflightFinding", "missing_before", "reach_finding"]

_SECRETS: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "bearer": ("token",),
    "client-credentials": ("client_id", "client_secret"),
    "signed-jwt": ("api_key", "private_key"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightFinding:
    """One thing that is missing.

    Args:
        code: Permanent: `person-missing`, `sheet-unconfirmed`, `secret-missing`, `address-missing`, `unreachable`, ...
        blocks: Whether no check that asks the system can run.
        requirements: Ids of those that cannot be tested for it; empty if all.
    """

    kind: Literal["test-data", "environment", "configuration"]
    code: str
    words: str
    mend: str
    blocks: bool = False
    requirements: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        out: dict[str, object] = {"kind": self.kind, "code": self.code, "words": self.words, "mend": self.mend}
        if self.requirements:
            out["requirements"] = list(self.requirements)
        return out


def missing_before(
    supplier: Supplier, requirements: Sequence[Requirement], checks: Mapping[str, Check]
) -> list[PreflightFinding]:
    """What can be seen to be missing without asking anybody."""
    found: list[PreflightFinding] = []
    probing = [checks[r.id] for r in requirements if r.id in checks and checks[r.id].probe is not None]
    if not probing:
        return found
    by_http = [check for check in probing if check.protocol == "http"]
    lines = supplier.mllp
    if len(by_http) < len(probing) and lines.receiver is None and lines.sender is None:
        found.append(
            PreflightFinding(
                kind="configuration",
                code="line-missing",
                words="supplier.toml has neither [mllp.receiver] nor [mllp.sender], so no message can be exchanged",
                mend="describe the product's line (conform init --mllp-receiver), or the files that it sent",
                requirements=tuple(check.name for check in probing if check.protocol != "http"),
            )
        )
    if supplier.endpoint is None and by_http:
        found.append(
            PreflightFinding(
                kind="configuration",
                code="address-missing",
                words="supplier.toml gives no target.base_url, so nothing can be asked",
                mend="give target.base_url",
                blocks=True,
                requirements=tuple(check.name for check in by_http),
            )
        )
    missing = [name for name in _SECRETS[supplier.auth.kind] if not supplier.auth.secrets.get(name)]
    if missing:
        found.append(
            PreflightFinding(
                kind="environment",
                code="secret-missing",
                words=f"target.auth is {supplier.auth.kind}, and target.secrets lacks {', '.join(missing)}",
                mend='refer to them in target.secrets, as { env = "NAME" } or { file = "path" }',
                blocks=True,
            )
        )
    for role in sorted({role for check in probing for role in check.people}):
        needing = tuple(check.name for check in probing if role in check.people)
        person = supplier.people.get(role)
        if person is None:
            found.append(
                PreflightFinding(
                    kind="test-data",
                    code="person-missing",
                    words=f"no test person of the role {role} is named",
                    mend=f"enter the person of the sheet (conform patients --format sheet) and name the number in "
                    f"people.{role}",
                    requirements=needing,
                )
            )
        elif not person.entered:
            found.append(
                PreflightFinding(
                    kind="test-data",
                    code="sheet-unconfirmed",
                    words=f"nobody confirms that the sheet of the role {role} was entered in full",
                    mend=f"check the entries against the sheet and state the day in people.{role}.entered",
                    requirements=needing,
                )
            )
    return found


def reach_finding(first: Recorded, requirements: Iterable[str]) -> PreflightFinding | None:
    """What the first exchange says of the way to the system; None if the way is clear."""
    trouble = trouble_of(first)
    if trouble is None:
        return None
    cause = TROUBLES[trouble]
    detail = first.error_rule or f"status {first.status}"
    return PreflightFinding(
        kind="environment",
        code="unreachable" if trouble == "unreachable" else f"answers-{trouble}",
        words=f"{cause.because} (the first request: {detail})",
        mend=cause.mend,
        requirements=tuple(requirements),
    )
