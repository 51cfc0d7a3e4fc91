"""From a care plan to what its pointer shall say. Pure: nothing is asked, and nothing clinical is taken along.

The names under which a plan is published are UUIDs made from its id (RFC 4122, version 5), so that every process, on
every machine and without any ledger, gives the same plan the same name, and the name says nothing of anybody.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from types import MappingProxyType

from mpftconnect.adapters.pointers import NewPointer
from mpftconnect.errors import UsageError
from mpftconnect.model import SNOMED, CarePlan, Coding

__all__ = ["ENDED", "KINDS", "kind_of", "new_pointer", "reference_of"]

# SNOMED CT codes of the documents as which a plan is made known (NRL producer specification, nrl-producer-api at
# ec0303b, table of types).
KINDS: Mapping[str, str] = MappingProxyType(
    {"crisis": "736253002", "contingency": "325691000000100", "personalised": "2181441000000107"}
)
# FHIR R4, value set request-status, as CarePlan.status uses it: no longer in force.
ENDED = frozenset({"completed", "revoked", "entered-in-error"})


def reference_of(publisher: str, key: str) -> str:
    """The name under which a plan is published.

    Args:
        publisher: ODS code of the organisation that publishes: another's plan of the same id is another plan.
        key: `Item.key` of the plan.

    >>> reference_of("RRE", "rio:CarePlan/7") == reference_of("RRE", "rio:CarePlan/7")
    True
    >>> reference_of("RRE", "rio:CarePlan/7") == reference_of("ZZ1", "rio:CarePlan/7")
    False
    """
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:mpftconnect:plan:{publisher}:{key}"))


def kind_of(plan: CarePlan, kind: str | None) -> str:
    """As which type of document a plan is made known.

    What is given decides. Otherwise the plan's own category, if it is one of the types; otherwise what it is made of: a
    plan for a crisis, or for contingencies, or, with both or neither, a personalised care and support plan.

    Args:
        kind: One of `KINDS`, or a SNOMED CT code.
    Raises:
        UsageError: It is neither.
    """
    if kind is not None:
        code = KINDS.get(kind, kind)
        if not (code.isascii() and code.isdigit() and 6 <= len(code) <= 18):
            raise UsageError(f"kind: expected {', '.join(KINDS)} or a SNOMED CT code")
        return code
    for category in plan.category:
        for code in KINDS.values():
            if category.has(SNOMED, code):
                return code
    parts = {part.kind for part in plan.contingency}
    return KINDS[parts.pop()] if len(parts) == 1 else KINDS["personalised"]


def new_pointer(plan: CarePlan, reference: str, *, kind: str, author: str | None) -> NewPointer:
    """What the pointer of this version of the plan shall say.

    Args:
        author: ODS code of the organisation that wrote it, where the plan does not say so.
    Raises:
        UsageError: Nobody says which organisation wrote it, or both say different things.
    """
    stated = plan.author.organization_code if plan.author else None
    if stated and author and stated != author:
        raise UsageError("author: the plan names another organisation as its author")
    wrote = stated or author
    if not wrote:
        raise UsageError("author: the plan does not say which organisation wrote it; give its ODS code")
    setting = next(
        (c for c in (plan.service.coding if plan.service else ()) if c.system == SNOMED and c.code and c.display), None
    )
    # Whatever a reader would see: where it was read from, and when, is not part of it.
    content = plan.model_dump_json(exclude={"source", "also"}, exclude_none=True)
    said = "\n".join((content, kind, wrote, setting.code or "" if setting else ""))
    digest = hashlib.sha256(said.encode()).hexdigest()
    return NewPointer(
        reference=reference,
        version=str(uuid.uuid5(uuid.UUID(reference), digest)),
        kind=Coding(system=SNOMED, code=kind),
        author=wrote,
        created=plan.created,
        practice_setting=setting,
    )
