"""No patient value in a parked reason, a ledger, an error or a repr."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpftconnect.hl7v2 import Mapped, map_message, parse

Mapper = Callable[..., Mapped]
SECRET = "Zzyxquirk"
KINDS = [f"ADT^A{number:02}" for number in (1, 8, 11, 24, 28, 40, 44, 45, 99)]
KINDS += ["ORU^R01", "MDM^T02", "SIU^S12", "REF^I12", "ORM^O01", "VXU^V04"]
SEGMENTS = "PID PV1 NK1 AL1 DG1 OBR OBX NTE TXA SCH RF1 ORC RXA MRG".split()  # noqa: SIM905 - a list of words


def said(mapped: Mapped) -> str:
    """Everything of the mapping of a message that may reach a log."""
    parts = [repr(mapped), repr(mapped.envelope), repr(mapped.parked), repr(mapped.ledger), repr(mapped.ledger.total)]
    parts += [repr(change) for change in mapped.changes]
    parts += [repr(change.key) for change in mapped.changes if hasattr(change, "key")]
    return " ".join(parts)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.lists(st.tuples(st.sampled_from(SEGMENTS), st.integers(1, 25)), max_size=6),
    st.booleans(),
)
def test_no_value_of_a_message_shows(kind: str, rows: list[tuple[str, int]], known: bool) -> None:
    lines = [f"{name}|" + "|".join([f"{SECRET}^{SECRET}&{SECRET}~{SECRET}"] * count) for name, count in rows]
    person = f"PID|1||{'77^^^RRE' if known else ''}||{SECRET}^{SECRET}"
    raw = "\r".join((f"MSH|^~\\&|PAS|RRE|||20260301||{kind}|C1|P|2.5.1", person, *lines))
    assert SECRET not in said(map_message(parse(raw)))


@pytest.mark.parametrize("kind", KINDS)
def test_no_value_of_a_whole_message_shows(mapped: Mapper, kind: str) -> None:
    lines = [f"{name}|" + "|".join([SECRET] * 20) for name in SEGMENTS if name != "PID"]
    result = mapped(kind, f"PID|1||{SECRET}^^^RRE~9990000018^^^NHS^NH||{SECRET}", *lines)
    assert SECRET not in said(result) and "9990000018" not in said(result)
    assert result.changes or result.parked
