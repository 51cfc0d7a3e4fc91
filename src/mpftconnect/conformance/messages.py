"""Test people as HL7 v2 messages, for systems that are fed: ADT A28 and A31, and ORU R01 of their observations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mpftconnect.hl7v2 import Message, build

__all__ = ["as_messages", "left_out"]

_NHS_NUMBER = "https://fhir.nhs.uk/Id/nhs-number"
# HL7 table 0001, as FHIR's administrative gender maps to it (FHIR R4, ConceptMap cm-administrative-gender-v2).
_SEX = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
# HL7 table 0396.
_SYSTEMS = {"http://loinc.org": "LN", "http://snomed.info/sct": "SCT"}
_AT = datetime(2025, 9, 1, 9, 0, tzinfo=UTC)


def as_messages(role: str, resources: Sequence[Mapping[str, Any]]) -> list[Message]:
    """The messages that enter one person: added (A28), updated to the same (A31), results (R01), in that order.

    HL7 2.4, sections 3.3.28, 3.3.31 and 7.2.1; the NHS number as DMS 1.1 has it in PID-3.
    """
    person = next((r for r in resources if r["resourceType"] == "Patient"), None)
    if person is None:
        return []
    pid = dict(_pid(person))
    made = [
        _message(
            f"ADT^{event}^ADT_A05",
            f"{role}-{event}",
            {"EVN-1": event, "EVN-2": _time(_AT.isoformat()), **pid} | {"PV1-2": "N"},
        )
        for event in ("A28", "A31")
    ]
    results = [values for r in resources if r["resourceType"] == "Observation" and (values := dict(_result(r)))]
    made += [
        _message("ORU^R01^ORU_R01", f"{role}-R{number}", {**pid, **values}) for number, values in enumerate(results, 1)
    ]
    return made


def left_out(resources: Sequence[Mapping[str, Any]]) -> list[str]:
    """What of a person no message here carries, as `Condition/asthma`: it is entered by the sheet."""
    return [
        f"{r['resourceType']}/{r['id']}"
        for r in resources
        if r["resourceType"] != "Patient" and not (r["resourceType"] == "Observation" and dict(_result(r)))
    ]


def _message(type_: str, control_id: str, values: Mapping[str, str]) -> Message:
    return build(
        type_,
        sending=("MPFTCONNECT", "ZZ999"),
        receiving=("SUPPLIER", "ZZ999"),
        control_id=control_id[:20],
        at=_AT,
        processing="T",
        charset="UNICODE UTF-8",
        # MSH-17, ISO 3166: by it a message is judged by the UK's conventions too.
        values={"MSH-17": "GBR", **values},
    )


def _pid(person: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    number = next((i["value"] for i in person.get("identifier", ()) if i.get("system") == _NHS_NUMBER), "")
    if number:
        yield from (("PID-3.1", number), ("PID-3.4", "NHS"), ("PID-3.5", "NH"))
        if status := _status(person):
            yield "PID-32", status
    name: Mapping[str, Any] = next(iter(person.get("name", ())), {})
    given = name.get("given", ())
    parts = (
        name.get("family", ""),
        next(iter(given), ""),
        " ".join(given[1:]),
        "",
        next(iter(name.get("prefix", ())), ""),
    )
    yield from ((f"PID-5.{place}", part) for place, part in enumerate(parts, 1) if part)
    if person.get("birthDate"):
        yield "PID-7", person["birthDate"].replace("-", "")
    if person.get("gender"):
        yield "PID-8", _SEX.get(person["gender"], "U")
    address: Mapping[str, Any] = next(iter(person.get("address", ())), {})
    lines = address.get("line", ())
    placed = (next(iter(lines), ""), ", ".join(lines[1:]), address.get("city", ""), address.get("district", ""))
    yield from ((f"PID-11.{n}", part) for n, part in enumerate((*placed, address.get("postalCode", "")), 1) if part)
    phone = next((t["value"] for t in person.get("telecom", ()) if t.get("system") == "phone"), "")
    if phone:
        yield "PID-13.1", phone
    died = person.get("deceasedDateTime", "")
    if died:
        yield from (("PID-29", _time(died)), ("PID-30", "Y"))


def _status(person: Mapping[str, Any]) -> str:
    """The verification status of the NHS number, which DMS 1.1 has in PID-32 (table 0445)."""
    for identifier in person.get("identifier", ()):
        for extension in identifier.get("extension", ()):
            if extension.get("url", "").endswith("NHSNumberVerificationStatus"):
                codings = extension.get("valueCodeableConcept", {}).get("coding", ())
                return str(next((coding.get("code", "") for coding in codings), ""))
    return ""


def _result(resource: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """One OBR and one OBX; nothing for a value that OBX does not hold as it is."""
    quantity, text = resource.get("valueQuantity"), resource.get("valueString")
    coding = next((c for c in resource["code"].get("coding", ()) if c.get("system") in _SYSTEMS), None)
    if coding is None or (quantity is None and text is None):
        return
    code = [coding["code"], coding.get("display", ""), _SYSTEMS[coding["system"]]]
    when = _time(resource.get("effectiveDateTime", ""))
    yield "OBR-1", "1"
    yield from ((f"OBR-4.{place}", part) for place, part in enumerate(code, 1) if part)
    yield from (("OBR-7", when),) if when else ()
    yield from (("OBR-25", "F"), ("OBX-1", "1"), ("OBX-2", "NM" if quantity is not None else "ST"))
    yield from ((f"OBX-3.{place}", part) for place, part in enumerate(code, 1) if part)
    if quantity is not None:
        yield "OBX-5", str(quantity["value"])
        yield from (
            (f"OBX-6.{n}", p) for n, p in enumerate((quantity.get("code"), quantity.get("unit"), "UCUM"), 1) if p
        )
    else:
        yield "OBX-5", str(text)
    yield "OBX-11", "F"
    yield from (("OBX-14", when),) if when else ()


def _time(text: str) -> str:
    """FHIR's dateTime as HL7's time stamp, with its offset; partial dates stay partial."""
    if len(text) <= 10:
        return text.replace("-", "")
    return datetime.fromisoformat(text).strftime("%Y%m%d%H%M%S%z")
