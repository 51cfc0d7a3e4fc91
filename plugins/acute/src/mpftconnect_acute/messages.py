"""HL7 v2.4 messages as a hospital of ours writes them: one function a kind.

HL7 v2.4: chapter 3 (ADT), 7 (ORU), 9 (MDM), 10 (SIU), 11 (REF); the UK's conventions of HSCIC ITK HL7 v2 Message
Specifications 1.0.15: version 2.4, GBR in MSH-17, the NHS number in PID-3 with authority NHS and type NH.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from mpftconnect.hl7v2 import escape
from mpftconnect.model import Patient

__all__ = ["Hospital", "Line", "Result", "Subject", "adt", "letter", "merge", "oru", "referral", "siu", "vaccination"]

_ZONE: Final = ZoneInfo("Europe/London")


@dataclass(frozen=True, slots=True)
class Hospital:
    """A hospital of the twin's.

    Args:
        name: What people call it.
        code: Its ODS code, which is its facility in MSH-4.
        prefix: Before the names of its applications and of its numbers.
        wards: Ward, its two bays.
    """

    name: str
    code: str
    prefix: str
    wards: Sequence[str]


@dataclass(frozen=True, slots=True)
class Subject:
    """A person as the hospital knows them.

    Args:
        patient: Demographics.
        number: NHS number; None where the hospital does not know it.
        local: The hospital's own number.
    """

    patient: Patient = field(repr=False)
    number: str | None = field(repr=False)
    local: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Line:
    """One OBX of a report: what was measured, and how.

    Args:
        code: Local code.
        name: In words.
        value: As sent; a number, or text of a report.
        unit: OBX-6; "" for text.
        usual: OBX-7.
        flag: OBX-8.
        status: OBX-11: P, F, C, W, D, X.
    """

    code: str
    name: str
    value: str
    unit: str = ""
    usual: str = ""
    flag: str = ""
    status: str = "F"


@dataclass(frozen=True, slots=True)
class Result:
    """One OBR with its OBX.

    Args:
        order: Placer's and filler's number are made of it.
        code: Of the test.
        name: Of the test.
        taken: When the sample was taken.
        lines: Its results.
        status: OBR-25.
        section: OBR-24 (table 0074): HM haematology, CH chemistry, RAD radiology.
    """

    order: str
    code: str
    name: str
    taken: datetime
    lines: Sequence[Line]
    status: Literal["P", "F", "C"] = "F"
    section: str = "HM"


def moment(at: datetime) -> str:
    """A TS in the hospital's own time, without an offset, as most hospitals send it."""
    return f"{at.astimezone(_ZONE):%Y%m%d%H%M%S}"


def _written(lines: Sequence[str]) -> bytes:
    shortened = [line if line.startswith("MSH") else line.rstrip("|") for line in lines]
    return "".join(f"{line}\r" for line in shortened).encode("utf-8")


def _msh(hospital: Hospital, application: str, kind: str, at: datetime, control: str) -> str:
    return (
        f"MSH|^~\\&|{hospital.prefix}{application}|{hospital.code}|MPFTCONNECT|RRE|{moment(at)}||{kind}|{control}|P|2.4"
        "|||||GBR|UNICODE UTF-8"
    )


def _evn(trigger: str, at: datetime) -> str:
    return f"EVN|{trigger}|{moment(at)}"


def _name(patient: Patient) -> str:
    name = next((name for name in patient.names if name.use in ("official", "usual", None)), patient.names[0])
    given = [*name.given, "", ""]
    prefix = name.prefix[0] if name.prefix else ""
    return "^".join((*map(escape, (name.family or "", given[0], given[1])), "", escape(prefix), "", "L"))


def _address(patient: Patient) -> str:
    if not patient.addresses:
        return ""
    home = patient.addresses[0]
    lines = [*home.line, "", ""]
    parts = (lines[0], lines[1], home.city or "", home.district or "", home.postal_code or "")
    return "^".join((*map(escape, parts), "GBR", "H"))


