"""Which structure a message type and trigger event have: HL7 table 0354, where it is not `TYPE_EVENT` itself."""

from __future__ import annotations

from mpftconnect.hl7v2.tables import Tables

__all__ = ["structures_for"]

# HL7 2.5.1 chapter 2, table 0354; A11 and A12 share a structure in 2.4, and A12 has its own in 2.5.
_SHARED = {
    "ADT_A01": "ADT A04 A08 A13",
    "ADT_A05": "ADT A14 A28 A31",
    "ADT_A06": "ADT A07",
    "ADT_A09": "ADT A10 A11 A12",
    "ADT_A21": "ADT A22 A23 A25 A26 A27 A29 A32 A33",
    "ADT_A30": "ADT A34 A35 A36 A46 A47 A48 A49",
    "ADT_A39": "ADT A40 A41 A42",
    "ADT_A43": "ADT A44",
    "ADT_A50": "ADT A51",
    "ADT_A52": "ADT A53",
    "ADT_A54": "ADT A55",
    "ADT_A61": "ADT A62",
    "MDM_T01": "MDM T03 T05 T07 T09 T11",
    "MDM_T02": "MDM T04 T06 T08 T10",
    "PEX_P07": "PEX P08",
    "PGL_PC6": "PGL PC7 PC8",
    "PPG_PCG": "PPG PCH PCJ",
    "PPP_PCB": "PPP PCC PCD",
    "PPR_PC1": "PPR PC2 PC3",
    "REF_I12": "REF I13 I14 I15",
    "RPA_I08": "RPA I09 I10 I11",
    "RPI_I01": "RPI I04",
    "RQA_I08": "RQA I09 I10 I11",
    "RQI_I01": "RQI I02 I03",
    "RRI_I12": "RRI I13 I14 I15",
    "SIU_S12": "SIU S13 S14 S15 S16 S17 S18 S19 S20 S21 S22 S23 S24 S26",
    "SRM_S01": "SRM S02 S03 S04 S05 S06 S07 S08 S09 S10 S11",
    "SRR_S01": "SRR S02 S03 S04 S05 S06 S07 S08 S09 S10 S11",
}
_BY_EVENT = {
    (code, event): structure
    for structure, words in _SHARED.items()
    for code, *events in [words.split()]
    for event in events
}


def structures_for(tables: Tables, code: str, event: str) -> list[str]:
    """The structures that a version has for a message type and event, the likeliest first; none if it has none.

    >>> from mpftconnect.hl7v2.tables import tables_of
    >>> structures_for(tables_of("2.4"), "ADT", "A08"), structures_for(tables_of("2.4"), "ACK", "A08")
    (['ADT_A01'], ['ACK'])
    """
    named = (f"{code}_{event}" if event else code, _BY_EVENT.get((code, event), ""), code if code == "ACK" else "")
    return [name for name in dict.fromkeys(named) if name in tables.structures]
