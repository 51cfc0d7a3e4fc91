"""Licensed terminologies that the user imported: what an index says, and what it must not say."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import BASE, PATIENT, profile, rules
from releases import (
    CLINICAL,
    CORE,
    DRUG,
    FINDING,
    GB,
    REALM,
    US,
    Rf2,
    bomb,
    concept_id,
    dmd_files,
    loinc_files,
    unzipped,
    zipped,
)

from mpftconnect.errors import ConfigurationError, PackageNotFound, PackageRefused, UsageError
from mpftconnect.validation import Options, Report, Validator
from mpftconnect.validation.terminology.code_systems import DMD, LOINC, SNOMED
from mpftconnect.validation.terminology.ecl import NotParsed, judge, parse_ecl
from mpftconnect.validation.terminology.imported import TerminologyStore
from mpftconnect.validation.terminology.releases import files as release_files
from mpftconnect.validation.terminology.releases.importing import import_release
from mpftconnect.validation.terminology.releases.place import default_store
from mpftconnect.validation.terminology.releases.sctid import check_digit, is_concept_id

HEART, LEFT, RIGHT, OLD = (concept_id(number) for number in (90001, 90002, 90003, 90004))
MEMBERS = concept_id(90010)
LOCAL = concept_id(77, "1000000")
MEDICINE = concept_id(77, "1000001")
VS = "https://zz.example.test/vs"


def edition(**more: Any) -> Rf2:
    rf2 = Rf2(**more)
    rf2.concept(FINDING, "Clinical finding")
    rf2.concept(HEART, "Heart finding", "Finding of heart", under=[FINDING])
    rf2.concept(LEFT, "Left heart finding", under=[HEART])
    rf2.concept(RIGHT, "Right heart finding", under=[HEART, FINDING])
    rf2.concept(OLD, "Former finding", active=False)
    rf2.concept(MEMBERS, "Zz reference set")
    rf2.member(MEMBERS, LEFT)
    rf2.member(MEMBERS, RIGHT, active=False)
    return rf2


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An International edition, dm+d and LOINC."""
    folder = tmp_path_factory.mktemp("terminology")
    for name, files in (("s.zip", edition().files()), ("nhsbsa_dmd_4.1.0_20260406000001.zip", dmd_files())):
        import_release([zipped(folder / name, files)], store=folder / "store")
    import_release([zipped(folder / "Loinc_2.80.zip", loinc_files())], store=folder / "store")
    return folder / "store"


@pytest.fixture(scope="module")
def validator(store: Path) -> Validator:
    return Validator(terminology=store)


def coded(code: str, system: str = SNOMED, **more: Any) -> dict[str, Any]:
    return {**PATIENT, "maritalStatus": {"coding": [{"system": system, "code": code, **more}]}}


def said(report: Report) -> list[tuple[str, str]]:
    """What a report says of codes and displays by themselves."""
    of_findings = [(f.severity, f.rule) for f in report.findings if f.rule.startswith(("code", "display"))]
    return of_findings + [("not checked", n.rule) for n in report.not_checked if n.rule.startswith(("code", "display"))]


def member(validator: Validator, include: dict[str, Any], code: str, system: str = SNOMED) -> bool | None:
    value_set = {"resourceType": "ValueSet", "url": VS, "status": "active", "compose": {"include": [include]}}
    return validator.with_resources([value_set])._checks.coded.value_sets.member(VS, system, code).member


def of_constraint(validator: Validator, text: str, code: str) -> bool | None:
    return member(validator, {"system": SNOMED, "filter": [{"property": "constraint", "op": "=", "value": text}]}, code)


# -- SNOMED CT: codes, displays, versions


