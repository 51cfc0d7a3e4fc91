"""`pip install` and an aeroplane suffice: the built wheel, in an environment of its own, with no way to a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
UK = "https://fhir.hl7.org.uk/StructureDefinition/UKCore-Patient"
# What runs in the new environment: the real command, where opening any socket is a fault of its own.
FLYING = """
import sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise SystemExit("the network was used")
sys.addaudithook(refuse)
from mpftconnect.cli import main
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that holds the wheel; its dependencies are those of this environment."""
    pytest.importorskip("hatchling", reason="the extra test is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "env")], check=True)
    binary = folder / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.run([binary, "-c", where], check=True, capture_output=True, text=True).stdout.strip())
    # What an installer does with a pure wheel, but for the scripts.
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)], check=True)
    # A folder that a .pth names has its own .pth files left alone, so an editable install here is not seen there.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return binary


def validate(python: Path, folder: Path, resource: dict[str, object], *arguments: str) -> dict[str, object]:
    file = folder / "one.json"
    file.write_text(json.dumps(resource), encoding="utf-8")
    command = [str(python), "-c", FLYING, "validate", str(file), "--format", "ndjson", *arguments]
    ran = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "FHIR_PACKAGE_CACHE": str(folder / "none"), "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout, ran.stderr
    row: dict[str, object] = json.loads(ran.stdout)
    return row


def test_r4_stu3_and_restated_uk_core_need_no_network(python: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [python, "-c", "import mpftconnect; print(mpftconnect.__file__)"], capture_output=True, text=True, check=True
    )
    assert str(REPOSITORY) not in ran.stdout
    broken = {
        "resourceType": "Patient",
        "meta": {"profile": [UK]},
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number"}],
    }
    row = validate(python, tmp_path, broken, "--package", "mpftconnect.ukcore-rules")
    assert (row["verdict"], row["restated_rules"]) == ("invalid", ["mpftconnect.ukcore-rules@2026.11.25"])
    assert validate(python, tmp_path, broken)["verdict"] == "undecided"
    animal: dict[str, object] = {"resourceType": "Patient", "animal": {"species": {"text": "dog"}}}
    assert validate(python, tmp_path, animal)["verdict"] == "invalid"
    assert validate(python, tmp_path, animal, "--package", "hl7.fhir.r3.core@3.0.2")["verdict"] == "valid"
