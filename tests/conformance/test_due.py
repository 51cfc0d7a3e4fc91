"""What runs out is named once, with its day, whether it is past, and nothing that is far off."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from mpftconnect.conformance import EvidenceFile
from mpftconnect.conformance.catalog import Catalog
from mpftconnect.conformance.due import due_documents, due_exceptions, due_requirements, due_signature

TODAY = date(2026, 11, 25)


def file(kind: str, **given: str) -> EvidenceFile:
    return EvidenceFile(kind=kind, name=f"{kind}.pdf", sha256="0" * 64, size=1, **given)


def test_a_document_runs_out_by_its_kind_or_by_its_own_day_whichever_is_first(catalog: Catalog) -> None:
    files = {
        "penetration-test": (file("penetration-test", issued="2025-12-01"),),
        "letter": (file("letter", expires="2026-11-24"), file("letter", expires="2030-01-01"), file("letter")),
    }
    found = {(d.name, d.on.isoformat(), d.past) for d in due_documents(files, catalog.due, TODAY, 90)}
    assert found == {
        ("penetration-test: penetration-test.pdf", "2026-12-01", False),
        ("letter: letter.pdf", "2026-11-24", True),
    }
    assert catalog.due(file("penetration-test", issued="2025-12-01", expires="2026-01-01")) == "2026-01-01"
    assert list(due_documents({"letter": files["letter"][1:]}, catalog.due, TODAY, 90)) == []


def test_exceptions_signatures_and_requirements(catalog: Catalog) -> None:
    assert [d.on.isoformat() for d in due_exceptions([("a#1", "2027-02-23"), ("a#2", "2027-02-24")], TODAY, 90)] == [
        "2027-02-23"
    ]
    assert [d.past for d in due_signature({"expires": "2026-11-01"}, TODAY, 0)] == [True]
    assert list(due_signature({"expires": "not a day"}, TODAY, 90)) == []
    rule = catalog.packs["uk-core-r4"].requirements[0]
    rules = [replace(rule, due=day, due_note="binds from") for day in ("2026-12-31", "2020-01-01", "")]
    assert [(d.on.isoformat(), d.note) for d in due_requirements(rules, TODAY, 90)] == [("2026-12-31", "binds from")]