def test_codes_exist_are_inactive_or_unknown(validator: Validator) -> None:
    assert said(validator.validate(coded(HEART))) == []
    inactive = validator.validate(coded(OLD))
    assert said(inactive) == [("warning", "code-inactive")] and inactive.verdict == "valid"
    assert said(validator.validate(coded(concept_id(91234)))) == [("error", "code-unknown")]
    for wrong in ("404684004", "4046840", "abc", "1" * 30, "100014", f"0{FINDING}", "\ud800", "\u0664" * 8):
        assert said(validator.validate(coded(wrong))) == [("error", "code-unknown")], wrong


def test_what_the_edition_does_not_cover_is_undecided(validator: Validator) -> None:
    for code, name in ((MEDICINE, "UK Drug"), (LOCAL, "UK Clinical"), (concept_id(5, "1999999"), "1999999")):
        report = validator.validate(coded(code))
        assert said(report) == [("not checked", "code-unknown")]
        assert any(name in n.reason for n in report.not_checked if n.rule == "code-unknown")
        assert of_constraint(validator, f"<< {FINDING}", code) is None
    assert said(validator.validate(coded(f"{HEART} |Heart| : {LEFT} = {RIGHT}"))) == [("not checked", "code-unknown")]
    # A code of another version is not called unknown by this one.
    later = coded(concept_id(91234), version=f"http://snomed.info/sct/{CORE}/version/20990101")
    assert said(validator.validate(later)) == [("not checked", "code-unknown")]
    same = coded(concept_id(91234), version=f"http://snomed.info/sct/{CORE}/version/20260401")
    assert said(validator.validate(same)) == [("error", "code-unknown")]


def test_nothing_imported_is_not_checked_with_a_hint(core: Validator) -> None:
    report = core.validate(coded(HEART))
    assert said(report) == [("not checked", "code-unknown")]
    assert any("packages import-terminology" in n.reason for n in report.not_checked)


def test_releases_make_one_edition_together(tmp_path: Path) -> None:
    uk = Rf2("20260501", letters="UKCL", issuer="GB1000000")
    uk.concept(LOCAL, "Local finding", under=[HEART], module=CLINICAL, dialect=REALM)
    # The later state of an international concept, from the extension's release.
    uk.concept(LEFT, "Left heart finding", active=False, date="20260501")
    drug = Rf2("20260503", letters="UKDG", issuer="GB1000001")
    drug.concept(MEDICINE, "Zzolinium 5mg tablets", module=DRUG)
    releases = [
        zipped(tmp_path / "uk.zip", {**edition().files(), **uk.files()}),
        unzipped(tmp_path / "drug", drug.files()),
    ]
    made = import_release(releases, store=tmp_path / "store")
    assert (made.edition, made.version, made.malformed) == ("International + UK Clinical + UK Drug", "20260503", 0)
    validator = Validator(terminology=tmp_path / "store")
    assert said(validator.validate(coded(LOCAL))) == said(validator.validate(coded(MEDICINE))) == []
    assert said(validator.validate(coded(concept_id(78, "1000001")))) == [("error", "code-unknown")]
    assert said(validator.validate(coded(LEFT))) == [("warning", "code-inactive")]
    assert of_constraint(validator, f"<< {FINDING}", LOCAL) is True


def test_a_full_release_is_read_as_it_last_was(tmp_path: Path) -> None:
    full = edition(kind="Full")
    full.concept(HEART, active=False, date="20250101")  # an older state, later in the file
    full.concept(LEFT, active=False, date="20260901")
    number = full.is_a(OLD, FINDING, date="20240101")
    full.is_a(OLD, FINDING, active=False, date="20250101", number=number)
    member_ = full.member(MEMBERS, OLD, date="20240101")
    full.member(MEMBERS, OLD, date="20250101", active=False, number=member_)
    import_release([zipped(tmp_path / "s.zip", full.files())], store=tmp_path / "store")
    found = TerminologyStore(tmp_path / "store").find(SNOMED)
    assert found is not None
    assert [found.active(code) for code in (HEART, LEFT, OLD)] == [True, False, False]
    assert found.under(OLD, FINDING) is False
    assert found.passes("concept", "in", MEMBERS, OLD) is False


