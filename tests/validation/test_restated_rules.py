"""Restated rules: their form, when they apply, that they are always named, and that every one of them is kept."""

from __future__ import annotations

import importlib
import json
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mpftconnect.errors import PackageNotFound, PackageRefused
from mpftconnect.validation import Validator
from mpftconnect.validation.definitions import installed, resolve
from mpftconnect.validation.definitions.resolve import resolve_packages
from mpftconnect.validation.definitions.restated import Restated, read_restated
from mpftconnect.validation.inputs import Input
from mpftconnect.validation.outputs import FORMATS, write_reports

REPOSITORY = Path(__file__).resolve().parents[2]
REFERENCE = REPOSITORY.parent / "shared" / "reference" / "uk-core-constraints.txt"
PACK = "mpftconnect.ukcore-rules"
UK = "https://fhir.hl7.org.uk/StructureDefinition/"
OURS = "urn:mpftconnect:ukcore-rules:"
STU3_SEQUENCE = "fhir.r4.ukcore.stu3.currentbuild"


def patient(claim: str = UK + "UKCore-Patient") -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "meta": {"profile": [claim]},
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}],
    }


def without_value(resource: dict[str, Any]) -> dict[str, Any]:
    """Broken by a rule of UK Core alone: an NHS number without a value."""
    del resource["identifier"][0]["value"]
    return resource


@pytest.fixture(scope="module")
def ours() -> Validator:
    return Validator([PACK])


@pytest.fixture(scope="module")
def pack() -> Restated:
    found = installed.restated_pack(PACK)
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FHIR_PACKAGE_CACHE", str(tmp_path / "none"))


# -- when it applies


def test_a_claim_is_judged_by_our_rules_only_where_they_were_asked_for(ours: Validator) -> None:
    broken = without_value(patient())
    report = ours.validate(broken)
    assert [(f.rule, f.profile) for f in report.findings if f.severity == "error"] == [
        ("cardinality-min", OURS + "UKCore-Patient")
    ]
    assert report.profiles == (OURS + "UKCore-Patient",)
    alone = Validator().validate(broken)
    assert (alone.verdict, alone.restated, alone.profiles) == ("undecided", (), ())


def test_without_them_the_reason_names_both_ways_to_have_it_checked() -> None:
    (skipped,) = Validator().validate(patient()).not_checked
    assert (skipped.rule, skipped.decisive) == ("profile-unknown", True)
    assert f"mpftconnect packages install {STU3_SEQUENCE}" in skipped.reason
    assert f"--package {PACK}" in skipped.reason
    with pytest.raises(PackageNotFound, match=f"--package {PACK}"):
        Validator().validate(patient(), profiles=[UK + "UKCore-Patient"])
    with pytest.raises(PackageNotFound, match=r"in no loaded package$"):
        Validator().validate(patient(), profiles=["https://zz.example.test/none"])
    extension = {
        "resourceType": "Patient",
        "extension": [{"url": UK + "Extension-UKCore-BirthSex", "valueString": "x"}],
    }
    assert f"--package {PACK}" in next(
        n.reason for n in Validator().validate(extension).not_checked if n.rule == "extension-unknown"
    )


@pytest.mark.parametrize(("claim", "known"), [("|2.6.1", True), ("|2.6", True), ("|1.0.0", False)])
def test_another_version_than_is_restated_is_not_checked(ours: Validator, claim: str, known: bool) -> None:
    report = ours.validate(without_value(patient(UK + "UKCore-Patient" + claim)))
    assert report.verdict == ("invalid" if known else "undecided")
    assert bool(report.restated) is known


def test_a_profile_that_is_asked_for_by_its_published_address(ours: Validator) -> None:
    broken = without_value(patient("https://zz.example.test/other"))
    report = ours.validate(broken, profiles=[UK + "UKCore-Patient"])
    assert report.verdict == "invalid"
    assert report.restated


def test_what_is_built_on_restated_rules_says_so_too(ours: Validator) -> None:
    mine = {
        "resourceType": "StructureDefinition",
        "url": "https://zz.example.test/mine",
        "name": "Mine",
        "status": "active",
        "fhirVersion": "4.0.1",
        "kind": "resource",
        "abstract": False,
        "type": "Patient",
        "baseDefinition": UK + "UKCore-Patient",
        "derivation": "constraint",
        "differential": {"element": [{"path": "Patient.gender", "min": 1}]},
    }
    report = ours.with_resources([mine]).validate(without_value(patient("https://zz.example.test/mine")))
    assert sorted(f.rule for f in report.findings if f.severity == "error") == ["cardinality-min", "cardinality-min"]
    assert report.restated == (f"{PACK}@2026.11.25",)