def _pid(hospital: Hospital, who: Subject) -> str:
    numbers = [f"{who.local}^^^{hospital.code}^MR"]
    if who.number:
        numbers.insert(0, f"{who.number}^^^NHS^NH")
    patient = who.patient
    born = patient.birth_date.text.replace("-", "") if patient.birth_date else ""
    sex = {"female": "F", "male": "M", "other": "O"}.get(patient.gender or "", "U")
    phone = next((point.value for point in patient.telecom if point.system == "phone" and point.value), "")
    fields = ["PID", "1", "", "~".join(numbers), "", _name(patient), "", born, sex, "", "", _address(patient), ""]
    fields += [f"{escape(phone)}^PRN^PH" if phone else "", *[""] * 18]
    # PID-32, NHS number status: traced (NHS Data Dictionary 01), as HSCIC DMS 1.1 writes it.
    return "|".join([*fields, "NSTS01" if who.number else "NSTS03"])


def _pv1(
    hospital: Hospital,
    visit: str,
    *,
    ward: str,
    kind: str = "I",
    admitted: datetime | None = None,
    discharged: datetime | None = None,
    before: str = "",
) -> str:
    fields = [""] * 46
    fields[0], fields[1], fields[2] = "PV1", "1", kind
    fields[3] = f"{escape(ward)}^BAY2^4^{hospital.code}" if ward else ""
    fields[6] = f"{escape(before)}^^^{hospital.code}" if before else ""
    fields[7] = f"{hospital.prefix}C7^Thistlewood^Amara^^^Dr"
    fields[10] = "MED"
    fields[19] = f"{visit}^^^{hospital.code}^VN"
    fields[44] = moment(admitted) if admitted else ""
    fields[45] = moment(discharged) if discharged else ""
    return "|".join(fields)


def adt(
    hospital: Hospital,
    trigger: str,
    who: Subject,
    at: datetime,
    control: str,
    *,
    visit: str = "",
    ward: str = "",
    before: str = "",
    kind: str = "I",
    admitted: datetime | None = None,
    discharged: datetime | None = None,
    more: Sequence[str] = (),
) -> bytes:
    """An ADT message; without a visit it is about the person alone (A28, A31)."""
    structure = {
        "A01": "ADT_A01",
        "A04": "ADT_A01",
        "A08": "ADT_A01",
        "A13": "ADT_A01",
        "A28": "ADT_A05",
        "A31": "ADT_A05",
        "A05": "ADT_A05",
        "A02": "ADT_A02",
        "A03": "ADT_A03",
        "A11": "ADT_A09",
    }[trigger]
    lines = [_msh(hospital, "PAS", f"ADT^{trigger}^{structure}", at, control), _evn(trigger, at), _pid(hospital, who)]
    if visit:
        lines.append(
            _pv1(hospital, visit, ward=ward, kind=kind, admitted=admitted, discharged=discharged, before=before)
        )
    else:
        lines.append("PV1|1|N")
    return _written([*lines, *more])


def merge(hospital: Hospital, kept: Subject, retired: str, at: datetime, control: str) -> bytes:
    """A40: the hospital found that two of its numbers are one person."""
    return _written(
        [
            _msh(hospital, "PAS", "ADT^A40^ADT_A39", at, control),
            _evn("A40", at),
            _pid(hospital, kept),
            f"MRG|{retired}^^^{hospital.code}^MR",
        ]
    )


def oru(hospital: Hospital, application: str, who: Subject, result: Result, at: datetime, control: str) -> bytes:
    """An ORU^R01 with one report."""
    obr = [""] * 26
    obr[0], obr[1] = "OBR", "1"
    obr[2], obr[3] = f"P{result.order}^{hospital.prefix}PAS", f"F{result.order}^{hospital.prefix}{application}"
    obr[4], obr[7] = f"{result.code}^{escape(result.name)}^L", moment(result.taken)
    obr[22], obr[24], obr[25] = moment(at), result.section, result.status
    lines = [_msh(hospital, application, "ORU^R01^ORU_R01", at, control), _pid(hospital, who), "|".join(obr)]
    for number, line in enumerate(result.lines, 1):
        kind = "NM" if line.unit else "TX"
        fields = ["OBX", str(number), kind, f"{line.code}^{escape(line.name)}^L", "", escape(line.value), line.unit]
        fields += [escape(line.usual), line.flag, "", "", line.status, "", "", moment(result.taken)]
        lines.append("|".join(fields))
    return _written(lines)