def test_a_snapshot_is_preferred_to_the_full_files_beside_it(tmp_path: Path) -> None:
    full = Rf2(kind="Full")
    full.concept(concept_id(95000), "Only in the full file")
    import_release([zipped(tmp_path / "s.zip", {**edition().files(), **full.files()})], store=tmp_path / "store")
    found = TerminologyStore(tmp_path / "store").find(SNOMED)
    assert found is not None and found.has(concept_id(95000)) is False and found.has(HEART) is True


def test_displays_are_british_first_and_every_acceptable_one_counts(tmp_path: Path) -> None:
    rf2 = edition()
    oedema = rf2.concept(concept_id(92000), "Oedema", "Oedematous", dialect=GB)
    rf2._describe(oedema, "Edema", "900000000000013009", "900000000000548007", US, CORE, "20260401")
    import_release([zipped(tmp_path / "s.zip", rf2.files())], store=tmp_path / "store")
    validator = Validator(terminology=tmp_path / "store")
    for display in ("Oedema", "oedematous", "Edema", "Oedema (finding)"):
        assert said(validator.validate(coded(oedema, display=display))) == [], display
    report = validator.validate(coded(oedema, display="Heart finding"))
    assert said(report) == [("error", "display")]
    assert "Oedema" not in report.findings[0].message, "the right display is a value, as the code is"
    shown = validator.validate(coded(oedema, display="Heart finding"), options=Options(show_values=True))
    assert next(f.message for f in shown.findings if f.rule == "display").endswith(": Oedema (it is 'Heart finding')")
    lenient = validator.validate(coded(oedema, display="Heart finding"), options=Options(check_display="warning"))
    assert ("warning", "display") in said(lenient)


# -- SNOMED CT: value sets


@pytest.mark.parametrize(
    ("filter_", "inside", "outside"),
    [
        (("concept", "is-a", HEART), [HEART, LEFT, RIGHT], [FINDING, OLD]),
        (("concept", "descendent-of", HEART), [LEFT], [HEART, FINDING]),
        (("concept", "is-not-a", HEART), [FINDING, OLD], [HEART, LEFT]),
        (("concept", "=", LEFT), [LEFT], [RIGHT]),
        (("concept", "in", MEMBERS), [LEFT], [RIGHT, HEART]),
        (("concept", "in", f"^{MEMBERS}"), [LEFT], [RIGHT, HEART]),
        (("constraint", "=", f"<< {HEART} |Heart finding|"), [HEART, LEFT], [FINDING]),
        (("constraint", "=", f"< {HEART}"), [LEFT], [HEART]),
        (("constraint", "=", f"<! {FINDING}"), [HEART, RIGHT], [LEFT]),
        (("constraint", "=", f"> {LEFT}"), [HEART, FINDING], [LEFT, RIGHT]),
        (("constraint", "=", f">> {LEFT}"), [LEFT, HEART], [RIGHT]),
        (("constraint", "=", f">! {LEFT}"), [HEART], [FINDING]),
        (("constraint", "=", f"^ {MEMBERS}"), [LEFT], [RIGHT]),
        (
            ("constraint", "=", f"descendantOrSelfOf {HEART} minus (memberOf {MEMBERS} or {RIGHT})"),
            [HEART],
            [LEFT, RIGHT],
        ),
        (("constraint", "=", f"(<< {HEART} AND ^ {MEMBERS}) OR {FINDING}"), [LEFT, FINDING], [RIGHT, HEART]),
        (("constraint", "=", f"<< ({LEFT} OR {RIGHT})"), [LEFT, RIGHT], [HEART]),
        (("constraint", "=", "*"), [HEART], [OLD, concept_id(91234)]),
        (("parent", "=", HEART), [LEFT], [HEART]),
        (("inactive", "=", "true"), [OLD], [HEART]),
    ],
)
def test_filters(validator: Validator, filter_: tuple[str, str, str], inside: list[str], outside: list[str]) -> None:
    prop, op, value = filter_
    include = {"system": SNOMED, "filter": [{"property": prop, "op": op, "value": value}]}
    assert [member(validator, include, code) for code in inside] == [True] * len(inside)
    assert [member(validator, include, code) for code in outside] == [False] * len(outside)


