"""STU3 core in the wheel: judged without a package, a cache or a network, and the same as by the published package."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from mpftconnect.errors import PackageNotFound
from mpftconnect.validation import Validator
from mpftconnect.validation.definitions.core_pack import load_core_pack
from mpftconnect.validation.definitions.make_core_pack import prune
from mpftconnect.validation.definitions.make_stu3_pack import JSON_SHA256, XML_SHA256
from mpftconnect.validation.definitions.resolve import resolve_packages

STU3 = "hl7.fhir.r3.core"


@pytest.fixture
def nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who has no packages."""
    monkeypatch.setenv("FHIR_PACKAGE_CACHE", str(tmp_path / "none"))


@pytest.mark.usefixtures("nothing_else")
@pytest.mark.parametrize("wanted", [f"{STU3}@3.0.2", f"{STU3}@3.0.1", STU3, f"{STU3}@3.0.x"])
def test_stu3_needs_nothing_but_the_wheel(wanted: str) -> None:
    validator = Validator(packages=[wanted])
    assert (validator.packages, validator.fhir_version) == ((f"{STU3}@3.0.2",), "3.0")
    # `animal` and codes of HL7 v2 and v3 under hl7.org/fhir are STU3's alone.
    good = {
        "resourceType": "Patient",
        "gender": "female",
        "animal": {"species": {"text": "dog"}},
        "maritalStatus": {"coding": [{"system": "http://hl7.org/fhir/v3/MaritalStatus", "code": "M"}]},
    }
    report = validator.validate(good)
    assert (report.verdict, report.not_checked) == ("valid", ())
    good["maritalStatus"]["coding"][0]["code"] = "Q"  # type: ignore[index]
    assert [f.rule for f in validator.validate(good).findings] == ["code-unknown", "binding-extensible"]
    assert validator.validate({"resourceType": "Patient", "gender": "femal"}).verdict == "invalid"
    assert validator.validate({"resourceType": "MedicationKnowledge"}).findings[0].rule == "resource-type"


@pytest.mark.usefixtures("nothing_else")
def test_another_version_is_not_taken_for_it_and_how_to_get_it_is_said() -> None:
    with pytest.raises(PackageNotFound, match=r"mpftconnect packages install hl7\.fhir\.r3\.core@3\.0\.0"):
        Validator(packages=[f"{STU3}@3.0.0"])


def test_a_lock_that_names_it_means_the_package_that_was_locked(tmp_path: Path) -> None:
    with pytest.raises(PackageNotFound):
        resolve_packages([STU3], [tmp_path], lock={STU3: ("3.0.2", "0" * 64)})


def test_the_pack_says_what_it_is_made_from() -> None:
    assert load_core_pack("stu3core").package["madeFromSha256"] == [JSON_SHA256, XML_SHA256]


def test_the_pack_holds_what_an_independent_copy_says(packages: Path) -> None:
    pack = load_core_pack("stu3core")
    held = {(head.resourceType, head.url, head.id): place for head, place in pack.heads()}
    compared = 0
    with tarfile.open(next(packages.glob("hl7.fhir.r3.core-3.0.2.tgz"))) as archive:
        for member in archive:
            kind = Path(member.name).name.partition("-")[0]
            stream = archive.extractfile(member)
            if stream is None or kind not in ("StructureDefinition", "ValueSet", "CodeSystem"):
                continue
            kept = prune(json.load(stream))
            assert kept is not None
            place = held.pop((kept["resourceType"], kept.get("url", ""), kept.get("id", "")))
            assert pack.read(place) == kept, member.name
            compared += 1
    assert compared > 2500
    assert held == {}