def letter(
    hospital: Hospital,
    who: Subject,
    number: str,
    title: str,
    text: str,
    at: datetime,
    control: str,
    *,
    trigger: str = "T02",
    parent: str = "",
    visit: str = "",
) -> bytes:
    """A letter as MDM; T02 a new one, T08 one that replaces its parent."""
    txa = [""] * 20
    txa[0], txa[1], txa[2], txa[3] = "TXA", "1", "DS", "TX"
    txa[4] = txa[6] = moment(at)
    txa[9] = f"{hospital.prefix}C7^Thistlewood^Amara^^^Dr"
    txa[12], txa[13] = f"{number}^{hospital.code}", f"{parent}^{hospital.code}" if parent else ""
    txa[16] = escape(title)
    txa[17], txa[19] = "LA", "AV"
    body = base64.b64encode(text.encode("utf-8")).decode("ascii")
    return _written(
        [
            _msh(hospital, "DOCS", f"MDM^{trigger}^MDM_T02", at, control),
            _evn(trigger, at),
            _pid(hospital, who),
            _pv1(hospital, visit, ward="", kind="I"),
            "|".join(txa),
            f"OBX|1|ED|DS^{escape(title)}^L||{hospital.code}^TEXT^^Base64^{body}||||||F",
        ]
    )


def siu(
    hospital: Hospital,
    trigger: str,
    who: Subject,
    number: str,
    reason: str,
    starts: datetime,
    minutes: int,
    at: datetime,
    control: str,
) -> bytes:
    """A booking: S12 made, S13 moved, S15 cancelled."""
    status = {"S12": "Booked", "S13": "Booked", "S15": "Cancelled"}[trigger]
    sch = [""] * 26
    sch[0], sch[1], sch[2] = "SCH", f"P{number}^{hospital.prefix}PAS", f"{number}^{hospital.prefix}PAS"
    sch[6], sch[7] = "ROUTINE^Routine^HL70276", f"OPD^{escape(reason)}^L"
    sch[9], sch[10] = str(minutes), "min"
    sch[11] = f"^^{minutes}^{moment(starts)}"
    sch[16] = f"{hospital.prefix}C7^Thistlewood^Amara^^^Dr"
    sch[20] = f"{hospital.prefix}C7^Thistlewood^Amara^^^Dr"
    sch[25] = f"{status}^{status}^HL70278"
    return _written(
        [
            _msh(hospital, "PAS", f"SIU^{trigger}^SIU_S12", at, control),
            "|".join(sch),
            _pid(hospital, who),
            "RGS|1",
            f"AIL|1||CLINIC3^^^{hospital.code}|C^Clinic^HL70305",
        ]
    )


def referral(hospital: Hospital, who: Subject, number: str, reason: str, at: datetime, control: str) -> bytes:
    """REF^I12: the hospital refers somebody to a community service."""
    return _written(
        [
            _msh(hospital, "PAS", "REF^I12^REF_I12", at, control),
            f"RF1|P^Pending^HL70283|R^Routine^HL70280|{escape(reason)}^{escape(reason)}^L|||{number}^{hospital.prefix}PAS"
            f"|{moment(at)}",
            f"PRD|RP^Referring provider^HL70286|Thistlewood^Amara^^^Dr||^^^{hospital.code}",
            _pid(hospital, who),
        ]
    )


def vaccination(hospital: Hospital, who: Subject, number: str, given: datetime, at: datetime, control: str) -> bytes:
    """VXU^V04: a vaccination that was given."""
    rxa = [""] * 23
    rxa[0], rxa[1], rxa[2] = "RXA", "0", "1"
    rxa[3] = rxa[4] = moment(given)
    rxa[5] = "PPV23^Pneumococcal polysaccharide vaccine^L"
    rxa[6], rxa[7] = "0.5", "mL"
    rxa[15], rxa[20], rxa[21] = f"LOT{number[-4:]}", "CP", "A"
    return _written(
        [
            _msh(hospital, "PAS", "VXU^V04^VXU_V04", at, control),
            _pid(hospital, who),
            f"ORC|RE|P{number}^{hospital.prefix}PAS|F{number}^{hospital.prefix}PAS",
            "|".join(rxa),
        ]
    )