@pytest.mark.parametrize(
    "text",
    [
        f"<< {HEART} : {LEFT} = {RIGHT}", f"<< {HEART} {{{{ term = \"x\" }}}}", f"<< {HEART} . {LEFT}",
        f"[0..1] {HEART}",
        f"{HEART} OR {LEFT} AND {RIGHT}", f"{HEART} MINUS {LEFT} MINUS {RIGHT}", f"({HEART}", f"{HEART})", "",
        f"{HEART} {LEFT}", "<<", "|term|", f"{HEART} |no end", "(" * 500 + HEART + ")" * 500, "<" * 3000 + HEART,
        f"^ << {HEART}", "frobnicate 404684003", "40468400" + "3" * 40,
    ],
)  # fmt: skip
def test_what_is_not_read_of_an_expression_is_not_checked(validator: Validator, text: str) -> None:
    with pytest.raises(NotParsed):
        parse_ecl(text)
    assert of_constraint(validator, text, HEART) is None


@given(st.text(alphabet="<>!^*(),|: 0123456789ORANDMINUSof{}[]./", max_size=60))
def test_any_text_is_an_expression_or_is_refused(text: str) -> None:
    with contextlib.suppress(NotParsed):
        judge(parse_ecl(text), HEART, Nothing())


class Nothing:
    """An edition that knows nothing."""

    def has(self, code: str) -> bool | None:
        return None

    def active(self, code: str) -> bool | None:
        return None

    def under(self, code: str, ancestor: str) -> bool | None:
        return None

    def child(self, code: str, parent: str) -> bool | None:
        return None

    def member(self, code: str, refset: str) -> bool | None:
        return None


def test_a_filter_over_what_the_edition_has_not_is_undecided(validator: Validator) -> None:
    for value in (MEDICINE, concept_id(91234)):
        assert (
            member(
                validator, {"system": SNOMED, "filter": [{"property": "concept", "op": "is-a", "value": value}]}, HEART
            )
            is None
        )
        assert (
            member(
                validator, {"system": SNOMED, "filter": [{"property": "concept", "op": "in", "value": value}]}, HEART
            )
            is None
        )
    # Three-valued: what is certain is said in spite of what is not.
    assert of_constraint(validator, f"{HEART} OR ^{MEDICINE}", HEART) is True
    assert of_constraint(validator, f"{LEFT} OR ^{MEDICINE}", HEART) is None
    assert of_constraint(validator, f"{LEFT} AND ^{MEDICINE}", HEART) is False
    assert of_constraint(validator, f"{HEART} MINUS ^{MEDICINE}", HEART) is None


@pytest.mark.parametrize(
    ("address", "inside", "outside"),
    [
        ("http://snomed.info/sct?fhir_vs", [HEART, OLD], [concept_id(91234)]),
        (f"http://snomed.info/sct?fhir_vs=isa/{HEART}", [HEART, LEFT], [FINDING]),
        (f"http://snomed.info/sct?fhir_vs=refset/{MEMBERS}", [LEFT], [RIGHT]),
        (f"http://snomed.info/sct?fhir_vs=ecl/%3C%20{HEART}", [LEFT], [HEART]),
        (f"http://snomed.info/sct/{CORE}/version/20260401?fhir_vs=isa/{HEART}", [LEFT], [FINDING]),
    ],
)
def test_value_sets_without_a_definition(
    validator: Validator, address: str, inside: list[str], outside: list[str]
) -> None:
    sets = validator._checks.coded.value_sets
    assert [sets.member(address, SNOMED, code).member for code in inside] == [True] * len(inside)
    assert [sets.member(address, SNOMED, code).member for code in outside] == [False] * len(outside)
    for other in (f"{CORE}/version/20200101", f"{DRUG}/version/20260401", DRUG):
        edition_ = address.replace(f"/{CORE}/version/20260401", "").replace("/sct?", f"/sct/{other}?")
        assert sets.member(edition_, SNOMED, inside[0]).member is None, "an edition that was not imported"
    assert sets.member("http://snomed.info/sct?fhir_vs=frob/1", SNOMED, HEART).member is None


