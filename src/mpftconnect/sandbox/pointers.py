"""What the National Record Locator points at for the synthetic people, and the documents behind its pointers.

A pointer's `source.id` is the locator's own; the last part of its attachment's address names the document. In
`settings`, `documents` has by that id `data`, the document's bytes, and `by_proxy`, whether it is to be had through the
Spine Secure Proxy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mpftconnect.model import (
    SNOMED,
    Actor,
    Attachment,
    Coding,
    Concept,
    DocumentReference,
    Reference,
    SectionName,
    When,
)
from mpftconnect.sandbox.chart import placeholder
from mpftconnect.sandbox.people import SystemView
from mpftconnect.sandbox.services import TRUST
from mpftconnect.sandbox.sexual_health import CLINIC, CLINIC_CODE, SERVICE

__all__ = ["views"]

# NRL producer specification (nrl-producer-api at ec0303b), table of categories and types.
_CARE_PLAN = Coding(system=SNOMED, code="734163000", display="Care plan")
_CRISIS = Coding(system=SNOMED, code="736253002", display="Mental health crisis plan")
_CONTINGENCY = Coding(system=SNOMED, code="325691000000100", display="Contingency plan")
_END_OF_LIFE = Coding(system=SNOMED, code="736373009", display="End of life care plan")
_RESPECT = Coding(
    system=SNOMED,
    code="1382601000000107",
    display="ReSPECT (Recommended Summary Plan for Emergency Care and Treatment) form",
)
_SUPPORT = Coding(system=SNOMED, code="2181441000000107", display="Personalised Care and Support Plan")
_MENTAL_HEALTH = Coding(system=SNOMED, code="788002001", display="Adult mental health service")
_PALLIATIVE = Coding(system=SNOMED, code="395092004", display="Specialist palliative care")

_OURS = Actor(organization=TRUST, organization_code="RRE")
_HOSPICE = Actor(organization="Saint Osyth Meadow Hospice", organization_code="ZZ502")
_AMBULANCE = Actor(organization="Northmere Ambulance Service", organization_code="ZZ503")
_NEIGHBOUR = Actor(organization="Eastmere Mental Health Trust", organization_code="ZZ504")
_BORDER = Actor(organization="Bwrdd Iechyd Mynydd Glas", organization_code="ZZ705")
_REFUGE = Actor(organization="Tern Island Women's Refuge", organization_code="ZZ506")
_CLINIC = Actor(organization=CLINIC, organization_code=CLINIC_CODE)


class _Pointers:
    """The pointers of one person, as they are being written."""

    def __init__(self, role: str) -> None:
        self._role, self._local_id = role, f"nrl-{role}-01"
        self._items: list[DocumentReference] = []
        self._documents: dict[str, dict[str, Any]] = {}

    def add(
        self,
        name: str,
        kind: Coding,
        custodian: Actor,
        made: str,
        data: bytes,
        *,
        title: str | None = None,
        text: str | None = None,
        description: str | None = None,
        content_type: str = "application/pdf",
        setting: Coding = _MENTAL_HEALTH,
        by_proxy: bool = False,
    ) -> None:
        """Write a pointer down.

        Args:
            text: Of the type, beside its code.
        """
        pointer_id = f"DocumentReference/{custodian.organization_code}-{self._role.replace('-', '')}-{name}"
        self._items.append(
            DocumentReference(
                source=placeholder(pointer_id),
                subject=Reference(reference=f"Patient/{self._local_id}"),
                status="current",
                doc_status="final",
                type=Concept(text=text, coding=(kind,)),
                category=(Concept(coding=(_CARE_PLAN,)),),
                date=When(made),
                author=custodian,
                custodian=custodian,
                description=description,
                practice_setting=Concept(coding=(setting,)),
                attachments=(Attachment(content_type=content_type, url=f"documents/{self._role}-{name}", title=title),),
            )
        )
        self._documents[pointer_id] = {"data": data, "by_proxy": by_proxy}

    def view(self) -> SystemView:
        items = {SectionName.DOCUMENTS: tuple(self._items)}
        return SystemView(self._local_id, items=items, settings={"documents": self._documents})


def _pdf(words: str) -> bytes:
    """One page that says `words`: the least that a reader of PDF 1.4 opens (ISO 32000-1, section 7.5)."""
    text = words.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    stream = f"BT /F1 12 Tf 40 780 Td ({text}) Tj ET".encode("latin-1", "replace")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
    )
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def _full() -> SystemView:
    pointers = _Pointers("full")
    pointers.add(
        "crisis",
        _CRISIS,
        _OURS,
        "2025-06-20T10:15:00Z",
        _pdf("Crisis plan. Ring the crisis line. Sit with me and let me talk about the allotment."),
        title="Mental health crisis plan",
    )
    pointers.add(
        "eol",
        _END_OF_LIFE,
        _HOSPICE,
        "2025-03-02T09:00:00Z",
        _pdf("End of life care plan. Wishes to be cared for at home, with the dog beside her."),
        title="End of life care plan",
        setting=_PALLIATIVE,
        by_proxy=True,
    )
    pointers.add(
        "respect",
        _RESPECT,
        _AMBULANCE,
        "2024-11-11T16:30:00Z",
        b"<!doctype html><title>Contact</title><p>Ring the clinical desk on 01632 960503 and ask for the form.",
        title="Whom to ask for the ReSPECT form",
        content_type="text/html",
    )
    return pointers.view()


def _conflicting() -> SystemView:
    """Two trusts each point at a crisis plan of their own: both must be seen."""
    pointers = _Pointers("conflicting")
    pointers.add(
        "crisis",
        _CRISIS,
        _OURS,
        "2025-03-03T11:00:00Z",
        _pdf("Crisis plan of 2025. Ring his brother Ambrose first."),
        title="Mental health crisis plan",
    )
    pointers.add(
        "crisis",
        _CRISIS,
        _NEIGHBOUR,
        "2024-01-09T14:20:00Z",
        _pdf("Crisis plan of 2024. Do not ring the family before he has agreed."),
        title="Mental health crisis plan",
        by_proxy=True,
    )
    return pointers.view()


def _cross_border() -> SystemView:
    pointers = _Pointers("cross-border")
    pointers.add(
        "contingency",
        _CONTINGENCY,
        _BORDER,
        "2025-05-06T08:45:00Z",
        _pdf("Contingency plan. Speak Welsh first; her daughter Angharad has the key."),
        title="Cynllun wrth gefn / Contingency plan",
        by_proxy=True,
    )
    return pointers.view()


def _restricted() -> SystemView:
    """The pointer's title, its custodian and its address each say where she is."""
    pointers = _Pointers("restricted")
    pointers.add(
        "tern-island-refuge",
        _SUPPORT,
        _REFUGE,
        "2025-07-01T12:00:00Z",
        _pdf("Support plan. Staying at Tern Island until the school year ends."),
        title="Support plan kept at Tern Island Women's Refuge, Cormorant Quay",
        description="Ask at the blue door on Cormorant Quay after six in the evening.",
    )
    return pointers.view()


