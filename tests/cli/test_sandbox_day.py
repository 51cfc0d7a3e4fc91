"""A hospital's day as files, for listeners of others."""

from __future__ import annotations

from pathlib import Path

from mpftconnect.hl7v2 import parse


def test_the_messages_are_files_in_the_order_of_arrival(call, tmp_path: Path):
    code, out, _ = call("sandbox", "day", "acute", "--out", str(tmp_path / "day"))
    assert code == 0
    files = sorted((tmp_path / "day").iterdir())
    assert f"wrote {len(files)} messages" in out and len(files) > 40
    assert {parse(file.read_bytes()).type.split("^")[0] for file in files} >= {"ADT", "ORU", "MDM", "SIU"}


def test_a_fault_can_be_switched_on(call, tmp_path: Path):
    assert call("sandbox", "day", "acute", "--out", str(tmp_path), "--fault", "broken-structure")[0] == 0
    assert [file for file in tmp_path.iterdir() if b"\rPID" not in file.read_bytes()]


def test_mistakes_are_said(call, tmp_path: Path):
    for arguments, said in (
        (["pds", "--out", str(tmp_path)], "acute"),
        (["acute", "--out", str(tmp_path), "--fault", "nonsense"], "nonsense"),
        (["acute"], "--out"),
    ):
        code, _, error = call("sandbox", "day", *arguments)
        assert code == 2 and said in error, error
    assert list(tmp_path.iterdir()) == []