def test_a_circle_in_the_hierarchy_ends(tmp_path: Path) -> None:
    rf2 = edition()
    rf2.is_a(FINDING, LEFT)
    import_release([zipped(tmp_path / "s.zip", rf2.files())], store=tmp_path / "store")
    found = TerminologyStore(tmp_path / "store").find(SNOMED)
    assert found is not None and found.under(HEART, LEFT) is True and found.under(HEART, OLD) is False


def test_stated_relationships_are_no_hierarchy(tmp_path: Path) -> None:
    rf2 = edition()
    rf2.is_a(OLD, FINDING, sort="900000000000010007")
    import_release([zipped(tmp_path / "s.zip", rf2.files())], store=tmp_path / "store")
    found = TerminologyStore(tmp_path / "store").find(SNOMED)
    assert found is not None and found.under(OLD, FINDING) is False


def test_one_validator_serves_many_threads(validator: Validator) -> None:
    verdicts: list[list[tuple[str, str]]] = []

    def work() -> None:
        for code in [HEART, OLD, concept_id(91234)] * 20:
            verdicts.append(said(validator.validate(coded(code))))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(verdicts) == 240 and verdicts.count([]) == 80


def test_a_required_binding_has_three_verdicts(validator: Validator) -> None:
    bound = profile(
        "bound",
        "Patient",
        {
            "path": "Patient.maritalStatus",
            "binding": {"strength": "required", "valueSet": f"http://snomed.info/sct?fhir_vs=isa/{HEART}"},
        },
    )
    # The type's own binding of the element would speak too.
    judging = validator.with_resources([bound])

    def verdict(code: str, **more: str) -> tuple[str, list[str]]:
        report = judging.validate(coded(code, **more), [BASE + "bound"])
        return report.verdict, [n.reason for n in report.not_checked if n.rule == "binding-required"]

    assert verdict(LEFT) == ("valid", [])
    assert verdict(FINDING) == ("invalid", [])
    assert verdict(OLD) == ("invalid", []), "an inactive concept is under nothing"
    undecided, reasons = verdict(MEDICINE)
    assert undecided == "undecided" and "without UK Drug" in reasons[0]
    later = f"http://snomed.info/sct/{CORE}/version/20990101"
    undecided, reasons = verdict(FINDING, version=later)
    assert undecided == "undecided" and "not the imported one" in reasons[0]
    assert verdict(FINDING, version=f"http://snomed.info/sct/{CORE}/version/20260401")[0] == "invalid"


# -- dm+d and LOINC


def test_dmd(validator: Validator) -> None:
    assert said(validator.validate(coded("90000002", DMD, display="Zzolinium 5mg tablets"))) == []
    assert said(validator.validate(coded("90000005", DMD, display="Zzol 5mg tablets (Zz Ltd)"))) == []
    assert said(validator.validate(coded("90000003", DMD))) == [("warning", "code-inactive")]
    assert said(validator.validate(coded("90000009", DMD))) == [("warning", "code-inactive")], "a previous identifier"
    assert said(validator.validate(coded("90000099", DMD))) == [("error", "code-unknown")]
    for kind, code in (("VTM", "90000001"), ("VMP", "90000002"), ("AMPP", "90000006"), ("INGREDIENT", "90000007")):
        include = {"system": DMD, "filter": [{"property": "parent", "op": "=", "value": kind}]}
        assert member(validator, include, code, DMD) is True
        assert member(validator, include, "90000008", DMD) is False
    under = {"system": DMD, "filter": [{"property": "concept", "op": "is-a", "value": "90000001"}]}
    assert [member(validator, under, code, DMD) for code in ("90000002", "90000006", "90000003")] == [True, True, False]


