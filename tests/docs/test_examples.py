"""Every example runs as a user would run it, prints something, and says nothing on standard error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))

# A line that shows the example did what it is for, and not only that it ended well.
SHOWS = {
    "check_before_acting.py": "NOT COMPLETE.",
    "find_a_person.py": "Differs from what you have:",
    "listen_to_events.py": '{"code": "read-finished"',
    "read_a_record.py": "never shown here",
    "read_from_asyncio.py": "items,",
    "who_asks.py": "Refused (",
}


def test_each_example_is_known_and_listed() -> None:
    assert {script.name for script in SCRIPTS} == set(SHOWS)
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [script.name for script in SCRIPTS if script.name not in listed] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_an_example_runs(script: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert SHOWS[script.name] in done.stdout
    assert done.stderr == ""
