"""Slicing in all its forms: slices of slices, a default slice, order, and slices that cannot be told apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from judging import PATIENT, found, profile, rules

from mpftconnect.validation import Report, Validator

Make = Callable[..., Validator]
NHS, LOCAL, OTHER = "https://fhir.nhs.uk/Id/nhs-number", "https://zz.example.test/id", "urn:oid:1.2"
BY_SYSTEM = {"discriminator": [{"type": "value", "path": "system"}]}
BY_USE = {"discriminator": [{"type": "value", "path": "use"}]}


def identifier(system: str, use: str | None = None, value: str = "1") -> dict[str, str]:
    return {"system": system, "value": value, **({"use": use} if use else {})}


def judged(make: Make, made: dict[str, Any], *identifiers: dict[str, str]) -> Report:
    given = {key: value for key, value in PATIENT.items() if key != "identifier"}
    return make(made).validate({**given, **({"identifier": list(identifiers)} if identifiers else {})}, [made["url"]])


def resliced(rules_: str = "open", inner: str = "open") -> dict[str, Any]:
    """Local identifiers, of which one is usual and one or two are old (ElementDefinition.sliceName, `a/b`)."""
    return profile(
        "resliced", "Patient",
        {"path": "Patient.identifier", "slicing": {**BY_SYSTEM, "rules": rules_}},
        {"path": "Patient.identifier", "sliceName": "local", "max": "4", "slicing": {**BY_USE, "rules": inner}},
        {"path": "Patient.identifier.system", "min": 1, "fixedUri": LOCAL},
        {"path": "Patient.identifier", "sliceName": "local/usual", "min": 1, "max": "1"},
        {"path": "Patient.identifier.use", "min": 1, "fixedCode": "usual"},
        {"path": "Patient.identifier.value", "maxLength": 3},
        {"path": "Patient.identifier", "sliceName": "local/old", "max": "2"},
        {"path": "Patient.identifier.use", "min": 1, "fixedCode": "old"},
    )  # fmt: skip


USUAL, OLD = identifier(LOCAL, "usual"), identifier(LOCAL, "old")


@pytest.mark.parametrize(
    ("identifiers", "broken"),
    [
        ([USUAL], []),
        ([USUAL, OLD, OLD, identifier(LOCAL, "temp"), identifier(OTHER, "old")], []),
        ([OLD], [("slice-min", "Patient")]),
        ([identifier(OTHER, "usual"), OLD], [("slice-min", "Patient")]),
        ([USUAL, USUAL], [("slice-max", "Patient")]),
        ([USUAL, OLD, OLD, OLD], [("slice-max", "Patient")]),
        ([USUAL, OLD, OLD, identifier(LOCAL), identifier(LOCAL)], [("slice-max", "Patient")]),
        ([identifier(LOCAL, "usual", "1234")], [("max-length", "Patient.identifier[0].value")]),
        ([USUAL, identifier(LOCAL, "old", "1234")], []),
        ([USUAL, identifier(OTHER, "usual", "1234")], []),
    ],
)
def test_a_slice_is_sliced_again(make: Make, identifiers: list[dict[str, str]], broken: list[tuple[str, str]]) -> None:
    assert found(judged(make, resliced(), *identifiers)) == broken


def test_slices_of_a_slice_bind_only_where_that_has_an_item(make: Make) -> None:
    """`local` may be absent; then nothing is asked of the slices in it."""
    assert found(judged(make, resliced(), identifier(NHS))) == []
    assert found(judged(make, resliced())) == []


def test_slicing_within_a_slice_may_be_closed_or_open_at_its_end(make: Make) -> None:
    temp = identifier(LOCAL, "temp")
    assert rules(judged(make, resliced(inner="closed"), USUAL, temp)) == ["slice-closed"]
    assert rules(judged(make, resliced(inner="closed"), USUAL, identifier(OTHER, "temp"))) == []
    assert found(judged(make, resliced(inner="openAtEnd"), USUAL, temp, OLD)) == [
        ("slice-order", "Patient.identifier[2]")
    ]
    assert rules(judged(make, resliced(inner="openAtEnd"), USUAL, OLD, temp)) == []


def with_default(rules_: str = "closed") -> dict[str, Any]:
    """STU3 and R4 ElementDefinition: what belongs to no other slice belongs to `@default`."""
    return profile(
        "default", "Patient",
        {"path": "Patient.identifier", "slicing": {**BY_SYSTEM, "rules": rules_}},
        {"path": "Patient.identifier", "sliceName": "nhs", "max": "1"},
        {"path": "Patient.identifier.system", "min": 1, "fixedUri": NHS},
        {"path": "Patient.identifier", "sliceName": "@default", "min": 1, "max": "2"},
        {"path": "Patient.identifier.use", "min": 1},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("identifiers", "broken"),
    [
        ([identifier(NHS), identifier(OTHER, "old")], []),
        ([identifier(OTHER, "old"), identifier(LOCAL, "old")], []),
        ([identifier(NHS), identifier(OTHER)], [("cardinality-min", "Patient.identifier[1]")]),
        ([identifier(NHS)], [("slice-min", "Patient")]),
        ([identifier(OTHER, "old")] * 3, [("slice-max", "Patient")]),
        ([identifier(NHS), identifier(NHS), identifier(OTHER, "old")], [("slice-max", "Patient")]),
    ],
)
def test_what_belongs_to_no_other_slice_belongs_to_the_default(
    make: Make, identifiers: list[dict[str, str]], broken: list[tuple[str, str]]
) -> None:
    assert found(judged(make, with_default(), *identifiers)) == broken


@pytest.mark.parametrize("rules_", ["open", "closed", "openAtEnd"])
def test_a_slice_that_cannot_be_told_apart_makes_nothing_an_error(make: Make, rules_: str) -> None:
    """An item that belongs to no slice known may belong to the one that is not."""
    odd = profile(
        "odd", "Patient",
        {"path": "Patient.identifier", "slicing": {**BY_SYSTEM, "rules": rules_}},
        {"path": "Patient.identifier", "sliceName": "nhs", "max": "1"},
        {"path": "Patient.identifier.system", "min": 1, "fixedUri": NHS},
        {"path": "Patient.identifier", "sliceName": "odd"},  # says nothing of its system
    )  # fmt: skip
    report = judged(make, odd, identifier(NHS), identifier(OTHER))
    assert found(report) == []
    assert report.verdict == ("undecided" if rules_ == "closed" else "valid")
    assert [item.expression for item in report.not_checked if item.rule == "slice-closed"] == (
        ["Patient.identifier[1]"] if rules_ == "closed" else []
    )
    assert found(judged(make, odd, identifier(NHS), identifier(NHS))) == [("slice-max", "Patient")]


def test_a_default_is_not_held_against_what_another_slice_may_have(make: Make) -> None:
    odd = profile(
        "odd", "Patient",
        {"path": "Patient.identifier", "slicing": {**BY_SYSTEM, "rules": "open"}},
        {"path": "Patient.identifier", "sliceName": "odd"},
        {"path": "Patient.identifier", "sliceName": "@default"},
        {"path": "Patient.identifier.use", "min": 1},
    )  # fmt: skip
    assert found(judged(make, odd, identifier(OTHER))) == []


def test_slices_stand_in_order_where_that_is_said(make: Make) -> None:
    def ordered(value: bool) -> dict[str, Any]:
        return profile(
            "ordered", "Patient",
            {"path": "Patient.identifier", "slicing": {**BY_SYSTEM, "rules": "open", "ordered": value}},
            {"path": "Patient.identifier", "sliceName": "nhs"},
            {"path": "Patient.identifier.system", "min": 1, "fixedUri": NHS},
            {"path": "Patient.identifier", "sliceName": "local"},
            {"path": "Patient.identifier.system", "min": 1, "fixedUri": LOCAL},
        )  # fmt: skip

    turned = [identifier(LOCAL), identifier(OTHER), identifier(NHS)]
    assert found(judged(make, ordered(True), *turned)) == [("slice-order", "Patient.identifier[2]")]
    assert found(judged(make, ordered(True), *reversed(turned))) == []
    assert found(judged(make, ordered(False), *turned)) == []
