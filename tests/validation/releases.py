"""Releases made up for tests: invented concepts in an invented namespace, under a handful of public identifiers."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Iterable
from pathlib import Path

from mpftconnect.validation.terminology.releases.sctid import check_digit

CORE, CLINICAL, DRUG = "900000000000207008", "999000011000000103", "999000011000001104"
FINDING, IS_A = "404684003", "116680003"
GB, US, REALM = "900000000000508004", "900000000000509007", "999001261000000100"
_FSN, _SYNONYM = "900000000000003001", "900000000000013009"
_PREFERRED, _ACCEPTABLE = "900000000000548007", "900000000000549004"
_INFERRED, _STATED = "900000000000011006", "900000000000010007"


def concept_id(number: int, namespace: str = "") -> str:
    """A concept's identifier: of the international namespace, or of the one given."""
    digits = f"{number}{namespace}10" if namespace else f"{number:05}00"
    return digits + check_digit(digits)


def _component(number: int, partition: str) -> str:
    digits = f"{number}{partition}"
    return digits + check_digit(digits)


class Rf2:
    """An RF2 release under way."""

    def __init__(
        self, date: str = "20260401", *, kind: str = "Snapshot", letters: str = "", issuer: str = "INT"
    ) -> None:
        self.date, self.kind, self.letters, self.issuer = date, kind, letters, issuer
        self.rows: dict[str, list[str]] = {
            "Concept": [],
            "Description": [],
            "Relationship": [],
            "Language": [],
            "Simple": [],
        }
        self._next = 100_000

    def concept(
        self,
        code: str,
        *terms: str,
        under: Iterable[str] = (),
        active: bool = True,
        module: str = CORE,
        date: str | None = None,
        dialect: str = GB,
    ) -> str:
        """The first term is the preferred one; the fully specified name is made from it."""
        date = date or self.date
        self.rows["Concept"].append(f"{code}\t{date}\t{int(active)}\t{module}\t900000000000074008")
        names = [(f"{terms[0]} (finding)", _FSN, _PREFERRED)] if terms else []
        names += [(term, _SYNONYM, _PREFERRED if place == 0 else _ACCEPTABLE) for place, term in enumerate(terms)]
        for term, sort, acceptability in names:
            self._describe(code, term, sort, acceptability, dialect, module, date)
        for above in under:
            self.is_a(code, above, module=module, date=date)
        return code

    def _describe(
        self, code: str, term: str, sort: str, acceptability: str, dialect: str, module: str, date: str
    ) -> None:
        self._next += 1
        described = _component(self._next, "01")
        self.rows["Description"].append(
            f"{described}\t{date}\t1\t{module}\t{code}\ten\t{sort}\t{term}\t900000000000448009"
        )
        self.rows["Language"].append(
            f"{uuid.UUID(int=self._next)}\t{date}\t1\t{module}\t{dialect}\t{described}\t{acceptability}"
        )

    def is_a(
        self, child: str, parent: str, *, active: bool = True, module: str = CORE, date: str | None = None,
        number: int | None = None, sort: str = _INFERRED,
    ) -> int:  # fmt: skip
        self._next += 1
        number = number or self._next
        self.rows["Relationship"].append(
            f"{_component(number, '02')}\t{date or self.date}\t{int(active)}\t{module}\t{child}\t{parent}\t0\t{IS_A}\t"
            f"{sort}\t900000000000451002"
        )
        return number

    def member(self, refset: str, code: str, *, active: bool = True, date: str | None = None, number: int = 0) -> int:
        self._next += 1
        number = number or self._next
        self.rows["Simple"].append(
            f"{uuid.UUID(int=number)}\t{date or self.date}\t{int(active)}\t{CORE}\t{refset}\t{code}"
        )
        return number

    def files(self) -> dict[str, bytes]:
        common = "id\teffectiveTime\tactive\tmoduleId\t"
        heads = {
            "Concept": "definitionStatusId",
            "Description": "conceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId",
            "Relationship": "sourceId\tdestinationId\trelationshipGroup\ttypeId\tcharacteristicTypeId\tmodifierId",
            "Language": "refsetId\treferencedComponentId\tacceptabilityId",
            "Simple": "refsetId\treferencedComponentId",
        }
        tail = f"_{self.issuer}_{self.date}.txt"
        kind = f"{self.letters}{self.kind}"
        names = {
            "Concept": f"Terminology/sct2_Concept_{kind}{tail}",
            "Description": f"Terminology/sct2_Description_{kind}-en{tail}",
            "Relationship": f"Terminology/sct2_Relationship_{kind}{tail}",
            "Language": f"Refset/Language/der2_cRefset_Language{kind}-en{tail}",
            "Simple": f"Refset/Content/der2_Refset_Simple{kind}{tail}",
        }
        return {
            f"SnomedCT_Test/{self.kind}/{names[name]}": "".join(
                f"{row}\r\n" for row in [common + heads[name], *rows]
            ).encode()
            for name, rows in self.rows.items()
        }


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    """A zip archive of files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def unzipped(path: Path, files: dict[str, bytes]) -> Path:
    """A folder of files."""
    for name, data in files.items():
        place = path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return path


def _xml(root: str, group: str, tag: str, *records: dict[str, str]) -> str:
    rows = "".join(f"<{tag}>{''.join(f'<{k}>{v}</{k}>' for k, v in r.items())}</{tag}>\n" for r in records)
    return f"<{root}>{f'<{group}>' if group else ''}{rows}{f'</{group}>' if group else ''}</{root}>"


def dmd_files() -> dict[str, bytes]:
    """A dm+d release of a few invented products."""
    files = {
        "f_vtm2_3010426.xml": _xml(
            "VIRTUAL_THERAPEUTIC_MOIETIES", "", "VTM", {"VTMID": "90000001", "NM": "Zzolinium", "VTMIDPREV": "90000009"}
        ),
        "f_vmp2_3010426.xml": _xml(
            "VIRTUAL_MED_PRODUCTS",
            "VMPS",
            "VMP",
            {"VPID": "90000002", "VTMID": "90000001", "NM": "Zzolinium 5mg tablets", "PRES_STATCD": "0001"},
            {"VPID": "90000003", "INVALID": "1", "NM": "Zzolinium 1mg tablets"},
        ),
        "f_vmpp2_3010426.xml": _xml(
            "VIRTUAL_MED_PRODUCT_PACK", "VMPPS", "VMPP", {"VPPID": "90000004", "NM": "Zz 28 tablet", "VPID": "90000002"}
        ),
        "f_amp2_3010426.xml": _xml(
            "ACTUAL_MEDICINAL_PRODUCTS",
            "AMPS",
            "AMP",
            {"APID": "90000005", "VPID": "90000002", "NM": "Zzol tablets", "DESC": "Zzol 5mg tablets (Zz Ltd)"},
        ),
        "f_ampp2_3010426.xml": _xml(
            "ACTUAL_MEDICINAL_PROD_PACKS",
            "AMPPS",
            "AMPP",
            {"APPID": "90000006", "NM": "Zzol 28 tablet", "VPPID": "90000004", "APID": "90000005"},
        ),
        "f_ingredient2_3010426.xml": _xml("INGREDIENT_SUBSTANCES", "", "ING", {"ISID": "90000007", "NM": "Zzolinium"}),
        "f_lookup2_3010426.xml": "<LOOKUP>"
        "<UNIT_OF_MEASURE><INFO><CD>90000008</CD><DESC>zz</DESC></INFO></UNIT_OF_MEASURE>"
        "<BASIS_OF_NAME><INFO><CD>0001</CD><DESC>not a concept</DESC></INFO></BASIS_OF_NAME></LOOKUP>",
    }
    return {name: text.encode() for name, text in files.items()}


def loinc_files(*, accessories: bool = True) -> dict[str, bytes]:
    """A LOINC release of a few invented codes."""
    head = (
        "LOINC_NUM,COMPONENT,PROPERTY,TIME_ASPCT,SYSTEM,SCALE_TYP,METHOD_TYP,CLASS,VersionLastChanged,STATUS,CLASSTYPE,"
        "SHORTNAME,LONG_COMMON_NAME"
    )
    table = (
        f'\ufeff{head}\r\n"99990-1",Zz,MCnc,Pt,Ser,Qn,,CHEM,2.80,ACTIVE,1,Zz Ser,"Zz [Mass/volume], in Serum"\r\n'
        '99991-9,Zz note,-,Pt,^Patient,Doc,,DOC,2.79,ACTIVE,2,Zz note,"Zz ""note"""\r\n'
        "99992-7,Old,MCnc,Pt,Ser,Qn,,CHEM,2.50,DEPRECATED,1,Old,Old thing\r\n"
    )
    files = {"Loinc_2.80/LoincTable/Loinc.csv": table}
    if accessories:
        files["Loinc_2.80/AccessoryFiles/PartFile/Part.csv"] = (
            "PartNumber,PartTypeName,PartName,PartDisplayName,Status\r\nLP99999-1,SCALE,Qn,Quantitative,ACTIVE\r\n"
        )
        files["Loinc_2.80/AccessoryFiles/ComponentHierarchyBySystem/ComponentHierarchyBySystem.csv"] = (
            "PATH_TO_ROOT,SEQUENCE,IMMEDIATE_PARENT,CODE,CODE_TEXT\r\n,1,,LP99998-3,Top\r\n"
            "LP99998-3,1,LP99998-3,LP99997-5,Middle\r\nLP99998-3.LP99997-5,1,LP99997-5,99990-1,Zz\r\n"
        )
    return {name: text.encode() for name, text in files.items()}


def bomb() -> bytes:
    """A zip archive that promises very much more than it stores."""
    held = io.BytesIO()
    with (
        zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("sct2_Concept_Snapshot_INT_20260401.txt", "w") as member,
    ):
        for _ in range(40):
            member.write(b"0" * 1_000_000)
    return held.getvalue()
