"""The exception tree is as it is drawn, and messages never repeat what was given."""

from __future__ import annotations

import inspect

import pytest

from mpftconnect import errors
from mpftconnect.errors import AdapterError, GapReason, MpftConnectError, NotADate, NotAnNhsNumber
from mpftconnect.model import Identifier, PartialDate, When, nhs_number


def test_every_error_is_drawn_and_every_drawn_error_exists() -> None:
    drawn = {word for word in (errors.__doc__ or "").replace("│", " ").split() if hasattr(errors, word)}
    defined = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, Exception) and value.__module__ == errors.__name__
    }
    assert defined - drawn == set()
    assert set(errors.__all__) == defined | {"GapReason"}
    assert all(issubclass(getattr(errors, name), MpftConnectError) for name in defined)


def test_every_adapter_error_has_a_gap_reason_of_its_own() -> None:
    kinds = AdapterError.__subclasses__()
    assert len({kind.reason for kind in kinds}) == len(kinds)
    assert GapReason.ADAPTER_FAULT not in {kind.reason for kind in kinds}


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda text: nhs_number(text), NotAnNhsNumber),
        (lambda text: Identifier.nhs(text), NotAnNhsNumber),
        (lambda text: PartialDate(text), NotADate),
        (lambda text: When(text), NotADate),
        (lambda text: When("2024-01-01T10:00", text), NotADate),
    ],
)
def test_a_refused_value_is_not_repeated(make: object, kind: type[Exception]) -> None:
    with pytest.raises(kind) as raised:
        make("9990000019 Wolfenstein")  # type: ignore[operator]
    assert "Wolfenstein" not in str(raised.value)
    assert "9990000019" not in str(raised.value)


def test_a_model_error_does_not_repeat_the_input() -> None:
    with pytest.raises(ValueError, match="Input should be") as raised:
        Identifier(system={"secret": "Wolfenstein"})  # type: ignore[arg-type]
    assert "Wolfenstein" not in str(raised.value)
