"""HL7 v2 tables and what their codes mean in the model, which uses FHIR's codes.

Source of the codes: HL7 v2.5.1 and v2.8.2, the tables named; of their meanings: HL7 Version 2 to FHIR (1.0.0), the
concept maps of the same tables. A code that a table here has not is kept as sent, never mapped to a near one.
"""

from __future__ import annotations

from typing import Final

from mpftconnect.hl7v2.mapping.ways import coded

__all__ = [
    "ADDRESS_USE",
    "ALLERGY_CATEGORY",
    "ALLERGY_SEVERITY",
    "APPOINTMENT_STATUS",
    "CODE_SYSTEMS",
    "COMPLETION",
    "DEATH",
    "DOCUMENT_STATUS",
    "ENCOUNTER_CLASS",
    "GENDER",
    "IDENTIFIER_SYSTEMS",
    "INTERPRETATION",
    "NAME_USE",
    "OBSERVATION_STATUS",
    "ORDER_STATUS",
    "PRIORITY",
    "REPORT_STATUS",
    "TELECOM_SYSTEM",
    "TELECOM_USE",
    "YES_NO",
]

# 0001 Administrative sex. A (ambiguous) and N (not applicable) are `other` as O is, so their letter is kept as well.
# 0, 1, 2 and 9 are PERSON GENDER CODE (NHS Data Dictionary), which UK senders write: 0 and 9 are not the same.
GENDER: Final = coded(
    "0001",
    {
        "F": "female",
        "M": "male",
        "O": "other",
        "U": "unknown",
        "A": "other",
        "N": "other",
        "1": "male",
        "2": "female",
        "0": "unknown",
    },
)
# 0200 Name type.
NAME_USE: Final = coded(
    "0200", {"L": "official", "D": "usual", "M": "maiden", "N": "nickname", "S": "anonymous", "TEMP": "temp"}
)
# 0190 Address type: those that are a use of FHIR's. M (mailing) is a type, see ADDRESS_TYPE.
ADDRESS_USE: Final = coded("0190", {"H": "home", "B": "work", "O": "work", "C": "temp", "P": "home", "BI": "billing"})
ADDRESS_TYPE: Final = coded("0190", {"M": "postal"})
# 0201 Telecommunication use code, and 0202 Telecommunication equipment type.
TELECOM_USE: Final = coded("0201", {"PRN": "home", "ORN": "home", "WPN": "work", "VHN": "temp"})
TELECOM_SYSTEM: Final = coded(
    "0202", {"PH": "phone", "CP": "phone", "FX": "fax", "BP": "pager", "Internet": "email", "SAT": "phone"}
)
# 0136 Yes/no indicator.
YES_NO: Final = {"Y": True, "N": False}
DEATH: Final = YES_NO
# 0004 Patient class: HL7 v3 ActEncounterCode.
ENCOUNTER_CLASS: Final = coded("0004", {"I": "IMP", "E": "EMER", "O": "AMB", "P": "PRENC", "B": "IMP", "R": "AMB"})
# 0085 Observation result status codes interpretation.
OBSERVATION_STATUS: Final = coded(
    "0085",
    {
        "F": "final",
        "P": "preliminary",
        "C": "corrected",
        "A": "amended",
        "I": "registered",
        "R": "preliminary",
        "S": "preliminary",
        "U": "final",
        "D": "entered-in-error",
        "W": "entered-in-error",
        "X": "cancelled",
    },
)
# 0123 Result status.
REPORT_STATUS: Final = coded(
    "0123",
    {
        "F": "final",
        "P": "preliminary",
        "C": "corrected",
        "A": "partial",
        "I": "registered",
        "O": "registered",
        "R": "preliminary",
        "S": "registered",
        "M": "corrected",
        "N": "registered",
        "X": "cancelled",
    },
)
# 0078 Interpretation codes whose letters HL7 v3 ObservationInterpretation has with the same meaning.
INTERPRETATION: Final = frozenset(
    (
        *("A", "AA", "HH", "LL", "H", "L", "N", "R", "S", "I", "MS", "VS", "POS", "NEG", "IND", "DET", "ND", "W", "B"),
        *("D", "U", "IE", "EX", "HX", "LX", "RR", "WR", "NR", "EXP", "UNE", "SDD", "SYN-R", "SYN-S", "NS", "E", "<"),
        ">",
    )
)
# 0127 Allergen type, and 0128 Allergy severity.
ALLERGY_CATEGORY: Final = coded(
    "0127", {"DA": "medication", "FA": "food", "EA": "environment", "AA": "environment", "PA": "environment"}
)
ALLERGY_SEVERITY: Final = coded("0128", {"SV": "severe", "MO": "moderate", "MI": "mild"})
# 0278 Filler status codes.
APPOINTMENT_STATUS: Final = coded(
    "0278",
    {
        "Booked": "booked",
        "Cancelled": "cancelled",
        "Complete": "fulfilled",
        "Noshow": "noshow",
        "Pending": "pending",
        "Waitlist": "waitlist",
        "Started": "arrived",
        "Deleted": "entered-in-error",
        "Overbook": "booked",
        "Blocked": "cancelled",
        "Dc": "cancelled",
    },
)
# 0271 Document completion status: FHIR composition-status.
DOCUMENT_STATUS: Final = coded(
    "0271",
    {
        "AU": "final",
        "LA": "final",
        "DO": "final",
        "DI": "preliminary",
        "IN": "preliminary",
        "IP": "preliminary",
        "PA": "preliminary",
    },
)
# 0322 Completion status of an immunisation.
COMPLETION: Final = coded("0322", {"CP": "completed", "PA": "completed", "RE": "not-done", "NA": "not-done"})
# 0038 Order status.
ORDER_STATUS: Final = coded(
    "0038",
    {
        "IP": "active",
        "CM": "completed",
        "CA": "revoked",
        "DC": "revoked",
        "ER": "entered-in-error",
        "HD": "on-hold",
        "SC": "active",
        "A": "active",
        "RP": "revoked",
    },
)
# 0485 Extended priority codes, and OBR-5, OBR-27.6.
PRIORITY: Final = coded("0485", {"R": "routine", "S": "stat", "A": "asap", "U": "urgent"})