def test_inside_a_bundle(ours: Validator) -> None:
    entry = {"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001", "resource": without_value(patient())}
    report = ours.validate({"resourceType": "Bundle", "type": "collection", "entry": [entry]})
    assert "Bundle.entry[0].resource.identifier[0]" in [f.expression for f in report.findings]
    assert report.restated


def test_what_does_not_rest_on_them_does_not_say_so(ours: Validator) -> None:
    assert ours.validate({"resourceType": "Patient", "gender": "female"}).restated == ()


def test_a_published_package_comes_first(packages: Path) -> None:
    both = Validator([PACK, STU3_SEQUENCE], search_path=[packages])
    report = both.validate(without_value(patient()))
    assert report.profiles == (UK + "UKCore-Patient",)
    assert (report.verdict, report.restated) == ("invalid", ())


def test_it_does_not_answer_to_a_published_name() -> None:
    for name in ("fhir.r4.ukcore.stu2", STU3_SEQUENCE, "UK.Core.r4"):
        with pytest.raises(PackageNotFound, match="mpftconnect packages install"):
            Validator([name])


def test_it_is_for_r4_only() -> None:
    with pytest.raises(PackageRefused, match=r"for FHIR 4\.0\.1"):
        Validator([PACK, "hl7.fhir.r3.core@3.0.2"])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("change", [lambda resource: resource, without_value])
def test_every_form_of_a_report_says_restated_rules(ours: Validator, form: str, change: Any) -> None:
    report = ours.validate(change(patient()))
    text = "\n".join(write_reports(form, iter([(Input("a.json"), report)])))
    assert re.search(r"restated[ _-]rules", text)
    assert f"{PACK}@2026.11.25" in text
    assert "restated rules" in repr(report)


def test_a_lock_holds_its_digest() -> None:
    resolution = resolve_packages([PACK])
    locked: Any = resolution.lock()["packages"]
    lock = {name: (row["version"], row["sha256"]) for name, row in locked.items()}
    assert resolve_packages([PACK], lock=lock).restated
    with pytest.raises(PackageRefused, match="differs from the lock"):
        resolve_packages([PACK], lock={PACK: ("2026.11.25", "0" * 64)})
    with pytest.raises(PackageNotFound):
        resolve_packages([f"{PACK}@2020.1.1"])


# -- found by entry point, without running anything