def test_dmd_of_which_a_file_is_absent_does_not_deny_a_code(tmp_path: Path) -> None:
    files = {name: data for name, data in dmd_files().items() if "ampp" not in name}
    import_release([unzipped(tmp_path / "dmd", files)], store=tmp_path / "store")
    found = TerminologyStore(tmp_path / "store").find(DMD)
    assert found is not None and found.has("90000006") is None and found.has("zz") is False


def test_loinc(validator: Validator) -> None:
    assert said(validator.validate(coded("99990-1", LOINC, display="Zz [Mass/volume], in Serum"))) == []
    assert said(validator.validate(coded("99991-9", LOINC, display='Zz "note"'))) == []
    assert said(validator.validate(coded("lp99999-1", LOINC))) == [], "codes are not case-sensitive"
    assert said(validator.validate(coded("99992-7", LOINC))) == [("warning", "code-inactive")]
    for wrong in ("88888-8", "\ud800-1", "x"):
        assert said(validator.validate(coded(wrong, LOINC))) == [("error", "code-unknown")]
    assert said(validator.validate(coded("LA1-1", LOINC))) == [("not checked", "code-unknown")], (
        "no answers in the release"
    )
    for prop, op, value, code, expected in (
        ("SCALE_TYP", "=", "DOC", "99991-9", True),
        ("SCALE_TYP", "=", "Doc", "99990-1", False),
        ("SCALE_TYP", "=", "LP99999-1", "99990-1", True),
        ("CLASSTYPE", "=", "1", "99990-1", True),
        ("concept", "is-a", "LP99998-3", "99990-1", True),
        ("concept", "is-a", "LP99998-3", "99991-9", False),
        ("parent", "=", "LP99997-5", "99990-1", True),
        ("parent", "=", "LP99998-3", "99990-1", False),
        ("frob", "regex", "x", "99990-1", None),
    ):
        include = {"system": LOINC, "filter": [{"property": prop, "op": op, "value": value}]}
        assert member(validator, include, code, LOINC) is expected, (prop, value)
    assert validator._checks.coded.value_sets.member("http://loinc.org/vs", LOINC, "99990-1").member is True


def test_loinc_without_its_hierarchy_does_not_deny_one(tmp_path: Path) -> None:
    import_release([zipped(tmp_path / "l.zip", loinc_files(accessories=False))], store=tmp_path / "store")
    found = TerminologyStore(tmp_path / "store").find(LOINC)
    assert found is not None
    assert found.passes("concept", "is-a", "LP99998-3", "99990-1") is None
    assert found.passes("parent", "=", "LP99998-3", "99990-1") is None
    assert found.has("LP99999-1") is None
    files = {name: data for name, data in loinc_files().items() if "Hierarchy" not in name}
    import_release([zipped(tmp_path / "l.zip", files)], store=tmp_path / "parts")
    with_parts = TerminologyStore(tmp_path / "parts").find(LOINC)
    assert with_parts is not None and with_parts.has("LP99999-1") is True
    assert with_parts.passes("concept", "is-a", "LP99999-1", "99990-1") is None
    assert found.version == "2.80"


# -- imports that go wrong