def _sexual_health(*, with_excluded: bool) -> SystemView:
    """One plan that may be shown; and one each that gives the clinic away by custodian, by type and by text."""
    pointers = _Pointers("sh")
    pointers.add(
        "plan",
        _SUPPORT,
        _OURS,
        "2024-11-05T10:00:00Z",
        _pdf("Personalised care and support plan. Mornings at the bakery help."),
        title="Personalised care and support plan",
    )
    if with_excluded:
        pointers.add("plan", _SUPPORT, _CLINIC, "2025-07-02T10:00:00Z", _pdf("Held by the clinic."), title="Plan")
        pointers.add(
            "by-type",
            _CONTINGENCY,
            _OURS,
            "2025-07-03T10:00:00Z",
            _pdf("Named by its type."),
            text=SERVICE,
            title="Plan",
        )
        pointers.add(
            "by-text",
            _CONTINGENCY,
            _NEIGHBOUR,
            "2025-07-04T10:00:00Z",
            _pdf("Named in words."),
            title="Plan",
            description=f"Copy of the plan that was made with {CLINIC} in July.",
        )
    return pointers.view()


def _deceased() -> SystemView:
    pointers = _Pointers("deceased")
    pointers.add(
        "eol",
        _END_OF_LIFE,
        _HOSPICE,
        "2024-02-14T15:00:00Z",
        _pdf("End of life care plan, completed."),
        title="End of life care plan",
        setting=_PALLIATIVE,
        by_proxy=True,
    )
    return pointers.view()


def views(*, with_excluded: bool = True) -> Mapping[str, Mapping[str, SystemView]]:
    """By system, then by the person's role.

    Args:
        with_excluded: Whether what a silent policy hides was ever written down.
    """
    return {
        "nrl": {
            "full": _full(),
            "conflicting": _conflicting(),
            "cross-border": _cross_border(),
            "restricted": _restricted(),
            "sexual-health": _sexual_health(with_excluded=with_excluded),
            "deceased": _deceased(),
        }
    }
