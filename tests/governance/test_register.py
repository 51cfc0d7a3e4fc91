"""The registers: every row that is owed, no patient value, and no cell that a spreadsheet would carry out."""

from __future__ import annotations

import csv
import io
import itertools
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpftconnect.governance.agreements import Agreement
from mpftconnect.governance.audit import Shown, Withholding
from mpftconnect.governance.data_map import places
from mpftconnect.governance.due import Due, due_agreements, due_proposals
from mpftconnect.governance.register import (
    AGREEMENTS,
    ASSETS,
    DISCLOSURES,
    ConnectedSystem,
    agreement_rows,
    asset_rows,
    disclosure_rows,
)
from mpftconnect.spreadsheet import cell, csv_lines

TODAY = date(2026, 3, 1)


def system(name: str, expires: str, agreement: str = "ISA-1") -> ConnectedSystem:
    return ConnectedSystem(
        name, "S", "P", "live", "https://x.example", "nothing",
        Agreement(name=agreement, parties=("RRE", "ZZ1"), purposes=("direct-care",), sections=("notes", "results"),
                  expires=date.fromisoformat(expires)),
    )  # fmt: skip


SYSTEMS = (system("rio", "2026-04-01"), system("gp", "2026-02-28"), system("pds", "2027-01-01"))


def read(lines: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO("".join(lines), newline="")))


def test_every_column_is_explained_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "governance" / "registers.md").read_text(encoding="utf-8")
    assert [column for column in (*AGREEMENTS, *DISCLOSURES, *ASSETS) if f"`{column}`" not in page] == []


def test_agreements_with_what_ends_first_first() -> None:
    rows = [dict(zip(AGREEMENTS, row, strict=True)) for row in agreement_rows(SYSTEMS, TODAY)]
    assert [(row["system"], row["days_left"], row["standing"]) for row in rows] == [
        ("gp", -1, "expired"),
        ("rio", 31, "expiring"),
        ("pds", 306, "in-force"),
    ]
    assert rows[0]["parties"] == "RRE; ZZ1"
    assert rows[0]["sections"] == "notes; results"
    assert rows[0]["expires"] == "2026-02-28"


def test_the_caldicott_log_holds_disclosures_overrides_and_break_glass_and_no_patient_value(
    audit_place: Any, audit_record: Any, audit_who: Any
) -> None:
    trail, stream = audit_place.trail(), audit_place.privacy()
    hurried = audit_who.model_copy(update={"relationship": "break-glass", "reason": "Wolfenstein fell"})
    trail.append(audit_record(0, who=hurried, verified_by=None, not_for_role=("notes",)))
    trail.append(audit_record(1, action="find", shown=(Shown("pds", ("Patient/9990000018",)),)))
    trail.append(audit_record(2, action="refused", outcome="refused"))
    trail.append(audit_record(3, action="audit-read"))
    decided = (("decision", "d-1"), ("step", "approved"), ("system", "rio"), ("record", "Patient/9990000018"))
    trail.append(audit_record(4, action="identity-unlink", decision=decided, shown=()))
    stream.append(audit_record(0, action="break-glass", who=hurried))
    stream.record_withheld(audit_record(0), (Withholding("gum-clinic", "Condition/secret", "never-shown", "problems"),))
    rows = [dict(zip(DISCLOSURES, row, strict=True)) for row in disclosure_rows(trail.entries(), stream.entries())]
    assert [(row["trail"], row["entry"], row["kind"]) for row in rows] == [
        ("audit", 1, "disclosure"),
        ("audit", 2, "search"),
        ("audit", 5, "identity-override"),
        ("privacy", 1, "break-glass"),
    ]
    first = rows[0]
    assert (first["user"], first["role"], first["organisation"]) == ("jane.doe", "community-nurse", "RRE")
    assert (first["relationship"], first["relationship_status"]) == ("break-glass", "asserted")
    assert (first["sections"], first["not_for_role"]) == ("allergies; problems", "notes")
    assert (first["systems_asked"], first["items_shown"], first["request"]) == ("pds; rio", 2, "request-0")
    assert (rows[2]["step"], first["sealed"]) == ("approved", "yes")
    text = repr(rows)
    for value in ("9990000018", "Wolfenstein", "Condition/", "gum-clinic", "secret", "never-shown"):
        assert value not in text


def test_an_entry_that_waits_in_the_second_sink_is_marked(audit_place: Any, audit_record: Any) -> None:
    trail = audit_place.trail()
    audit_place.store.mkdir(parents=True)
    trail.append(audit_record(0))
    (row,) = disclosure_rows(_readable(trail), ())
    assert dict(zip(DISCLOSURES, row, strict=True))["entry"] == "waiting 1"


def _readable(trail: Any) -> Any:
    from mpftconnect.errors import AuditUnavailable

    entries = trail.entries()
    while True:
        try:
            yield next(entries)
        except (StopIteration, AuditUnavailable):
            return


def test_the_asset_register_holds_every_place_and_every_system() -> None:
    rows = [dict(zip(ASSETS, row, strict=True)) for row in asset_rows(places(), SYSTEMS)]
    assert [row["asset"] for row in rows] == [*(place.name for place in places()), "gp", "pds", "rio"]
    assert "ISA-1, until 2026-02-28" in str(rows[-3]["agreement"])
    assert all(row["holds"] and row["protection"] and row["erasure"] for row in rows)


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "\x00=1",
        "  =1",
        "\u00a0=1",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff201",
    ],
)
def test_a_cell_is_never_a_formula(text: str) -> None:
    assert cell(text).startswith("'")


@given(st.lists(st.lists(st.text(max_size=30), min_size=3, max_size=3), max_size=5))
def test_whatever_the_cells_hold_the_file_has_its_rows_and_none_is_a_formula(rows: list[list[str]]) -> None:
    back = read(csv_lines(("a", "b", "c"), rows))
    assert [len(row) for row in back] == [3] * (len(rows) + 1)
    for text in itertools.chain.from_iterable(back[1:]):
        assert not text.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\x00"))
        assert "\n" not in text
        assert "\r" not in text


def test_what_runs_out() -> None:
    found = list(due_agreements(SYSTEMS, TODAY, 31))
    assert [(one.system, one.days_left) for one in found] == [("rio", 31), ("gp", -1)]
    assert [one.system for one in due_agreements(SYSTEMS, TODAY, 30)] == ["gp"]
    assert "the system is not asked" in found[1].words()
    assert "31 days left" in found[0].words()
    soon = datetime(2026, 3, 3, 12, tzinfo=UTC)
    waiting = [("p-1", "unlink", "rio", soon)]
    assert list(due_proposals(waiting, TODAY, 2)) == [Due("identity-proposal", "p-1", "rio", soon.date(), 2)]
    assert list(due_proposals(waiting, TODAY, 1)) == []