def test_rows_that_cannot_be_read_are_listed_and_deny_nothing(tmp_path: Path) -> None:
    rf2 = edition()
    rf2.rows["Concept"].insert(2, "404684004\t20260401\t1\t900000000000207008\t900000000000074008")
    rf2.rows["Concept"].append("too\tfew")
    rf2.rows["Simple"].append("not-a-uuid\t20260401\t1\t1\t1\t1")
    files = rf2.files()
    name = next(name for name in files if "Description" in name)
    files[name] += b"1\t20260401\t1\t2\t3\ten\t900000000000013009\t\xff\xfe\t1\r\n"
    told: list[str] = []
    made = import_release([zipped(tmp_path / "s.zip", files)], store=tmp_path / "store", tell=told.append)
    assert made.malformed == len(made.problems) == 4
    places = sorted(text.split(": ")[0] for text in made.problems)
    assert places == [
        "der2_Refset_SimpleSnapshot_INT_20260401.txt, line 4",
        "sct2_Concept_Snapshot_INT_20260401.txt, line 4",
        "sct2_Concept_Snapshot_INT_20260401.txt, line 9",
        "sct2_Description_Snapshot-en_INT_20260401.txt, line 15",
    ]
    assert set(made.problems) <= set(told)
    assert not any("404684004" in text for text in told), "no content of a row is repeated"
    validator = Validator(terminology=tmp_path / "store")
    assert said(validator.validate(coded(HEART))) == []
    assert said(validator.validate(coded(concept_id(91234)))) == [("not checked", "code-unknown")]
    assert of_constraint(validator, f"<< {HEART}", FINDING) is None


def test_broken_csv_and_xml_are_listed_or_refused(tmp_path: Path) -> None:
    files = loinc_files()
    name = "Loinc_2.80/LoincTable/Loinc.csv"
    files[name] += b"99993-5,short\r\nnot a code" + b"," * 12 + b"\r\n"
    made = import_release([zipped(tmp_path / "l.zip", files)], store=tmp_path / "store")
    assert [text.split(": ")[0] for text in made.problems] == ["Loinc.csv, line 5", "Loinc.csv, line 6"]
    broken = {**dmd_files(), "f_vtm2_3010426.xml": b"<A><VTM><NM>no id</NM></VTM>\n<VTM><VTMID>1</VTMID></VTM></A>"}
    made = import_release([zipped(tmp_path / "d.zip", broken)], store=tmp_path / "store")
    assert [text.split(": ")[0] for text in made.problems] == [
        "f_vtm2_3010426.xml, line 1",
        "f_vtm2_3010426.xml, line 2",
    ]
    entities = b'<!DOCTYPE a [<!ENTITY b "bbbb">]><A><VTM><VTMID>1</VTMID><NM>&b;</NM></VTM></A>'
    outside = b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><A><VTM><VTMID>1</VTMID><NM>b</NM></VTM></A>'
    for data in (entities, outside, b"<A><VTM>", b"<A>" * 100, b""):
        with pytest.raises(PackageRefused):
            import_release([zipped(tmp_path / "d.zip", {"f_vtm2_3010426.xml": data})], store=tmp_path / "other")


def test_a_failed_import_leaves_the_former_index(tmp_path: Path) -> None:
    store = tmp_path / "store"
    import_release([zipped(tmp_path / "s.zip", edition().files())], store=store)
    before = (store / "snomed.sqlite").read_bytes()
    files = edition().files()
    concepts = next(name for name in files if "Concept" in name)
    files[concepts] = b"other\tcolumns\r\n"
    with pytest.raises(PackageRefused, match="columns"):
        import_release([zipped(tmp_path / "s.zip", files)], store=store)
    assert (store / "snomed.sqlite").read_bytes() == before
    # What a killed import left behind is removed by the next.
    (store / ".importing-left").mkdir()
    (store / ".importing-left" / "staging.sqlite").write_bytes(b"x")
    import_release([zipped(tmp_path / "s.zip", edition().files())], store=store)
    assert sorted(path.name for path in store.iterdir()) == [".import-lock", "snomed.sqlite"]
    assert stat.S_IMODE(store.stat().st_mode) == 0o700


