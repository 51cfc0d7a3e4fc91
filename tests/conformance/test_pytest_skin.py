"""The pytest skin: one item a requirement, nothing without being asked, nothing green that was not passed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mpftconnect.plugins import load_plugins
from mpftconnect.sandbox import PEOPLE, Sandbox, person

SUPPLIER = """
version = 1
[product]
name = "P"
version = "1"
supplier = "S"
ods = "ZZ999"
[target]
environment = "test"
base_url = "{url}/fhir"
package = "mpftconnect.ukcore-rules"
allow_writes = true
auth = {{ kind = "bearer" }}
secrets = {{ token = {{ file = "token" }} }}
[authorised_by]
name = "A"
organisation = "B"
date = 2026-01-01
scope = "all"
[people.full]
nhs_number = "{full}"
entered = 2026-01-01
[people.sparse]
nhs_number = "{sparse}"
entered = 2026-01-01
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_requirement_is_an_item(tmp_path: Path) -> None:
    with Sandbox(load_plugins(), PEOPLE, only=["uk-core"], faults={"uk-core": ["filler"]}) as sandbox:
        full, sparse = person("full").nhs_number, person("sparse").nhs_number
        url = sandbox.hosts["uk-core"].base_url
        (tmp_path / "supplier.toml").write_text(SUPPLIER.format(url=url, full=full, sparse=sparse), encoding="utf-8")
        (tmp_path / "token").write_text(sandbox.twins["uk-core"].token)  # type: ignore[attr-defined]
        done = run(
            tmp_path, "--mpft-supplier", "supplier.toml", "--mpft-pack", "uk-core-r4", "--mpft-report", "report", "-v"
        )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "12 passed" in done.stdout
    assert "1 failed" in done.stdout
    assert "UKC-08 What is not known is left out" in done.stdout
    assert "likely cause: supplier" in done.stdout
    assert "Not a DTAC assessment or NHS endorsement." in done.stdout
    assert (tmp_path / "report" / "report.json").is_file()
    assert str(full) not in done.stdout


def test_without_being_asked_nothing_is_collected(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text("def test_one():\n    assert True\n")
    done = run(tmp_path, "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