# 0396 Coding system: the names that stand for a system of FHIR's. v2.8.2, chapter 2C.
CODE_SYSTEMS: Final = {
    "LN": "http://loinc.org",
    "SCT": "http://snomed.info/sct",
    "SNM3": "http://snomed.info/sct",
    "SNOMED-CT": "http://snomed.info/sct",
    "SNOMEDCT": "http://snomed.info/sct",
    "UCUM": "http://unitsofmeasure.org",
    "ICD10": "http://hl7.org/fhir/sid/icd-10",
    "I10": "http://hl7.org/fhir/sid/icd-10",
    "ICD-10": "http://hl7.org/fhir/sid/icd-10",
    "I10C": "http://hl7.org/fhir/sid/icd-10-cm",
    "I9": "http://hl7.org/fhir/sid/icd-9-cm",
    "I9C": "http://hl7.org/fhir/sid/icd-9-cm",
    "CVX": "http://hl7.org/fhir/sid/cvx",
    "MVX": "http://hl7.org/fhir/sid/mvx",
    "NDC": "http://hl7.org/fhir/sid/ndc",
    "RXNORM": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "C4": "http://www.ama-assn.org/go/cpt",
    "CPT4": "http://www.ama-assn.org/go/cpt",
    "CDCREC": "urn:oid:2.16.840.1.113883.6.238",
    "DMD": "https://dmd.nhs.uk",
    "OPCS4": "https://fhir.hl7.org.uk/CodeSystem/OPCS-4",
    **{f"HL7{number:04d}": f"http://terminology.hl7.org/CodeSystem/v2-{number:04d}" for number in range(1, 1000)},
}

# Who numbers what, by the short names that UK senders write (HSCIC ITK HL7 v2 Message Specifications 1.0.15; UK
# Core, the slices of Practitioner.identifier).
IDENTIFIER_SYSTEMS: Final = {
    "GMC": "https://fhir.hl7.org.uk/Id/gmc-number",
    "GMP": "https://fhir.hl7.org.uk/Id/gmp-number",
    "NMC": "https://fhir.hl7.org.uk/Id/nmc-number",
    "SDS": "https://fhir.nhs.uk/Id/sds-user-id",
}