def test_two_imports_do_not_meet(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    release = zipped(tmp_path / "s.zip", edition().files())
    other = sqlite3.connect(store / ".import-lock", isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ConfigurationError, match="another import"):
            import_release([release], store=store)
    finally:
        other.close()
    import_release([release], store=store)


def test_hostile_archives_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.zip"
    path.write_bytes(bomb())
    assert path.stat().st_size < 200_000
    with pytest.raises(PackageRefused, match="compressed"):
        import_release([path], store=tmp_path / "store")
    for name in ("../sct2_Concept_Snapshot_INT_20260401.txt", "/etc/sct2_Concept_Snapshot_INT_20260401.txt"):
        with pytest.raises(PackageRefused, match="leaves the release"):
            import_release([zipped(path, {name: b""})], store=tmp_path / "store")
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("Loinc.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(PackageRefused, match="link"):
        import_release([path], store=tmp_path / "store")
    folder = unzipped(tmp_path / "folder", edition().files())
    (folder / "Loinc.csv").symlink_to("/etc/passwd")
    with pytest.raises(PackageRefused, match="leaves the release"):
        import_release([folder], store=tmp_path / "store")
    monkeypatch.setattr(release_files, "MAXIMUM_TOTAL_BYTES", 1000)
    with pytest.raises(PackageRefused, match="larger"):
        import_release([zipped(path, edition().files())], store=tmp_path / "store")
    monkeypatch.setattr(release_files, "MAXIMUM_TOTAL_BYTES", 10**9)
    monkeypatch.setattr(release_files, "MAXIMUM_LINE_BYTES", 1000)
    monkeypatch.setattr(release_files, "_CHUNK", 2000)
    files = {name: data.replace(b"\n", b" ") for name, data in edition().files().items()}
    with pytest.raises(PackageRefused, match="line is longer"):
        import_release([zipped(path, files)], store=tmp_path / "store")
    damaged = bytearray(zipped(path, edition().files()).read_bytes())
    damaged[200:260] = b"\0" * 60
    path.write_bytes(damaged)
    with pytest.raises(PackageRefused):
        import_release([path], store=tmp_path / "store")
    for data in (b"", b"hello", b"PK\x03\x04broken"):
        path.write_bytes(data)
        with pytest.raises(PackageRefused):
            import_release([path], store=tmp_path / "store")
    with pytest.raises(PackageNotFound):
        import_release([tmp_path / "absent.zip"], store=tmp_path / "store")
    with pytest.raises(UsageError, match="one code system"):
        import_release([zipped(path, loinc_files()), zipped(tmp_path / "d.zip", dmd_files())], store=tmp_path / "store")


def test_a_store_is_found_by_default_and_can_be_left_out(
    store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MPFT_TERMINOLOGY", str(store))
    assert default_store() == store
    unknown = coded(concept_id(91234))
    assert rules(Validator().validate(unknown))[0] == "code-unknown"
    assert said(Validator(terminology=False).validate(unknown)) == [("not checked", "code-unknown")]
    assert rules(Validator().with_resources([]).validate(unknown))[0] == "code-unknown"
    with pytest.raises(ConfigurationError):
        Validator(terminology=tmp_path / "none")


def test_an_index_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "snomed.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 20)
    with pytest.raises(ConfigurationError, match="import it again"):
        Validator(terminology=tmp_path).validate(coded(HEART))
    (tmp_path / "loinc.sqlite").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="import it again"):
        Validator(terminology=tmp_path).validate(coded("1-8", LOINC))


def test_check_digits() -> None:
    # SNOMED CT "Check-digit Computation" gives these as examples of valid identifiers.
    for code in ("138875005", FINDING, CORE, CLINICAL, DRUG, GB):
        assert is_concept_id(code) and check_digit(code[:-1]) == code[-1]
        swapped = code[:2] + code[3] + code[2] + code[4:]
        assert swapped == code or not is_concept_id(swapped), "Verhoeff finds a transposition"
