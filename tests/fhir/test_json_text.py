"""JSON in and out: strict, without losing a digit, and silent about values."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from strategies import json_values

from mpftconnect.errors import AnswerRejected, UsageError
from mpftconnect.fhir import dump_json, parse_json


@given(json_values())
def test_what_is_dumped_is_parsed_again(value: Any) -> None:
    assert parse_json(dump_json(value), max_depth=1000) == value
    assert parse_json(dump_json(value, indent=True), max_depth=1000) == value


@pytest.mark.parametrize("number", ["72.50", "0.0", "-0.00", "1E+3", "1.20E-7", "100", "-7", "9" * 40, "1E+400"])
def test_numbers_keep_their_digits(number: str) -> None:
    assert dump_json(parse_json(f"[{number}]".encode())).decode() == f"[{number}]"


def test_whole_numbers_and_fractions_are_told_apart() -> None:
    whole, fraction = parse_json(b"[1, 1.0]")
    assert type(whole) is int
    assert type(fraction) is Decimal
    assert str(fraction) == "1.0"


def test_a_byte_order_mark_is_allowed() -> None:
    assert parse_json(b"\xef\xbb\xbf{}") == {}


@pytest.mark.parametrize(
    ("text", "rule", "place"),
    [
        (b'{"name": "\xffOkafor"}', "UTF-8", "byte 10"),
        (b'{"name": "Okafor"', "not JSON", "line 1"),
        (b'{"name": Okafor}', "not JSON", "line 1, column 10"),
        (b"", "not JSON", "line 1"),
        (b'{"value": NaN}', "NaN", None),
        (b'{"value": -Infinity}', "NaN or Infinity", None),
        (b'{"value": 1e999999999999999999999}', "exponent", None),
        (b'{"value": ' + b"9" * 5000 + b"}", "too many digits", None),
        (b'{"entry": [{"resource": {"id": "a", "id": "b"}}]}', "twice", "entry[0].resource.id"),
        (b'{"resource": {"Okafor": 1, "Okafor": 2}}', "twice", "resource.?"),
        (b'{"Okafor": {"id": 1, "id": 2}}', "twice", "?.id"),
        (b'{"name": [{"family": "Okafor\\ud800"}]}', "surrogate", "name[0].family"),
        (b'{"name": {"Okafor\\ud800": 1}}', "surrogate", "name.?"),
    ],
)
def test_what_is_refused_and_how(text: bytes, rule: str, place: str | None) -> None:
    with pytest.raises(AnswerRejected) as refused:
        parse_json(text)
    assert rule in refused.value.rule
    assert (refused.value.place or "").startswith(place or "")
    assert "Okafor" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None  # no traceback shows the text


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"extension":', "}")])
def test_deep_nesting_is_refused(opening: str, closing: str) -> None:
    def nested(depth: int) -> bytes:
        return (opening * depth + "0" + closing * depth).encode()

    parse_json(nested(100))
    with pytest.raises(AnswerRejected, match="nested deeper than 100"):
        parse_json(nested(101))
    with pytest.raises(AnswerRejected, match="nested deeper than 100"):
        parse_json(nested(200_000))
    parse_json(nested(20), max_depth=20)
    with pytest.raises(AnswerRejected):
        parse_json(nested(21), max_depth=20)


@pytest.mark.parametrize("value", [float("nan"), Decimal("NaN"), [Decimal("Infinity")], {"a": object()}, "\ud800"])
def test_what_is_not_json_is_not_dumped(value: Any) -> None:
    with pytest.raises(UsageError):
        dump_json(value)
