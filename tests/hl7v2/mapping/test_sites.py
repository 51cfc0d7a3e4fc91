"""Site files: every mistake at once, and nothing of a site is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpftconnect.errors import ConfigurationError, UsageError
from mpftconnect.hl7v2 import Site, read_site
from mpftconnect.hl7v2.mapping.site import site_from
from mpftconnect.hl7v2.mapping.tables import GENDER


def test_a_whole_site_file(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(
        """
version = 1
[check]
anything = "is not ours"
[mapping]
name = "acute-rre"
zone = "Europe/London"
authority = "RRE"
nhs_authorities = ["NHSNO"]
ods_fields = ["PD1-3"]
max_document = 5000000
[mapping.authorities]
MRN = "https://rre.example/Id/mrn"
[mapping.code_systems]
L = "https://rre.example/tests"
[mapping.tables."0001"]
X = "other"
[mapping.fields]
"ZPV-3" = "Encounter.service"
[mapping.senders]
"PAS|RRE" = "ZZ123"
""",
        encoding="utf-8",
    )
    site = read_site(file)
    assert (site.name, site.authority, site.max_document) == ("acute-rre", "RRE", 5_000_000)
    codes, way = site.table(GENDER)
    assert codes["X"] == "other" and codes["M"] == "male" and way.back("male") == "M"


@pytest.mark.parametrize(
    ("mapping", "key"),
    [
        ({"zone": "Nowhere/Town"}, "zone"),
        ({"name": ""}, "name"),
        ({"authorities": {"A": "no uri"}}, "authorities"),
        ({"authorities": []}, "authorities"),
        ({"tables": {"0001": "x"}}, "tables"),
        ({"fields": {"PID-3": "Patient.name"}}, "fields.PID-3"),
        ({"fields": {"ZPV-3": "Patient.nothing"}}, "fields.ZPV-3"),
        ({"max_document": 0}, "max_document"),
        ({"max_document": True}, "max_document"),
        ({"ods_fields": [1]}, "ods_fields"),
        ({"colour": 1}, "colour"),
    ],
)
def test_each_mistake_names_its_key(mapping: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        site_from({"version": 1, "mapping": mapping}, "rre.toml")
    assert [problem.startswith(f"rre.toml: mapping.{key}: ") for problem in told.value.problems] == [True]


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as told:
        site_from({"version": 2, "mapping": {"zone": 1, "colour": 1, "name": 2}})
    assert len(told.value.problems) == 4
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_site(tmp_path / "absent.toml")
    (tmp_path / "bad.toml").write_text("version = ", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is not TOML"):
        read_site(tmp_path / "bad.toml")


def test_every_system_is_written_back_to_its_name() -> None:
    site = Site(authorities={"MRN": "https://rre.example/Id/mrn"}, code_systems={"L": "https://rre.example/tests"})
    for name in ("MRN", "GMC", "RRE PAS", "a/b%c", "NHS"):
        uri = site.system_of(name)
        assert site.authority_way.back(uri) == name
    for name in ("L", "LN", "SCT", "HL70078", "local & odd"):
        assert site.code_system_way.back(site.code_system(name)) == name


def test_a_zone_that_does_not_exist_is_refused_and_not_taken_for_no_time() -> None:
    with pytest.raises(UsageError, match="time zone"):
        Site(zone="Nowhere/Town")


def test_an_alert_from_a_text_with_doubled_spaces_has_a_ledger(mapped: Any) -> None:
    site = Site(fields={"ZAL-1": "Flag"})
    made = mapped("ADT^A31", "PID|1||77^^^RRE^MR||DOE^JO", "ZAL|Two  nurses at every visit", site=site)
    (flag,) = [item for item in made.items if type(item).__name__ == "Flag"]
    assert "Two nurses" in flag.words()
    assert {entry.outcome for entry in made.ledger if entry.location == "ZAL-1"} == {"mapped"}
