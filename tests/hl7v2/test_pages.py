"""The pages list what the code has, and the packs are what hl7apy's tables make."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from mpftconnect.hl7v2.findings import CODES
from mpftconnect.hl7v2.tables import VERSIONS, Tables, tables_of
from mpftconnect.hl7v2.tables.make_tables import HL7APY, pruned

DOCS = Path(__file__).parents[2] / "docs" / "hl7v2"


def test_every_finding_is_documented_with_its_severity() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (\w+) \| (.+) \|$", (DOCS / "findings.md").read_text("utf-8"), re.M)
    assert {code: (severity, words) for code, severity, words in rows} == CODES
    assert len(rows) == len(CODES)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_packs_are_what_hl7apy_has(version: str) -> None:
    metadata = pytest.importorskip("importlib.metadata")
    try:
        installed = metadata.version("hl7apy")
    except metadata.PackageNotFoundError:
        pytest.skip("hl7apy, the source of the packs, is not installed")
    if installed != HL7APY:
        pytest.skip(f"the packs are of hl7apy {HL7APY}")
    again = msgspec.json.decode(msgspec.json.encode(pruned(version)), type=Tables)
    assert again == tables_of(version)


def test_a_message_goes_to_hl7apy_and_no_value_comes_back_in_an_error() -> None:
    pytest.importorskip("hl7apy")
    from mpftconnect.errors import MessageUnreadable
    from mpftconnect.hl7v2 import parse

    message = parse("MSH#*+!$#A#B#C#D#20260102##ACK*A01*ACK#1#P#2.4\nMSA#AA#1\n")
    assert message.to_hl7apy().msa.msa_2.value == "1"
    with pytest.raises(MessageUnreadable) as caught:
        parse("MSH|^~\\&|A|B|C|D|20260102||ACK|1|P|9990000018\r").to_hl7apy()
    assert "999" not in str(caught.value)
