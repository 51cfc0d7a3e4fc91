"""Whom the caseload lets in."""

from __future__ import annotations

from typing import Any

import pytest

from mpftconnect.errors import AdapterError

from .conftest import OTHER, WHO, everyone, with_relationship


def verified(rio: Any, who: Any = WHO, **more: Any) -> str | None:
    found = rio.adapter.verify_relationship(rio.reading(who=who, **more))
    return found.how if found else None


def test_an_open_referral_in_the_users_organisation(rio: Any) -> None:
    assert verified(rio) == "an open referral on the RiO caseload of organisation RRE"
    assert verified(rio, with_relationship(relationship="referral")) is not None


def test_before_and_after_the_person_is_found(rio: Any) -> None:
    assert rio.adapter.verify_relationship(rio.found()) is not None


@pytest.mark.parametrize("change", [{"organisation": "RXX"}, {"relationship": "admission"}])
def test_others_are_not_verified(rio: Any, change: dict[str, str]) -> None:
    assert verified(rio, with_relationship(**change)) is None


def test_somebody_who_is_not_known_is_on_no_caseload(rio: Any) -> None:
    assert rio.adapter.verify_relationship(rio.reading("9990000042")) is None


@pytest.mark.parametrize(
    ("status", "discharged", "opens"),
    [
        ("Open", "", True),
        ("OPEN", "31/12/2025", True),  # still to come
        ("Open", "01/09/2025", False),  # today
        ("Open", "01/03/2020", False),
        ("Open", "31/02/2030", False),  # might be anything
        ("Open", "see notes", False),
        ("Closed", "", False),
        ("Waiting", "", False),
        ("", "", False),
    ],
)
def test_what_an_open_referral_is(make: Any, status: str, discharged: str, opens: bool) -> None:
    rows = everyone()
    rows["caseload"][0] |= {"status": status, "discharged": discharged}
    rio = make(rows)
    assert (verified(rio) is not None) is opens
    assert bool(rio.read("care_team").items) is opens


def test_by_team(make: Any) -> None:
    def rio(**teams: tuple[str, ...]) -> Any:
        return make(settings={"caseload_by": "team", "teams": teams})

    assert verified(rio(T1=("jane.doe",))) == "on the RiO caseload of team T1"
    assert verified(rio(T1=("555000001",))) == "on the RiO caseload of team T1"
    assert verified(rio(T1=("somebody",))) is None
    assert verified(rio(T2=("jane.doe",))) is None  # discharged from that one


def test_by_practitioner(make: Any) -> None:
    rio = make(settings={"caseload_by": "staff"})
    assert verified(rio) == "on the RiO caseload of this practitioner"
    assert verified(rio, with_relationship(practitioner_id="555000009")) is None
    assert verified(rio, with_relationship(practitioner_id=None)) is None


def test_teams_that_must_not_be_hinted_at_open_nothing(make: Any) -> None:
    assert verified(make(settings={"teams_not_counted": ("T1",)})) is None


def test_a_caseload_that_was_cut_short_does_not_say_no(make: Any) -> None:
    rows = everyone()
    rows["caseload"] = [row for row in rows["caseload"] if row["nhs_number"] == OTHER]
    rio = make(rows, caseload={"trailer": "END"})
    assert verified(rio) is None
    path = rio.folder / "caseload.csv"
    path.write_bytes(path.read_bytes().rpartition(b"END")[0])
    with pytest.raises(AdapterError, match="cut short"):
        verified(rio)
