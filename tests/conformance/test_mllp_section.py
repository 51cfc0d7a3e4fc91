"""`[mllp]` of supplier.toml: what it gives, and every mistake at once with its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpftconnect.conformance.supplier_file import supplier_from
from mpftconnect.errors import ConfigurationError


def table(mllp: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "product": {"name": "P", "version": "1", "supplier": "S", "ods": "ZZ999"},
        "target": {"environment": "test"},
        "authorised_by": {"name": "N", "organisation": "O", "date": "2025-09-01", "scope": "all"},
        "mllp": mllp,
    }


def test_both_roles_without_a_base_url(tmp_path: Path) -> None:
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "a.hl7").write_bytes(b"MSH|")
    given = {"receiver": {"host": "127.0.0.1", "port": 2575}, "sender": {"recorded": ["sent"]}}
    supplier = supplier_from(table(given), folder=tmp_path)
    assert supplier.endpoint is None
    assert supplier.mllp.receiver is not None
    assert (supplier.mllp.receiver.environment, supplier.mllp.receiver.attempts) == ("test", 1)
    assert supplier.mllp.sender is not None
    assert [path.name for path in supplier.mllp.sender.recorded] == ["a.hl7"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "mllp: expected [mllp.receiver], [mllp.sender] or both"),
        ({"receiver": {"host": "h"}}, "mllp.receiver.port"),
        ({"receiver": {"host": "h", "port": 70_000}}, "mllp.receiver.port"),
        ({"receiver": {"host": "h", "port": 1, "ca_bundle": "no.pem"}}, "mllp.receiver: ca_bundle"),
        ({"receiver": {"host": "h", "port": 1, "tls": True, "ca_bundle": "no.pem"}}, "ca_bundle: no such file"),
        ({"receiver": {"host": "h", "port": 1, "role": "x"}}, "mllp.receiver.role"),
        ({"sender": {}}, "mllp.sender: expected port"),
        ({"sender": {"host": "0.0.0.0", "port": 5}}, "mllp.sender.host: listening beyond this machine"),
        ({"sender": {"recorded": ["nowhere"]}}, "mllp.sender.recorded.0"),
    ],
)
def test_each_mistake_is_said_with_its_key(given: Any, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        supplier_from(table(given))
    assert any(said in problem for problem in caught.value.problems), caught.value.problems


def test_a_live_line_to_another_machine_needs_tls() -> None:
    given = table({"receiver": {"host": "feed.example", "port": 2575}})
    given["target"]["environment"] = "live"
    with pytest.raises(ConfigurationError, match="needs TLS"):
        supplier_from(given)