def test_no_code_of_a_pack_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "zz_hostile" / "rules"
    folder.mkdir(parents=True)
    (tmp_path / "zz_hostile" / "__init__.py").write_text("raise SystemExit('ran')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert installed._folder("zz_hostile.rules") == folder
    assert installed._folder("zz_hostile.absent") is None
    assert installed._folder("zz_nowhere.rules") is None
    assert installed._folder("../etc") is None


def test_a_distribution_may_bring_a_fhir_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package.json").write_text('{"name": "zz.brought", "version": "1.2.0"}', encoding="utf-8")
    monkeypatch.setattr(resolve, "installed_packs", lambda: {"zz.brought": tmp_path})
    assert [str(package) for package in resolve_packages(["zz.brought@1.2.x"]).packages] == ["zz.brought@1.2.0"]
    with pytest.raises(PackageNotFound):
        resolve_packages(["zz.brought@2.0.0"])


# -- the form of a pack

HEAD = """
version = 1
name = "zz.rules"
revision = "1"
fhir = "4.0.1"
of = "ZZ"
instead_of = ["zz.published"]
published = "https://zz.example.test/"
address = "urn:zz:"
"""


def write(folder: Path, rules: str, head: str = HEAD) -> Path:
    (folder / "pack.toml").write_text(head, encoding="utf-8")
    (folder / "rules.toml").write_text(rules, encoding="utf-8")
    return folder


def test_rules_become_a_differential_in_the_order_that_fhir_demands(tmp_path: Path) -> None:
    rules = """
[[profile]]
name = "P"
version = "3"
type = "Patient"
must_support = ["identifier:nhs", "name"]
rules = [
    { at = "identifier:nhs.system", min = 1, fixed = { uri = "https://zz.example.test/n" } },
    { at = "name", max = 2 },
    { at = "identifier", sliced_by = ["value:system"], closed = true },
    { at = ".", rule = { key = "zz-1", severity = "error", expression = "name.exists()", says = "a name" } },
]
[[extension]]
name = "E"
version = "1"
on = ["Patient", "extension https://zz.example.test/O"]
rules = [{ at = "value[x]", types = ["Coding"], bind = { required = "V" } }]
[[value_set]]
name = "V"
include = [{ system = "https://zz.example.test/s", codes = ["a"] }]
"""
    profile, extension, value_set = read_restated(write(tmp_path, rules)).resources
    rows = profile["differential"]["element"]
    assert [row["id"] for row in rows] == [
        "Patient",
        "Patient.identifier",
        "Patient.identifier:nhs",
        "Patient.identifier:nhs.system",
        "Patient.name",
    ]
    assert rows[1]["slicing"] == {"discriminator": [{"type": "value", "path": "system"}], "rules": "closed"}
    assert (rows[2]["sliceName"], rows[2]["mustSupport"]) == ("nhs", True)
    assert rows[3]["fixedUri"] == "https://zz.example.test/n"
    assert profile["url"] == "urn:zz:P"
    assert extension["context"] == [
        {"type": "element", "expression": "Patient"},
        {"type": "extension", "expression": "https://zz.example.test/O"},
    ]
    assert extension["differential"]["element"][0]["fixedUri"] == "https://zz.example.test/E"
    assert extension["differential"]["element"][1]["binding"]["valueSet"] == value_set["url"] == "urn:zz:ValueSet:V"


@pytest.mark.parametrize(
    ("rules", "head", "words"),
    [
        ("[[profile]\n", HEAD, "rules.toml"),
        ('[[profile]]\nname = "P"\nversion = "1"\ntype = "Patient"\nmusst_support = []\n', HEAD, "musst_support"),
        ('[[profile]]\nname = "P"\nversion = "1"\ntype = "Patient"\nrules = [{ at = 1 }]\n', HEAD, "rules.toml"),
        ('[[profile]]\nname = "P"\nversion = "1"\ntype = "Patient"\n' * 2, HEAD, "stated twice"),
        ("", HEAD.replace("zz.rules", "zz.published"), "must not answer"),
        ("", HEAD.replace("urn:zz:", "https://zz.example.test/StructureDefinition/"), "must not answer"),
        ("", HEAD.replace("version = 1", "version = 2"), "pack.toml"),
        ("", "", "pack.toml"),
    ],
)
def test_a_pack_that_is_not_of_the_form_is_refused(tmp_path: Path, rules: str, head: str, words: str) -> None:
    with pytest.raises(PackageRefused, match=words):
        read_restated(write(tmp_path, rules, head))


# -- what is restated is what is published


def test_every_fact_of_the_list_is_restated(pack: Restated) -> None:
    """The list of facts that the pack was made from: each stands in it, and nothing else of these kinds."""
    if not REFERENCE.is_file():
        pytest.skip("the list of facts is not there (shared/reference/uk-core-constraints.txt)")
    compiled = {r["name"]: r for r in pack.resources if r["resourceType"] == "StructureDefinition"}
    compared = 0
    for name, version, facts in _facts(REFERENCE.read_text(encoding="utf-8")):
        assert pack.stands_for[UK + name].version == version
        rows = {row["id"]: row for row in compiled[name]["differential"]["element"]}
        stated = {id_: words for id_, row in rows.items() if (words := _words(row))}
        # A line of the list that is cut off says nothing of the rest; one binding there names no value set.
        last = list(facts)[-1] if facts else ""
        facts.pop("FamilyMemberHistory.dataAbsentReason", None)
        for id_, words in facts.items():
            if id_ in stated:
                assert set(words) <= set(stated[id_]), (name, id_)
                compared += 1
            else:
                assert id_ == last, (name, id_)
        extra = set(stated) - set(facts)
        assert all(":DiastolicBP" in id_ for id_ in extra), (name, extra)
    assert compared > 480


def _facts(text: str) -> Iterator[tuple[str, str, dict[str, list[str]]]]:
    lines = text.splitlines()
    for head, body in zip(lines[::2], lines[1::2], strict=True):
        name, version = head.split()[:2]
        facts = {}
        for part in body.strip().split(" ; ") if body.strip() else ():
            id_, _, words = part.removesuffix("}").partition("{")
            # An invariant's own text may hold commas; only its key is compared.
            facts[id_] = [words.split("[")[0]] if words.startswith("INV") else words.split(",")
        yield name, version, facts


def _words(row: dict[str, Any]) -> list[str]:
    words = [f"INV {constraint['key']}" for constraint in row.get("constraint", ())]
    words += [f"min{row['min']}"] if row.get("min") else []
    words += [f"max{row['max']}"] if "max" in row else []
    words += [f"{key}={value}" for key, value in row.items() if key.startswith("fixed")]
    words += ["MS"] if row.get("mustSupport") else []
    if "binding" in row:
        words.append(f"bind:{row['binding']['strength']}:{row['binding']['valueSet'].rpartition('/')[2]}")
    return words


def test_every_row_of_the_published_differentials_is_restated(packages: Path, pack: Restated) -> None:
    ours_ = {r["url"]: r for r in pack.resources}
    with tarfile.open(next(packages.glob(f"{STU3_SEQUENCE}-*.tgz"))) as archive:
        for member in archive:
            if not Path(member.name).name.startswith("StructureDefinition-"):
                continue
            stream = archive.extractfile(member)
            published = json.load(stream) if stream else {}
            stand_in = pack.stands_for[published["url"]]
            own = ours_[stand_in.address]
            assert stand_in.version == published["version"]
            assert own.get("context") == published.get("context")
            rows = {row["id"]: row for row in own["differential"]["element"]}
            for row in published["differential"]["element"]:
                wanted = _formal(row)
                assert wanted.items() <= _formal(rows.get(row["id"], {})).items(), (published["name"], row["id"])


def _formal(row: dict[str, Any]) -> dict[str, Any]:
    """What a row demands, in a form that can be compared. Root cardinality is left out: nothing is held to it."""
    found = {key: value for key, value in row.items() if key.startswith("fixed")}
    if row.get("min"):
        found["min"] = row["min"]
    if "max" in row and row["max"] != "*" and "." in row.get("path", ""):
        found["max"] = row["max"]
    if row.get("type") and row["type"] != [{"code": "Extension"}]:
        found["type"] = json.dumps(
            [{k: t[k] for k in ("code", "profile", "targetProfile") if k in t} for t in row["type"]]
        )
    if "slicing" in row:
        by = [(d["type"], d["path"]) for d in row["slicing"]["discriminator"]]
        found["slicing"] = json.dumps([by, row["slicing"]["rules"]])
    binding = row.get("binding", {})
    if binding.get("strength") in ("required", "extensible") and binding.get("valueSet"):
        found["binding"] = (binding["strength"], re.split("[/:]", binding["valueSet"])[-1])
    if row.get("constraint"):
        found["rules"] = json.dumps([(c["key"], c["severity"]) for c in row["constraint"]])
    return found


# -- what they catch


@pytest.fixture(scope="module")
def benchmark() -> Iterator[ModuleType]:
    folder = str(REPOSITORY / "benchmarks")
    sys.path.insert(0, folder)
    try:
        yield importlib.import_module("restated_rules")
    finally:
        sys.path.remove(folder)


def test_every_restated_rule_broken_alone_is_caught(benchmark: ModuleType) -> None:
    made, found, wrong = benchmark.each_rule()
    assert {why: [broken.name for broken in which] for why, which in wrong.items()} == {}
    assert found == made
    assert made.total() > 600


def test_published_examples_have_the_same_verdict_but_one(benchmark: ModuleType) -> None:
    folder = benchmark.material()
    if folder is None:
        pytest.skip("no published material: set MPFT_MATERIAL to the folder that holds packages/ and uk-fhir.tgz")
    differ = [line for line in benchmark.verdicts(folder) if line.startswith("- ")]
    # A display of a code system that is not carried.
    assert [line.split("`")[1].partition(".")[0] for line in differ] == ["Extension-UKCore-DeliveryChannel-Example"]


def test_the_page_says_what_is_not_carried(pack: Restated) -> None:
    page = (REPOSITORY / "docs" / "validation" / "uk-core-rules.md").read_text(encoding="utf-8")
    listed = page.partition("<!-- not carried: begin -->")[2].partition("<!-- not carried: end -->")[0]
    assert listed.strip().splitlines() == [f"- {line}" for line in pack.not_carried]
